//! Records a run while it happens: answers and operator writes into logs, states into keyframes, changes into ledgers.
//!
//! The machine's thread fills columns and takes keyframes; a writer thread packs and stores them.

mod live;
mod writer;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use eradbg_vm::events::{L2ToL1Log, RawEvent};
use eradbg_vm::observer::{FrameEnd, Marks};
use eradbg_vm::state::{Decommit, Restored, StorageAccess};
use eradbg_vm::storage::StorageKey;
use eradbg_vm::{Answer, Execution, Observer, Program, U256};
use rustc_hash::FxHashSet;

use crate::drive::Sink;
use crate::error::Result;
use crate::index::ExecutedCode;
use crate::ledger::{OperatorRow, StateRow, Timed, TransactionRow};
use crate::listing::Listing;
use crate::log::{ChunkHeader, LogMark, digest};
use crate::manifest::{EndKind, Manifest};
use crate::report::{BatchReport, TransactionReport};
use writer::{Chunk, Message, Writer};

pub use live::Live;

/// Steps in a chunk, unless told otherwise.
pub const DEFAULT_CHUNK_STEPS: u32 = 16_384;

/// Watches a run and writes its recording.
#[derive(Debug)]
pub struct Recorder {
    writer: Writer,
    control: Arc<Control>,
    chunk_steps: u32,
    /// The chunk that is being filled, or the next one.
    chunk: Box<Chunk>,
    /// Whether it has begun: not before the first step, nor after a rollback.
    is_open: bool,
    /// The last step that was answered anything, and the log's lengths before it.
    answered: Option<(u64, LogMark)>,
    executed: ExecutedCode,
    known_code: FxHashSet<U256>,
    /// Position between steps, or number of the step that executes.
    position: u64,
    /// The operator is restoring its snapshot.
    rolling_back: bool,
}

/// Shared with whoever shows progress or stops the run.
#[derive(Debug)]
pub struct Control {
    /// Steps executed so far.
    pub steps: AtomicU64,
    /// Transactions done so far.
    pub transactions: AtomicU64,
    /// Set to stop the run at the next pause.
    pub stop: Arc<AtomicBool>,
}

impl Control {
    /// Counters at zero, and a flag that stops the run.
    pub fn new(stop: Arc<AtomicBool>) -> Self {
        Self {
            steps: AtomicU64::new(0),
            transactions: AtomicU64::new(0),
            stop,
        }
    }
}

impl Recorder {
    /// Makes a recording in a new directory, with the source of code that the run may meet.
    ///
    /// # Errors
    /// When the directory exists or cannot be written.
    pub fn create(
        path: &Path,
        manifest: &Manifest,
        listings: &[Listing],
        control: Arc<Control>,
    ) -> Result<Self> {
        Ok(Self {
            writer: Writer::start(path, manifest, listings)?,
            control,
            chunk_steps: manifest.chunk_steps,
            chunk: Box::default(),
            is_open: false,
            answered: None,
            executed: ExecutedCode::default(),
            known_code: FxHashSet::default(),
            position: 0,
            rolling_back: false,
        })
    }

    /// The recording, to be read while it is written.
    pub fn live(&self) -> Live {
        self.writer.live()
    }

    /// Writes what is left and closes the recording.
    ///
    /// # Errors
    /// When something could not be written.
    pub fn finish(mut self, execution: &Execution, end: EndKind) -> Result<()> {
        self.close_chunk(execution);
        // A rollback closes the last chunk before it happens: what is known of it comes after.
        self.writer.send(Message::Tail(self.chunk));
        self.writer.finish(end)
    }

    /// Hands the open chunk to the writer.
    fn close_chunk(&mut self, execution: &Execution) {
        if !std::mem::take(&mut self.is_open) {
            return;
        }
        let mut chunk = std::mem::replace(&mut self.chunk, self.writer.chunk());
        chunk.header.steps = (self.position - chunk.header.first_step) as u32;
        chunk.header.digest = digest(execution);
        chunk.path = self.executed.take();
        self.chunk.index = chunk.index + 1;
        self.chunk.header = ChunkHeader::default();
        self.answered = None;
        self.writer.send(Message::Chunk(chunk));
    }

    fn open_chunk(&mut self, marks: Marks<'_>) {
        let execution = marks.execution();
        self.executed.start(execution);
        self.note_code(&execution.frame().program);
        self.chunk.header.first_step = self.position;
        self.chunk.keyframe.capture(marks);
        self.is_open = true;
    }

    fn steps_in_chunk(&self) -> Option<u64> {
        self.is_open.then(|| self.position - self.chunk.header.first_step)
    }

    fn note_code(&mut self, program: &Arc<Program>) {
        if self.known_code.insert(program.hash()) {
            self.chunk.code.push(Arc::clone(program));
        }
    }

    fn operator_row(&mut self, row: OperatorRow) {
        let step = self.position;
        self.chunk.rows.operator.push(Timed { step, row });
    }

    /// What a rollback restores counts as an effect of the step before it: the position after shows it.
    fn state_row(&mut self, row: StateRow) {
        let step = self.position - u64::from(self.rolling_back);
        self.chunk.rows.state.push(Timed { step, row });
    }
}

impl Observer for Recorder {
    const WATCHES: bool = false;

    fn pause_after(&self) -> u64 {
        self.steps_in_chunk()
            .map_or(0, |steps| u64::from(self.chunk_steps).saturating_sub(steps))
    }

    fn pause(&mut self, marks: Marks<'_>) -> ControlFlow<()> {
        self.control.steps.store(self.position, Ordering::Relaxed);
        if self.control.stop.load(Ordering::Relaxed) || self.writer.has_failed() {
            return ControlFlow::Break(());
        }
        if self.pause_after() == 0 {
            self.close_chunk(marks.execution());
            self.open_chunk(marks);
        }
        ControlFlow::Continue(())
    }

    fn code_runs(&mut self, execution: &Execution) {
        self.executed.runs(execution.frame());
    }

    #[inline]
    fn ran(&mut self, end: u16, next: u16) {
        self.executed.ran(end, next);
    }

    #[inline]
    fn after_step(&mut self, execution: &Execution) {
        self.position = execution.steps();
    }

    fn step_abandoned(&mut self, _execution: &Execution) {
        if let Some((_, mark)) = self.answered.filter(|&(step, _)| step == self.position) {
            self.chunk.log.cut(mark);
        }
        self.chunk.rows.abandon(self.position);
    }

    #[inline(never)]
    fn answered(&mut self, answer: &Answer) {
        if self.answered.is_none_or(|(step, _)| step != self.position) {
            self.answered = Some((self.position, self.chunk.log.mark()));
        }
        self.chunk.log.answer(answer);
    }

    #[inline(never)]
    fn frame_entered(&mut self, execution: &Execution, is_near: bool) {
        self.chunk.rows.entered(self.position, execution, is_near);
        self.executed.entered(execution);
    }

    #[inline(never)]
    fn frame_leaving(&mut self, execution: &Execution, end: FrameEnd) {
        self.chunk.rows.leaving(self.position, execution, end);
        self.executed.leaving(execution);
    }

    #[inline(never)]
    fn storage_access(&mut self, access: &StorageAccess) {
        self.state_row(StateRow::Storage(*access));
    }

    #[inline(never)]
    fn transient_access(&mut self, key: StorageKey, old: U256, new: Option<U256>) {
        self.state_row(StateRow::Transient { key, old, new });
    }

    #[inline(never)]
    fn decommit(&mut self, decommit: &Decommit) {
        self.state_row(StateRow::Decommit(*decommit));
    }

    fn code_loaded(&mut self, program: &Arc<Program>) {
        self.note_code(program);
    }

    fn pubdata_added(&mut self, bytes: i32) {
        self.state_row(StateRow::Pubdata(bytes));
    }

    #[inline(never)]
    fn event(&mut self, event: &RawEvent) {
        self.state_row(StateRow::Event(*event));
    }

    fn l2_to_l1_log(&mut self, log: &L2ToL1Log) {
        self.state_row(StateRow::Log(*log));
    }

    fn restored(&mut self, restored: &Restored) {
        self.state_row(StateRow::Restored(restored.clone()));
    }

    fn next_transaction(&mut self, cleared: &[(StorageKey, U256)]) {
        self.state_row(StateRow::NextTransaction(cleared.to_vec()));
    }

    fn hook(&mut self, id: u32, parameters: [U256; 3]) {
        self.operator_row(OperatorRow::Hook { id, parameters });
    }

    fn operator_write(&mut self, slot: u32, old: U256, new: U256) {
        self.operator_row(OperatorRow::Write { slot, old, new });
        // Before a keyframe the word is simply part of the state.
        if self.is_open {
            self.chunk.log.operator_write(self.position, slot, new);
        }
    }

    fn snapshot(&mut self, _execution: &Execution) {
        self.operator_row(OperatorRow::Snapshot);
    }

    fn snapshot_dropped(&mut self) {
        self.operator_row(OperatorRow::SnapshotDropped);
    }

    fn rolling_back(&mut self, execution: &Execution) {
        // The chunk ends with the state that is about to go.
        self.close_chunk(execution);
        self.chunk.header.after_rollback = true;
        self.rolling_back = true;
        self.operator_row(OperatorRow::RolledBack);
    }

    fn rolled_back(&mut self, _execution: &Execution) {
        self.rolling_back = false;
    }
}

impl Sink for Recorder {
    type Observer = Self;

    fn observer(&mut self) -> &mut Self {
        self
    }

    fn transaction_started(&mut self, index: usize, l2_block: u32, _step: u64) {
        self.operator_row(OperatorRow::TransactionStarted {
            index: index as u32,
            l2_block,
        });
    }

    fn transaction_ended(&mut self, index: usize) {
        self.operator_row(OperatorRow::TransactionDone { index: index as u32 });
        self.control
            .transactions
            .store(index as u64 + 1, Ordering::Relaxed);
    }

    fn transaction_done(&mut self, report: TransactionReport) {
        let (step, row) = (self.position, TransactionRow::done(&report));
        self.chunk.rows.transactions.push(Timed { step, row });
        self.writer.send(Message::Transaction(Box::new(report)));
    }

    fn batch_done(&mut self, report: BatchReport) {
        self.writer.send(Message::Batch(Box::new(report)));
    }
}
