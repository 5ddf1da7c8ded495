//! The refund ledger: what each access to storage and each load of code cost, and what was given back.

use std::ops::Range;

use eradbg_vm::code_hash::CodeHash;
use eradbg_vm::isa::{self, Opcode};
use eradbg_vm::state::{Restored, StorageAccess};
use serde::Serialize;

use crate::analysis::walk::{Told, walk};
use crate::error::Result;
use crate::ledger::StateRow;
use crate::recording::Recording;

/// An access to storage, or a load of code.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct RefundRow {
    /// The step.
    pub step: u64,
    /// The transaction that it belongs to, counted from 0.
    pub tx: Option<u32>,
    /// `read`, `write`, `far call` (which reads a code hash), `code asked`, `code loaded`, or `rollback`.
    pub kind: &'static str,
    /// The contract; empty for code.
    pub address: String,
    /// The slot, or the hash of the code.
    pub slot: String,
    /// What the batch had done with it before: `cold`, `read`, `written`, `free`, or nothing for a rollback.
    pub before: &'static str,
    /// Ergs that were charged for it: the opcode's price, or that of the code's words. A far call's reading is part of the
    /// call's price.
    pub price: u32,
    /// Ergs given back of it.
    pub refund: u32,
    /// Why as much.
    pub rule: &'static str,
    /// Sum of the refunds of the batch so far; a rollback of the operator takes those of its stretch back.
    pub total: u64,
    /// The step at which it was undone: that of the first frame around it that failed, or the operator's rollback.
    pub undone_at: Option<u64>,
    /// Whether the slot stays warm: it does unless the operator rolls back.
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
    let mut total = 0;
    walk::<StateRow, E>(recording, steps, &mut |told| {
        let row = match &told.row.row {
            StateRow::Storage(access) => {
                total += u64::from(access.refund);
                of_access(&told, access, prices)
            }
            StateRow::Decommit(decommit) => RefundRow {
                kind: if decommit.page.is_some() {
                    "code loaded"
                } else {
                    "code asked"
                },
                slot: format!("{:#066x}", decommit.hash),
                before: if decommit.before.flatten().is_some() {
                    "loaded"
                } else {
                    "cold"
                },
                price: match (
                    decommit.page,
                    decommit.before.flatten(),
                    CodeHash::parse(decommit.hash),
                ) {
                    (Some(_), None, Some(hash)) => isa::ERGS_PER_CODE_WORD * u32::from(hash.length_field()),
                    _ => 0,
                },
                ..empty(&told)
            },
            StateRow::Restored(Restored::Refunds(refunds)) => {
                total -= refunds.iter().map(|&refund| u64::from(refund)).sum::<u64>();
                RefundRow {
                    kind: "rollback",
                    rule: "the operator rolls back",
                    ..empty(&told)
                }
            }
            _ => return Ok(()),
        };
        each(RefundRow { total, ..row })
    })
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
        ..empty(told)
    }
}

fn empty(told: &Told<'_, StateRow>) -> RefundRow {
    RefundRow {
        step: told.row.step,
        tx: told.tx,
        undone_at: told.fate.undone_at,
        keeps_warm: !told.fate.rolled_back,
        ..RefundRow::default()
    }
}
