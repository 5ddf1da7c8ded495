//! The rollback ledger: what failed frames and the operator took back.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;

use crate::analysis::walk::walk;
use crate::error::Result;
use crate::ledger::StateRow;
use crate::query::EffectReport;
use crate::recording::Recording;

/// Something that a rollback restored; a rollback that had nothing to restore has one row all the same.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct RollbackRow {
    /// The step that left the frame, or the last one that the operator took back.
    pub step: u64,
    /// The transaction that it belongs to, counted from 0.
    pub tx: Option<u32>,
    /// `revert` or `panic` of a frame, or `operator`.
    pub kind: &'static str,
    /// Why the frame panicked: the short name of the cause.
    pub cause: &'static str,
    /// Whose frame failed; empty for the operator.
    pub by: String,
    /// The first step that was undone.
    pub since: u64,
    /// How many steps of work were undone.
    pub steps: u64,
    /// What was restored: a place, or how many of what; empty for nothing.
    pub what: String,
    /// Value before the rollback.
    pub from: Option<String>,
    /// Value after it.
    pub to: Option<String>,
    /// Bytes of pubdata that it took back, as a difference.
    pub pubdata: Option<i32>,
}

/// Hands on the rollback ledger of some steps in order of time.
///
/// # Errors
/// When rows are damaged, and what `each` says.
pub fn rollbacks<E: From<crate::Error>>(
    recording: &Recording,
    steps: Range<u64>,
    each: &mut dyn FnMut(RollbackRow) -> Result<(), E>,
) -> Result<(), E> {
    recording.load_overview();
    let mut restored: BTreeMap<u64, Vec<EffectReport>> = BTreeMap::new();
    walk::<StateRow, crate::Error>(recording, steps.clone(), &mut |told| {
        if let StateRow::Restored(what) = &told.row.row {
            let at = restored.entry(told.row.step).or_default();
            at.push(EffectReport::of_restored(what));
        }
        Ok(())
    })?;
    let mut causes = causes(recording);
    causes.retain(|row| steps.contains(&row.step));
    causes.sort_by_key(|row| row.step);
    for cause in causes {
        let restored = restored.remove(&cause.step).unwrap_or_default();
        if restored.is_empty() {
            each(cause.clone())?;
        }
        for what in restored {
            each(RollbackRow {
                what: what.at,
                from: what.old,
                to: what.new,
                pubdata: what.pubdata,
                ..cause.clone()
            })?;
        }
    }
    Ok(())
}

/// Frames that failed, and rollbacks of the operator, each without what it restored.
fn causes(recording: &Recording) -> Vec<RollbackRow> {
    let tx = |step| recording.transaction_number_at(step);
    // What the outermost frame did is the operator's to take back.
    let inner = recording
        .failures()
        .iter()
        .filter(|failure| !recording.ends_with(failure));
    let frames = inner.map(|failure| RollbackRow {
        step: failure.step,
        tx: tx(failure.step),
        kind: if failure.cause.is_some() {
            "panic"
        } else {
            "revert"
        },
        cause: failure.cause.map_or("", eradbg_vm::PanicCause::name),
        by: format!("{:#x}", failure.address),
        since: failure.entered_at,
        steps: failure.step - failure.entered_at,
        ..RollbackRow::default()
    });
    let of_operator = recording.undone().iter().map(|range| {
        let step = range.end_step.saturating_sub(1);
        RollbackRow {
            step,
            tx: tx(step),
            kind: "operator",
            since: range.first_step,
            steps: range.end_step - range.first_step,
            ..RollbackRow::default()
        }
    });
    frames.chain(of_operator).collect()
}
