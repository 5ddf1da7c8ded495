//! A cursor over a recording, with the whole state at it, that walks both ways.
//!
//! Position p is the state before step p executes, with what the operator wrote before it; the last position is the
//! end. Seeking decodes the steps before the position, a stretch of them, into the changes of each; within it both
//! directions are walks over changes.

mod navigate;
mod stop;
mod stretch;

use std::ops::RangeInclusive;
use std::sync::Arc;

use eradbg_vm::{Execution, Instruction, PanicCause};

use crate::delta::{self, Change};
use crate::error::{Error, Result};
use crate::ledger::{StateRow, Timed};
use crate::recording::Recording;
use crate::state_view::StateView;
use stretch::{Decoded, Stretch};

pub use navigate::Jump;
pub use stop::RunEnd;

/// Steps over which `VMState` is walked rather than looked up.
const NEAR_STEPS: u64 = 16_384;

/// A direction of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Later.
    Forward,
    /// Earlier.
    Backward,
}

/// The step that executes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepInfo {
    /// The instruction at the program counter.
    pub instruction: Instruction,
    /// Where it stands; `None` when the next step is the panic of the one before.
    pub pc: Option<u16>,
    /// Why it panics instead of executing.
    pub will_panic: Option<PanicCause>,
    /// Whether its predicate does not hold.
    pub skipped: bool,
}

/// A cursor over a recording.
#[derive(Debug)]
pub struct Timeline {
    recording: Recording,
    decoded: Decoded,
    /// The stretch that leads to the cursor.
    stretch: Arc<Stretch>,
    execution: Execution,
    position: u64,
    state: StateView,
    /// Position that `state` is at.
    state_position: u64,
    last_rows: Vec<StateRow>,
    /// Why `state` is not known here.
    state_problem: Option<Error>,
}

impl Timeline {
    /// A cursor at the start.
    ///
    /// # Errors
    /// When the recording cannot be stepped, or its first chunk is damaged.
    pub fn new(recording: Recording) -> Result<Self> {
        recording.check_machine()?;
        recording.load_overview();
        if recording.chunks() == 0 {
            return Err(recording.damaged("log".to_owned(), "no step was recorded".to_owned()));
        }
        let mut decoded = Decoded::default();
        let stretch = decoded.stretch(&recording, 0, 0)?;
        let execution = stretch.start.clone();
        let mut timeline = Self {
            recording,
            decoded,
            stretch,
            execution,
            position: 0,
            state: StateView::default(),
            state_position: 0,
            last_rows: Vec::new(),
            state_problem: None,
        };
        timeline.recording.make_states_ahead();
        timeline.show_state();
        Ok(timeline)
    }

    /// Goes on with the same recording at a later time.
    pub fn follow(&mut self, recording: Recording) {
        recording.make_states_ahead();
        self.recording = recording;
    }

    /// The recording.
    pub fn recording(&self) -> &Recording {
        &self.recording
    }

    /// Where the cursor is.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Registers, flags, frames and memories here.
    pub fn execution(&self) -> &Execution {
        &self.execution
    }

    /// `VMState` here; empty where [`Self::state_problem`] says why.
    pub fn state(&self) -> &StateView {
        &self.state
    }

    /// Why `VMState` cannot be told here: rows that lead to it are damaged.
    pub fn state_problem(&self) -> Option<&Error> {
        self.state_problem.as_ref()
    }

    /// What the step that led here changed, operator writes after it included; empty at the start.
    pub fn last_changes(&self) -> &[Change] {
        match self.position.checked_sub(self.stretch.first_step) {
            Some(steps) if steps > 0 => self.stretch.changes(steps - 1),
            _ => &[],
        }
    }

    /// Rows of `VMState` of the step that led here.
    pub fn last_rows(&self) -> &[StateRow] {
        &self.last_rows
    }

    /// The step that executes next; `None` at the end.
    pub fn next_step(&self) -> Option<StepInfo> {
        if self.position >= self.recording.steps() {
            return None;
        }
        let ex = &self.execution;
        if let Some(cause) = ex.pending_panic() {
            return Some(StepInfo {
                instruction: Instruction::PANIC,
                pc: None,
                will_panic: Some(cause),
                skipped: false,
            });
        }
        let instruction = ex.next_instruction();
        let will_panic = ex.violation(&instruction);
        let skipped = will_panic.is_none() && !instruction.predicate.holds(ex.flags());
        Some(StepInfo {
            instruction,
            pc: Some(ex.frame().pc),
            will_panic,
            skipped,
        })
    }

    /// Moves the cursor; a position after the end means the end.
    ///
    /// # Errors
    /// When a chunk on the way is damaged; the cursor stays where it was.
    pub fn seek(&mut self, position: u64) -> Result<()> {
        let target = position.min(self.recording.steps());
        if target == self.position {
            return Ok(());
        }
        let stretch = self.stretch_to(target)?;
        if !Arc::ptr_eq(&stretch, &self.stretch) {
            self.execution = stretch.start.clone();
            self.position = stretch.first_step;
            self.stretch = stretch;
        }
        self.walk_to(target);
        self.show_state();
        Ok(())
    }

    /// Makes up to `count` steps; the number really made.
    ///
    /// # Errors
    /// When a chunk on the way is damaged.
    pub fn step(&mut self, direction: Direction, count: u64) -> Result<u64> {
        let from = self.position;
        self.seek(match direction {
            Direction::Forward => from.saturating_add(count),
            Direction::Backward => from.saturating_sub(count),
        })?;
        Ok(self.position.abs_diff(from))
    }

    /// The stretch that leads to a position. Where a chunk starts it is the last one of the chunk before, so that the
    /// changes of the step there can be shown, unless the operator rolled back between or that chunk cannot be read.
    fn stretch_to(&mut self, position: u64) -> Result<Arc<Stretch>> {
        let chunk = self.recording.chunk_of(position);
        let rollbacks = self.recording.undone();
        let follows = position == self.recording.first_step(chunk)
            && !rollbacks.iter().any(|range| range.end_step == position);
        let before = chunk.checked_sub(1).filter(|_| follows);
        if let Some(before) = before
            && let Ok(stretch) = self.decoded.stretch(&self.recording, before, position)
        {
            return Ok(stretch);
        }
        self.decoded.stretch(&self.recording, chunk, position)
    }

    /// Walks within the stretch.
    fn walk_to(&mut self, target: u64) {
        let mut editor = self.execution.edit();
        while self.position < target {
            for change in self.stretch.changes(self.position - self.stretch.first_step) {
                delta::apply(&mut editor, change);
            }
            self.position += 1;
        }
        while self.position > target {
            self.position -= 1;
            for change in self
                .stretch
                .changes(self.position - self.stretch.first_step)
                .iter()
                .rev()
            {
                delta::undo(&mut editor, change);
            }
        }
        editor.set_steps(target);
    }

    /// Brings `state` to the cursor. What cannot be told of it must not keep anyone from the machine's state.
    fn show_state(&mut self) {
        self.state_problem = self.move_state().err();
        if self.state_problem.is_some() {
            self.state = StateView::default();
            self.state_position = 0;
            self.last_rows.clear();
        }
    }

    /// Brings `state` to the cursor: by the rows between, or from a state that is kept when that is nearer.
    fn move_state(&mut self) -> Result<()> {
        let target = self.position;
        let walk = self.state_position.abs_diff(target);
        if walk > NEAR_STEPS {
            let (position, state) = self.recording.state_near(target)?;
            if position.abs_diff(target) < walk {
                self.state = state;
                self.state_position = position;
            }
        }
        let (from, to) = (self.state_position.min(target), self.state_position.max(target));
        let mut blocks = Vec::new();
        for chunk in self.row_chunks(from, to) {
            blocks.push(self.decoded.rows(&self.recording, chunk)?);
        }
        if target >= self.state_position {
            for row in blocks.iter().flat_map(|rows| rows_between(rows, from, to)) {
                self.state.apply(&row.row);
            }
        } else {
            for row in blocks
                .iter()
                .rev()
                .flat_map(|rows| rows_between(rows, from, to).iter().rev())
            {
                self.state.undo(&row.row);
            }
        }
        self.state_position = target;
        self.last_rows.clear();
        if let Some(last) = target.checked_sub(1) {
            for chunk in self.row_chunks(last, target) {
                let rows = self.decoded.rows(&self.recording, chunk)?;
                self.last_rows.extend(
                    rows_between(&rows, last, target)
                        .iter()
                        .map(|row| row.row.clone()),
                );
            }
        }
        Ok(())
    }

    /// Chunks that can have rows of the steps between two positions: a rollback's rows stand in the chunk after it.
    fn row_chunks(&self, from: u64, to: u64) -> RangeInclusive<u32> {
        self.recording.chunk_of(from)..=self.recording.chunk_of(to)
    }
}

/// Rows of the steps from `from` on, before `to`. A row of step s shows at every position after s.
fn rows_between(rows: &[Timed<StateRow>], from: u64, to: u64) -> &[Timed<StateRow>] {
    let start = rows.partition_point(|row| row.step < from);
    let end = rows.partition_point(|row| row.step < to);
    rows.get(start..end).unwrap_or_default()
}
