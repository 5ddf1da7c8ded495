//! Internal snapshots of frames, the operator's snapshot, and what each restores.
//!
//! | Part | a failed frame | the operator |
//! |---|---|---|
//! | storage, paid amounts, transient storage, events, L2->L1 logs, pubdata | restored | restored |
//! | refunds, pubdata costs, read and written slots, decommitted hashes | kept | restored |

use hashbrown::HashMap;
use primitive_types::U256;

use crate::events::{L2ToL1Log, RawEvent};
use crate::observer::Observer;
use crate::state::VmState;
use crate::state::access::sorted;
use crate::state::slots::{SlotNumber, Written};
use crate::storage::StorageKey;

/// Something that a rollback takes back. Rollbacks report newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Restored {
    /// A slot and what was paid for it.
    Storage {
        /// The slot.
        key: StorageKey,
        /// Value that is undone.
        from: U256,
        /// Value restored; `None`: the batch had not written the slot.
        to: Option<U256>,
        /// Value before the batch.
        initial: U256,
        /// Whether the slot had no enumeration index before the batch.
        is_initial: bool,
        /// Pubdata paid for the value that is undone.
        paid_from: u32,
        /// Pubdata paid before.
        paid_to: Option<u32>,
    },
    /// A transient slot.
    Transient {
        /// The slot.
        key: StorageKey,
        /// Value that is undone.
        from: U256,
        /// Value restored; `None`: not written in the transaction.
        to: Option<U256>,
    },
    /// Transient storage that an operator rollback brings back to before its clearing.
    TransientCleared(Vec<(StorageKey, U256)>),
    /// Events that are dropped, oldest first.
    Events(Vec<RawEvent>),
    /// L2->L1 logs that are dropped, oldest first.
    L2ToL1Logs(Vec<L2ToL1Log>),
    /// The pubdata counter.
    Pubdata {
        /// Before the rollback.
        from: i32,
        /// After it.
        to: i32,
    },
    /// By the operator only: a slot is cold for reading again.
    ReadSlot(StorageKey),
    /// By the operator only: a slot is cold for writing again.
    WrittenSlot(StorageKey),
    /// By the operator only: a code hash is as it was.
    Decommitted {
        /// The hash.
        hash: U256,
        /// Page before the rollback.
        from: Option<u32>,
        /// What is restored; `None`: not asked for.
        to: Option<Option<u32>>,
    },
    /// By the operator only: refunds that are dropped.
    Refunds(Vec<u32>),
    /// By the operator only: pubdata costs that are dropped.
    PubdataCosts(Vec<i32>),
}

/// Lengths at a moment: the start of a frame, or of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateMark {
    pub(super) undo: usize,
    pub(super) events: usize,
    pub(super) logs: usize,
    pubdata: i32,
}

/// An operator's snapshot: lengths, the counter, and the marks of the frames that were open.
#[derive(Debug, Clone)]
pub struct StateSnapshot {
    mark: StateMark,
    frames: Vec<StateMark>,
    refunds: usize,
    pubdata_costs: usize,
}

#[derive(Debug, Clone)]
pub(crate) enum FrameUndo {
    Storage {
        slot: SlotNumber,
        before: Option<Written>,
    },
    Transient {
        key: StorageKey,
        value: Option<U256>,
    },
    TransientCleared(HashMap<StorageKey, U256>),
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum OperatorUndo {
    Read(SlotNumber),
    Written(SlotNumber),
    Decommitted { hash: U256, before: Option<Option<u32>> },
}

impl VmState {
    /// Starts a frame.
    #[inline(always)]
    pub(crate) fn enter_frame(&mut self) {
        self.frames.push(self.mark());
    }

    /// Ends the frame that started last, undoing its changes when it failed.
    #[inline(always)]
    pub(crate) fn leave_frame<O: Observer>(&mut self, undo: bool, observer: &mut O) {
        let mark = self.frames.pop();
        if let Some(mark) = mark.filter(|_| undo) {
            self.undo_to(mark, observer);
        }
    }

    /// Takes the operator's snapshot, in place of an earlier one.
    pub fn snapshot(&mut self) -> StateSnapshot {
        self.operator_undo = Some(Vec::new());
        StateSnapshot {
            mark: self.mark(),
            frames: self.frames.clone(),
            refunds: self.refunds.len(),
            pubdata_costs: self.pubdata_costs.len(),
        }
    }

    /// Forgets the operator's snapshot.
    pub fn drop_snapshot(&mut self) {
        self.operator_undo = None;
    }

    /// Restores everything as it was when the snapshot was taken.
    ///
    /// # Panics
    /// When there is no snapshot to restore.
    pub fn roll_back<O: Observer>(&mut self, snapshot: StateSnapshot, observer: &mut O) {
        let undo = self.operator_undo.take().expect("a rollback follows a snapshot");
        self.undo_to(snapshot.mark, observer);
        self.frames = snapshot.frames;
        for undo in undo.into_iter().rev() {
            match undo {
                OperatorUndo::Read(slot) => {
                    let (key, slot) = self.slots.at_mut(slot);
                    slot.was_read = false;
                    observer.restored(&Restored::ReadSlot(key));
                }
                OperatorUndo::Written(slot) => {
                    let (key, slot) = self.slots.at_mut(slot);
                    slot.was_written = false;
                    observer.restored(&Restored::WrittenSlot(key));
                }
                OperatorUndo::Decommitted { hash, before } => {
                    let from = self.decommitted_hashes.remove(&hash).flatten();
                    if let Some(before) = before {
                        self.decommitted_hashes.insert(hash, before);
                    }
                    observer.restored(&Restored::Decommitted {
                        hash,
                        from,
                        to: before,
                    });
                }
            }
        }
        observer.restored(&Restored::Refunds(self.refunds.split_off(snapshot.refunds)));
        observer.restored(&Restored::PubdataCosts(
            self.pubdata_costs.split_off(snapshot.pubdata_costs),
        ));
    }

    /// Keeps what only the operator can take back, while there is a snapshot.
    pub(crate) fn remember(&mut self, undo: OperatorUndo) {
        if let Some(log) = &mut self.operator_undo {
            log.push(undo);
        }
    }

    /// The lengths now.
    pub fn mark(&self) -> StateMark {
        StateMark {
            undo: self.frame_undo.len(),
            events: self.events.len(),
            logs: self.l2_to_l1_logs.len(),
            pubdata: self.pubdata,
        }
    }

    #[inline(never)]
    fn undo_to<O: Observer>(&mut self, mark: StateMark, observer: &mut O) {
        while self.frame_undo.len() > mark.undo {
            match self.frame_undo.pop().expect("the log is longer than the mark") {
                FrameUndo::Storage { slot, before } => self.restore_slot(slot, before, observer),
                FrameUndo::Transient { key, value } => {
                    let undone = match value {
                        Some(value) => self.transient_storage.insert(key, value),
                        None => self.transient_storage.remove(&key),
                    };
                    observer.restored(&Restored::Transient {
                        key,
                        from: undone.expect("the slot was written"),
                        to: value,
                    });
                }
                FrameUndo::TransientCleared(old) => {
                    observer.restored(&Restored::TransientCleared(sorted(&old)));
                    self.transient_storage = old;
                }
            }
        }
        if self.events.len() > mark.events {
            observer.restored(&Restored::Events(self.events.split_off(mark.events)));
        }
        if self.l2_to_l1_logs.len() > mark.logs {
            observer.restored(&Restored::L2ToL1Logs(self.l2_to_l1_logs.split_off(mark.logs)));
        }
        if self.pubdata != mark.pubdata {
            observer.restored(&Restored::Pubdata {
                from: self.pubdata,
                to: mark.pubdata,
            });
            self.pubdata = mark.pubdata;
        }
    }

    fn restore_slot<O: Observer>(&mut self, slot: SlotNumber, before: Option<Written>, observer: &mut O) {
        let (key, slot) = self.slots.at_mut(slot);
        let undone = std::mem::replace(&mut slot.written, before).expect("the slot was written");
        observer.restored(&Restored::Storage {
            key,
            from: undone.value,
            to: before.map(|written| written.value),
            initial: slot.initial_value,
            is_initial: slot.is_write_initial,
            paid_from: undone.paid,
            paid_to: before.map(|written| written.paid),
        });
    }
}
