//! Whether a test holds of a step.

use std::sync::OnceLock;

use eradbg_vm::U256;
use eradbg_vm::outcome::RetKind;
use eradbg_vm::state::StorageAccess;

use crate::ledger::{CallRow, FailureRow, StateRow};
use crate::query::access::{Access, AccessKind, PlacePattern};
use crate::query::expr::{AccessTest, Answer, Atom, Expr, Span, Subject, Verb};
use crate::query::facts::{Facts, Site};
use crate::recording::Recording;

/// When steps were: what no chunk tells by itself.
#[derive(Debug)]
pub(super) struct Times<'a> {
    recording: &'a Recording,
    /// Steps that are taken back later, as ranges without overlap, ascending; put together when someone asks.
    undone: OnceLock<Vec<(u64, u64)>>,
}

impl<'a> Times<'a> {
    /// Of a recording whose overview is loaded.
    pub(super) fn new(recording: &'a Recording) -> Self {
        Self {
            recording,
            undone: OnceLock::new(),
        }
    }

    /// Whether the steps from `first` to `last`, both included, are undone: all, some, or none of them.
    pub(super) fn undone(&self, first: u64, last: u64) -> Answer {
        let undone = self.undone.get_or_init(|| self.undone_ranges());
        let at = undone.partition_point(|&(_, end)| end <= first);
        match undone.get(at) {
            Some(&(start, end)) if start <= first && last < end => Answer::Yes,
            Some(&(start, _)) if start <= last => Answer::Maybe,
            _ => Answer::No,
        }
    }

    fn undone_ranges(&self) -> Vec<(u64, u64)> {
        // What the root frame did is the operator's to take back.
        let is_root = |failure: &&FailureRow| failure.entered_at == 0 && !failure.is_near;
        let failed = self
            .recording
            .failures()
            .iter()
            .filter(|failure| !is_root(failure))
            .map(|failure| (failure.entered_at, failure.step));
        let rolled_back = self
            .recording
            .undone()
            .iter()
            .map(|range| (range.first_step, range.end_step));
        let mut all: Vec<_> = failed.chain(rolled_back).collect();
        all.sort_unstable();
        let mut undone: Vec<(u64, u64)> = Vec::new();
        for (start, end) in all {
            match undone.last_mut() {
                Some(last) if start <= last.1 => last.1 = last.1.max(end),
                _ => undone.push((start, end)),
            }
        }
        undone
    }

    /// Numbers of the transactions that some of these steps belong to; `None` outside of all.
    pub(super) fn transactions(&self, first: u64, last: u64) -> Option<(u32, u32)> {
        let all = self.recording.transactions();
        let start = all.partition_point(|row| row.first_step + row.steps <= first);
        let end = all.partition_point(|row| row.first_step <= last);
        (start < end).then(|| (all[start].index, all[end - 1].index))
    }

    /// The transaction that a step belongs to.
    pub(super) fn transaction(&self, step: u64) -> Option<u32> {
        self.transactions(step, step).map(|(first, _)| first)
    }
}

/// Whether a predicate holds of a step.
pub(super) fn holds(expr: &Expr, facts: &Facts<'_>, times: &Times<'_>) -> bool {
    expr.answer(&mut |atom| Answer::known(atom_holds(atom, facts, times))) == Answer::Yes
}

/// Whether an access is what a test asks for.
pub(super) fn access_matches(test: &AccessTest, access: &Access) -> bool {
    let is_asked = match test.verb {
        Verb::Read => access.kind == AccessKind::Read,
        Verb::Write => matches!(access.kind, AccessKind::Write | AccessKind::Operator),
        Verb::Change => access.changes(),
        Verb::Restore => access.kind == AccessKind::Restore,
    };
    if !is_asked || !test.place.has(&access.place) {
        return false;
    }
    let value = |value: Option<eradbg_vm::Value>| value.map(|value| value.word);
    let (mut old, mut new) = (value(access.old), value(access.new));
    if let PlacePattern::Flag(Some(flag)) = test.place {
        let bit = |word: U256| U256::from(u8::from(word.low_u32() as u8 & flag.bit() != 0));
        (old, new) = (old.map(bit), new.map(bit));
        if test.verb == Verb::Change && old == new {
            return false;
        }
    }
    test.from.is_none_or(|wanted| old == Some(wanted)) && test.to.is_none_or(|wanted| new == Some(wanted))
}

fn atom_holds(atom: &Atom, facts: &Facts<'_>, times: &Times<'_>) -> bool {
    let rows = &facts.rows;
    let site = |test: &dyn Fn(&Site) -> bool| facts.site.is_some_and(test);
    let returned = |wanted: RetKind| {
        let mut calls = rows.calls.iter();
        calls.any(|row| matches!(row.row, CallRow::Left { kind, .. } if kind == wanted))
    };
    let storage = |test: &dyn Fn(&StorageAccess) -> bool| {
        let mut rows = rows.state.iter();
        rows.any(|row| matches!(&row.row, StateRow::Storage(access) if test(access)))
    };
    match atom {
        Atom::Number(subject, span) => number_holds(*subject, *span, facts, times),
        Atom::Opcode(name) => site(&|site| is_named(site.instruction.opcode, name)),
        Atom::Address(address) => site(&|site| site.address == *address),
        Atom::This(address) => site(&|site| site.this == *address),
        Atom::Caller(address) => site(&|site| site.caller == *address),
        Atom::Frame(entered_at) => facts.frames.contains(entered_at),
        Atom::Skipped => site(&|site| site.skipped),
        Atom::Static => site(&|site| site.is_static),
        Atom::Kernel => site(&|site| site.is_kernel),
        Atom::Access(test) => {
            facts.accesses.iter().any(|access| access_matches(test, access))
                || test.place.is_in_rows() && rows.accesses().any(|access| access_matches(test, &access))
        }
        Atom::Event(address, topic) => rows.state.iter().any(|row| match &row.row {
            StateRow::Event(event) => {
                address.is_none_or(|address| address == event.address)
                    && topic.is_none_or(|topic| topic == event.key || topic == event.value)
            }
            _ => false,
        }),
        Atom::Log(address) => rows.state.iter().any(|row| match &row.row {
            StateRow::Log(log) => address.is_none_or(|address| address == log.address),
            _ => false,
        }),
        Atom::Decommit(hash) => rows.state.iter().any(|row| match &row.row {
            StateRow::Decommit(decommit) => hash.is_none_or(|hash| hash == decommit.hash),
            _ => false,
        }),
        Atom::Call(address) => rows.calls.iter().any(|row| match row.row {
            CallRow::Entered { code_address, .. } => address.is_none_or(|address| address == code_address),
            CallRow::Left { .. } => false,
        }),
        Atom::Return => returned(RetKind::Ok),
        Atom::Revert => rows.failures.iter().any(|row| row.row.kind == RetKind::Revert),
        Atom::Panic(cause) => rows.failures.iter().any(|row| {
            row.row.kind == RetKind::Panic && cause.is_none_or(|cause| row.row.cause == Some(cause))
        }),
        Atom::Hook(hook) => rows
            .hook()
            .is_some_and(|(id, _)| hook.is_none_or(|hook| hook as u32 == id)),
        Atom::Warm => storage(&|access| access.was_read || access.was_written),
        Atom::Cold => storage(&|access| !access.was_read && !access.was_written),
        Atom::Undone => times.undone(facts.step, facts.step) == Answer::Yes,
    }
}

fn number_holds(subject: Subject, span: Span, facts: &Facts<'_>, times: &Times<'_>) -> bool {
    let mut state = facts.rows.state.iter();
    match subject {
        Subject::Step => span.has(facts.step),
        Subject::Transaction => times
            .transaction(facts.step)
            .is_some_and(|transaction| span.has(transaction)),
        Subject::Pc => facts.site.and_then(|site| site.pc).is_some_and(|pc| span.has(pc)),
        Subject::Depth => facts.site.is_some_and(|site| span.has(site.depth)),
        Subject::Ergs => facts.site.is_some_and(|site| span.has(site.ergs)),
        Subject::Refund => state.any(|row| match &row.row {
            StateRow::Storage(access) => !access.by_far_call && span.has(access.refund),
            _ => false,
        }),
        Subject::Pubdata => state.any(|row| match &row.row {
            StateRow::Storage(access) => access.new.is_some() && span.has(access.pubdata),
            StateRow::Pubdata(bytes) => span.has(*bytes),
            _ => false,
        }),
    }
}

/// Whether a name means an opcode: its name or mnemonic, whole or up to a dot.
pub(super) fn is_named(opcode: eradbg_vm::Opcode, name: &str) -> bool {
    [opcode.mnemonic(), opcode.name()].iter().any(|full| {
        full.strip_prefix(name)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}
