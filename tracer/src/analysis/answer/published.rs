//! What the batch publishes, taken apart.

use super::Line;
use crate::analysis::published::Published;
use crate::analysis::used::Transactions;
use crate::error::Result;
use crate::numbers::{grouped, signed};
use crate::recording::Recording;

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

/// What the transactions were charged for, against what the machine counted.
fn add_charged(recording: &Recording, counted: i32, lines: &mut Vec<Line>) {
    let Transactions { used, problems } = Transactions::of(recording);
    let rows = recording.transactions().iter().zip(used);
    let charged: Vec<_> = rows
        .filter(|(row, _)| !row.rolled_back)
        .filter_map(|(row, used)| Some((row, used.charged.filter(|&bytes| bytes > 0)?)))
        .collect();
    let sum: i64 = charged.iter().map(|&(_, bytes)| i64::from(bytes)).sum();
    let text = format!("charged to {} transactions", charged.len());
    let at_end = recording.steps();
    lines.push(Line::at(at_end, 0, text).with(columns("", &grouped(sum))));
    lines.extend(charged.iter().map(|(row, bytes)| {
        Line::at(row.first_step, 1, format!("transaction {}", row.index)).with(columns("", &grouped(bytes)))
    }));
    let others = i64::from(counted) - sum;
    let text = "difference: what the batch itself writes, and what of it is given back".to_owned();
    lines.push(Line::at(at_end, 0, text).with(columns("", &signed(others))));
    lines.extend(Line::of_problems(&problems));
}

fn columns(offset: &str, bytes: &str) -> String {
    format!("{offset:>9} {bytes:>9}")
}
