//! `show`: an answer about a transaction, or about all.

use std::io::{self, BufWriter, Write, stdout};

use anyhow::Result;
use eradbg_tracer::Recording;
use eradbg_tracer::analysis::answer::{Line, Mark, Question, Topic};

use crate::Exit;
use crate::cli::ShowArgs;
use crate::text::grouped;

/// Columns that a step takes.
const STEP_COLUMNS: usize = 13;

/// Prints an answer.
pub(crate) fn show(args: &ShowArgs) -> Result<Exit> {
    let Some(view) = view(args.topic, args.by.as_deref()) else {
        let orders: Vec<_> = args
            .topic
            .views()
            .iter()
            .copied()
            .filter(|view| !view.is_empty())
            .collect();
        let name = args.topic.name();
        if orders.is_empty() {
            eprintln!("eradbg: {name}: there is one order only");
        } else {
            eprintln!("eradbg: {name}: the orders are {}", orders.join(", "));
        }
        return Ok(Exit::Usage);
    };
    let recording = args.names.open(&args.recording)?;
    recording.load_overview();
    let question = Question {
        topic: args.topic,
        view,
        part: args.tx.unwrap_or_else(|| Question::usual_part(&recording)),
    };
    let answer = question.answer(&recording)?;
    let mut out = BufWriter::new(stdout().lock());
    writeln!(out, "{}", answer.title)?;
    if !answer.heading.is_empty() {
        writeln!(out, "{:>STEP_COLUMNS$}  {}", "step", answer.heading)?;
    }
    print(&mut out, &answer.lines)?;
    out.flush()?;
    Ok(tell_gaps(&recording))
}

/// The view that an order names.
fn view(topic: Topic, order: Option<&str>) -> Option<usize> {
    let Some(order) = order else { return Some(0) };
    let is_meant = |view: &str| view == order || view.strip_prefix("by ") == Some(order);
    topic.views().iter().position(|view| is_meant(view))
}

/// Prints the lines of an answer: the step, a sign for what failed or was undone, and the text.
pub(super) fn print(out: &mut impl Write, lines: &[Line]) -> io::Result<()> {
    for line in lines {
        let step = line.step.map_or_else(String::new, grouped);
        let sign = match line.mark {
            Mark::None => ' ',
            Mark::Failed => '!',
            Mark::Undone => '/',
        };
        let indent = "  ".repeat(line.indent);
        let columns = match &line.columns[..] {
            "" => String::new(),
            columns => format!("{columns}  "),
        };
        writeln!(out, "{step:>STEP_COLUMNS$}{sign} {columns}{indent}{}", line.text)?;
    }
    Ok(())
}

/// Says so when the recording was not finished.
pub(super) fn tell_incomplete(recording: &Recording) {
    if !recording.is_complete() {
        eprintln!("eradbg: the recording was not finished; this is as far as it goes");
    }
}

/// Says what the answer may lack.
pub(super) fn tell_gaps(recording: &Recording) -> Exit {
    tell_incomplete(recording);
    for problem in recording.overview_problems() {
        eprintln!("eradbg: not considered: {problem}");
    }
    if recording.overview_problems().is_empty() {
        Exit::Done
    } else {
        Exit::Bad
    }
}
