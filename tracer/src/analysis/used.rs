//! What stretches of steps used: ergs as the machine counts them; and what transactions did.

use std::ops::Range;

use eradbg_vm::Execution;
use eradbg_vm::bootloader::Hook;
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::ledger::TransactionRow;
use crate::recording::{Recording, StateUsed};
use crate::replay::Replay;

/// What a transaction used, in the attempt that counts. What cannot be read is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TransactionUsed {
    /// Ergs.
    pub ergs: Option<u64>,
    /// Bytes of pubdata that it is charged for: those that were added when the refund was asked for, if there are any.
    pub charged: Option<u32>,
    /// What its changes of `VMState` come to, those after the refund among them.
    pub state: Option<StateUsed>,
}

/// What all transactions used.
#[derive(Debug, Default)]
pub struct Transactions {
    /// Each, in order.
    pub used: Vec<TransactionUsed>,
    /// Why some of it cannot be read.
    pub problems: Vec<Error>,
}

/// Ergs of all frames on the call stack.
fn held(machine: &Execution) -> u64 {
    let parts = machine
        .frames()
        .flat_map(|frame| frame.waiting.iter().copied().chain([frame.current()]));
    parts.map(|part| u64::from(part.ergs)).sum()
}

/// Ergs that each of some stretches used: what all frames have less right after its last step than right before the first.
///
/// # Errors
/// When the recording is damaged.
pub fn ergs_used(recording: &Recording, stretches: &[Range<u64>]) -> Result<Vec<u64>> {
    let ends = |steps: &Range<u64>| {
        let last = steps.end.saturating_sub(1);
        // Right after the last step, not where the next chunk starts: there the operator may have taken it back.
        [
            (recording.chunk_of(steps.start), steps.start),
            (recording.chunk_of(last), steps.end),
        ]
    };
    let with_steps = stretches.iter().filter(|steps| !steps.is_empty());
    let mut places: Vec<(u32, u64)> = with_steps.flat_map(ends).collect();
    places.sort_unstable();
    places.dedup();
    let chunks: Vec<_> = places.chunk_by(|a, b| a.0 == b.0).collect();
    let known = chunks
        .into_par_iter()
        .map(|places| held_in_chunk(recording, places));
    let known: Vec<u64> = known.collect::<Result<Vec<_>>>()?.concat();
    let held_at = |place| places.binary_search(&place).map_or(0, |at| known[at]);
    let used = |steps: &Range<u64>| {
        let [first, last] = ends(steps).map(held_at);
        first.saturating_sub(last)
    };
    Ok(stretches.iter().map(used).collect())
}

impl Transactions {
    /// What the operator measured, and what the steps show where nobody did: in a batch that ran in one go, and in a
    /// transaction that the recording ends in. The recording's overview is loaded.
    pub fn of(recording: &Recording) -> Self {
        let rows = recording.transactions();
        let unmeasured = rows.iter().filter(|row| !row.is_measured());
        let unmeasured: Vec<_> = unmeasured.map(TransactionRow::attempt).collect();
        let mut problems = Vec::new();
        let found = measured(recording, &unmeasured).map_err(|error| problems.push(error));
        let states = recording
            .state_used_by_transactions()
            .map_err(|error| problems.push(error));
        let mut found = found.unwrap_or_default().into_iter();
        let mut states = states.iter().flat_map(|states| states.iter().copied());
        let of_row = |row: &TransactionRow| {
            let (ergs, charged) = if row.is_measured() {
                (Some(row.gas_used.into()), Some(row.pubdata))
            } else {
                found.next().unzip()
            };
            TransactionUsed {
                ergs,
                charged,
                state: states.next(),
            }
        };
        Self {
            used: rows.iter().map(of_row).collect(),
            problems,
        }
    }
}

/// Ergs that attempts at transactions used and bytes that they are charged for, as their steps show. They are in order. The
/// recording's overview is loaded.
///
/// # Errors
/// When the recording is damaged.
pub fn measured(recording: &Recording, attempts: &[Range<u64>]) -> Result<Vec<(u64, u32)>> {
    let to_refund: Vec<_> = attempts
        .iter()
        .map(|attempt| to_refund(recording, attempt))
        .collect();
    let charged = recording.state_used(&to_refund)?;
    let charged = charged
        .iter()
        .map(|used| used.pubdata.max(0).try_into().unwrap_or(u32::MAX));
    Ok(ergs_used(recording, attempts)?.into_iter().zip(charged).collect())
}

/// The steps of an attempt up to where the refund is asked for; none where it is not.
fn to_refund(recording: &Recording, attempt: &Range<u64>) -> Range<u64> {
    let asked = recording.last_hook(attempt.clone(), Hook::AskOperatorForRefund);
    attempt.start..asked.map_or(attempt.start, |hook| hook.step)
}

/// Ergs of all frames at positions of one chunk, in order.
fn held_in_chunk(recording: &Recording, places: &[(u32, u64)]) -> Result<Vec<u64>> {
    let mut replay = Replay::new(recording, places[0].0)?;
    let mut held_at = |&(_, position): &(u32, u64)| {
        replay.run_to(position, &mut ())?;
        Ok(held(replay.execution()))
    };
    places.iter().map(&mut held_at).collect()
}
