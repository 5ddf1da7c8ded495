//! What a recording holds at a glance: transactions, hooks, failures, stretches that were undone.

use eradbg_vm::U256;
use eradbg_vm::bootloader::Hook;
use rayon::prelude::*;

use crate::error::Error;
use crate::ledger::{FailureRow, OperatorRow, Rows, TransactionRow, TxStatus};
use crate::recording::Recording;

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

/// Transactions that are listed, at most.
const MOST_TRANSACTIONS: u32 = 1 << 20;

#[derive(Debug, Default)]
pub(super) struct Overview {
    transactions: Vec<TransactionRow>,
    hooks: Vec<HookRow>,
    failures: Vec<FailureRow>,
    undone: Vec<UndoneRange>,
    problems: Vec<Error>,
    /// Position of the last snapshot.
    snapshot: u64,
}

impl Recording {
    /// Reads what the lists below need; they are empty before.
    pub fn load_overview(&self) {
        // It is read on all cores, so nobody may wait for it with a lock.
        if self.0.overview.get().is_none() {
            let overview = self.read_overview();
            self.0.overview.get_or_init(|| overview);
        }
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

    /// What the lists above may lack, since rows are damaged.
    pub fn overview_problems(&self) -> &[Error] {
        self.0.overview.get().map_or(&[], |overview| &overview.problems)
    }

    fn read_overview(&self) -> Overview {
        let blocks = (0..self.row_blocks()).into_par_iter();
        let blocks: Vec<_> = blocks.map(|chunk| self.overview_rows(chunk)).collect();
        let mut overview = Overview::default();
        for block in blocks {
            match block {
                Ok(rows) => overview.add(rows),
                Err(error) => overview.problems.push(error),
            }
        }
        overview.end_at(self.steps());
        overview.tell_apart();
        overview
    }
}

impl Overview {
    fn add(&mut self, block: Rows) {
        self.failures
            .extend(block.failures.into_iter().map(|row| row.row));
        for row in block.operator {
            let step = row.step;
            match row.row {
                OperatorRow::Hook { id, parameters } => self.hooks.push(HookRow {
                    step,
                    hook: id,
                    parameters,
                }),
                OperatorRow::TransactionStarted { index, l2_block } => {
                    *self.transaction(index) = TransactionRow::unfinished(index, l2_block, step);
                }
                OperatorRow::TransactionDone { index } => {
                    let transaction = self.transaction(index);
                    transaction.steps = step.saturating_sub(transaction.first_step);
                }
                OperatorRow::Snapshot => self.snapshot = step,
                OperatorRow::RolledBack => self.undone.push(UndoneRange {
                    first_step: self.snapshot,
                    end_step: step,
                }),
                OperatorRow::Write { .. } | OperatorRow::SnapshotDropped => {}
            }
        }
        for row in block.transactions {
            let transaction = self.transaction(row.row.index);
            let (first_step, was_started) = (transaction.first_step, transaction.l2_block > 0);
            *transaction = row.row;
            if was_started {
                transaction.steps += transaction.first_step - first_step;
                transaction.first_step = first_step;
            }
        }
    }

    /// The transaction of a number. Those before it are there, even when the rows about them are damaged.
    fn transaction(&mut self, index: u32) -> &mut TransactionRow {
        // No batch has more; a number that damage made up must not fill memory.
        let index = index.min(MOST_TRANSACTIONS);
        for missing in self.transactions.len() as u32..=index {
            let row = TransactionRow::unfinished(missing, 0, 0);
            self.transactions.push(row);
        }
        &mut self.transactions[index as usize]
    }

    /// The transaction that the recording ends in has the steps up to there.
    fn end_at(&mut self, steps: u64) {
        for transaction in &mut self.transactions {
            if transaction.status == TxStatus::Unfinished && transaction.steps == 0 {
                transaction.steps = steps.saturating_sub(transaction.first_step);
            }
        }
    }

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
