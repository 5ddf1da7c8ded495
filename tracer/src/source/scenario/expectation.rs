//! What a scenario expects of its transactions, and whether it came true.

use super::format::{Checks, Expect};
use crate::report::TransactionReport;

/// What is expected of one transaction; nothing by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expectation {
    pub(super) outcome: Option<Expect>,
    pub(super) checks: Checks,
}

impl Expectation {
    /// Whether anything is expected.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Compares with what happened; the sentence says what differs first. A transaction without a report did not run to
    /// its end.
    pub fn difference(&self, report: Option<&TransactionReport>) -> Option<String> {
        let Some(report) = report else {
            let outcome = self.outcome.as_ref();
            let expected = outcome.map_or_else(|| "a result".to_owned(), ToString::to_string);
            return (!self.is_empty()).then(|| format!("expected {expected}, but it has no result"));
        };
        let outcome = self
            .outcome
            .as_ref()
            .filter(|outcome| !outcome.is_met(report))
            .map(|outcome| format!("expected {outcome}, but it {}", what_happened(report)));
        outcome.or_else(|| self.checks.difference(report))
    }
}

impl Expect {
    fn is_met(&self, report: &TransactionReport) -> bool {
        let run = &report.run;
        match self {
            Self::Success => run.status() == "success",
            Self::Reverted(reason) => run.status() == "revert" && run.failure().contains(reason),
            Self::Rejected(reason) => run.status() == "halt" && run.failure().contains(reason),
        }
    }
}

impl Checks {
    fn difference(&self, report: &TransactionReport) -> Option<String> {
        let run = &report.run;
        if let Some(expected) = &self.output {
            let expected = format!("0x{}", hex::encode(&expected.0));
            let found = run.result["output"].as_str().unwrap_or("none");
            if found != expected {
                return Some(format!("expected output {expected}, but it is {found}"));
            }
        }
        let numbers = [
            (
                "events",
                self.events.map(|number| number as u64),
                run.events.len() as u64,
            ),
            (
                "L2->L1 logs of users",
                self.l2_to_l1_logs.map(|number| number as u64),
                run.user_l2_to_l1_logs.len() as u64,
            ),
            (
                "bytes of pubdata",
                self.pubdata.map(u64::from),
                run.pubdata_published.into(),
            ),
            ("gas refunded", self.gas_refunded, run.gas_refunded),
        ];
        numbers.into_iter().find_map(|(what, expected, found)| {
            let expected = expected.filter(|expected| *expected != found)?;
            Some(format!("expected {expected} {what}, but there are {found}"))
        })
    }
}

fn what_happened(report: &TransactionReport) -> String {
    let verb = match report.run.status() {
        "success" => return "succeeded".to_owned(),
        "revert" => "reverted",
        _ => "was rejected",
    };
    match report.run.failure() {
        "" => verb.to_owned(),
        reason => format!("{verb}: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::report::RunReport;
    use crate::source::scenario::value::Bytes;

    fn report(result: serde_json::Value) -> TransactionReport {
        TransactionReport {
            run: RunReport {
                result,
                gas_refunded: 7,
                ..RunReport::default()
            },
            ..TransactionReport::default()
        }
    }

    fn success() -> TransactionReport {
        report(json!({"status": "success", "output": "0x01"}))
    }

    fn reverted() -> TransactionReport {
        report(json!({"status": "revert", "display": "balance too low"}))
    }

    fn halted() -> TransactionReport {
        report(json!({"status": "halt", "reason": {"halt": "ValidationFailed", "display": "bad nonce"}}))
    }

    fn outcome(outcome: Expect) -> Expectation {
        Expectation {
            outcome: Some(outcome),
            ..Expectation::default()
        }
    }

    #[test]
    fn an_outcome_is_met_by_its_kind_and_part_of_its_reason() {
        let low = outcome(Expect::Reverted("too low".to_owned()));
        let nonce = outcome(Expect::Rejected("nonce".to_owned()));
        assert_eq!(outcome(Expect::Success).difference(Some(&success())), None);
        assert_eq!(low.difference(Some(&reverted())), None);
        assert_eq!(nonce.difference(Some(&halted())), None);
        let differs =
            |expected: &Expectation, report: &TransactionReport| expected.difference(Some(report)).unwrap();
        assert_eq!(
            differs(&low, &success()),
            "expected a revert with \"too low\", but it succeeded"
        );
        assert_eq!(
            differs(&nonce, &reverted()),
            "expected a rejection with \"nonce\", but it reverted: balance too low"
        );
        assert_eq!(
            differs(&outcome(Expect::Reverted("overflow".to_owned())), &reverted()),
            "expected a revert with \"overflow\", but it reverted: balance too low"
        );
        assert_eq!(
            differs(&outcome(Expect::Success), &halted()),
            "expected success, but it was rejected: bad nonce"
        );
    }

    #[test]
    fn checks_compare_numbers_and_output() {
        let differs = |checks: Checks| {
            let expectation = Expectation {
                outcome: None,
                checks,
            };
            expectation.difference(Some(&success()))
        };
        let good = Checks {
            output: Some(Bytes(vec![1])),
            events: Some(0),
            gas_refunded: Some(7),
            ..Checks::default()
        };
        assert_eq!(differs(good), None);
        let events = Checks {
            events: Some(2),
            ..Checks::default()
        };
        assert_eq!(differs(events).unwrap(), "expected 2 events, but there are 0");
        let output = Checks {
            output: Some(Bytes(vec![2])),
            ..Checks::default()
        };
        assert_eq!(differs(output).unwrap(), "expected output 0x02, but it is 0x01");
    }

    #[test]
    fn nothing_expected_is_always_met_and_a_missing_result_never_meets_anything() {
        assert_eq!(Expectation::default().difference(Some(&halted())), None);
        assert_eq!(Expectation::default().difference(None), None);
        assert_eq!(
            outcome(Expect::Success).difference(None).unwrap(),
            "expected success, but it has no result"
        );
    }
}
