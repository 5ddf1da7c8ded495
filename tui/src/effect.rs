//! What a request needs of the timeline, and how it is done.

use eradbg_tracer::Error;
use eradbg_tracer::analysis::answer::{Question, Topic};
use eradbg_tracer::delta::Change;
use eradbg_tracer::query::{Origin, PlacePattern, Query};
use eradbg_tracer::recording::{Part, Recording, TransactionRow};
use eradbg_tracer::timeline::{Direction, Timeline};

use eradbg_vm::page_ids;

use crate::action::{Action, Motion};
use crate::model::Moment;
use crate::text;
use crate::view::frames;

/// What [`update`](crate::update::update) wants done outside the model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    /// Nothing.
    None,
    /// Leave the program.
    Quit,
    /// Move the cursor this many times.
    Move(Motion, u64),
    /// Move the cursor to a position.
    Seek(u64),
    /// Move the cursor to the start of a transaction.
    Transaction(u32),
    /// Move the cursor behind a hook.
    Hook(usize),
    /// Say where a breakpoint at the frame selected would be.
    BreakHere {
        /// Frames between it and the innermost.
        frame: usize,
    },
    /// Look for a step or an answer in the background.
    Run {
        /// Number of the run.
        id: u64,
        /// What to look for.
        task: Task,
    },
    /// Cancel the background run.
    Cancel,
}

/// What is done in the background.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Task {
    /// A step that one of these matches, or the end.
    Stop(Vec<Query>, Direction),
    /// A step that this matches.
    Find(Query, Direction),
    /// Who wrote or reads a place.
    Ask(Origin, PlacePattern),
    /// Where the value of a place comes from.
    Trace(PlacePattern),
    /// A question about a part of the batch, in one of its views; `None`: see [`Action::Question`].
    Answer(Topic, usize, Option<Part>),
}

impl Task {
    /// Where it goes, if it goes from step to step one way.
    pub(crate) fn direction(&self) -> Option<Direction> {
        match self {
            Self::Stop(_, direction) | Self::Find(_, direction) => Some(*direction),
            Self::Ask(Origin::LastWrite, _) => Some(Direction::Backward),
            Self::Ask(Origin::NextWrite | Origin::NextRead, _) => Some(Direction::Forward),
            Self::Trace(_) | Self::Answer(..) => None,
        }
    }
}

/// Does what concerns the timeline and reports back. `None`: the effect is none of the timeline's business.
pub(crate) fn perform(effect: &Effect, timeline: &mut Timeline) -> Option<Action> {
    let done = match effect {
        Effect::None | Effect::Quit | Effect::Run { .. } | Effect::Cancel => return None,
        Effect::Move(motion, count) => travel(timeline, *motion, *count),
        Effect::Seek(position) => timeline.seek(*position).map(|()| None),
        Effect::Transaction(index) => return Some(transaction(timeline, *index)),
        Effect::Hook(index) => return Some(hook(timeline, *index)),
        Effect::BreakHere { frame } => return Some(breakpoint(timeline, *frame)),
    };
    Some(match done {
        Ok(note) => arrived(timeline, note),
        Err(error) => Action::Failed(error.to_string()),
    })
}

/// Where the timeline's cursor stands.
pub(crate) fn moment(timeline: &Timeline) -> Moment {
    let recording = timeline.recording();
    let row = timeline
        .transaction()
        .and_then(|index| recording.transactions().get(index));
    let written = timeline
        .last_changes()
        .iter()
        .rev()
        .find_map(|change| match change {
            Change::Memory { page, offset, .. } => Some((*page, *offset)),
            _ => None,
        });
    Moment {
        position: timeline.position(),
        total: recording.steps(),
        transactions: extent(recording.transactions()),
        transaction: row.map(|row| (row.first_step, row.first_step + row.steps.max(1) - 1)),
        written,
        heap_page: page_ids::heap_page(timeline.execution().frame().base_page),
        depth: timeline.execution().depth() as usize,
    }
}

/// First and last position of all transactions.
fn extent(rows: &[TransactionRow]) -> Option<(u64, u64)> {
    let (first, last) = (rows.first()?, rows.last()?);
    Some((
        first.first_step,
        (last.first_step + last.steps).max(first.first_step + 1) - 1,
    ))
}

/// The report that the cursor stands where it stands.
pub(crate) fn arrived(timeline: &Timeline, note: Option<String>) -> Action {
    Action::Arrived(Box::new(moment(timeline)), note)
}

fn travel(timeline: &mut Timeline, motion: Motion, count: u64) -> Result<Option<String>, Error> {
    if let Motion::Step(direction) = motion {
        let made = timeline.step(direction, count)?;
        return Ok((made < count).then(|| edge(direction).to_owned()));
    }
    let start = timeline.position();
    for done in 0..count {
        let before = timeline.position();
        let found = match motion {
            Motion::Over(direction) => timeline.over(direction).map(|()| true)?,
            Motion::Out(direction) => timeline.out(direction).map(|()| true)?,
            Motion::To(jump, direction) => timeline.jump(jump, direction)?,
            Motion::Step(_) => unreachable!("steps are made above"),
        };
        if !found || timeline.position() == before {
            return Ok(Some(nothing_more(motion, done)));
        }
    }
    let way = timeline.position().abs_diff(start);
    Ok((way > 1).then(|| format!("{} steps", text::grouped(way))))
}

fn edge(direction: Direction) -> &'static str {
    match direction {
        Direction::Forward => "end of the recording",
        Direction::Backward => "start of the recording",
    }
}

fn nothing_more(motion: Motion, done: u64) -> String {
    use eradbg_tracer::timeline::Jump;
    let Motion::To(jump, direction) = motion else {
        let (Motion::Over(direction) | Motion::Out(direction) | Motion::Step(direction)) = motion else {
            unreachable!("all other motions are jumps")
        };
        return edge(direction).to_owned();
    };
    let what = match jump {
        Jump::Call => "far call",
        Jump::NearCall => "near call",
        Jump::Transaction => "transaction",
        Jump::L2Block => "L2 block",
        Jump::Hook => "hook",
        Jump::Failure => "failure",
        Jump::Rollback => "rollback",
    };
    let place = match direction {
        Direction::Forward => "after",
        Direction::Backward => "before",
    };
    let further = if done == 0 { "" } else { "further " };
    format!("no {further}{what} {place} this moment")
}

fn transaction(timeline: &mut Timeline, index: u32) -> Action {
    let rows = timeline.recording().transactions();
    match rows.get(index as usize).map(|row| row.first_step) {
        Some(position) => seek(timeline, position),
        None => Action::Failed(format!(
            "there is no transaction {index}: {}",
            available(rows.len())
        )),
    }
}

fn hook(timeline: &mut Timeline, index: usize) -> Action {
    let rows = timeline.recording().hooks();
    match rows.get(index).map(|row| row.step) {
        Some(position) => seek(timeline, position),
        None => Action::Failed(format!("there is no hook {index}: {}", available(rows.len()))),
    }
}

/// What is asked about a part of the batch: about that at a position, if it is not said which, or the usual one.
pub(crate) fn question(
    recording: &Recording,
    position: u64,
    topic: Topic,
    view: usize,
    part: Option<Part>,
) -> Question {
    let here = || {
        let part = recording.part_at(position);
        part.filter(|part| part.transaction().is_some() || !topic.is_of_transactions())
    };
    let part = part
        .or_else(here)
        .unwrap_or_else(|| Question::usual_part(recording));
    Question { topic, view, part }
}

fn seek(timeline: &mut Timeline, position: u64) -> Action {
    match timeline.seek(position) {
        Ok(()) => arrived(timeline, None),
        Err(error) => Action::Failed(error.to_string()),
    }
}

fn available(count: usize) -> String {
    match count {
        0 => "the recording has none".to_owned(),
        1 => "the recording has number 0 only".to_owned(),
        _ => format!("the recording has 0 to {}", count - 1),
    }
}

fn breakpoint(timeline: &Timeline, frame: usize) -> Action {
    let execution = timeline.execution();
    match frames::from_innermost(execution, frame) {
        Some(frame) => {
            let stop = Query::at(frame.current.pc, frame.far.code_address);
            Action::ToggleBreakpoint(stop)
        }
        None => Action::Failed("there is no frame to break in".to_owned()),
    }
}
