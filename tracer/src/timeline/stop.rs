//! Running to breakpoints, in both directions.
//!
//! A run leaves the place where it stands: a breakpoint there does not stop it. It stops before the instruction that
//! a breakpoint names, whichever way it comes from, or at the start or end of the recording.

use std::sync::atomic::{AtomicBool, Ordering};

use eradbg_vm::observer::Step;
use eradbg_vm::{Execution, H160, Observer};

use crate::error::Result;
use crate::replay::replay_chunk;
use crate::timeline::{Direction, Timeline};

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
    breakpoints: &'a [Breakpoint],
    /// Positions that count.
    first: u64,
    end: u64,
    direction: Direction,
    hit: Option<(u64, usize)>,
}

impl Breakpoint {
    /// Whether a frame stands at it.
    pub fn matches(&self, pc: u16, address: H160) -> bool {
        self.pc.is_none_or(|wanted| wanted == pc) && self.address.is_none_or(|wanted| wanted == address)
    }
}

impl Observer for Watch<'_> {
    const WATCHES: bool = false;

    #[inline]
    fn before_step(&mut self, execution: &Execution, step: Step<'_>) {
        let position = execution.steps();
        let Some(pc) = step.pc.filter(|_| (self.first..self.end).contains(&position)) else {
            return;
        };
        if self.hit.is_some() && self.direction == Direction::Forward {
            return;
        }
        let address = execution.frame().code_address;
        if let Some(index) = self
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
        let (chunks, first, end): (Vec<u32>, _, _) = match direction {
            Direction::Forward => (
                (here..self.recording.chunks()).collect(),
                self.position + 1,
                steps,
            ),
            Direction::Backward => ((0..=here).rev().collect(), 0, self.position),
        };
        for chunk in chunks {
            if cancel.load(Ordering::Relaxed) {
                return Ok(RunEnd::Cancelled);
            }
            progress(self.recording.first_step(chunk));
            if breakpoints.is_empty() {
                break;
            }
            let log = self.recording.log(chunk)?;
            let mut execution = self.recording.state_at_chunk(chunk)?;
            let mut watch = Watch {
                breakpoints,
                first,
                end,
                direction,
                hit: None,
            };
            replay_chunk(&self.recording, chunk, &log, &mut execution, &mut watch)?;
            if let Some((position, index)) = watch.hit {
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
