//! Recordings of each released format open, and a change of the machine's semantics cannot go unnoticed: small recordings
//! are kept in `tests/kept`.
//!
//! After a new revision of the machine: record the scenarios again that the files are named after, pack them, and put
//! them beside the old ones, which from then on only open.

#![allow(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use eradbg_tracer::store::FORMAT;
use eradbg_tracer::verify::verify;
use eradbg_tracer::{Error, Recording, Timeline};
use eradbg_vm::MACHINE_REVISION;

#[test]
fn a_recording_of_each_released_format_opens() {
    let mut formats = Vec::new();
    for path in kept() {
        let recording = Recording::open(&path).unwrap();
        recording.load_overview();
        let transactions = recording.transactions();
        assert!(
            recording.is_complete() && !transactions.is_empty(),
            "{}",
            path.display()
        );
        assert!(!recording.hooks().is_empty());
        assert_eq!(recording.reports().unwrap().len(), transactions.len());
        let batch = recording.batch_report().unwrap().unwrap();
        assert!(!batch.final_execution_state.pubdata_costs.is_empty());
        formats.push(recording.manifest().format);
        // Only the machine that made it can go through its steps.
        match Timeline::new(recording.clone()) {
            Ok(mut timeline) => timeline.seek(recording.steps()).unwrap(),
            Err(Error::OtherMachine { found, .. }) => assert_ne!(found, MACHINE_REVISION),
            Err(error) => panic!("{error}"),
        }
    }
    formats.sort_unstable();
    formats.dedup();
    let all: Vec<u32> = (1..=FORMAT).collect();
    assert_eq!(formats, all);
}

#[test]
fn a_machine_that_does_something_else_has_another_revision() {
    let mut steps = 0;
    for path in kept() {
        let recording = Recording::open(&path).unwrap();
        if recording.manifest().machine != MACHINE_REVISION {
            continue;
        }
        let findings = verify(&recording, |_| ControlFlow::Continue(()));
        assert!(
            findings.broken.is_empty(),
            "the machine does something else than when {} was recorded with the same revision, {MACHINE_REVISION}: \
             raise it, or undo the change. {:#?}",
            path.display(),
            findings.broken
        );
        steps += findings.steps;
    }
    assert!(
        steps > 20_000,
        "no recordings of revision {MACHINE_REVISION} are kept"
    );
}

fn kept() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kept");
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}
