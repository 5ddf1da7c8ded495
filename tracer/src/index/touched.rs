//! What the rows of a chunk are about.

use eradbg_vm::state::Restored;
use eradbg_vm::storage::StorageKey;
use rustc_hash::FxHashMap;
use xxhash_rust::xxh3::Xxh3;

use crate::ledger::{CallRow, OperatorRow, Rows, StateRow};

/// What the rows of a chunk are about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Touched {
    /// Topics that some row has.
    pub topics: Topics,
    /// Slots that were touched, by [`slot_id`], ascending.
    pub slots: Vec<(u64, SlotTouch)>,
}

/// What a row can be about. The number is part of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Topic {
    /// A storage slot was read.
    StorageRead = 0,
    /// A storage slot was written.
    StorageWrite = 1,
    /// A transient slot was read.
    TransientRead = 2,
    /// A transient slot was written or cleared.
    TransientWrite = 3,
    /// A slot got a value back.
    SlotRestored = 4,
    /// Something else was taken back.
    OtherRestored = 5,
    /// A storage access was refunded ergs.
    Refund = 6,
    /// Pubdata was added.
    PubdataAdded = 7,
    /// Pubdata was taken away.
    PubdataFreed = 8,
    /// Code was asked for.
    Decommit = 9,
    /// A piece of an event.
    Event = 10,
    /// An L2->L1 log.
    Log = 11,
    /// A far call.
    Call = 12,
    /// A far frame ended.
    Return = 13,
    /// A frame failed.
    Failure = 14,
    /// A hook was called.
    Hook = 15,
    /// The operator wrote a word.
    OperatorWrite = 16,
    /// The operator took, dropped or restored a snapshot.
    Snapshot = 17,
    /// A transaction started or was done.
    Transaction = 18,
}

/// A set of topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Topics(u32);

/// What was done to a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SlotTouch {
    /// It was read.
    pub read: bool,
    /// It was written.
    pub written: bool,
    /// It got a value back.
    pub restored: bool,
}

/// A short name of a slot. Two slots may share it: rows tell.
pub fn slot_id(is_transient: bool, key: StorageKey) -> u64 {
    let mut word = [0; 32];
    key.key.to_big_endian(&mut word);
    let mut hasher = Xxh3::new();
    hasher.update(&[u8::from(is_transient)]);
    hasher.update(key.address.as_bytes());
    hasher.update(&word);
    hasher.digest()
}

impl Topics {
    /// Whether a topic is in it.
    pub const fn has(self, topic: Topic) -> bool {
        self.0 >> topic as u8 & 1 != 0
    }

    /// Whether the two sets have a topic in common.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Its bits.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The set with these bits.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    fn add(&mut self, topic: Topic) {
        self.0 |= 1 << topic as u8;
    }
}

impl FromIterator<Topic> for Topics {
    fn from_iter<I: IntoIterator<Item = Topic>>(topics: I) -> Self {
        let mut set = Self::default();
        topics.into_iter().for_each(|topic| set.add(topic));
        set
    }
}

impl Touched {
    /// What these rows are about.
    pub fn by(rows: &Rows) -> Self {
        let mut gathering = Gathering::default();
        rows.state.iter().for_each(|row| gathering.state(&row.row));
        for row in &rows.calls {
            gathering.topics.add(match row.row {
                CallRow::Entered { .. } => Topic::Call,
                CallRow::Left { .. } => Topic::Return,
            });
        }
        if !rows.failures.is_empty() {
            gathering.topics.add(Topic::Failure);
        }
        for row in &rows.operator {
            gathering.topics.add(match row.row {
                OperatorRow::Hook { .. } => Topic::Hook,
                OperatorRow::Write { .. } => Topic::OperatorWrite,
                OperatorRow::Snapshot | OperatorRow::SnapshotDropped | OperatorRow::RolledBack => {
                    Topic::Snapshot
                }
                OperatorRow::TransactionStarted { .. } | OperatorRow::TransactionDone { .. } => {
                    Topic::Transaction
                }
            });
        }
        let mut slots: Vec<_> = gathering.slots.into_iter().collect();
        slots.sort_unstable_by_key(|&(id, _)| id);
        Self {
            topics: gathering.topics,
            slots,
        }
    }

    /// What was done to a slot.
    pub fn slot(&self, id: u64) -> SlotTouch {
        let found = self.slots.binary_search_by_key(&id, |&(slot, _)| slot);
        found.map(|at| self.slots[at].1).unwrap_or_default()
    }
}

#[derive(Default)]
struct Gathering {
    topics: Topics,
    slots: FxHashMap<u64, SlotTouch>,
}

impl Gathering {
    fn state(&mut self, row: &StateRow) {
        let topics = &mut self.topics;
        match row {
            StateRow::Storage(access) => {
                let is_write = access.new.is_some();
                topics.add(if is_write {
                    Topic::StorageWrite
                } else {
                    Topic::StorageRead
                });
                if access.refund > 0 {
                    topics.add(Topic::Refund);
                }
                self.pubdata(access.pubdata);
                self.access(slot_id(false, access.key), is_write);
            }
            StateRow::Transient { key, new, .. } => {
                topics.add(if new.is_some() {
                    Topic::TransientWrite
                } else {
                    Topic::TransientRead
                });
                self.access(slot_id(true, *key), new.is_some());
            }
            StateRow::Decommit(_) => topics.add(Topic::Decommit),
            StateRow::Pubdata(bytes) => self.pubdata(*bytes),
            StateRow::Event(_) => topics.add(Topic::Event),
            StateRow::Log(_) => topics.add(Topic::Log),
            StateRow::NextTransaction(cleared) => {
                for &(key, _) in cleared {
                    self.topics.add(Topic::TransientWrite);
                    self.access(slot_id(true, key), true);
                }
            }
            StateRow::Restored(restored) => self.restored(restored),
        }
    }

    fn pubdata(&mut self, bytes: i32) {
        match bytes {
            1.. => self.topics.add(Topic::PubdataAdded),
            0 => {}
            _ => self.topics.add(Topic::PubdataFreed),
        }
    }

    fn access(&mut self, slot: u64, is_write: bool) {
        let touch = self.slots.entry(slot).or_default();
        touch.read |= !is_write;
        touch.written |= is_write;
    }

    fn restored(&mut self, restored: &Restored) {
        match restored {
            Restored::Storage { key, .. } => self.restored_slot(slot_id(false, *key)),
            Restored::Transient { key, .. } => self.restored_slot(slot_id(true, *key)),
            Restored::TransientCleared(slots) => {
                for &(key, _) in slots {
                    self.restored_slot(slot_id(true, key));
                }
            }
            _ => self.topics.add(Topic::OtherRestored),
        }
    }

    fn restored_slot(&mut self, slot: u64) {
        self.topics.add(Topic::SlotRestored);
        self.slots.entry(slot).or_default().restored = true;
    }
}
