//! Chunks decoded into the changes of each step, and the few that were used last.

use std::collections::VecDeque;
use std::sync::Arc;

use eradbg_vm::Execution;

use crate::delta::{Change, DeltaObserver};
use crate::error::Result;
use crate::ledger::{StateRow, Timed};
use crate::recording::Recording;
use crate::replay::replay_chunk;

/// Decoded chunks kept; one takes a few MB.
const KEPT_CHUNKS: usize = 16;
/// Blocks of state rows kept.
const KEPT_ROWS: usize = 64;

/// A chunk with the changes of each of its steps.
#[derive(Debug)]
pub(super) struct DecodedChunk {
    pub(super) index: u32,
    pub(super) first_step: u64,
    /// State at the first step.
    pub(super) start: Execution,
    changes: Vec<Change>,
    starts: Vec<u32>,
}

/// Chunks that were used last, newest first.
#[derive(Debug, Default)]
pub(super) struct ChunkCache {
    chunks: VecDeque<Arc<DecodedChunk>>,
    rows: VecDeque<(u32, Arc<Vec<Timed<StateRow>>>)>,
}

impl DecodedChunk {
    fn decode(recording: &Recording, chunk: u32) -> Result<Self> {
        let start = recording.state_at_chunk(chunk)?;
        let log = recording.log(chunk)?;
        let mut observer = DeltaObserver::new(&start);
        let mut execution = start.clone();
        replay_chunk(recording, chunk, &log, &mut execution, &mut observer)?;
        let DeltaObserver { changes, starts, .. } = observer;
        Ok(Self {
            index: chunk,
            first_step: log.first_step,
            start,
            changes,
            starts,
        })
    }

    /// Changes of a step, counted from the chunk's first.
    pub(super) fn changes(&self, step: u64) -> &[Change] {
        let at = |step: u64| {
            self.starts
                .get(step as usize)
                .map_or(self.changes.len(), |&start| start as usize)
        };
        &self.changes[at(step)..at(step + 1)]
    }
}

impl ChunkCache {
    pub(super) fn get(&mut self, recording: &Recording, chunk: u32) -> Result<Arc<DecodedChunk>> {
        if let Some(at) = self.chunks.iter().position(|kept| kept.index == chunk) {
            let found = self.chunks.remove(at).expect("it was just found");
            self.chunks.push_front(Arc::clone(&found));
            return Ok(found);
        }
        let decoded = Arc::new(DecodedChunk::decode(recording, chunk)?);
        self.chunks.push_front(Arc::clone(&decoded));
        self.chunks.truncate(KEPT_CHUNKS);
        Ok(decoded)
    }

    pub(super) fn rows(&mut self, recording: &Recording, chunk: u32) -> Result<Arc<Vec<Timed<StateRow>>>> {
        if let Some((_, rows)) = self.rows.iter().find(|(kept, _)| *kept == chunk) {
            return Ok(Arc::clone(rows));
        }
        let rows = Arc::new(recording.rows::<StateRow>(chunk)?);
        self.rows.push_front((chunk, Arc::clone(&rows)));
        self.rows.truncate(KEPT_ROWS);
        Ok(rows)
    }
}
