//! The transactions of a batch, in order or by what they cost.

use std::cmp::Reverse;

use super::{Line, Mark, known};
use crate::analysis::used::{TransactionUsed, Transactions};
use crate::ledger::{TransactionRow, TxStatus};
use crate::numbers::grouped;
use crate::recording::Recording;

pub(super) fn heading() -> String {
    columns(["tx", "status", "steps", "ergs", "pubdata", "refund", "loads"].map(str::to_owned))
}

pub(super) fn lines(recording: &Recording, view: usize) -> Vec<Line> {
    let Transactions { used, problems } = Transactions::of(recording);
    let mut rows: Vec<_> = recording.transactions().iter().zip(used).collect();
    match view {
        1 => rows.sort_by_key(|(_, used)| Reverse(used.ergs)),
        2 => rows.sort_by_key(|(row, _)| Reverse(row.steps)),
        3 => rows.sort_by_key(|(_, used)| Reverse(used.charged)),
        4 => rows.sort_by_key(|(row, _)| Reverse(row.status as u8)),
        5 => rows.sort_by_key(|(_, used)| Reverse(used.state.map(|state| state.loads))),
        _ => {}
    }
    let lines = rows.iter().map(|(row, used)| line(recording, row, used));
    let lost = recording.overview_problems();
    lines
        .chain(Line::of_problems(lost))
        .chain(Line::of_problems(&problems))
        .collect()
}

fn line(recording: &Recording, row: &TransactionRow, used: &TransactionUsed) -> Line {
    let name = match row.status {
        _ if row.is_measured() => format!("{:#x}", row.hash),
        _ if row.l2_block == 0 => "what tells of it is damaged".to_owned(),
        TxStatus::Unfinished if row.steps == 0 => "nothing of it was executed".to_owned(),
        TxStatus::Unfinished => "the recording ends in it".to_owned(),
        _ => "the batch ran in one go".to_owned(),
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
        known(used.ergs.map(grouped)),
        known(used.charged.map(grouped)),
        match row.status {
            TxStatus::Unfinished => "-".to_owned(),
            _ => grouped(row.gas_refunded),
        },
        known(used.state.map(|state| grouped(state.loads))),
    ]);
    let line = Line::at(row.first_step, 0, text).with(numbers);
    let line = line.of_part(row.index.into());
    let failed = matches!(row.status, TxStatus::Reverted | TxStatus::Halted);
    line.marked(Mark::Undone, row.rolled_back)
        .marked(Mark::Failed, failed)
}

fn columns([tx, status, steps, ergs, pubdata, refund, loads]: [String; 7]) -> String {
    format!("{tx:>4} {status:<10} {steps:>10} {ergs:>10} {pubdata:>7} {refund:>11} {loads:>5}")
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
