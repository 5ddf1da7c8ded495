//! What our machine tells about one step.

use eradbg_vm::events::{L2ToL1Log, RawEvent};
use eradbg_vm::observer::{FrameEnd, Step};
use eradbg_vm::outcome::PanicCause;
use eradbg_vm::state::{Decommit, Restored, StorageAccess};
use eradbg_vm::{Execution, Observer, StorageKey, U256, Value};

/// One step, as an observer sees it.
#[derive(Debug, Default)]
pub struct Trace {
    /// Stack slots of the current far frame that were written.
    pub stack: Vec<u16>,
    /// Page and offset of each word of memory that was written.
    pub memory: Vec<(u32, u32)>,
    /// A frame was entered: whether it is a near one.
    pub entered_near: Option<bool>,
    /// A frame was left.
    pub left: Option<FrameEnd>,
    /// Why the step was a panic.
    pub panic: Option<PanicCause>,
    /// The step did what its instruction says, without being skipped or turned into a panic.
    pub executed: bool,
    /// Storage, transient storage, events, logs or decommits changed, or were restored.
    pub state_changed: bool,
}

impl Trace {
    /// Forgets the last step.
    pub fn clear(&mut self) {
        self.stack.clear();
        self.memory.clear();
        (self.entered_near, self.left, self.panic) = (None, None, None);
        (self.executed, self.state_changed) = (false, false);
    }

    /// A far frame was entered.
    pub fn entered_far(&self) -> bool {
        self.entered_near == Some(false)
    }
}

impl Observer for Trace {
    fn before_step(&mut self, _: &Execution, step: Step<'_>) {
        self.panic = step.panic;
        self.executed = !step.skipped && matches!(step.panic, None | Some(PanicCause::Explicit));
    }

    fn stack(&mut self, slot: u16, _: Value, _: Value) {
        self.stack.push(slot);
    }

    fn memory(&mut self, page: u32, offset: u32, _: U256, _: U256) {
        self.memory.push((page, offset));
    }

    fn frame_entered(&mut self, _: &Execution, is_near: bool) {
        self.entered_near = Some(is_near);
    }

    fn frame_leaving(&mut self, _: &Execution, end: FrameEnd) {
        self.left = Some(end);
        self.panic = self.panic.or(end.cause);
    }

    fn storage_access(&mut self, _: &StorageAccess) {
        self.state_changed = true;
    }

    fn transient_access(&mut self, _: StorageKey, _: U256, _: Option<U256>) {
        self.state_changed = true;
    }

    fn next_transaction(&mut self, _: &[(StorageKey, U256)]) {
        self.state_changed = true;
    }

    fn decommit(&mut self, _: &Decommit) {
        self.state_changed = true;
    }

    fn event(&mut self, _: &RawEvent) {
        self.state_changed = true;
    }

    fn l2_to_l1_log(&mut self, _: &L2ToL1Log) {
        self.state_changed = true;
    }

    fn restored(&mut self, _: &Restored) {
        self.state_changed = true;
    }
}
