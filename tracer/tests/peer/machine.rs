//! `zksync_vm2` with the batch's bootloader, run from hook to hook.

mod results;

use eradbg_tracer::Recording;
use eradbg_vm::batch::BatchInput;
use eradbg_vm::bootloader::{Hook, Layout};
use eradbg_vm::operator::{ExecutionResult, Halt, RevertReason};
use eradbg_vm::storage::BOOTLOADER;
use eradbg_vm::{H160, U256};
use zksync_vm2::interface::{CallframeInterface, HeapId, StateInterface};
use zksync_vm2::{ExecutionEnd, FatPointer, Program, Settings, Snapshot, VirtualMachine};

use crate::chain::Chain;

/// Exception handler of the bootloader's frame: no address.
const NO_HANDLER: u16 = u16::MAX;

/// The peer.
pub(crate) struct Machine {
    vm: VirtualMachine<(), Chain>,
    chain: Chain,
    layout: Layout,
    /// Transactions so far that were not taken back.
    transactions: usize,
    /// Transactions before the snapshot, when there is one.
    snapshot: Option<usize>,
    /// The run since the last result was taken.
    run: Option<Run>,
}

/// Where the machine stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// At a hook.
    Hook(u32),
    /// The bootloader has ended.
    End,
}

/// What a run gathers on its way.
struct Run {
    start: Snapshot,
    ergs_before: u32,
    pubdata_before: i32,
    pubdata_published: u32,
    gas_refunded: u64,
    posted: Option<ExecutionResult>,
    last_hook: Option<Hook>,
    /// The result when the bootloader has ended.
    end: Option<ExecutionResult>,
}

impl Machine {
    /// The machine at the bootloader's first instruction.
    pub(crate) fn new(input: &BatchInput, recording: &Recording) -> Self {
        let system = &input.system;
        let layout = Layout::of(system.version);
        let emulator = system.evm_emulator.as_ref().unwrap_or(&system.default_account);
        let settings = Settings {
            default_aa_code_hash: bytes(system.default_account.hash),
            evm_interpreter_code_hash: bytes(emulator.hash),
            hook_address: layout.hook as u32 * 32,
        };
        let bootloader = Program::from_words(system.bootloader.words.clone(), true);
        let gas = system.bootloader_gas_limit;
        let mut vm = VirtualMachine::new(BOOTLOADER, bootloader, H160::zero(), &[], gas, settings);
        let mut frame = vm.current_frame();
        frame.set_heap_bound(u32::MAX);
        frame.set_aux_heap_bound(u32::MAX);
        frame.set_exception_handler(NO_HANDLER);
        drop(frame);
        Self {
            vm,
            chain: Chain::new(input, recording),
            layout,
            transactions: 0,
            snapshot: None,
            run: None,
        }
    }

    /// Writes a word of the bootloader's heap.
    pub(crate) fn write(&mut self, slot: u32, word: U256) {
        self.vm.write_heap_u256(HeapId::FIRST, slot * 32, word);
    }

    /// Takes a snapshot, in place of an earlier one.
    pub(crate) fn make_snapshot(&mut self) {
        self.drop_snapshot();
        self.vm.make_snapshot();
        self.snapshot = Some(self.transactions);
    }

    /// Forgets the snapshot.
    pub(crate) fn drop_snapshot(&mut self) {
        if self.snapshot.take().is_some() {
            self.vm.pop_snapshot();
        }
    }

    /// Restores the snapshot.
    pub(crate) fn roll_back(&mut self) {
        self.transactions = self.snapshot.take().expect("a rollback follows a snapshot");
        self.vm.rollback();
    }

    /// Runs to the next hook or to the end.
    pub(crate) fn advance(&mut self) -> Stop {
        if self.run.is_none() {
            self.run = Some(Run {
                start: self.vm.world_diff().snapshot(),
                ergs_before: self.ergs(),
                pubdata_before: self.vm.pubdata(),
                pubdata_published: 0,
                gas_refunded: 0,
                posted: None,
                last_hook: None,
                end: None,
            });
        }
        let end = match self.vm.run(&mut self.chain, &mut ()) {
            ExecutionEnd::SuspendedOnHook(id) => {
                self.note_hook(id);
                return Stop::Hook(id);
            }
            ExecutionEnd::ProgramFinished(output) => ExecutionResult::Success(output),
            ExecutionEnd::Reverted(output) => ExecutionResult::of_bootloader_revert(&output),
            ExecutionEnd::Panicked if self.ergs() == 0 => ExecutionResult::Halt(Halt::BootloaderOutOfGas),
            ExecutionEnd::Panicked => ExecutionResult::Halt(Halt::VMPanic),
            ExecutionEnd::StoppedByTracer => unreachable!("there is no tracer"),
        };
        if let Some(run) = &mut self.run {
            run.end = Some(end);
        }
        Stop::End
    }

    /// Ergs of the current near or far frame.
    pub(crate) fn ergs(&mut self) -> u32 {
        self.vm.current_frame().gas()
    }

    /// Sum of the pubdata charged so far.
    pub(crate) fn pubdata(&self) -> i32 {
        self.vm.pubdata()
    }

    /// Parameters of the hook.
    pub(crate) fn hook_parameters(&self) -> [U256; 3] {
        [0, 1, 2].map(|index| self.word(self.layout.hook_parameters + index))
    }

    /// Whether a run's result has not been taken yet.
    pub(crate) fn has_run(&self) -> bool {
        self.run.is_some()
    }

    fn note_hook(&mut self, id: u32) {
        let parameters = self.hook_parameters();
        let pubdata = self.vm.pubdata();
        let hook = Hook::new(id);
        let posted = (hook == Some(Hook::PostResult)).then(|| self.posted_result(parameters));
        let run = self.run.as_mut().expect("the machine was run");
        run.last_hook = hook;
        match hook {
            Some(Hook::PostResult) => run.posted = posted,
            Some(Hook::AskOperatorForRefund) => {
                run.pubdata_published = (pubdata as u32).saturating_sub(run.pubdata_before as u32);
            }
            Some(Hook::NotifyAboutRefund) => run.gas_refunded = parameters[0].low_u64(),
            _ => {}
        }
    }

    fn posted_result(&self, [success, pointer, _]: [U256; 3]) -> ExecutionResult {
        let pointer = FatPointer::from(pointer);
        let read = |offset| self.vm.read_heap_byte(pointer.memory_page, offset);
        let output: Vec<u8> = (pointer.start + pointer.offset..pointer.start + pointer.length)
            .map(read)
            .collect();
        if success.is_zero() {
            ExecutionResult::Revert(RevertReason::parse(&output))
        } else {
            ExecutionResult::Success(output)
        }
    }

    fn word(&self, slot: usize) -> U256 {
        self.vm.read_heap_u256(HeapId::FIRST, slot as u32 * 32)
    }
}

fn bytes(word: U256) -> [u8; 32] {
    let mut bytes = [0; 32];
    word.to_big_endian(&mut bytes);
    bytes
}
