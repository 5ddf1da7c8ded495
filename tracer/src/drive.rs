//! Drives a batch: pushes its transactions, runs them, takes halted ones back, closes the batch.
//!
//! A script may have one snapshot held over several transactions instead of one for each: then a halt takes all of them
//! back, and their reports wait until it is known whether they stay.

mod ready;
mod transaction;

use eradbg_vm::batch::{BatchInput, L2Block, SystemEnv};
use eradbg_vm::operator::{BatchResult, ExecutionResult, OperatorError, OperatorVm, PubdataTarget};
use eradbg_vm::protocol::{Protocol, PubdataFormat};
use eradbg_vm::pubdata::builder::{DaTarget, PubdataBuilder};
use eradbg_vm::storage::SnapshotStorage;
use eradbg_vm::{EraVm, Observer};

use crate::report::{BatchReport, TransactionReport};
use crate::source::Script;
use crate::source::run::{self as options, OptionsError, RunConfig};

pub use ready::{Driven, Reports, record, run};

/// Takes what a run gives, transaction by transaction, besides observing it.
pub trait Sink {
    /// What observes the machine. The whole machine is compiled anew for each, so sinks that observe nothing have `()`.
    type Observer: Observer;

    /// What observes the machine.
    fn observer(&mut self) -> &mut Self::Observer;

    /// A transaction of the input is about to be pushed, before step `step`.
    fn transaction_started(&mut self, index: usize, l2_block: u32, step: u64) {
        let _ = (index, l2_block, step);
    }

    /// A transaction has run, and was rolled back if it halted.
    fn transaction_ended(&mut self, index: usize) {
        let _ = index;
    }

    /// What a transaction that has ended gave. While a snapshot is held over several transactions, this
    /// comes when the snapshot is rolled back or released.
    fn transaction_done(&mut self, report: TransactionReport) {
        let _ = report;
    }

    /// The batch was closed.
    fn batch_done(&mut self, report: BatchReport) {
        let _ = report;
    }
}

impl Sink for () {
    type Observer = ();

    fn observer(&mut self) -> &mut () {
        self
    }
}

/// How a driven batch ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DriveEnd {
    /// Everything that was asked for was done.
    Finished,
    /// The user stopped it.
    Interrupted,
    /// The input ends before the batch can be closed: what is missing. All transactions have run.
    NotClosed(String),
    /// The bootloader does not accept the batch as it is closed: why. All transactions have run.
    Rejected(String),
}

/// Why a batch could not be driven on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DriveError {
    /// The options contradict each other or the batch; nothing was run.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// The operator cannot go on.
    #[error("{place}: {error}")]
    Operator {
        /// Which transaction or part of the batch.
        place: String,
        /// What happened.
        error: OperatorError,
    },
}

/// A batch that is driven, with the sink that watches it.
#[derive(Debug)]
pub struct Session<K> {
    operator: OperatorVm<SnapshotStorage>,
    blocks: Vec<L2Block>,
    system: SystemEnv,
    script: Script,
    /// Reports of transactions since the snapshot that the script has held.
    held: Option<Vec<TransactionReport>>,
    sink: K,
    closed: Option<BatchResult>,
}

impl<K: Sink> Session<K> {
    /// A session at the start of a batch, with what the operator is to do between its transactions.
    pub fn new(input: BatchInput, script: Script, mut sink: K) -> Self {
        let BatchInput {
            batch,
            system,
            blocks,
            storage,
        } = input;
        let operator = OperatorVm::new(
            batch,
            system.clone(),
            SnapshotStorage::new(storage),
            sink.observer(),
        );
        Self {
            operator,
            blocks,
            system,
            script,
            held: None,
            sink,
            closed: None,
        }
    }

    /// Drives the batch as the configuration says.
    ///
    /// # Errors
    /// When the options do not fit the batch, input is missing, an L2 block does not follow the one before, or a
    /// transaction does not fit. What the sink has got until then stays good.
    pub fn drive(&mut self, config: &RunConfig) -> Result<DriveEnd, DriveError> {
        config.check(&self.script)?;
        let end = self.drive_blocks(config);
        self.release();
        end
    }

    /// The operator with its machine.
    pub fn operator(&self) -> &OperatorVm<SnapshotStorage> {
        &self.operator
    }

    /// The system around the batch.
    pub fn system(&self) -> &SystemEnv {
        &self.system
    }

    /// What closing the batch gave; `None` while it is open.
    pub fn closed(&self) -> Option<&BatchResult> {
        self.closed.as_ref()
    }

    /// The sink, and the machine at the end.
    pub fn into_parts(self) -> (K, EraVm) {
        (self.sink, self.operator.into_machine())
    }

    fn drive_blocks(&mut self, config: &RunConfig) -> Result<DriveEnd, DriveError> {
        let count: usize = self.blocks.iter().map(|block| block.transactions.len()).sum();
        let mut index = 0;
        for (block_index, mut block) in std::mem::take(&mut self.blocks).into_iter().enumerate() {
            let number = block.env.number;
            if block_index > 0 {
                if self.script.links_blocks {
                    block.env.prev_block_hash = self.operator.bootloader_state().last_block().hash();
                }
                let started = self.operator.start_l2_block(block.env);
                started.map_err(|error| DriveError::Operator {
                    place: format!("l2_blocks[{block_index}]"),
                    error,
                })?;
            }
            for transaction in &block.transactions {
                let hash = transaction
                    .known_hash
                    .unwrap_or_else(|| transaction.hash(self.system.chain_id));
                self.sink
                    .transaction_started(index, number, self.operator.machine().execution.steps());
                let is_last = index + 1 == count;
                match self.run_transaction(index, is_last, transaction, config) {
                    Ok(report) => {
                        if let Some(report) = report {
                            self.transaction_done(TransactionReport {
                                index,
                                l2_block: number,
                                tx_hash: hash,
                                ..report
                            });
                        }
                    }
                    Err(OperatorError::Cancelled) => return Ok(DriveEnd::Interrupted),
                    Err(error) => {
                        return Err(DriveError::Operator {
                            place: format!("transaction {index} ({hash:#x})"),
                            error,
                        });
                    }
                }
                index += 1;
            }
        }
        if config.finishes_batch(self.system.execution_mode) {
            self.finish(config)
        } else {
            Ok(DriveEnd::Finished)
        }
    }

    /// Hands a report on, or keeps it while a snapshot is held; then does what the script says comes after it.
    fn transaction_done(&mut self, report: TransactionReport) {
        let (index, halted) = (report.index, report.rolled_back);
        self.sink.transaction_ended(index);
        let Some(held) = &mut self.held else {
            return self.sink.transaction_done(report);
        };
        held.push(report);
        if halted {
            self.report_held(true);
        }
        if self.script.rollbacks.contains(&index) {
            // A halt has taken everything back already.
            if !halted {
                self.operator.roll_back(self.sink.observer());
                self.report_held(true);
            }
            self.release();
        } else if self.script.releases.contains(&index) {
            self.release();
        }
    }

    /// Lets go of the snapshot that is held, if one is: its transactions stay.
    fn release(&mut self) {
        if self.held.is_some() {
            self.operator.drop_snapshot(self.sink.observer());
            self.report_held(false);
            self.held = None;
        }
    }

    fn report_held(&mut self, rolled_back: bool) {
        for mut report in self.held.iter_mut().flat_map(std::mem::take) {
            report.rolled_back |= rolled_back;
            self.sink.transaction_done(report);
        }
    }

    fn finish(&mut self, config: &RunConfig) -> Result<DriveEnd, DriveError> {
        let target = pubdata_target(config, self.system.version.protocol());
        match self.operator.finish_batch(target, self.sink.observer()) {
            Ok(result) => {
                self.sink.batch_done(BatchReport::new(&result));
                let end = match &result.tip.result {
                    ExecutionResult::Success(_) => DriveEnd::Finished,
                    ExecutionResult::Revert(reason) => DriveEnd::Rejected(reason.to_string()),
                    ExecutionResult::Halt(halt) => DriveEnd::Rejected(halt.to_string()),
                };
                self.closed = Some(result);
                Ok(end)
            }
            Err(OperatorError::Cancelled) => Ok(DriveEnd::Interrupted),
            Err(OperatorError::Missing(missing)) if config.finish_batch == options::FinishBatch::ByMode => {
                Ok(DriveEnd::NotClosed(missing.to_string()))
            }
            Err(error) => Err(DriveError::Operator {
                place: "closing the batch".to_owned(),
                error,
            }),
        }
    }
}

fn pubdata_target(config: &RunConfig, protocol: &Protocol) -> PubdataTarget {
    // Commitment schemes: 1 no DA, 3 blobs and the hash of the pubdata.
    let (builder, usual_scheme) = match config.pubdata_builder {
        options::PubdataBuilder::Full => (PubdataBuilder::Full, 3),
        options::PubdataBuilder::Hashed => (PubdataBuilder::Hashed, 1),
    };
    let da = match protocol.pubdata {
        PubdataFormat::Plain | PubdataFormat::DaValidator => DaTarget::Validator(config.l2_da_validator),
        PubdataFormat::CommitmentScheme => {
            DaTarget::CommitmentScheme(config.l2_da_commitment_scheme.unwrap_or(usual_scheme))
        }
    };
    PubdataTarget { builder, da }
}
