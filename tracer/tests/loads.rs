//! Loads of code in the refund ledger.

#![allow(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

mod support;

use std::collections::{HashMap, HashSet};
use std::fs;

use eradbg_tracer::analysis::refunds::{RefundRow, refunds};
use eradbg_tracer::source::{self, Loaded, scenario};
use eradbg_vm::{PanicCause, U256};
use support::{Input, Recorded, record};

/// Loads of code in a scenario's batch.
fn loads(loaded: Loaded) -> (Recorded, Vec<RefundRow>) {
    let run = loaded.run;
    let recorded = record(&Input::of(loaded, run), 16_384);
    let mut loads = Vec::new();
    refunds::<eradbg_tracer::Error>(&recorded.recording, 0..u64::MAX, &mut |row| {
        if matches!(row.kind, "code" | "decommit") {
            loads.push(row);
        }
        Ok(())
    })
    .unwrap();
    (recorded, loads)
}

#[test]
fn code_is_paid_for_once_whether_it_is_loaded_to_run_or_as_data() {
    let (_recorded, loads) = loads(scenario::embedded("code_by_hash").unwrap());
    let mut paid = HashMap::new();
    let mut kinds = HashSet::new();
    for row in &loads {
        kinds.insert((row.kind, row.before));
        let first = *paid.entry(row.slot.clone()).or_insert(row.step);
        let expected = if first == row.step {
            ("cold", 0)
        } else {
            ("loaded", row.price)
        };
        assert_eq!((row.before, row.refund), expected, "{row:?}");
        let hash: U256 = row.slot.parse().unwrap();
        let words = (hash.0[3] >> 32) as u16;
        assert_eq!(row.price, 4 * u32::from(words), "{row:?}");
    }
    assert_eq!(kinds.len(), 4, "{kinds:?}");
}

#[test]
fn code_that_a_caller_cannot_pay_costs_nothing_and_is_no_longer_new() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("twice.ron");
    let call = r#"Priority(from: "alice", to: "panics", function: "tryAll()", mint: "1 ether", gas_limit: 20_000_000)"#;
    let text = format!(
        r#"(
            accounts: {{"alice": Rich(0)}},
            contracts: {{"panics": (code: Sample("panics"))}},
            blocks: [(steps: [{call}, {call}])],
        )"#
    );
    fs::write(&path, text).unwrap();
    let (recorded, loads) = loads(source::load(&path, None).unwrap());
    let unpaid: Vec<_> = loads
        .iter()
        .filter(|row| row.rule.starts_with("not affordable"))
        .collect();
    let told: Vec<_> = unpaid
        .iter()
        .map(|row| (row.tx, row.before, row.price, row.refund))
        .collect();
    assert_eq!(told, [(Some(0), "cold", 0, 0), (Some(1), "asked", 0, 0)]);
    for row in unpaid {
        let mut failures = recorded.recording.failures().iter();
        let failure = failures.find(|failure| failure.entered_at == row.step).unwrap();
        assert_eq!(failure.cause, Some(PanicCause::CallUnpaidDecommit));
    }
}
