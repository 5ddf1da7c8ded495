//! What stretches of a chunk did, as far as that shows without watching each step.

use std::mem;
use std::ops::Range;

use eradbg_vm::execution::Lives;

use crate::again::Again;
use crate::error::Result;
use crate::index::{Path, Touched, Version};
use crate::query::skip::Happened;
use crate::recording::{FarFrame, Recording, born_ids};
use crate::replay::{Mark, Replay};

/// Steps in a stretch.
const STRETCH_STEPS: u64 = 1_024;
/// Stretches between places that the replay can go back to: a copy of a state costs about as much as a stretch.
const MARK_EVERY: usize = 4;

/// A stretch, and what it did.
#[derive(Debug)]
pub(super) struct Glimpse {
    /// Its steps.
    pub(super) steps: Range<u64>,
    /// What it executed.
    pub(super) path: Path,
    /// What happened to frames.
    pub(super) happened: Happened,
    /// Words that were written of pages that live at its end.
    pub(super) written: Vec<Version>,
    /// Memories that came to life or died, but for those that did both.
    pub(super) lives: Lives,
    /// Page ids of memories that can have been born.
    pub(super) ids: Range<u32>,
    /// Far frames that are asked for and run or wait at its start, and at its end.
    pub(super) frames: [Vec<FarFrame>; 2],
}

/// Executes a chunk in stretches.
pub(super) struct Glimpses<'a> {
    replay: Replay,
    steps: Range<u64>,
    /// Far frames that are asked for, by the steps that entered them.
    wanted: &'a [u64],
    again: Again,
    marks: Vec<Mark>,
    stretches: usize,
}

impl<'a> Glimpses<'a> {
    /// Of some steps of a chunk.
    pub(super) fn new(
        recording: &Recording,
        chunk: u32,
        steps: Range<u64>,
        wanted: &'a [u64],
    ) -> Result<Self> {
        let mut replay = Replay::new(recording, chunk)?;
        replay.run_to(steps.start, &mut ())?;
        replay.start_tracking();
        Ok(Self {
            replay,
            steps,
            wanted,
            again: Again::default(),
            marks: Vec::new(),
            stretches: 0,
        })
    }

    /// What the next stretch did.
    pub(super) fn next(&mut self) -> Result<Option<Glimpse>> {
        let replay = &mut self.replay;
        let start = replay.execution().steps();
        let end = self.steps.end.min(start + STRETCH_STEPS);
        if start >= end {
            return Ok(None);
        }
        if self.stretches.is_multiple_of(MARK_EVERY) {
            self.marks.push(replay.mark());
        }
        self.stretches += 1;
        let (next_page, before) = (replay.execution().next_page(), self.frames());
        let replay = &mut self.replay;
        self.again.code.start(replay.execution());
        replay.run_to(end, &mut self.again)?;
        let rows = mem::take(&mut self.again.rows);
        self.again.deeds.clear();
        let (written, lives) = self.replay.take_written();
        Ok(Some(Glimpse {
            steps: start..end,
            path: self.again.code.take(),
            happened: Happened::among(Some(&Touched::by(&rows))),
            written,
            lives,
            ids: born_ids(next_page, self.replay.execution().next_page()),
            frames: [before, self.frames()],
        }))
    }

    /// The replay, at some step up to this one.
    pub(super) fn replay_from(&mut self, step: u64) -> &mut Replay {
        let behind = self.marks.partition_point(|mark| mark.position() <= step);
        if let Some(at) = behind.checked_sub(1) {
            self.replay.return_to(&self.marks[at]);
        }
        &mut self.replay
    }

    fn frames(&self) -> Vec<FarFrame> {
        if self.wanted.is_empty() {
            return Vec::new();
        }
        let frames = self.replay.execution().frames();
        let wanted = frames.filter(|frame| self.wanted.contains(&frame.far_entered_at()));
        wanted.map(FarFrame::of).collect()
    }
}
