//! Looks for steps that match.

mod chunk;

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::index::GROUP_CHUNKS;
use crate::query::expr::{Answer, Atom, Expr, Verb};
use crate::query::facts::{Effect, Site};
use crate::query::holds::Times;
use crate::query::skip::Filter;
use crate::recording::Recording;
use crate::timeline::Direction;

/// Chunks that are searched at once, at most: what was asked to stop does so after them.
const CHUNKS_AT_ONCE: usize = GROUP_CHUNKS as usize;
/// Chunks that are searched one by one before others are searched at once, where one hit is enough.
const CHUNKS_ALONE: u32 = 3;

/// What to look for, and where.
#[derive(Debug)]
pub struct Search<'a> {
    recording: &'a Recording,
    /// The predicates, of which one must hold.
    exprs: Vec<&'a Expr>,
    /// All of them in one.
    any: Expr,
    /// Steps that count, ascending and without overlap.
    ranges: Vec<Range<u64>>,
    direction: Direction,
    needs: Needs,
    /// Whether hits tell no more than what is asked for.
    is_brief: bool,
}

/// A step that matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The step.
    pub step: u64,
    /// The predicate that holds, by its number.
    pub query: usize,
    /// Where it stands, if that is known.
    pub site: Option<Site>,
    /// What it did: its rows, if they were asked for, and the accesses that match.
    pub effects: Vec<Effect>,
}

/// What a search found first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A step.
    Hit(Box<Hit>),
    /// There is none.
    Nothing,
    /// It was stopped before the end.
    Stopped,
}

/// How a search for all steps ended.
#[derive(Debug, Default)]
pub struct Searched {
    /// Whether it was stopped, or had enough, before the end.
    pub was_stopped: bool,
    /// What is wrong with chunks that could not be searched.
    pub damaged: Vec<Error>,
}

/// What must be known of a step.
#[derive(Debug, Clone, Default)]
struct Needs {
    /// Something that rows do not tell.
    replay: bool,
    /// Rows.
    rows: bool,
    /// Rows that overviews are made of.
    overview: bool,
    /// Accesses to registers, flags, stack and memory.
    accesses: bool,
    /// Reads of them.
    reads: bool,
    /// Frames, by the steps that entered them.
    frames: Vec<u64>,
}

impl Needs {
    fn of(expr: &Expr) -> Self {
        // A step without rows matches when nothing but time decides.
        let without_rows = expr.answer(&mut |atom| {
            if atom.is_about_time() {
                Answer::Maybe
            } else {
                Answer::No
            }
        });
        let mut needs = Self {
            replay: without_rows != Answer::No || expr.any(|atom| !atom.is_in_rows()),
            rows: expr.any(|atom| atom.is_in_rows() && !atom.is_about_time()),
            overview: expr.any(|atom| matches!(atom, Atom::Revert | Atom::Panic(_) | Atom::Hook(_))),
            ..Self::default()
        };
        expr.for_each(&mut |atom| match atom {
            Atom::Frame(entered_at) => needs.frames.push(*entered_at),
            Atom::Access(test) if !test.place.is_in_rows() => {
                needs.accesses = true;
                needs.reads |= test.verb == Verb::Read;
            }
            _ => {}
        });
        needs
    }
}

impl<'a> Search<'a> {
    /// A search of all steps for those of which one of the predicates holds.
    ///
    /// # Errors
    /// When the recording cannot be stepped, or what it holds at a glance is damaged.
    pub fn new(
        recording: &'a Recording,
        exprs: impl IntoIterator<Item = &'a Expr>,
        direction: Direction,
    ) -> Result<Self> {
        recording.check_machine()?;
        recording.load_overview();
        // All chunks need it, and it must not be made while cores wait for each other.
        recording.page_index();
        let exprs: Vec<_> = exprs.into_iter().collect();
        let any = match &exprs[..] {
            [one] => (*one).clone(),
            all => Expr::Or(all.iter().map(|&expr| expr.clone()).collect()),
        };
        Ok(Self {
            recording,
            needs: Needs::of(&any),
            exprs,
            any,
            ranges: vec![0..recording.steps()],
            direction,
            is_brief: false,
        })
    }

    /// Says of hits no more than what the predicate asks for: where they stand and their rows only if that has to be known
    /// anyway.
    #[must_use]
    pub fn briefly(mut self) -> Self {
        self.is_brief = true;
        self
    }

    /// Looks at these steps only; the ranges ascend and do not overlap.
    #[must_use]
    pub fn within(mut self, ranges: Vec<Range<u64>>) -> Self {
        self.ranges = ranges;
        self
    }

    /// The first step that matches, in the search's direction. `progress` gets a step now and then, and `stop` is asked
    /// as often.
    ///
    /// # Errors
    /// When a chunk on the way is damaged.
    pub fn first(&self, stop: &AtomicBool, progress: &mut dyn FnMut(u64)) -> Result<Found> {
        let mut found = None;
        // What is looked for is near as a rule, and then more than a chunk is too much.
        let searched = self.walk(1, stop, progress, &mut |_, result| {
            found = Some(result.map(|hits| hits.into_iter().next()));
            !matches!(found, Some(Ok(None)))
        });
        match found.transpose()?.flatten() {
            Some(hit) => Ok(Found::Hit(Box::new(hit))),
            None if searched => Ok(Found::Nothing),
            None => Ok(Found::Stopped),
        }
    }

    /// All steps that match, in the search's direction; `hit` says whether it wants more. Chunks that are damaged are
    /// left out, and told.
    pub fn all(
        &self,
        stop: &AtomicBool,
        progress: &mut dyn FnMut(u64),
        hit: &mut dyn FnMut(Hit) -> bool,
    ) -> Searched {
        let mut damaged = Vec::new();
        let searched = self.walk(usize::MAX, stop, progress, &mut |_, result| match result {
            Ok(hits) => !hits.into_iter().all(&mut *hit),
            Err(error) => {
                damaged.push(error);
                false
            }
        });
        Searched {
            was_stopped: !searched,
            damaged,
        }
    }

    /// Searches chunk by chunk, each for up to `most` steps, until `done` says so. `false`: it was stopped before the
    /// end.
    fn walk(
        &self,
        most: usize,
        stop: &AtomicBool,
        progress: &mut dyn FnMut(u64),
        done: &mut dyn FnMut(u32, Result<Vec<Hit>>) -> bool,
    ) -> bool {
        let times = Times::new(self.recording);
        let filter = Filter::new(self.recording, &self.any, &times);
        let mut group = None;
        // A chunk of which it is known that it writes the place has a hit as a rule, and so has any that may have it: the first
        // ones are not looked at together.
        let knows = most == 1 && filter.knows_chunks();
        let mut alone = if most == 1 { CHUNKS_ALONE } else { 0 };
        let mut batch = if most == 1 { 1 } else { CHUNKS_AT_ONCE };
        let mut waiting = Vec::new();
        let mut chunks = self.chunks().into_iter().peekable();
        let mut passed = 0;
        while let Some(chunk) = chunks.next() {
            if passed == 0 {
                progress(self.recording.first_step(chunk));
                if stop.load(Ordering::Relaxed) {
                    return false;
                }
            }
            passed = (passed + 1) % CHUNKS_AT_ONCE;
            if filter.may_match_at_all(chunk) {
                // What is near is looked at sooner than its summary is read.
                let may_match = knows || alone == CHUNKS_ALONE || {
                    let number = chunk / GROUP_CHUNKS;
                    let summaries = match &group {
                        Some((of, summaries)) if *of == number => summaries,
                        _ => &group.insert((number, self.recording.group(number))).1,
                    };
                    let summary = summaries.get((chunk % GROUP_CHUNKS) as usize);
                    summary.is_none_or(|summary| filter.may_match(chunk, summary))
                };
                waiting.extend(may_match.then_some(chunk));
            }
            // One hit is enough, and may be in what waits: further summaries are not read before that is known.
            let ends_group = |next: &u32| most == 1 && next / GROUP_CHUNKS != chunk / GROUP_CHUNKS;
            let is_last = chunks.peek().is_none_or(ends_group);
            if waiting.len() >= batch || is_last && !waiting.is_empty() {
                let search = |&chunk: &u32| self.chunk(chunk, most, &filter);
                let results: Vec<_> = if waiting.len() == 1 {
                    waiting.iter().map(search).collect()
                } else {
                    waiting.par_iter().map(search).collect()
                };
                for (chunk, result) in waiting.drain(..).zip(results) {
                    if done(chunk, result) {
                        return false;
                    }
                }
                if stop.load(Ordering::Relaxed) {
                    return false;
                }
                alone = alone.saturating_sub(1);
                if alone == 0 && !knows {
                    batch = (batch * 2).min(CHUNKS_AT_ONCE);
                }
            }
        }
        true
    }

    /// Chunks with steps of the ranges, in the search's direction.
    fn chunks(&self) -> Vec<u32> {
        let mut chunks: Vec<u32> = Vec::new();
        for range in self.ranges.iter().filter(|range| !range.is_empty()) {
            let first = self.recording.chunk_of(range.start);
            let start = chunks.last().map_or(first, |&known| first.max(known + 1));
            chunks.extend(start..=self.recording.chunk_of(range.end - 1));
        }
        if self.direction == Direction::Backward {
            chunks.reverse();
        }
        chunks
    }

    fn counts(&self, step: u64) -> bool {
        let at = self.ranges.partition_point(|range| range.end <= step);
        self.ranges.get(at).is_some_and(|range| range.contains(&step))
    }

    /// The steps of a chunk from the first one that counts to the last.
    fn steps_of(&self, chunk: u32) -> Range<u64> {
        let (first, end) = (
            self.recording.first_step(chunk),
            self.recording.first_step(chunk + 1),
        );
        let overlaps = |range: &&Range<u64>| range.start < end && first < range.end;
        let mut ranges = self.ranges.iter().filter(overlaps);
        let Some(start) = ranges.clone().next() else {
            return first..first;
        };
        let last = ranges.next_back().unwrap_or(start);
        start.start.max(first)..last.end.min(end)
    }
}
