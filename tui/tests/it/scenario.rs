//! Scenarios: what is expected of each transaction, and the exit code that says whether it came true.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::support::run_line;

/// A folder with one transfer in `scenario.ron`, and what is expected of it. The batch is left open.
fn folder(expect: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("there is room");
    write(folder.path(), expect);
    folder
}

fn write(folder: &Path, expect: &str) {
    let text = format!(
        "(
    run: (finish_batch: false),
    accounts: {{ \"alice\": Rich(0), \"bob\": Rich(1) }},
    blocks: [(steps: [
        Transfer(from: \"alice\", to: \"bob\", value: \"1 ether\", {expect}),
    ])],
)
"
    );
    fs::write(folder.join("scenario.ron"), text).expect("the folder is writable");
}

#[test]
fn record_says_that_expectations_came_true() {
    let folder = folder("expect: Success");
    let printed = run_line(folder.path(), "record scenario.ron -o r").ok();
    assert!(printed.starts_with("tx 0    ok "), "{printed}");
    assert!(
        printed
            .ends_with("tx 0: as expected\nAll 1 transactions with an expectation did what was expected.\n"),
        "{printed}"
    );
    let info = run_line(folder.path(), "info r").ok();
    assert!(info.contains("scenario"), "{info}");
}

#[test]
fn an_expectation_that_does_not_come_true_is_printed_and_exits_with_3() {
    let folder = folder("expect: Reverted(\"too low\")");
    for command in ["record scenario.ron -o r", "record scenario.ron --no-trace"] {
        let ended = run_line(folder.path(), command);
        assert_eq!(ended.code, Some(3), "{ended:#?}");
        assert!(
            ended
                .stdout
                .contains("tx 0: expected a revert with \"too low\", but it succeeded\n"),
            "{ended:#?}"
        );
    }
    assert!(folder.path().join("r").is_dir(), "it is recorded all the same");
}

#[test]
fn a_transaction_without_expectation_is_not_judged() {
    let folder = folder("nonce: 0");
    let printed = run_line(folder.path(), "record scenario.ron -o r").ok();
    assert!(!printed.contains("expect"), "{printed}");
}

#[test]
fn a_mistake_in_a_scenario_names_file_line_column_and_field() {
    let folder = folder("expect: Success");
    for (field, message) in [
        (
            "priority_fee: \"1 pound\"",
            "blocks[0].steps[0].Transfer.priority_fee: ",
        ),
        ("paymaster: \"carl\"", "there is no account or contract \"carl\""),
        ("vlaue: 1", "vlaue"),
    ] {
        write(folder.path(), field);
        let ended = run_line(folder.path(), "record scenario.ron -o r");
        assert_eq!(ended.code, Some(1), "{ended:#?}");
        assert!(
            ended.stderr.contains("scenario.ron:5:") && ended.stderr.contains(message),
            "{ended:#?}"
        );
    }
    assert!(!folder.path().join("r").exists());
}

#[test]
fn a_batch_that_its_bootloader_rejects_at_the_end_exits_with_1_and_keeps_its_transactions() {
    let folder = folder("expect: Success");
    let path = folder.path().join("scenario.ron");
    let text = fs::read_to_string(&path).expect("it was written");
    // The embedded L1Messenger checks everything, so it wants everything.
    fs::write(
        &path,
        text.replace("finish_batch: false", "pubdata_builder: \"hashed\""),
    )
    .expect("the folder is writable");
    for command in ["record scenario.ron -o r", "record scenario.ron --no-trace"] {
        let ended = run_line(folder.path(), command);
        assert_eq!(ended.code, Some(1), "{ended:#?}");
        assert!(
            ended
                .stderr
                .contains("the bootloader rejects the batch: Failed to publish pubdata"),
            "{ended:#?}"
        );
    }
    let info = run_line(folder.path(), "info r").ok();
    assert!(info.contains("tx 0    ok "), "{info}");
}
