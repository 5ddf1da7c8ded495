//! Predicates over steps.

use eradbg_vm::bootloader::Hook;
use eradbg_vm::outcome::PanicCause;
use eradbg_vm::{Flags, H160, U256};

use crate::query::access::PlacePattern;

/// A predicate over a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expr {
    /// All of them hold.
    And(Vec<Self>),
    /// One of them holds.
    Or(Vec<Self>),
    /// It does not hold.
    Not(Box<Self>),
    /// A single test.
    Test(Atom),
}

/// A single test of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Atom {
    /// A number lies in a range.
    Number(Subject, Span),
    /// The instruction has this name, or mnemonic up to a dot.
    Opcode(String),
    /// The code that runs belongs to the address.
    Address(H160),
    /// The frame works on the storage of the address.
    This(H160),
    /// The frame's caller is the address.
    Caller(H160),
    /// The step lies within the frame that this step entered.
    Frame(u64),
    /// The predicate of the instruction does not hold.
    Skipped,
    /// The frame is static.
    Static,
    /// The frame runs in kernel mode.
    Kernel,
    /// The step does something to a place.
    Access(AccessTest),
    /// A piece of an event: of an address, with a first topic.
    Event(Option<H160>, Option<U256>),
    /// An L2->L1 log: of an address.
    Log(Option<H160>),
    /// Code is asked for.
    Decommit(Option<U256>),
    /// A far call enters code of an address.
    Call(Option<H160>),
    /// A far frame returns without failure.
    Return,
    /// A near or far frame reverts.
    Revert,
    /// A near or far frame panics.
    Panic(Option<PanicCause>),
    /// The bootloader calls a hook.
    Hook(Option<Hook>),
    /// A storage access of a slot that was accessed before.
    Warm,
    /// A storage access of a slot that was not.
    Cold,
    /// What the step does to the chain's state is taken back later.
    Undone,
}

/// What a number says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The step.
    Step,
    /// The transaction, counted from 0.
    Transaction,
    /// The program counter.
    Pc,
    /// Near and far frames.
    Depth,
    /// Ergs of the frame before the step.
    Ergs,
    /// Ergs refunded of a storage access.
    Refund,
    /// Pubdata bytes that the step adds, or takes away below zero.
    Pubdata,
}

/// Numbers from one to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The least.
    pub least: i64,
    /// The greatest.
    pub greatest: i64,
}

/// A test of what a step does to a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessTest {
    /// What it does.
    pub verb: Verb,
    /// To which places.
    pub place: PlacePattern,
    /// Value before.
    pub from: Option<U256>,
    /// Value after.
    pub to: Option<U256>,
}

/// What a step does to a place, as queries name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// It reads it.
    Read,
    /// It, or the operator after it, writes it.
    Write,
    /// It leaves another value there.
    Change,
    /// It gives it an older value back.
    Restore,
}

/// One of the flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// LT.
    Less,
    /// EQ.
    Equal,
    /// GT.
    Greater,
}

/// What is known of the answer to a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    /// It does not hold.
    No,
    /// It may.
    Maybe,
    /// It holds.
    Yes,
}

impl Expr {
    /// What is known of the whole when this is known of its tests.
    pub fn answer(&self, test: &mut dyn FnMut(&Atom) -> Answer) -> Answer {
        match self {
            Self::And(parts) => {
                let mut all = Answer::Yes;
                for part in parts {
                    all = all.min(part.answer(test));
                    if all == Answer::No {
                        break;
                    }
                }
                all
            }
            Self::Or(parts) => {
                let mut any = Answer::No;
                for part in parts {
                    any = any.max(part.answer(test));
                    if any == Answer::Yes {
                        break;
                    }
                }
                any
            }
            Self::Not(part) => match part.answer(test) {
                Answer::No => Answer::Yes,
                Answer::Maybe => Answer::Maybe,
                Answer::Yes => Answer::No,
            },
            Self::Test(atom) => test(atom),
        }
    }

    /// Calls `f` with each test.
    pub fn for_each<'a>(&'a self, f: &mut dyn FnMut(&'a Atom)) {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.for_each(f)),
            Self::Not(part) => part.for_each(f),
            Self::Test(atom) => f(atom),
        }
    }

    /// Whether a test that `f` picks is in it.
    pub fn any(&self, f: impl Fn(&Atom) -> bool) -> bool {
        let mut found = false;
        self.for_each(&mut |atom| found |= f(atom));
        found
    }
}

impl Answer {
    /// `Yes` or `No`.
    pub const fn known(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }

    /// `Maybe` or `No`.
    pub const fn possible(possible: bool) -> Self {
        if possible { Self::Maybe } else { Self::No }
    }
}

impl Span {
    /// All numbers.
    pub const ALL: Self = Self {
        least: i64::MIN,
        greatest: i64::MAX,
    };

    /// Whether a number lies in it.
    pub fn has(self, number: impl TryInto<i64>) -> bool {
        number
            .try_into()
            .is_ok_and(|number| self.least <= number && number <= self.greatest)
    }

    /// Whether one of the numbers from `least` to `greatest`, both included, can lie in it.
    pub fn meets(self, least: i64, greatest: i64) -> bool {
        self.least <= greatest && least <= self.greatest
    }
}

impl Flag {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Less, Self::Equal, Self::Greater];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Less => "lt",
            Self::Equal => "eq",
            Self::Greater => "gt",
        }
    }

    /// Its bit in [`Flags::bits`].
    pub const fn bit(self) -> u8 {
        match self {
            Self::Less => Flags::LESS,
            Self::Equal => Flags::EQUAL,
            Self::Greater => Flags::GREATER,
        }
    }
}

impl Atom {
    /// Whether rows, and when the step was, tell all about it.
    pub const fn is_in_rows(&self) -> bool {
        match self {
            Self::Number(subject, _) => matches!(
                subject,
                Subject::Step | Subject::Transaction | Subject::Refund | Subject::Pubdata
            ),
            Self::Access(test) => test.place.is_in_rows(),
            Self::Opcode(_)
            | Self::Address(_)
            | Self::This(_)
            | Self::Caller(_)
            | Self::Frame(_)
            | Self::Skipped
            | Self::Static
            | Self::Kernel => false,
            Self::Event(..)
            | Self::Log(_)
            | Self::Decommit(_)
            | Self::Call(_)
            | Self::Return
            | Self::Revert
            | Self::Panic(_)
            | Self::Hook(_)
            | Self::Warm
            | Self::Cold
            | Self::Undone => true,
        }
    }

    /// Whether it follows from when the step was.
    pub const fn is_about_time(&self) -> bool {
        matches!(
            self,
            Self::Number(Subject::Step | Subject::Transaction, _) | Self::Undone
        )
    }
}
