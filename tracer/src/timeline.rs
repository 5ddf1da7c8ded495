//! A cursor over a recording, with the whole state at it, that walks both ways.
//!
//! Position p is the state before step p executes, with what the operator wrote before it; the last position is the
//! end. Seeking decodes the steps before the position, a stretch of them, into the changes of each; within it both
//! directions are walks over changes.

mod navigate;
mod stop;
mod stretch;

use std::cell::{OnceCell, RefCell};
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use eradbg_vm::{Execution, Instruction, PanicCause};

use crate::delta::{self, Change};
use crate::error::{Error, Result};
use crate::ledger::{StateRow, Timed};
use crate::recording::Recording;
use crate::state_view::StateView;
use stretch::{RecentRows, RecentStretches, Stretch};

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
    stretches: RecentStretches,
    /// The stretch that leads to the cursor.
    stretch: Arc<Stretch>,
    execution: Execution,
    position: u64,
    rows: RefCell<RecentRows>,
    /// `VMState` here, once someone has asked for it.
    state: OnceCell<StateHere>,
    /// `VMState` at the last position where someone asked, with that position.
    known_state: (u64, StateView),
}

/// `VMState` at a position.
#[derive(Debug, Default)]
struct StateHere {
    /// Empty where it is not known.
    view: StateView,
    /// Rows of the step before.
    last_rows: Vec<StateRow>,
    /// Why it is not known.
    problem: Option<Error>,
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
        let mut stretches = RecentStretches::default();
        let stretch = stretches.get(&recording, 0, 0)?;
        let execution = stretch.start.clone();
        let timeline = Self {
            recording,
            stretches,
            stretch,
            execution,
            position: 0,
            rows: RefCell::default(),
            state: OnceCell::new(),
            known_state: (0, StateView::default()),
        };
        timeline.recording.make_states_ahead();
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

    /// `VMState` here, made when it is first asked for; empty where [`Self::state_problem`] says why.
    pub fn state(&self) -> &StateView {
        &self.state_here().view
    }

    /// Why `VMState` cannot be told here: rows that lead to it are damaged.
    pub fn state_problem(&self) -> Option<&Error> {
        self.state_here().problem.as_ref()
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
        &self.state_here().last_rows
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
        self.leave_state();
        if !Arc::ptr_eq(&stretch, &self.stretch) {
            self.execution = stretch.start.clone();
            self.position = stretch.first_step;
            self.stretch = stretch;
        }
        self.walk_to(target);
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
            && let Ok(stretch) = self.stretches.get(&self.recording, before, position)
        {
            return Ok(stretch);
        }
        self.stretches.get(&self.recording, chunk, position)
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

    /// Keeps what is known of `VMState` here for the next position.
    fn leave_state(&mut self) {
        if let Some(here) = self.state.take()
            && here.problem.is_none()
        {
            self.known_state = (self.position, here.view);
        }
    }

    /// What cannot be told of `VMState` must not keep anyone from the machine's state.
    fn state_here(&self) -> &StateHere {
        self.state.get_or_init(|| {
            self.make_state().unwrap_or_else(|error| StateHere {
                problem: Some(error),
                ..StateHere::default()
            })
        })
    }

    /// Makes `VMState` here: by the rows since the last position where it was known, or from a state that is kept when that
    /// is nearer.
    fn make_state(&self) -> Result<StateHere> {
        let target = self.position;
        let (mut from, mut view) = self.known_state.clone();
        let walk = from.abs_diff(target);
        if walk > NEAR_STEPS {
            let near = self.recording.state_near(target)?;
            if near.0.abs_diff(target) < walk {
                (from, view) = near;
            }
        }
        let steps = from.min(target)..from.max(target);
        let mut blocks = Vec::new();
        for chunk in self.row_chunks(&steps) {
            blocks.push(self.rows(chunk)?);
        }
        if target >= from {
            for row in blocks.iter().flat_map(|rows| rows_between(rows, &steps)) {
                view.apply(&row.row);
            }
        } else {
            for row in blocks
                .iter()
                .rev()
                .flat_map(|rows| rows_between(rows, &steps).iter().rev())
            {
                view.undo(&row.row);
            }
        }
        let mut last_rows = Vec::new();
        if let Some(last) = target.checked_sub(1) {
            for chunk in self.row_chunks(&(last..target)) {
                let rows = self.rows(chunk)?;
                let rows = rows_between(&rows, &(last..target)).iter();
                last_rows.extend(rows.map(|row| row.row.clone()));
            }
        }
        Ok(StateHere {
            view,
            last_rows,
            problem: None,
        })
    }

    fn rows(&self, chunk: u32) -> Result<Arc<Vec<Timed<StateRow>>>> {
        self.rows.borrow_mut().get(&self.recording, chunk)
    }

    /// Chunks that can have rows of the steps between two positions: a rollback's rows stand in the chunk after it.
    fn row_chunks(&self, steps: &Range<u64>) -> RangeInclusive<u32> {
        self.recording.chunk_of(steps.start)..=self.recording.chunk_of(steps.end)
    }
}

/// Rows of some steps. A row of step s shows at every position after s.
fn rows_between<'a>(rows: &'a [Timed<StateRow>], steps: &Range<u64>) -> &'a [Timed<StateRow>] {
    let start = rows.partition_point(|row| row.step < steps.start);
    let end = rows.partition_point(|row| row.step < steps.end);
    rows.get(start..end).unwrap_or_default()
}
