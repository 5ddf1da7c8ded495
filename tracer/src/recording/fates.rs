//! What becomes of what a step did to the chain's state: kept, undone with a frame around it, or rolled back.

use crate::recording::Recording;

/// What becomes of what a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fate {
    /// The step at which the first frame around it failed, or else the position at which the operator rolled back.
    pub undone_at: Option<u64>,
    /// Whether the operator rolled it back, which takes refunds and warm marks back too.
    pub rolled_back: bool,
}

/// Frames that failed, in the order in which they were entered, the outer one first where one step entered two.
#[derive(Debug, Default)]
pub(super) struct Fates(Vec<FailedFrame>);

#[derive(Debug)]
struct FailedFrame {
    entered_at: u64,
    failed_at: u64,
    /// The nearest one before it in the list that may be around it.
    around: Option<usize>,
    /// From which step on the operator rolled the failure back: what the frame did before that is there again.
    rolled_back_from: Option<u64>,
}

impl Fates {
    pub(super) const fn none() -> Self {
        Self(Vec::new())
    }

    pub(super) fn of(recording: &Recording) -> Self {
        // What the outermost frame did is the operator's to take back.
        let failures = recording.failures().iter();
        let mut failures: Vec<_> = failures.filter(|failure| !recording.ends_with(failure)).collect();
        failures.sort_by_key(|failure| (failure.entered_at, std::cmp::Reverse(failure.step)));
        let (mut frames, mut open) = (Vec::<FailedFrame>::new(), Vec::new());
        for failure in failures {
            let is_over = |&mut at: &mut usize| frames[at].failed_at < failure.entered_at;
            while open.pop_if(is_over).is_some() {}
            frames.push(FailedFrame {
                entered_at: failure.entered_at,
                failed_at: failure.step,
                around: open.last().copied(),
                rolled_back_from: recording.rollback_of(failure.step).map(|range| range.first_step),
            });
            open.push(frames.len() - 1);
        }
        Self(frames)
    }

    /// The step at which the first frame around a step failed, if that was before a position.
    fn failed_at(&self, step: u64, before: u64) -> Option<u64> {
        let last = self
            .0
            .partition_point(|frame| frame.entered_at < step)
            .checked_sub(1);
        let around = std::iter::successors(last, |&at| self.0[at].around);
        let mut frames = around.map(|at| &self.0[at]);
        let undoes = |frame: &&FailedFrame| {
            let stays_undone = frame.rolled_back_from.is_none_or(|from| from <= step);
            (step..before).contains(&frame.failed_at) && stays_undone
        };
        frames.find(undoes).map(|frame| frame.failed_at)
    }
}

impl Recording {
    /// What becomes of what a step did to the chain's state. The recording's overview is loaded.
    pub fn fate_of(&self, step: u64) -> Fate {
        let rollback = self.rollback_of(step);
        let failed_at = self
            .fates()
            .failed_at(step, rollback.map_or(u64::MAX, |range| range.end_step));
        Fate {
            undone_at: failed_at.or(rollback.map(|range| range.end_step)),
            rolled_back: rollback.is_some(),
        }
    }
}
