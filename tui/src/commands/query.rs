//! `query`: lists the steps that match.

use std::io::{Write, stdout};
use std::sync::atomic::Ordering;

use anyhow::Result;
use eradbg_tracer::Recording;
use eradbg_tracer::query::{EffectReport, Hit, Query, Search, Searched};
use eradbg_tracer::timeline::Direction;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::Exit;
use crate::cli::QueryArgs;
use crate::commands::show::tell_incomplete;
use crate::commands::stop_flag;
use crate::text;
use crate::text::grouped;

/// Prints the steps of a recording that match.
pub(crate) fn query(args: &QueryArgs) -> Result<Exit> {
    let query = match Query::new(&args.query) {
        Ok(query) => query,
        Err(error) => {
            // The column stands under the text.
            eprintln!("eradbg: {error}");
            eprintln!("  {}", args.query);
            eprintln!("  {}^", " ".repeat(error.column - 1));
            return Ok(Exit::Usage);
        }
    };
    let recording = args.names.open(&args.recording)?;
    let direction = if args.backward {
        Direction::Backward
    } else {
        Direction::Forward
    };
    let search = Search::new(&recording, [query.expr()], direction)?;
    let stop = stop_flag()?;
    let bar = ProgressBar::new(recording.steps());
    if let Ok(style) =
        ProgressStyle::with_template("searching {bar:30} {human_pos} of {human_len} steps  (Ctrl-C stops)")
    {
        bar.set_style(style);
    }
    let (mut hits, mut count) = (Vec::new(), 0_u64);
    let limit = if args.limit == 0 || args.count {
        usize::MAX
    } else {
        args.limit
    };
    let mut progress = |step| {
        bar.set_position(if args.backward {
            recording.steps() - step
        } else {
            step
        });
    };
    let searched = search.all(&stop, &mut progress, &mut |hit| {
        count += 1;
        if !args.count {
            hits.push(hit);
        }
        hits.len() < limit
    });
    bar.finish_and_clear();
    let was_stopped = stop.load(Ordering::Relaxed);
    if args.json {
        print_json(&recording, args, &hits, count, &searched)?;
    } else if args.count {
        println!("{count}");
    } else {
        print_table(&recording, &hits)?;
        let more = if !was_stopped && hits.len() == limit {
            " (--limit 0 lists all)"
        } else {
            ""
        };
        eprintln!("{} match{more}", steps(count));
    }
    tell_incomplete(&recording);
    for error in &searched.damaged {
        eprintln!("eradbg: not searched: {error}");
    }
    Ok(if was_stopped {
        eprintln!("eradbg: stopped before the end of the recording");
        Exit::Stopped
    } else if searched.damaged.is_empty() {
        Exit::Done
    } else {
        Exit::Bad
    })
}

fn print_json(
    recording: &Recording,
    args: &QueryArgs,
    hits: &[Hit],
    count: u64,
    searched: &Searched,
) -> Result<()> {
    let matches: Vec<_> = hits.iter().map(|hit| hit.report(recording)).collect();
    let damaged: Vec<_> = searched.damaged.iter().map(ToString::to_string).collect();
    let document = json!({
        "query": args.query,
        "count": count,
        "complete": !searched.was_stopped && damaged.is_empty(),
        "damaged": damaged,
        "matches": matches,
    });
    writeln!(stdout(), "{}", serde_json::to_string_pretty(&document)?)?;
    Ok(())
}

/// A line for each step, and a further one for each further effect.
fn print_table(recording: &Recording, hits: &[Hit]) -> std::io::Result<()> {
    let mut out = std::io::BufWriter::new(stdout().lock());
    if !hits.is_empty() {
        writeln!(
            out,
            "{:>12} {:>4} {:>5} {:<20} {:<6} {:<36} what",
            "step", "tx", "depth", "code", "pc", "instruction"
        )?;
    }
    for hit in hits {
        let report = hit.report(recording);
        let code = hit.site.map(|site| recording.address_text(site.address));
        let mut effects = report.effects.iter().map(EffectReport::text);
        writeln!(
            out,
            "{:>12} {:>4} {:>5} {:<20} {:<6} {:<36} {}",
            grouped(report.step),
            report.tx.map_or_else(|| "-".to_owned(), |tx| tx.to_string()),
            report
                .depth
                .map_or_else(|| "-".to_owned(), |depth| depth.to_string()),
            text::clip(&code.unwrap_or_default(), 20),
            report
                .pc
                .map_or_else(|| "-".to_owned(), |pc| format!("{pc:#06x}")),
            text::clip(&report.instruction.unwrap_or_default(), 36),
            effects.next().unwrap_or_default(),
        )?;
        for effect in effects {
            writeln!(out, "{:>89}{effect}", "")?;
        }
    }
    out.flush()
}

fn steps(count: u64) -> String {
    match count {
        1 => "1 step".to_owned(),
        _ => format!("{} steps", grouped(count)),
    }
}
