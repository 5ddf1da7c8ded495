//! Frames of the call stack.

use std::sync::Arc;

use primitive_types::H160;

use crate::decode::Instruction;
use crate::heap::HeapSlot;
use crate::kept::KeptPages;
use crate::program::Program;
use crate::stack::Stack;
use crate::value;

/// How a far frame was entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum CallKind {
    /// On the callee's storage, from the caller.
    Normal,
    /// On the caller's storage, with the callee's code.
    Delegate,
    /// On the callee's storage, from the address in r15.
    Mimic,
}

impl CallKind {
    /// Short name for lists and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Delegate => "delegate",
            Self::Mimic => "mimic",
        }
    }
}

/// A contract call: the far frame and, above it, the near frames of the same contract.
#[derive(Debug, Clone)]
pub struct Frame {
    /// How it was called.
    pub kind: CallKind,
    /// Address whose storage it works on.
    pub this: H160,
    /// Address that called it.
    pub caller: H160,
    /// Address that its code belongs to.
    pub code_address: H160,
    /// Its code.
    pub program: Arc<Program>,
    /// Page of the code: of this call, of the call that decommitted it first, or
    /// [`NO_PAGE`](crate::page_ids::NO_PAGE).
    pub code_page: u32,
    /// Where its page ids count from: see [`page_ids`](crate::page_ids).
    pub base_page: u32,
    /// Page that its calldata lies on.
    pub calldata_page: u32,
    /// Its heap.
    pub heap: HeapSlot,
    /// Its aux heap.
    pub aux_heap: HeapSlot,
    /// Its stack.
    pub stack: Stack,
    /// The 128-bit value that it was called with (message value, by convention).
    pub context: u128,
    /// Whether it may not change state.
    pub is_static: bool,
    /// Whether its storage address is in kernel space.
    pub is_kernel: bool,
    /// Whether it was called as a system contract, with ABI data in r3 to r12.
    pub is_system_call: bool,
    /// Whether it was called as a constructor.
    pub is_constructor_call: bool,
    /// Bytes of heap paid for.
    pub heap_bound: u32,
    /// Bytes of aux heap paid for.
    pub aux_heap_bound: u32,
    /// Pages that live until this frame ends, besides its own: returndata, and copies of code.
    pub kept_pages: KeptPages,
    /// How many of them, the first ones, it has kept since the last keyframe.
    pub kept_before: u32,
    /// Near frames that wait for the current one, outermost first; the far frame itself comes first.
    pub waiting: Vec<NearFrame>,
    /// How many of them, the first ones, have waited since the last keyframe.
    pub waited: u32,
    /// Program counter of the current near (or far) frame, in instructions.
    pub pc: u16,
    /// Stack pointer.
    pub sp: u16,
    /// Where the caller goes on when the current near (or far) frame fails.
    pub exception_handler: u16,
    /// Ergs of the current near (or far) frame.
    pub ergs: u32,
    /// Number of the step that entered the current near (or far) frame.
    pub entered_at: u64,
}

/// What a near call suspends: the part of a frame that each near frame has for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NearFrame {
    /// Where it goes on after a return that is no failure.
    pub pc: u16,
    /// Its stack pointer.
    pub sp: u16,
    /// Where its caller goes on when it fails.
    pub exception_handler: u16,
    /// Ergs that it kept.
    pub ergs: u32,
    /// Number of the step that entered it.
    pub entered_at: u64,
}

impl Frame {
    /// Whether the current frame is a near frame.
    #[inline]
    pub fn is_near(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The instruction restrictions that hold in this frame: bits of [`Instruction`].
    #[inline]
    pub(crate) fn forbidden(&self) -> u8 {
        u8::from(!self.is_kernel) * Instruction::KERNEL_ONLY
            + u8::from(self.is_static) * Instruction::CHANGES_STATE
    }

    /// The current near (or far) frame's own part.
    pub fn current(&self) -> NearFrame {
        NearFrame {
            pc: self.pc,
            sp: self.sp,
            exception_handler: self.exception_handler,
            ergs: self.ergs,
            entered_at: self.entered_at,
        }
    }

    /// Replaces the current near (or far) frame's own part.
    pub fn set_current(&mut self, frame: NearFrame) {
        let NearFrame {
            pc,
            sp,
            exception_handler,
            ergs,
            entered_at,
        } = frame;
        (self.pc, self.sp, self.exception_handler) = (pc, sp, exception_handler);
        (self.ergs, self.entered_at) = (ergs, entered_at);
    }

    /// Near and far frames in this frame.
    pub fn depth(&self) -> u32 {
        self.waiting.len() as u32 + 1
    }

    /// The step that entered the far frame, whichever near frame is current.
    pub fn far_entered_at(&self) -> u64 {
        self.waiting.first().map_or(self.entered_at, |far| far.entered_at)
    }

    /// Whether this is the kernel contract at `0x8012`, whose pages live forever since decommits point into them.
    pub(crate) fn is_code_oracle(&self) -> bool {
        self.is_kernel && value::low16(self.this) == 0x8012
    }
}

/// Frames are equal when a program cannot tell them apart; where their memories are kept does not matter.
impl PartialEq for Frame {
    fn eq(&self, other: &Self) -> bool {
        let plain = |f: &Self| {
            (
                (
                    f.kind,
                    f.this,
                    f.caller,
                    f.code_address,
                    f.program.hash(),
                    f.code_page,
                    f.base_page,
                    f.calldata_page,
                ),
                (
                    f.context,
                    f.is_static,
                    f.is_kernel,
                    f.is_system_call,
                    f.is_constructor_call,
                ),
                (f.heap_bound, f.aux_heap_bound, f.current()),
            )
        };
        plain(self) == plain(other)
            && self.kept_pages == other.kept_pages
            && self.waiting == other.waiting
            && self.stack == other.stack
    }
}
