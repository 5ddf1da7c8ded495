//! The machine with words of the operator that are not quite the operator's: a batch is run once to learn what the operator
//! writes and when; then the machine alone runs it again with one of these words changed.

#![allow(dead_code, reason = "not every test needs every helper")]
#![allow(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

use eradbg_tracer::drive::{DriveEnd, Session, Sink};
use eradbg_tracer::report::BatchReport;
use eradbg_tracer::source::Loaded;
use eradbg_vm::bootloader::Layout;
use eradbg_vm::bytecode::hash_bytecode;
use eradbg_vm::execution::Settings;
use eradbg_vm::operator::ExecutionResult;
use eradbg_vm::outcome::{End, Stop};
use eradbg_vm::storage::SnapshotStorage;
use eradbg_vm::{EraVm, Observer, Program, U256};

/// Words of the operator with the number of hooks before each, and the length of the pubdata in bytes.
#[derive(Debug, Default, Clone)]
pub(crate) struct Writes {
    hooks: usize,
    pub(crate) words: Vec<(usize, u32, U256)>,
    pub(crate) pubdata: usize,
}

impl Observer for Writes {
    fn hook(&mut self, _: u32, _: [U256; 3]) {
        self.hooks += 1;
    }

    fn operator_write(&mut self, slot: u32, _: U256, new: U256) {
        self.words.push((self.hooks, slot, new));
    }
}

impl Sink for Writes {
    type Observer = Self;

    fn observer(&mut self) -> &mut Self {
        self
    }

    fn batch_done(&mut self, report: BatchReport) {
        self.pubdata = report.pubdata_input.len() / 2 - 1;
    }
}

/// The version's places in the bootloader's heap.
pub(crate) fn layout(loaded: &Loaded) -> Layout {
    Layout::of(loaded.input.system.version)
}

/// What the operator writes when everything is right.
pub(crate) fn writes(loaded: &Loaded) -> Writes {
    let Loaded { input, script, .. } = loaded.clone();
    let mut session = Session::new(input, script, Writes::default());
    assert_eq!(
        session.drive(&loaded.run),
        Ok(DriveEnd::Finished),
        "{}",
        loaded.name
    );
    session.into_parts().0
}

/// Runs a batch with words of the operator: the machine at the end, and how the bootloader ended.
pub(crate) fn run(loaded: &Loaded, words: &[(usize, u32, U256)]) -> (EraVm, String) {
    let input = loaded.input.clone();
    let system = input.system;
    let settings = Settings::of(&system);
    let bootloader = Program::new(system.bootloader.hash, system.bootloader.words);
    let mut vm = EraVm::new(bootloader, u32::MAX, settings);
    let mut storage = input.storage;
    let brought = input.blocks.iter().flat_map(|block| &block.transactions);
    for code in brought.flat_map(|transaction| &transaction.factory_deps) {
        storage
            .factory_deps
            .insert(hash_bytecode(code).unwrap(), code.clone());
    }
    let mut storage = SnapshotStorage::new(storage);
    for hooks in 0.. {
        for (_, slot, word) in words.iter().filter(|(before, ..)| *before == hooks) {
            vm.execution.operator_write(*slot, *word, &mut ());
        }
        match vm.run(&mut storage, &mut (), u64::MAX).unwrap() {
            Stop::Hook(_) => {}
            Stop::Ended(End::Finished(_)) => return (vm, "finished".to_owned()),
            Stop::Ended(End::Reverted(output)) => match ExecutionResult::of_bootloader_revert(&output) {
                ExecutionResult::Halt(halt) => return (vm, halt.to_string()),
                other => panic!("{other:?}"),
            },
            stop => panic!("{stop:?}"),
        }
    }
    unreachable!("the bootloader ends")
}

/// Changes what the operator writes to a slot, and tells how the bootloader ends.
pub(crate) fn end_with(loaded: &Loaded, slot: usize, change: impl Fn(U256) -> U256) -> String {
    let mut words = writes(loaded).words;
    change_words(&mut words, slot, change);
    run(loaded, &words).1
}

/// Changes what the operator writes to a slot.
///
/// # Panics
/// When it writes nothing there.
pub(crate) fn change_words(words: &mut [(usize, u32, U256)], slot: usize, change: impl Fn(U256) -> U256) {
    let changed = words.iter_mut().filter(|(_, written, _)| *written == slot as u32);
    let mut count = 0;
    for (.., word) in changed {
        *word = change(*word);
        count += 1;
    }
    assert!(count > 0, "the operator writes slot {slot}");
}
