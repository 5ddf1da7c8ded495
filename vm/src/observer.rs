//! What the machine and the operator tell whoever watches.

use std::ops::ControlFlow;
use std::sync::Arc;

use primitive_types::U256;

use crate::decode::Instruction;
use crate::events::{L2ToL1Log, RawEvent};
use crate::execution::{DirtyPage, Execution, Lives};
use crate::heap::Heap;
use crate::host::Answer;
use crate::outcome::{PanicCause, RetKind};
use crate::program::Program;
use crate::state::{Decommit, Restored, StorageAccess};
use crate::storage::StorageKey;
use crate::value::Value;

/// The step that is about to execute, after the checks that can turn it into something else.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// What executes: the instruction at the program counter, a no-op when its predicate does not hold, or the panic
    /// that it turned into.
    pub instruction: &'a Instruction,
    /// Where it stands; `None` for the panic of the instruction before, which has no place of its own.
    pub pc: Option<u16>,
    /// Whether the predicate did not hold.
    pub skipped: bool,
    /// Why it was turned into a panic, or why it panics.
    pub panic: Option<PanicCause>,
}

/// A frame that ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameEnd {
    /// What the caller sees: a return that breaks a rule becomes a panic.
    pub kind: RetKind,
    /// Why it panicked.
    pub cause: Option<PanicCause>,
    /// Whether it was a near frame.
    pub is_near: bool,
    /// Ergs that go back to the caller.
    pub ergs_returned: u32,
}

/// What the machine asks of the chain's state, as a replay tells it: there is no state then that would tell what it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// A storage slot is read.
    StorageRead(StorageKey),
    /// A storage slot is written.
    StorageWrite(StorageKey, U256),
    /// A transient slot is read.
    TransientRead(StorageKey),
    /// A transient slot is written.
    TransientWrite(StorageKey, U256),
    /// A far call looks up the code hash of an address.
    CodeHash(U256),
    /// Code is asked for.
    PrepareDecommit(U256),
    /// Code is loaded to a page.
    Decommit(U256, u32),
    /// A precompile call declares pubdata.
    Pubdata(i32),
    /// A piece of an event is emitted.
    Event(RawEvent),
    /// An L2->L1 log is emitted.
    L2ToL1Log(L2ToL1Log),
    /// The next transaction starts.
    NextTransaction,
}

/// Sees each mutation as it happens. It gets shared references only, so it cannot change the run.
///
/// Every method has an empty body, so that `()` compiles to nothing.
pub trait Observer {
    /// Whether it is told what happens to registers, stack and memory. Where it is not, the machine need not look old
    /// values up.
    const WATCHES: bool = true;

    /// Whether the machine has a function for each shape of an instruction's operands, rather than one for each opcode.
    /// That is quicker, and five times as much code, for each observer anew.
    const SPECIALIZES: bool = !Self::WATCHES;

    /// Steps after which the machine shall pause; 0: before the next one.
    #[inline]
    fn pause_after(&self) -> u64 {
        u64::MAX
    }

    /// The machine pauses between two steps. Breaking stops the run.
    #[inline]
    fn pause(&mut self, marks: Marks<'_>) -> ControlFlow<()> {
        let _ = marks;
        ControlFlow::Continue(())
    }

    /// The machine goes on at the program counter of the far frame that runs; [`Self::ran`] tells how far.
    #[inline]
    fn code_runs(&mut self, execution: &Execution) {
        let _ = execution;
    }

    /// The instructions were executed up to a program counter, which is not among them, and the machine goes on at another
    /// one. It is told when the machine jumps, leaves the code, or has executed many; instructions that were skipped or
    /// turned into panics are among them.
    #[inline]
    fn ran(&mut self, end: u16, next: u16) {
        let _ = (end, next);
    }

    /// A step is about to execute: its static price is paid, nothing else has changed.
    #[inline]
    fn before_step(&mut self, execution: &Execution, step: Step<'_>) {
        let _ = (execution, step);
    }

    /// A step has executed.
    #[inline]
    fn after_step(&mut self, execution: &Execution) {
        let _ = execution;
    }

    /// A register other than r0 was written.
    #[inline]
    fn register(&mut self, index: u8, old: Value, new: Value) {
        let _ = (index, old, new);
    }

    /// A stack slot of the current far frame was written.
    #[inline]
    fn stack(&mut self, slot: u16, old: Value, new: Value) {
        let _ = (slot, old, new);
    }

    /// 32 bytes of a memory were written, at a byte offset that need not be aligned.
    #[inline]
    fn memory(&mut self, page: u32, offset: u32, old: U256, new: U256) {
        let _ = (page, offset, old, new);
    }

    /// A memory came to life with content: code seen as memory, or one that a rollback brings back.
    #[inline]
    fn memory_added(&mut self, page: u32, heap: &Heap) {
        let _ = (page, heap);
    }

    /// A memory died.
    #[inline]
    fn memory_removed(&mut self, page: u32, heap: &Heap) {
        let _ = (page, heap);
    }

    /// A frame is about to be entered: its caller has paid, and it is not yet on the call stack.
    #[inline]
    fn frame_entering(&mut self, execution: &Execution, is_near: bool) {
        let _ = (execution, is_near);
    }

    /// A near or far frame was entered and is current now.
    #[inline]
    fn frame_entered(&mut self, execution: &Execution, is_near: bool) {
        let _ = (execution, is_near);
    }

    /// The current frame ends; it is still on the call stack.
    #[inline]
    fn frame_leaving(&mut self, execution: &Execution, end: FrameEnd) {
        let _ = (execution, end);
    }

    /// The machine got an answer from outside.
    #[inline]
    fn answered(&mut self, answer: &Answer) {
        let _ = answer;
    }

    /// A replay is asked something about the chain's state.
    #[inline]
    fn asked(&mut self, question: Question) {
        let _ = question;
    }

    /// A storage slot was read or written.
    #[inline]
    fn storage_access(&mut self, access: &StorageAccess) {
        let _ = access;
    }

    /// A transient slot was read (`new` is `None`) or written.
    #[inline]
    fn transient_access(&mut self, key: StorageKey, old: U256, new: Option<U256>) {
        let _ = (key, old, new);
    }

    /// Code was asked for, and loaded when `Decommit::page` says where.
    #[inline]
    fn decommit(&mut self, decommit: &Decommit) {
        let _ = decommit;
    }

    /// Code was loaded, to run or to be read.
    #[inline]
    fn code_loaded(&mut self, program: &Arc<Program>) {
        let _ = program;
    }

    /// A precompile call declared pubdata.
    #[inline]
    fn pubdata_added(&mut self, bytes: i32) {
        let _ = bytes;
    }

    /// An event piece was emitted.
    #[inline]
    fn event(&mut self, event: &RawEvent) {
        let _ = event;
    }

    /// An L2->L1 log was emitted.
    #[inline]
    fn l2_to_l1_log(&mut self, log: &L2ToL1Log) {
        let _ = log;
    }

    /// Something that a failed frame or an operator rollback takes back, newest first.
    #[inline]
    fn restored(&mut self, restored: &Restored) {
        let _ = restored;
    }

    /// The next transaction starts inside the machine: transient storage loses these slots.
    #[inline]
    fn next_transaction(&mut self, cleared: &[(StorageKey, U256)]) {
        let _ = cleared;
    }

    /// The bootloader wrote a hook number, with these parameters in the slots before it.
    #[inline]
    fn hook(&mut self, id: u32, parameters: [U256; 3]) {
        let _ = (id, parameters);
    }

    /// The operator wrote a word of the bootloader's heap, between two steps.
    #[inline]
    fn operator_write(&mut self, slot: u32, old: U256, new: U256) {
        let _ = (slot, old, new);
    }

    /// The operator took a snapshot.
    #[inline]
    fn snapshot(&mut self, execution: &Execution) {
        let _ = execution;
    }

    /// The operator forgot its snapshot.
    #[inline]
    fn snapshot_dropped(&mut self) {}

    /// The operator is about to restore its snapshot.
    #[inline]
    fn rolling_back(&mut self, execution: &Execution) {
        let _ = execution;
    }

    /// The operator restored its snapshot.
    #[inline]
    fn rolled_back(&mut self, execution: &Execution) {
        let _ = execution;
    }

    /// The machine cannot go on in the step that was about to execute; the execution is as before it.
    #[inline]
    fn step_abandoned(&mut self, execution: &Execution) {
        let _ = execution;
    }
}

/// The marks of written words, which an observer may read and clear in a pause.
///
/// No program can see the marks, so clearing them does not change the run.
#[derive(Debug)]
pub struct Marks<'a>(&'a mut Execution);

impl<'a> Marks<'a> {
    /// The marks of an execution that is not running.
    pub fn new(execution: &'a mut Execution) -> Self {
        Self(execution)
    }

    /// The execution in the pause.
    pub fn execution(&self) -> &Execution {
        self.0
    }

    /// Calls `f` with each page written since the last call, and clears its marks: see [`Execution::take_dirty`].
    pub fn take_dirty(&mut self, f: impl FnMut(u32, DirtyPage<'_>)) {
        self.0.take_dirty(f);
    }

    /// Starts to note what changes of the things that last: see [`Execution::start_tracking`].
    pub fn start_tracking(&mut self) {
        self.0.start_tracking();
    }

    /// What changed of the things that last since the last call: see [`Execution::take_lives`].
    pub fn take_lives(&mut self) -> Lives {
        self.0.take_lives()
    }
}

impl Observer for () {
    const WATCHES: bool = false;
}
