//! Rows about transactions, compared with what the bootloader and the operator said while they ran, and with their reports.

use eradbg_vm::bootloader::Hook;

use crate::ledger::{OperatorRow, Rows, TransactionRow, TxStatus};
use crate::report::TransactionReport;

/// The transactions of a batch in their order.
#[derive(Debug, Default)]
pub(super) struct TransactionsAgain {
    /// Those whose rows are still to come: while a snapshot is held, several.
    said: Vec<Said>,
    /// Rows that were compared.
    rows: Vec<TransactionRow>,
}

/// What was said while a transaction ran.
#[derive(Debug, Default)]
struct Said {
    index: u32,
    l2_block: u32,
    /// Position of its start.
    start: u64,
    /// Position of its end, once it is done.
    end: Option<u64>,
    /// Position of the rollback that took its first attempt back.
    taken_back: Option<u64>,
    attempt: Attempt,
}

/// What the bootloader said of an attempt. Of one that halted, of a call and of a validation it does not say that it ended.
#[derive(Debug, Default)]
struct Attempt {
    succeeded: bool,
    has_ended: bool,
    refunded: u64,
}

impl TransactionsAgain {
    /// Follows a chunk. `Err`: what one of its rows says otherwise.
    pub(super) fn follow(&mut self, rows: &Rows) -> Result<(), String> {
        let mut done = rows.transactions.iter().peekable();
        for row in &rows.operator {
            while let Some(done) = done.next_if(|done| done.step < row.step) {
                self.compare(&done.row)?;
            }
            self.hear(row.step, &row.row);
        }
        done.try_for_each(|done| self.compare(&done.row))
    }

    /// Compares the rows with the reports. `Err`: the first transaction of which they say different things, or that of one
    /// there is no report although the recording is complete.
    pub(super) fn compare_with(
        &self,
        reports: &[TransactionReport],
        is_complete: bool,
    ) -> Result<(), String> {
        let mut pairs = self.rows.iter().zip(reports);
        let (reported, done) = (reports.len(), self.rows.len());
        if is_complete && reported != done {
            return Err(format!("there are {reported} of {done} transactions"));
        }
        match pairs.find(|(row, report)| **row != TransactionRow::done(report)) {
            Some((row, _)) => Err(format!(
                "the report of transaction {} differs from its row",
                row.index
            )),
            None => Ok(()),
        }
    }

    fn hear(&mut self, step: u64, row: &OperatorRow) {
        if let OperatorRow::TransactionStarted { index, l2_block } = *row {
            self.said.push(Said {
                index,
                l2_block,
                start: step,
                ..Said::default()
            });
        }
        // What comes after the end of a transaction is about none, or about all that a snapshot holds.
        let Some(said) = self.said.last_mut().filter(|said| said.end.is_none()) else {
            return;
        };
        match *row {
            OperatorRow::TransactionDone { .. } => said.end = Some(step),
            OperatorRow::RolledBack => {
                said.taken_back = Some(step);
                said.attempt = Attempt::default();
            }
            OperatorRow::Hook { id, parameters } => match Hook::new(id) {
                Some(Hook::PostResult) => said.attempt.succeeded = !parameters[0].is_zero(),
                Some(Hook::NotifyAboutRefund) => said.attempt.refunded = parameters[0].low_u64(),
                Some(Hook::TxHasEnded) => said.attempt.has_ended = true,
                _ => {}
            },
            _ => {}
        }
    }

    fn compare(&mut self, row: &TransactionRow) -> Result<(), String> {
        let at = self.said.iter().position(|said| said.index == row.index);
        let said = at.map(|at| self.said.remove(at)).unwrap_or_default();
        let status = if said.attempt.succeeded {
            TxStatus::Success
        } else {
            TxStatus::Reverted
        };
        let what = if row.l2_block != said.l2_block {
            "L2 block"
        } else if row.first_step != said.start || Some(row.first_step + row.steps) != said.end {
            "first and last step"
        } else if said.attempt.has_ended && row.status != status {
            "status"
        } else if said.attempt.has_ended && row.gas_refunded != said.attempt.refunded {
            "refund"
        } else if row.rerun_at.is_some_and(|at| Some(at) != said.taken_back) {
            "second attempt"
        } else {
            self.rows.push(row.clone());
            return Ok(());
        };
        Err(format!(
            "its row about transaction {} says something else about the {what} than was said while it ran",
            row.index
        ))
    }
}
