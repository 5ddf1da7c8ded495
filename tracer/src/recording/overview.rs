//! What a recording holds at a glance: transactions, hooks, failures, stretches that were undone.

use eradbg_vm::bootloader::Hook;
use eradbg_vm::{H256, U256};

use crate::error::Result;
use crate::ledger::{FailureRow, OperatorRow};
use crate::recording::Recording;
use crate::report::TransactionReport;

/// A transaction of the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionRow {
    /// Number in the batch, rejected ones included.
    pub index: u32,
    /// Its hash; zero while it is not done.
    pub hash: H256,
    /// Number of its L2 block.
    pub l2_block: u32,
    /// Its first step.
    pub first_step: u64,
    /// Its steps, those of a first attempt included.
    pub steps: u64,
    /// First step of the attempt that counts, when the transaction was run once more since its compressed bytecodes did
    /// not get published.
    pub rerun_at: Option<u64>,
    /// How it went.
    pub status: TxStatus,
    /// Why it failed; empty when it did not.
    pub reason: String,
    /// Ergs used.
    pub gas_used: u32,
    /// Gas refunded.
    pub gas_refunded: u64,
    /// Bytes of pubdata.
    pub pubdata: u32,
    /// Whether the operator took it back.
    pub rolled_back: bool,
}

/// How a transaction went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TxStatus {
    /// It succeeded.
    Success,
    /// It failed and is part of the batch.
    Reverted,
    /// It cannot be part of the batch.
    Halted,
    /// The recording ends within it.
    Unfinished,
}

/// A hook of the bootloader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HookRow {
    /// Position right after the write that called it.
    pub step: u64,
    /// Its number.
    pub hook: u32,
    /// Its parameters.
    pub parameters: [U256; 3],
}

/// Steps whose effects an operator rollback took back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UndoneRange {
    /// The first of them.
    pub first_step: u64,
    /// Position of the rollback.
    pub end_step: u64,
}

#[derive(Debug, Default)]
pub(super) struct Overview {
    transactions: Vec<TransactionRow>,
    hooks: Vec<HookRow>,
    failures: Vec<FailureRow>,
    undone: Vec<UndoneRange>,
}

impl Recording {
    /// Reads what the lists below need; they are empty before.
    ///
    /// # Errors
    /// When ledgers or reports are damaged.
    pub fn load_overview(&self) -> Result<()> {
        if self.0.overview.get().is_none() {
            let overview = self.read_overview()?;
            self.0.overview.get_or_init(|| overview);
        }
        Ok(())
    }

    /// Transactions in the order of the input.
    pub fn transactions(&self) -> &[TransactionRow] {
        self.0
            .overview
            .get()
            .map_or(&[], |overview| &overview.transactions)
    }

    /// Hooks in order of time.
    pub fn hooks(&self) -> &[HookRow] {
        self.0.overview.get().map_or(&[], |overview| &overview.hooks)
    }

    /// Frames that reverted or panicked, in order of time.
    pub fn failures(&self) -> &[FailureRow] {
        self.0.overview.get().map_or(&[], |overview| &overview.failures)
    }

    /// Stretches that operator rollbacks took back, in order of time.
    pub fn undone(&self) -> &[UndoneRange] {
        self.0.overview.get().map_or(&[], |overview| &overview.undone)
    }

    fn read_overview(&self) -> Result<Overview> {
        let mut overview = Overview::default();
        let mut snapshot = None;
        for chunk in 0..self.row_blocks() {
            overview
                .failures
                .extend(self.rows::<FailureRow>(chunk)?.into_iter().map(|row| row.row));
            for row in self.rows::<OperatorRow>(chunk)? {
                let step = row.step;
                match row.row {
                    OperatorRow::Hook { id, parameters } => overview.hooks.push(HookRow {
                        step,
                        hook: id,
                        parameters,
                    }),
                    OperatorRow::TransactionStarted { index, l2_block } => {
                        let steps = self.steps() - step;
                        overview
                            .transactions
                            .push(TransactionRow::unfinished(index, l2_block, step, steps));
                    }
                    OperatorRow::TransactionDone { index } => {
                        if let Some(transaction) = overview.transactions.get_mut(index as usize) {
                            transaction.steps = step - transaction.first_step;
                        }
                    }
                    OperatorRow::Snapshot => snapshot = Some(step),
                    OperatorRow::RolledBack => {
                        let first_step = snapshot.unwrap_or(0);
                        overview.undone.push(UndoneRange {
                            first_step,
                            end_step: step,
                        });
                    }
                    OperatorRow::Write { .. } | OperatorRow::SnapshotDropped => {}
                }
            }
        }
        for report in self.reports()? {
            if let Some(transaction) = overview.transactions.get_mut(report.index) {
                transaction.finish(&report);
            }
        }
        overview.tell_apart();
        Ok(overview)
    }
}

impl Overview {
    /// Tells transactions apart that were run in one go and have no reports: each ends where the bootloader says so.
    fn tell_apart(&mut self) {
        let mut hooks = self.hooks.iter();
        let mut ended_at = 0;
        let unfinished = |transaction: &&mut TransactionRow| transaction.status == TxStatus::Unfinished;
        for transaction in self.transactions.iter_mut().filter(unfinished) {
            if ended_at > transaction.first_step {
                transaction.steps -= ended_at - transaction.first_step;
                transaction.first_step = ended_at;
            }
            let mut status = TxStatus::Reverted;
            for row in hooks
                .by_ref()
                .skip_while(|row| row.step <= transaction.first_step)
            {
                match Hook::new(row.hook) {
                    Some(Hook::PostResult) if !row.parameters[0].is_zero() => status = TxStatus::Success,
                    Some(Hook::NotifyAboutRefund) => transaction.gas_refunded = row.parameters[0].low_u64(),
                    Some(Hook::TxHasEnded) => {
                        transaction.status = status;
                        transaction.steps = row.step - transaction.first_step;
                        ended_at = row.step;
                        break;
                    }
                    _ => {}
                }
            }
        }
    }
}

impl TransactionRow {
    fn unfinished(index: u32, l2_block: u32, first_step: u64, steps: u64) -> Self {
        Self {
            index,
            hash: H256::zero(),
            l2_block,
            first_step,
            steps,
            rerun_at: None,
            status: TxStatus::Unfinished,
            reason: String::new(),
            gas_used: 0,
            gas_refunded: 0,
            pubdata: 0,
            rolled_back: false,
        }
    }

    fn finish(&mut self, report: &TransactionReport) {
        self.hash = report.tx_hash.parse().unwrap_or_default();
        self.steps = (report.run.first_step + report.run.cycles_used).saturating_sub(self.first_step);
        self.rerun_at = report.first_attempt.as_ref().map(|_| report.run.first_step);
        self.status = match report.run.status() {
            "success" => TxStatus::Success,
            "revert" => TxStatus::Reverted,
            _ => TxStatus::Halted,
        };
        report.run.failure().clone_into(&mut self.reason);
        self.gas_used = report.run.gas_used;
        self.gas_refunded = report.run.gas_refunded;
        self.pubdata = report.run.pubdata_published;
        self.rolled_back = report.rolled_back;
    }
}
