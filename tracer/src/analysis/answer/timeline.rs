//! The batch from above: blocks and transactions with what they used; and one transaction from within: phases, hooks with the
//! operator's answers, snapshots, rollbacks.

use std::fmt::Write;
use std::ops::Range;

use eradbg_vm::U256;

use super::{
    Line, Mark, Question, steps_of,
    transactions::{measured, told_status},
};
use crate::analysis::hooks::{HookCall, hooks};
use crate::analysis::phase::Phase;
use crate::analysis::walk::walk;
use crate::error::{Error, Result};
use crate::ledger::{OperatorRow, TransactionRow, TxStatus};
use crate::numbers::grouped;
use crate::recording::Recording;

/// Columns that a picture of the batch may take: several transactions share one where there are more.
const PICTURE_COLUMNS: usize = 60;
/// Words of an answer that are told; a transaction that is pushed has hundreds.
const SHOWN_WORDS: usize = 4;
/// Columns of a picture, lowest first.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

pub(super) fn heading() -> String {
    columns("steps", "ergs", "pubdata")
}

pub(super) fn lines(recording: &Recording, question: Question) -> Result<Vec<Line>> {
    let rows = recording.transactions();
    let mut lines = vec![
        picture("ergs", rows, |row| row.gas_used.into()),
        picture("pubdata", rows, |row| row.pubdata.into()),
    ];
    for block in rows.chunk_by(|a, b| a.l2_block == b.l2_block) {
        lines.push(of_block(block));
        for row in block {
            lines.push(of_transaction(recording, row));
            if question.view == 1 || row.index == question.tx {
                add_parts(recording, row, &mut lines)?;
            }
        }
    }
    if let Some(end) = recording.batch_end() {
        let text = "the bootloader closes the batch".to_owned();
        lines.push(Line::at(end, 0, text).with(no_columns()));
        if question.view == 1 {
            add_events(&events(recording, end..recording.steps() + 1)?, 1, &mut lines);
        }
    }
    Ok(lines)
}

/// What each transaction used of something, as a row of bars.
fn picture(name: &str, rows: &[TransactionRow], used: impl Fn(&TransactionRow) -> u64) -> Line {
    let most = rows.iter().map(&used).max().unwrap_or(0);
    let bar = |rows: &[TransactionRow]| {
        let highest = rows.iter().map(&used).max().unwrap_or(0);
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

fn of_block(rows: &[TransactionRow]) -> Line {
    let (first, last) = (&rows[0], &rows[rows.len() - 1]);
    let sum = |of: fn(&TransactionRow) -> u64| grouped(rows.iter().map(of).sum::<u64>());
    let sums = columns(
        &sum(|row| row.steps),
        &sum(|row| row.gas_used.into()),
        &sum(|row| row.pubdata.into()),
    );
    let text = match rows {
        [_] => format!("L2 block {}: transaction {}", first.l2_block, first.index),
        _ => format!(
            "L2 block {}: transactions {} to {}",
            first.l2_block, first.index, last.index
        ),
    };
    Line::at(first.first_step, 0, text).with(sums)
}

fn of_transaction(recording: &Recording, row: &TransactionRow) -> Line {
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
    let numbers = columns(
        &grouped(row.steps),
        &measured(row, row.gas_used),
        &measured(row, row.pubdata),
    );
    let failed = matches!(row.status, TxStatus::Reverted | TxStatus::Halted);
    let line = Line::at(row.first_step, 1, text).with(numbers);
    line.marked(Mark::Undone, row.rolled_back)
        .marked(Mark::Failed, failed)
}

fn columns(steps: &str, ergs: &str, pubdata: &str) -> String {
    format!("{steps:>11} {ergs:>11} {pubdata:>8}")
}

/// Room of the columns, for lines that have none.
fn no_columns() -> String {
    columns("", "", "")
}

/// Phases of a transaction with what happened in each.
fn add_parts(recording: &Recording, row: &TransactionRow, lines: &mut Vec<Line>) -> Result<()> {
    let steps = steps_of(recording, row.index)?;
    let mut events = events(recording, steps.start..steps.end + 1)?;
    // At an edge hooks tell of the transaction before, and the operator takes its snapshot for the one after.
    events.retain(|event| {
        let tells_of_before = event.phase.is_some() || event.undoes;
        let edge = if tells_of_before { steps.start } else { steps.end };
        event.step != edge || (tells_of_before && edge == 0)
    });
    for event in events.iter_mut().filter(|event| event.step == steps.end) {
        // The phase there is the next transaction's.
        event.phase = None;
    }
    let mut first = 0;
    let mut phase = Phase::at(recording, steps.start);
    let mut start = steps.start;
    loop {
        let next = events[first..]
            .iter()
            .position(|event| event.phase.is_some_and(|told| told != phase));
        let end = next.map_or(events.len(), |next| first + next);
        let until = events.get(end).map_or(steps.end, |event| event.step);
        let steps = columns(&grouped(until.saturating_sub(start)), "", "");
        lines.push(Line::at(start, 2, phase.name().to_owned()).with(steps));
        add_events(&events[first..end], 3, lines);
        let Some(event) = events.get(end) else {
            return Ok(());
        };
        (first, start) = (end, event.step);
        phase = event.phase.unwrap_or(phase);
    }
}

fn add_events(events: &[Event], indent: usize, lines: &mut Vec<Line>) {
    for event in events {
        let line = Line::at(event.step, indent, event.text.clone());
        lines.push(line.with(no_columns()).marked(Mark::Undone, event.undoes));
    }
}

/// Something that the bootloader told or the operator did.
struct Event {
    /// Its position.
    step: u64,
    text: String,
    /// The phase that begins or goes on with it, as hooks tell.
    phase: Option<Phase>,
    /// Whether it takes steps back.
    undoes: bool,
}

/// Hooks, snapshots and rollbacks in order of time.
fn events(recording: &Recording, steps: Range<u64>) -> Result<Vec<Event>> {
    let mut events = Vec::new();
    hooks::<Error>(recording, steps.clone(), &mut |hook| {
        events.push(Event {
            step: hook.step,
            text: text(&hook),
            phase: Some(hook.phase),
            undoes: false,
        });
        Ok(())
    })?;
    walk::<OperatorRow, Error>(recording, steps, &mut |told| {
        let text = match told.row.row {
            OperatorRow::Snapshot => "the operator takes a snapshot",
            OperatorRow::SnapshotDropped => "the operator drops its snapshot",
            OperatorRow::RolledBack => "the operator goes back to its snapshot",
            OperatorRow::Hook { .. }
            | OperatorRow::Write { .. }
            | OperatorRow::TransactionStarted { .. }
            | OperatorRow::TransactionDone { .. } => return Ok(()),
        };
        events.push(Event {
            step: told.row.step,
            text: text.to_owned(),
            phase: None,
            undoes: matches!(told.row.row, OperatorRow::RolledBack),
        });
        Ok(())
    })?;
    events.sort_by_key(|event| event.step);
    Ok(events)
}

/// A hook with what it tells, and what the operator wrote in answer.
fn text(hook: &HookCall) -> String {
    let told = match &hook.parameters[..] {
        "" => String::new(),
        parameters => format!(": {}", readable(parameters)),
    };
    let answer = match &hook.answer[..] {
        "" => String::new(),
        answer => format!("; the operator answers {}", readable(answer)),
    };
    format!("{}{told}{answer}", hook.name)
}

/// Names with values, as people read them: text of a debug message, decimals for what is no hash.
fn readable(values: &str) -> String {
    let more = values.split("; ").count().saturating_sub(SHOWN_WORDS);
    let each = values.split("; ").take(SHOWN_WORDS).map(|pair| {
        let Some((name, hex)) = pair.split_once('=') else {
            return pair.to_owned();
        };
        let value: U256 = hex.parse().unwrap_or_default();
        let bytes = eradbg_vm::value::word_to_bytes(value);
        let letters = bytes
            .iter()
            .take_while(|byte| byte.is_ascii_graphic() || **byte == b' ')
            .count();
        let is_text = name == "message" && letters > 0 && bytes[letters..].iter().all(|&byte| byte == 0);
        if is_text {
            format!("{name} {:?}", String::from_utf8_lossy(&bytes[..letters]))
        } else if value.bits() <= 64 {
            format!("{name} {}", grouped(value.as_u64()))
        } else {
            format!("{name} {hex}")
        }
    });
    let mut text = each.collect::<Vec<_>>().join(", ");
    if more > 0 {
        let _ = write!(text, ", and {} more words", grouped(more));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_read_as_text_numbers_or_hashes() {
        let message = format!("0x{:0<64}", hex::encode("refund"));
        assert_eq!(
            readable(&format!("message={message}; data=0x1e240")),
            "message \"refund\", data 123,456"
        );
        assert_eq!(
            readable("a=0x1; b=0x2; c=0x3; d=0x4; e=0x5; f=0x6"),
            "a 1, b 2, c 3, d 4, and 2 more words"
        );
        let hash = format!("0x{}", "ab".repeat(32));
        assert_eq!(readable(&format!("data={hash}")), format!("data {hash}"));
    }

    #[test]
    fn a_picture_has_a_bar_for_each_transaction_and_fits_a_line() {
        let rows: Vec<_> = (0..150u32)
            .map(|index| TransactionRow {
                gas_used: index * 10,
                ..TransactionRow::unfinished(index, 1, 0)
            })
            .collect();
        let few = picture("ergs", &rows[..9], |row| row.gas_used.into());
        assert_eq!(
            few.text,
            "ergs     ▂▃▄▅▆▇██  up to 80, a bar for each transaction"
        );
        let many = picture("ergs", &rows, |row| row.gas_used.into());
        assert!(many.text.starts_with("ergs    ▁"), "{}", many.text);
        assert!(
            many.text
                .ends_with("up to 1,490, a bar for 3 transactions, that of the highest")
        );
    }
}
