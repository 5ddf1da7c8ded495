//! Questions about steps: which ones match a predicate, which one wrote a value, which one reads it next.
//!
//! One predicate serves the command line, breakpoints and watchpoints. [`parse`] reads it:
//!
//! ```text
//! query   = and { "or" and }
//! and     = not { "and" not }
//! not     = "not" not | "(" query ")" | test
//! test    = subject compare NUMBER                   subject: step, tx, pc, depth, ergs, refund, pubdata
//!         | subject "in" NUMBER ".." NUMBER          the last number is not part of the range
//!         | "opcode" NAME                            add, st.1, ret: with or without what follows a dot
//!         | "address" ADDRESS | "this" ADDRESS | "caller" ADDRESS
//!         | "frame" STEP                             within the frame that this step entered
//!         | access place [ "from" NUMBER ] [ "to" NUMBER ]
//!         | "event" [ ADDRESS [ TOPIC ] ] | "log" [ ADDRESS ] | "decommit" [ HASH ]
//!         | "call" [ ADDRESS ] | "return" | "revert" | "panic" [ CAUSE ] | "hook" [ NAME | NUMBER ]
//!         | "warm" | "cold" | "skipped" | "static" | "kernel" | "undone"
//! compare = "<" | "<=" | "=" | "!=" | ">=" | ">"
//! access  = "read" | "write" | "change" | "restore"
//! place   = "register" | REGISTER | "flags" | "lt" | "eq" | "gt"
//!         | "stack" [ SLOT ] [ "of" STEP ]                of the far frame that this step entered
//!         | "heap" [ PAGE [ OFFSET [ ".." OFFSET ] ] ]  bytes; one offset means its 32 bytes
//!         | "storage" [ ADDRESS [ SLOT ] ] | "transient" [ ADDRESS [ SLOT ] ]
//! ```
//!
//! Numbers are decimal (`1200`, `120k`, `1.5M`) or hexadecimal (`0x1f3`). Addresses are hexadecimal, or names of system
//! contracts. A step matches as a whole: `write r1 and refund > 0` is one step that does both.
//!
//! Chunks that cannot match, by their summaries, are not looked at; the others are searched on all cores.

mod access;
mod expr;
mod facts;
mod glimpse;
mod holds;
mod lexer;
mod origin;
mod parser;
pub(crate) mod reads;
mod report;
mod search;
mod skip;

pub use access::{Access, AccessKind, Place, PlacePattern};
pub use expr::{AccessTest, Atom, Expr, Flag, Span, Subject, Verb};
pub use facts::{Effect, Site};
pub use origin::Origin;
pub use parser::{ParseError, parse, parse_place};
pub use report::{EffectReport, HitReport};
pub use search::{Found, Hit, Search, Searched};

use std::fmt;

use eradbg_vm::H160;

use crate::symbols;
use expr::Answer;

/// A predicate with the text that it was read from.
#[derive(Debug, Clone)]
pub struct Query {
    text: String,
    expr: Expr,
}

impl Query {
    /// Reads a predicate.
    ///
    /// # Errors
    /// What is wrong with the text, and at which column.
    pub fn new(text: &str) -> Result<Self, ParseError> {
        Ok(Self {
            text: text.trim().to_owned(),
            expr: parse(text)?,
        })
    }

    /// A stop before an instruction: at a program counter of the code of an address.
    pub fn at(pc: u16, address: H160) -> Self {
        let span = Span {
            least: pc.into(),
            greatest: pc.into(),
        };
        let name = symbols::address_name(address).map_or_else(|| format!("{address:#x}"), ToOwned::to_owned);
        Self {
            text: format!("pc = {pc:#x} and address {name}"),
            expr: Expr::And(vec![
                Expr::Test(Atom::Number(Subject::Pc, span)),
                Expr::Test(Atom::Address(address)),
            ]),
        }
    }

    /// Whether it matches whenever an instruction is about to execute, whatever else is so.
    pub fn is_at(&self, pc: u16, address: H160) -> bool {
        let names_pc = self.expr.any(|atom| matches!(atom, Atom::Number(Subject::Pc, _)));
        let answer = self.expr.answer(&mut |atom| match atom {
            Atom::Number(Subject::Pc, span) => Answer::known(span.has(pc)),
            Atom::Address(wanted) => Answer::known(*wanted == address),
            _ => Answer::Maybe,
        });
        names_pc && answer == Answer::Yes
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The predicate.
    pub fn expr(&self) -> &Expr {
        &self.expr
    }
}

impl PartialEq for Query {
    fn eq(&self, other: &Self) -> bool {
        self.expr == other.expr
    }
}

impl Eq for Query {}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
