//! Summaries of chunks: read by groups, or made again where there are none.

use std::sync::Arc;

use rayon::prelude::*;

use crate::again::Again;
use crate::error::Result;
use crate::index::{GROUP_CHUNKS, Path, Summary, Touched, decode_group};
use crate::ledger::Rows;
use crate::recording::{Recording, lock};
use crate::replay::replay_chunk;
use crate::store::envelope::Kind;
use crate::store::key;
use crate::store::tree::Tree;

/// Groups whose summaries are kept when they were read.
const RECENT_GROUPS: usize = 4;

impl Recording {
    /// How many groups of chunks there are.
    pub fn groups(&self) -> u32 {
        self.chunks().div_ceil(GROUP_CHUNKS)
    }

    /// Summaries of a group as they are stored; `None` when there are none, as in a recording that was not finished.
    ///
    /// # Errors
    /// When they are damaged.
    pub fn stored_group(&self, group: u32) -> Result<Option<Vec<Summary>>> {
        let place = || format!("index of chunks from {}", group * GROUP_CHUNKS);
        let found = self
            .0
            .database
            .get(Tree::Index, Kind::Index, &key::group(group), place)?;
        let Some((bytes, _)) = found else { return Ok(None) };
        let mut summaries = decode_group(&bytes).map_err(|error| self.damaged(place(), error.to_string()))?;
        let expected = self.group_chunks(group).len();
        if summaries.len() >= expected {
            // A recording that is read up to its last seal, or up to a damaged log, may be known further.
            summaries.truncate(expected);
            Ok(Some(summaries))
        } else {
            let why = format!("it has {} chunks, not {expected}", summaries.len());
            Err(self.damaged(place(), why))
        }
    }

    /// Summaries of a group, made again where none can be read.
    pub fn group(&self, group: u32) -> Arc<Vec<Summary>> {
        if let Some(made) = lock(&self.0.groups_made_again).get(&group) {
            return Arc::clone(made);
        }
        if let Some(summaries) = self.recent_group(group) {
            return summaries;
        }
        let chunks = self.group_chunks(group).into_par_iter();
        let summaries: Vec<_> = chunks.map(|chunk| self.summarize(chunk)).collect();
        let made = Arc::new(summaries);
        lock(&self.0.groups_made_again).insert(group, Arc::clone(&made));
        made
    }

    /// A group as it is stored; those that were read last are kept, since one question follows the other.
    fn recent_group(&self, group: u32) -> Option<Arc<Vec<Summary>>> {
        let recent = &self.0.recent_groups;
        if let Some((_, summaries)) = lock(recent).iter().find(|(number, _)| *number == group) {
            return Some(Arc::clone(summaries));
        }
        let summaries = Arc::new(self.stored_group(group).ok()??);
        let mut kept = lock(recent);
        if kept.len() >= RECENT_GROUPS {
            kept.remove(0);
        }
        kept.push((group, Arc::clone(&summaries)));
        Some(summaries)
    }

    /// Chunks of a group.
    pub fn group_chunks(&self, group: u32) -> std::ops::Range<u32> {
        let first = group * GROUP_CHUNKS;
        first..self.chunks().min(first + GROUP_CHUNKS)
    }

    /// Rows of the steps of a chunk, each with its step: those of what the operator did after a step are of that step.
    /// Without those that overviews are made of, there are only those about the chain's state and far calls.
    ///
    /// # Errors
    /// When some are damaged.
    pub(crate) fn rows_of_steps(&self, chunk: u32, with_overview: bool) -> Result<Rows> {
        let block = |chunk| {
            if with_overview {
                self.all_rows(chunk)
            } else {
                self.ledger_rows(chunk)
            }
        };
        let mut rows = block(chunk)?;
        let (first, end) = (self.first_step(chunk), self.first_step(chunk + 1));
        // What a rollback did stands in the block after it.
        if self.rows_reach_beyond(chunk) && chunk + 1 < self.row_blocks() {
            let next = block(chunk + 1)?;
            rows.state.extend(next.state);
            rows.operator.extend(next.operator);
        }
        rows.state.retain(|row| (first..end).contains(&row.step));
        for row in &mut rows.operator {
            row.step = row.step.saturating_sub(1);
        }
        rows.operator.retain(|row| (first..end).contains(&row.step));
        Ok(rows)
    }

    /// Whether the block after that of a chunk has rows of its steps: before a rollback, and at the end. The overview is
    /// loaded.
    pub(crate) fn rows_reach_beyond(&self, chunk: u32) -> bool {
        let end = self.first_step(chunk + 1);
        let rollbacks = self.undone();
        let at = rollbacks.partition_point(|range| range.end_step < end);
        chunk + 1 >= self.chunks() || rollbacks.get(at).is_some_and(|range| range.end_step == end)
    }

    /// Makes the summary of a chunk again, as far as that is possible.
    fn summarize(&self, chunk: u32) -> Summary {
        let keyframe = self.usable_keyframe(chunk);
        let mut summary = keyframe.map_or_else(|_| Summary::default(), |it| Summary::of_keyframe(&it));
        summary.path = self.path_again(chunk).ok();
        summary.touched = self.all_rows(chunk).ok().map(|rows| Touched::by(&rows));
        summary
    }

    fn path_again(&self, chunk: u32) -> Result<Path> {
        let log = self.log(chunk)?;
        let mut execution = self.state_at_chunk(chunk)?;
        let mut again = Again::default();
        again.code.start(&execution);
        replay_chunk(self, chunk, &log, &mut execution, &mut again)?;
        Ok(again.code.take())
    }
}
