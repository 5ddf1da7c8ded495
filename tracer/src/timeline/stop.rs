//! Running to stops, in both directions: breakpoints and watchpoints are queries.
//!
//! A run leaves the place where it stands: a stop there does not hold it. It stops before the step that a query matches,
//! whichever way it comes from, or at the start or end of the recording.

use std::sync::atomic::AtomicBool;

use crate::error::Result;
use crate::query::{Found, Hit, Query, Search};
use crate::timeline::{Direction, Timeline};

/// Why a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunEnd {
    /// Before a step that matches; the hit says which query it was.
    Hit(Box<Hit>),
    /// At the end of the recording.
    End,
    /// At its start.
    Start,
    /// Somebody cancelled it; the cursor is where it was.
    Cancelled,
}

impl Timeline {
    /// Runs to the next (or last) step that a query matches. `progress` gets positions now and then; `cancel` is asked
    /// as often.
    ///
    /// # Errors
    /// When a chunk on the way is damaged; the cursor stays.
    pub fn run(
        &mut self,
        queries: &[Query],
        direction: Direction,
        cancel: &AtomicBool,
        progress: &mut dyn FnMut(u64),
    ) -> Result<RunEnd> {
        let steps = self.recording.steps();
        let range = match direction {
            Direction::Forward => self.position + 1..steps,
            Direction::Backward => 0..self.position,
        };
        if !queries.is_empty() {
            let exprs = queries.iter().map(Query::expr);
            let recording = self.recording.clone();
            let search = Search::new(&recording, exprs, direction)?.within(vec![range]);
            match search.first(cancel, progress)? {
                Found::Hit(hit) => {
                    self.seek(hit.step)?;
                    return Ok(RunEnd::Hit(hit));
                }
                Found::Stopped => return Ok(RunEnd::Cancelled),
                Found::Nothing => {}
            }
        }
        match direction {
            Direction::Forward => self.seek(steps).map(|()| RunEnd::End),
            Direction::Backward => self.seek(0).map(|()| RunEnd::Start),
        }
    }
}
