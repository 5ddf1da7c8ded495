//! What the screen shows besides the recording itself: mode, focus, scrolling, history, marks.

use std::collections::BTreeMap;

use eradbg_tracer::query::Query;
use eradbg_tracer::timeline::Direction;
use tui_input::Input;

use crate::action::Motion;
use crate::answer::Shown;
use crate::keymap::Pending;
use crate::layout::Pane;
use crate::text::Base;
use crate::tour::Tour;

/// What keys mean at the moment.
#[derive(Debug, Clone, Default)]
pub(crate) enum Mode {
    /// They move through time and between panes.
    #[default]
    Normal,
    /// They edit a command.
    Prompt(Input),
    /// They filter and scroll the help.
    Help {
        /// Text that the shown rows contain.
        filter: Input,
        /// Rows above the first shown one.
        scroll: usize,
        /// The answer that it was asked for in, which comes back after it.
        behind: Option<Box<Shown>>,
    },
    /// They move in the list of breakpoints.
    Breakpoints {
        /// Index of the selected one.
        selected: usize,
    },
    /// They move in an answer.
    Answer(Box<Shown>),
    /// The next letter names a mark.
    Mark(MarkUse),
}

/// What a mark's letter is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MarkUse {
    /// Setting the mark here.
    Set,
    /// Going to the mark.
    Jump,
}

/// Where the cursor stands, as far as requests depend on it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Moment {
    /// Steps made before it.
    pub position: u64,
    /// Steps of the recording.
    pub total: u64,
    /// First and last position of all transactions.
    pub(crate) transactions: Option<(u64, u64)>,
    /// First and last position of the transaction that it lies in.
    pub transaction: Option<(u64, u64)>,
    /// Page and byte offset that the last step wrote last.
    pub written: Option<(u32, u32)>,
    /// Page of the innermost frame's heap; the aux heap has the next.
    pub(crate) heap_page: u32,
    /// Frames on the call stack.
    pub depth: usize,
}

/// The memory that the data pane shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum MemorySource {
    /// Heap of the selected frame.
    #[default]
    Heap,
    /// Aux heap of the selected frame.
    AuxHeap,
    /// The page with this id.
    Page(u32),
}

/// How the code pane shows code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum CodeForm {
    /// As the text that it was made of, where the recording has that.
    #[default]
    Source,
    /// As its instructions.
    Disassembly,
}

/// A search for a step or an answer, under way in the background.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Running {
    /// Its number; reports of others are stale.
    pub id: u64,
    /// Where it goes; `None` where it does not tell how far it is.
    pub direction: Option<Direction>,
    /// Position that it started from.
    pub from: u64,
    /// Position that it last reported.
    pub at: u64,
}

/// The last thing worth saying.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Status {
    /// Nothing.
    #[default]
    Quiet,
    /// A result.
    Note(String),
    /// A refusal or failure.
    Error(String),
}

/// Positions that jumps left from, and that going back left from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct History {
    past: Vec<u64>,
    future: Vec<u64>,
}

impl History {
    /// Remembers a position that a jump left from; what was ahead is forgotten.
    pub(crate) fn left(&mut self, position: u64) {
        if self.past.last() != Some(&position) {
            self.past.push(position);
        }
        self.future.clear();
    }

    /// The position to go back to from `here`.
    pub(crate) fn back(&mut self, here: u64) -> Option<u64> {
        let position = self.past.pop()?;
        self.future.push(here);
        Some(position)
    }

    /// The position to go forward to from `here`.
    pub(crate) fn forward(&mut self, here: u64) -> Option<u64> {
        let position = self.future.pop()?;
        self.past.push(here);
        Some(position)
    }
}

/// Everything that requests change.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    /// What keys mean.
    pub mode: Mode,
    /// Count and keys typed so far of an unfinished command.
    pub pending: Pending,
    /// Width and height of the terminal.
    pub size: (u16, u16),
    /// Panes, the focused one first, then by when they last had the focus.
    pub recent: Vec<Pane>,
    /// The focused pane has the whole body.
    pub zoomed: bool,
    /// Where the cursor stands.
    pub moment: Moment,
    /// The frame that panes show: 0 is the innermost, 1 its caller.
    pub selected_frame: usize,
    /// Lines that each pane is scrolled by, relative to where it follows the cursor.
    pub scroll: [i32; Pane::ALL.len()],
    /// How code is shown.
    pub code_form: CodeForm,
    /// Program counter that the listing is centred on; `None`: that of the selected frame.
    pub listing: Option<u16>,
    /// The memory shown.
    pub memory: MemorySource,
    /// Byte offset of the first row of memory; `None`: follow what is written.
    pub memory_offset: Option<u32>,
    /// Page and byte offset that were last written.
    pub memory_written: (u32, u32),
    /// The part of `VMState` whose entries are listed.
    pub state_part: usize,
    /// How words are shown.
    pub base: Base,
    /// Breakpoints and watchpoints in the order in which they were set.
    pub breakpoints: Vec<Query>,
    /// What was looked for last.
    pub sought: Option<Query>,
    /// Positions by letter.
    pub marks: BTreeMap<char, u64>,
    /// Positions to go back and forward to.
    pub history: History,
    /// Position that the jump under way started from.
    pub left_from: Option<u64>,
    /// What Space repeats.
    pub last_motion: Option<(Motion, u64)>,
    /// The run under way.
    pub running: Option<Running>,
    /// Number of the next run.
    pub next_run: u64,
    /// The last thing worth saying.
    pub status: Status,
    /// What to try next, on the tour.
    pub tour: Tour,
}

impl Model {
    /// A model with its focus on the code, registers beside it.
    pub(crate) fn new(size: (u16, u16)) -> Self {
        let mut recent = vec![Pane::Code, Pane::Registers, Pane::Changes];
        recent.extend(
            Pane::ALL
                .into_iter()
                .filter(|pane| !matches!(pane, Pane::Code | Pane::Registers | Pane::Changes)),
        );
        Self {
            mode: Mode::Normal,
            pending: Pending::default(),
            size,
            recent,
            zoomed: false,
            moment: Moment::default(),
            selected_frame: 0,
            scroll: [0; Pane::ALL.len()],
            code_form: CodeForm::Source,
            listing: None,
            memory: MemorySource::Heap,
            memory_offset: None,
            memory_written: (0, 0),
            state_part: 0,
            base: Base::Hex,
            breakpoints: Vec::new(),
            sought: None,
            marks: BTreeMap::new(),
            history: History::default(),
            left_from: None,
            last_motion: None,
            running: None,
            next_run: 0,
            status: Status::Quiet,
            tour: Tour::Off,
        }
    }

    /// The pane that has the focus.
    pub(crate) fn focus(&self) -> Pane {
        self.recent[0]
    }

    /// The first byte offset that the data pane shows of a page.
    pub(crate) fn memory_top(&self, page: u32) -> u32 {
        let (written_page, offset) = self.memory_written;
        // Two words above the one that was written, for context.
        let follow = if page == written_page {
            (offset & !31).saturating_sub(64)
        } else {
            0
        };
        self.memory_offset.unwrap_or(follow)
    }

    /// The page that the data pane shows while the innermost frame is selected.
    pub(crate) fn memory_page(&self) -> u32 {
        match self.memory {
            MemorySource::Heap => self.moment.heap_page,
            MemorySource::AuxHeap => self.moment.heap_page + 1,
            MemorySource::Page(page) => page,
        }
    }
}
