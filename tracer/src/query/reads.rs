//! What a step reads, told from the state before it: operands, flags of its predicate, memory, inputs of precompiles.

use std::cell::RefCell;
use std::ops::Range;

use eradbg_vm::flags::Predicate;
use eradbg_vm::isa::{Destination, Source};
use eradbg_vm::observer::Step;
use eradbg_vm::page_ids::{STATIC_MEMORY_PAGE, aux_heap_page, heap_page};
use eradbg_vm::precompile::{Precompile, PrecompileAbi, ReadWord};
use eradbg_vm::value::{address_of, is_kernel};
use eradbg_vm::{Execution, FatPointer, Instruction, Opcode, U256, Value};

use crate::query::access::{Place, PlacePattern};
use crate::query::facts::Site;

/// Calls `f` with each place that a step reads, and its value where it has one. Slots of storage are in rows.
pub(super) fn of_step(
    execution: &Execution,
    site: &Site,
    step: Step<'_>,
    f: &mut dyn FnMut(Place, Option<Value>),
) {
    let i = &site.instruction;
    if site.pc.is_none() {
        return;
    }
    if i.predicate != Predicate::Always {
        let flags = u64::from(execution.flags().bits());
        f(Place::Flags, Some(flags.into()));
    }
    // An instruction that was turned into a panic has not come to its operands.
    if step.skipped || step.instruction.opcode != i.opcode {
        return;
    }
    of_instruction(execution, i, f);
}

/// Calls `f` with each place that an instruction reads which is about to execute, but for the flags of its predicate.
pub(crate) fn of_instruction(
    execution: &Execution,
    i: &Instruction,
    f: &mut dyn FnMut(Place, Option<Value>),
) {
    let mut reads = Reads { execution, f };
    let value = reads.source(i);
    if reads_src1(i.opcode) {
        reads.register(i.src1);
    }
    if i.destination != Destination::Register {
        reads.register(i.dst0);
    }
    match i.opcode {
        Opcode::FarCallMimic => reads.register(15),
        Opcode::HeapRead => reads.word(heap_page(execution.frame().base_page), value),
        Opcode::AuxHeapRead => reads.word(aux_heap_page(execution.frame().base_page), value),
        Opcode::StaticRead => reads.word(STATIC_MEMORY_PAGE, value),
        Opcode::PointerRead => reads.pointer(value),
        Opcode::Precompile => reads.precompile(value),
        _ => {}
    }
    // System calls hand further registers to kernel contracts.
    if hands_on_registers(execution, i, value) {
        HANDED_ON.for_each(|index| reads.register(index));
    }
}

struct Reads<'a, 'f> {
    execution: &'a Execution,
    f: &'f mut dyn FnMut(Place, Option<Value>),
}

impl Reads<'_, '_> {
    fn register(&mut self, index: u8) {
        if index != 0 {
            (self.f)(Place::Register(index), Some(self.execution.register(index)));
        }
    }

    /// The first source, whatever it is used for.
    fn source(&mut self, i: &Instruction) -> Value {
        if !reads_src0(i, self.execution.frame().is_near()) {
            return Value::ZERO;
        }
        if i.source != Source::Immediate {
            self.register(i.src0);
        }
        let frame = self.execution.frame();
        let address = (self.execution.register(i.src0).word.low_u64() as u16).wrapping_add(i.imm0);
        let slot = match i.source {
            Source::Register => return self.execution.register(i.src0),
            Source::Immediate => return u64::from(i.imm0).into(),
            Source::Code => return Value::integer(frame.program.word(address)),
            Source::StackPop | Source::StackRelative => frame.sp.wrapping_sub(address),
            Source::StackAbsolute => address,
        };
        let value = frame.stack.read(slot);
        let place = Place::Stack {
            frame: frame.far_entered_at(),
            slot,
        };
        (self.f)(place, Some(value));
        value
    }

    /// A word of a memory at a byte offset.
    fn word(&mut self, page: u32, offset: Value) {
        if let Ok(offset) = u32::try_from(offset.word) {
            let heap = self.execution.heaps().get(page);
            let word = heap.filter(|_| offset <= u32::MAX - 32);
            let word = word.map_or(U256::zero(), |heap| heap.read_word(offset));
            self.memory(page, offset, 32, Some(Value::integer(word)));
        }
    }

    fn pointer(&mut self, value: Value) {
        let pointer = FatPointer::from_word(value.word);
        let length = pointer.length.saturating_sub(pointer.offset).min(32);
        if value.is_pointer && length > 0 {
            let offset = pointer.start.wrapping_add(pointer.offset);
            self.memory(pointer.page, offset, length, None);
        }
    }

    /// The words that a precompile asks for.
    fn precompile(&mut self, value: Value) {
        let execution = self.execution;
        let frame = execution.frame();
        let mut abi = PrecompileAbi::from_word(value.word);
        if abi.page_to_read == 0 {
            abi.page_to_read = heap_page(frame.base_page);
        }
        let address = u16::from_be_bytes([frame.this.0[18], frame.this.0[19]]);
        let Some(precompile) = Precompile::at(address, execution.settings().ec_precompiles) else {
            return;
        };
        let asked = Asked(RefCell::new(Vec::new()));
        if precompile.hash(&abi, &asked).is_none() {
            precompile.input(&abi, &asked);
        }
        for (page, index) in asked.0.into_inner() {
            if let Some(offset) = index.checked_mul(32) {
                let heap = execution.heaps().get(page);
                let word = heap.map_or(U256::zero(), |heap| heap.read_word(offset));
                self.memory(page, offset, 32, Some(Value::integer(word)));
            }
        }
    }

    fn memory(&mut self, page: u32, offset: u32, length: u32, value: Option<Value>) {
        let place = Place::Memory { page, offset, length };
        (self.f)(place, value);
    }
}

/// Notes the words that a precompile asks for.
struct Asked(RefCell<Vec<(u32, u32)>>);

impl ReadWord for Asked {
    fn read_word(&self, page: u32, index: u32) -> U256 {
        self.0.borrow_mut().push((page, index));
        U256::zero()
    }
}

/// Whether an instruction may read a place of the machine.
pub(super) fn may_read(i: &Instruction, place: &PlacePattern) -> bool {
    match *place {
        // Calls may hand on any of them.
        PlacePattern::Register(Some(index)) => {
            [i.src0, i.src1, i.dst0].contains(&index) || i.opcode.is_far_call()
        }
        PlacePattern::Flag(_) => i.predicate != Predicate::Always,
        PlacePattern::Stack { .. } => matches!(
            i.source,
            Source::StackPop | Source::StackRelative | Source::StackAbsolute
        ),
        PlacePattern::Heap { .. } => matches!(
            i.opcode,
            Opcode::HeapRead
                | Opcode::AuxHeapRead
                | Opcode::StaticRead
                | Opcode::PointerRead
                | Opcode::Precompile
        ),
        PlacePattern::Register(None) | PlacePattern::Storage { .. } | PlacePattern::Transient { .. } => true,
    }
}

/// Whether an opcode uses its first source.
fn reads_src0(i: &Instruction, in_near_frame: bool) -> bool {
    match i.opcode {
        Opcode::Invalid
        | Opcode::Nop
        | Opcode::ContextThis
        | Opcode::ContextCaller
        | Opcode::ContextCodeAddress
        | Opcode::ContextMeta
        | Opcode::ContextErgsLeft
        | Opcode::ContextSp
        | Opcode::ContextGetU128
        | Opcode::ContextAuxMutating0
        | Opcode::ContextIncrementTx
        | Opcode::RetPanic => false,
        // Near frames hand nothing to their caller.
        Opcode::RetOk | Opcode::RetRevert => !in_near_frame,
        _ => true,
    }
}

/// Whether an opcode uses its second source.
const fn reads_src1(opcode: Opcode) -> bool {
    opcode.is_arithmetic()
        || matches!(
            opcode,
            Opcode::PtrAdd
                | Opcode::PtrSub
                | Opcode::PtrPack
                | Opcode::PtrShrink
                | Opcode::StorageWrite
                | Opcode::TransientWrite
                | Opcode::ToL1
                | Opcode::Event
                | Opcode::Precompile
                | Opcode::Decommit
                | Opcode::FarCall
                | Opcode::FarCallDelegate
                | Opcode::FarCallMimic
                | Opcode::HeapWrite
                | Opcode::AuxHeapWrite
                | Opcode::StaticWrite
        )
}

/// Registers that a system call hands to a kernel contract besides those of each call.
pub(crate) const HANDED_ON: Range<u8> = 3..13;

/// Whether an instruction, with this ABI word, is a system call of a kernel contract.
pub(crate) fn hands_on_registers(execution: &Execution, i: &Instruction, abi: Value) -> bool {
    let callee = address_of(execution.register(i.src1).word);
    i.opcode.is_far_call() && asks_for_system_call(abi.word) && is_kernel(callee)
}

/// The highest byte of a far call's ABI word.
fn asks_for_system_call(abi: U256) -> bool {
    abi.byte(31) != 0
}
