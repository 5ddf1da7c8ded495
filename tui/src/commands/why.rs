//! `why`: why a transaction failed.

use std::io::{Write, stdout};

use anyhow::Result;
use eradbg_tracer::analysis::answer::{Question, Topic};
use eradbg_tracer::analysis::why::Why;
use eradbg_tracer::recording::{TransactionRow, TxStatus};

use crate::Exit;
use crate::cli::WhyArgs;
use crate::commands::show::{print, tell_gaps};

/// Prints why a transaction failed.
pub(crate) fn why(args: &WhyArgs) -> Result<Exit> {
    let recording = args.names.open(&args.recording)?;
    recording.load_overview();
    let asked = args
        .tx
        .map(|part| Question::new(Topic::Why, part).transaction(&recording));
    let Some(tx) = asked.transpose()?.or_else(|| Why::first(&recording)) else {
        if args.json {
            println!("null");
        }
        eprintln!("eradbg: no transaction of this recording failed (--tx N explains any)");
        return Ok(tell_gaps(&recording));
    };
    let why = Why::of(&recording, tx)?;
    let mut out = stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&why)?)?;
    } else {
        print(&mut out, &why.lines())?;
        out.flush()?;
        if args.tx.is_none() {
            tell_others(recording.transactions(), tx);
        }
    }
    Ok(tell_gaps(&recording))
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
