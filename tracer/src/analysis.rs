//! Answers to the questions that people open a recording for, as plain data that screens and commands print and tests
//! compare. All of it is computed from a recording alone.

pub mod answer;
pub mod calls;
pub(crate) mod encoded;
pub mod ergs;
pub mod frames;
pub mod hooks;
mod loads;
pub mod operand;
pub mod origin;
pub mod phase;
mod preparation;
pub mod pubdata;
pub mod published;
pub mod reason;
pub mod refunds;
pub mod rollbacks;
pub mod sheet;
pub mod stretches;
pub mod unpaid;
pub mod used;
mod walk;
pub mod why;

use eradbg_vm::Execution;

use crate::error::Result;
use crate::recording::Recording;
use crate::replay::Replay;

/// The machine right before a step.
fn before(recording: &Recording, step: u64) -> Result<Execution> {
    let mut replay = Replay::new(recording, recording.chunk_of(step))?;
    replay.run_to(step, &mut ())?;
    Ok(replay.into_execution())
}

/// The machine right after a step, before the operator takes it back if it does.
fn after(recording: &Recording, step: u64) -> Result<Execution> {
    let mut replay = Replay::new(recording, recording.chunk_of(step))?;
    replay.run_to(step + 1, &mut ())?;
    Ok(replay.into_execution())
}
