//! What a chain holds between two batches: slots, code, and where it stands.

use std::collections::BTreeMap;

use eradbg_vm::U256;
use eradbg_vm::batch::{Absent, Snapshot};
use eradbg_vm::protocol::ProtocolVersion;
use eradbg_vm::pubdata::state_diff::derived_key;
use eradbg_vm::storage::StorageKey;
use primitive_types::H256;

/// What a batch starts from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// Where the chain stands; `None` before its first batch.
    pub head: Option<Head>,
    /// All slots that were ever written. One that is absent is zero.
    pub slots: BTreeMap<StorageKey, Slot>,
    /// Bytecodes by versioned hash, padded to whole words.
    pub code: BTreeMap<U256, Vec<u8>>,
}

/// A slot that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Its value; may be zero.
    pub value: U256,
    /// Its enumeration index, from 1 on; 0 when it has a value but no index, so that a write is initial.
    pub index: u64,
}

/// Where a chain stands after a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The chain's id.
    pub chain_id: u64,
    /// Protocol version of its batches.
    pub version: ProtocolVersion,
    /// The last batch. Its hash is what the next batch is told as the previous one's.
    pub batch: Tip,
    /// The last L2 block: the empty one that ended the batch.
    pub l2_block: Tip,
    /// Enumeration index of the next slot that is written for the first time.
    pub next_index: u64,
}

/// The last batch or L2 block of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tip {
    /// Its number.
    pub number: u32,
    /// Its time, in seconds since 1970.
    pub timestamp: u64,
    /// Its hash.
    pub hash: H256,
}

impl Contents {
    /// The value of a slot; one that was never written is zero.
    pub fn value(&self, key: StorageKey) -> U256 {
        self.slots.get(&key).map_or(U256::zero(), |slot| slot.value)
    }

    /// Enumeration index of the next slot that is written for the first time: they are given without gaps from 1 on.
    pub fn next_index(&self) -> u64 {
        self.slots.values().map(|slot| slot.index).max().unwrap_or(0) + 1
    }

    /// Sets slots up outside of any batch, as a genesis does. New ones get their enumeration indices in order of address
    /// and key, also those that are zero; a slot that exists keeps its own.
    pub fn set_up(&mut self, slots: &BTreeMap<StorageKey, U256>) {
        let mut next = self.next_index();
        for (&key, &value) in slots {
            if let Some(slot) = self.slots.get_mut(&key) {
                slot.value = value;
            } else {
                self.slots.insert(key, Slot { value, index: next });
                next += 1;
            }
        }
    }

    /// Slots and code in the form that a batch starts from. Slots that were never written are not in it.
    pub fn snapshot(&self) -> Snapshot {
        let slots = self
            .slots
            .iter()
            .map(|(key, slot)| (derived_key(key.address, key.key), Some((slot.value, slot.index))));
        Snapshot {
            absent: Absent::Unwritten,
            slots: slots.collect(),
            factory_deps: self
                .code
                .iter()
                .map(|(&hash, code)| (hash, code.clone()))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eradbg_vm::storage::system_address;

    #[test]
    fn set_up_slots_are_numbered_by_address_and_key_after_those_there() {
        let key = |address: u16, key: u64| StorageKey {
            address: system_address(address),
            key: key.into(),
        };
        let mut contents = Contents::default();
        contents.set_up(&[(key(2, 0), 7.into()), (key(1, 9), 8.into())].into());
        assert_eq!(contents.slots[&key(1, 9)].index, 1);
        assert_eq!(contents.slots[&key(2, 0)].index, 2);
        contents.set_up(
            &[
                (key(0, 0), 1.into()),
                (key(0, 1), 0.into()),
                (key(2, 0), 0.into()),
            ]
            .into(),
        );
        let slot = |value: u64, index| Slot {
            value: value.into(),
            index,
        };
        assert_eq!(
            contents.slots,
            [
                (key(0, 0), slot(1, 3)),
                (key(0, 1), slot(0, 4)),
                (key(1, 9), slot(8, 1)),
                (key(2, 0), slot(0, 2))
            ]
            .into()
        );
        assert_eq!(contents.next_index(), 5);
    }

    #[test]
    fn a_snapshot_has_each_slot_under_its_hashed_key() {
        let mut contents = Contents::default();
        let key = StorageKey {
            address: system_address(1),
            key: 5.into(),
        };
        contents.set_up(&[(key, 7.into())].into());
        contents.code.insert(3.into(), vec![1; 32]);
        let snapshot = contents.snapshot();
        assert_eq!(
            snapshot.slots,
            [(derived_key(key.address, key.key), Some((7.into(), 1)))].into()
        );
        assert_eq!(snapshot.factory_deps, [(3.into(), vec![1; 32])].into());
    }
}
