//! Rows about the operator: hooks, writes, snapshots, transactions. Their time is a position between steps.

use eradbg_vm::U256;

use crate::ledger::{LedgerKind, Row};
use crate::store::codec::{Decoder, Encoder, Malformed};

/// Something that the operator saw or did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperatorRow {
    /// The bootloader called a hook.
    Hook {
        /// Its number.
        id: u32,
        /// Its parameters.
        parameters: [U256; 3],
    },
    /// A word of the bootloader's heap was written.
    Write {
        /// The slot.
        slot: u32,
        /// Word before.
        old: U256,
        /// Word after.
        new: U256,
    },
    /// A snapshot was taken.
    Snapshot,
    /// The snapshot was forgotten.
    SnapshotDropped,
    /// The snapshot was restored.
    RolledBack,
    /// A transaction is about to be pushed.
    TransactionStarted {
        /// Number in the batch, rejected ones included.
        index: u32,
        /// Number of its L2 block.
        l2_block: u32,
    },
    /// The transaction is done.
    TransactionDone {
        /// Its number.
        index: u32,
    },
}

impl Row for OperatorRow {
    const KIND: LedgerKind = LedgerKind::Operator;

    fn encode(&self, e: &mut Encoder) {
        match *self {
            Self::Hook { id, parameters } => {
                e.u8(0);
                e.number(id);
                for word in parameters {
                    e.word(word);
                }
            }
            Self::Write { slot, old, new } => {
                e.u8(1);
                e.number(slot);
                e.word(old);
                e.word(new);
            }
            Self::Snapshot => e.u8(2),
            Self::SnapshotDropped => e.u8(3),
            Self::RolledBack => e.u8(4),
            Self::TransactionStarted { index, l2_block } => {
                e.u8(5);
                e.number(index);
                e.number(l2_block);
            }
            Self::TransactionDone { index } => {
                e.u8(6);
                e.number(index);
            }
        }
    }

    fn decode(d: &mut Decoder<'_>) -> Result<Self, Malformed> {
        Ok(match d.u8()? {
            0 => Self::Hook {
                id: d.number()?,
                parameters: [d.word()?, d.word()?, d.word()?],
            },
            1 => Self::Write {
                slot: d.number()?,
                old: d.word()?,
                new: d.word()?,
            },
            2 => Self::Snapshot,
            3 => Self::SnapshotDropped,
            4 => Self::RolledBack,
            5 => Self::TransactionStarted {
                index: d.number()?,
                l2_block: d.number()?,
            },
            6 => Self::TransactionDone { index: d.number()? },
            _ => return Err(Malformed),
        })
    }
}
