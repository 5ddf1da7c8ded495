//! A machine with contracts and slots to order, and what runs of it left behind.

use std::collections::HashMap;

use eradbg_fixtures::abi::FarCallAbi;
use eradbg_fixtures::assembler::{Assembler, op};
use eradbg_vm::bytecode::{hash_bytecode, words_to_bytes};
use eradbg_vm::execution::Settings;
use eradbg_vm::observer::{FrameEnd, Step};
use eradbg_vm::outcome::{PanicCause, Stop};
use eradbg_vm::protocol::Revision;
use eradbg_vm::pubdata::state_diff::pubdata_cost_of_write;
use eradbg_vm::storage::ACCOUNT_CODE_STORAGE;
use eradbg_vm::{
    EraVm, Execution, H160, Missing, Observer, Opcode, Program, Storage, StorageKey, U256, Value,
};

use crate::official::{self, Verdict};

/// Address of the user contract under test.
pub(crate) const USER: u64 = 0x1_0000;

/// Contracts and slots; whatever is not there was never written.
#[derive(Debug, Clone)]
pub(crate) struct Lab {
    codes: HashMap<U256, Vec<U256>>,
    slots: HashMap<StorageKey, (U256, u64)>,
    pub(crate) settings: Settings,
    /// Ergs of the root frame.
    pub(crate) ergs: u32,
}

/// A machine after a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) vm: EraVm,
    pub(crate) trace: Trace,
    pub(crate) stop: Stop,
}

/// What the machine told on its way.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    /// Panics in order, explicit ones included.
    pub(crate) panics: Vec<PanicCause>,
    /// Far frames below the root, as they were entered and as they ended.
    pub(crate) entered: Vec<Execution>,
    pub(crate) left: Vec<(FrameEnd, Execution)>,
}

impl Lab {
    pub(crate) fn new() -> Self {
        let settings = Settings {
            default_account: U256::zero(),
            evm_emulator: U256::zero(),
            hook_offset: u32::MAX,
            unpaid_growth_raises_bound: false,
            ec_precompiles: true,
            revision: Revision::default(),
        };
        Self {
            codes: HashMap::new(),
            slots: HashMap::new(),
            settings,
            ergs: u32::MAX,
        }
    }

    /// Puts code at an address.
    pub(crate) fn contract(self, at: u64, code: &Assembler) -> Self {
        let (lab, hash) = self.code(code);
        lab.code_hash(at, hash)
    }

    /// Makes code known without an address.
    pub(crate) fn code(self, code: &Assembler) -> (Self, U256) {
        self.code_of_words(code.words())
    }

    /// Makes code known that did not come from the assembler.
    pub(crate) fn code_of_words(mut self, words: Vec<U256>) -> (Self, U256) {
        let hash = hash_bytecode(&words_to_bytes(&words)).expect("the assembler makes valid code");
        self.codes.insert(hash, words);
        (self, hash)
    }

    /// Sets the code hash of an address.
    pub(crate) fn code_hash(mut self, at: u64, hash: U256) -> Self {
        let key = StorageKey {
            address: ACCOUNT_CODE_STORAGE,
            key: at.into(),
        };
        self.slots.insert(key, (hash, 1));
        self
    }

    /// Sets a slot that was written before the batch.
    pub(crate) fn slot(mut self, key: StorageKey, value: u64) -> Self {
        self.slots.insert(key, (value.into(), 1));
        self
    }

    /// Sets a slot that has a value and no enumeration index, as in the middle of a batch.
    pub(crate) fn new_slot(mut self, key: StorageKey, value: u64) -> Self {
        self.slots.insert(key, (value.into(), 0));
        self
    }

    /// A machine at the first instruction of `root`.
    pub(crate) fn machine(&self, root: &Assembler) -> EraVm {
        self.machine_of_words(root.words())
    }

    /// A machine at the first instruction of words that did not come from the assembler.
    pub(crate) fn machine_of_words(&self, root: Vec<U256>) -> EraVm {
        EraVm::new(Program::new(U256::zero(), root), self.ergs, self.settings)
    }

    /// Runs `root` in the place of the bootloader, to its end.
    pub(crate) fn run(&self, root: &Assembler) -> Outcome {
        self.run_steps(root, 100_000)
    }

    /// Runs `root` for so many steps.
    pub(crate) fn run_steps(&self, root: &Assembler, steps: u64) -> Outcome {
        let mut vm = self.machine(root);
        let mut trace = Trace::default();
        let stop = vm
            .run(&mut self.clone(), &mut trace, steps)
            .expect("the lab has all code");
        if let Verdict::Aborted(step, reason) = official::compare(self, &root.words(), steps, &mut ()) {
            eprintln!("the official VM aborted in step {step}: {reason}");
        }
        Outcome { vm, trace, stop }
    }

    /// Runs all instructions of a straight program in the place of the bootloader: kernel mode, no end.
    pub(crate) fn run_all(&self, program: &Assembler) -> Execution {
        let outcome = self.run_steps(program, program.len() as u64);
        assert_eq!(outcome.trace.panics, [], "the program is to run through");
        outcome.vm.execution
    }

    /// Runs `program` as a user contract with `ergs`.
    pub(crate) fn run_user(&self, program: &Assembler, ergs: u32) -> Outcome {
        let abi = FarCallAbi {
            ergs,
            ..FarCallAbi::default()
        };
        self.clone().contract(USER, program).run(&caller(USER, abi))
    }
}

impl Outcome {
    /// How the first far frame that ended did, and the machine just before.
    pub(crate) fn first(&self) -> (FrameEnd, &Execution) {
        let (end, execution) = self.trace.left.first().expect("a far frame has ended");
        (*end, execution)
    }

    /// How the last far frame that ended did: the one that the root called.
    pub(crate) fn last(&self) -> (FrameEnd, &Execution) {
        let (end, execution) = self.trace.left.last().expect("a far frame has ended");
        (*end, execution)
    }
}

/// A root that calls an address and stops.
pub(crate) fn caller(address: u64, abi: FarCallAbi) -> Assembler {
    let mut a = Assembler::new();
    let after = a.label();
    a.load(1, abi.to_word());
    a.load(2, address);
    a.far_call(1, 2, after);
    a.place(after);
    a.ret(Opcode::RetOk, 0);
    a
}

/// A program of one instruction that ends its frame.
pub(crate) fn only(opcode: Opcode) -> Assembler {
    let mut a = Assembler::new();
    a.push(op(opcode));
    a
}

/// A slot of the user contract.
pub(crate) fn user_slot(key: u64) -> StorageKey {
    StorageKey {
        address: H160::from_low_u64_be(USER),
        key: key.into(),
    }
}

/// An untagged word.
pub(crate) fn integer(word: u64) -> Value {
    Value::from(word)
}

impl Storage for Lab {
    fn decommit(&mut self, hash: U256) -> Result<Option<Vec<U256>>, Missing> {
        Ok(self.codes.get(&hash).cloned())
    }

    fn storage_read(&mut self, key: &StorageKey) -> Result<Option<U256>, Missing> {
        Ok(self.slots.get(key).map(|(value, _)| *value))
    }

    fn cost_of_writing_storage(&mut self, key: &StorageKey, value: U256) -> u32 {
        let initial = self.slots.get(key).map(|(value, _)| *value).unwrap_or_default();
        pubdata_cost_of_write(self.is_write_initial(key), initial, value)
    }

    fn enumeration_index(&self, key: &StorageKey) -> Option<u64> {
        self.slots.get(key).map(|(_, index)| *index)
    }
}

impl Observer for Trace {
    fn before_step(&mut self, _: &Execution, step: Step<'_>) {
        self.panics.extend(step.panic);
    }

    fn frame_entered(&mut self, execution: &Execution, is_near: bool) {
        if !is_near {
            self.entered.push(execution.clone());
        }
    }

    fn frame_leaving(&mut self, execution: &Execution, end: FrameEnd) {
        let is_root = execution.callers().is_empty();
        if !end.is_near && !is_root {
            self.left.push((end, execution.clone()));
        }
        // A return that breaks a rule panics in its own step.
        if end.cause.is_some() && end.cause != self.panics.last().copied() {
            self.panics.extend(end.cause);
        }
    }
}
