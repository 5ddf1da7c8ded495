//! Stretches of a chunk decoded into the changes of each step, and the few that were used last.
//!
//! A chunk is executed again without watching up to the stretch that is asked for, and only that one is watched: copies
//! of a state cost more than a few thousand steps.

use std::collections::VecDeque;
use std::sync::Arc;

use eradbg_vm::Execution;

use crate::delta::{Change, DeltaObserver};
use crate::error::Result;
use crate::ledger::{StateRow, Timed};
use crate::recording::Recording;
use crate::replay::Replay;

/// Steps in a stretch.
const STRETCH_STEPS: u64 = 1_024;
/// Decoded stretches kept; one takes about a third of a megabyte.
const KEPT_STRETCHES: usize = 16;
/// Blocks of state rows kept.
const KEPT_ROWS: usize = 24;

/// A stretch with the changes of each of its steps.
#[derive(Debug)]
pub(super) struct Stretch {
    pub(super) first_step: u64,
    /// State at the first step.
    pub(super) start: Execution,
    changes: Vec<Change>,
    starts: Vec<u32>,
}

/// The stretches that were used last.
#[derive(Debug, Default)]
pub(super) struct RecentStretches(Recent<(u32, u64), Arc<Stretch>>);

/// State rows of the chunks that were used last.
#[derive(Debug, Default)]
pub(super) struct RecentRows(Recent<u32, Arc<Vec<Timed<StateRow>>>>);

/// Values by key, newest first.
#[derive(Debug)]
struct Recent<K, V>(VecDeque<(K, V)>);

impl Stretch {
    /// The stretch with a number in a chunk.
    fn decode(recording: &Recording, chunk: u32, number: u64) -> Result<Self> {
        let mut replay = Replay::new(recording, chunk)?;
        let first_step = recording.first_step(chunk) + number * STRETCH_STEPS;
        replay.run_to(first_step, &mut ())?;
        let start = replay.execution().clone();
        let mut observer = DeltaObserver::new(&start);
        replay.run_to(first_step + STRETCH_STEPS, &mut observer)?;
        let DeltaObserver { changes, starts, .. } = observer;
        Ok(Self {
            first_step,
            start,
            changes,
            starts,
        })
    }

    /// Changes of a step, counted from the stretch's first.
    pub(super) fn changes(&self, step: u64) -> &[Change] {
        let at = |step: u64| {
            self.starts
                .get(step as usize)
                .map_or(self.changes.len(), |&start| start as usize)
        };
        &self.changes[at(step)..at(step + 1)]
    }
}

impl RecentStretches {
    /// The stretch of a chunk that leads to a position; at the chunk's start the one that begins there.
    pub(super) fn get(&mut self, recording: &Recording, chunk: u32, position: u64) -> Result<Arc<Stretch>> {
        let steps = position - recording.first_step(chunk);
        let number = steps.saturating_sub(1) / STRETCH_STEPS;
        if let Some(stretch) = self.0.get(&(chunk, number)) {
            return Ok(Arc::clone(stretch));
        }
        let stretch = Arc::new(Stretch::decode(recording, chunk, number)?);
        self.0.put((chunk, number), Arc::clone(&stretch), KEPT_STRETCHES);
        Ok(stretch)
    }
}

impl RecentRows {
    /// State rows of a chunk.
    pub(super) fn get(&mut self, recording: &Recording, chunk: u32) -> Result<Arc<Vec<Timed<StateRow>>>> {
        if let Some(rows) = self.0.get(&chunk) {
            return Ok(Arc::clone(rows));
        }
        let rows = Arc::new(recording.rows::<StateRow>(chunk)?);
        self.0.put(chunk, Arc::clone(&rows), KEPT_ROWS);
        Ok(rows)
    }
}

impl<K: PartialEq, V> Recent<K, V> {
    fn get(&mut self, key: &K) -> Option<&V> {
        let at = self.0.iter().position(|(kept, _)| kept == key)?;
        let found = self.0.remove(at)?;
        self.0.push_front(found);
        self.0.front().map(|(_, value)| value)
    }

    fn put(&mut self, key: K, value: V, most: usize) {
        self.0.push_front((key, value));
        self.0.truncate(most);
    }
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}
