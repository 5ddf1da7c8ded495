//! What the batch publishes, taken apart.

use super::Line;
use crate::analysis::published::Published;
use crate::analysis::used::{TransactionUsed, Transactions};
use crate::error::Result;
use crate::numbers::{grouped, signed};
use crate::recording::{Part, Recording, TransactionRow};

/// Kinds of pieces with what they are called, in the order of the bytes.
const KINDS: [(&str, &str); 7] = [
    ("log", "L2->L1 logs"),
    ("message", "messages"),
    ("bytecode", "uncompressed bytecodes"),
    ("initial write", "state diffs of new slots"),
    ("repeated write", "state diffs of known slots"),
    ("header", "counts and headers"),
    ("hash", "hash of the state diffs"),
];

pub(super) fn heading() -> String {
    columns("offset", "bytes")
}

pub(super) fn lines(recording: &Recording) -> Result<Vec<Line>> {
    let Some(published) = Published::of(recording)? else {
        return Ok(vec![Line::plain(
            0,
            "the batch was not closed: nothing was published".to_owned(),
        )]);
    };
    let at_end = |text: &str, bytes: i64| {
        Line::at(recording.steps(), 0, text.to_owned()).with(columns("", &signed(bytes)))
    };
    let (bytes, counted) = (published.bytes as i64, i64::from(published.counted));
    let mut lines = vec![
        at_end("published", bytes),
        at_end("counted by the machine", counted),
        at_end(
            "difference: headers, free slots, and what is compressed or counted otherwise",
            bytes - counted,
        ),
    ];
    add_charged(recording, published.counted, &mut lines);
    for (kind, title) in KINDS {
        let pieces: Vec<_> = published
            .pieces
            .iter()
            .filter(|piece| piece.kind == kind)
            .collect();
        if pieces.is_empty() {
            continue;
        }
        let sum = columns("", &grouped(published.bytes_of(kind)));
        let first = pieces.iter().find_map(|piece| piece.step);
        let line = Line::plain(0, format!("{title}: {}", grouped(pieces.len()))).with(sum);
        lines.push(Line { step: first, ..line });
        lines.extend(pieces.into_iter().map(|piece| {
            let numbers = columns(&grouped(piece.offset), &grouped(piece.bytes));
            let line = Line::plain(1, piece.text.clone()).with(numbers);
            Line {
                step: piece.step,
                ..line
            }
        }));
    }
    Ok(lines)
}

/// What the transactions were charged for, against what the machine counted; and who added the difference.
fn add_charged(recording: &Recording, counted: i32, lines: &mut Vec<Line>) {
    let Transactions { used, problems } = Transactions::of(recording);
    let rows = recording.transactions().iter().zip(used);
    let lasting: Vec<_> = rows.filter(|(row, _)| !row.rolled_back).collect();
    let of_row = |row: &TransactionRow, bytes: i64| {
        let line = Line::at(row.first_step, 1, format!("transaction {}", row.index));
        line.with(columns("", &signed(bytes)))
    };
    let charged = |used: &TransactionUsed| i64::from(used.charged.unwrap_or(0));
    let charges: Vec<_> = lasting.iter().filter(|(_, used)| charged(used) > 0).collect();
    let sum: i64 = charges.iter().map(|(_, used)| charged(used)).sum();
    let at_end = recording.steps();
    let text = format!("charged to {} transactions", charges.len());
    lines.push(Line::at(at_end, 0, text).with(columns("", &signed(sum))));
    lines.extend(charges.iter().map(|(row, used)| of_row(row, charged(used))));
    let text = "difference: bytes that nobody is charged for, and those that are given back".to_owned();
    let others = i64::from(counted) - sum;
    lines.push(Line::at(at_end, 0, text).with(columns("", &signed(others))));
    for (row, used) in &lasting {
        let added = used.state.map(|state| state.pubdata - charged(used));
        lines.extend(added.filter(|&bytes| bytes != 0).map(|bytes| of_row(row, bytes)));
    }
    if let Ok(steps) = recording.steps_of(Part::BatchEnd)
        && let Ok(used) = recording.state_used(std::slice::from_ref(&steps))
    {
        let line = Line::at(steps.start, 1, "closing the batch".to_owned());
        lines.push(line.with(columns("", &signed(used[0].pubdata))));
    }
    lines.extend(Line::of_problems(&problems));
}

fn columns(offset: &str, bytes: &str) -> String {
    format!("{offset:>9} {bytes:>9}")
}
