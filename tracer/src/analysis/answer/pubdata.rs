//! What the writes of a transaction, or of the end of the batch, add to the pubdata, in order of time, by slot or by contract.

use std::collections::BTreeMap;

use eradbg_vm::storage::BOOTLOADER;

use super::{Line, Mark, Question, name_of, slot_text, value_text};
use crate::analysis::frames::Frames;
use crate::analysis::pubdata::{PubdataRow, counter, pubdata};
use crate::analysis::why::Why;
use crate::error::{Error, Result};
use crate::numbers::{grouped, signed};
use crate::recording::{Part, Recording};

/// Rows of each slot; bytes that precompile calls declare stand under the contract alone.
type Slots<'a> = BTreeMap<(&'a str, &'a str), Vec<&'a PubdataRow>>;

pub(super) fn heading() -> String {
    columns("price", "paid", "delta", "counter")
}

pub(super) fn lines(recording: &Recording, question: Question) -> Result<Vec<Line>> {
    let mut rows = Vec::new();
    let steps = recording.steps_of(question.part)?;
    let before = counter(recording, steps.start)?;
    pubdata::<Error>(recording, steps.clone(), &mut |row| {
        rows.push(PubdataRow {
            total: before.wrapping_add(row.total),
            ..row
        });
        Ok(())
    })?;
    let frames = Frames::of(recording, steps)?;
    for row in rows.iter_mut().filter(|row| row.kind == "precompile") {
        let caller = frames.running_at(row.step).map_or(BOOTLOADER, |span| span.this);
        row.address = format!("{caller:#x}");
    }
    let mut slots = Slots::new();
    for row in rows.iter().filter(|row| row.kind != "undone") {
        slots.entry((&row.address, &row.slot)).or_default().push(row);
    }
    let mut lines = summary(recording, question.part, before, &rows)?;
    let told: Vec<_> = match question.view {
        0 => rows.iter().map(|row| line(recording, row, 0)).collect(),
        1 => {
            let mut lines = Vec::new();
            for (_, rows) in dearest(slots, |rows| net(rows)) {
                add_slot(recording, &rows, 0, &mut lines);
            }
            lines
        }
        _ => by_contract(recording, slots),
    };
    lines.extend(told);
    Ok(lines)
}

/// What the part adds, and where that became too much for a transaction's gas.
fn summary(recording: &Recording, part: Part, before: i32, rows: &[PubdataRow]) -> Result<Vec<Line>> {
    let steps = recording.steps_of(part)?;
    let counter = rows.last().map_or(before, |row| row.total);
    let net = i64::from(counter) - i64::from(before);
    let text = match part {
        Part::Transaction(_) if net < 0 => {
            "the transaction adds less than nothing: it is charged for none, and nobody who paid for these bytes gets them back"
        }
        Part::Transaction(_) => "the transaction adds",
        Part::BatchEnd => "closing the batch adds; nobody is charged for it",
    };
    let numbers = columns("", "", &signed(net), &signed(counter));
    let mut lines = vec![Line::at(steps.end, 0, text.to_owned()).with(numbers)];
    let Some(tx) = part.transaction() else {
        return Ok(lines);
    };
    let Some(unpaid) = Why::of(recording, tx)?.unpaid else {
        return Ok(lines);
    };
    let room = || columns("", "", "", "");
    let noticed = Line::at(unpaid.noticed_at, 0, unpaid.text()).with(room());
    lines.push(noticed.marked(Mark::Failed, true));
    if let Some(step) = unpaid.crossed_at {
        lines.push(Line::at(step, 0, "from this write on there is more".to_owned()).with(room()));
    }
    Ok(lines)
}

fn by_contract(recording: &Recording, slots: Slots<'_>) -> Vec<Line> {
    let mut contracts: BTreeMap<&str, Vec<Vec<&PubdataRow>>> = BTreeMap::new();
    for ((address, _), rows) in slots {
        contracts.entry(address).or_default().push(rows);
    }
    let mut lines = Vec::new();
    let net_of_all = |slots: &Vec<Vec<&PubdataRow>>| slots.iter().map(|rows| net(rows)).sum();
    for (address, slots) in dearest(contracts, net_of_all) {
        let written = slots.iter().filter(|rows| rows[0].kind == "write").count();
        let text = format!("{}, {} slots", name_of(recording, address), grouped(written));
        let sum = columns("", "", &signed(net_of_all(&slots)), "");
        lines.push(Line::at(slots[0][0].step, 0, text).with(sum));
        for rows in slots {
            add_slot(recording, &rows, 1, &mut lines);
        }
    }
    lines
}

fn add_slot(recording: &Recording, rows: &[&PubdataRow], indent: usize, lines: &mut Vec<Line>) {
    let text = match rows[0].kind {
        "write" => format!(
            "{}, {} writes",
            slot_text(recording, &rows[0].address, &rows[0].slot),
            rows.len()
        ),
        _ => format!("{}, {} times", declared_by(recording, rows[0]), rows.len()),
    };
    let sum = columns("", "", &signed(net(rows)), "");
    lines.push(Line::at(rows[0].step, indent, text).with(sum));
    lines.extend(rows.iter().map(|row| line(recording, row, indent + 1)));
}

/// Bytes that the writes of a slot add which are not undone.
fn net(rows: &[&PubdataRow]) -> i64 {
    let lasting = rows.iter().filter(|row| row.undone_at.is_none());
    lasting.map(|row| i64::from(row.delta)).sum()
}

fn dearest<K, R>(groups: BTreeMap<K, R>, net: impl Fn(&R) -> i64) -> Vec<(K, R)> {
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, rows)| std::cmp::Reverse(net(rows)));
    groups
}

fn line(recording: &Recording, row: &PubdataRow, indent: usize) -> Line {
    let text = match row.kind {
        "write" => {
            let value = |word| value_text(recording, &row.address, &row.slot, word);
            let values = format!("{} -> {}", value(&row.old), value(&row.new));
            let place = slot_text(recording, &row.address, &row.slot);
            let before = if row.old == row.initial {
                String::new()
            } else {
                format!(", {} before the batch", value(&row.initial))
            };
            let undone = if row.undone_at.is_some() { "; undone" } else { "" };
            format!(
                "{} write {place} {values}{before}, {}{undone}",
                row.write, row.compression
            )
        }
        "precompile" => {
            let undone = if row.undone_at.is_some() { "; undone" } else { "" };
            declared_by(recording, row) + undone
        }
        _ => "taken back".to_owned(),
    };
    let columns = columns(
        &grouped(row.price),
        &grouped(row.paid),
        &signed(row.delta),
        &signed(row.total),
    );
    let line = Line::at(row.step, indent, text).with(columns);
    line.marked(Mark::Undone, row.undone_at.is_some() || row.kind == "undone")
}

fn declared_by(recording: &Recording, row: &PubdataRow) -> String {
    format!(
        "declared by a precompile call of {}",
        name_of(recording, &row.address)
    )
}

fn columns(price: &str, paid: &str, delta: &str, total: &str) -> String {
    format!("{price:>6} {paid:>6} {delta:>7} {total:>9}")
}
