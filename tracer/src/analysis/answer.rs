//! Questions and their answers as lines, which screens show and commands print.

mod calls;
mod contracts;
mod ergs;
mod events;
mod origin;
mod pubdata;
mod published;
mod refunds;
mod rollbacks;
mod sheet;
mod timeline;
mod transactions;

use std::ops::Range;

use eradbg_vm::storage::StorageKey;

use crate::analysis::stretches::Stretch;
use crate::analysis::why::Why;
use crate::error::{Error, Result};
use crate::numbers::grouped;
use crate::recording::{Part, Recording};

pub use origin::answer_origin;

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Why a transaction failed.
    Why,
    /// Who called whom with what, and what came back.
    Calls,
    /// Which frame used its ergs.
    Ergs,
    /// How its gas was reckoned, from the gas limit to what it paid.
    Sheet,
    /// What its storage accesses and loads of code cost, and what was given back.
    Refunds,
    /// What its writes add to what has to be published.
    Pubdata,
    /// What the batch publishes.
    Published,
    /// What was undone in it.
    Rollbacks,
    /// What it emitted.
    Events,
    /// The batch from above, and a transaction of it from within.
    Timeline,
    /// The transactions of the batch.
    Transactions,
    /// The contracts that were called, and where their names come from.
    Contracts,
}

impl Topic {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Why,
        Self::Calls,
        Self::Sheet,
        Self::Ergs,
        Self::Refunds,
        Self::Pubdata,
        Self::Published,
        Self::Rollbacks,
        Self::Events,
        Self::Timeline,
        Self::Transactions,
        Self::Contracts,
    ];

    /// Its name, as commands spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Why => "why",
            Self::Calls => "calls",
            Self::Sheet => "sheet",
            Self::Ergs => "ergs",
            Self::Refunds => "refunds",
            Self::Pubdata => "pubdata",
            Self::Published => "published",
            Self::Rollbacks => "rollbacks",
            Self::Events => "events",
            Self::Timeline => "timeline",
            Self::Transactions => "transactions",
            Self::Contracts => "contracts",
        }
    }

    /// What it answers.
    pub const fn help(self) -> &'static str {
        match self {
            Self::Why => "why a transaction failed, down to the first cause",
            Self::Calls => "who called whom with what, and what came back",
            Self::Sheet => "how a transaction's gas was reckoned, from the gas limit to what it paid",
            Self::Ergs => "which frame used a transaction's ergs, and for what",
            Self::Refunds => "what storage accesses and code cost, and what was given back",
            Self::Pubdata => "what each write adds to the pubdata",
            Self::Published => "what the batch publishes, byte by byte",
            Self::Events => "events and logs to L1 with their values",
            Self::Rollbacks => "what was undone, by whom, and what survived",
            Self::Timeline => "blocks, transactions, phases, hooks with the operator's answers, snapshots",
            Self::Transactions => "the transactions of the batch",
            Self::Contracts => "the contracts that were called, and where their names come from",
        }
    }

    /// The orders that its answer can be given in; the first one is usual.
    pub const fn views(self) -> &'static [&'static str] {
        match self {
            Self::Why | Self::Sheet | Self::Published | Self::Rollbacks | Self::Events => &[""],
            Self::Ergs => &["by time", "by contract"],
            Self::Calls => &["far calls", "near calls too", "without system contracts"],
            Self::Refunds => &["by time", "by slot"],
            Self::Pubdata => &["by time", "by slot", "by contract"],
            Self::Contracts => &["by calls", "by address"],
            Self::Timeline => &["one transaction open", "all open"],
            Self::Transactions => &[
                "in order",
                "by ergs",
                "by steps",
                "by pubdata",
                "by status",
                "by loads",
            ],
        }
    }

    /// What stands over the columns of its answer; empty where there are none.
    fn heading(self) -> String {
        match self {
            Self::Calls => calls::heading(),
            Self::Ergs => ergs::heading(),
            Self::Refunds => refunds::heading(),
            Self::Pubdata => pubdata::heading(),
            Self::Published => published::heading(),
            Self::Timeline => timeline::heading(),
            Self::Transactions => transactions::heading(),
            Self::Contracts => contracts::heading(),
            Self::Why | Self::Sheet | Self::Events | Self::Rollbacks => String::new(),
        }
    }

    /// Whether it is about a part of the batch.
    pub const fn is_about_one(self) -> bool {
        !matches!(self, Self::Transactions | Self::Published | Self::Contracts)
    }

    /// Whether only transactions have it, and not the end of the batch.
    pub const fn is_of_transactions(self) -> bool {
        matches!(self, Self::Why | Self::Sheet)
    }
}

/// A question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Question {
    /// What it is about.
    pub topic: Topic,
    /// Which of the topic's views is wanted.
    pub view: usize,
    /// What of the batch it is about; where the topic is about all of it, which line to look at.
    pub part: Part,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What was asked.
    pub title: String,
    /// What stands over the columns; empty where there are none.
    pub heading: String,
    /// The lines.
    pub lines: Vec<Line>,
    /// Index of the line that the question is about, where all of the batch is shown.
    pub about: usize,
}

/// A line of an answer. Lines that follow with a larger indent belong to it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    /// The step to look at.
    pub step: Option<u64>,
    /// Numbers in columns of the same width in every line; empty where there are none.
    pub columns: String,
    /// How deep it stands below the line that it belongs to.
    pub indent: usize,
    /// The text.
    pub text: String,
    /// What is special about it.
    pub mark: Mark,
    /// The part of the batch that it stands for.
    pub part: Option<Part>,
}

/// What is special about a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mark {
    /// Nothing.
    #[default]
    None,
    /// It tells of a failure.
    Failed,
    /// What it tells of was undone.
    Undone,
}

impl Question {
    /// The question about a part in the topic's usual view.
    pub fn new(topic: Topic, part: impl Into<Part>) -> Self {
        Self {
            topic,
            view: 0,
            part: part.into(),
        }
    }

    /// The part that is meant where it is not said which: the first transaction that failed, else the first, else what there
    /// is without any. The recording's overview is loaded.
    pub fn usual_part(recording: &Recording) -> Part {
        let first = || recording.transactions().first().map(|row| row.index);
        let number = Why::first(recording).or_else(first);
        number.map_or(Part::BatchEnd, Part::Transaction)
    }

    /// The next view of the same.
    #[must_use]
    pub const fn next_view(self) -> Self {
        Self {
            view: (self.view + 1) % self.topic.views().len(),
            ..self
        }
    }

    /// Whether its view shows all parts of the batch from within.
    pub fn opens_all(self) -> bool {
        self.topic == Topic::Timeline && self.view == 1
    }

    /// Answers it.
    ///
    /// # Errors
    /// When there is no such part, only transactions have what the topic is about, the recording cannot be stepped, or what
    /// tells of it is damaged.
    pub fn answer(self, recording: &Recording) -> Result<Answer> {
        recording.check_machine()?;
        recording.load_overview();
        let transaction = || self.transaction(recording);
        let lines = match self.topic {
            Topic::Why => Why::of(recording, transaction()?)?.lines(),
            Topic::Calls => calls::lines(recording, self)?,
            Topic::Sheet => sheet::lines(recording, transaction()?)?,
            Topic::Ergs => ergs::lines(recording, self)?,
            Topic::Refunds => refunds::lines(recording, self)?,
            Topic::Pubdata => pubdata::lines(recording, self)?,
            Topic::Published => published::lines(recording)?,
            Topic::Events => events::lines(recording, self.part)?,
            Topic::Rollbacks => rollbacks::lines(recording, self.part)?,
            Topic::Timeline => timeline::lines(recording, self)?,
            Topic::Transactions => transactions::lines(recording, self.view),
            Topic::Contracts => contracts::lines(recording, self.view)?,
        };
        Ok(Answer {
            title: self.title(recording),
            heading: self.topic.heading(),
            about: lines
                .iter()
                .position(|line| line.part == Some(self.part))
                .unwrap_or(0),
            lines,
        })
    }

    /// The transaction that it is about.
    ///
    /// # Errors
    /// When it is about the end of the batch.
    pub fn transaction(self, recording: &Recording) -> Result<u32> {
        let path = || recording.path().to_owned();
        match (self.part, recording.transactions().len()) {
            (Part::Transaction(number), _) => Ok(number),
            (Part::BatchEnd, 0) => Err(Error::NoTransaction {
                path: path(),
                index: 0,
                count: 0,
            }),
            (Part::BatchEnd, _) => Err(Error::OnlyOfTransactions {
                path: path(),
                topic: self.topic.name(),
            }),
        }
    }

    fn title(self, recording: &Recording) -> String {
        let topic = match self.topic {
            Topic::Why => "Why",
            Topic::Calls => "Calls",
            Topic::Sheet => "Gas",
            Topic::Ergs => "Ergs",
            Topic::Refunds => "Refunds",
            Topic::Pubdata => "Pubdata",
            Topic::Published => "Published bytes",
            Topic::Rollbacks => "Rollbacks",
            Topic::Events => "Events",
            Topic::Timeline => "Timeline",
            Topic::Transactions => "Transactions",
            Topic::Contracts => "Contracts",
        };
        let of = if self.topic.is_about_one() {
            format!(": {}", self.part)
        } else {
            String::new()
        };
        let view = match self.topic.views()[self.view] {
            "" => String::new(),
            view => format!(", {view}"),
        };
        format!("{topic}{of}{view}{}", gap(recording))
    }
}

impl Line {
    /// A line about a step.
    pub(super) fn at(step: u64, indent: usize, text: String) -> Self {
        Self {
            step: Some(step),
            ..Self::plain(indent, text)
        }
    }

    /// A line about no step.
    pub(super) fn plain(indent: usize, text: String) -> Self {
        Self {
            indent,
            text,
            ..Self::default()
        }
    }

    /// The line above those of a stretch.
    fn of_stretch(stretch: &Stretch) -> Self {
        let end = match stretch.rolled_back_at {
            Some(position) => format!(", rolled back at {}", grouped(position)),
            None => String::new(),
        };
        let Range { start, end: last } = stretch.steps;
        let text = format!("steps {} to {}{end}", grouped(start), grouped(last));
        Self::at(start, 0, text).marked(Mark::Undone, stretch.rolled_back_at.is_some())
    }

    /// Lines about what an answer lacks.
    fn of_problems(problems: &[Error]) -> impl Iterator<Item = Self> {
        let lines = problems
            .iter()
            .map(|problem| Self::plain(0, format!("not counted: {problem}")));
        lines.map(|line| line.marked(Mark::Failed, true))
    }

    /// The same line with columns.
    #[must_use]
    fn with(self, columns: String) -> Self {
        Self { columns, ..self }
    }

    /// The same line, which stands for a part of the batch.
    #[must_use]
    fn of_part(self, part: Part) -> Self {
        Self {
            part: Some(part),
            ..self
        }
    }

    /// The same line with a mark where something holds.
    #[must_use]
    fn marked(self, mark: Mark, holds: bool) -> Self {
        let mark = if holds { mark } else { self.mark };
        Self { mark, ..self }
    }
}

/// What a title says of a recording that was not finished, or of which something is lost.
fn gap(recording: &Recording) -> &'static str {
    if !recording.overview_problems().is_empty() {
        " (DAMAGED: what tells of some transactions is lost)"
    } else if !recording.is_complete() {
        " (recording not finished: as far as it goes)"
    } else {
        ""
    }
}

/// A number in words, where it is known.
fn known(number: Option<String>) -> String {
    number.unwrap_or_else(|| "-".to_owned())
}

/// Hex digits without leading zeros.
fn trimmed(hex: &str) -> String {
    let digits = hex.trim_start_matches("0x").trim_start_matches('0');
    format!("0x{}", if digits.is_empty() { "0" } else { digits })
}

/// `Contract[slot]` or `Contract.variable`, of hex strings.
fn slot_text(recording: &Recording, address: &str, slot: &str) -> String {
    key_of(address, slot).map_or_else(String::new, |key| recording.slot_text(key))
}

/// A slot's value, of hex strings.
fn value_text(recording: &Recording, address: &str, slot: &str, word: &str) -> String {
    let value = || Some(recording.value_text(key_of(address, slot)?, word.parse().ok()?));
    value().unwrap_or_default()
}

fn key_of(address: &str, slot: &str) -> Option<StorageKey> {
    Some(StorageKey {
        address: address.parse().ok()?,
        key: slot.parse().ok()?,
    })
}

/// A contract's name, of its address as a hex string.
fn name_of(recording: &Recording, address: &str) -> String {
    address
        .parse()
        .map_or_else(|_| trimmed(address), |address| recording.name_or_hex(address))
}
