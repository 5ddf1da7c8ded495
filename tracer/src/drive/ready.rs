//! The two sinks that most sessions have: one that keeps reports, and the recorder.
//!
//! A session is compiled anew for each sink. These two are compiled here, once for all.

use std::time::{Duration, Instant};

use eradbg_vm::EraVm;
use eradbg_vm::batch::BatchInput;

use crate::chain::{ClosedBatch, Uncommittable, stand_in_hash};
use crate::drive::{DriveEnd, DriveError, Session, Sink};
use crate::error::Result;
use crate::manifest::EndKind;
use crate::recorder::Recorder;
use crate::report::{BatchReport, TransactionReport};
use crate::source::Script;
use crate::source::run::RunConfig;

/// Keeps reports and observes nothing.
#[derive(Debug, Default)]
pub struct Reports {
    /// Of the transactions, in the order in which they were done.
    pub transactions: Vec<TransactionReport>,
    /// Of the batch, if it was closed.
    pub batch: Option<BatchReport>,
    /// What observes the machine: nothing does.
    pub observer: (),
}

impl Sink for Reports {
    type Observer = ();

    fn observer(&mut self) -> &mut () {
        &mut self.observer
    }

    fn transaction_done(&mut self, report: TransactionReport) {
        self.transactions.push(report);
    }

    fn batch_done(&mut self, report: BatchReport) {
        self.batch = Some(report);
    }
}

/// A run that was driven as far as it went.
#[derive(Debug)]
pub struct Driven {
    /// How it ended.
    pub end: std::result::Result<DriveEnd, DriveError>,
    /// How long it took, without what came before and after.
    pub took: Duration,
    /// What the batch leaves to its chain.
    pub closed: std::result::Result<ClosedBatch, Uncommittable>,
    /// The machine at the end.
    pub machine: EraVm,
}

/// Runs a batch for its reports alone.
pub fn run(input: BatchInput, script: Script, config: &RunConfig) -> (Driven, Reports) {
    drive(input, script, config, Reports::default())
}

/// Runs a batch and writes its recording, which says how the run ended.
///
/// # Errors
/// When the recording could not be written.
pub fn record(input: BatchInput, script: Script, config: &RunConfig, recorder: Recorder) -> Result<Driven> {
    let (driven, recorder) = drive(input, script, config, recorder);
    let end = match &driven.end {
        Ok(DriveEnd::Finished) => EndKind::Finished,
        Ok(DriveEnd::Interrupted) => EndKind::Interrupted,
        Ok(DriveEnd::NotClosed(missing)) => EndKind::Stopped(format!("the batch was not closed: {missing}")),
        Ok(DriveEnd::Rejected(why)) => EndKind::Stopped(format!("the bootloader rejected the batch: {why}")),
        Err(error) => EndKind::Stopped(error.to_string()),
    };
    recorder.finish(&driven.machine.execution, end)?;
    Ok(driven)
}

fn drive<K: Sink>(input: BatchInput, script: Script, config: &RunConfig, sink: K) -> (Driven, K) {
    let started = Instant::now();
    let mut session = Session::new(input, script, sink);
    let end = session.drive(config);
    let took = started.elapsed();
    let closed = ClosedBatch::of(&session, stand_in_hash(&session));
    let (sink, machine) = session.into_parts();
    let driven = Driven {
        end,
        took,
        closed,
        machine,
    };
    (driven, sink)
}
