//! What a recording says about a run, in order of time, with the machine's ergs and pubdata at each hook.

use eradbg_tracer::Recording;
use eradbg_tracer::ledger::{OperatorRow, StateRow, Timed};
use eradbg_tracer::replay::replay_chunk;
use eradbg_tracer::report::{BatchReport, TransactionReport};
use eradbg_tracer::state_view::StateView;
use eradbg_vm::{Execution, Observer};

/// A recorded run as the operator saw it.
#[derive(Clone)]
pub(crate) struct Transcript {
    /// Hooks, words that the operator wrote, snapshots and rollbacks, transactions.
    pub(crate) rows: Vec<Timed<OperatorRow>>,
    /// The machine at each of the hooks.
    pub(crate) at_hooks: Vec<AtHook>,
    /// Reports of the transactions.
    pub(crate) transactions: Vec<TransactionReport>,
    /// Report of the batch, when it was closed.
    pub(crate) batch: Option<BatchReport>,
    /// Steps of the run.
    pub(crate) steps: u64,
}

/// The machine while a hook suspends it.
#[derive(Clone, Copy)]
pub(crate) struct AtHook {
    /// Ergs of the bootloader's current near or far frame.
    pub(crate) ergs: u32,
    /// Sum of the pubdata charged so far.
    pub(crate) pubdata: i32,
}

impl Transcript {
    /// Reads a recording, and replays it for the ergs.
    pub(crate) fn of(recording: &Recording) -> Self {
        let mut transcript = Self {
            rows: Vec::new(),
            at_hooks: Vec::new(),
            transactions: recording.reports().unwrap(),
            batch: recording.batch_report().unwrap(),
            steps: recording.steps(),
        };
        let mut state = StateView::default();
        let mut execution = None;
        for chunk in 0..recording.chunks() {
            let rows = recording.rows::<OperatorRow>(chunk).unwrap();
            let hooks = rows
                .iter()
                .filter(|row| matches!(row.row, OperatorRow::Hook { .. }))
                .map(|row| row.step);
            let hooks: Vec<u64> = hooks.collect();
            let ergs = ergs_at(recording, chunk, &hooks, &mut execution);
            let pubdata = pubdata_at(recording, chunk, &hooks, &mut state);
            let at_hooks = ergs.into_iter().zip(pubdata);
            transcript
                .at_hooks
                .extend(at_hooks.map(|(ergs, pubdata)| AtHook { ergs, pubdata }));
            transcript.rows.extend(rows);
        }
        transcript
    }
}

/// Replays a chunk, from the end of the one before where there was no rollback.
fn ergs_at(
    recording: &Recording,
    chunk: u32,
    positions: &[u64],
    execution: &mut Option<Execution>,
) -> Vec<u32> {
    let log = recording.log(chunk).unwrap();
    let mut state = match execution.take().filter(|_| !log.after_rollback) {
        Some(state) => state,
        None => recording.state_at_chunk(chunk).unwrap(),
    };
    let mut meter = Meter {
        positions,
        ergs: Vec::new(),
    };
    replay_chunk(recording, chunk, &log, &mut state, &mut meter).unwrap();
    assert_eq!(meter.ergs.len(), positions.len(), "chunk {chunk} has its hooks");
    *execution = Some(state);
    meter.ergs
}

/// Walks over the rows of a chunk. Those of a rollback after its last step stand in the next chunk.
fn pubdata_at(recording: &Recording, chunk: u32, positions: &[u64], state: &mut StateView) -> Vec<i32> {
    let rows = recording.rows::<StateRow>(chunk).unwrap();
    let mut rows = rows.iter().peekable();
    let mut pubdata = Vec::new();
    for &position in positions {
        while let Some(row) = rows.next_if(|row| row.step < position) {
            state.apply(&row.row);
        }
        pubdata.push(state.pubdata);
    }
    rows.for_each(|row| state.apply(&row.row));
    pubdata
}

/// Reads the ergs at some positions.
struct Meter<'a> {
    positions: &'a [u64],
    ergs: Vec<u32>,
}

impl Observer for Meter<'_> {
    fn after_step(&mut self, execution: &Execution) {
        if self.positions.get(self.ergs.len()) == Some(&execution.steps()) {
            self.ergs.push(execution.frame().ergs);
        }
    }
}
