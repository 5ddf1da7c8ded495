//! A transaction's storage accesses and loads of code, in order of time or by slot.

use std::collections::BTreeMap;

use super::{Line, Mark, Question, slot_text, trimmed};
use crate::analysis::refunds::{RefundRow, refunds};
use crate::error::{Error, Result};
use crate::numbers::{grouped, signed};
use crate::recording::Recording;

pub(super) fn heading() -> String {
    columns("price", "refund", "total")
}

pub(super) fn lines(recording: &Recording, question: Question) -> Result<Vec<Line>> {
    let mut rows = Vec::new();
    refunds::<Error>(recording, recording.steps_of(question.part)?, &mut |row| {
        rows.push(row);
        Ok(())
    })?;
    if rows.is_empty() {
        let text = "no storage was accessed and no code loaded".to_owned();
        return Ok(vec![Line::plain(0, text).with(columns("", "", ""))]);
    }
    Ok(match question.view {
        0 => rows.iter().map(|row| line(recording, row, 0)).collect(),
        _ => by_slot(recording, &rows),
    })
}

fn by_slot(recording: &Recording, rows: &[RefundRow]) -> Vec<Line> {
    let mut slots: BTreeMap<(&str, &str), Vec<&RefundRow>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.kind != "rollback") {
        let address = if is_code(row) { "" } else { &row.address };
        slots.entry((address, &row.slot)).or_default().push(row);
    }
    let paid = |row: &&RefundRow| u64::from(row.price) - u64::from(row.refund);
    let mut slots: Vec<_> = slots.into_iter().collect();
    slots.sort_by_key(|(_, rows)| std::cmp::Reverse(rows.iter().map(paid).sum::<u64>()));
    let mut lines = Vec::new();
    for ((address, slot), rows) in slots {
        let price: u64 = rows.iter().map(|row| u64::from(row.price)).sum();
        let refund: u64 = rows.iter().map(|row| u64::from(row.refund)).sum();
        let what = match address {
            "" => format!("code {}", trimmed(slot)),
            _ => slot_text(recording, address, slot),
        };
        let text = format!(
            "{what}, {} times, {} ergs in all",
            rows.len(),
            grouped(price - refund)
        );
        let sums = columns(&grouped(price), &grouped(refund), "");
        lines.push(Line::at(rows[0].step, 0, text).with(sums));
        lines.extend(rows.iter().map(|row| line(recording, row, 1)));
    }
    lines
}

fn line(recording: &Recording, row: &RefundRow, indent: usize) -> Line {
    // Some rules say already what was before.
    let before = match row.before {
        before if row.rule.starts_with(before) => String::new(),
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
    let columns = columns(&grouped(row.price), &grouped(row.refund), &signed(row.total));
    let line = Line::at(row.step, indent, text).with(columns);
    line.marked(Mark::Undone, row.undone_at.is_some())
}

fn is_code(row: &RefundRow) -> bool {
    matches!(row.kind, "code" | "decommit")
}

fn place(recording: &Recording, row: &RefundRow) -> String {
    match (row.kind, row.address.parse()) {
        ("rollback", _) => String::new(),
        ("code", Ok(callee)) => format!("of {}", recording.address_text(callee)),
        ("decommit", _) => trimmed(&row.slot),
        _ => slot_text(recording, &row.address, &row.slot),
    }
}

fn columns(price: &str, refund: &str, total: &str) -> String {
    format!("{price:>9} {refund:>9} {total:>11}")
}
