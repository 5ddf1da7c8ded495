//! The batch's report as recordings keep it: JSON, and behind it the lists that have a number for each storage access of
//! the batch. As text those would be most of it.

use crate::report::BatchReport;
use crate::store::codec::{Decoder, Encoder, Malformed};

impl BatchReport {
    /// Its bytes.
    pub(crate) fn into_bytes(mut self) -> Vec<u8> {
        let state = &mut self.final_execution_state;
        let refunds = std::mem::take(&mut state.storage_refunds);
        let costs = std::mem::take(&mut state.pubdata_costs);
        let mut e = Encoder::default();
        e.blob(&serde_json::to_vec(&self).expect("a report is plain data"));
        e.number(refunds.len() as u64);
        for refund in refunds {
            e.number(refund);
        }
        e.number(costs.len() as u64);
        for cost in costs {
            e.signed(i64::from(cost));
        }
        e.into_bytes()
    }

    /// Reads what [`Self::into_bytes`] wrote.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut d = Decoder::new(bytes);
        let mut report: Self = serde_json::from_slice(d.blob()?).map_err(|_| Malformed)?;
        let state = &mut report.final_execution_state;
        state.storage_refunds = (0..d.count()?).map(|_| d.number()).collect::<Result<_, _>>()?;
        state.pubdata_costs = (0..d.count()?).map(|_| d.signed()).collect::<Result<_, _>>()?;
        if d.is_empty() { Ok(report) } else { Err(Malformed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::ExecutionState;

    #[test]
    fn a_stored_report_has_everything_and_is_refused_when_bytes_are_missing() {
        let report = BatchReport {
            pubdata_input: vec![1, 2, 3],
            final_execution_state: ExecutionState {
                storage_refunds: vec![0, 1_900, u32::MAX],
                pubdata_costs: vec![i32::MIN, -65, 0, 65, i32::MAX],
                ..ExecutionState::default()
            },
            ..BatchReport::default()
        };
        let bytes = report.clone().into_bytes();
        assert_eq!(BatchReport::from_bytes(&bytes), Ok(report));
        for length in 0..bytes.len() {
            assert!(
                BatchReport::from_bytes(&bytes[..length]).is_err(),
                "{length} bytes"
            );
        }
    }
}
