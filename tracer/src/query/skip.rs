//! Which chunks, and which stretches of a chunk, need not be looked at.
//!
//! A chunk is skipped when no step with what its rows and pages say can match, or when no instruction that it executed
//! can. Each of the two leaves out what only the other knows. Summaries tell it of chunks, a glimpse of stretches.

mod instructions;
mod places;

use std::sync::Mutex;

use crate::index::{Path, Summary, Topic, Topics, Touched};
use crate::query::access::PlacePattern;
use crate::query::expr::{AccessTest, Answer, Atom, Expr, Span, Subject, Verb};
use crate::query::glimpse::Glimpse;
use crate::query::holds::Times;
use crate::recording::{Recording, lock};
pub(super) use instructions::Happened;
use instructions::MayMatch;

/// Decides which chunks may match.
pub(super) struct Filter<'a> {
    recording: &'a Recording,
    expr: &'a Expr,
    times: &'a Times<'a>,
    /// Chunks that may do what a test of one memory or slot asks for, ascending.
    chunks: Vec<(&'a AccessTest, Vec<u32>)>,
    /// Far frames whose stack slots are asked for, by the steps that entered them.
    frames: Vec<u64>,
    /// Instructions that were judged.
    known: Mutex<MayMatch>,
}

impl<'a> Filter<'a> {
    pub(super) fn new(recording: &'a Recording, expr: &'a Expr, times: &'a Times<'a>) -> Self {
        let (mut chunks, mut frames) = (Vec::new(), Vec::new());
        expr.for_each(&mut |atom| {
            if let Atom::Access(test) = atom {
                let found = places::chunks(recording, test);
                chunks.extend(found.map(|found| (test, found)));
                frames.extend(places::frame(test));
            }
        });
        Self {
            recording,
            expr,
            times,
            chunks,
            frames,
            known: Mutex::default(),
        }
    }

    /// When steps were.
    pub(super) fn times(&self) -> &Times<'a> {
        self.times
    }

    /// Far frames that a glimpse of a stretch shall tell about, by the steps that entered them.
    pub(super) fn frames(&self) -> &[u64] {
        &self.frames
    }

    /// Whether it knows of some place which chunks may write it.
    pub(super) fn knows_chunks(&self) -> bool {
        !self.chunks.is_empty()
    }

    /// Whether a chunk may match, without its summary.
    pub(super) fn may_match_at_all(&self, chunk: u32) -> bool {
        let nothing_known = Summary::default();
        let answer = self
            .expr
            .answer(&mut |atom| self.chunk(atom, chunk, &nothing_known));
        answer != Answer::No
    }

    /// Whether a chunk may match.
    pub(super) fn may_match(&self, chunk: u32, summary: &Summary) -> bool {
        let of_chunk = self.expr.answer(&mut |atom| self.chunk(atom, chunk, summary));
        if of_chunk == Answer::No {
            return false;
        }
        let Some(path) = &summary.path else { return true };
        let happened = Happened::among(self.touched(chunk, summary));
        self.path_may_match(path, happened)
    }

    /// Whether a stretch of a chunk may match.
    pub(super) fn may_match_in(&self, glimpse: &Glimpse) -> bool {
        let of_stretch = self.expr.answer(&mut |atom| stretch(atom, glimpse));
        of_stretch != Answer::No && self.path_may_match(&glimpse.path, glimpse.happened)
    }

    /// Whether an instruction that was executed may match.
    fn path_may_match(&self, path: &Path, happened: Happened) -> bool {
        let mut known = lock(&self.known);
        instructions::unplaced_may_match(self.expr, happened)
            || path
                .code
                .iter()
                .any(|executed| known.may_match(self.recording, self.expr, executed, happened))
    }

    /// What is known of a test from a chunk's place in time, its rows and its pages.
    fn chunk(&self, atom: &Atom, chunk: u32, summary: &Summary) -> Answer {
        let first = self.recording.first_step(chunk);
        let last = self.recording.first_step(chunk + 1).saturating_sub(1);
        let touched = self.touched(chunk, summary);
        let topics = |wanted: &[Topic]| match touched {
            Some(touched) => {
                Answer::possible(touched.topics.meets(wanted.iter().copied().collect::<Topics>()))
            }
            None => Answer::Maybe,
        };
        match atom {
            Atom::Number(Subject::Transaction, span) => {
                let transactions = self.times.transactions(first, last);
                Answer::possible(
                    transactions.is_some_and(|(first, last)| span.meets(first.into(), last.into())),
                )
            }
            Atom::Number(Subject::Refund, span) if !span.has(0) => topics(&[Topic::Refund]),
            Atom::Number(Subject::Pubdata, span) => topics(pubdata_topics(*span)),
            Atom::Access(test) => self.access(test, chunk, summary),
            Atom::Event(..) => topics(&[Topic::Event]),
            Atom::Log(_) => topics(&[Topic::Log]),
            Atom::Decommit(_) => topics(&[Topic::Decommit]),
            Atom::Call(_) => topics(&[Topic::Call]),
            Atom::Return => topics(&[Topic::Return]),
            Atom::Revert | Atom::Panic(_) => topics(&[Topic::Failure]),
            Atom::Hook(_) => topics(&[Topic::Hook]),
            Atom::Warm | Atom::Cold => topics(&[Topic::StorageRead, Topic::StorageWrite]),
            Atom::Undone => self.times.undone(first, last),
            _ => between(atom, first, last, summary.path.as_ref()),
        }
    }

    /// What the rows of a chunk's steps are about, where its own block has all of them.
    fn touched<'s>(&self, chunk: u32, summary: &'s Summary) -> Option<&'s Touched> {
        let touched = summary.touched.as_ref();
        touched.filter(|_| !self.recording.rows_reach_beyond(chunk))
    }

    fn access(&self, test: &AccessTest, chunk: u32, summary: &Summary) -> Answer {
        let mut known = self.chunks.iter();
        if let Some((_, chunks)) = known.find(|(other, _)| std::ptr::eq(*other, test)) {
            return Answer::possible(chunks.binary_search(&chunk).is_ok());
        }
        let Some(touched) = self.touched(chunk, summary) else {
            return Answer::Maybe;
        };
        let (read, write) = match test.place {
            PlacePattern::Storage { .. } => (Topic::StorageRead, Topic::StorageWrite),
            PlacePattern::Transient { .. } => (Topic::TransientRead, Topic::TransientWrite),
            _ => return Answer::Maybe,
        };
        let wanted: Topics = match test.verb {
            Verb::Read => [read].into_iter().collect(),
            Verb::Write => [write].into_iter().collect(),
            Verb::Change => [write, Topic::SlotRestored].into_iter().collect(),
            Verb::Restore => [Topic::SlotRestored].into_iter().collect(),
        };
        Answer::possible(touched.topics.meets(wanted))
    }
}

/// What is known of a test from what a stretch did.
fn stretch(atom: &Atom, glimpse: &Glimpse) -> Answer {
    match atom {
        Atom::Access(test) => Answer::possible(places::may_be_written(test, glimpse)),
        Atom::Revert | Atom::Panic(_) => Answer::possible(glimpse.happened.failure),
        Atom::Return => Answer::possible(glimpse.happened.far_return),
        _ => between(
            atom,
            glimpse.steps.start,
            glimpse.steps.end - 1,
            Some(&glimpse.path),
        ),
    }
}

/// What is known of a test from the first and last step of a chunk or stretch, and from what it executed.
fn between(atom: &Atom, first: u64, last: u64, path: Option<&Path>) -> Answer {
    match (atom, path) {
        (Atom::Number(Subject::Step, span), _) => Answer::possible(span.meets(clamp(first), clamp(last))),
        (Atom::Number(Subject::Depth, span), Some(path)) => {
            Answer::possible(span.meets(path.depth.0.into(), path.depth.1.into()))
        }
        // A frame's steps come after the one that entered it.
        (Atom::Frame(entered_at), _) => Answer::possible(last > *entered_at),
        _ => Answer::Maybe,
    }
}

/// Topics of rows that add a number of bytes of this span.
fn pubdata_topics(span: Span) -> &'static [Topic] {
    if span.has(0) {
        &[Topic::StorageWrite, Topic::PubdataAdded, Topic::PubdataFreed]
    } else if span.least > 0 {
        &[Topic::PubdataAdded]
    } else if span.greatest < 0 {
        &[Topic::PubdataFreed]
    } else {
        &[Topic::PubdataAdded, Topic::PubdataFreed]
    }
}

fn clamp(step: u64) -> i64 {
    i64::try_from(step).unwrap_or(i64::MAX)
}
