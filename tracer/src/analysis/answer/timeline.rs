//! The batch from above: blocks and transactions with what they used.

mod phases;

use std::iter::Sum;
use std::ops::Range;

use super::{Line, Mark, Question, known, transactions::told_status};
use crate::analysis::used::{TransactionUsed, Transactions};
use crate::error::Result;
use crate::ledger::{TransactionRow, TxStatus};
use crate::numbers::{grouped, signed};
use crate::recording::{Part, Recording};
use phases::Lines;

/// Columns that a picture of the batch may take: several transactions share one where there are more.
const PICTURE_COLUMNS: usize = 60;
/// Columns of a picture, lowest first.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

pub(super) fn heading() -> String {
    columns("steps", "ergs", "pubdata")
}

/// Ergs and bytes of pubdata that a stretch used, as far as they can be read.
#[derive(Debug, Clone, Copy, Default)]
struct Used {
    ergs: Option<u64>,
    pubdata: Option<i64>,
}

/// A transaction with what it used.
type Row<'a> = (&'a TransactionRow, Used);

pub(super) fn lines(recording: &Recording, question: Question) -> Result<Vec<Line>> {
    recording.steps_of(question.part)?;
    let Transactions { used, problems } = Transactions::of(recording);
    let used = used.into_iter().map(|TransactionUsed { ergs, state, .. }| Used {
        ergs,
        pubdata: state.map(|state| state.pubdata),
    });
    let rows: Vec<Row<'_>> = recording.transactions().iter().zip(used).collect();
    let is_open = |part| question.opens_all() || question.part == part;
    let mut told = Lines::new(recording, problems);
    let end = recording.steps_of(Part::BatchEnd).ok();
    let closing = end.map(|steps| (told.used_in(std::slice::from_ref(&steps))[0], steps));
    let parts = [Some(sum(rows.iter())), closing.as_ref().map(|(used, _)| *used)];
    let whole = numbers(&(0..recording.steps()), parts.into_iter().flatten().sum());
    let text = format!("the batch{}", without_undone(&rows));
    told.lines.push(Line::at(0, 0, text).with(whole));
    for block in rows.chunk_by(|(a, _), (b, _)| a.l2_block == b.l2_block) {
        told.lines.push(of_block(block));
        for row in block {
            told.lines.push(of_transaction(recording, row));
            let part = Part::Transaction(row.0.index);
            if is_open(part) {
                told.add_phases(part)?;
            }
        }
    }
    if let Some((used, steps)) = closing {
        let line = Line::at(steps.start, 0, "the bootloader closes the batch".to_owned());
        told.lines
            .push(line.with(numbers(&steps, used)).of_part(Part::BatchEnd));
        if is_open(Part::BatchEnd) {
            told.add_phases(Part::BatchEnd)?;
        }
    }
    let mut lines = vec![
        picture("ergs", &rows, |used| used.ergs.unwrap_or(0)),
        picture("pubdata", &rows, |used| {
            used.pubdata.map_or(0, |bytes| bytes.max(0) as u64)
        }),
    ];
    lines.extend(told.counted());
    Ok(lines)
}

/// What a sum leaves out.
fn without_undone(rows: &[Row<'_>]) -> String {
    match rows.iter().filter(|(row, _)| row.rolled_back).count() {
        0 => String::new(),
        1 => ", without the ergs and bytes of the one that was rolled back".to_owned(),
        undone => format!(
            ", without the ergs and bytes of {} that were rolled back",
            grouped(undone)
        ),
    }
}

/// What the transactions used that were not taken back: the operator takes back ergs and pubdata too.
fn sum<'a>(rows: impl Iterator<Item = &'a Row<'a>>) -> Used {
    rows.filter(|(row, _)| !row.rolled_back)
        .map(|(_, used)| *used)
        .sum()
}

impl Sum for Used {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        let nothing = Self {
            ergs: Some(0),
            pubdata: Some(0),
        };
        parts.fold(nothing, |sum, part| Self {
            ergs: sum.ergs.zip(part.ergs).map(|(a, b)| a + b),
            pubdata: sum.pubdata.zip(part.pubdata).map(|(a, b)| a + b),
        })
    }
}

/// What each transaction used of something, as a row of bars.
fn picture(name: &str, rows: &[Row<'_>], number: impl Fn(&Used) -> u64) -> Line {
    let highest_of = |rows: &[Row<'_>]| rows.iter().map(|(_, used)| number(used)).max().unwrap_or(0);
    let most = highest_of(rows);
    let bar = |rows: &[Row<'_>]| {
        let highest = highest_of(rows);
        let eighths = (highest * BARS.len() as u64).checked_div(most).unwrap_or(0);
        // Only what used nothing has no bar.
        if highest == 0 {
            ' '
        } else {
            BARS[(eighths as usize).min(BARS.len() - 1)]
        }
    };
    let together = rows.len().div_ceil(PICTURE_COLUMNS).max(1);
    let bars: String = rows.chunks(together).map(bar).collect();
    let each = match together {
        1 => "a bar for each transaction".to_owned(),
        _ => format!("a bar for {together} transactions, that of the highest"),
    };
    let text = format!("{name:<8}{bars}  up to {}, {each}", grouped(most));
    Line::plain(0, text)
}

fn of_block(rows: &[Row<'_>]) -> Line {
    let (first, last) = (rows[0].0, rows[rows.len() - 1].0);
    let text = match rows {
        [_] => format!("L2 block {}: transaction {}", first.l2_block, first.index),
        _ => format!(
            "L2 block {}: transactions {} to {}",
            first.l2_block, first.index, last.index
        ),
    };
    let text = text + &without_undone(rows);
    let steps = first.first_step..last.first_step + last.steps;
    Line::at(first.first_step, 0, text).with(numbers(&steps, sum(rows.iter())))
}

fn of_transaction(recording: &Recording, &(row, used): &Row<'_>) -> Line {
    let reason = match &row.reason[..] {
        "" => String::new(),
        reason => format!(": {}", recording.reason_text(reason)),
    };
    let undone = if row.rolled_back { ", rolled back" } else { "" };
    let text = format!(
        "transaction {} {}{undone}{reason}",
        row.index,
        told_status(row.status)
    );
    let steps = row.first_step..row.first_step + row.steps;
    let failed = matches!(row.status, TxStatus::Reverted | TxStatus::Halted);
    let line = Line::at(row.first_step, 1, text).with(numbers(&steps, used));
    let line = line.of_part(row.index.into());
    line.marked(Mark::Undone, row.rolled_back)
        .marked(Mark::Failed, failed)
}

fn numbers(steps: &Range<u64>, used: Used) -> String {
    columns(
        &grouped(steps.end.saturating_sub(steps.start)),
        &known(used.ergs.map(grouped)),
        &known(used.pubdata.map(signed)),
    )
}

fn columns(steps: &str, ergs: &str, pubdata: &str) -> String {
    format!("{steps:>11} {ergs:>11} {pubdata:>8}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_a_bar_for_each_transaction_and_fits_a_line() {
        let row = TransactionRow::unfinished(0, 1, 0);
        let used = |index: u64| Used {
            ergs: Some(index * 10),
            ..Used::default()
        };
        let rows: Vec<_> = (0..150).map(|index| (&row, used(index))).collect();
        let few = picture("ergs", &rows[..9], |used| used.ergs.unwrap_or(0));
        assert_eq!(
            few.text,
            "ergs     ▂▃▄▅▆▇██  up to 80, a bar for each transaction"
        );
        let many = picture("ergs", &rows, |used| used.ergs.unwrap_or(0));
        assert!(many.text.starts_with("ergs    ▁"), "{}", many.text);
        assert!(
            many.text
                .ends_with("up to 1,490, a bar for 3 transactions, that of the highest")
        );
    }
}
