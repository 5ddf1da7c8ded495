//! What an access to storage costs: refunds of ergs, and pubdata.
//!
//! Rules: `matter-labs/zksync-era` `core/lib/multivm/src/versions/vm_latest/oracles/storage.rs`.

use hashbrown::HashMap;
use primitive_types::U256;

use crate::isa::storage_price as price;
use crate::observer::Observer;
use crate::state::VmState;
use crate::state::rollback::{FrameUndo, OperatorUndo};
use crate::state::slots::{SlotNumber, Written};
use crate::storage::{ACCOUNT_CODE_STORAGE, Missing, Storage, StorageKey};

/// One access to storage with all that decided its price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StorageAccess {
    /// The slot.
    pub key: StorageKey,
    /// Value before.
    pub old: U256,
    /// Value written; `None` for a read.
    pub new: Option<U256>,
    /// A far call reads the code hash of the callee: inside the call's price, without refund.
    pub by_far_call: bool,
    /// The slot had been read or written before in the batch.
    pub was_read: bool,
    /// The slot had been written before in the batch.
    pub was_written: bool,
    /// The slot costs neither cold ergs nor pubdata.
    pub is_free: bool,
    /// The slot had no enumeration index before the batch.
    pub is_initial: bool,
    /// Value before the batch.
    pub initial_value: U256,
    /// Ergs refunded of the opcode's price.
    pub refund: u32,
    /// Pubdata bytes that the slot takes with its new value; 0 for a read.
    pub price: u32,
    /// Pubdata bytes paid for the slot before; `None` when it was not written.
    pub paid_before: Option<u32>,
    /// Pubdata bytes charged now: `price` less what was paid. May be negative.
    pub pubdata: i32,
}

/// One question for code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decommit {
    /// Hash, construction mark cleared.
    pub hash: U256,
    /// What the batch knew about it before: nothing, or the page if someone had paid for it.
    pub before: Option<Option<u32>>,
    /// Page where it lies from now on; `None` while it is only asked for.
    pub page: Option<u32>,
}

impl VmState {
    /// Reads a slot: its value and the refund.
    pub(crate) fn read<S: Storage, O: Observer>(
        &mut self,
        storage: &mut S,
        key: StorageKey,
        observer: &mut O,
    ) -> Result<(U256, u32), Missing> {
        let (_, mut access) = self.access(storage, key)?;
        if access.was_read || access.is_free {
            access.refund = price::WARM_READ_REFUND;
        }
        self.refunds.push(access.refund);
        self.finish(&access, observer);
        Ok((access.old, access.refund))
    }

    /// Reads the code hash of an address as a far call does: marked as read, but nothing is refunded.
    pub(crate) fn read_code_hash<S: Storage, O: Observer>(
        &mut self,
        storage: &mut S,
        address: U256,
        observer: &mut O,
    ) -> Result<U256, Missing> {
        let key = StorageKey {
            address: ACCOUNT_CODE_STORAGE,
            key: address,
        };
        let (_, mut access) = self.access(storage, key)?;
        access.by_far_call = true;
        self.finish(&access, observer);
        Ok(access.old)
    }

    /// Writes a slot: the refund.
    pub(crate) fn write<S: Storage, O: Observer>(
        &mut self,
        storage: &mut S,
        key: StorageKey,
        value: U256,
        observer: &mut O,
    ) -> Result<u32, Missing> {
        let (slot, mut access) = self.access(storage, key)?;
        access.new = Some(value);
        access.refund = if access.was_written || access.is_free {
            price::WARM_WRITE_REFUND
        } else if access.was_read {
            price::WRITE_AFTER_READ_REFUND
        } else {
            0
        };
        access.price = if access.is_free {
            0
        } else {
            storage.cost_of_writing_storage(&key, value)
        };
        access.pubdata = access.price as i32 - access.paid_before.unwrap_or(0) as i32;
        self.refunds.push(access.refund);
        self.pubdata += access.pubdata;
        let (_, known) = self.slots.at_mut(slot);
        let now = Written {
            value,
            paid: access.price,
        };
        let before = known.written.replace(now);
        known.was_written = true;
        self.frame_undo.push(FrameUndo::Storage { slot, before });
        if !access.was_written {
            self.remember(OperatorUndo::Written(slot));
        }
        self.finish(&access, observer);
        Ok(access.refund)
    }

    /// Reads a transient slot.
    pub(crate) fn transient_read<O: Observer>(&mut self, key: StorageKey, observer: &mut O) -> U256 {
        let value = self.transient_storage.get(&key).copied().unwrap_or_default();
        self.pubdata_costs.push(0);
        observer.transient_access(key, value, None);
        value
    }

    /// Writes a transient slot.
    pub(crate) fn transient_write<O: Observer>(&mut self, key: StorageKey, value: U256, observer: &mut O) {
        let old = self.transient_storage.insert(key, value);
        self.pubdata_costs.push(0);
        self.frame_undo.push(FrameUndo::Transient { key, value: old });
        observer.transient_access(key, old.unwrap_or_default(), Some(value));
    }

    /// Clears transient storage: the next transaction starts.
    pub(crate) fn clear_transient<O: Observer>(&mut self, observer: &mut O) {
        let old = std::mem::take(&mut self.transient_storage);
        observer.next_transaction(&sorted(&old));
        if !old.is_empty() {
            self.frame_undo.push(FrameUndo::TransientCleared(old));
        }
    }

    /// Marks code as asked for. The page where it lies when it was paid for before.
    pub(crate) fn prepare_decommit<O: Observer>(&mut self, hash: U256, observer: &mut O) -> Option<u32> {
        let before = self.decommitted_hashes.get(&hash).copied();
        if before.is_none() {
            self.decommitted_hashes.insert(hash, None);
            self.remember(OperatorUndo::Decommitted { hash, before });
            observer.decommit(&Decommit {
                hash,
                before,
                page: None,
            });
        }
        before.flatten()
    }

    /// Marks code as paid for and lying on a page.
    pub(crate) fn decommitted<O: Observer>(&mut self, hash: U256, page: u32, observer: &mut O) {
        let before = self.decommitted_hashes.insert(hash, Some(page));
        if before != Some(Some(page)) {
            self.remember(OperatorUndo::Decommitted { hash, before });
            observer.decommit(&Decommit {
                hash,
                before,
                page: Some(page),
            });
        }
    }

    /// Adds pubdata that a precompile call declares; it is not one of the costs of accesses.
    pub(crate) fn add_pubdata<O: Observer>(&mut self, bytes: i32, observer: &mut O) {
        if bytes != 0 {
            self.pubdata += bytes;
            observer.pubdata_added(bytes);
        }
    }

    /// An access that has happened as far as value and warmth go: a read, until more is said.
    #[inline(always)]
    fn access<S: Storage>(
        &mut self,
        storage: &mut S,
        key: StorageKey,
    ) -> Result<(SlotNumber, StorageAccess), Missing> {
        let (number, slot) = self.slots.access(storage, key)?;
        let was_read = std::mem::replace(&mut slot.was_read, true);
        let access = StorageAccess {
            key,
            old: slot.value(),
            new: None,
            by_far_call: false,
            was_read,
            was_written: slot.was_written,
            is_free: slot.is_free,
            is_initial: slot.is_write_initial,
            initial_value: slot.initial_value,
            refund: 0,
            price: 0,
            paid_before: slot.written.map(|written| written.paid),
            pubdata: 0,
        };
        if !was_read {
            self.remember(OperatorUndo::Read(number));
        }
        Ok((number, access))
    }

    #[inline(always)]
    fn finish<O: Observer>(&mut self, access: &StorageAccess, observer: &mut O) {
        self.pubdata_costs.push(access.pubdata);
        observer.storage_access(access);
    }
}

/// Slots in order: no order of a hash map may reach a recording.
pub(super) fn sorted(slots: &HashMap<StorageKey, U256>) -> Vec<(StorageKey, U256)> {
    let mut slots: Vec<_> = slots.iter().map(|(&key, &value)| (key, value)).collect();
    slots.sort_unstable();
    slots
}
