//! Searches for steps and answers on a thread of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Select, bounded};
use eradbg_tracer::Error;
use eradbg_tracer::analysis::answer::{Answer, Question, answer_origin};
use eradbg_tracer::query::{Effect, Found, Hit, Origin, PlacePattern, Query, Search};
use eradbg_tracer::recording::Recording;
use eradbg_tracer::timeline::Direction;

use crate::effect::{self, Task};
use crate::text;

/// What the run has to say.
pub(super) enum Report {
    /// It has passed a position.
    Progress(u64),
    /// The run of this number is done.
    Ended(u64, End),
    /// The run of this number met a problem.
    Failed(u64, String),
}

/// What a run comes to.
pub(super) enum End {
    /// A position, for a reason.
    At(u64, String),
    /// An answer to be shown, with the question when it was about a transaction or the batch.
    Answer(Option<Question>, Box<Answer>),
}

/// A run under way; dropping it cancels it.
pub(super) struct Worker {
    cancel: Arc<AtomicBool>,
    position: Arc<AtomicU64>,
    end: Receiver<Report>,
}

impl Worker {
    /// Starts a search from a position.
    pub(super) fn start(id: u64, recording: Recording, from: u64, task: Task) -> Self {
        let cancel = Arc::new(AtomicBool::new(false));
        let position = Arc::new(AtomicU64::new(from));
        let (sender, end) = bounded(1);
        let worker = Self {
            cancel: Arc::clone(&cancel),
            position: Arc::clone(&position),
            end,
        };
        thread::spawn(move || {
            let run = || run(&recording, from, &task, &cancel, &position);
            let report = match catch_unwind(AssertUnwindSafe(run)) {
                Ok(Ok(end)) => Report::Ended(id, end),
                Ok(Err(error)) => Report::Failed(id, error.to_string()),
                Err(_) => Report::Failed(
                    id,
                    "the search broke off: the recording may be damaged (eradbg verify)".to_owned(),
                ),
            };
            // Nobody listens any more when the search was cancelled.
            let _ = sender.send(report);
        });
        worker
    }

    /// Waits until the run is done, but not longer than this.
    pub(super) fn wait(&self, at_most: Duration) {
        let mut select = Select::new();
        select.recv(&self.end);
        // What was sent is read with the other reports.
        let _ = select.ready_timeout(at_most);
    }

    /// What the run has said since the last call, its position included.
    pub(super) fn reports(&self) -> Vec<Report> {
        let mut reports = vec![Report::Progress(self.position.load(Ordering::Relaxed))];
        reports.extend(self.end.try_recv().ok());
        reports
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.cancel.store(true, Ordering::Relaxed);
    }
}

/// Where the search ends, and what there is to say about it.
fn run(
    recording: &Recording,
    from: u64,
    task: &Task,
    cancel: &AtomicBool,
    position: &AtomicU64,
) -> Result<End, Error> {
    let mut progress = |at| position.store(at, Ordering::Relaxed);
    let mut search = |queries: &[Query], direction| {
        let range = match direction {
            Direction::Forward => from + 1..recording.steps(),
            Direction::Backward => 0..from,
        };
        Search::new(recording, queries.iter().map(Query::expr), direction)?
            .within(vec![range])
            .first(cancel, &mut progress)
    };
    match task {
        Task::Stop(stops, direction) => {
            let (end, edge) = match direction {
                Direction::Forward => (recording.steps(), "end"),
                Direction::Backward => (0, "start"),
            };
            if stops.is_empty() {
                return Ok(End::At(
                    end,
                    format!("{edge} of the recording (no breakpoints are set)"),
                ));
            }
            let (at, note) = match search(stops, *direction)? {
                Found::Hit(hit) => {
                    let stop = stops.get(hit.query).map(Query::text).unwrap_or_default();
                    (hit.step, format!("breakpoint {}: {stop}", hit.query))
                }
                Found::Nothing => (end, format!("{edge} of the recording, no breakpoint was hit")),
                Found::Stopped => (from, CANCELLED.to_owned()),
            };
            Ok(End::At(at, note))
        }
        Task::Find(query, direction) => {
            let place = match direction {
                Direction::Forward => "after",
                Direction::Backward => "before",
            };
            let (at, note) = match search(std::slice::from_ref(query), *direction)? {
                Found::Hit(hit) => (hit.step, format!("found {query}; n finds the next one")),
                Found::Nothing => (from, format!("nothing {place} this moment matches {query}")),
                Found::Stopped => (from, CANCELLED.to_owned()),
            };
            Ok(End::At(at, note))
        }
        Task::Ask(origin, place) => {
            let found = origin.find(recording, from, place, cancel, &mut |at| {
                position.store(at, Ordering::Relaxed);
            })?;
            let (at, note) = match found {
                Found::Hit(hit) => (hit.step, answer(*origin, place, &hit)),
                Found::Nothing => (from, no_answer(*origin, place)),
                Found::Stopped => (from, CANCELLED.to_owned()),
            };
            Ok(End::At(at, note))
        }
        Task::Trace(place) => Ok(match answer_origin(recording, from, place, cancel)? {
            Some(answer) => End::Answer(None, Box::new(answer)),
            None => End::At(from, format!("{place} is more than one place: name a single one")),
        }),
        // A question that is cancelled is answered all the same, and nobody listens: it takes seconds at most.
        Task::Answer(topic, view, part) => {
            let question = effect::question(recording, from, *topic, *view, *part);
            Ok(End::Answer(Some(question), Box::new(question.answer(recording)?)))
        }
    }
}

const CANCELLED: &str = "search cancelled";

/// What a step does to a place, in words.
fn answer(origin: Origin, place: &PlacePattern, hit: &Hit) -> String {
    let step = text::grouped(hit.step);
    let access = hit.effects.iter().find_map(|effect| match effect {
        Effect::Access(access) => Some(*access),
        _ => None,
    });
    let word = |value: Option<eradbg_vm::Value>| {
        value.map_or_else(String::new, |value| {
            text::middle(&format!("{:#x}", value.word), 20)
        })
    };
    let verb = match (origin, access) {
        (Origin::NextRead, Some(access)) => {
            return format!("step {step} reads {place}: {}", word(access.new));
        }
        (Origin::NextRead, None) => return format!("step {step} reads {place}"),
        (_, Some(access)) => access.kind.name(),
        (_, None) => "write",
    };
    match access {
        Some(access) => format!(
            "{verb} of {place} in step {step}: {} → {}",
            word(access.old),
            word(access.new)
        ),
        None => format!("{verb} of {place} in step {step}"),
    }
}

fn no_answer(origin: Origin, place: &PlacePattern) -> String {
    match origin {
        Origin::LastWrite => format!("no step before this moment wrote {place}"),
        Origin::NextWrite => format!("no step after this moment writes {place}"),
        Origin::NextRead => format!("no step after this moment reads {place}"),
    }
}
