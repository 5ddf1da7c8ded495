//! Runs the machine again from a recording: its questions are answered from a log.

use std::sync::Arc;

use eradbg_vm::events::{L2ToL1Log, RawEvent};
use eradbg_vm::execution::{DirtyPage, Lives};
use eradbg_vm::observer::Question;
use eradbg_vm::outcome::Stop;
use eradbg_vm::precompile::{Output, Precompile};
use eradbg_vm::storage::StorageKey;
use eradbg_vm::{Execution, Host, Observer, Program, U256};

use crate::error::{Error, Result};
use crate::index::Version;
use crate::log::{Answers, AnswersRead, ChunkLog};
use crate::recording::Recording;
use crate::store::codec::Malformed;

/// A chunk that is being executed again.
#[derive(Debug)]
pub struct Replay {
    recording: Recording,
    chunk: u32,
    log: ChunkLog,
    execution: Execution,
    cursor: Cursor,
}

/// A state that a replay can go back to.
#[derive(Debug)]
pub(crate) struct Mark {
    execution: Execution,
    cursor: Cursor,
}

/// How much of a log was read.
#[derive(Debug, Clone, Copy, Default)]
struct Cursor {
    answers: AnswersRead,
    operator_writes: usize,
}

/// Answers the machine from a chunk's log.
#[derive(Debug)]
struct ReplayHost<'a> {
    recording: &'a Recording,
    answers: Answers<'a>,
}

/// Why a replay stops.
#[derive(Debug)]
enum ReplayError {
    /// The log does not fit what the machine asks.
    Log,
    /// The recording lacks code, or cannot be read.
    Recording(Error),
}

impl From<Malformed> for ReplayError {
    fn from(_: Malformed) -> Self {
        Self::Log
    }
}

impl Replay {
    /// At the start of a chunk.
    ///
    /// # Errors
    /// When something that the state there needs is missing or damaged.
    pub fn new(recording: &Recording, chunk: u32) -> Result<Self> {
        Ok(Self {
            recording: recording.clone(),
            chunk,
            log: recording.log(chunk)?,
            execution: recording.state_at_chunk(chunk)?,
            cursor: Cursor::default(),
        })
    }

    /// The state where it stands, with what the operator wrote there.
    pub fn execution(&self) -> &Execution {
        &self.execution
    }

    /// The state that it has come to.
    pub(crate) fn into_execution(self) -> Execution {
        self.execution
    }

    /// Executes up to a position, at most to the end of the chunk. With `observer`, operator writes come after the step
    /// that they follow.
    ///
    /// # Errors
    /// When the log does not fit the state: one of them is damaged.
    pub fn run_to<O: Observer>(&mut self, position: u64, observer: &mut O) -> Result<()> {
        let Self {
            recording,
            chunk,
            log,
            execution,
            cursor,
        } = self;
        advance(recording, *chunk, log, execution, cursor, position, observer)
    }

    /// From now on [`Self::take_written`] tells what was written.
    pub(crate) fn start_tracking(&mut self) {
        self.execution.start_tracking();
        self.execution.take_dirty(|_, _| {});
    }

    /// Pages that were written since the last call or the start of tracking, as far as their memories and stacks live, and
    /// which memories came to life or died.
    pub(crate) fn take_written(&mut self) -> (Vec<Version>, Lives) {
        let mut written = Vec::new();
        self.execution.take_dirty(|space, page| {
            let (is_stack, index, words) = match page {
                DirtyPage::Heap(page) => (false, page.index, page.written),
                DirtyPage::Stack(page) => (true, page.index, page.written),
            };
            written.push(Version {
                page: (space, is_stack, index),
                written: words,
            });
        });
        (written, self.execution.take_lives())
    }

    /// Where it stands, to go back to.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            execution: self.execution.clone(),
            cursor: self.cursor,
        }
    }

    /// Goes back to where it was.
    pub(crate) fn return_to(&mut self, mark: &Mark) {
        self.execution = mark.execution.clone();
        self.cursor = mark.cursor;
    }
}

impl Mark {
    /// The step that comes next there.
    pub(crate) fn position(&self) -> u64 {
        self.execution.steps()
    }
}

/// Executes a chunk from the state at its start. With `observer`, operator writes come after the step that they follow.
///
/// # Errors
/// When the log does not fit the state: one of them is damaged.
pub fn replay_chunk<O: Observer>(
    recording: &Recording,
    chunk: u32,
    log: &ChunkLog,
    execution: &mut Execution,
    observer: &mut O,
) -> Result<()> {
    let mut cursor = Cursor::default();
    advance(recording, chunk, log, execution, &mut cursor, log.end(), observer)
}

fn advance<O: Observer>(
    recording: &Recording,
    chunk: u32,
    log: &ChunkLog,
    execution: &mut Execution,
    cursor: &mut Cursor,
    target: u64,
    observer: &mut O,
) -> Result<()> {
    let end = target.min(log.end());
    let damaged = |execution: &Execution, why: &str| {
        let place = format!("chunk {chunk}, step {}", execution.steps());
        Err(recording.damaged(place, why.to_owned()))
    };
    let mut host = ReplayHost {
        recording,
        answers: log.answers_from(cursor.answers),
    };
    loop {
        let position = execution.steps();
        let writes = &log.operator[cursor.operator_writes..];
        let due = writes.partition_point(|write| write.position <= position);
        for write in &writes[..due] {
            execution.operator_write(write.slot, write.word, observer);
        }
        cursor.operator_writes += due;
        if position >= end {
            break;
        }
        let until = writes.get(due).map_or(end, |write| write.position.min(end));
        match execution.run(&mut host, observer, until - position) {
            Ok(Stop::Ended(_)) if execution.steps() < log.end() => {
                return damaged(execution, "the bootloader ends too early");
            }
            Ok(_) => {}
            Err(ReplayError::Log) => {
                return damaged(execution, "its log does not fit what the machine asks");
            }
            Err(ReplayError::Recording(error)) => return Err(error),
        }
    }
    recording.check_pages()?;
    cursor.answers = host.answers.read();
    if end < log.end() || host.answers.is_empty() {
        Ok(())
    } else {
        damaged(execution, "its log holds more answers than the machine asks for")
    }
}

impl Host for ReplayHost<'_> {
    type Error = ReplayError;

    fn storage_read<O: Observer>(
        &mut self,
        key: StorageKey,
        observer: &mut O,
    ) -> Result<(U256, u32), ReplayError> {
        observer.asked(Question::StorageRead(key));
        Ok((self.answers.word()?, self.answers.refund()?))
    }

    fn storage_write<O: Observer>(
        &mut self,
        key: StorageKey,
        value: U256,
        observer: &mut O,
    ) -> Result<u32, ReplayError> {
        observer.asked(Question::StorageWrite(key, value));
        Ok(self.answers.refund()?)
    }

    fn transient_read<O: Observer>(
        &mut self,
        key: StorageKey,
        observer: &mut O,
    ) -> Result<U256, ReplayError> {
        observer.asked(Question::TransientRead(key));
        Ok(self.answers.word()?)
    }

    fn transient_write<O: Observer>(&mut self, key: StorageKey, value: U256, observer: &mut O) {
        observer.asked(Question::TransientWrite(key, value));
    }

    fn code_hash<O: Observer>(&mut self, address: U256, observer: &mut O) -> Result<U256, ReplayError> {
        observer.asked(Question::CodeHash(address));
        Ok(self.answers.word()?)
    }

    fn prepare_decommit<O: Observer>(
        &mut self,
        hash: U256,
        observer: &mut O,
    ) -> Result<Option<u32>, ReplayError> {
        observer.asked(Question::PrepareDecommit(hash));
        Ok(self.answers.known_page()?)
    }

    fn decommit<O: Observer>(
        &mut self,
        hash: U256,
        page: u32,
        observer: &mut O,
    ) -> Result<Arc<Program>, ReplayError> {
        observer.asked(Question::Decommit(hash, page));
        self.recording.program(hash).map_err(ReplayError::Recording)
    }

    fn precompile(&mut self, _: Precompile, _: &[U256]) -> Result<Output, ReplayError> {
        Ok(self.answers.output()?)
    }

    fn pubdata(&mut self) -> Result<i32, ReplayError> {
        Ok(self.answers.pubdata()?)
    }

    fn add_pubdata<O: Observer>(&mut self, bytes: i32, observer: &mut O) {
        observer.asked(Question::Pubdata(bytes));
    }

    fn event<O: Observer>(&mut self, event: RawEvent, observer: &mut O) {
        observer.asked(Question::Event(event));
    }

    fn l2_to_l1_log<O: Observer>(&mut self, log: L2ToL1Log, observer: &mut O) {
        observer.asked(Question::L2ToL1Log(log));
    }

    fn enter_frame(&mut self) {}

    fn leave_frame<O: Observer>(&mut self, _: bool, _: &mut O) {}

    fn next_transaction<O: Observer>(&mut self, observer: &mut O) {
        observer.asked(Question::NextTransaction);
    }
}
