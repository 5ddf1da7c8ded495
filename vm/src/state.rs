//! The changes that a batch makes to what lives on the chain.
//!
//! Eleven parts, as the system names them, and two undo logs: one for frames that fail, one for the operator's
//! snapshot. A snapshot is a set of lengths, so taking one is free and rolling back costs what is undone. What each
//! kind of rollback restores stands in `rollback`; prices in `access`.

mod access;
mod rollback;

use std::collections::BTreeMap;

use hashbrown::{HashMap, HashSet};
use primitive_types::U256;

pub use access::{Decommit, StorageAccess};
pub use rollback::{Restored, StateMark, StateSnapshot};

use crate::events::{L2ToL1Log, RawEvent};
use crate::storage::StorageKey;
use rollback::{FrameUndo, OperatorUndo};

/// Changes since the start of the batch.
#[derive(Debug, Clone, Default)]
pub struct VmState {
    /// Values of slots that were written, in the order of state diffs.
    pub(crate) storage_changes: BTreeMap<StorageKey, U256>,
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
    /// Pubdata bytes paid for each written slot.
    pub(crate) paid_changes: HashMap<StorageKey, u32>,
    /// Ergs refunded of each storage access, in order, undone ones included.
    pub(crate) refunds: Vec<u32>,
    /// Slots that were read or written, by undone frames too.
    pub(crate) read_storage_slots: HashSet<StorageKey>,
    /// Slots that were written, by undone frames too.
    pub(crate) written_storage_slots: HashSet<StorageKey>,
    /// Code that was asked for: the page where it lies, or `None` when nobody could pay for it yet.
    pub(crate) decommitted_hashes: HashMap<U256, Option<u32>>,

    /// Storage before the batch, of slots that were accessed.
    initial_values: HashMap<StorageKey, Initial>,
    frame_undo: Vec<FrameUndo>,
    frames: Vec<StateMark>,
    /// What only the operator's rollback restores; kept while there is a snapshot.
    operator_undo: Option<Vec<OperatorUndo>>,
}

/// A slot before the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Initial {
    pub(crate) value: U256,
    /// Whether a write is initial.
    pub(crate) is_write_initial: bool,
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
    pub fn storage_changes(&self) -> &BTreeMap<StorageKey, U256> {
        &self.storage_changes
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
    pub fn paid_changes(&self) -> &HashMap<StorageKey, u32> {
        &self.paid_changes
    }

    /// Ergs refunded of each storage access.
    pub fn refunds(&self) -> &[u32] {
        &self.refunds
    }

    /// Slots that were read or written.
    pub fn read_storage_slots(&self) -> &HashSet<StorageKey> {
        &self.read_storage_slots
    }

    /// Slots that were written.
    pub fn written_storage_slots(&self) -> &HashSet<StorageKey> {
        &self.written_storage_slots
    }

    /// Code that was asked for, with the page where it lies.
    pub fn decommitted_hashes(&self) -> &HashMap<U256, Option<u32>> {
        &self.decommitted_hashes
    }

    /// Slots whose value differs from the one before the batch, ordered by address and key.
    pub fn changes(&self) -> impl Iterator<Item = StorageChange> + '_ {
        self.storage_changes.iter().filter_map(|(&key, &after)| {
            let Initial {
                value: before,
                is_write_initial,
            } = self.initial_values[&key];
            (before != after).then_some(StorageChange {
                key,
                before,
                after,
                is_write_initial,
            })
        })
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
            if let FrameUndo::Storage { key, value, .. } = undo {
                before
                    .entry(*key)
                    .or_insert_with(|| value.unwrap_or(self.initial_values[key].value));
            }
        }
        let changes = before.into_iter().map(|(key, before)| StorageChange {
            key,
            before,
            after: self.storage_changes[&key],
            is_write_initial: self.initial_values[&key].is_write_initial,
        });
        changes.filter(|change| change.before != change.after).collect()
    }

    /// Value that a slot had before the batch, when the batch has accessed it.
    pub fn initial_value(&self, key: &StorageKey) -> Option<U256> {
        self.initial_values.get(key).map(|initial| initial.value)
    }
}
