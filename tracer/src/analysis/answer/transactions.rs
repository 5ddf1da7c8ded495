//! The transactions of a batch, in order or by what they cost.

use std::cmp::Reverse;

use super::{Line, Mark};
use crate::ledger::{TransactionRow, TxStatus};
use crate::numbers::grouped;
use crate::recording::Recording;

pub(super) fn heading() -> String {
    columns(["tx", "status", "steps", "ergs", "pubdata", "refund"].map(str::to_owned))
}

pub(super) fn lines(recording: &Recording, view: usize) -> Vec<Line> {
    let mut rows: Vec<_> = recording.transactions().iter().collect();
    match view {
        1 => rows.sort_by_key(|row| Reverse(row.gas_used)),
        2 => rows.sort_by_key(|row| Reverse(row.steps)),
        3 => rows.sort_by_key(|row| Reverse(row.pubdata)),
        4 => rows.sort_by_key(|row| Reverse(row.status as u8)),
        _ => {}
    }
    rows.into_iter().map(|row| line(recording, row)).collect()
}

fn line(recording: &Recording, row: &TransactionRow) -> Line {
    let name = match row.status {
        _ if row.is_measured() => format!("{:#x}", row.hash),
        TxStatus::Unfinished => "the recording ends in it".to_owned(),
        _ => "not measured: the batch ran in one go".to_owned(),
    };
    let mut text = format!("block {}  {name}", row.l2_block);
    if !row.reason.is_empty() {
        text = format!("{}  {text}", recording.reason_text(&row.reason));
    }
    if row.rolled_back {
        text = format!("rolled back  {text}");
    }
    let numbers = columns([
        row.index.to_string(),
        told_status(row.status).to_owned(),
        grouped(row.steps),
        measured(row, row.gas_used),
        measured(row, row.pubdata),
        match row.status {
            TxStatus::Unfinished => "-".to_owned(),
            _ => grouped(row.gas_refunded),
        },
    ]);
    let line = Line::at(row.first_step, 0, text).with(numbers);
    let failed = matches!(row.status, TxStatus::Reverted | TxStatus::Halted);
    line.marked(Mark::Undone, row.rolled_back)
        .marked(Mark::Failed, failed)
}

fn columns([tx, status, steps, ergs, pubdata, refund]: [String; 6]) -> String {
    format!("{tx:>4} {status:<10} {steps:>10} {ergs:>10} {pubdata:>7} {refund:>11}")
}

/// A number that is known once a transaction was measured.
pub(super) fn measured(row: &TransactionRow, number: u32) -> String {
    if row.is_measured() {
        grouped(number)
    } else {
        "-".to_owned()
    }
}

/// How a transaction went; what failed stands out.
pub(super) const fn told_status(status: TxStatus) -> &'static str {
    match status {
        TxStatus::Success => "ok",
        TxStatus::Reverted => "REVERTED",
        TxStatus::Halted => "HALTED",
        TxStatus::Unfinished => "unfinished",
    }
}
