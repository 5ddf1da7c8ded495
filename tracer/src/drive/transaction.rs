//! The life of one transaction: snapshot, push, run; then it stays, is taken back, or is run once more.
//!
//! Source: `matter-labs/zksync-era` `core/lib/vm_executor/src/batch/factory.rs`.

use eradbg_vm::batch::Transaction;
use eradbg_vm::bytecode::compress::CompressedBytecode;
use eradbg_vm::operator::{ExecutionResult, Halt, OperatorError, RunMode, RunResult};

use crate::drive::{Session, Sink};
use crate::report::{RunReport, TransactionReport};
use crate::source::run::{Driver, RunConfig, UnpublishedBytecodes};

/// A transaction that was pushed and run.
struct Attempt {
    run: RunResult,
    /// Bytecodes that it published in compressed form; `None` when it was to, and did not.
    published: Option<Vec<CompressedBytecode>>,
}

impl Attempt {
    fn report(self, rolled_back: bool) -> TransactionReport {
        TransactionReport::new(self.run, self.published.as_deref(), rolled_back)
    }
}

impl<K: Sink> Session<K> {
    /// Runs one transaction; `None` when it was only pushed.
    pub(super) fn run_transaction(
        &mut self,
        index: usize,
        is_last: bool,
        transaction: &Transaction,
        config: &RunConfig,
    ) -> Result<Option<TransactionReport>, OperatorError> {
        match config.driver {
            Driver::Batch => {
                self.operator.push_transaction(
                    transaction,
                    config.bytecode_compression,
                    self.sink.observer(),
                )?;
                Ok(None)
            }
            Driver::ValidateOnly => self.validate(is_last, transaction, config).map(Some),
            Driver::OneTx => self.execute(index, transaction, config).map(Some),
        }
    }

    /// Validates a transaction. The bootloader stops in the middle of it, so it is taken back before the next one: each is
    /// validated as if it were the only one of the batch, which is what the node does.
    fn validate(
        &mut self,
        is_last: bool,
        transaction: &Transaction,
        config: &RunConfig,
    ) -> Result<TransactionReport, OperatorError> {
        if !is_last {
            self.operator.make_snapshot(self.sink.observer());
        }
        let attempt = self.attempt(transaction, config.bytecode_compression, RunMode::Validation)?;
        if !is_last {
            self.operator.roll_back(self.sink.observer());
        }
        Ok(attempt.report(!is_last))
    }

    fn execute(
        &mut self,
        index: usize,
        transaction: &Transaction,
        config: &RunConfig,
    ) -> Result<TransactionReport, OperatorError> {
        if self.held.is_none() {
            self.operator.make_snapshot(self.sink.observer());
            if self.script.snapshots.contains(&index) {
                self.held = Some(Vec::new());
            }
        }
        let mut attempt = self.attempt(transaction, config.bytecode_compression, RunMode::OneTransaction)?;
        let mut first_attempt = None;
        if attempt.published.is_none() {
            match config.unpublished_bytecodes {
                UnpublishedBytecodes::Keep => {}
                UnpublishedBytecodes::Retry => {
                    first_attempt = Some(RunReport::new(attempt.run));
                    self.operator.roll_back(self.sink.observer());
                    self.operator.make_snapshot(self.sink.observer());
                    attempt = self.attempt(transaction, false, RunMode::OneTransaction)?;
                }
                UnpublishedBytecodes::Reject => {
                    attempt.run.result = ExecutionResult::Halt(Halt::FailedToPublishCompressedBytecodes);
                }
            }
        }
        let halted = matches!(attempt.run.result, ExecutionResult::Halt(_));
        if halted {
            self.operator.roll_back(self.sink.observer());
        }
        match self.held {
            // The snapshot that is held can be rolled back to once more.
            Some(_) if halted => self.operator.make_snapshot(self.sink.observer()),
            None if !halted => self.operator.drop_snapshot(self.sink.observer()),
            _ => {}
        }
        Ok(TransactionReport {
            first_attempt,
            ..attempt.report(halted)
        })
    }

    fn attempt(
        &mut self,
        transaction: &Transaction,
        with_compression: bool,
        mode: RunMode,
    ) -> Result<Attempt, OperatorError> {
        let (operator, observer) = (&mut self.operator, self.sink.observer());
        let compressed = operator
            .push_transaction(transaction, with_compression, observer)?
            .compressed;
        let run = operator.run(mode, observer)?;
        let published = operator.are_known(&compressed)?.then_some(compressed);
        Ok(Attempt { run, published })
    }
}
