//! `open`: the debugger's screens over a recording.

use std::io::IsTerminal;

use anyhow::{Result, bail};
use eradbg_tracer::Recording;

use crate::Exit;
use crate::app;
use crate::cli::OpenArgs;
use crate::text::grouped;
use crate::tour::Tour;

/// Opens a recording in the terminal.
pub(crate) fn open(args: &OpenArgs) -> Result<Exit> {
    let recording = args.names.open(&args.recording)?;
    recording.check_machine()?;
    recording.load_overview();
    let position = position(&recording, &args.at.at)?;
    require_terminal()?;
    app::run(recording, position, Tour::Off)?;
    Ok(Exit::Done)
}

/// Fails without a terminal to draw in and to read keys from.
pub(crate) fn require_terminal() -> Result<()> {
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        bail!("the debugger needs a terminal; `eradbg info` and `eradbg export` work without one");
    }
    Ok(())
}

/// The position that a text names: a step, `end`, `tx:3`, `tx:3/fail`, `hook:5`. The recording's overview is loaded.
pub(super) fn position(recording: &Recording, text: &str) -> Result<u64> {
    if text == "end" {
        return Ok(recording.steps());
    }
    if let Some(step) = step(text) {
        if step > recording.steps() {
            bail!(
                "--at {text}: the recording has {} steps (--at end is its end)",
                grouped(recording.steps())
            );
        }
        return Ok(step);
    }
    let Some((kind, rest)) = text.split_once(':') else {
        bail!("--at {text}: expected a step, end, tx:N, tx:N/fail or hook:N");
    };
    let (number, part) = rest
        .split_once('/')
        .map_or((rest, None), |(number, part)| (number, Some(part)));
    let Ok(index) = number.parse::<usize>() else {
        bail!("--at {text}: {number} is no number")
    };
    match (kind, part) {
        ("tx", part) => {
            let transactions = recording.transactions();
            let Some(row) = transactions.get(index) else {
                bail!(
                    "--at {text}: the recording has {} transactions, counted from 0",
                    transactions.len()
                );
            };
            match part {
                None => Ok(row.first_step),
                Some("fail") => {
                    let steps = row.first_step..row.first_step + row.steps;
                    let failure = recording
                        .failures()
                        .iter()
                        .rev()
                        .find(|failure| steps.contains(&failure.step));
                    failure.map_or_else(
                        || bail!("--at {text}: no frame of it failed"),
                        |failure| Ok(failure.step),
                    )
                }
                Some(part) => bail!("--at {text}: unknown part {part}, expected fail"),
            }
        }
        ("hook", None) => match recording.hooks().get(index) {
            Some(hook) => Ok(hook.step),
            None => bail!(
                "--at {text}: the recording has {} hooks, counted from 0",
                recording.hooks().len()
            ),
        },
        _ => bail!("--at {text}: expected a step, end, tx:N, tx:N/fail or hook:N"),
    }
}

/// A step, with `k` and `M` for grouped and millions.
fn step(text: &str) -> Option<u64> {
    let (digits, factor) = match text.strip_suffix(['k', 'K']) {
        Some(digits) => (digits, 1_000),
        None => text
            .strip_suffix(['m', 'M'])
            .map_or((text, 1), |digits| (digits, 1_000_000)),
    };
    digits
        .replace([',', '_'], "")
        .parse::<u64>()
        .ok()?
        .checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_may_have_separators_and_factors() {
        let read = ["12", "1,234", "120k", "3M", "x", "tx:1"].map(step);
        assert_eq!(
            read,
            [Some(12), Some(1234), Some(120_000), Some(3_000_000), None, None]
        );
    }
}
