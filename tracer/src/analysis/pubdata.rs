//! The pubdata ledger: what each write adds to what has to be published.

use std::ops::Range;

use eradbg_vm::pubdata::compression::{Operation, compress_value};
use eradbg_vm::state::StorageAccess;
use serde::Serialize;

use crate::analysis::walk::{Told, walk};
use crate::error::Result;
use crate::ledger::StateRow;
use crate::recording::Recording;

/// A write to storage, pubdata that a precompile call declared, or a rollback.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct PubdataRow {
    /// The step.
    pub step: u64,
    /// The transaction that it belongs to, counted from 0.
    pub tx: Option<u32>,
    /// `write`, `precompile`, or `undone` where a failed frame or the operator takes bytes back.
    pub kind: &'static str,
    /// The contract; empty but for writes.
    pub address: String,
    /// The slot; empty but for writes.
    pub slot: String,
    /// `initial` when the chain did not know the slot, `repeated` when it did.
    pub write: &'static str,
    /// Value before the batch.
    pub initial: String,
    /// Value before the write.
    pub old: String,
    /// Value written.
    pub new: String,
    /// How the value is compressed: `add`, `sub`, `transform`, `raw`; `free` where the slot costs nothing, `same` where the
    /// value is that before the batch.
    pub compression: &'static str,
    /// Bytes that the slot takes with this value.
    pub price: u32,
    /// Bytes that were paid for the slot before.
    pub paid: u32,
    /// Bytes added now, negative where less is needed than was paid.
    pub delta: i32,
    /// Bytes of the batch so far.
    pub total: i32,
    /// The step at which it was undone: that of the first frame around it that failed, or the operator's rollback.
    pub undone_at: Option<u64>,
}

/// Hands on the pubdata ledger of some steps in order of time; totals count from the first of them.
///
/// # Errors
/// When rows are damaged, and what `each` says.
pub fn pubdata<E: From<crate::Error>>(
    recording: &Recording,
    steps: Range<u64>,
    each: &mut dyn FnMut(PubdataRow) -> Result<(), E>,
) -> Result<(), E> {
    recording.load_overview();
    let mut total = 0i32;
    walk::<StateRow, E>(recording, steps, &mut |told| {
        let Some(delta) = told.row.row.pubdata() else {
            return Ok(());
        };
        total = total.wrapping_add(delta);
        let row = match &told.row.row {
            StateRow::Storage(access) => of_write(&told, access),
            StateRow::Restored(_) => PubdataRow {
                kind: "undone",
                undone_at: None,
                ..empty(&told)
            },
            _ => PubdataRow {
                kind: "precompile",
                ..empty(&told)
            },
        };
        each(PubdataRow { delta, total, ..row })
    })
}

/// The counter at a position: bytes that the batch has added by then. The recording's overview is loaded.
///
/// # Errors
/// When rows are damaged.
pub fn counter(recording: &Recording, position: u64) -> Result<i32> {
    let (at, state) = recording.state_near(position)?;
    let mut between = 0i32;
    pubdata::<crate::Error>(recording, at.min(position)..at.max(position), &mut |row| {
        between = row.total;
        Ok(())
    })?;
    Ok(if at <= position {
        state.pubdata.wrapping_add(between)
    } else {
        state.pubdata.wrapping_sub(between)
    })
}

fn of_write(told: &Told<'_, StateRow>, access: &StorageAccess) -> PubdataRow {
    let new = access.new.unwrap_or_default();
    let compression = match compress_value(access.initial_value, new).operation {
        _ if access.is_free => "free",
        _ if new == access.initial_value => "same",
        Operation::Raw => "raw",
        Operation::Add => "add",
        Operation::Sub => "sub",
        Operation::Transform => "transform",
    };
    PubdataRow {
        kind: "write",
        address: format!("{:#x}", access.key.address),
        slot: format!("{:#066x}", access.key.key),
        write: if access.is_initial { "initial" } else { "repeated" },
        initial: format!("{:#066x}", access.initial_value),
        old: format!("{:#066x}", access.old),
        new: format!("{new:#066x}"),
        compression,
        price: access.price,
        paid: access.paid_before.unwrap_or(0),
        ..empty(told)
    }
}

fn empty(told: &Told<'_, StateRow>) -> PubdataRow {
    PubdataRow {
        step: told.row.step,
        tx: told.tx,
        undone_at: told.fate.undone_at,
        ..PubdataRow::default()
    }
}
