//! Reports of transactions and of the batch.

use crate::error::Result;
use crate::recording::Recording;
use crate::recording::extent::read_end;
use crate::report::{BatchReport, TransactionReport};
use crate::store::envelope::Kind;
use crate::store::key;
use crate::store::tree::Tree;

impl Recording {
    /// Reports of the transactions that were recorded whole, in order.
    ///
    /// # Errors
    /// When one is damaged.
    pub fn reports(&self) -> Result<Vec<TransactionReport>> {
        let mut reports = Vec::new();
        for key in self.0.database.keys(Tree::Report)? {
            if key != key::BATCH_REPORT {
                let place = || format!("reports {}", hex::encode(&key));
                let json = self.read(Tree::Report, Kind::Report, &key, place)?;
                let group = serde_json::from_slice::<Vec<TransactionReport>>(&json);
                reports.extend(group.map_err(|error| self.damaged(place(), error.to_string()))?);
            }
        }
        reports.retain(|report| report.run.first_step + report.run.cycles_used <= self.steps());
        Ok(reports)
    }

    /// Report of the batch, when it was closed.
    ///
    /// # Errors
    /// When it is damaged, or what says whether it was closed.
    pub fn batch_report(&self) -> Result<Option<BatchReport>> {
        read_end(&self.0.database)?;
        if !self.is_complete() || !self.0.database.contains(Tree::Report, &key::BATCH_REPORT)? {
            return Ok(None);
        }
        let place = || "report of the batch".to_owned();
        let bytes = self.read(Tree::Report, Kind::Report, &key::BATCH_REPORT, place)?;
        let report = BatchReport::from_bytes(&bytes);
        report
            .map(Some)
            .map_err(|error| self.damaged(place(), error.to_string()))
    }
}
