//! A commit: whether a batch continues a state, what it changes in it, and the bytes of that.

use eradbg_vm::U256;
use eradbg_vm::protocol::ProtocolVersion;
use eradbg_vm::storage::{L1_MESSENGER, StorageKey};
use primitive_types::H256;

use super::closed::ClosedBatch;
use super::contents::{Contents, Head, Slot, Tip};
use crate::store::codec::{Decoder, Encoder, Malformed};

/// Why a batch does not continue a state.
#[derive(Debug)]
pub(super) struct Mismatch {
    pub(super) field: String,
    pub(super) found: String,
    pub(super) expected: String,
}

/// Slots and code that a commit puts over those before.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Delta {
    slots: Vec<(StorageKey, Slot)>,
    code: Vec<(U256, Vec<u8>)>,
}

/// The value that makes a commit count.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CommitHead {
    /// Checksum of the head before.
    pub(super) previous: u64,
    /// How many pieces the changes are cut into.
    pub(super) pieces: u32,
    /// Checksum of the changes.
    pub(super) checksum: u64,
    pub(super) head: Head,
}

impl Delta {
    /// What `after` has that `before` has not, or has otherwise.
    pub(super) fn between(before: &Contents, after: &Contents) -> Self {
        let slots = after
            .slots
            .iter()
            .filter(|(key, slot)| before.slots.get(key) != Some(slot));
        let code = after
            .code
            .iter()
            .filter(|(hash, _)| !before.code.contains_key(hash));
        Self {
            slots: slots.map(|(&key, &slot)| (key, slot)).collect(),
            code: code.map(|(&hash, code)| (hash, code.clone())).collect(),
        }
    }

    /// Puts everything over `contents`.
    pub(super) fn add_to(self, contents: &mut Contents) {
        contents.slots.extend(self.slots);
        contents.code.extend(self.code);
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::default();
        e.number(self.slots.len() as u64);
        for (key, slot) in &self.slots {
            e.address(key.address);
            e.word(key.key);
            e.word(slot.value);
            e.number(slot.index);
        }
        e.number(self.code.len() as u64);
        for (hash, code) in &self.code {
            e.word(*hash);
            e.blob(code);
        }
        e.into_bytes()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut d = Decoder::new(bytes);
        let slots = (0..d.count()?).map(|_| {
            let key = StorageKey {
                address: d.address()?,
                key: d.word()?,
            };
            let slot = Slot {
                value: d.word()?,
                index: d.number()?,
            };
            Ok((key, slot))
        });
        let slots = slots.collect::<Result<_, Malformed>>()?;
        let code = (0..d.count()?).map(|_| Ok((d.word()?, d.blob()?.to_vec())));
        let code = code.collect::<Result<_, Malformed>>()?;
        if d.is_empty() {
            Ok(Self { slots, code })
        } else {
            Err(Malformed)
        }
    }
}

impl CommitHead {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::default();
        e.number(self.previous);
        e.number(self.pieces);
        e.number(self.checksum);
        e.number(self.head.chain_id);
        e.number(self.head.version.number());
        for tip in [&self.head.batch, &self.head.l2_block] {
            e.number(tip.number);
            e.number(tip.timestamp);
            e.word(U256::from_big_endian(tip.hash.as_bytes()));
        }
        e.number(self.head.next_index);
        e.into_bytes()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut d = Decoder::new(bytes);
        let commit = Self {
            previous: d.number()?,
            pieces: d.number()?,
            checksum: d.number()?,
            head: Head {
                chain_id: d.number()?,
                version: ProtocolVersion::new(d.number()?).map_err(|_| Malformed)?,
                batch: tip(&mut d)?,
                l2_block: tip(&mut d)?,
                next_index: d.number()?,
            },
        };
        if d.is_empty() { Ok(commit) } else { Err(Malformed) }
    }
}

/// Checks that a batch that ran from `start` continues `state`.
pub(super) fn check(state: &Contents, start: &Contents, batch: &ClosedBatch) -> Result<(), Mismatch> {
    let same = |field: &str, found: String, expected: String| {
        if found == expected {
            Ok(())
        } else {
            Err(Mismatch {
                field: field.to_owned(),
                found,
                expected,
            })
        }
    };
    let after = |head: &Option<Head>| match head {
        Some(head) => format!("batch {} ({:#x})", head.batch.number, head.batch.hash),
        None => "no batch".to_owned(),
    };
    if let Some(head) = &state.head {
        same(
            "its chain id",
            batch.chain_id.to_string(),
            head.chain_id.to_string(),
        )?;
        same(
            "its protocol version",
            batch.version.to_string(),
            head.version.to_string(),
        )?;
    }
    same("the batch before it", after(&start.head), after(&state.head))?;
    if let Some(head) = &state.head {
        let next = u64::from(head.batch.number) + 1;
        same("its number", batch.batch.number.to_string(), next.to_string())?;
        if batch.l2_block.number <= head.l2_block.number {
            return Err(Mismatch {
                field: "its last L2 block".to_owned(),
                found: batch.l2_block.number.to_string(),
                expected: format!("one after {}", head.l2_block.number),
            });
        }
    }
    let slot_name = |key: &StorageKey| format!("slot {:#x} of {:#x}", key.key, key.address);
    if let Some(key) = state.slots.keys().find(|key| !start.slots.contains_key(key)) {
        return same(&slot_name(key), "absent".to_owned(), "present".to_owned());
    }
    for change in &batch.changes {
        let slot = start.slots.get(&change.key);
        let (value, index) = slot.map_or((U256::zero(), 0), |slot| (slot.value, slot.index));
        let describe = |value: U256, is_initial: bool| {
            let written = if is_initial { "without" } else { "with" };
            format!("{value:#x} before the batch, {written} an enumeration index")
        };
        same(
            &slot_name(&change.key),
            describe(change.before, change.is_write_initial),
            describe(value, index == 0),
        )?;
    }
    Ok(())
}

/// The state after a batch that ran from `start`.
///
/// Slots that are written for the first time get their enumeration indices in order of address and key, as the state
/// diffs on L1 number them. `L1Messenger` publishes nothing about its own slots, so those get none.
pub(super) fn apply(start: &Contents, batch: &ClosedBatch) -> (Contents, Head) {
    let mut after = start.clone();
    let mut next_index = start.next_index();
    let mut changes: Vec<_> = batch.changes.iter().collect();
    changes.sort_unstable_by_key(|change| change.key);
    for change in changes {
        let slot = after.slots.entry(change.key).or_insert(Slot {
            value: U256::zero(),
            index: 0,
        });
        slot.value = change.after;
        if slot.index == 0 && change.key.address != L1_MESSENGER {
            slot.index = next_index;
            next_index += 1;
        }
    }
    for (hash, code) in &batch.code {
        after.code.entry(*hash).or_insert_with(|| code.clone());
    }
    let head = Head {
        chain_id: batch.chain_id,
        version: batch.version,
        batch: batch.batch,
        l2_block: batch.l2_block,
        next_index,
    };
    after.head = Some(head);
    (after, head)
}

fn tip(d: &mut Decoder<'_>) -> Result<Tip, Malformed> {
    let (number, timestamp) = (d.number()?, d.number()?);
    let mut hash = H256::zero();
    d.word()?.to_big_endian(hash.as_bytes_mut());
    Ok(Tip {
        number,
        timestamp,
        hash,
    })
}
