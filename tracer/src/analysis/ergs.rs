//! Where ergs went: an account for each near and far frame, whose sums are those of the machine.

mod meter;

use eradbg_vm::H160;
use serde::Serialize;

use crate::analysis::ergs::meter::Meter;
use crate::analysis::stretches::{Stretch, watch_all, watch_part};
use crate::error::Result;
use crate::recording::{Part, Recording};

/// What a frame did with its ergs.
///
/// Of a frame that was entered and left: `got = itself + below + returned`, and `itself = opcodes + growth + decommits +
/// precompiles + burnt - refunds`. A frame that is there before a stretch or after it has an account for each stretch.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct FrameErgs {
    /// The step that entered it.
    pub step: u64,
    /// The step that left it; `None` where the stretch ends first.
    pub left_at: Option<u64>,
    /// The transaction that the stretch belongs to, counted from 0.
    pub tx: Option<u32>,
    /// Near and far frames around it.
    pub depth: u32,
    /// The step that entered the frame around it.
    pub within: Option<u64>,
    /// `normal`, `delegate`, `mimic` or `near`.
    pub kind: &'static str,
    /// Address whose storage it works on.
    pub this: H160,
    /// Address that its code belongs to.
    pub code: H160,
    /// Ergs that the caller asked to pass on; 0 means all for a near call. `None` for a frame from before the stretch, as
    /// in the next two.
    pub asked: Option<u32>,
    /// The most that the caller may pass on once the rest of the call is paid: 63 of 64 parts for a far call.
    pub allowed: Option<u32>,
    /// Ergs passed on: as asked, at most as allowed.
    pub passed: Option<u32>,
    /// Ergs on top of these, which a call of `MsgValueSimulator` takes along.
    pub extra: u32,
    /// Ergs that it had at first: those passed on and the extra ones; of a frame from before the stretch, what it has then.
    pub got: u32,
    /// Static prices of its instructions.
    pub opcodes: u64,
    /// Growth of its memories, of calldata and returndata too.
    pub growth: u64,
    /// Code that it loaded, as data or for a call.
    pub decommits: u64,
    /// Ergs that its precompile calls asked for.
    pub precompiles: u64,
    /// What was given back of the price of its storage accesses.
    pub refunds: u64,
    /// Ergs that were taken without anything in return: all that were left, when they did not suffice.
    pub burnt: u64,
    /// Ergs that it used itself.
    pub itself: u64,
    /// Ergs used by the frames that it called, and by those that they called.
    pub below: u64,
    /// Ergs that went back to the caller; `None` where the stretch ends first.
    pub returned: Option<u32>,
    /// `ok`, `revert`, `panic`; nothing where the stretch ends first.
    pub end: &'static str,
    /// Why it panicked: the short name of the cause.
    pub cause: &'static str,
    /// Position at which the operator rolls it back.
    pub rolled_back_at: Option<u64>,
    /// The frame around it, by its place in the stretch.
    #[serde(skip)]
    pub parent: Option<usize>,
}

/// Hands on the accounts of all frames, stretch by stretch, within a stretch in the order in which they were entered.
///
/// # Errors
/// When the recording is damaged, and what `each` says.
pub fn ergs<E: From<crate::Error>>(
    recording: &Recording,
    each: &mut dyn FnMut(FrameErgs) -> Result<(), E>,
) -> Result<(), E> {
    watch_all::<Meter, E>(recording, each)
}

/// Accounts of a transaction's stretches, each with those of its frames. The recording's overview is loaded.
///
/// # Errors
/// When there is no such part, or the recording is damaged.
pub fn of_part(recording: &Recording, part: Part) -> Result<Vec<(Stretch, Vec<FrameErgs>)>> {
    watch_part::<Meter>(recording, part)
}
