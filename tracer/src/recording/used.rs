//! What changes of `VMState` come to in stretches of steps: bytes of pubdata, and loads of code.

use std::ops::Range;
use std::sync::Arc;

use eradbg_vm::state::Decommit;
use rayon::prelude::*;

use crate::error::Result;
use crate::ledger::{StateRow, TransactionRow};
use crate::recording::Recording;

/// What changes of `VMState` in a stretch come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StateUsed {
    /// Bytes of pubdata added, without what an operator's rollback at the end takes back; negative where more is given back
    /// than added.
    pub pubdata: i64,
    /// Loads of code that the batch had not loaded before.
    pub loads: u32,
}

impl Recording {
    /// What changes of `VMState` come to in each transaction, in the attempt that counts. It is read once. The overview is
    /// loaded.
    ///
    /// # Errors
    /// When rows are damaged.
    pub fn state_used_by_transactions(&self) -> Result<Arc<[StateUsed]>> {
        let Some(overview) = self.0.overview.get() else {
            return Ok(Arc::default());
        };
        if let Some(used) = overview.used.get() {
            return Ok(Arc::clone(used));
        }
        let attempts: Vec<_> = self.transactions().iter().map(TransactionRow::attempt).collect();
        let used = self.state_used(&attempts)?;
        Ok(Arc::clone(overview.used.get_or_init(|| used.into())))
    }

    /// What changes of `VMState` come to in each of some stretches, which are in order and do not overlap. The
    /// overview is loaded.
    ///
    /// # Errors
    /// When rows are damaged.
    pub fn state_used(&self, stretches: &[Range<u64>]) -> Result<Vec<StateUsed>> {
        let (Some(first), Some(last)) = (stretches.first(), stretches.last()) else {
            return Ok(Vec::new());
        };
        let blocks = self.blocks_of(&(first.start..last.end));
        let of_block = |block| {
            let mut found: Vec<(usize, StateUsed)> = Vec::new();
            for row in self.rows::<StateRow>(block)? {
                let at = stretches.partition_point(|steps| steps.end <= row.step);
                if stretches.get(at).is_none_or(|steps| row.step < steps.start) {
                    continue;
                }
                let used = self.used_by(row.step, &row.row);
                match found.last_mut() {
                    Some((last, sum)) if *last == at => sum.add(used),
                    _ => found.push((at, used)),
                }
            }
            Ok(found)
        };
        let found: Vec<_> = blocks.into_par_iter().map(of_block).collect::<Result<_>>()?;
        let mut sums = vec![StateUsed::default(); stretches.len()];
        for (at, used) in found.into_iter().flatten() {
            sums[at].add(used);
        }
        Ok(sums)
    }

    fn used_by(&self, step: u64, row: &StateRow) -> StateUsed {
        let is_taken_back = matches!(row, StateRow::Restored(_))
            && self
                .rollback_of(step)
                .is_some_and(|range| range.end_step == step + 1);
        let is_load = matches!(
            row,
            StateRow::Decommit(Decommit {
                before: None | Some(None),
                page: Some(_),
                ..
            })
        );
        StateUsed {
            pubdata: row.pubdata().filter(|_| !is_taken_back).unwrap_or(0).into(),
            loads: is_load.into(),
        }
    }
}

impl StateUsed {
    fn add(&mut self, other: Self) {
        self.pubdata += other.pubdata;
        self.loads += other.loads;
    }
}
