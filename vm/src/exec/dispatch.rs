//! From decoded instructions to the functions that execute them.
//!
//! There is a function for each opcode; of those that take full operands there is one for each of the common shapes of
//! src0 and dst0. Such a function is compiled for its shape, so that nothing is decided in a step that decoding knew.

use std::marker::PhantomData;

use crate::decode::Instruction;
use crate::exec::{Cx, Done, execute};
use crate::execution::Execution;
use crate::host::Host;
use crate::isa::{Destination, Opcode, Source};
use crate::observer::Observer;

/// Executes an instruction that passed all checks.
pub(crate) type Handler<H, O> = fn(&mut Execution, &mut H, &mut O, &Instruction) -> Done<<H as Host>::Error>;

/// Handlers of a table: a power of two, so that masking an index replaces the check of it.
pub(crate) const HANDLERS: usize = 512;

/// Shapes of operands that an opcode may have a function for.
const SHAPES: usize = 8;

/// What a handler knows of its instructions; `None` where it has to look.
#[derive(Clone, Copy)]
struct Known {
    opcode: Opcode,
    source: Option<Source>,
    destination: Option<Destination>,
}

/// The index of the handler of instructions with this opcode and these operands.
pub(crate) const fn handler_index(opcode: Opcode, source: Source, destination: Destination) -> u16 {
    let source = match source {
        Source::Register => 0,
        Source::Immediate => 1,
        Source::Code => 2,
        Source::StackPop | Source::StackRelative | Source::StackAbsolute => 3,
    };
    let destination = !matches!(destination, Destination::Register) as usize;
    canonical(opcode as usize * SHAPES + source * 2 + destination) as u16
}

/// The handlers for a host and an observer.
pub(crate) struct Table<H, O>(PhantomData<fn(H, O)>);

macro_rules! sixteen {
    ($base:expr) => {
        [
            handle::<H, O, { canonical($base) }>,
            handle::<H, O, { canonical($base + 1) }>,
            handle::<H, O, { canonical($base + 2) }>,
            handle::<H, O, { canonical($base + 3) }>,
            handle::<H, O, { canonical($base + 4) }>,
            handle::<H, O, { canonical($base + 5) }>,
            handle::<H, O, { canonical($base + 6) }>,
            handle::<H, O, { canonical($base + 7) }>,
            handle::<H, O, { canonical($base + 8) }>,
            handle::<H, O, { canonical($base + 9) }>,
            handle::<H, O, { canonical($base + 10) }>,
            handle::<H, O, { canonical($base + 11) }>,
            handle::<H, O, { canonical($base + 12) }>,
            handle::<H, O, { canonical($base + 13) }>,
            handle::<H, O, { canonical($base + 14) }>,
            handle::<H, O, { canonical($base + 15) }>,
        ]
    };
}

impl<H: Host, O: Observer> Table<H, O> {
    /// Handlers by [`handler_index`].
    pub(crate) const HANDLERS: [Handler<H, O>; HANDLERS] = {
        let rows: [[Handler<H, O>; 16]; 25] = [
            sixteen!(0),
            sixteen!(16),
            sixteen!(32),
            sixteen!(48),
            sixteen!(64),
            sixteen!(80),
            sixteen!(96),
            sixteen!(112),
            sixteen!(128),
            sixteen!(144),
            sixteen!(160),
            sixteen!(176),
            sixteen!(192),
            sixteen!(208),
            sixteen!(224),
            sixteen!(240),
            sixteen!(256),
            sixteen!(272),
            sixteen!(288),
            sixteen!(304),
            sixteen!(320),
            sixteen!(336),
            sixteen!(352),
            sixteen!(368),
            sixteen!(384),
        ];
        let mut handlers: [Handler<H, O>; HANDLERS] = [rows[0][0]; HANDLERS];
        let mut index = 0;
        while index < Opcode::ALL.len() * SHAPES {
            handlers[index] = rows[index / 16][index % 16];
            index += 1;
        }
        handlers
    };
}

fn handle<H: Host, O: Observer, const INDEX: usize>(
    ex: &mut Execution,
    host: &mut H,
    observer: &mut O,
    i: &Instruction,
) -> Done<H::Error> {
    let known = const { known(INDEX) };
    let instruction = Instruction {
        opcode: known.opcode,
        source: known.source.unwrap_or(i.source),
        destination: known.destination.unwrap_or(i.destination),
        ..*i
    };
    execute(&mut Cx { ex, host, observer }, &instruction)
}

/// The index that stands for all indices with the same handler.
const fn canonical(index: usize) -> usize {
    let opcode = index / SHAPES;
    if opcode >= Opcode::ALL.len() {
        return 0;
    }
    match operands(Opcode::ALL[opcode]) {
        Operands::Full => index,
        Operands::Source => index & !1,
        Operands::Fixed => opcode * SHAPES,
    }
}

const fn known(index: usize) -> Known {
    let opcode = Opcode::ALL[index / SHAPES];
    let source = match index % SHAPES / 2 {
        0 => Some(Source::Register),
        1 => Some(Source::Immediate),
        2 => Some(Source::Code),
        _ => None,
    };
    let destination = if index.is_multiple_of(2) {
        Some(Destination::Register)
    } else {
        None
    };
    Known {
        opcode,
        source,
        destination,
    }
}

/// Which operands an opcode may address in several ways.
enum Operands {
    /// src0 and dst0.
    Full,
    /// src0 only.
    Source,
    /// None: all are registers.
    Fixed,
}

const fn operands(opcode: Opcode) -> Operands {
    match opcode {
        Opcode::Nop
        | Opcode::Add
        | Opcode::Sub
        | Opcode::Mul
        | Opcode::Div
        | Opcode::Xor
        | Opcode::And
        | Opcode::Or
        | Opcode::Shl
        | Opcode::Shr
        | Opcode::Rol
        | Opcode::Ror
        | Opcode::PtrAdd
        | Opcode::PtrSub
        | Opcode::PtrPack
        | Opcode::PtrShrink => Operands::Full,
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
            let handler = handler_index(row.opcode, row.source, row.destination);
            let known = known(handler as usize);
            assert_eq!(known.opcode, row.opcode);
            assert!(
                known.source.is_none_or(|source| source == row.source),
                "variant {index:#x}"
            );
            assert!(
                known
                    .destination
                    .is_none_or(|destination| destination == row.destination),
                "variant {index:#x}"
            );
        }
    }

    #[test]
    fn the_table_has_room_for_all_opcodes() {
        assert!(Opcode::ALL.len() * SHAPES <= 25 * 16);
    }
}
