//! A part of the batch from within: its phases, with hooks, the operator's answers, snapshots and rollbacks.

use std::fmt::Write;
use std::ops::Range;

use eradbg_vm::U256;

use super::{Used, columns, numbers};
use crate::analysis::answer::{Line, Mark};
use crate::analysis::hooks::{HookCall, hooks};
use crate::analysis::phase::Phase;
use crate::analysis::preparation::Preparation;
use crate::analysis::used::ergs_used;
use crate::analysis::walk::walk;
use crate::error::{Error, Result};
use crate::ledger::OperatorRow;
use crate::numbers::grouped;
use crate::recording::{Part, Recording};

/// Words of an answer that are told; a transaction that is pushed has hundreds.
const SHOWN_WORDS: usize = 4;

/// Lines, some of which lack what their steps used.
pub(super) struct Lines<'a> {
    recording: &'a Recording,
    pub(super) lines: Vec<Line>,
    /// Their indices, with the steps.
    uncounted: Vec<(usize, Range<u64>)>,
    /// What could not be read.
    problems: Vec<Error>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(recording: &'a Recording, problems: Vec<Error>) -> Self {
        Self {
            recording,
            lines: Vec::new(),
            uncounted: Vec::new(),
            problems,
        }
    }

    /// Phases of a part with what happened in each.
    pub(super) fn add_phases(&mut self, part: Part) -> Result<()> {
        let steps = self.recording.steps_of(part)?;
        let row = part
            .transaction()
            .map(|number| self.recording.transaction(number));
        let Some(second) = row.transpose()?.and_then(|row| row.rerun_at) else {
            return self.add_attempt(steps, 2);
        };
        let attempts = [
            ("first attempt, taken back", steps.start..second),
            ("second attempt", second..steps.end),
        ];
        for (name, attempt) in attempts {
            self.add_stretch(2, name, attempt.clone());
            self.add_attempt(attempt, 3)?;
        }
        Ok(())
    }

    /// Phases of an attempt at a transaction, or of the end of the batch.
    fn add_attempt(&mut self, steps: Range<u64>, indent: usize) -> Result<()> {
        let recording = self.recording;
        let preparation = Preparation::of(recording, steps.clone())?;
        let mut events = events(recording, &steps, preparation)?;
        // At an edge hooks tell of the transaction before, and the operator takes its snapshot for the one after.
        events.retain(|event| {
            let tells_of_before = event.phase.is_some() || event.undoes;
            let edge = if tells_of_before { steps.start } else { steps.end };
            event.step != edge || (tells_of_before && edge == 0)
        });
        let mut first = 0;
        let mut phase = preparation.name(Phase::at(recording, steps.start), steps.start);
        let mut start = steps.start;
        loop {
            let next = events[first..]
                .iter()
                .position(|event| event.phase.is_some_and(|told| told != phase));
            let end = next.map_or(events.len(), |next| first + next);
            let until = events.get(end).map_or(steps.end, |event| event.step);
            self.add_stretch(indent, phase, start..until);
            self.add_events(&events[first..end], indent + 1);
            let Some(event) = events.get(end) else {
                return Ok(());
            };
            (first, start) = (end, event.step);
            phase = event.phase.unwrap_or(phase);
        }
    }

    fn add_stretch(&mut self, indent: usize, name: &str, steps: Range<u64>) {
        let line = Line::at(steps.start, indent, name.to_owned());
        let is_undone = self.recording.rollback_of(steps.start).is_some();
        self.uncounted.push((self.lines.len(), steps));
        self.lines.push(line.marked(Mark::Undone, is_undone));
    }

    fn add_events(&mut self, events: &[Event], indent: usize) {
        for event in events.iter().filter(|event| !event.text.is_empty()) {
            let line = Line::at(event.step, indent, event.text.clone());
            let line = line.with(columns("", "", ""));
            self.lines.push(line.marked(Mark::Undone, event.undoes));
        }
    }

    /// What each of some stretches used, which are in order and do not overlap.
    pub(super) fn used_in(&mut self, stretches: &[Range<u64>]) -> Vec<Used> {
        let ergs = ergs_used(self.recording, stretches).map_err(|error| self.problems.push(error));
        let state = self.recording.state_used(stretches);
        let state = state.map_err(|error| self.problems.push(error));
        let used = |at: usize| Used {
            ergs: ergs.as_ref().map(|ergs| ergs[at]).ok(),
            pubdata: state.as_ref().map(|state| state[at].pubdata).ok(),
        };
        (0..stretches.len()).map(used).collect()
    }

    /// With what the steps used of all that lack it, which are read at once, on all cores; and with what cannot be read.
    pub(super) fn counted(mut self) -> Vec<Line> {
        let uncounted = std::mem::take(&mut self.uncounted);
        // Attempts at a transaction have their phases below them; none of a level overlap.
        for level in [2, 3] {
            let of_level = uncounted
                .iter()
                .filter(|(line, _)| self.lines[*line].indent == level);
            let of_level: Vec<_> = of_level.cloned().collect();
            let stretches: Vec<_> = of_level.iter().map(|(_, steps)| steps.clone()).collect();
            for ((line, steps), used) in of_level.iter().zip(self.used_in(&stretches)) {
                self.lines[*line].columns = numbers(steps, used);
            }
        }
        let lost = self.recording.overview_problems();
        self.lines.extend(Line::of_problems(lost));
        self.lines.extend(Line::of_problems(&self.problems));
        self.lines
    }
}

/// Something that the bootloader told or the operator did.
struct Event {
    /// Its position.
    step: u64,
    /// Empty where something only begins.
    text: String,
    /// The phase that begins or goes on with it, as hooks tell.
    phase: Option<&'static str>,
    /// Whether it takes steps back.
    undoes: bool,
}

/// Hooks, snapshots and rollbacks of an attempt in order of time, both of its edges included.
fn events(recording: &Recording, steps: &Range<u64>, preparation: Preparation) -> Result<Vec<Event>> {
    let with_edges = || steps.start..steps.end + 1;
    let mut events = Vec::new();
    hooks::<Error>(recording, with_edges(), &mut |hook| {
        events.push(Event {
            step: hook.step,
            text: text(&hook),
            phase: Some(preparation.name(hook.phase, hook.step)),
            undoes: false,
        });
        Ok(())
    })?;
    walk::<OperatorRow, Error>(recording, with_edges(), &mut |told| {
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
    events.extend(preparation.end.map(|step| Event {
        step,
        text: String::new(),
        phase: Some(Phase::Execution.name()),
        undoes: false,
    }));
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
}
