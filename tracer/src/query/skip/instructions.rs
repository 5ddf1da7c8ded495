//! Which instructions may match.

use std::sync::Arc;

use eradbg_vm::isa::Destination;
use eradbg_vm::{Instruction, Opcode, Program};
use rustc_hash::FxHashMap;

use crate::index::{CodeAt, Executed, PcSet, Topic, Touched};
use crate::query::access::PlacePattern;
use crate::query::expr::{Answer, Atom, Expr, Subject, Verb};
use crate::query::facts::sets_flags;
use crate::query::holds::is_named;
use crate::query::reads;
use crate::recording::Recording;

/// Instructions that may match, as far as they were asked for.
#[derive(Debug, Default)]
pub(super) struct MayMatch(FxHashMap<(CodeAt, Happened), Judged>);

/// What happened to frames, for all that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Happened {
    /// One failed.
    pub(crate) failure: bool,
    /// A far frame ended.
    pub(crate) far_return: bool,
}

/// What is known of the instructions of some code.
#[derive(Debug, Default)]
struct Judged {
    /// The code, if it can be read.
    program: Option<Arc<Program>>,
    /// Instructions that were judged.
    known: PcSet,
    /// Those of them that may match.
    may_match: PcSet,
}

impl Happened {
    /// By what rows are about; where that is not known, all of it.
    pub(crate) fn among(touched: Option<&Touched>) -> Self {
        let has = |topic| touched.is_none_or(|touched| touched.topics.has(topic));
        Self {
            failure: has(Topic::Failure),
            far_return: has(Topic::Return),
        }
    }
}

impl MayMatch {
    /// Whether one of the instructions may match.
    pub(super) fn may_match(
        &mut self,
        recording: &Recording,
        expr: &Expr,
        executed: &Executed,
        happened: Happened,
    ) -> bool {
        let code = executed.code;
        let judged = self.0.entry((code, happened)).or_insert_with(|| Judged {
            program: recording.program(code.hash).ok(),
            ..Judged::default()
        });
        let program = judged.program.as_deref();
        executed.instructions.words().iter().any(|&(number, bits)| {
            let mut left = bits & !judged.known.word(number);
            if left != 0 {
                judged.known.add(number, left);
            }
            while left != 0 {
                let at = left.trailing_zeros();
                left &= left - 1;
                let pc = number * PcSet::WORD + at as u16;
                let instruction = program.map(|program| program.instruction(pc));
                let answer = expr.answer(&mut |atom| site(atom, code, pc, instruction, happened));
                if answer != Answer::No {
                    judged.may_match.add(number, 1 << at);
                }
            }
            judged.may_match.word(number) & bits != 0
        })
    }
}

/// Whether the panic of a step before, which stands nowhere, may match.
pub(super) fn unplaced_may_match(expr: &Expr, happened: Happened) -> bool {
    happened.failure && expr.answer(&mut |atom| unplaced(atom)) != Answer::No
}

/// What is known of a test from an instruction, where it stands, and what happened in the chunk.
fn site(atom: &Atom, code: CodeAt, pc: u16, instruction: Option<&Instruction>, happened: Happened) -> Answer {
    let with = |test: &dyn Fn(&Instruction) -> Answer| instruction.map_or(Answer::Maybe, test);
    let opcode = |test: &dyn Fn(Opcode) -> bool| with(&|i| Answer::possible(test(i.opcode)));
    match atom {
        Atom::Number(Subject::Pc, span) => Answer::known(span.has(pc)),
        Atom::Address(address) => Answer::known(*address == code.address),
        Atom::Opcode(name) => with(&|i| Answer::known(is_named(i.opcode, name))),
        Atom::Access(test) => with(&|i| {
            Answer::possible(match test.verb {
                Verb::Read => reads::may_read(i, &test.place),
                Verb::Write | Verb::Change | Verb::Restore => may_write(i, &test.place, happened),
            })
        }),
        Atom::Decommit(_) => opcode(&|opcode| opcode.is_far_call() || opcode == Opcode::Decommit),
        Atom::Call(_) => opcode(&Opcode::is_far_call),
        Atom::Return => opcode(&|opcode| opcode == Opcode::RetOk),
        _ => Answer::Maybe,
    }
}

/// What is known of a test of the panic of the step before, which stands nowhere.
fn unplaced(atom: &Atom) -> Answer {
    match atom {
        Atom::Number(Subject::Pc, _) => Answer::No,
        Atom::Opcode(name) => Answer::known(is_named(Opcode::RetPanic, name)),
        _ => Answer::Maybe,
    }
}

/// Whether an instruction, or the panic that it turns into, may write a place of the machine.
fn may_write(i: &Instruction, place: &PlacePattern, happened: Happened) -> bool {
    match *place {
        PlacePattern::Register(index) => {
            let writes = |register| register != 0 && index.is_none_or(|index| register == index);
            let first = i.destination == Destination::Register && writes(i.dst0);
            // Far calls and far returns set all registers.
            let leaves_far_frame = happened.failure || happened.far_return && i.opcode.is_ret();
            first || writes(i.dst1) || i.opcode.is_far_call() || leaves_far_frame
        }
        PlacePattern::Flag(_) => sets_flags(i) || happened.failure,
        PlacePattern::Stack { .. } => i.destination != Destination::Register,
        _ => true,
    }
}
