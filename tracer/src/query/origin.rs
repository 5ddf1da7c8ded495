//! Who wrote a value, who writes it next, who reads it next.

use std::ops::Range;
use std::sync::atomic::AtomicBool;

use crate::error::Result;
use crate::query::access::PlacePattern;
use crate::query::expr::{AccessTest, Atom, Expr, Verb};
use crate::query::facts::{self, Effect};
use crate::query::search::{Found, Hit, Search};
use crate::recording::Recording;
use crate::timeline::Direction;

/// What to ask about a place, from a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Which step gave it the value that it has: a write, a value that was given back, or the operator.
    LastWrite,
    /// Which step gives it the next one.
    NextWrite,
    /// Which step reads it next, the one that is about to execute included.
    NextRead,
}

impl Origin {
    /// Finds the step.
    ///
    /// # Errors
    /// When a chunk on the way is damaged.
    pub fn find(
        self,
        recording: &Recording,
        position: u64,
        place: &PlacePattern,
        stop: &AtomicBool,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Found> {
        let expr = match self {
            Self::LastWrite | Self::NextWrite => {
                Expr::Or(vec![access(Verb::Write, place), access(Verb::Restore, place)])
            }
            Self::NextRead => access(Verb::Read, place),
        };
        recording.load_overview();
        let mut search = |direction, ranges| {
            let search = Search::new(recording, [&expr], direction)?;
            search.within(ranges).briefly().first(stop, progress)
        };
        match self {
            Self::LastWrite => last_write(
                recording,
                past(recording, position, place),
                place,
                &mut |ranges| search(Direction::Backward, ranges),
            ),
            Self::NextWrite | Self::NextRead => {
                search(Direction::Forward, future(recording, position, place))
            }
        }
    }
}

/// The last step of some ranges that writes a place. What the operator writes right after it went back to its snapshot
/// belongs to no step of the ranges: rows tell of it, at the step before.
fn last_write(
    recording: &Recording,
    ranges: Vec<Range<u64>>,
    place: &PlacePattern,
    search: &mut dyn FnMut(Vec<Range<u64>>) -> Result<Found>,
) -> Result<Found> {
    let PlacePattern::Heap { page, .. } = *place else {
        return search(ranges);
    };
    if ranges.len() == 1 {
        return search(ranges);
    }
    let bootloader = recording.state_at_chunk(0)?.bootloader_heap_page();
    if page.is_some_and(|page| page != bootloader) {
        return search(ranges);
    }
    for range in ranges.into_iter().rev() {
        let before = range.start.checked_sub(1);
        let found = search(vec![range])?;
        if !matches!(found, Found::Nothing) {
            return Ok(found);
        }
        if let Some(step) = before
            && let Some(hit) = operator_write(recording, step, bootloader, place)?
        {
            return Ok(Found::Hit(Box::new(hit)));
        }
    }
    Ok(Found::Nothing)
}

/// The last word of a place that the operator wrote after a step.
fn operator_write(recording: &Recording, step: u64, page: u32, place: &PlacePattern) -> Result<Option<Hit>> {
    let rows = recording.rows_of_steps(recording.chunk_of(step), true)?;
    let written = facts::written_after_rollback(&rows, step, page);
    let access = written.into_iter().rfind(|access| place.has(&access.place));
    Ok(access.map(|access| Hit {
        step,
        query: 0,
        site: None,
        effects: vec![Effect::Access(access)],
    }))
}

/// The steps that led to what is here. What an operator rollback took back is not among them, unless rows tell of the
/// rollback, as they do for the chain's state.
fn past(recording: &Recording, position: u64, place: &PlacePattern) -> Vec<Range<u64>> {
    let mut ranges = Vec::new();
    let mut end = position;
    for range in recording.undone().iter().rev() {
        if !place.is_in_rows() && range.end_step <= end {
            ranges.push(range.end_step..end);
            end = range.first_step;
        }
    }
    ranges.push(0..end);
    ranges.reverse();
    ranges
}

/// The steps that what is here leads to.
fn future(recording: &Recording, position: u64, place: &PlacePattern) -> Vec<Range<u64>> {
    let mut ranges = Vec::new();
    let mut start = position;
    for range in recording.undone() {
        if place.is_in_rows() || range.end_step <= start {
            continue;
        }
        if range.first_step <= start {
            // What is here ends with the rollback.
            ranges.push(start..range.end_step);
            return ranges;
        }
        ranges.push(start..range.first_step);
        start = range.end_step;
    }
    ranges.push(start..recording.steps());
    ranges
}

fn access(verb: Verb, place: &PlacePattern) -> Expr {
    Expr::Test(Atom::Access(AccessTest {
        verb,
        place: place.clone(),
        from: None,
        to: None,
    }))
}
