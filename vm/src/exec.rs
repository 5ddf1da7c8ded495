//! Semantics of the instructions: the dispatch, and what handlers share. One file a family.

mod arithmetic;
mod context;
mod decommit;
mod dispatch;
mod far_call;
mod jump;
mod log;
mod memory;
mod near_call;
mod operand;
mod pointer;
mod precompile;
mod ret;
mod storage;

pub(crate) use dispatch::{HANDLERS, Table, handler_index};
pub(crate) use ret::panic;

use crate::decode::Instruction;
use crate::execution::Execution;
use crate::host::Host;
use crate::isa::Opcode;
use crate::observer::Observer;
use crate::outcome::{PanicCause, RetKind};
use crate::value::Value;

/// What a handler works on.
pub(crate) struct Cx<'a, H, O> {
    pub(crate) ex: &'a mut Execution,
    pub(crate) host: &'a mut H,
    pub(crate) observer: &'a mut O,
}

/// Where the machine goes on.
#[derive(Debug)]
pub(crate) enum Next {
    /// At the next instruction.
    Continue,
    /// At this instruction of the same program: the frame's program counter, so that the loop need not wait for memory.
    Jump(u16),
    /// At the program counter of another far frame, or of one in which other restrictions hold.
    OtherFrame,
    /// After the operator has answered the hook that was written.
    Suspend,
    /// Nowhere: the root frame ended, as the execution says.
    End,
    /// It did not do its work.
    Fault,
}

/// Why a handler did not finish.
#[derive(Debug)]
pub(crate) enum Fault<E> {
    /// The program's fault: the next step is a panic.
    Panic(PanicCause),
    /// The host has no answer: the step did not happen. Boxed, so that the result of a handler fits in registers.
    Outside(Box<E>),
}

/// Result of a handler.
pub(crate) type Done<E> = Result<Next, Fault<E>>;

impl<E> Fault<E> {
    /// A host that has no answer.
    #[cold]
    pub(crate) fn outside(error: E) -> Self {
        Self::Outside(Box::new(error))
    }
}

impl<E> From<PanicCause> for Fault<E> {
    fn from(cause: PanicCause) -> Self {
        Self::Panic(cause)
    }
}

/// Executes an instruction of which the caller knows the opcode while it is compiled.
#[inline(always)]
fn execute<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, i: &Instruction) -> Done<H::Error> {
    match i.opcode {
        Opcode::Invalid => unreachable!("an invalid instruction is turned into a panic before"),
        Opcode::Nop => arithmetic::nop(cx, i),
        Opcode::Add => arithmetic::add(cx, i),
        Opcode::Sub => arithmetic::sub(cx, i),
        Opcode::Mul => arithmetic::mul(cx, i),
        Opcode::Div => arithmetic::div(cx, i),
        Opcode::Jump => jump::jump(cx, i),
        Opcode::Xor => arithmetic::bitwise(cx, i, |a, b| a ^ b),
        Opcode::And => arithmetic::bitwise(cx, i, |a, b| a & b),
        Opcode::Or => arithmetic::bitwise(cx, i, |a, b| a | b),
        Opcode::Shl => arithmetic::bitwise(cx, i, |a, b| a << (b.low_u32() & 0xff)),
        Opcode::Shr => arithmetic::bitwise(cx, i, |a, b| a >> (b.low_u32() & 0xff)),
        Opcode::Rol => arithmetic::bitwise(cx, i, |a, b| arithmetic::rotate_left(a, b.low_u32() & 0xff)),
        Opcode::Ror => arithmetic::bitwise(cx, i, |a, b| {
            arithmetic::rotate_left(a, 256 - (b.low_u32() & 0xff))
        }),
        Opcode::PtrAdd => pointer::add(cx, i),
        Opcode::PtrSub => pointer::sub(cx, i),
        Opcode::PtrPack => pointer::pack(cx, i),
        Opcode::PtrShrink => pointer::shrink(cx, i),
        Opcode::NearCall => near_call::near_call(cx, i),
        Opcode::ContextThis => context::this(cx, i),
        Opcode::ContextCaller => context::caller(cx, i),
        Opcode::ContextCodeAddress => context::code_address(cx, i),
        Opcode::ContextMeta => context::meta(cx, i),
        Opcode::ContextErgsLeft => context::ergs_left(cx, i),
        Opcode::ContextSp => context::sp(cx, i),
        Opcode::ContextGetU128 => context::get_u128(cx, i),
        Opcode::ContextSetU128 => context::set_u128(cx, i),
        Opcode::ContextAuxMutating0 => Ok(Next::Continue),
        Opcode::ContextIncrementTx => context::increment_tx_number(cx),
        Opcode::StorageRead => storage::read(cx, i),
        Opcode::StorageWrite => storage::write(cx, i),
        Opcode::TransientRead => storage::transient_read(cx, i),
        Opcode::TransientWrite => storage::transient_write(cx, i),
        Opcode::ToL1 => log::to_l1(cx, i),
        Opcode::Event => log::event(cx, i),
        Opcode::Precompile => precompile::call(cx, i),
        Opcode::Decommit => decommit::decommit(cx, i),
        Opcode::FarCall | Opcode::FarCallDelegate | Opcode::FarCallMimic => far_call::far_call(cx, i),
        Opcode::RetOk => ret::ret(cx, i, RetKind::Ok),
        Opcode::RetRevert => ret::ret(cx, i, RetKind::Revert),
        Opcode::RetPanic => ret::explicit_panic(cx, i),
        Opcode::HeapRead => memory::read(cx, i, memory::Space::Heap),
        Opcode::HeapWrite => memory::write(cx, i, memory::Space::Heap),
        Opcode::AuxHeapRead => memory::read(cx, i, memory::Space::AuxHeap),
        Opcode::AuxHeapWrite => memory::write(cx, i, memory::Space::AuxHeap),
        Opcode::PointerRead => memory::pointer_read(cx, i),
        Opcode::StaticRead => memory::read(cx, i, memory::Space::Static),
        Opcode::StaticWrite => memory::write(cx, i, memory::Space::Static),
    }
}

impl<H: Host, O: Observer> Cx<'_, H, O> {
    /// A register as an operand: outside kernel mode a pointer loses what tells where it points.
    #[inline(always)]
    pub(crate) fn register(&self, index: u8) -> Value {
        self.plain(self.ex.register(index))
    }

    /// A register that may be a pointer.
    #[inline(always)]
    pub(crate) fn pointer_register(&self, index: u8) -> Value {
        self.ex.register(index)
    }

    /// Sets a register.
    #[inline(always)]
    pub(crate) fn set_register(&mut self, index: u8, value: Value) {
        self.ex.set_register(index, value, self.observer);
    }

    #[inline(always)]
    pub(crate) fn plain(&self, value: Value) -> Value {
        if value.is_pointer {
            self.plain_pointer(value)
        } else {
            value
        }
    }

    #[cold]
    fn plain_pointer(&self, value: Value) -> Value {
        if self.ex.frame.is_kernel {
            value
        } else {
            value.without_pointer_metadata()
        }
    }

    /// Takes ergs from the current frame, or all of them when it has too few: then `false`.
    #[inline(always)]
    pub(crate) fn charge(&mut self, ergs: u32) -> bool {
        let left = self.ex.frame.ergs.checked_sub(ergs);
        self.ex.frame.ergs = left.unwrap_or(0);
        left.is_some()
    }
}
