//! `VMState` at a moment, walked both ways by the rows of the state ledger.

use eradbg_vm::U256;
use eradbg_vm::events::{L2ToL1Log, RawEvent};
use eradbg_vm::state::{Restored, StorageAccess};
use eradbg_vm::storage::StorageKey;
use imbl::{OrdMap, OrdSet, Vector};

use crate::ledger::StateRow;

/// The eleven parts of `VMState`, in order for display. Copies share what they have in common.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StateView {
    /// Slots that were written.
    pub storage_changes: OrdMap<StorageKey, SlotView>,
    /// Transient storage.
    pub transient_storage: OrdMap<StorageKey, U256>,
    /// L2->L1 logs.
    pub l2_to_l1_logs: Vector<L2ToL1Log>,
    /// Pieces of events.
    pub events: Vector<RawEvent>,
    /// Pubdata delta of each access.
    pub pubdata_costs: Vector<i32>,
    /// Sum of the pubdata charged.
    pub pubdata: i32,
    /// Pubdata bytes paid for each written slot.
    pub paid_changes: OrdMap<StorageKey, u32>,
    /// Ergs refunded of each storage access.
    pub refunds: Vector<u32>,
    /// Slots that were read or written.
    pub read_storage_slots: OrdSet<StorageKey>,
    /// Slots that were written, undone writes included.
    pub written_storage_slots: OrdSet<StorageKey>,
    /// Code that was asked for, with the page where it lies.
    pub decommitted_hashes: OrdMap<U256, Option<u32>>,
}

/// A slot that the batch has written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotView {
    /// Value now.
    pub value: U256,
    /// Value before the batch.
    pub initial: U256,
    /// Whether the slot had no enumeration index before the batch.
    pub is_initial: bool,
}

impl StateView {
    /// Makes the change of a row.
    pub fn apply(&mut self, row: &StateRow) {
        match row {
            StateRow::Storage(access) => self.apply_access(access),
            StateRow::Transient { key, new, .. } => {
                self.pubdata_costs.push_back(0);
                if let Some(new) = new {
                    self.set_transient(*key, *new);
                }
            }
            StateRow::Decommit(decommit) => {
                self.decommitted_hashes.insert(decommit.hash, decommit.page);
            }
            StateRow::Pubdata(bytes) => self.pubdata += bytes,
            StateRow::Event(event) => self.events.push_back(*event),
            StateRow::Log(log) => self.l2_to_l1_logs.push_back(*log),
            StateRow::NextTransaction(_) => self.transient_storage.clear(),
            StateRow::Restored(restored) => self.apply_restored(restored),
        }
    }

    /// Takes the change of a row back; the row was the last one that was applied.
    pub fn undo(&mut self, row: &StateRow) {
        match row {
            StateRow::Storage(access) => self.undo_access(access),
            StateRow::Transient { key, old, new } => {
                self.pubdata_costs.pop_back();
                if new.is_some() {
                    self.set_transient(*key, *old);
                }
            }
            StateRow::Decommit(decommit) => set(&mut self.decommitted_hashes, decommit.hash, decommit.before),
            StateRow::Pubdata(bytes) => self.pubdata -= bytes,
            StateRow::Event(_) => drop(self.events.pop_back()),
            StateRow::Log(_) => drop(self.l2_to_l1_logs.pop_back()),
            StateRow::NextTransaction(cleared) => cleared
                .iter()
                .for_each(|&(key, value)| self.set_transient(key, value)),
            StateRow::Restored(restored) => self.undo_restored(restored),
        }
    }

    fn apply_access(&mut self, access: &StorageAccess) {
        let key = access.key;
        self.pubdata_costs.push_back(access.pubdata);
        if !access.by_far_call {
            self.refunds.push_back(access.refund);
        }
        self.read_storage_slots.insert(key);
        if let Some(value) = access.new {
            let slot = SlotView {
                value,
                initial: access.initial_value,
                is_initial: access.is_initial,
            };
            self.storage_changes.insert(key, slot);
            self.paid_changes.insert(key, access.price);
            self.written_storage_slots.insert(key);
            self.pubdata += access.pubdata;
        }
    }

    fn undo_access(&mut self, access: &StorageAccess) {
        let key = access.key;
        self.pubdata_costs.pop_back();
        if !access.by_far_call {
            self.refunds.pop_back();
        }
        if !access.was_read {
            self.read_storage_slots.remove(&key);
        }
        if access.new.is_some() {
            // A slot has a paid amount exactly while it has a change.
            if let Some(paid) = access.paid_before {
                let slot = SlotView {
                    value: access.old,
                    initial: access.initial_value,
                    is_initial: access.is_initial,
                };
                self.storage_changes.insert(key, slot);
                self.paid_changes.insert(key, paid);
            } else {
                self.storage_changes.remove(&key);
                self.paid_changes.remove(&key);
            }
            if !access.was_written {
                self.written_storage_slots.remove(&key);
            }
            self.pubdata -= access.pubdata;
        }
    }

    fn apply_restored(&mut self, restored: &Restored) {
        match restored {
            Restored::Storage { key, to, paid_to, .. } => {
                match to {
                    Some(value) => self.set_value(*key, *value),
                    None => drop(self.storage_changes.remove(key)),
                }
                set(&mut self.paid_changes, *key, *paid_to);
            }
            Restored::Transient { key, to, .. } => {
                self.set_transient(*key, to.unwrap_or_default());
            }
            Restored::TransientCleared(slots) => slots
                .iter()
                .for_each(|&(key, value)| self.set_transient(key, value)),
            Restored::Events(events) => self.events.truncate(self.events.len() - events.len()),
            Restored::L2ToL1Logs(logs) => self.l2_to_l1_logs.truncate(self.l2_to_l1_logs.len() - logs.len()),
            Restored::Pubdata { to, .. } => self.pubdata = *to,
            Restored::ReadSlot(key) => drop(self.read_storage_slots.remove(key)),
            Restored::WrittenSlot(key) => drop(self.written_storage_slots.remove(key)),
            Restored::Decommitted { hash, to, .. } => set(&mut self.decommitted_hashes, *hash, *to),
            Restored::Refunds(refunds) => self.refunds.truncate(self.refunds.len() - refunds.len()),
            Restored::PubdataCosts(costs) => self
                .pubdata_costs
                .truncate(self.pubdata_costs.len() - costs.len()),
        }
    }

    fn undo_restored(&mut self, restored: &Restored) {
        match restored {
            Restored::Storage {
                key,
                from,
                paid_from,
                initial,
                is_initial,
                ..
            } => {
                let slot = SlotView {
                    value: *from,
                    initial: *initial,
                    is_initial: *is_initial,
                };
                self.storage_changes.insert(*key, slot);
                self.paid_changes.insert(*key, *paid_from);
            }
            Restored::Transient { key, from, .. } => self.set_transient(*key, *from),
            Restored::TransientCleared(_) => self.transient_storage.clear(),
            Restored::Events(events) => self.events.extend(events.iter().copied()),
            Restored::L2ToL1Logs(logs) => self.l2_to_l1_logs.extend(logs.iter().copied()),
            Restored::Pubdata { from, .. } => self.pubdata = *from,
            Restored::ReadSlot(key) => drop(self.read_storage_slots.insert(*key)),
            Restored::WrittenSlot(key) => drop(self.written_storage_slots.insert(*key)),
            Restored::Decommitted { hash, from, .. } => drop(self.decommitted_hashes.insert(*hash, *from)),
            Restored::Refunds(refunds) => self.refunds.extend(refunds.iter().copied()),
            Restored::PubdataCosts(costs) => self.pubdata_costs.extend(costs.iter().copied()),
        }
    }

    /// An unwritten transient slot reads zero, and so does a slot written with zero: neither is kept.
    fn set_transient(&mut self, key: StorageKey, value: U256) {
        set(
            &mut self.transient_storage,
            key,
            (!value.is_zero()).then_some(value),
        );
    }

    fn set_value(&mut self, key: StorageKey, value: U256) {
        if let Some(slot) = self.storage_changes.get_mut(&key) {
            slot.value = value;
        }
    }
}

fn set<K: Ord + Clone, V: Clone>(map: &mut OrdMap<K, V>, key: K, value: Option<V>) {
    match value {
        Some(value) => drop(map.insert(key, value)),
        None => drop(map.remove(&key)),
    }
}
