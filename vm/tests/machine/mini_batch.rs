//! The mini batch, watched and unwatched: observing changes nothing.

use std::ops::ControlFlow;
use std::sync::Arc;

use eradbg_fixtures::mini_batch;
use eradbg_vm::batch::BatchInput;
use eradbg_vm::events::{L2ToL1Log, RawEvent};
use eradbg_vm::heap::Heap;
use eradbg_vm::observer::{FrameEnd, Marks, Step};
use eradbg_vm::operator::{BatchResult, ExecutionResult, OperatorVm, PubdataTarget, RunMode, RunResult};
use eradbg_vm::pubdata::builder::{DaTarget, PubdataBuilder};
use eradbg_vm::state::{Decommit, Restored, StorageAccess};
use eradbg_vm::storage::SnapshotStorage;
use eradbg_vm::{Answer, EraVm, Execution, H160, Observer, Program, StorageKey, U256, Value};

/// Touches every hook: counts calls, and pauses as often as it says.
#[derive(Default)]
struct Nosy {
    /// Steps between pauses; 0: none.
    every: u64,
    steps_in_pause: u64,
    calls: [u64; 27],
}

impl Nosy {
    fn saw(&mut self, hook: usize) {
        self.calls[hook] += 1;
    }
}

impl Observer for Nosy {
    fn pause_after(&self) -> u64 {
        if self.every == 0 { u64::MAX } else { self.every }
    }

    fn pause(&mut self, mut marks: Marks<'_>) -> ControlFlow<()> {
        self.steps_in_pause = marks.execution().steps();
        marks.take_dirty(|_, _| {});
        self.saw(0);
        ControlFlow::Continue(())
    }

    fn before_step(&mut self, _: &Execution, _: Step<'_>) {
        self.saw(1);
    }

    fn after_step(&mut self, _: &Execution) {
        self.saw(2);
    }

    fn register(&mut self, _: u8, _: Value, _: Value) {
        self.saw(3);
    }

    fn stack(&mut self, _: u16, _: Value, _: Value) {
        self.saw(4);
    }

    fn memory(&mut self, _: u32, _: u32, _: U256, _: U256) {
        self.saw(5);
    }

    fn memory_added(&mut self, _: u32, _: &Heap) {
        self.saw(6);
    }

    fn memory_removed(&mut self, _: u32, _: &Heap) {
        self.saw(7);
    }

    fn frame_entering(&mut self, _: &Execution, _: bool) {
        self.saw(8);
    }

    fn frame_entered(&mut self, _: &Execution, _: bool) {
        self.saw(9);
    }

    fn frame_leaving(&mut self, _: &Execution, _: FrameEnd) {
        self.saw(10);
    }

    fn answered(&mut self, _: &Answer) {
        self.saw(11);
    }

    fn storage_access(&mut self, _: &StorageAccess) {
        self.saw(12);
    }

    fn transient_access(&mut self, _: StorageKey, _: U256, _: Option<U256>) {
        self.saw(13);
    }

    fn decommit(&mut self, _: &Decommit) {
        self.saw(14);
    }

    fn code_loaded(&mut self, _: &Arc<Program>) {
        self.saw(15);
    }

    fn pubdata_added(&mut self, _: i32) {
        self.saw(16);
    }

    fn event(&mut self, _: &RawEvent) {
        self.saw(17);
    }

    fn l2_to_l1_log(&mut self, _: &L2ToL1Log) {
        self.saw(18);
    }

    fn restored(&mut self, _: &Restored) {
        self.saw(19);
    }

    fn next_transaction(&mut self, _: &[(StorageKey, U256)]) {
        self.saw(20);
    }

    fn hook(&mut self, _: u32, _: [U256; 3]) {
        self.saw(21);
    }

    fn operator_write(&mut self, _: u32, _: U256, _: U256) {
        self.saw(22);
    }

    fn snapshot(&mut self, _: &Execution) {
        self.saw(23);
    }

    fn snapshot_dropped(&mut self) {
        self.saw(24);
    }

    fn rolling_back(&mut self, _: &Execution) {
        self.saw(25);
    }

    fn rolled_back(&mut self, _: &Execution) {
        self.saw(26);
    }
}

/// Runs the whole batch, one transaction at a time.
fn run<O: Observer>(input: BatchInput, observer: &mut O) -> (Vec<RunResult>, BatchResult, EraVm) {
    let storage = SnapshotStorage::new(input.storage);
    let mut operator = OperatorVm::new(input.batch, input.system, storage, observer);
    let mut runs = Vec::new();
    for (index, block) in input.blocks.into_iter().enumerate() {
        if index > 0 {
            operator
                .start_l2_block(block.env)
                .expect("the blocks follow each other");
        }
        for transaction in &block.transactions {
            operator.make_snapshot(observer);
            operator
                .push_transaction(transaction, true, observer)
                .expect("there is room");
            let run = operator
                .run(RunMode::OneTransaction, observer)
                .expect("the batch is complete");
            if matches!(run.result, ExecutionResult::Halt(_)) {
                operator.roll_back(observer);
            } else {
                operator.drop_snapshot(observer);
            }
            runs.push(run);
        }
    }
    let target = PubdataTarget {
        builder: PubdataBuilder::Full,
        da: DaTarget::Validator(H160::zero()),
    };
    let batch = operator
        .finish_batch(target, observer)
        .expect("the batch is complete");
    (runs, batch, operator.into_machine())
}

#[test]
fn watching_every_hook_and_pausing_anywhere_changes_nothing() {
    let (runs, batch, machine) = run(mini_batch(6), &mut ());
    for every in [0, 1, 7, 50] {
        let mut nosy = Nosy {
            every,
            ..Nosy::default()
        };
        let watched = run(mini_batch(6), &mut nosy);
        assert_eq!(watched.0, runs, "pausing every {every} steps");
        assert_eq!(watched.1, batch, "pausing every {every} steps");
        assert!(
            watched.2.execution == machine.execution,
            "pausing every {every} steps"
        );
        assert_eq!(watched.2.state.refunds(), machine.state.refunds());
        assert_eq!(watched.2.state.pubdata_costs(), machine.state.pubdata_costs());
        let silent: Vec<usize> = (usize::from(every == 0)..nosy.calls.len())
            .filter(|&hook| nosy.calls[hook] == 0)
            .collect();
        assert_eq!(silent, [0; 0], "hooks that were never called");
        assert_eq!(
            (nosy.calls[1], nosy.calls[2]),
            (machine.execution.steps(), machine.execution.steps())
        );
        // The root frame is left twice, but entered by nobody: by the halt and at the end.
        assert_eq!(nosy.calls[8], nosy.calls[9]);
        assert_eq!(nosy.calls[10], nosy.calls[9] + 2);
        assert!(nosy.steps_in_pause <= machine.execution.steps());
    }
}

#[test]
fn the_same_batch_always_runs_alike() {
    let (runs, batch, machine) = run(mini_batch(3), &mut ());
    let again = run(mini_batch(3), &mut ());
    assert_eq!((again.0, again.1), (runs, batch));
    assert!(again.2.execution == machine.execution);
}
