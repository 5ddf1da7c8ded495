//! What a batch is charged for pubdata, by the rules: 32 bytes for the key of a first write, 4 for that of a later one,
//! and the value as the compressor writes it.
//!
//! These run on the embedded contracts. A transaction before those that are compared makes the writes of the batch itself.

#![allow(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

use eradbg_tracer::drive::{DriveEnd, Session, Sink};
use eradbg_tracer::report::TransactionReport;
use eradbg_tracer::source;
use eradbg_vm::Observer;

/// Keeps the bytes of pubdata of each transaction.
#[derive(Debug, Default)]
struct Pubdata(Vec<i64>);

impl Observer for Pubdata {}

impl Sink for Pubdata {
    type Observer = Self;

    fn observer(&mut self) -> &mut Self {
        self
    }

    fn transaction_done(&mut self, report: TransactionReport) {
        assert_eq!(report.run.status(), "success");
        self.0.push(report.run.pubdata_published.into());
    }
}

/// Large enough for the bytes as they are.
const LARGE: &str = "\"0x8000000000000000000000000000000000000000000000000000000000000001\"";

/// What calls of `slots` cost above one that writes nothing.
fn prices(calls: &[&str]) -> Vec<i64> {
    let call = |call: &&str| format!("Call(from: \"alice\", to: \"slots\", {call}),");
    let idle = "function: \"get(uint256)\", args: [1]";
    let steps: String = [&idle, &idle].into_iter().chain(calls).map(call).collect();
    let text = format!(
        "(
            accounts: {{ \"alice\": Rich(0) }},
            contracts: {{ \"slots\": (code: Sample(\"toggler\"), storage: {{ \"100\": 7, \"101\": {LARGE} }}) }},
            blocks: [(steps: [{steps}])],
        )"
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prices.ron");
    std::fs::write(&path, text).unwrap();
    let loaded = source::load(&path, None).unwrap();
    let mut session = Session::new(loaded.input, loaded.script, Pubdata::default());
    assert_eq!(session.drive(&loaded.run), Ok(DriveEnd::Finished));
    let pubdata = session.into_parts().0.0;
    pubdata[2..].iter().map(|bytes| bytes - pubdata[1]).collect()
}

fn set(slot: u64, value: &str) -> String {
    format!("function: \"set(uint256,uint256)\", args: [{slot}, {value}]")
}

#[test]
fn a_first_write_costs_its_key_and_its_value() {
    let small = set(1, "1");
    let medium = set(2, "4660");
    let large = set(3, LARGE);
    assert_eq!(prices(&[&small, &medium, &large]), [32 + 2, 32 + 3, 32 + 33]);
}

#[test]
fn a_write_to_a_slot_of_the_tree_costs_its_index_and_the_difference() {
    let to_zero = set(100, "0");
    let by_one = set(
        101,
        "\"0x8000000000000000000000000000000000000000000000000000000000000002\"",
    );
    assert_eq!(prices(&[&to_zero, &by_one]), [4 + 1, 4 + 2]);
}

#[test]
fn a_slot_that_was_first_written_in_this_batch_is_still_new_in_it() {
    let first = set(1, "1");
    let again = set(1, LARGE);
    let other = set(1, "2");
    // The difference to what was paid: 65 - 34 bytes; then there is nothing to be paid, and nothing is given back below 0.
    assert_eq!(prices(&[&first, &again])[..2], [34, 65 - 34]);
    assert_eq!(prices(&[&first, &other])[..2], [34, 0]);
}

#[test]
fn a_write_that_is_taken_back_costs_nothing() {
    let there_and_back = "function: \"thereAndBack(uint256)\", args: [5]";
    assert_eq!(prices(&[there_and_back]), [0]);
}
