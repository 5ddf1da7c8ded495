//! `VMState` at the starts of some chunks, made on the way by whoever needs one first, or ahead in the background.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use crate::error::Result;
use crate::ledger::StateRow;
use crate::recording::{Inner, Recording, lock};
use crate::state_view::StateView;

/// States that are kept, at most.
const KEPT: u32 = 160;
/// Chunks from which on states are made ahead.
const LONG: u32 = 256;

/// The states that are kept; they share what they have in common.
#[derive(Debug, Default, Clone)]
pub(super) struct States {
    /// By position.
    kept: BTreeMap<u64, StateView>,
    /// The first chunk whose rows were not applied yet.
    next: u32,
    /// The state at its start.
    state: StateView,
    /// Whether a thread makes them.
    in_background: bool,
}

impl Recording {
    /// The nearest state that is kept, with its position. Those up to the position are made first.
    ///
    /// # Errors
    /// When rows before the position are damaged.
    pub(crate) fn state_near(&self, position: u64) -> Result<(u64, StateView)> {
        let mut states = lock(&self.0.states);
        let wanted = self.chunk_of(position);
        while states.next <= wanted && states.next < self.chunks() {
            states.advance(self)?;
        }
        let before = states.kept.range(..=position).next_back();
        let after = states.kept.range(position..).next();
        let nearest = before
            .into_iter()
            .chain(after)
            .min_by_key(|(at, _)| at.abs_diff(position));
        Ok(nearest.map_or_else(Default::default, |(&at, state)| (at, state.clone())))
    }

    /// Makes the states of a long recording in the background, so that no seek has to.
    pub fn make_states_ahead(&self) {
        let mut states = lock(&self.0.states);
        if self.chunks() < LONG || std::mem::replace(&mut states.in_background, true) {
            return;
        }
        let inner = Arc::downgrade(&self.0);
        // Without a thread seeks make what they need.
        let _ = std::thread::Builder::new()
            .name("make-states".to_owned())
            .spawn(move || while advance_once(&inner) {});
    }
}

/// Makes a state; `false` when there is nothing more to make, or nobody needs it.
fn advance_once(recording: &Weak<Inner>) -> bool {
    let Some(inner) = recording.upgrade() else {
        return false;
    };
    let recording = Recording(inner);
    let mut states = lock(&recording.0.states);
    states.next < recording.chunks() && states.advance(&recording).is_ok()
}

impl States {
    /// Applies the rows of the next chunk.
    fn advance(&mut self, recording: &Recording) -> Result<()> {
        let chunk = self.next;
        let distance = recording.chunks().div_ceil(KEPT).max(1);
        let first = recording.first_step(chunk);
        let rows = recording.rows::<StateRow>(chunk)?;
        // Rows of a rollback right before the chunk belong to its first position.
        let (before, within) = rows.split_at(rows.partition_point(|row| row.step < first));
        for row in before {
            self.state.apply(&row.row);
        }
        if chunk.is_multiple_of(distance) {
            self.kept.insert(first, self.state.clone());
        }
        for row in within {
            self.state.apply(&row.row);
        }
        self.next += 1;
        Ok(())
    }
}
