//! What was undone in a transaction: each rollback with what it restored, and what survived it.

use std::collections::BTreeSet;

use super::{Line, Mark, name_of, steps_of, trimmed};
use crate::analysis::rollbacks::{RollbackRow, rollbacks};
use crate::analysis::walk::walk;
use crate::error::{Error, Result};
use crate::ledger::StateRow;
use crate::numbers::grouped;
use crate::recording::Recording;

pub(super) fn lines(recording: &Recording, tx: u32) -> Result<Vec<Line>> {
    let mut rows = Vec::new();
    rollbacks::<Error>(recording, steps_of(recording, tx)?, &mut |row| {
        rows.push(row);
        Ok(())
    })?;
    let mut lines = Vec::new();
    for undone in rows.chunk_by(|a, b| (a.step, a.kind, a.since) == (b.step, b.kind, b.since)) {
        let cause = &undone[0];
        let line = Line::at(cause.step, 0, text_of_cause(recording, cause));
        lines.push(
            line.marked(Mark::Failed, cause.kind != "operator")
                .marked(Mark::Undone, cause.kind == "operator"),
        );
        let began = format!("it began at step {}", grouped(cause.since));
        lines.push(Line::at(cause.since, 1, began));
        let restored = undone.iter().filter(|row| !row.what.is_empty());
        lines.extend(restored.map(|row| Line::at(row.step, 1, text_of_restored(recording, row))));
        let kept = if cause.kind == "operator" {
            "nothing survived: refunds, warm marks and loaded code were taken back too".to_owned()
        } else {
            kept(recording, cause)?
        };
        lines.push(Line::plain(1, kept));
    }
    if lines.is_empty() {
        lines.push(Line::plain(0, "nothing was undone".to_owned()));
    }
    Ok(lines)
}

fn text_of_cause(recording: &Recording, row: &RollbackRow) -> String {
    let steps = format!("{} steps of work undone", grouped(row.steps));
    let by = name_of(recording, &row.by);
    match row.kind {
        "operator" => format!("the operator rolled back: {steps}"),
        "panic" => format!("{by} panicked ({}): {steps}", row.cause),
        _ => format!("{by} reverted: {steps}"),
    }
}

fn text_of_restored(recording: &Recording, row: &RollbackRow) -> String {
    let values = match (&row.from, &row.to) {
        (Some(from), Some(to)) => format!(" {} -> {}", trimmed(from), trimmed(to)),
        (_, Some(to)) => format!(" -> {}", trimmed(to)),
        (Some(from), None) => format!(" {} is gone", trimmed(from)),
        _ => String::new(),
    };
    let pubdata = row
        .pubdata
        .map_or_else(String::new, |bytes| format!(" {bytes} bytes"));
    let words = row.what.split(' ').map(|word| match word.len() {
        _ if !word.starts_with("0x") => word.to_owned(),
        42 => name_of(recording, word),
        _ => trimmed(word),
    });
    let what: Vec<_> = words.collect();
    format!("restored {}{values}{pubdata}", what.join(" "))
}

/// What a failed frame leaves behind all the same.
fn kept(recording: &Recording, cause: &RollbackRow) -> Result<String> {
    let (mut warm, mut refunds, mut hashes) = (BTreeSet::new(), 0u64, BTreeSet::new());
    walk::<StateRow, Error>(recording, cause.since..cause.step, &mut |told| {
        match &told.row.row {
            StateRow::Storage(access) => {
                warm.insert(access.key);
                refunds += u64::from(access.refund);
            }
            StateRow::Decommit(decommit) if decommit.page.is_some() => {
                hashes.insert(decommit.hash);
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(format!(
        "survived: {} warm slots, {} ergs of refunds, {} loaded codes",
        grouped(warm.len()),
        grouped(refunds),
        grouped(hashes.len())
    ))
}
