//! A transaction's storage accesses and loads of code, in order of time or by slot.

use std::collections::BTreeMap;

use super::{Line, Mark, Question, slot_text, steps_of, trimmed};
use crate::analysis::refunds::{RefundRow, refunds};
use crate::error::{Error, Result};
use crate::numbers::grouped;
use crate::recording::Recording;

pub(super) fn heading() -> String {
    columns("price", "refund", "total")
}

pub(super) fn lines(recording: &Recording, question: Question) -> Result<Vec<Line>> {
    let mut rows = Vec::new();
    refunds::<Error>(recording, steps_of(recording, question.tx)?, &mut |row| {
        rows.push(row);
        Ok(())
    })?;
    Ok(match question.view {
        0 => rows.iter().map(|row| line(recording, row, 0)).collect(),
        _ => by_slot(recording, &rows),
    })
}

fn by_slot(recording: &Recording, rows: &[RefundRow]) -> Vec<Line> {
    let mut slots: BTreeMap<(&str, &str), Vec<&RefundRow>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.kind != "rollback") {
        slots.entry((&row.address, &row.slot)).or_default().push(row);
    }
    let paid = |row: &&RefundRow| u64::from(row.price) - u64::from(row.refund);
    let mut slots: Vec<_> = slots.into_iter().collect();
    slots.sort_by_key(|(_, rows)| std::cmp::Reverse(rows.iter().map(paid).sum::<u64>()));
    let mut lines = Vec::new();
    for (_, rows) in slots {
        let price: u64 = rows.iter().map(|row| u64::from(row.price)).sum();
        let refund: u64 = rows.iter().map(|row| u64::from(row.refund)).sum();
        let text = format!("{}, {} times", place(recording, rows[0]), rows.len());
        let sums = columns(&grouped(price), &grouped(refund), &grouped(price - refund));
        lines.push(Line::at(rows[0].step, 0, text).with(sums));
        lines.extend(rows.iter().map(|row| line(recording, row, 1)));
    }
    lines
}

fn line(recording: &Recording, row: &RefundRow, indent: usize) -> Line {
    let before = match row.before {
        "" => String::new(),
        before => format!(" ({before})"),
    };
    let rule = match row.rule {
        "" => String::new(),
        rule => format!(": {rule}"),
    };
    let fate = match row.undone_at {
        None => "",
        Some(_) if row.keeps_warm => "; undone, but it stays warm",
        Some(_) => "; rolled back, warm marks too",
    };
    let text = format!("{} {}{before}{rule}{fate}", row.kind, place(recording, row));
    let columns = columns(&grouped(row.price), &grouped(row.refund), &grouped(row.total));
    let line = Line::at(row.step, indent, text).with(columns);
    line.marked(Mark::Undone, row.undone_at.is_some())
}

fn place(recording: &Recording, row: &RefundRow) -> String {
    match (&row.address[..], &row.slot[..]) {
        ("", "") => String::new(),
        ("", hash) => trimmed(hash),
        (address, slot) => slot_text(recording, address, slot),
    }
}

fn columns(price: &str, refund: &str, total: &str) -> String {
    format!("{price:>9} {refund:>9} {total:>11}")
}
