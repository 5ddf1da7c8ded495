//! Scenarios on the real bootloader and system contracts, which the reference vectors hold.

#[path = "support/real_base.rs"]
mod real_base;

use std::path::Path;

use eradbg_tracer::drive::{DriveEnd, Session, Sink};
use eradbg_tracer::report::{BatchReport, TransactionReport};
use eradbg_tracer::source::{self, Loaded};

/// Keeps reports.
#[derive(Debug, Default)]
struct Reports {
    transactions: Vec<TransactionReport>,
    batch: Option<BatchReport>,
}

impl eradbg_vm::Observer for Reports {}

impl Sink for Reports {
    fn transaction_done(&mut self, report: TransactionReport) {
        self.transactions.push(report);
    }

    fn batch_done(&mut self, report: BatchReport) {
        self.batch = Some(report);
    }
}

/// Writes and loads a scenario, with the real base beside it; `None` where there are no vectors.
fn load(folder: &Path, text: &str) -> Option<Loaded> {
    if !real_base::write(&folder.join("zkout")) {
        return None;
    }
    let path = folder.join("scenario.ron");
    std::fs::write(&path, text).unwrap();
    Some(source::load(&path).unwrap_or_else(|error| panic!("{error}")))
}

/// Runs a batch and checks that everything that is expected came true.
fn run(loaded: Loaded) -> Reports {
    let mut session = Session::new(loaded.input, loaded.script, Reports::default());
    let end = session.drive(&loaded.run);
    let (reports, _) = session.into_parts();
    let differences: Vec<String> = loaded
        .expectations
        .iter()
        .enumerate()
        .filter_map(|(index, expectation)| {
            let difference = expectation.difference(reports.transactions.get(index))?;
            Some(format!("tx {index}: {difference}"))
        })
        .collect();
    assert!(differences.is_empty(), "{}\n{end:?}", differences.join("\n"));
    assert_eq!(end, Ok(DriveEnd::Finished));
    assert_eq!(reports.transactions.len(), loaded.expectations.len());
    reports
}

#[test]
fn transfers_run_on_the_real_bootloader() {
    let folder = tempfile::tempdir().unwrap();
    let text = r#"(
        base: "zkout",
        accounts: { "alice": Rich(0), "bob": Rich(1) },
        blocks: [
            (steps: [
                Transfer(from: "alice", to: "bob", value: "1 ether", expect: Success),
                Transfer(from: "alice", to: "bob", value: "1 ether", type: Legacy, expect: Success),
            ]),
            (steps: [
                Transfer(from: "bob", to: "alice", value: "1 ether", type: Eip1559, expect: Success),
                Transfer(from: "bob", to: "alice", value: "1 ether", type: Eip2930, expect: Success),
                Transfer(from: "bob", to: "alice", value: "2_000_000 ether", expect: Rejected("")),
                Transfer(from: "bob", to: "alice", value: "1 ether", expect: Success),
            ]),
        ],
    )"#;
    let Some(loaded) = load(folder.path(), text) else {
        return;
    };
    let reports = run(loaded);
    assert!(reports.batch.is_some());
}
