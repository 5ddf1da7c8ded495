//! Rows about transactions that are done: what a list of them shows, without their reports.

use std::ops::Range;

use eradbg_vm::H256;

use crate::ledger::{LedgerKind, Row};
use crate::report::TransactionReport;
use crate::store::codec::{Decoder, Encoder, Malformed};

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

impl TransactionRow {
    /// Whether its ergs and pubdata were measured: it is done, and the batch did not run in one go.
    pub fn is_measured(&self) -> bool {
        !self.hash.is_zero()
    }

    /// The steps of the attempt that counts.
    pub fn attempt(&self) -> Range<u64> {
        let end = self.first_step.saturating_add(self.steps);
        self.rerun_at.unwrap_or(self.first_step).min(end)..end
    }
}

/// How a transaction went. The number is part of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum TxStatus {
    /// It succeeded.
    Success = 0,
    /// It failed and is part of the batch.
    Reverted = 1,
    /// It cannot be part of the batch.
    Halted = 2,
    /// The recording ends within it.
    Unfinished = 3,
}

impl TransactionRow {
    /// A transaction that has started.
    pub fn unfinished(index: u32, l2_block: u32, first_step: u64) -> Self {
        Self {
            index,
            hash: H256::zero(),
            l2_block,
            first_step,
            steps: 0,
            rerun_at: None,
            status: TxStatus::Unfinished,
            reason: String::new(),
            gas_used: 0,
            gas_refunded: 0,
            pubdata: 0,
            rolled_back: false,
        }
    }

    /// What a report says of it. Where there was a first attempt, its steps count too.
    pub fn done(report: &TransactionReport) -> Self {
        let run = &report.run;
        let first = report.first_attempt.as_ref().unwrap_or(run);
        Self {
            index: report.index as u32,
            hash: report.tx_hash,
            l2_block: report.l2_block,
            first_step: first.first_step,
            steps: run.first_step + run.cycles_used - first.first_step,
            rerun_at: report.first_attempt.as_ref().map(|_| run.first_step),
            status: match run.status() {
                "success" => TxStatus::Success,
                "revert" => TxStatus::Reverted,
                _ => TxStatus::Halted,
            },
            reason: run.failure().to_owned(),
            gas_used: run.gas_used,
            gas_refunded: run.gas_refunded,
            pubdata: run.pubdata_published,
            rolled_back: report.rolled_back,
        }
    }
}

impl Row for TransactionRow {
    const KIND: LedgerKind = LedgerKind::Transaction;

    fn encode(&self, e: &mut Encoder) {
        e.number(self.index);
        e.blob(self.hash.as_bytes());
        e.number(self.l2_block);
        e.number(self.first_step);
        e.number(self.steps);
        e.option(self.rerun_at, Encoder::number);
        e.u8(self.status as u8);
        e.blob(self.reason.as_bytes());
        e.number(self.gas_used);
        e.number(self.gas_refunded);
        e.number(self.pubdata);
        e.bits([self.rolled_back]);
    }

    fn decode(d: &mut Decoder<'_>) -> Result<Self, Malformed> {
        let index = d.number()?;
        let hash: [u8; 32] = d.blob()?.try_into().map_err(|_| Malformed)?;
        Ok(Self {
            index,
            hash: H256(hash),
            l2_block: d.number()?,
            first_step: d.number()?,
            steps: d.number()?,
            rerun_at: d.option(Decoder::number)?,
            status: status(d.u8()?)?,
            reason: String::from_utf8(d.blob()?.to_vec()).map_err(|_| Malformed)?,
            gas_used: d.number()?,
            gas_refunded: d.number()?,
            pubdata: d.number()?,
            rolled_back: d.bits().map(|[rolled_back]| rolled_back)?,
        })
    }
}

fn status(number: u8) -> Result<TxStatus, Malformed> {
    use TxStatus::{Halted, Reverted, Success, Unfinished};
    [Success, Reverted, Halted, Unfinished]
        .get(number as usize)
        .copied()
        .ok_or(Malformed)
}
