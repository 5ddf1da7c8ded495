//! Running to breakpoints, in both directions.
//!
//! A run leaves the place where it stands: a breakpoint there does not stop it. It stops before the instruction that
//! a breakpoint names, whichever way it comes from, or at the start or end of the recording.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use eradbg_vm::observer::Step;
use eradbg_vm::{Execution, H160, Observer};
use rayon::prelude::*;

use crate::error::Result;
use crate::ledger::{CodeRow, Timed};
use crate::recording::Recording;
use crate::replay::replay_chunk;
use crate::timeline::{Direction, Timeline};

/// Chunks that are searched before anyone is asked whether to go on.
const CHUNKS_AT_ONCE: usize = 64;

/// A place in code to stop at; what is given must all hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breakpoint {
    /// Program counter.
    pub pc: Option<u16>,
    /// Address that the code belongs to.
    pub address: Option<H160>,
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEnd {
    /// At the breakpoint with this index.
    Hit(usize),
    /// At the end of the recording.
    End,
    /// At its start.
    Start,
    /// Somebody cancelled it; the cursor is where it was.
    Cancelled,
}

/// Notes where breakpoints are hit in a chunk.
struct Watch<'a> {
    search: &'a Search<'a>,
    hit: Option<(u64, usize)>,
}

impl Breakpoint {
    /// Whether a frame stands at it.
    pub fn matches(&self, pc: u16, address: H160) -> bool {
        self.pc.is_none_or(|wanted| wanted == pc) && self.address.is_none_or(|wanted| wanted == address)
    }
}

/// What a run looks for.
struct Search<'a> {
    recording: &'a Recording,
    breakpoints: &'a [Breakpoint],
    /// Positions that count.
    positions: Range<u64>,
    direction: Direction,
}

impl Search<'_> {
    /// The nearest hit in a chunk: position, and index of the breakpoint.
    fn chunk(&self, chunk: u32) -> Result<Option<(u64, usize)>> {
        // They only save work: where they are damaged the chunk itself tells.
        let rows = self.recording.rows::<CodeRow>(chunk).unwrap_or_default();
        let may_hit = |row: &Timed<CodeRow>| {
            let CodeRow { address, blocks } = row.row;
            self.breakpoints.iter().any(|breakpoint| {
                breakpoint.address.is_none_or(|wanted| wanted == address)
                    && breakpoint.pc.is_none_or(|pc| blocks.contains(pc))
            })
        };
        // A recording that was made before there were such rows has none.
        if !rows.is_empty() && !rows.iter().any(may_hit) {
            return Ok(None);
        }
        let log = self.recording.log(chunk)?;
        let mut execution = self.recording.state_at_chunk(chunk)?;
        let mut watch = Watch {
            search: self,
            hit: None,
        };
        replay_chunk(self.recording, chunk, &log, &mut execution, &mut watch)?;
        Ok(watch.hit)
    }
}

impl Observer for Watch<'_> {
    const WATCHES: bool = false;

    #[inline]
    fn before_step(&mut self, execution: &Execution, step: Step<'_>) {
        let position = execution.steps();
        let Some(pc) = step.pc.filter(|_| self.search.positions.contains(&position)) else {
            return;
        };
        if self.hit.is_some() && self.search.direction == Direction::Forward {
            return;
        }
        let address = execution.frame().code_address;
        if let Some(index) = self
            .search
            .breakpoints
            .iter()
            .position(|breakpoint| breakpoint.matches(pc, address))
        {
            self.hit = Some((position, index));
        }
    }
}

impl Timeline {
    /// Runs to the next (or last) breakpoint. `progress` gets positions now and then; `cancel` is asked as often.
    ///
    /// # Errors
    /// When a chunk on the way is damaged; the cursor stays.
    pub fn run(
        &mut self,
        breakpoints: &[Breakpoint],
        direction: Direction,
        cancel: &AtomicBool,
        progress: &mut dyn FnMut(u64),
    ) -> Result<RunEnd> {
        let (here, steps) = (self.recording.chunk_of(self.position), self.recording.steps());
        let (mut chunks, first, end): (Vec<u32>, _, _) = match direction {
            Direction::Forward => (
                (here..self.recording.chunks()).collect(),
                self.position + 1,
                steps,
            ),
            Direction::Backward => ((0..=here).rev().collect(), 0, self.position),
        };
        if breakpoints.is_empty() {
            chunks.clear();
        }
        let search = Search {
            recording: &self.recording,
            breakpoints,
            positions: first..end,
            direction,
        };
        // Each stretch of chunks is searched on all cores, and the nearest hit in it counts.
        for chunks in chunks.chunks(CHUNKS_AT_ONCE) {
            if cancel.load(Ordering::Relaxed) {
                return Ok(RunEnd::Cancelled);
            }
            progress(self.recording.first_step(chunks[0]));
            let found = chunks.par_iter().map(|&chunk| search.chunk(chunk));
            let nearest = found.find_map_first(Result::transpose);
            if let Some(hit) = nearest {
                let (position, index) = hit?;
                self.seek(position)?;
                return Ok(RunEnd::Hit(index));
            }
        }
        match direction {
            Direction::Forward => self.seek(steps).map(|()| RunEnd::End),
            Direction::Backward => self.seek(0).map(|()| RunEnd::Start),
        }
    }
}
