//! Rows in order of time, with the transaction that each belongs to and what became of it.

use std::ops::Range;

use crate::error::Result;
use crate::ledger::{Row, Timed};
use crate::recording::{Fate, Recording};

/// A row of a ledger.
#[derive(Debug)]
pub(super) struct Told<'a, R> {
    /// The row, with its step.
    pub(super) row: &'a Timed<R>,
    /// The transaction that it belongs to.
    pub(super) tx: Option<u32>,
    /// What became of what it did.
    pub(super) fate: Fate,
}

/// Hands on the rows of a kind whose time is within some steps. The recording's overview is loaded.
///
/// # Errors
/// When rows are damaged, and what `each` says.
pub(super) fn walk<R: Row, E: From<crate::Error>>(
    recording: &Recording,
    steps: Range<u64>,
    each: &mut dyn FnMut(Told<'_, R>) -> Result<(), E>,
) -> Result<(), E> {
    for block in recording.blocks_of(&steps) {
        for row in recording
            .rows::<R>(block)?
            .iter()
            .filter(|row| steps.contains(&row.step))
        {
            each(Told {
                row,
                tx: recording.transaction_number_at(row.step),
                fate: recording.fate_of(row.step),
            })?;
        }
    }
    Ok(())
}
