//! What a recording holds at a glance: transactions, hooks, failures, stretches that were undone.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use eradbg_vm::U256;
use eradbg_vm::bootloader::Hook;
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::ledger::{FailureRow, OperatorRow, Rows, Timed, TransactionRow, TxStatus};
use crate::recording::fates::Fates;
use crate::recording::places::Places;
use crate::recording::used::StateUsed;
use crate::recording::{Recording, lock};

/// A hook of the bootloader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HookRow {
    /// Position right after the write that called it.
    pub step: u64,
    /// Its number.
    pub hook: u32,
}

/// Steps whose effects an operator rollback took back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UndoneRange {
    /// The first of them.
    pub first_step: u64,
    /// Position of the rollback.
    pub end_step: u64,
}

/// Operator rows of a chunk.
pub(super) type OperatorRows = (u32, Arc<Vec<Timed<OperatorRow>>>);

/// Blocks of rows that are read on all cores before they are taken in: memory that a core has used once stays with it.
const BLOCKS_AT_ONCE: u32 = 16;
/// Transactions that are listed, at most.
const MOST_TRANSACTIONS: u32 = 1 << 20;

#[derive(Debug, Default)]
pub(super) struct Overview {
    transactions: Vec<TransactionRow>,
    hooks: Vec<HookRow>,
    failures: Vec<FailureRow>,
    undone: Vec<UndoneRange>,
    /// Position at which the bootloader tells about the end of the batch.
    batch_end: Option<u64>,
    problems: Vec<Error>,
    /// Position of the last snapshot.
    snapshot: u64,
    fates: OnceLock<Fates>,
    pub(super) places: OnceLock<Places>,
    /// What its transactions come to, once somebody has asked.
    pub(super) used: OnceLock<Arc<[StateUsed]>>,
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

    /// The transaction of a number. The overview is loaded.
    ///
    /// # Errors
    /// When there is no such transaction.
    pub fn transaction(&self, number: u32) -> Result<&TransactionRow> {
        let rows = self.transactions();
        rows.get(number as usize).ok_or_else(|| Error::NoTransaction {
            path: self.path().to_owned(),
            index: number,
            count: rows.len(),
        })
    }

    /// Index of the transaction that a position lies in.
    pub fn transaction_at(&self, position: u64) -> Option<usize> {
        let transactions = self.transactions();
        let begun = transactions.partition_point(|row| row.first_step <= position);
        // Those after a failure that ended a run of all of them have no steps.
        let has_steps = |index: &usize| transactions[*index].steps > 0;
        let index = (0..begun).rev().find(has_steps).or(begun.checked_sub(1))?;
        let row = &transactions[index];
        let end = row.first_step + row.steps.max(1);
        // One that the recording ends in has not ended there.
        let goes_on = row.status == TxStatus::Unfinished && position == end;
        (position < end || goes_on).then_some(index)
    }

    /// Number of the transaction that a position lies in.
    pub fn transaction_number_at(&self, position: u64) -> Option<u32> {
        let at = self.transaction_at(position)?;
        Some(self.transactions()[at].index)
    }

    /// Hooks in order of time.
    pub fn hooks(&self) -> &[HookRow] {
        self.0.overview.get().map_or(&[], |overview| &overview.hooks)
    }

    /// The last hook of a kind that some steps called.
    pub fn last_hook(&self, steps: Range<u64>, wanted: Hook) -> Option<HookRow> {
        let hooks = self.hooks();
        let end = hooks.partition_point(|hook| hook.step <= steps.end);
        let of_steps = hooks[..end]
            .iter()
            .rev()
            .take_while(|hook| hook.step > steps.start);
        of_steps
            .copied()
            .find(|hook| Hook::new(hook.hook) == Some(wanted))
    }

    /// Parameters of a hook. They are read again, since a batch may have a million hooks of which few are looked at.
    ///
    /// # Errors
    /// When the rows of its chunk are damaged.
    pub fn hook_parameters(&self, hook: HookRow) -> Result<[U256; 3]> {
        let chunk = self.chunk_of(hook.step);
        // At the edge of a chunk it may stand in the block before, after the last chunk in the block that follows.
        let blocks = [Some(chunk), chunk.checked_sub(1), Some(chunk + 1)];
        for block in blocks
            .into_iter()
            .flatten()
            .filter(|&block| block < self.row_blocks())
        {
            for row in self
                .operator_rows(block)?
                .iter()
                .filter(|row| row.step == hook.step)
            {
                if let OperatorRow::Hook { id, parameters } = row.row
                    && id == hook.hook
                {
                    return Ok(parameters);
                }
            }
        }
        Err(self.damaged(
            self.place("rows", chunk),
            format!("they lack the hook at {}", hook.step),
        ))
    }

    /// Operator rows of a chunk; those that were asked for last are kept.
    fn operator_rows(&self, chunk: u32) -> Result<Arc<Vec<Timed<OperatorRow>>>> {
        if let Some((kept, rows)) = &*lock(&self.0.read.operator_rows)
            && *kept == chunk
        {
            return Ok(Arc::clone(rows));
        }
        let rows = Arc::new(self.rows::<OperatorRow>(chunk)?);
        *lock(&self.0.read.operator_rows) = Some((chunk, Arc::clone(&rows)));
        Ok(rows)
    }

    /// Position at which the bootloader tells about the end of the batch.
    pub fn batch_end(&self) -> Option<u64> {
        self.0.overview.get().and_then(|overview| overview.batch_end)
    }

    /// Frames that reverted or panicked, in order of time.
    pub fn failures(&self) -> &[FailureRow] {
        self.0.overview.get().map_or(&[], |overview| &overview.failures)
    }

    /// Stretches that operator rollbacks took back, in order of time.
    pub fn undone(&self) -> &[UndoneRange] {
        self.0.overview.get().map_or(&[], |overview| &overview.undone)
    }

    /// The operator rollback that takes a step back.
    pub fn rollback_of(&self, step: u64) -> Option<&UndoneRange> {
        let undone = self.undone();
        let at = undone.partition_point(|range| range.end_step <= step);
        undone.get(at).filter(|range| range.first_step <= step)
    }

    pub(super) fn fates(&self) -> &Fates {
        static NONE: Fates = Fates::none();
        let overview = self.0.overview.get();
        overview.map_or(&NONE, |overview| overview.fates.get_or_init(|| Fates::of(self)))
    }

    /// Whether the machine ended with a failure, which is that of the outermost frame then: nobody undoes it but the
    /// operator.
    pub fn ends_with(&self, failure: &FailureRow) -> bool {
        let is_far_and_first = failure.entered_at == 0 && !failure.is_near;
        let end = failure.step + 1;
        let is_end = end == self.steps() || self.undone().iter().any(|range| range.end_step == end);
        is_far_and_first && is_end
    }

    /// What the lists above may lack, since rows are damaged.
    pub fn overview_problems(&self) -> &[Error] {
        self.0.overview.get().map_or(&[], |overview| &overview.problems)
    }

    fn read_overview(&self) -> Overview {
        let mut overview = Overview::default();
        let mut telling = Vec::new();
        for first in (0..self.row_blocks()).step_by(BLOCKS_AT_ONCE as usize) {
            let end = self.row_blocks().min(first + BLOCKS_AT_ONCE);
            let blocks = (first..end).into_par_iter();
            let blocks: Vec<_> = blocks
                .map(|chunk| self.overview_rows(chunk).map(Block::of))
                .collect();
            for (chunk, block) in (first..end).zip(blocks) {
                match block {
                    Ok(block) => {
                        telling.extend_from_slice(&block.telling);
                        overview.add(block);
                    }
                    Err(error) => {
                        // A snapshot may have been taken there.
                        overview.snapshot = overview.snapshot.max(self.first_step(chunk));
                        overview.problems.push(error);
                    }
                }
            }
        }
        if overview.problems.is_empty() {
            overview.end_at(self.steps());
            overview.tell_apart(&telling);
        } else {
            overview.mend(self);
        }
        overview.hooks.shrink_to_fit();
        overview.failures.shrink_to_fit();
        overview
    }
}

/// What an overview takes of a chunk.
#[derive(Debug, Default)]
struct Block {
    failures: Vec<FailureRow>,
    hooks: Vec<HookRow>,
    /// Hooks that tell how a transaction went, with their first parameters.
    telling: Vec<(u64, Hook, U256)>,
    /// The other rows of the operator.
    operator: Vec<Timed<OperatorRow>>,
    transactions: Vec<TransactionRow>,
}

impl Block {
    fn of(rows: Rows) -> Self {
        let mut block = Self {
            failures: rows.failures.into_iter().map(|row| row.row).collect(),
            transactions: rows.transactions.into_iter().map(|row| row.row).collect(),
            ..Self::default()
        };
        for row in rows.operator {
            let OperatorRow::Hook { id, parameters } = row.row else {
                // There are many writes, of which it shows none.
                if !matches!(row.row, OperatorRow::Write { .. }) {
                    block.operator.push(row);
                }
                continue;
            };
            block.hooks.push(HookRow {
                step: row.step,
                hook: id,
            });
            if let Some(hook @ (Hook::PostResult | Hook::NotifyAboutRefund | Hook::TxHasEnded)) =
                Hook::new(id)
            {
                block.telling.push((row.step, hook, parameters[0]));
            }
        }
        block
    }
}

impl Overview {
    fn add(&mut self, block: Block) {
        self.failures.extend(block.failures);
        let mut ends = block
            .hooks
            .iter()
            .filter(|row| row.hook == Hook::FinalBatchInfo as u32);
        self.batch_end = self.batch_end.or_else(|| ends.next().map(|row| row.step));
        self.hooks.extend(block.hooks);
        for row in block.operator {
            let step = row.step;
            match row.row {
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
                OperatorRow::Hook { .. } | OperatorRow::Write { .. } | OperatorRow::SnapshotDropped => {}
            }
        }
        for row in block.transactions {
            let transaction = self.transaction(row.index);
            let (first_step, was_started) = (transaction.first_step, transaction.l2_block > 0);
            *transaction = row;
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

    /// What damaged rows do not tell of transactions, their reports do.
    fn mend(&mut self, recording: &Recording) {
        match recording.reports() {
            Ok(reports) => {
                for report in &reports {
                    *self.transaction(report.index as u32) = TransactionRow::done(report);
                }
            }
            Err(error) => self.problems.push(error),
        }
        // What nobody tells of has no place, but that the recording goes on in the last one that began.
        let mut end = 0;
        for row in &mut self.transactions {
            if row.status == TxStatus::Unfinished && row.l2_block == 0 {
                row.first_step = end;
            }
            end = row.first_step.saturating_add(row.steps);
        }
        for range in &mut self.undone {
            let is_undone = |row: &&TransactionRow| {
                let in_range = (range.first_step..range.end_step).contains(&row.first_step);
                in_range && (row.rolled_back || row.rerun_at == Some(range.end_step))
            };
            // Where the snapshot is lost, what was rolled back says from where on.
            let first = self.transactions.iter().find(is_undone).map(|row| row.first_step);
            range.first_step = first.unwrap_or(range.first_step);
        }
        let last = self.transactions.last_mut();
        if let Some(last) = last.filter(|row| row.status == TxStatus::Unfinished && row.l2_block > 0) {
            last.steps = recording.steps().saturating_sub(last.first_step);
        }
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
    fn tell_apart(&mut self, telling: &[(u64, Hook, U256)]) {
        let mut hooks = telling.iter();
        let mut ended_at = 0;
        let unfinished = |transaction: &&mut TransactionRow| transaction.status == TxStatus::Unfinished;
        for transaction in self.transactions.iter_mut().filter(unfinished) {
            if ended_at > transaction.first_step {
                transaction.steps -= ended_at - transaction.first_step;
                transaction.first_step = ended_at;
            }
            let mut status = TxStatus::Reverted;
            let mut has_ended = false;
            for (step, hook, parameter) in hooks
                .by_ref()
                .skip_while(|(step, ..)| *step <= transaction.first_step)
            {
                match hook {
                    Hook::PostResult if !parameter.is_zero() => status = TxStatus::Success,
                    Hook::NotifyAboutRefund => transaction.gas_refunded = parameter.low_u64(),
                    Hook::TxHasEnded => {
                        transaction.status = status;
                        transaction.steps = step - transaction.first_step;
                        ended_at = *step;
                        has_ended = true;
                        break;
                    }
                    _ => {}
                }
            }
            // The bootloader broke off in it, so that it did not come to the others.
            if !has_ended {
                ended_at = transaction.first_step + transaction.steps;
            }
        }
    }
}
