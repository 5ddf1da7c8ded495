//! From decoded instructions to the functions that execute them.
//!
//! There is a function for each opcode; of those that take full operands there is one for each of the common shapes of
//! src0 and dst0, and for either order of the sources if it matters. Such a function is compiled for its shape, so that
//! nothing is decided in a step that decoding knew. Observers for which that is too much code do with one an opcode.

use std::marker::PhantomData;

use crate::decode::Instruction;
use crate::exec::{Cx, Fault, Next, execute};
use crate::execution::Execution;
use crate::host::Host;
use crate::isa::{Destination, Opcode, Source};
use crate::observer::Observer;

/// Executes an instruction that passed all checks. A fault is left in the last argument, so that the result fits in
/// registers.
pub(crate) type Handler<H, O> =
    fn(&mut Execution, &mut H, &mut O, &Instruction, &mut Option<Fault<<H as Host>::Error>>) -> Next;

/// Handlers of a table: a power of two, so that masking an index replaces the check of it.
pub(crate) const HANDLERS: usize = 1024;

/// Shapes of operands that an opcode may have a function for.
const SHAPES: usize = 16;

/// Where the indices of those functions begin that know their opcode only.
const GENERAL: usize = 50 * SHAPES;

/// What a handler knows of its instructions; `None` where it has to look.
#[derive(Clone, Copy)]
struct Known {
    opcode: Opcode,
    source: Option<Source>,
    destination: Option<Destination>,
    flag1: Option<bool>,
}

/// The index of the handler of instructions with this opcode, these operands, and this flag that swaps the sources.
pub(crate) const fn handler_index(
    opcode: Opcode,
    source: Source,
    destination: Destination,
    flag1: bool,
) -> u16 {
    let source = match source {
        Source::Register => 0,
        Source::Immediate => 1,
        Source::Code => 2,
        Source::StackPop | Source::StackRelative | Source::StackAbsolute => 3,
    };
    let destination = !matches!(destination, Destination::Register) as usize;
    canonical(opcode as usize * SHAPES + source * 4 + destination * 2 + flag1 as usize) as u16
}

/// The handlers for a host and an observer.
pub(crate) struct Table<H, O>(PhantomData<fn(H, O)>);

macro_rules! shapes {
    ($opcode:expr; $($shape:literal)*) => { [$(handle::<H, O, { canonical($opcode * SHAPES + $shape) }>),*] };
}

macro_rules! opcodes {
    ($first:expr; $($next:literal)*) => { [$(shapes!($first + $next; 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)),*] };
}

macro_rules! general {
    ($($tens:literal)*) => { [$(general!(@ $tens; 0 1 2 3 4 5 6 7 8 9)),*] };
    (@ $tens:literal; $($ones:literal)*) => { [$(handle::<H, O, { general($tens * 10 + $ones) }>),*] };
}

macro_rules! ten_opcodes {
    ($first:expr) => { opcodes!($first; 0 1 2 3 4 5 6 7 8 9) };
}

impl<H: Host, O: Observer> Table<H, O> {
    /// Handlers by [`handler_index`].
    pub(crate) const HANDLERS: [Handler<H, O>; HANDLERS] = {
        if O::SPECIALIZES {
            Self::specialized()
        } else {
            Self::general()
        }
    };

    const fn specialized() -> [Handler<H, O>; HANDLERS] {
        let opcodes: [[[Handler<H, O>; SHAPES]; 10]; 5] = [
            ten_opcodes!(0),
            ten_opcodes!(10),
            ten_opcodes!(20),
            ten_opcodes!(30),
            ten_opcodes!(40),
        ];
        let mut handlers: [Handler<H, O>; HANDLERS] = [opcodes[0][0][0]; HANDLERS];
        let mut index = 0;
        while index < Opcode::ALL.len() * SHAPES {
            let opcode = index / SHAPES;
            handlers[index] = opcodes[opcode / 10][opcode % 10][index % SHAPES];
            index += 1;
        }
        handlers
    }

    /// One for each opcode.
    const fn general() -> [Handler<H, O>; HANDLERS] {
        let opcodes: [[Handler<H, O>; 10]; 5] = general!(0 1 2 3 4);
        let mut handlers: [Handler<H, O>; HANDLERS] = [opcodes[0][0]; HANDLERS];
        let mut index = 0;
        while index < Opcode::ALL.len() * SHAPES {
            let opcode = index / SHAPES;
            handlers[index] = opcodes[opcode / 10][opcode % 10];
            index += 1;
        }
        handlers
    }
}

fn handle<H: Host, O: Observer, const INDEX: usize>(
    ex: &mut Execution,
    host: &mut H,
    observer: &mut O,
    i: &Instruction,
    fault: &mut Option<Fault<H::Error>>,
) -> Next {
    let known = const { known(INDEX) };
    let instruction = Instruction {
        opcode: known.opcode,
        source: known.source.unwrap_or(i.source),
        destination: known.destination.unwrap_or(i.destination),
        flag1: known.flag1.unwrap_or(i.flag1),
        ..*i
    };
    match execute(&mut Cx { ex, host, observer }, &instruction) {
        Ok(next) => next,
        Err(cause) => leave_fault(fault, cause),
    }
}

#[cold]
fn leave_fault<E>(place: &mut Option<Fault<E>>, fault: Fault<E>) -> Next {
    *place = Some(fault);
    Next::Fault
}

/// The index that stands for all indices with the same handler.
const fn canonical(index: usize) -> usize {
    let opcode = index / SHAPES;
    if opcode >= Opcode::ALL.len() {
        return 0;
    }
    match operands(Opcode::ALL[opcode]) {
        Operands::Ordered => index,
        Operands::AnyOrder | Operands::OrderedAndRare => index & !1,
        Operands::Source => index & !3,
        Operands::Fixed => opcode * SHAPES,
    }
}

/// The index of the function that knows its opcode only.
const fn general(opcode: usize) -> usize {
    let opcode = if opcode < Opcode::ALL.len() { opcode } else { 0 };
    GENERAL + opcode
}

const fn known(index: usize) -> Known {
    if index >= GENERAL {
        return Known {
            opcode: Opcode::ALL[index - GENERAL],
            source: None,
            destination: None,
            flag1: None,
        };
    }
    let opcode = Opcode::ALL[index / SHAPES];
    let source = match index % SHAPES / 4 {
        0 => Some(Source::Register),
        1 => Some(Source::Immediate),
        2 => Some(Source::Code),
        _ => None,
    };
    let destination = match index / 2 % 2 {
        0 => Some(Destination::Register),
        _ => None,
    };
    let flag1 = match operands(opcode) {
        Operands::Ordered => Some(index % 2 == 1),
        // So that nobody swaps what comes to the same.
        Operands::AnyOrder => Some(false),
        Operands::OrderedAndRare | Operands::Source | Operands::Fixed => None,
    };
    Known {
        opcode,
        source,
        destination,
        flag1,
    }
}

/// Which operands an opcode may address in several ways.
enum Operands {
    /// src0 and dst0, and the sources may change places.
    Ordered,
    /// The same; they look at the order themselves, since they are too rare for so many functions.
    OrderedAndRare,
    /// src0 and dst0; the order of the sources makes no difference.
    AnyOrder,
    /// src0 only.
    Source,
    /// None: all are registers.
    Fixed,
}

const fn operands(opcode: Opcode) -> Operands {
    match opcode {
        Opcode::Sub | Opcode::Shl | Opcode::Shr => Operands::Ordered,
        Opcode::Div
        | Opcode::Rol
        | Opcode::Ror
        | Opcode::PtrAdd
        | Opcode::PtrSub
        | Opcode::PtrPack
        | Opcode::PtrShrink => Operands::OrderedAndRare,
        Opcode::Nop | Opcode::Add | Opcode::Mul | Opcode::Xor | Opcode::And | Opcode::Or => {
            Operands::AnyOrder
        }
        Opcode::Jump
        | Opcode::HeapRead
        | Opcode::HeapWrite
        | Opcode::AuxHeapRead
        | Opcode::AuxHeapWrite
        | Opcode::StaticRead
        | Opcode::StaticWrite => Operands::Source,
        _ => Operands::Fixed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa;

    #[test]
    fn every_variants_handler_knows_nothing_that_is_not_so() {
        for index in 0..isa::TABLE_SIZE {
            let row = isa::variant(index);
            let handler = handler_index(row.opcode, row.source, row.destination, row.flag1);
            let known = known(handler as usize);
            assert_eq!(known.opcode, row.opcode);
            assert!(
                known.source.is_none_or(|source| source == row.source),
                "variant {index:#x}"
            );
            let destination = known.destination;
            assert!(
                destination.is_none_or(|destination| destination == row.destination),
                "variant {index:#x}"
            );
            let order_matters = matches!(operands(row.opcode), Operands::Ordered);
            assert!(
                !order_matters || known.flag1 == Some(row.flag1),
                "variant {index:#x}"
            );
        }
    }
}
