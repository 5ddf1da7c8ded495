//! What was undone in a transaction: each rollback with what it restored, and what survived it.

use super::{Line, Mark, name_of, trimmed};
use crate::analysis::rollbacks::{RollbackRow, rollbacks};
use crate::error::{Error, Result};
use crate::numbers::grouped;
use crate::recording::{Part, Recording};

pub(super) fn lines(recording: &Recording, part: Part) -> Result<Vec<Line>> {
    let mut rows = Vec::new();
    rollbacks::<Error>(recording, recording.steps_of(part)?, &mut |row| {
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
        let (kept, restored): (Vec<_>, Vec<_>) = undone
            .iter()
            .filter(|row| !row.what.is_empty())
            .partition(|row| row.survives);
        lines.extend(
            restored
                .iter()
                .map(|row| Line::at(row.step, 1, text_of_restored(recording, row))),
        );
        if cause.kind == "operator" {
            let text = "nothing survived: refunds, warm marks and loaded code were taken back too";
            lines.push(Line::at(cause.step, 1, text.to_owned()));
        } else {
            add_survivors(recording, &kept, cause.step, &mut lines);
        }
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
    let value = |hex: &str| match (row.slot, hex.parse()) {
        (Some(slot), Ok(word)) => recording.value_text(slot, word),
        _ => trimmed(hex),
    };
    let values = match (&row.from, &row.to) {
        (Some(from), Some(to)) => format!(": {} back to {}", value(from), value(to)),
        (_, Some(to)) => format!(": back to {}", value(to)),
        (Some(from), None) => format!(": {} is gone", value(from)),
        _ => String::new(),
    };
    let times = match row.values {
        0 | 1 => String::new(),
        count => format!(", {} values undone", grouped(count)),
    };
    let pubdata = row
        .pubdata
        .map_or_else(String::new, |bytes| format!(" {bytes} bytes"));
    format!("restored {}{values}{times}{pubdata}", place(recording, row))
}

fn add_survivors(recording: &Recording, kept: &[&RollbackRow], step: u64, lines: &mut Vec<Line>) {
    let count = |kind: &str| kept.iter().filter(|row| row.what.starts_with(kind)).count();
    let ergs: u64 = kept.iter().filter_map(|row| row.ergs).sum();
    let text = format!(
        "survived: {} warm slots, {} ergs of refunds, {} loaded codes",
        grouped(count("warm ")),
        grouped(ergs),
        grouped(count("code "))
    );
    lines.push(Line::at(step, 1, text));
    for row in kept {
        let amount = match (row.ergs, row.pubdata) {
            (Some(ergs), _) => format!(": {} ergs", grouped(ergs)),
            (_, Some(bytes)) => {
                format!(": {bytes} bytes, in the batch's list though no longer in the counter")
            }
            _ => String::new(),
        };
        let line = Line::plain(2, format!("{}{amount}", place(recording, row)));
        lines.push(Line {
            step: row.left_by,
            ..line
        });
    }
}

/// A place with names for what has some.
fn place(recording: &Recording, row: &RollbackRow) -> String {
    let kind = row.what.split(' ').next().unwrap_or_default();
    if let Some(slot) = row.slot {
        let slot = recording.slot_text(slot);
        return match kind {
            "unread" => format!("{slot}: cold for reading again"),
            "unwritten" => format!("{slot}: cold for writing again"),
            "storage" => slot,
            _ => format!("{kind} {slot}"),
        };
    }
    let words = row.what.split(' ').map(|word| match word.len() {
        _ if !word.starts_with("0x") => word.to_owned(),
        42 => name_of(recording, word),
        _ => trimmed(word),
    });
    words.collect::<Vec<_>>().join(" ")
}
