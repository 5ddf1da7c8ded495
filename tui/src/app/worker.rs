//! Runs to the next breakpoint on a thread of its own, over its own timeline.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use crossbeam_channel::{Receiver, bounded};
use eradbg_tracer::Error;
use eradbg_tracer::recording::Recording;
use eradbg_tracer::timeline::{Breakpoint, Direction, RunEnd, Timeline};

use crate::text;

/// What the run has to say.
pub(super) enum Report {
    /// It has passed a position.
    Progress(u64),
    /// The run of this number stands at a position, for a reason.
    Ended(u64, u64, String),
    /// The run of this number met a problem.
    Failed(u64, String),
}

/// A run under way; dropping it cancels it.
pub(super) struct Worker {
    cancel: Arc<AtomicBool>,
    position: Arc<AtomicU64>,
    end: Receiver<Report>,
}

impl Worker {
    /// Starts a run.
    pub(super) fn start(
        id: u64,
        recording: Recording,
        from: u64,
        direction: Direction,
        breakpoints: Vec<Breakpoint>,
    ) -> Self {
        let cancel = Arc::new(AtomicBool::new(false));
        let position = Arc::new(AtomicU64::new(from));
        let (sender, end) = bounded(1);
        let worker = Self {
            cancel: Arc::clone(&cancel),
            position: Arc::clone(&position),
            end,
        };
        thread::spawn(move || {
            let run = || run(recording, from, direction, &breakpoints, &cancel, &position);
            let report = match catch_unwind(AssertUnwindSafe(run)) {
                Ok(Ok((at, end))) => Report::Ended(id, at, told(end, &breakpoints)),
                Ok(Err(error)) => Report::Failed(id, error.to_string()),
                Err(_) => Report::Failed(
                    id,
                    "the run broke off: the recording may be damaged (eradbg verify)".to_owned(),
                ),
            };
            // Nobody listens any more when the run was cancelled.
            let _ = sender.send(report);
        });
        worker
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

fn run(
    recording: Recording,
    from: u64,
    direction: Direction,
    breakpoints: &[Breakpoint],
    cancel: &AtomicBool,
    position: &AtomicU64,
) -> Result<(u64, RunEnd), Error> {
    let mut timeline = Timeline::new(recording)?;
    timeline.seek(from)?;
    let end = timeline.run(breakpoints, direction, cancel, &mut |at| {
        position.store(at, Ordering::Relaxed);
    })?;
    Ok((timeline.position(), end))
}

fn told(end: RunEnd, breakpoints: &[Breakpoint]) -> String {
    match end {
        RunEnd::Hit(index) => {
            let place = breakpoints.get(index).map(text::breakpoint).unwrap_or_default();
            format!("breakpoint {index}: {place}")
        }
        RunEnd::End if breakpoints.is_empty() => "end of the recording (no breakpoints are set)".to_owned(),
        RunEnd::End => "end of the recording, no breakpoint was hit".to_owned(),
        RunEnd::Start if breakpoints.is_empty() => {
            "start of the recording (no breakpoints are set)".to_owned()
        }
        RunEnd::Start => "start of the recording, no breakpoint was hit".to_owned(),
        RunEnd::Cancelled => "run cancelled".to_owned(),
    }
}
