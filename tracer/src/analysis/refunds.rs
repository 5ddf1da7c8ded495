//! The refund ledger: what each access to storage and each load of code cost, and what was given back.

use std::ops::Range;

use eradbg_vm::isa::{self, Opcode};
use eradbg_vm::state::{Restored, StorageAccess};
use serde::Serialize;

use crate::analysis::loads::{Load, Loads, Outcome};
use crate::analysis::walk::{Told, walk};
use crate::error::Result;
use crate::ledger::StateRow;
use crate::recording::{Fate, Recording};

/// An access to storage, or a load of code.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct RefundRow {
    /// The step.
    pub step: u64,
    /// The transaction that it belongs to, counted from 0.
    pub tx: Option<u32>,
    /// `read`, `write`, `far call` (which reads a code hash), `code` (which a far call loads to run it), `decommit` (which
    /// loads it as data), or `rollback`.
    pub kind: &'static str,
    /// The contract that holds the slot, or whose code is loaded to run it; empty for `decommit`.
    pub address: String,
    /// The slot, or the hash of the code.
    pub slot: String,
    /// What the batch had done with it before: `cold`, `read`, `written`, `free`; of code `cold`, `asked` (and not paid), or
    /// `loaded`; nothing for a rollback, and where no code is asked for.
    pub before: &'static str,
    /// Ergs that it takes before refunds: the opcode's price, that of the code's words, or what `decommit` is told to pay.
    /// 0 for a far call's reading, which is part of the call, and for code that could not be paid.
    pub price: u32,
    /// Ergs that are given back of it, or not charged because the code was loaded before.
    pub refund: u32,
    /// Why as much.
    pub rule: &'static str,
    /// Sum of the batch's refunds for storage so far; a rollback of the operator takes those of its stretch back. What code
    /// loaded before saves is not among the VM's refunds, nor here. Where the rows are of some steps, counted from the first of
    /// them, and negative once a rollback takes more back.
    pub total: i64,
    /// The step at which it was undone: that of the first frame around it that failed, or the operator's rollback.
    pub undone_at: Option<u64>,
    /// Whether the slot stays warm, or the code loaded: it does unless the operator rolls back.
    pub keeps_warm: bool,
}

/// Hands on the refund ledger of some steps in order of time; totals count from the first of them.
///
/// # Errors
/// When rows are damaged, and what `each` says.
pub fn refunds<E: From<crate::Error>>(
    recording: &Recording,
    steps: Range<u64>,
    each: &mut dyn FnMut(RefundRow) -> Result<(), E>,
) -> Result<(), E> {
    recording.load_overview();
    let prices = [Opcode::StorageRead, Opcode::StorageWrite].map(isa::price);
    let mut code = OfCode {
        recording,
        loads: Loads::new(recording, steps.clone()),
        first_asked: None,
    };
    let mut total = 0;
    walk::<StateRow, E>(recording, steps, &mut |told| {
        while let Some(row) = code.next_before(told.row.step)? {
            each(RefundRow { total, ..row })?;
        }
        let row = match &told.row.row {
            StateRow::Storage(access) => {
                total += i64::from(access.refund);
                of_access(&told, access, prices)
            }
            StateRow::Restored(Restored::Refunds(refunds)) => {
                total -= refunds.iter().map(|&refund| i64::from(refund)).sum::<i64>();
                RefundRow {
                    kind: "rollback",
                    rule: "the operator rolls back",
                    ..row(told.row.step, told.tx, told.fate)
                }
            }
            StateRow::Decommit(decommit) => {
                if decommit.before.is_none() {
                    code.first_asked = Some(told.row.step);
                }
                return Ok(());
            }
            _ => return Ok(()),
        };
        each(RefundRow { total, ..row })
    })?;
    while let Some(row) = code.next_before(u64::MAX)? {
        each(RefundRow { total, ..row })?;
    }
    Ok(())
}

/// Rows of loads of code, without totals.
struct OfCode<'a> {
    recording: &'a Recording,
    loads: Loads<'a>,
    /// The last step that asked for code which nobody had asked for before.
    first_asked: Option<u64>,
}

impl OfCode<'_> {
    /// The next load, if it is before a step up to which all rows were seen.
    fn next_before(&mut self, step: u64) -> Result<Option<RefundRow>> {
        let Some(load) = self.loads.next_before(step)? else {
            return Ok(None);
        };
        let Load { step, callee, .. } = load;
        let is_data = callee.is_none();
        let (refund, rule) = match (load.outcome, is_data) {
            (Outcome::Paid, _) => (0, "not loaded before: no refund"),
            (Outcome::Known, false) => (load.price, "loaded before: nothing is charged"),
            (Outcome::Known, true) => (load.price, "loaded before: given back"),
            (Outcome::Unpaid, false) => (0, "not affordable: the call fails"),
            (Outcome::Unpaid, true) => (0, "not affordable: all ergs are burnt"),
            (Outcome::Malformed, _) => (0, "no hash of code"),
        };
        let before = match load.outcome {
            Outcome::Known => "loaded",
            // `decommit` that cannot pay asks for nothing.
            Outcome::Malformed | Outcome::Unpaid if is_data => "",
            _ if self.first_asked == Some(step) => "cold",
            _ => "asked",
        };
        let tx = self.recording.transaction_number_at(step);
        Ok(Some(RefundRow {
            kind: if is_data { "decommit" } else { "code" },
            address: callee.map_or_else(String::new, |callee| format!("{callee:#x}")),
            slot: format!("{:#066x}", load.hash),
            before,
            price: if load.outcome == Outcome::Unpaid {
                0
            } else {
                load.price
            },
            refund,
            rule,
            ..row(step, tx, self.recording.fate_of(step))
        }))
    }
}

fn of_access(told: &Told<'_, StateRow>, access: &StorageAccess, [read, write]: [u32; 2]) -> RefundRow {
    let before = match (access.is_free, access.was_written, access.was_read) {
        (true, ..) => "free",
        (_, true, _) => "written",
        (_, _, true) => "read",
        _ => "cold",
    };
    let (kind, price) = match (access.by_far_call, access.new) {
        (true, _) => ("far call", 0),
        (_, Some(_)) => ("write", write),
        (_, None) => ("read", read),
    };
    let rule = match (kind, before) {
        ("far call", _) => "part of the call's price",
        (_, "cold") => "cold: no refund",
        (_, "free") => "the slot is free",
        ("write", "read") => "first write of a slot that was read",
        ("write", _) => "write of a slot that was written",
        _ => "read of a warm slot",
    };
    RefundRow {
        kind,
        address: format!("{:#x}", access.key.address),
        slot: format!("{:#066x}", access.key.key),
        before,
        price,
        refund: access.refund,
        rule,
        ..row(told.row.step, told.tx, told.fate)
    }
}

/// A row that says only when, and what became of it.
fn row(step: u64, tx: Option<u32>, fate: Fate) -> RefundRow {
    RefundRow {
        step,
        tx,
        undone_at: fate.undone_at,
        keeps_warm: !fate.rolled_back,
        ..RefundRow::default()
    }
}
