//! Rows about far calls and about frames that failed.

use eradbg_vm::outcome::{PanicCause, RetKind};
use eradbg_vm::{CallKind, H160};

use crate::ledger::{LedgerKind, Row};
use crate::store::codec::{Decoder, Encoder, Malformed};

/// A far frame that was entered or left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallRow {
    /// A far call entered its callee.
    Entered {
        /// How it was called.
        kind: CallKind,
        /// Address whose storage it works on.
        this: H160,
        /// Address that its code belongs to.
        code_address: H160,
        /// Ergs that it got.
        ergs: u32,
        /// Near and far frames with it.
        depth: u32,
    },
    /// A far frame ended.
    Left {
        /// The step that entered it.
        entered_at: u64,
        /// How it ended.
        kind: RetKind,
        /// Ergs that it gave back.
        ergs: u32,
        /// Near and far frames with it.
        depth: u32,
    },
}

/// A near or far frame that reverted or panicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureRow {
    /// The step that left the frame.
    pub step: u64,
    /// The step that entered it.
    pub entered_at: u64,
    /// Whether it was a near frame.
    pub is_near: bool,
    /// Revert or panic.
    pub kind: RetKind,
    /// Why it panicked.
    pub cause: Option<PanicCause>,
    /// Address whose storage it worked on.
    pub address: H160,
}

impl Row for CallRow {
    const KIND: LedgerKind = LedgerKind::Call;

    fn encode(&self, e: &mut Encoder) {
        match *self {
            Self::Entered {
                kind,
                this,
                code_address,
                ergs,
                depth,
            } => {
                e.u8(kind as u8);
                e.address(this);
                e.address(code_address);
                e.number(ergs);
                e.number(depth);
            }
            Self::Left {
                entered_at,
                kind,
                ergs,
                depth,
            } => {
                e.u8(3 + kind as u8);
                e.number(entered_at);
                e.number(ergs);
                e.number(depth);
            }
        }
    }

    fn decode(d: &mut Decoder<'_>) -> Result<Self, Malformed> {
        let tag = d.u8()?;
        Ok(if let Ok(kind) = call_kind(tag) {
            let (this, code_address) = (d.address()?, d.address()?);
            Self::Entered {
                kind,
                this,
                code_address,
                ergs: d.number()?,
                depth: d.number()?,
            }
        } else {
            let kind = ret_kind(tag - 3)?;
            Self::Left {
                entered_at: d.number()?,
                kind,
                ergs: d.number()?,
                depth: d.number()?,
            }
        })
    }
}

impl Row for FailureRow {
    const KIND: LedgerKind = LedgerKind::Failure;

    fn encode(&self, e: &mut Encoder) {
        e.number(self.step);
        e.number(self.entered_at);
        e.u8(u8::from(self.is_near));
        e.u8(self.kind as u8);
        e.option(self.cause, |e, cause| e.u8(cause as u8));
        e.address(self.address);
    }

    fn decode(d: &mut Decoder<'_>) -> Result<Self, Malformed> {
        let (step, entered_at) = (d.number()?, d.number()?);
        let [is_near] = d.bits()?;
        Ok(Self {
            step,
            entered_at,
            is_near,
            kind: ret_kind(d.u8()?)?,
            cause: d.option(panic_cause)?,
            address: d.address()?,
        })
    }
}

/// Reads a cause by its number.
pub(crate) fn panic_cause(d: &mut Decoder<'_>) -> Result<PanicCause, Malformed> {
    PanicCause::ALL.get(d.u8()? as usize).copied().ok_or(Malformed)
}

/// The kind of call with a number.
pub(crate) fn call_kind(number: u8) -> Result<CallKind, Malformed> {
    [CallKind::Normal, CallKind::Delegate, CallKind::Mimic]
        .get(number as usize)
        .copied()
        .ok_or(Malformed)
}

fn ret_kind(number: u8) -> Result<RetKind, Malformed> {
    [RetKind::Ok, RetKind::Revert, RetKind::Panic]
        .get(number as usize)
        .copied()
        .ok_or(Malformed)
}
