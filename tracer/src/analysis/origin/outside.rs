//! What comes from outside the machine: the operator's words in the bootloader's heap, storage before the batch.

use std::ops::Range;

use eradbg_vm::bootloader::layout::DESCRIPTION_SLOTS;
use eradbg_vm::page_ids::heap_page;
use eradbg_vm::{Execution, StorageKey, U256};

use crate::analysis::before;
use crate::analysis::encoded::{self, word_of};
use crate::analysis::origin::{End, MOST_PARTS};
use crate::error::Result;
use crate::index::slot_id;
use crate::ledger::StateRow;
use crate::query::Place;
use crate::recording::Recording;

/// Bytes of a memory that are looked at, at most.
const MOST_BYTES: u32 = 1_024;

/// What is known of a place that no step wrote.
pub(super) struct Known {
    pub(super) place: Place,
    pub(super) value: Option<String>,
    pub(super) end: End,
    pub(super) by: String,
}

/// Knows what is in the bootloader's heap.
pub(super) struct Outside<'a> {
    recording: &'a Recording,
    /// Page of the bootloader's heap.
    page: u32,
}

impl<'a> Outside<'a> {
    pub(super) fn new(recording: &'a Recording) -> Result<Self> {
        let start = before(recording, 0)?;
        Ok(Self {
            recording,
            page: heap_page(start.frame().base_page),
        })
    }

    /// What a place has that no step wrote before a position: words of the bootloader's heap each by itself.
    pub(super) fn before_all_steps(&self, place: &Place, position: u64) -> Result<Vec<Known>> {
        let known = |place: &Place, value: Option<String>, (end, by): (End, String)| Known {
            place: *place,
            value,
            end,
            by,
        };
        Ok(match *place {
            Place::Memory { page, .. } => {
                let machine = before(self.recording, position)?;
                let mut told = Vec::new();
                for part in words_of(place, page == self.page) {
                    let bytes = bytes_of(&machine, &part);
                    let is_zero = bytes.iter().all(|&byte| byte == 0);
                    let what = match part {
                        _ if is_zero => (End::Constant, "zero: nothing was written there".to_owned()),
                        Place::Memory { offset, length, .. } if page == self.page => {
                            self.operator(offset..offset.saturating_add(length), position)?
                        }
                        _ => (End::Constant, "code, seen as memory".to_owned()),
                    };
                    let value = (!is_zero).then(|| match bytes.len() {
                        32 => format!("{:#x}", U256::from_big_endian(&bytes)),
                        _ => format!("0x{}", hex::encode(&bytes)),
                    });
                    told.push(known(&part, value, what));
                }
                told
            }
            Place::Storage(key) => {
                let value = self.before_the_batch(key)?.map(|value| format!("{value:#x}"));
                vec![known(place, value, (End::Storage, "before the batch".to_owned()))]
            }
            Place::Register(_) | Place::Flags | Place::Stack { .. } | Place::Transient(_) => {
                let what = (End::Constant, "zero: nothing was written there".to_owned());
                vec![known(place, None, what)]
            }
        })
    }

    /// The value of a slot before the batch, when a step touched it.
    fn before_the_batch(&self, slot: StorageKey) -> Result<Option<U256>> {
        let mut chunks = self.recording.slot_index().chunks(slot_id(false, slot), |_| true);
        chunks.sort_unstable();
        for chunk in chunks {
            for row in self.recording.rows::<StateRow>(chunk)? {
                if let StateRow::Storage(access) = row.row
                    && access.key == slot
                {
                    return Ok(Some(access.initial_value));
                }
            }
        }
        Ok(None)
    }

    /// What the operator wrote to a place, after a step.
    pub(super) fn written_by_operator(&self, place: &Place, step: u64) -> Result<(End, String)> {
        match *place {
            Place::Memory { offset, length, .. } => {
                self.operator(offset..offset.saturating_add(length), step + 1)
            }
            _ => Ok((End::Operator, "the operator".to_owned())),
        }
    }

    /// What the operator brought to bytes of the bootloader's heap.
    fn operator(&self, bytes: Range<u32>, position: u64) -> Result<(End, String)> {
        let slot = bytes.start as usize / 32;
        let layout = self.recording.layout();
        let by_operator = || {
            let name = self.recording.slot_name(slot, position);
            Ok((End::Operator, format!("the operator: {name} (slot {slot})")))
        };
        if !(layout.encodings..layout.encodings + layout.encoding_slots).contains(&slot) {
            return by_operator();
        }
        let machine = before(self.recording, position.min(self.recording.steps()))?;
        let Some((place, first)) = self.transaction(&machine, slot) else {
            return by_operator();
        };
        let number = self
            .recording
            .number_in_place(place, position)
            .unwrap_or(place as u32);
        let field = encoded::field(&machine, first, bytes.start as usize..bytes.end as usize);
        Ok((
            End::Transaction,
            format!("transaction {number}: {field} (slot {slot})"),
        ))
    }

    /// The place in the bootloader's list, and the first slot, of the encoded transaction that a slot belongs to.
    fn transaction(&self, machine: &Execution, slot: usize) -> Option<(usize, usize)> {
        let first = |place: usize| {
            let description = self.recording.layout().descriptions + DESCRIPTION_SLOTS * place;
            word_of(machine, description + 1).low_u64() as usize / 32
        };
        let count = self.recording.transactions().len();
        let listed = (0..count).map(|place| (place, first(place)));
        listed
            .filter(|&(_, first)| first != 0 && first <= slot)
            .max_by_key(|&(_, first)| first)
    }
}

/// The words that the bytes of a memory are in, cut to the bytes; or all of them as one.
fn words_of(place: &Place, by_words: bool) -> Vec<Place> {
    let &Place::Memory { page, offset, length } = place else {
        return Vec::new();
    };
    let end = offset.saturating_add(length);
    let mut parts = Vec::new();
    let mut start = offset;
    while start < end && parts.len() < MOST_PARTS {
        let next = if by_words {
            (start / 32 + 1).saturating_mul(32).min(end)
        } else {
            end
        };
        parts.push(Place::Memory {
            page,
            offset: start,
            length: next - start,
        });
        start = next;
    }
    parts
}

/// Bytes of a memory, the first of them where there are very many.
fn bytes_of(machine: &Execution, place: &Place) -> Vec<u8> {
    let &Place::Memory { page, offset, length } = place else {
        return Vec::new();
    };
    let mut bytes = vec![0; length.min(MOST_BYTES) as usize];
    // No word begins in the last bytes that there may be.
    if let Some(heap) = machine
        .heaps()
        .get(page)
        .filter(|_| offset <= u32::MAX - MOST_BYTES)
    {
        heap.read_bytes(offset, &mut bytes);
    }
    bytes
}
