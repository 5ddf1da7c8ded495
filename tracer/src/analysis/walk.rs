//! Rows in order of time, with the transaction that each belongs to and what became of it.

use std::ops::Range;

use crate::error::Result;
use crate::ledger::{Row, Timed};
use crate::recording::{FailureRow, Recording};

/// A row of a ledger.
#[derive(Debug)]
pub(super) struct Told<'a, R> {
    /// The row, with its step.
    pub(super) row: &'a Timed<R>,
    /// The transaction that it belongs to.
    pub(super) tx: Option<u32>,
    /// What became of what it did.
    pub(super) fate: Fate,
}

/// What becomes of what a step does to the chain's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Fate {
    /// The step at which the first frame around it failed, or else the position at which the operator rolled back.
    pub(super) undone_at: Option<u64>,
    /// Whether the operator rolled it back, which takes refunds and warm marks back too.
    pub(super) rolled_back: bool,
}

/// Hands on the rows of a kind whose time is within some steps. The recording's overview is loaded.
///
/// # Errors
/// When rows are damaged, and what `each` says.
pub(super) fn walk<R: Row, E: From<crate::Error>>(
    recording: &Recording,
    steps: Range<u64>,
    each: &mut dyn FnMut(Told<'_, R>) -> Result<(), E>,
) -> Result<(), E> {
    let mut fates = Fates::new(recording);
    // A row at the edge of a chunk may stand in the block before it, and after the last chunk in the one that follows.
    let first = recording.chunk_of(steps.start).saturating_sub(1);
    let end = recording.chunk_of(steps.end).saturating_add(2);
    for block in first..end.min(recording.row_blocks()) {
        for row in recording
            .rows::<R>(block)?
            .iter()
            .filter(|row| steps.contains(&row.step))
        {
            each(Told {
                row,
                tx: recording.transaction_number_at(row.step),
                fate: fates.of(row.step),
            })?;
        }
    }
    Ok(())
}

/// Tells fates of steps that ascend.
#[derive(Debug)]
pub(super) struct Fates<'a> {
    /// Frames that failed, by the steps that entered them; those that were entered first at the end.
    coming: Vec<&'a FailureRow>,
    /// Those around the step, the outermost first.
    around: Vec<&'a FailureRow>,
    recording: &'a Recording,
}

impl<'a> Fates<'a> {
    /// The recording's overview is loaded.
    pub(super) fn new(recording: &'a Recording) -> Self {
        let inner = recording
            .failures()
            .iter()
            .filter(|failure| !recording.ends_with(failure));
        let mut coming: Vec<_> = inner.collect();
        // Where two were entered by one step the outer one, which fails last, comes first.
        coming
            .sort_by_key(|failure| std::cmp::Reverse((failure.entered_at, std::cmp::Reverse(failure.step))));
        Self {
            coming,
            around: Vec::new(),
            recording,
        }
    }

    /// What becomes of what a step does.
    pub(super) fn of(&mut self, step: u64) -> Fate {
        while let Some(failure) = self.coming.pop_if(|failure| failure.entered_at < step) {
            self.leave(failure.entered_at);
            self.around.push(failure);
        }
        self.leave(step);
        // Where the operator rolls back a frame that failed, what the frame did before the snapshot is there again.
        let stays = |failure: &&&FailureRow| {
            let rollback = self.recording.rollback_of(failure.step);
            rollback.is_none_or(|range| range.first_step <= step)
        };
        let failed_at = self.around.iter().rev().find(stays).map(|failure| failure.step);
        let rollback = self.recording.rollback_of(step);
        Fate {
            undone_at: failed_at.or(rollback.map(|range| range.end_step)),
            rolled_back: rollback.is_some(),
        }
    }

    /// Leaves the frames that have failed before a step.
    fn leave(&mut self, step: u64) {
        while self.around.pop_if(|failure| failure.step < step).is_some() {}
    }
}
