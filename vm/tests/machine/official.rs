//! The official VM beside ours: `zk_evm` executes the same program, and both must agree after every step.
//!
//! `zk_evm` brings no world of its own; what stands in for the operator's oracles is in the modules below.

mod compare;
mod memory;
mod oracles;

use std::cell::Cell;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{LazyLock, Once};

use eradbg_fixtures::Assembler;
use eradbg_fixtures::assembler::op;
use eradbg_vm::outcome::{PanicCause, Stop};
use eradbg_vm::page_ids::PageNumbering;
use eradbg_vm::precompile::PrecompileAbi;
use eradbg_vm::{Execution, FatPointer, H160, Instruction, Observer, Opcode, U256};
use zk_evm::aux_structures::{MemoryPage, PubdataCost};
use zk_evm::block_properties::BlockProperties;
use zk_evm::tracing::{AfterDecodingData, AfterExecutionData, BeforeExecutionData, Tracer, VmLocalStateData};
use zk_evm::vm_state::{CallStackEntry, PrimitiveValue, Version, VmState};
use zk_evm::witness_trace::DummyTracer;
use zk_evm::zkevm_opcode_defs as defs;

use crate::lab::Lab;
use compare::Differences;
use memory::Memory;
use oracles::{Decommitter, Events, Precompiles, Storage};

/// The official machine.
pub(crate) type Official = VmState<Storage, Memory, Events, Precompiles, Decommitter, DummyTracer>;

/// Whether the release at hand is 0.153.12 or newer. Those clear dst1 after each instruction that does not write it, and
/// charge an explicit `ret.panic` for what its operand names; 0.153.8, whose semantics is ours, does neither.
pub(crate) static IS_NEWER: LazyLock<bool> = LazyLock::new(|| {
    let mut a = Assembler::new();
    a.load(2, 7);
    a.push(op(Opcode::Add).dst1(2));
    let mut official = machine(&Lab::new(), &a.words());
    for _ in 0..2 {
        official.cycle(&mut Silent).expect("additions need nothing");
    }
    official.local_state.registers[1].value.is_zero()
});

/// How a comparison ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Both went through so many steps alike, to the end of the run or of the steps that were asked for.
    Agreed(u64),
    /// The official VM aborted in this step: it asserts what its callers never do.
    Aborted(u64, String),
}

/// What a step starts from.
struct Position {
    instruction: Instruction,
    pending_panic: Option<PanicCause>,
    pc: u16,
    depth: u32,
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} at {} in frame {} (pending: {:?})",
            self.instruction, self.pc, self.depth, self.pending_panic
        )
    }
}

impl Position {
    fn of(execution: &Execution) -> Self {
        Self {
            instruction: execution.next_instruction(),
            pc: execution.frame().pc,
            pending_panic: execution.pending_panic(),
            depth: execution.depth(),
        }
    }
}

/// Runs `root` on both machines, one step at a time, with an observer of ours.
///
/// # Panics
/// When they differ, naming step and field.
pub(crate) fn compare<O: Observer>(lab: &Lab, root: &[U256], steps: u64, observer: &mut O) -> Verdict {
    if lab.settings.revision.pages() != PageNumbering::ByFrame {
        // It would differ in every pointer.
        return Verdict::Agreed(0);
    }
    let mut ours = lab.machine_of_words(root.to_vec());
    let mut storage = lab.clone();
    let mut official = machine(lab, root);
    for step in 0..steps {
        if *IS_NEWER && is_elsewhere_in_newer(&ours.execution) || rewrites_running_code(&ours.execution) {
            return Verdict::Agreed(step);
        }
        if let Err(reason) = quietly(|| official.cycle(&mut Silent)) {
            return Verdict::Aborted(step, reason);
        }
        let before = Position::of(&ours.execution);
        let stop = ours.run(&mut storage, observer, 1).expect("the lab has all code");
        let mut differences = Differences::default();
        if ours.execution.pending_panic().is_some() {
            forget_cleared_output(&before, &ours.execution, &mut official);
            forget_moved_stack_pointer(&before, &ours.execution, &mut official);
        }
        if let Stop::Ended(end) = stop {
            differences.ends(&end, &official);
            differences.report(step, &before);
            return Verdict::Agreed(step + 1);
        }
        differences.steps(&ours, &official, step % 32 == 31);
        differences.report(step, &before);
    }
    Verdict::Agreed(steps)
}

/// The official machine at the first instruction of a bootloader.
fn machine(lab: &Lab, code: &[U256]) -> Official {
    let settings = &lab.settings;
    // The official VM insists on well-formed hashes; a lab without these contracts never gets to see them.
    let or_unknown = |hash: U256| {
        if hash.is_zero() {
            U256([1, 0, 0, 0x0100_0001 << 32])
        } else {
            hash
        }
    };
    let mut memory = Memory::default();
    memory.fill(defs::BOOTLOADER_CODE_PAGE, code);
    let version = if settings.unpaid_growth_raises_bound {
        Version::Initial
    } else {
        Version::Version27
    };
    let mut vm = VmState::empty_state(
        Storage::new(lab),
        memory,
        Events::default(),
        Precompiles {
            ec_precompiles: settings.ec_precompiles,
        },
        Decommitter::new(lab),
        DummyTracer,
        BlockProperties {
            default_aa_code_hash: or_unknown(settings.default_account),
            evm_emulator_code_hash: or_unknown(settings.evm_emulator),
            zkporter_is_available: false,
        },
        version,
    );
    vm.local_state.callstack.current.ergs_remaining = lab.ergs;
    let bootloader = H160::from_low_u64_be(0x8001);
    vm.push_bootloader_context(
        0,
        CallStackEntry {
            this_address: bootloader,
            msg_sender: H160::zero(),
            code_address: bootloader,
            base_memory_page: MemoryPage(defs::BOOTLOADER_BASE_PAGE),
            code_page: MemoryPage(defs::BOOTLOADER_CODE_PAGE),
            sp: 0,
            pc: 0,
            heap_bound: u32::MAX,
            aux_heap_bound: u32::MAX,
            exception_handler_location: u16::MAX,
            ergs_remaining: lab.ergs,
            this_shard_id: 0,
            caller_shard_id: 0,
            code_shard_id: 0,
            is_static: false,
            is_local_frame: false,
            context_u128_value: 0,
            total_pubdata_spent: PubdataCost(0),
            stipend: 0,
        },
    );
    let calldata = FatPointer {
        page: defs::BOOTLOADER_CALLDATA_PAGE,
        ..FatPointer::default()
    };
    vm.local_state.registers[0] = PrimitiveValue {
        value: calldata.to_word(),
        is_pointer: true,
    };
    vm
}

/// Whether the next step may end differently in releases from 0.153.12 on.
fn is_elsewhere_in_newer(execution: &Execution) -> bool {
    let instruction = execution.next_instruction();
    let has_second_output = match instruction.opcode {
        Opcode::Mul | Opcode::Div => true,
        Opcode::HeapRead | Opcode::AuxHeapRead | Opcode::PointerRead | Opcode::StaticRead => {
            instruction.flag0
        }
        _ => false,
    };
    let names_output = instruction.dst1 != 0 && !has_second_output;
    let names_returndata = instruction.opcode == Opcode::RetPanic && instruction.src0 != 0;
    execution.pending_panic().is_none() && (names_output || names_returndata)
}

/// Whether the next step lets a precompile write to a page whose code runs or waits. A frame of ours keeps the program
/// that it started with; the official VM fetches each word anew.
fn rewrites_running_code(execution: &Execution) -> bool {
    let instruction = execution.next_instruction();
    let abi = PrecompileAbi::from_word(execution.register(instruction.src0).word);
    instruction.opcode == Opcode::Precompile
        && execution
            .frames()
            .any(|frame| frame.code_page == abi.page_to_write)
}

/// A read that panics leaves its second output as it was in `zk_evm` 0.153.8; releases from 0.153.12 on clear it.
fn forget_cleared_output(before: &Position, after: &Execution, official: &mut Official) {
    let dst1 = before.instruction.dst1;
    let index = usize::from(dst1);
    if index > 0 && before.pending_panic.is_none() {
        let kept = after.register(dst1);
        let register = &mut official.local_state.registers[index - 1];
        if *register == PrimitiveValue::empty() {
            (register.value, register.is_pointer) = (kept.word, kept.is_pointer);
        }
    }
}

/// `zk_evm` moves the stack pointer through dst0 of a pointer operation that fails; the frame ends before anything sees it.
fn forget_moved_stack_pointer(before: &Position, after: &Execution, official: &mut Official) {
    let is_pointer_operation = matches!(
        before.instruction.opcode,
        Opcode::PtrAdd | Opcode::PtrSub | Opcode::PtrPack | Opcode::PtrShrink
    );
    if is_pointer_operation && after.pending_panic().is_some() {
        official.local_state.callstack.current.sp = after.frame().sp;
    }
}

/// Runs something of the official VM that may abort: why it did, without a message on stderr.
fn quietly(run: impl FnOnce() -> anyhow::Result<()>) -> Result<(), String> {
    thread_local!(static QUIET: Cell<bool> = const { Cell::new(false) });
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                loud(info);
            }
        }));
    });
    QUIET.set(true);
    let result = panic::catch_unwind(AssertUnwindSafe(run));
    QUIET.set(false);
    match result {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(payload) => Err(payload
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| payload.downcast_ref::<&str>().map(ToString::to_string))
            .unwrap_or_default()),
    }
}

/// Watches nothing.
#[derive(Debug)]
struct Silent;

impl Tracer for Silent {
    type SupportedMemory = Memory;

    fn before_decoding(&mut self, _: VmLocalStateData<'_>, _: &Memory) {}
    fn after_decoding(&mut self, _: VmLocalStateData<'_>, _: AfterDecodingData, _: &Memory) {}
    fn before_execution(&mut self, _: VmLocalStateData<'_>, _: BeforeExecutionData, _: &Memory) {}
    fn after_execution(&mut self, _: VmLocalStateData<'_>, _: AfterExecutionData, _: &Memory) {}
}
