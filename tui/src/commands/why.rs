//! `why`: why a transaction failed.

use std::io::{Write, stdout};

use anyhow::Result;
use eradbg_tracer::Recording;
use eradbg_tracer::analysis::why::Why;
use eradbg_tracer::recording::{TransactionRow, TxStatus};

use crate::Exit;
use crate::cli::WhyArgs;
use crate::text::grouped;

/// Columns that a step takes.
const STEP_COLUMNS: usize = 13;

/// Prints why a transaction failed.
pub(crate) fn why(args: &WhyArgs) -> Result<Exit> {
    let recording = Recording::open(&args.recording)?;
    recording.load_overview();
    let Some(tx) = args.tx.or_else(|| Why::first(&recording)) else {
        eprintln!("eradbg: no transaction of this recording failed (--tx N explains any)");
        return Ok(Exit::Done);
    };
    let why = Why::of(&recording, tx)?;
    let mut out = stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&why)?)?;
    } else {
        for line in why.lines() {
            let step = line.step.map_or_else(String::new, grouped);
            let indent = "  ".repeat(line.indent);
            writeln!(out, "{step:>STEP_COLUMNS$}  {indent}{}", line.text)?;
        }
        out.flush()?;
        if args.tx.is_none() {
            tell_others(recording.transactions(), tx);
        }
    }
    if !recording.is_complete() {
        eprintln!("eradbg: the recording was not finished; this is as far as it goes");
    }
    for problem in recording.overview_problems() {
        eprintln!("eradbg: not considered: {problem}");
    }
    Ok(if recording.overview_problems().is_empty() {
        Exit::Done
    } else {
        Exit::Bad
    })
}

/// Names the other transactions that failed.
fn tell_others(rows: &[TransactionRow], explained: u32) {
    let failed = |row: &&TransactionRow| matches!(row.status, TxStatus::Reverted | TxStatus::Halted);
    let others: Vec<String> = rows
        .iter()
        .filter(failed)
        .filter(|row| row.index != explained)
        .map(|row| row.index.to_string())
        .collect();
    match &others[..] {
        [] => {}
        [one] => eprintln!("eradbg: transaction {one} failed too (--tx {one})"),
        [first, ..] if others.len() > 20 => {
            eprintln!(
                "eradbg: {} more transactions failed (--tx {first} and so on)",
                others.len()
            );
        }
        [first, ..] => eprintln!(
            "eradbg: transactions {} failed too (--tx {first} and so on)",
            others.join(", ")
        ),
    }
}
