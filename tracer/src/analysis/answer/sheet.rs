//! How a transaction's gas was reckoned.

use super::Line;
use crate::analysis::sheet::{Entry, sheet};
use crate::error::Result;
use crate::numbers::signed;
use crate::recording::Recording;

pub(super) fn lines(recording: &Recording, tx: u32) -> Result<Vec<Line>> {
    let entries = sheet(recording, tx)?;
    let mut lines = Vec::new();
    for part in entries.chunk_by(|a, b| a.part == b.part) {
        lines.push(Line::plain(0, part[0].part.to_owned()).with(columns("", "")));
        lines.extend(part.iter().map(line));
    }
    Ok(lines)
}

fn line(entry: &Entry) -> Line {
    let how = match &entry.how[..] {
        "" => String::new(),
        how => format!(" = {how}"),
    };
    let place = entry
        .slot
        .map_or_else(String::new, |slot| format!(" (heap slot {slot})"));
    let value = match (entry.unit, entry.value) {
        ("", _) => String::new(),
        (_, value) => signed(value),
    };
    let line = Line {
        step: entry.step,
        ..Line::plain(1, format!("{}{how}{place}", entry.name))
    };
    line.with(columns(&value, entry.unit))
}

fn columns(value: &str, unit: &str) -> String {
    format!("{value:>21} {unit:<8}")
}
