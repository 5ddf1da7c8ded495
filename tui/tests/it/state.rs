//! `--state`: a chain of batches. A batch that was closed and did what was expected is committed, nothing else is.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use eradbg_tracer::chain::{ChainState, Contents};
use eradbg_tracer::store::key;
use eradbg_tracer::store::tree::Tree;
use eradbg_vm::{StorageKey, U256};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Ended, contents, copy, eradbg, run_line, with_tree, write_mini};

const NAMES: &str = "accounts: { \"alice\": Rich(0), \"bob\": Rich(1) },";
/// Topic of `ContractDeployed(address,bytes32,address)`.
const CONTRACT_DEPLOYED: &str = "0x290afdae231a3fc0bbae8b1af63698b0a1d79b21ad17df0342dfb952fe74f8e5";
/// Calls in the batch that is killed, and the ergs that each burns.
const LONG_CALLS: usize = 60;
const BURNT: u64 = 2_000_000;
const KILLS: u32 = 8;

/// A folder with `first.ron`, in which alice deploys a counter and calls it.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("there is room");
    let contract = "contracts: { \"counter\": (code: Sample(\"counter\"), deployed: false) },";
    let steps = "Deploy(from: \"alice\", contract: \"counter\", expect: Success),
        Call(from: \"alice\", to: \"counter\", function: \"increment()\", expect: Success),";
    write(folder.path(), "first.ron", contract, steps);
    folder
}

/// Writes a scenario with alice and bob.
fn write(folder: &Path, name: &str, fields: &str, steps: &str) {
    let text = format!("({NAMES} {fields} blocks: [(steps: [{steps}])])");
    fs::write(folder.join(name), text).expect("the folder is writable");
}

/// Writes a scenario with one transfer, of which this is expected.
fn write_transfer(folder: &Path, name: &str, fields: &str, expect: &str) {
    let transfer = format!("Transfer(from: \"alice\", to: \"bob\", value: 1, expect: {expect})");
    write(folder, name, fields, &transfer);
}

/// Writes `long.ron`, a batch that takes a while.
fn write_long(folder: &Path) {
    let call = format!(
        "Call(from: \"alice\", to: \"burner\", function: \"burn(uint256)\", args: [{BURNT}], gas_limit: {}, \
              expect: Success),",
        2 * BURNT
    );
    let contract = "contracts: { \"burner\": (code: Sample(\"burner\")) },";
    write(folder, "long.ron", contract, &call.repeat(LONG_CALLS));
}

fn state(folder: &Path, name: &str) -> Contents {
    let state = ChainState::open(&folder.join(name)).unwrap_or_else(|error| panic!("{error}"));
    state.contents().clone()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("it is JSON")
}

/// The address of the contract that a recording's first transaction deployed.
fn deployed(folder: &Path, recording: &str) -> String {
    let batch = json(&run_line(folder, &format!("export {recording} batch")).ok());
    let events = batch["txs"][0]["events"].as_array().expect("events are listed");
    let event = events
        .iter()
        .find(|event| event["topics"][0] == CONTRACT_DEPLOYED);
    let topic = event.expect("a contract was deployed")["topics"][3].as_str();
    format!("0x{}", &topic.expect("a topic is text")[26..])
}

/// The line about the state.
#[track_caller]
fn says(ended: &Ended, code: i32, line: &str) {
    assert_eq!(ended.code, Some(code), "{ended:#?}");
    let last = ended.stdout.lines().last();
    assert!(last.is_some_and(|last| last.starts_with(line)), "{ended:#?}");
}

#[test]
fn a_second_scenario_continues_on_the_first() {
    let folder = folder();
    let path = folder.path();
    let first = run_line(path, "record first.ron --state chain -o first");
    says(&first, 0, "state chain: batch 1 committed, ");
    let address = deployed(path, "first");
    let fields = format!("contracts: {{ \"old\": (code: Sample(\"counter\"), address: \"{address}\") }},");
    let call = "function: \"increment()\"";
    let steps = format!(
        "Call(from: \"alice\", to: \"old\", {call}, nonce: 1, expect: Rejected(\"Nonce is used already\")),
         Call(from: \"alice\", to: \"old\", {call}, nonce: 2, expect: Success),
         Call(from: \"alice\", to: \"old\", {call}, expect: Success),
         Call(from: \"bob\", to: \"{address}\", {call}, expect: Success)"
    );
    write(path, "second.ron", &fields, &steps);
    let second = run_line(path, "record second.ron --state chain -o second");
    says(&second, 0, "state chain: batch 2 committed, ");
    let info = json(&run_line(path, "info second --json").ok());
    assert_eq!(info["manifest"]["batch_number"], 2);
    // Without a recording it is the same.
    write_transfer(path, "third.ron", "", "Success");
    let third = run_line(path, "record third.ron --state chain --no-trace");
    says(&third, 0, "state chain: batch 3 committed, ");
    let contents = state(path, "chain");
    let counter = StorageKey {
        address: address.parse().expect("it is an address"),
        key: U256::zero(),
    };
    assert_eq!(
        contents.value(counter),
        4.into(),
        "one call in the first batch, three in the second"
    );
    let head = contents.head.expect("three batches were committed");
    // Each batch has one block of its own and an empty one at its end.
    assert_eq!((head.batch.number, head.l2_block.number), (3, 6));
}

#[test]
fn what_is_not_committed_leaves_the_state_as_it_was() {
    let folder = folder();
    let path = folder.path();
    run_line(path, "record first.ron --state chain -o first").ok();
    let before = state(path, "chain");
    write_transfer(path, "unexpected.ron", "", "Reverted(\"no\")");
    write_transfer(path, "open.ron", "run: (finish_batch: false),", "Success");
    // The batch's number is wrong, so the bootloader refuses to start; or to go on, if it is all in one go.
    write_transfer(path, "number.ron", "batch: (number: 9),", "Rejected(\"number\")");
    let all_at_once = "batch: (number: 9), run: (driver: \"batch\"),";
    write(path, "rejected.ron", all_at_once, "");
    // The operator refuses a block that does not follow the one before.
    write(path, "gap.ron", "", "]), (number: 99, steps: [");
    for (name, code, why) in [
        ("unexpected", 3, "a transaction did not do what was expected"),
        ("open", 3, "the batch was not closed"),
        ("number", 1, "the bootloader rejected the batch: "),
        ("rejected", 1, "the bootloader rejected the batch: "),
        ("gap", 1, "the run failed"),
    ] {
        for how in ["-o r", "--no-trace"] {
            let ended = run_line(path, &format!("record {name}.ron --state chain {how}"));
            says(&ended, code, &format!("state chain unchanged: {why}"));
            assert_eq!(state(path, "chain"), before, "{name} {how}");
        }
        fs::remove_dir_all(path.join("r")).expect("it was recorded");
    }
}

#[test]
fn after_a_failed_batch_the_next_one_is_recorded_as_if_it_had_never_been() {
    let folder = folder();
    let path = folder.path();
    run_line(path, "record first.ron --state chain -o first").ok();
    write_transfer(path, "next.ron", "", "Success");
    copy(&path.join("chain"), &path.join("twin"));
    run_line(path, "record next.ron --state twin -o undisturbed").ok();
    write_transfer(path, "failed.ron", "", "Rejected(\"no\")");
    assert_eq!(
        run_line(path, "record failed.ron --state chain -o failed").code,
        Some(3)
    );
    run_line(path, "record next.ron --state chain -o after").ok();
    let recording = |name: &str| contents(&path.join(name));
    assert!(recording("after") == recording("undisturbed"));
    assert_eq!(state(path, "chain"), state(path, "twin"));
}

#[test]
fn a_killed_run_leaves_the_state_as_it_was_and_the_next_run_works() {
    let folder = folder();
    let path = folder.path();
    run_line(path, "record first.ron --state chain -o first").ok();
    let before = state(path, "chain");
    write_long(path);
    copy(&path.join("chain"), &path.join("twin"));
    let started = Instant::now();
    says(
        &run_line(path, "record long.ron --state twin -o twin.rec"),
        0,
        "state twin: batch 2 committed, ",
    );
    let takes = started.elapsed();
    let after = state(path, "twin");

    let (mut killed, mut uncommitted) = (0, 0);
    for kill in 0..KILLS {
        let mut child = eradbg(path)
            .args(["record", "long.ron", "--state", "chain", "-o", "killed"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        std::thread::sleep(takes * (kill + 1) / (KILLS + 1));
        child.kill().expect("the process is ours");
        let ended = child.wait().expect("the process is ours").code();
        let _ = fs::remove_dir_all(path.join("killed"));
        let left = state(path, "chain");
        if left == before {
            uncommitted += u32::from(ended.is_none());
        } else {
            assert!(
                left == after,
                "kill {kill}: the state is neither that before nor that after the batch"
            );
            // Start again from before.
            fs::remove_dir_all(path.join("chain")).expect("the folder is ours");
            run_line(path, "record first.ron --state chain --no-trace").ok();
            assert!(
                state(path, "chain") == before,
                "the same scenario gives the same state"
            );
        }
        killed += u32::from(ended.is_none());
    }
    assert!(
        killed >= KILLS / 2 && uncommitted > 0,
        "of {KILLS} runs {killed} were killed, {uncommitted} before the commit"
    );
    says(
        &run_line(path, "record long.ron --state chain -o last"),
        0,
        "state chain: batch 2 committed, ",
    );
    assert!(state(path, "chain") == after);
}

#[test]
fn ctrl_c_leaves_the_state_as_it_was() {
    let folder = folder();
    let path = folder.path();
    run_line(path, "record first.ron --state chain -o first").ok();
    let before = state(path, "chain");
    write_long(path);
    let started = Instant::now();
    run_line(path, "record long.ron -o whole").ok();
    let takes = started.elapsed();
    let child = eradbg(path)
        .args(["record", "long.ron", "--state", "chain", "-o", "stopped"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    std::thread::sleep(takes / 5);
    let pid = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status();
    assert!(
        sent.expect("there is a kill command").success(),
        "the process still runs"
    );
    let ended = child.wait_with_output().expect("the process is ours").into();
    says(&ended, 130, "state chain unchanged: the run was stopped");
    assert_eq!(state(path, "chain"), before);
}

#[test]
fn two_runs_cannot_hold_a_state_at_once() {
    let folder = folder();
    let path = folder.path();
    run_line(path, "record first.ron --state chain -o first").ok();
    let _held = ChainState::open(&path.join("chain")).expect("it is a state");
    let ended = run_line(path, "record first.ron --state chain -o second");
    let message = "eradbg: chain: another process has this open";
    assert!(
        ended.code == Some(1) && ended.stderr.starts_with(message),
        "{ended:#?}"
    );
    assert!(!path.join("second").exists());
}

#[test]
fn what_cannot_be_a_state_or_continue_one_is_refused_before_anything_runs() {
    let folder = folder();
    let path = folder.path();
    run_line(path, "record first.ron --state chain -o first").ok();
    let before = state(path, "chain");
    write_mini(path, "dump.json", 2);
    fs::create_dir(path.join("papers")).expect("the folder is writable");
    fs::write(path.join("papers/note"), "keep me").expect("the folder is writable");
    write_transfer(path, "other_chain.ron", "chain: (id: 271),", "Success");
    write_transfer(
        path,
        "other_version.ron",
        "chain: (protocol_version: 28),",
        "Success",
    );
    let address = deployed(path, "first");
    let fields = format!("contracts: {{ \"t\": (code: Sample(\"token\"), address: \"{address}\") }},");
    write_transfer(path, "other_code.ron", &fields, "Success");
    for (line, says) in [
        (
            "dump.json --state chain",
            "dump.json: a VM dump brings its own state, expected a scenario",
        ),
        (
            "first.ron --state first.ron",
            "first.ron: is no state of a chain: it is a file, not a directory",
        ),
        (
            "first.ron --state papers",
            "papers: is no state of a chain: the directory has no database in it",
        ),
        ("first.ron --state first", "first: is no state of a chain: "),
        ("first.ron --state first.ron/none", "first.ron/none: "),
        (
            "other_chain.ron --state chain",
            "other_chain.ron: chain.id: is 271, expected 270 as in the state",
        ),
        (
            "other_version.ron --state chain",
            "other_version.ron: chain.protocol_version: is Version28, expected Version29 as in the state",
        ),
        (
            "other_code.ron --state chain",
            "other_code.ron:1:64: contracts.t.code: the state has other code at 0x",
        ),
    ] {
        for how in ["-o r", "--no-trace"] {
            let ended = run_line(path, &format!("record {line} {how}"));
            assert_eq!(ended.code, Some(1), "{line}: {ended:#?}");
            assert!(
                ended.stderr.starts_with(&format!("eradbg: {says}")),
                "{line}: {ended:#?}"
            );
        }
    }
    assert!(!path.join("r").exists());
    assert_eq!(fs::read_dir(path.join("papers")).expect("it is there").count(), 1);
    assert_eq!(state(path, "chain"), before);
    run_line(path, "verify first").ok();
}

#[test]
fn a_damaged_state_is_refused_and_nothing_runs() {
    let folder = folder();
    let path = folder.path();
    run_line(path, "record first.ron --state chain -o first").ok();
    with_tree(&path.join("chain"), Tree::Batch, |batches| {
        batches.remove(key::piece(0, 1)).expect("the tree is writable")
    });
    let ended = run_line(path, "record first.ron --state chain -o r");
    let message = "eradbg: chain: batch/commit 0, piece 1: it is missing";
    assert!(
        ended.code == Some(1) && ended.stderr.starts_with(message),
        "{ended:#?}"
    );
    assert!(!path.join("r").exists());
}
