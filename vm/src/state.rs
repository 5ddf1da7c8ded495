//! The changes that a batch makes to what lives on the chain.
//!
//! Eleven parts, as the system names them, and two undo logs: one for frames that fail, one for the operator's
//! snapshot. A snapshot is a set of lengths, so taking one is free and rolling back costs what is undone. What each
//! kind of rollback restores stands in `rollback`; prices in `access`; the parts that are about slots are read out of
//! `slots`.

mod access;
mod rollback;
mod slots;

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;
use primitive_types::U256;

pub use access::{Decommit, StorageAccess};
pub use rollback::{Restored, StateMark, StateSnapshot};

use crate::events::{L2ToL1Log, RawEvent};
use crate::storage::StorageKey;
use rollback::{FrameUndo, OperatorUndo};
use slots::{Slot, Slots};

/// Changes since the start of the batch.
#[derive(Debug, Clone, Default)]
pub struct VmState {
    /// Slots that were accessed: values, prices paid, warmth.
    slots: Slots,
    /// Transient storage of the transaction that runs.
    pub(crate) transient_storage: HashMap<StorageKey, U256>,
    /// L2->L1 logs.
    pub(crate) l2_to_l1_logs: Vec<L2ToL1Log>,
    /// Pieces of events.
    pub(crate) events: Vec<RawEvent>,
    /// Pubdata delta of each storage and transient access and far call, in order, undone ones included.
    pub(crate) pubdata_costs: Vec<i32>,
    /// Sum of the pubdata charged so far.
    pub(crate) pubdata: i32,
    /// Ergs refunded of each storage access, in order, undone ones included.
    pub(crate) refunds: Vec<u32>,
    /// Code that was asked for: the page where it lies, or `None` when nobody could pay for it yet.
    pub(crate) decommitted_hashes: HashMap<U256, Option<u32>>,

    frame_undo: Vec<FrameUndo>,
    frames: Vec<StateMark>,
    /// What only the operator's rollback restores; kept while there is a snapshot.
    operator_undo: Option<Vec<OperatorUndo>>,
}

/// A slot whose value differs from the one before the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StorageChange {
    /// The slot.
    pub key: StorageKey,
    /// Value before the batch (or before the part that was asked about).
    pub before: U256,
    /// Value now.
    pub after: U256,
    /// Whether the slot had no enumeration index before the batch.
    pub is_write_initial: bool,
}

impl VmState {
    /// Values of slots that were written, ordered by address and key.
    pub fn storage_changes(&self) -> BTreeMap<StorageKey, U256> {
        self.slots_with(|slot| slot.written.map(|written| written.value))
            .collect()
    }

    /// The value of a slot, when the batch has written it.
    pub fn written_value(&self, key: &StorageKey) -> Option<U256> {
        self.slots.get(key)?.written.map(|written| written.value)
    }

    /// Transient storage of the transaction that runs.
    pub fn transient_storage(&self) -> &HashMap<StorageKey, U256> {
        &self.transient_storage
    }

    /// L2->L1 logs.
    pub fn l2_to_l1_logs(&self) -> &[L2ToL1Log] {
        &self.l2_to_l1_logs
    }

    /// Pieces of events.
    pub fn events(&self) -> &[RawEvent] {
        &self.events
    }

    /// Pubdata delta of each storage and transient access and far call.
    pub fn pubdata_costs(&self) -> &[i32] {
        &self.pubdata_costs
    }

    /// Sum of the pubdata charged so far.
    pub fn pubdata(&self) -> i32 {
        self.pubdata
    }

    /// Pubdata bytes paid for each written slot.
    pub fn paid_changes(&self) -> BTreeMap<StorageKey, u32> {
        self.slots_with(|slot| slot.written.map(|written| written.paid))
            .collect()
    }

    /// Ergs refunded of each storage access.
    pub fn refunds(&self) -> &[u32] {
        &self.refunds
    }

    /// Slots that were read or written, by undone frames too.
    pub fn read_storage_slots(&self) -> BTreeSet<StorageKey> {
        self.slots_with(|slot| slot.was_read.then_some(()))
            .map(|(key, ())| key)
            .collect()
    }

    /// Slots that were written, by undone frames too.
    pub fn written_storage_slots(&self) -> BTreeSet<StorageKey> {
        self.slots_with(|slot| slot.was_written.then_some(()))
            .map(|(key, ())| key)
            .collect()
    }

    /// Code that was asked for, with the page where it lies.
    pub fn decommitted_hashes(&self) -> &HashMap<U256, Option<u32>> {
        &self.decommitted_hashes
    }

    /// Slots whose value differs from the one before the batch, ordered by address and key.
    pub fn changes(&self) -> Vec<StorageChange> {
        changes(
            self.slots
                .iter()
                .map(|(key, slot)| (key, slot, slot.initial_value)),
        )
    }

    /// Pieces of events since a mark.
    pub fn events_since(&self, mark: &StateMark) -> &[RawEvent] {
        self.events.get(mark.events..).unwrap_or_default()
    }

    /// L2->L1 logs since a mark.
    pub fn l2_to_l1_logs_since(&self, mark: &StateMark) -> &[L2ToL1Log] {
        self.l2_to_l1_logs.get(mark.logs..).unwrap_or_default()
    }

    /// Slots whose value differs from the one at a mark, ordered by address and key.
    pub fn changes_since(&self, mark: &StateMark) -> Vec<StorageChange> {
        let mut before = BTreeMap::new();
        for undo in self.frame_undo.get(mark.undo..).unwrap_or_default() {
            if let FrameUndo::Storage { slot, before: old } = undo {
                before.entry(*slot).or_insert(*old);
            }
        }
        changes(before.into_iter().map(|(number, before)| {
            let (key, slot) = self.slots.at(number);
            (
                key,
                slot,
                before.map_or(slot.initial_value, |written| written.value),
            )
        }))
    }

    /// Value that a slot had before the batch, when the batch has accessed it.
    pub fn initial_value(&self, key: &StorageKey) -> Option<U256> {
        self.slots.get(key).map(|slot| slot.initial_value)
    }

    fn slots_with<T>(&self, part: impl Fn(&Slot) -> Option<T>) -> impl Iterator<Item = (StorageKey, T)> {
        let slots = self.slots.iter();
        slots.filter_map(move |(key, slot)| part(slot).map(|part| (key, part)))
    }
}

/// Those of the slots that have another value now, in order.
fn changes<'a>(slots: impl Iterator<Item = (StorageKey, &'a Slot, U256)>) -> Vec<StorageChange> {
    let all = slots.map(|(key, slot, before)| StorageChange {
        key,
        before,
        after: slot.value(),
        is_write_initial: slot.is_write_initial,
    });
    let mut changes: Vec<_> = all.filter(|change| change.before != change.after).collect();
    changes.sort_unstable_by_key(|change| change.key);
    changes
}
