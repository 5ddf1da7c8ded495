//! Loads of code, by far calls and by `decommit`, with what each cost.
//!
//! Code that was loaded before leaves no row, and what `decommit` pays stands in a register: so they are read off a replay.

use std::collections::VecDeque;
use std::ops::Range;

use eradbg_vm::code_hash::CodeHash;
use eradbg_vm::observer::{Observer, Question, Step};
use eradbg_vm::{Answer, Execution, H160, Instruction, Opcode, U256};
use eradbg_vm::{isa, value};
use rayon::prelude::*;

use crate::error::Result;
use crate::index::GROUP_CHUNKS;
use crate::recording::Recording;
use crate::replay::Replay;

/// Chunks that are replayed at once.
const AT_ONCE: usize = 16;

/// A load of code, or the attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Load {
    /// The step.
    pub(super) step: u64,
    /// The contract that is called; `None` for `decommit`, which loads code as data.
    pub(super) callee: Option<H160>,
    /// Hash of the code, construction mark cleared; for `decommit` what it was given, where that is no hash of code.
    pub(super) hash: U256,
    /// Ergs that it takes unless the batch has loaded the code before: for its words, or what the caller of `decommit` says.
    pub(super) price: u32,
    /// What came of it.
    pub(super) outcome: Outcome,
}

/// What came of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The price was paid.
    Paid,
    /// The batch had loaded the code before: a far call pays nothing, `decommit` gets its ergs back.
    Known,
    /// The price could not be paid.
    Unpaid,
    /// The price was paid for what is no hash of code.
    Malformed,
}

/// The loads of some steps, in order, made as they are asked for.
pub(super) struct Loads<'a> {
    recording: &'a Recording,
    steps: Range<u64>,
    /// Chunks that were not replayed.
    chunks: Range<u32>,
    found: VecDeque<Load>,
}

impl<'a> Loads<'a> {
    pub(super) fn new(recording: &'a Recording, steps: Range<u64>) -> Self {
        let end = recording.chunk_of(steps.end).saturating_add(1);
        Self {
            recording,
            chunks: recording.chunk_of(steps.start)..end.min(recording.chunks()),
            steps,
            found: VecDeque::new(),
        }
    }

    /// The next load, if it is before a step.
    ///
    /// # Errors
    /// When the recording is damaged.
    pub(super) fn next_before(&mut self, step: u64) -> Result<Option<Load>> {
        while self.found.is_empty() && self.chunks.start <= self.recording.chunk_of(step) {
            let next: Vec<_> = self.chunks.by_ref().take(AT_ONCE).collect();
            if next.is_empty() {
                break;
            }
            let loads = next.into_par_iter().map(|chunk| self.of_chunk(chunk));
            self.found = loads.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
        }
        let is_before = self.found.front().is_some_and(|load| load.step < step);
        Ok(is_before.then(|| self.found.pop_front()).flatten())
    }

    fn of_chunk(&self, chunk: u32) -> Result<Vec<Load>> {
        if !may_load(self.recording, chunk) {
            return Ok(Vec::new());
        }
        let mut replay = Replay::new(self.recording, chunk)?;
        replay.run_to(self.steps.start, &mut ())?;
        let mut watcher = Watcher::default();
        replay.run_to(self.steps.end, &mut watcher)?;
        Ok(watcher.found)
    }
}

/// Whether a chunk executed an instruction that loads code, as far as its summary and the code tell.
fn may_load(recording: &Recording, chunk: u32) -> bool {
    let group = recording.group(chunk / GROUP_CHUNKS);
    let summary = group.get((chunk % GROUP_CHUNKS) as usize);
    let Some(path) = summary.and_then(|summary| summary.path.as_ref()) else {
        return true;
    };
    path.code.iter().any(|executed| {
        // Nothing is known of code that cannot be read, as where it changed after it was loaded.
        recording.program(executed.code.hash).map_or(true, |program| {
            let mut instructions = executed.instructions.iter();
            instructions.any(|pc| loads(program.instruction(pc).opcode))
        })
    })
}

fn loads(opcode: Opcode) -> bool {
    opcode.is_far_call() || opcode == Opcode::Decommit
}

/// Notes the loads of a replay.
#[derive(Debug, Default)]
struct Watcher {
    found: Vec<Load>,
    /// The far call that executes, and the contract that it calls.
    call: Option<(u64, H160)>,
    /// What the step loads.
    load: Option<Load>,
}

impl Observer for Watcher {
    const WATCHES: bool = false;
    const SPECIALIZES: bool = false;

    #[inline]
    fn before_step(&mut self, execution: &Execution, step: Step<'_>) {
        let opcode = step.instruction.opcode;
        self.call = opcode.is_far_call().then(|| {
            let callee = execution.register(step.instruction.src1).word;
            (execution.steps(), value::address_of(callee))
        });
        if opcode == Opcode::Decommit {
            self.load = Some(as_data(execution, step.instruction));
        }
    }

    #[inline]
    fn after_step(&mut self, _: &Execution) {
        self.found.extend(self.load.take());
    }

    fn asked(&mut self, question: Question) {
        match (question, &mut self.load) {
            (Question::PrepareDecommit(hash), None) => self.load = self.call.map(|call| to_run(call, hash)),
            (Question::PrepareDecommit(hash), Some(load)) => load.hash = hash,
            (Question::Decommit(..), Some(load)) if load.outcome == Outcome::Unpaid => {
                load.outcome = Outcome::Paid;
            }
            _ => {}
        }
    }

    fn answered(&mut self, answer: &Answer) {
        if let (Answer::Decommit { known_page: Some(_) }, Some(load)) = (answer, &mut self.load) {
            load.outcome = Outcome::Known;
        }
    }
}

/// What a far call loads, unpaid so far.
fn to_run((step, callee): (u64, H160), hash: U256) -> Load {
    let words = CodeHash::parse(hash).map_or(0, CodeHash::length_field);
    Load {
        step,
        callee: Some(callee),
        hash,
        price: isa::ERGS_PER_CODE_WORD * u32::from(words),
        outcome: Outcome::Unpaid,
    }
}

/// What `decommit` is about to load, if no one has before.
fn as_data(execution: &Execution, instruction: &Instruction) -> Load {
    let hash = execution.register(instruction.src0).word;
    let price = execution.register(instruction.src1).word.low_u32();
    Load {
        step: execution.steps(),
        callee: None,
        hash,
        price,
        outcome: if price > execution.frame().ergs {
            Outcome::Unpaid
        } else if CodeHash::parse(hash).is_none() {
            Outcome::Malformed
        } else {
            Outcome::Paid
        },
    }
}
