//! What the batch publishes, taken apart.

use super::Line;
use crate::analysis::published::Published;
use crate::error::Result;
use crate::numbers::grouped;
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
    let mut lines = vec![
        Line::plain(0, "published".to_owned()).with(columns("", &grouped(published.bytes))),
        Line::at(recording.steps(), 0, "counted by the machine".to_owned())
            .with(columns("", &published.counted.to_string())),
    ];
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
        lines.push(Line::plain(0, format!("{title}: {}", grouped(pieces.len()))).with(sum));
        lines.extend(pieces.into_iter().map(|piece| {
            let numbers = columns(&grouped(piece.offset), &grouped(piece.bytes));
            Line::plain(1, piece.text.clone()).with(numbers)
        }));
    }
    Ok(lines)
}

fn columns(offset: &str, bytes: &str) -> String {
    format!("{offset:>9} {bytes:>9}")
}
