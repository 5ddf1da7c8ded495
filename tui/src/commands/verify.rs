//! `verify`: checks a recording.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use anyhow::Result;
use eradbg_tracer::Recording;
use eradbg_tracer::verify;
use indicatif::{ProgressBar, ProgressStyle};

use crate::Exit;
use crate::cli::VerifyArgs;
use crate::commands::stop_flag;
use crate::text::grouped;

/// Checks a recording and prints what it found.
pub(crate) fn verify(args: &VerifyArgs) -> Result<Exit> {
    let recording = Recording::open(&args.recording)?;
    let stop = stop_flag()?;
    let bar = ProgressBar::new(recording.chunks().into());
    if let Ok(style) = ProgressStyle::with_template("checking {bar:30} {pos} of {len} chunks  (Ctrl-C stops)")
    {
        bar.set_style(style);
    }
    let findings = verify::verify(&recording, |checked| {
        bar.set_position(checked.into());
        if stop.load(Ordering::Relaxed) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    bar.finish_and_clear();
    for line in &findings.broken {
        eprintln!("eradbg: {line}");
    }
    let checked = format!(
        "{} chunks with {} steps checked",
        findings.chunks,
        grouped(findings.steps)
    );
    if findings.was_stopped {
        eprintln!("eradbg: stopped; {checked}");
        return Ok(Exit::Stopped);
    }
    if findings.broken.is_empty() {
        let rest = if recording.is_complete() {
            "all is well"
        } else {
            "all is well, but the recording is not complete"
        };
        println!("{checked}: {rest}");
        Ok(Exit::Done)
    } else {
        println!("{checked}: {} broken", places(findings.broken.len()));
        Ok(Exit::Bad)
    }
}

fn places(count: usize) -> String {
    match count {
        1 => "1 place is".to_owned(),
        _ => format!("{count} places are"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_broken_place_is_spoken_of_in_the_singular() {
        assert_eq!(places(1), "1 place is");
        assert_eq!(places(2), "2 places are");
    }
}
