//! The storage slots that a batch has accessed: all that is known of one in one place, which undo logs name by number.

use hashbrown::DefaultHashBuilder;
use indexmap::IndexMap;
use primitive_types::U256;

use crate::storage::{Missing, Storage, StorageKey};

/// Number of a slot, in the order in which the batch first accessed them.
pub(super) type SlotNumber = usize;

/// The accessed slots, in the order of their first access. None is ever removed: a rollback makes it a slot that nobody
/// has read.
#[derive(Debug, Clone, Default)]
pub(super) struct Slots(IndexMap<StorageKey, Slot, DefaultHashBuilder>);

/// What is known of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    /// Value before the batch.
    pub(super) initial_value: U256,
    /// Whether it had no enumeration index before the batch.
    pub(super) is_write_initial: bool,
    /// Whether it costs neither cold ergs nor pubdata.
    pub(super) is_free: bool,
    /// What the batch has written, when no failed frame took that back.
    pub(super) written: Option<Written>,
    /// Read or written, by undone frames too.
    pub(super) was_read: bool,
    /// Written, by undone frames too.
    pub(super) was_written: bool,
}

/// A value that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) value: U256,
    /// Pubdata bytes paid for it.
    pub(super) paid: u32,
}

impl Slots {
    /// The slot of a key and its number. At the first access the storage is asked for it.
    pub(super) fn access<S: Storage>(
        &mut self,
        storage: &mut S,
        key: StorageKey,
    ) -> Result<(SlotNumber, &mut Slot), Missing> {
        let number = match self.0.get_index_of(&key) {
            Some(number) => number,
            None => self.add(storage, key)?,
        };
        Ok((number, &mut self.0[number]))
    }

    #[cold]
    fn add<S: Storage>(&mut self, storage: &mut S, key: StorageKey) -> Result<SlotNumber, Missing> {
        let slot = Slot {
            initial_value: storage.storage_read(&key)?.unwrap_or_default(),
            is_write_initial: storage.is_write_initial(&key),
            is_free: storage.is_free_storage_slot(&key),
            written: None,
            was_read: false,
            was_written: false,
        };
        Ok(self.0.insert_full(key, slot).0)
    }

    /// The slot of a key, when it was accessed.
    pub(super) fn get(&self, key: &StorageKey) -> Option<&Slot> {
        self.0.get(key)
    }

    /// The slot of a number.
    pub(super) fn at(&self, number: SlotNumber) -> (StorageKey, &Slot) {
        let (&key, slot) = self.0.get_index(number).expect("numbers are those of slots");
        (key, slot)
    }

    /// The slot of a number, to change it.
    pub(super) fn at_mut(&mut self, number: SlotNumber) -> (StorageKey, &mut Slot) {
        let (&key, slot) = self.0.get_index_mut(number).expect("numbers are those of slots");
        (key, slot)
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (StorageKey, &Slot)> {
        self.0.iter().map(|(&key, slot)| (key, slot))
    }
}

impl Slot {
    /// Its value now.
    pub(super) fn value(&self) -> U256 {
        self.written.map_or(self.initial_value, |written| written.value)
    }
}
