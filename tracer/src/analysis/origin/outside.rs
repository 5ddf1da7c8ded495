//! What comes from outside the machine: the operator's words in the bootloader's heap, storage before the batch.

use std::ops::Range;

use eradbg_vm::bootloader::layout::DESCRIPTION_SLOTS;
use eradbg_vm::page_ids::heap_page;
use eradbg_vm::{Execution, U256};

use crate::analysis::before;
use crate::analysis::encoded::{self, word_of};
use crate::analysis::origin::End;
use crate::error::Result;
use crate::query::Place;
use crate::recording::Recording;

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

    /// What a place has that no step wrote before a position.
    pub(super) fn before_all_steps(&self, place: &Place, position: u64) -> Result<(End, String)> {
        Ok(match *place {
            Place::Memory { page, offset, length } if page == self.page => {
                self.operator(offset..offset.saturating_add(length), position)?
            }
            Place::Memory { page, offset, .. } => {
                let machine = before(self.recording, position)?;
                let word = machine
                    .heaps()
                    .get(page)
                    .map_or(U256::zero(), |heap| heap.read_word(offset));
                let what = if word.is_zero() {
                    "memory that nothing was written to: zero"
                } else {
                    "code, seen as memory"
                };
                (End::Constant, what.to_owned())
            }
            Place::Storage(_) => (End::Storage, "before the batch".to_owned()),
            Place::Register(_) | Place::Flags | Place::Stack { .. } | Place::Transient(_) => {
                (End::Constant, "nothing wrote it: zero".to_owned())
            }
        })
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
        if !(layout.encodings..layout.encodings + layout.encoding_slots).contains(&slot) {
            return Ok((
                End::Operator,
                format!("the operator: {} (slot {slot})", layout.name(slot)),
            ));
        }
        let machine = before(self.recording, position.min(self.recording.steps()))?;
        let Some((place, first)) = self.transaction(&machine, slot) else {
            return Ok((
                End::Operator,
                format!("the operator: {} (slot {slot})", layout.name(slot)),
            ));
        };
        let number = self.number(place, position);
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

    /// Number of the transaction at a place in the bootloader's list, at a position: those that were rejected before have
    /// left it.
    fn number(&self, place: usize, position: u64) -> u32 {
        let is_there = |start: u64| {
            let rollback = self.recording.rollback_of(start);
            rollback.is_none_or(|range| range.end_step > position)
        };
        let rows = self.recording.transactions().iter();
        let mut listed = rows.filter(|row| is_there(row.rerun_at.unwrap_or(row.first_step)));
        listed.nth(place).map_or(place as u32, |row| row.index)
    }
}
