//! The frames of a stretch of steps: far calls, and near frames that failed, as a tree.

use std::ops::Range;

use eradbg_vm::outcome::{PanicCause, RetKind};
use eradbg_vm::{CallKind, H160};

use crate::error::Result;
use crate::ledger::{CallRow, Timed};
use crate::recording::{FailureRow, Recording};

/// How a far frame was entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// How it was called.
    pub kind: CallKind,
    /// Address that its code belongs to.
    pub code_address: H160,
    /// Ergs that it got.
    pub ergs: u32,
}

/// How a frame ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// The step that left it.
    pub step: u64,
    /// Return, revert or panic.
    pub kind: RetKind,
    /// Why it panicked.
    pub cause: Option<PanicCause>,
    /// Ergs that a far frame gave back; `None` for a near frame.
    pub ergs: Option<u32>,
}

/// A frame that was entered or left in the stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The step that entered it.
    pub entered_at: u64,
    /// Address whose storage it works on; zero when a frame that was entered before the stretch returns.
    pub this: H160,
    /// How it was called; `None` for a near frame, and for one that was entered before the stretch.
    pub entry: Option<Entry>,
    /// Whether it is a near frame.
    pub is_near: bool,
    /// How it ended; `None` when it runs on at the end of the stretch.
    pub exit: Option<Exit>,
    /// The frame around it, by its place in the list.
    pub parent: Option<usize>,
}

/// Frames of a stretch in the order in which they were entered. Near frames are among them when they failed.
#[derive(Debug, Clone, Default)]
pub struct Frames(Vec<Span>);

impl Frames {
    /// The frames of some steps. The recording's overview is loaded.
    ///
    /// # Errors
    /// When rows are damaged.
    pub fn of(recording: &Recording, steps: Range<u64>) -> Result<Self> {
        let mut frames = Self::default();
        if steps.is_empty() {
            return Ok(frames);
        }
        for chunk in recording.chunk_of(steps.start)..=recording.chunk_of(steps.end - 1) {
            for row in recording.rows::<CallRow>(chunk)? {
                if steps.contains(&row.step) {
                    frames.add(&row);
                }
            }
        }
        let failures = recording.failures();
        let first = failures.partition_point(|failure| failure.step < steps.start);
        let failed = failures[first..]
            .iter()
            .take_while(|failure| failure.step < steps.end);
        failed.for_each(|failure| frames.add_failure(failure));
        frames.link(|step| recording.rollback_of(step).map(|range| range.end_step));
        Ok(frames)
    }

    /// All of them.
    pub fn spans(&self) -> &[Span] {
        &self.0
    }

    /// Frames that this one called, in order.
    pub fn children(&self, parent: usize) -> impl DoubleEndedIterator<Item = usize> {
        (parent + 1..self.0.len()).filter(move |&at| self.0[at].parent == Some(parent))
    }

    /// The innermost frame of the list in which a step is executed; `None` for the bootloader's own.
    pub fn running_at(&self, step: u64) -> Option<&Span> {
        let last = self
            .0
            .partition_point(|span| span.entered_at < step)
            .checked_sub(1)?;
        let runs = |at: &usize| self.0[*at].exit.is_none_or(|exit| exit.step >= step);
        let at = std::iter::once(last).chain(self.around(last)).find(runs)?;
        Some(&self.0[at])
    }

    /// The frames around one, innermost first.
    pub fn around(&self, at: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(self.0[at].parent, |&parent| self.0[parent].parent)
    }

    fn add(&mut self, row: &Timed<CallRow>) {
        match row.row {
            CallRow::Entered {
                kind,
                this,
                code_address,
                ergs,
                ..
            } => self.0.push(Span {
                entered_at: row.step,
                this,
                entry: Some(Entry {
                    kind,
                    code_address,
                    ergs,
                }),
                is_near: false,
                exit: None,
                parent: None,
            }),
            CallRow::Left {
                entered_at,
                kind,
                ergs,
                ..
            } => {
                let exit = Exit {
                    step: row.step,
                    kind,
                    cause: None,
                    ergs: Some(ergs),
                };
                self.span(entered_at).exit = Some(exit);
            }
        }
    }

    fn add_failure(&mut self, failure: &FailureRow) {
        if failure.is_near {
            self.0.push(Span {
                entered_at: failure.entered_at,
                this: failure.address,
                entry: None,
                is_near: true,
                exit: Some(Exit {
                    step: failure.step,
                    kind: failure.kind,
                    cause: failure.cause,
                    ergs: None,
                }),
                parent: None,
            });
            return;
        }
        let span = self.span(failure.entered_at);
        span.this = failure.address;
        if let Some(exit) = &mut span.exit {
            exit.cause = failure.cause;
        }
    }

    /// The far frame that a step entered; one from before the stretch is made.
    fn span(&mut self, entered_at: u64) -> &mut Span {
        let known = self
            .0
            .iter()
            .rposition(|span| span.entered_at == entered_at && !span.is_near);
        let at = known.unwrap_or_else(|| {
            self.0.push(Span {
                entered_at,
                this: H160::zero(),
                entry: None,
                is_near: false,
                exit: None,
                parent: None,
            });
            self.0.len() - 1
        });
        &mut self.0[at]
    }

    /// Puts them in order, and finds the frame around each.
    /// `gone_at` says where the operator rolls a step back.
    fn link(&mut self, gone_at: impl Fn(u64) -> Option<u64>) {
        self.0.sort_by_key(|span| span.entered_at);
        let mut open: Vec<usize> = Vec::new();
        for at in 0..self.0.len() {
            let entered_at = self.0[at].entered_at;
            // A frame in which the operator rolled back is gone without having ended.
            let is_over = |&mut outer: &mut usize| {
                let gone_at = gone_at(self.0[outer].entered_at).filter(|_| !self.0[outer].is_root());
                self.0[outer].exit.is_some_and(|exit| exit.step < entered_at)
                    || gone_at.is_some_and(|gone_at| gone_at <= entered_at)
            };
            while open.pop_if(is_over).is_some() {}
            self.0[at].parent = open.last().copied();
            open.push(at);
        }
    }
}

impl Span {
    /// Whether it is the bootloader's own frame, which is there before the first step: nobody takes its entering back.
    pub fn is_root(&self) -> bool {
        self.entered_at == 0 && !self.is_near && self.entry.is_none()
    }

    /// Whether it reverted or panicked.
    pub fn failed(&self) -> bool {
        self.exit.is_some_and(|exit| exit.kind.undoes())
    }

    /// Address that its code belongs to, as far as that is known.
    pub fn code_address(&self) -> H160 {
        self.entry.map_or(self.this, |entry| entry.code_address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_in_which_the_operator_rolled_back_is_around_nothing_that_comes_later() {
        let span = |entered_at, left_at: Option<u64>| Span {
            entered_at,
            this: H160::zero(),
            entry: None,
            is_near: false,
            exit: left_at.map(|step| Exit {
                step,
                kind: RetKind::Ok,
                cause: None,
                ergs: None,
            }),
            parent: None,
        };
        // The frame of step 1 stays; those of 10 and 11 are rolled back at 20.
        let spans = [(1, None), (10, None), (11, None), (12, Some(15)), (20, Some(25))];
        let mut frames = Frames(spans.map(|(entered, left)| span(entered, left)).to_vec());
        frames.link(|step| (5..20).contains(&step).then_some(20));
        let parents: Vec<_> = frames.spans().iter().map(|span| span.parent).collect();
        assert_eq!(parents, [None, Some(0), Some(1), Some(2), Some(0)]);
        let running = |step| frames.running_at(step).map(|span| span.entered_at);
        // The step that enters a frame is its caller's, the one that leaves it its own.
        let steps = [1, 2, 12, 13, 15, 16, 26];
        let expected = [None, Some(1), Some(11), Some(12), Some(12), Some(11), Some(1)];
        assert_eq!(steps.map(running), expected);
        // The bootloader's own frame is there before the first step, from which on all is rolled back.
        let mut frames = Frames(
            [(0, None), (10, None), (25, None)]
                .map(|(entered, left)| span(entered, left))
                .to_vec(),
        );
        frames.link(|step| (0..20).contains(&step).then_some(20));
        let parents: Vec<_> = frames.spans().iter().map(|span| span.parent).collect();
        assert_eq!(parents, [None, Some(0), Some(0)]);
    }
}
