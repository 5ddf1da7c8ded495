//! The machine: execution and state together.

use std::sync::Arc;

use crate::execution::{Execution, ExecutionSnapshot, Settings};
use crate::live::{LiveHost, Programs};
use crate::observer::{Marks, Observer};
use crate::outcome::Stop;
use crate::program::Program;
use crate::state::{StateSnapshot, VmState};
use crate::storage::{Missing, Storage};

/// EraVM: what executes, and what has changed on the chain.
#[derive(Debug)]
pub struct EraVm {
    /// Registers, frames, memories.
    pub execution: Execution,
    /// Changes to storage, events, logs, refunds, pubdata.
    pub state: VmState,
    /// Code that the batch knows.
    pub programs: Programs,
}

/// What the operator restores to.
#[derive(Debug, Clone)]
pub struct Snapshot {
    execution: ExecutionSnapshot,
    state: StateSnapshot,
}

impl EraVm {
    /// A machine at the bootloader's first instruction.
    pub fn new(bootloader: Arc<Program>, ergs: u32, settings: Settings) -> Self {
        Self {
            execution: Execution::new(bootloader, ergs, settings),
            state: VmState::default(),
            programs: Programs::default(),
        }
    }

    /// Executes until a hook, the end, `max_steps`, or until the observer stops it. Pauses when the observer asks.
    ///
    /// # Errors
    /// When storage or code is missing; the execution is then as before the step that needs it.
    pub fn run<S: Storage, O: Observer>(
        &mut self,
        storage: &mut S,
        observer: &mut O,
        max_steps: u64,
    ) -> Result<Stop, Missing> {
        let mut left = max_steps;
        loop {
            let steps = observer.pause_after().min(left);
            if steps > 0 {
                let mut host = LiveHost {
                    state: &mut self.state,
                    storage,
                    programs: &mut self.programs,
                };
                match self.execution.run(&mut host, observer, steps)? {
                    Stop::StepLimit => left -= steps,
                    stop => return Ok(stop),
                }
            }
            if left == 0 {
                return Ok(Stop::StepLimit);
            }
            if observer.pause(Marks::new(&mut self.execution)).is_break() {
                return Ok(Stop::Cancelled);
            }
        }
    }

    /// Takes an external snapshot, in place of an earlier one.
    pub fn snapshot<O: Observer>(&mut self, observer: &mut O) -> Snapshot {
        observer.snapshot(&self.execution);
        Snapshot {
            execution: self.execution.snapshot(),
            state: self.state.snapshot(),
        }
    }

    /// Forgets the external snapshot.
    pub fn drop_snapshot<O: Observer>(&mut self, observer: &mut O) {
        observer.snapshot_dropped();
        self.execution.drop_snapshot();
        self.state.drop_snapshot();
    }

    /// Restores the external snapshot: all of the state and of the execution but the number of steps.
    pub fn roll_back<O: Observer>(&mut self, snapshot: Snapshot, observer: &mut O) {
        observer.rolling_back(&self.execution);
        self.state.roll_back(snapshot.state, observer);
        self.execution.roll_back(snapshot.execution);
        observer.rolled_back(&self.execution);
    }
}
