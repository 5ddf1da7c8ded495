//! Stretches of steps that belong together, and watching them one after the other.

use std::ops::Range;

use eradbg_vm::{Execution, Observer};

use crate::error::Result;
use crate::recording::Recording;
use crate::replay::Replay;

/// Steps that belong to one transaction at most, and are rolled back as a whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// The steps.
    pub steps: Range<u64>,
    /// The transaction, counted from 0.
    pub tx: Option<u32>,
    /// Position at which the operator rolls them back.
    pub rolled_back_at: Option<u64>,
}

/// Cuts steps where a transaction begins or ends, and where the operator takes a snapshot that it rolls back to or does
/// so. The recording's overview is loaded.
pub(super) fn stretches(recording: &Recording, steps: Range<u64>) -> Vec<Stretch> {
    let mut cuts = vec![steps.start, steps.end];
    for row in recording.transactions() {
        cuts.extend([row.first_step, row.first_step + row.steps]);
        cuts.extend(row.rerun_at);
    }
    for undone in recording.undone() {
        cuts.extend([undone.first_step, undone.end_step]);
    }
    cuts.retain(|cut| (steps.start..=steps.end).contains(cut));
    cuts.sort_unstable();
    cuts.dedup();
    let stretch = |pair: &[u64]| {
        let tx = recording.transaction_at(pair[0]);
        let rollback = recording.rollback_of(pair[0]);
        Stretch {
            steps: pair[0]..pair[1],
            tx: tx.map(|at| recording.transactions()[at].index),
            rolled_back_at: rollback.map(|range| range.end_step),
        }
    };
    cuts.windows(2).map(stretch).collect()
}

/// The stretches of a transaction, those of a first attempt included. The recording's overview is loaded.
///
/// # Errors
/// When there is no such transaction.
pub(super) fn of_transaction(recording: &Recording, number: u32) -> Result<Vec<Stretch>> {
    let row = recording.transaction(number)?;
    let end = (row.first_step + row.steps).min(recording.steps());
    Ok(stretches(recording, row.first_step..end))
}

/// Watches stretches in order: each goes on where the one before it ended.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    recording: &'a Recording,
    /// Where the last one ended, with the chunk.
    last: Option<(u32, Replay)>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(recording: &'a Recording) -> Self {
        Self {
            recording,
            last: None,
        }
    }

    /// Runs a stretch with the observer that is made for its start; the observer, and the state at its end, before a
    /// rollback.
    ///
    /// # Errors
    /// When the recording is damaged.
    pub(super) fn run<O: Observer>(
        &mut self,
        steps: &Range<u64>,
        observer: impl FnOnce(&Execution) -> O,
    ) -> Result<O> {
        let chunk = self.recording.chunk_of(steps.start);
        let (mut chunk, mut replay) = match self.last.take() {
            Some((at, replay)) if at == chunk => (at, replay),
            _ => (chunk, Replay::new(self.recording, chunk)?),
        };
        replay.run_to(steps.start, &mut ())?;
        let mut observer = observer(replay.execution());
        loop {
            replay.run_to(steps.end, &mut observer)?;
            if replay.execution().steps() >= steps.end || chunk + 1 >= self.recording.chunks() {
                break;
            }
            chunk += 1;
            replay = Replay::new(self.recording, chunk)?;
        }
        self.last = Some((chunk, replay));
        Ok(observer)
    }
}
