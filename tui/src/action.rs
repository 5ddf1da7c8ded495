//! What a user can ask for: keys, mouse and typed commands all end here.

use eradbg_tracer::analysis::answer::{Answer, Question, Topic};
use eradbg_tracer::query::{Origin, PlacePattern, Query};
use eradbg_tracer::recording::Part;
use eradbg_tracer::timeline::{Direction, Jump};
use tui_input::InputRequest;

use crate::layout::Pane;
use crate::model::Moment;

/// A way to move the cursor through time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Motion {
    /// One opcode.
    Step(Direction),
    /// One opcode, a call with all that happens in it.
    Over(Direction),
    /// Forward to the exit of the current frame, backward to its entry.
    Out(Direction),
    /// To the next or previous thing of a kind.
    To(Jump, Direction),
}

/// A request to [`update`](crate::update::update), or the report of an [`Effect`](crate::effect::Effect).
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Action {
    /// Moves the cursor this many times.
    Move(Motion, u64),
    /// Repeats the last motion, this many times over.
    Repeat(u64),
    /// Moves to a position.
    Seek(u64),
    /// Moves to the start of the recording.
    Start,
    /// Moves to the end, or to a position when one is given.
    End(Option<u64>),
    /// Moves to the first step of a transaction.
    Transaction(u32),
    /// Moves behind a hook.
    Hook(usize),
    /// Goes back in the history of jumps.
    HistoryBack,
    /// Goes forward in the history of jumps.
    HistoryForward,
    /// Runs to the next breakpoint or watchpoint in the background.
    Run(Direction),
    /// Looks for the next step that matches, in the background.
    Find(Query),
    /// Looks for what was looked for last again.
    FindAgain(Direction),
    /// Asks who wrote or reads a place, in the background.
    Ask(Origin, PlacePattern),
    /// Asks where the value of a place comes from, in the background.
    Trace(PlacePattern),
    /// Asks about a part of the batch; `None`: the one that the cursor is in, or else the first transaction that failed.
    Question(Topic, Option<Part>),
    /// Shows the answer in its next order.
    NextView,
    /// Opens or closes the selected line of the answer.
    Fold,
    /// Filters the lines of the answer.
    Filter,
    /// Steps back out of whatever is open or running: run, prompt, overlay, zoom, count.
    Escape,

    /// Focuses a pane.
    Focus(Pane),
    /// Focuses the next pane.
    FocusNext,
    /// Focuses the previous pane.
    FocusPrevious,
    /// Gives the focused pane the whole body, or takes it back.
    Zoom,
    /// Scrolls the focused pane or overlay by lines, positive down.
    Scroll(i32),
    /// Scrolls the focused pane or overlay by pages, positive down.
    ScrollPage(i32),
    /// Lets the focused pane follow the cursor again.
    ScrollReset,
    /// Shows the next (positive) or previous part of the focused pane.
    Part(i32),
    /// Selects the caller, this many frames up.
    FrameUp(usize),
    /// Selects the callee, this many frames down.
    FrameDown(usize),
    /// Shows words as hex or decimal.
    ToggleBase,
    /// Shows code as source text or as disassembly.
    ToggleSource,
    /// Shows a memory page, from a byte offset on.
    Page(u32, Option<u32>),
    /// Shows the memory pane from a byte offset on.
    Offset(u32),
    /// Shows the listing around a program counter.
    Listing(u16),

    /// Sets or clears a breakpoint where the cursor stands.
    BreakHere,
    /// Sets a breakpoint, or clears it when it is set.
    ToggleBreakpoint(Query),
    /// Clears the breakpoint with a number in the list; in the list, the selected one.
    DeleteBreakpoint(Option<usize>),
    /// Opens the list of breakpoints.
    ListBreakpoints,
    /// Waits for the letter of a mark to set.
    MarkSet,
    /// Waits for the letter of a mark to jump to.
    MarkJump,
    /// The letter that was waited for.
    Letter(char),

    /// Opens the prompt with this text.
    Prompt(&'static str),
    /// Edits the text of the prompt, or of the help's filter.
    Edit(InputRequest),
    /// Completes the word in the prompt.
    Complete,
    /// Accepts the prompt, or follows what is selected.
    Enter,
    /// Opens or closes the help.
    Help,
    /// Ends the program.
    Quit,

    /// The mouse was pressed at a column and row.
    Click(u16, u16),
    /// The wheel turned at a column and row, positive down.
    Wheel(u16, u16, i32),
    /// The terminal has a new width and height.
    Resize(u16, u16),

    /// The cursor stands here now; a note says what is worth saying.
    Arrived(Box<Moment>, Option<String>),
    /// A question was answered.
    Answered(Option<Question>, Box<Answer>),
    /// The background run passed a position.
    RunProgress(u64),
    /// The background run of this number ended.
    RunEnded(u64, String),
    /// Something went wrong; the cursor stays.
    Failed(String),
}

impl Action {
    /// The action with the count that was typed before its key.
    #[must_use]
    pub(crate) fn times(self, count: Option<u64>) -> Self {
        let Some(count) = count else { return self };
        match self {
            Self::Move(motion, _) => Self::Move(motion, count),
            Self::Repeat(_) => Self::Repeat(count),
            Self::End(_) => Self::End(Some(count)),
            Self::Start => Self::Seek(count),
            Self::Scroll(lines) => Self::Scroll(lines.saturating_mul(count.min(1_000_000) as i32)),
            Self::ScrollPage(pages) => Self::ScrollPage(pages.saturating_mul(count.min(10_000) as i32)),
            Self::FrameUp(_) => Self::FrameUp(count as usize),
            Self::FrameDown(_) => Self::FrameDown(count as usize),
            other => other,
        }
    }
}
