//! Scenarios on the real bootloader and system contracts, which the reference vectors hold.

#![allow(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

#[path = "support/real_base.rs"]
mod real_base;
mod support;

use std::ops::ControlFlow;
use std::path::Path;

use eradbg_tracer::chain::{ChainState, ClosedBatch};
use eradbg_tracer::drive::{self, DriveEnd, Driven, Reports};
use eradbg_tracer::source::{self, Loaded};
use eradbg_tracer::verify::verify;
use eradbg_vm::keccak::keccak256;
use eradbg_vm::{H160, U256};
use support::{Input, record};

/// Writes and loads a scenario, with the real base beside it; `None` where there are no vectors.
fn load(folder: &Path, text: &str) -> Option<Loaded> {
    if !real_base::write(&folder.join("zkout"), 29) {
        return None;
    }
    let path = folder.join("scenario.ron");
    std::fs::write(&path, text).unwrap();
    Some(source::load(&path, None).unwrap_or_else(|error| panic!("{error}")))
}

/// Runs a batch and checks that everything that is expected came true.
fn run(loaded: Loaded) -> Reports {
    run_and_close(loaded).0
}

/// Does the same, and gives what the batch leaves to its chain.
fn run_and_close(loaded: Loaded) -> (Reports, ClosedBatch) {
    let (driven, reports) = drive::run(loaded.input, loaded.script, &loaded.run);
    let Driven { end, closed, .. } = driven;
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
    (reports, closed.unwrap())
}

/// Counts in slot 0; the constructor returns an empty list of immutables.
const COUNTER: &str = r"
.rodata
EMPTY_LIST:
    .cell ret(0, 64)
ANSWER:
    .cell ret(0, 32)
.text
main:
    and! 1, r2, r0
    jump.ne @constructor
    sload r0, r1
    add 1, r1, r1
    sstore r0, r1
    st.1 0, r1
    add @ANSWER[0], r0, r1
    ret.ok r1
constructor:
    add 32, r0, r1
    st.1 0, r1
    add @EMPTY_LIST[0], r0, r1
    ret.ok r1
";

/// Reverts with `Error("balance too low")`.
const REVERTER: &str = r#"
.rodata
SELECTOR:
    .cell selector("Error(string)") << 224
REASON:
    .cell text("balance too low")
ANSWER:
    .cell ret(0, 100)
.text
main:
    add @SELECTOR[0], r0, r1
    st.1 0, r1
    add 32, r0, r1
    st.1 4, r1
    add 15, r0, r1
    st.1 36, r1
    add @REASON[0], r0, r1
    st.1 68, r1
    add @ANSWER[0], r0, r1
    ret.revert r1
"#;

/// Writes the contracts, then loads a scenario with these steps, blocks apart by `---`.
fn load_steps(folder: &Path, blocks: &str) -> Option<Loaded> {
    std::fs::write(folder.join("counter.asm"), COUNTER).unwrap();
    std::fs::write(folder.join("reverter.asm"), REVERTER).unwrap();
    let blocks: Vec<String> = blocks
        .split("---")
        .map(|steps| format!("(steps: [{steps}]),"))
        .collect();
    let text = format!(
        r#"(
            base: "zkout",
            chain: (operator: "carol"),
            accounts: {{ "alice": Rich(0), "bob": Rich(1), "carol": Rich(2) }},
            contracts: {{
                "counter": (code: Assembly("counter.asm"), storage: {{ "0": "41" }}),
                "reverter": (code: Assembly("reverter.asm")),
                "late": (code: Assembly("counter.asm"), deployed: false),
            }},
            blocks: [{}],
        )"#,
        blocks.concat()
    );
    load(folder, &text)
}

/// The value of slot 0 of the counter after the batch.
fn counted(reports: &Reports) -> U256 {
    let hash = format!("{:x}", keccak256(b"counter"));
    let counter = format!("0xc0de{}{}", "0".repeat(28), &hash[56..]);
    let counter: H160 = counter.parse().unwrap();
    let diffs = &reports.batch.as_ref().unwrap().state_diffs;
    let found = diffs.iter().find(|diff| diff.0 == counter && diff.1.is_zero());
    U256::from_big_endian(found.unwrap().5.as_bytes())
}

// The real contracts fail with errors of their own: 0x626ade30 is ValueMismatch(expected, actual), 0x03eb8b54
// InsufficientFunds(required, actual).

#[test]
fn transactions_of_all_kinds_run_on_the_real_bootloader() {
    let folder = tempfile::tempdir().unwrap();
    let blocks = r#"
        Transfer(from: "alice", to: "bob", value: "1 ether", expect: Success),
        Transfer(from: "alice", to: "bob", value: "1 ether", type: Legacy, expect: Success),
        Transfer(from: "alice", to: "bob", value: "1 ether", type: Eip1559, expect: Success),
        Transfer(from: "alice", to: "bob", value: "1 ether", type: Eip2930, expect: Success),
        ---
        Call(from: "bob", to: "counter", expect: Success, checks: (events: 2)),
        Call(from: "bob", to: "reverter", function: "transfer(address,uint256)", args: ["alice", 5],
             expect: Reverted("balance too low")),
        Call(from: "bob", to: "counter", gas_limit: 200_000, data: "0x01020304", expect: Success),
        Transfer(from: "bob", to: "alice", nonce: 77, expect: Rejected("0x626ade30")),
        Transfer(from: "bob", to: "alice", signed_by: "alice", expect: Rejected("signature")),
        Transfer(from: "bob", to: "alice", corrupt_signature: true, expect: Rejected("signature")),
        Transfer(from: "bob", to: "alice", value: "2_000_000 ether", expect: Rejected("0x03eb8b54")),
        Transfer(from: "bob", to: "alice", max_fee: 1, expect: Rejected("basefee")),
        ---
        Deploy(from: "alice", contract: "late", expect: Success),
        Call(from: "alice", to: "late", expect: Success),
        Deploy(from: "alice", contract: "late", salt: 7, expect: Success),
        Call(from: "bob", to: "late", expect: Success),
        Priority(from: "0x1111111111111111111111111111111111111111", to: "counter", value: 0, expect: Success),
        Priority(from: "0x1111111111111111111111111111111111111111", to: "reverter",
                 expect: Reverted("balance too low")),
        Call(from: "alice", to: "KnownCodesStorage", function: "getMarker(bytes32)", args: ["hash(late)"],
             expect: Success),
        Call(from: "alice", to: "KnownCodesStorage", function: "nonsense()", expect: Reverted("")),
    "#;
    let Some(loaded) = load_steps(folder.path(), blocks) else {
        return;
    };
    let reports = run(loaded);
    assert_eq!(counted(&reports), 44.into(), "41 and three calls");
    let blocks: Vec<u32> = reports
        .transactions
        .iter()
        .map(|report| report.l2_block)
        .collect();
    assert_eq!((blocks[0], blocks[4], blocks[12]), (1, 2, 3));
}

#[test]
fn a_chain_goes_on_with_the_next_batch() {
    let folder = tempfile::tempdir().unwrap();
    let blocks = r#"
        Transfer(from: "alice", to: "bob", value: "1 ether", expect: Success),
        Call(from: "bob", to: "counter", expect: Success),
        ---
        Deploy(from: "alice", contract: "late", expect: Success),
        Call(from: "alice", to: "late", expect: Success),
        Priority(from: "0x1111111111111111111111111111111111111111", to: "counter", value: 0, expect: Success),
    "#;
    let Some(mut loaded) = load_steps(folder.path(), blocks) else {
        return;
    };
    let mut state = ChainState::open(&folder.path().join("state")).unwrap();
    let mut late = Vec::new();
    for number in 1..4 {
        assert_eq!(loaded.input.batch.number, number);
        let call = loaded.input.transactions().nth(3).unwrap();
        assert_eq!(call.nonce, (3 * number - 1).into());
        late.push(call.to);
        let start = loaded.start.take().unwrap();
        let (reports, closed) = run_and_close(loaded);
        assert_eq!(counted(&reports), (41 + 2 * number).into());
        state.commit(&start, &closed).unwrap();
        let path = folder.path().join("scenario.ron");
        loaded = source::load(&path, Some(state.contents())).unwrap();
    }
    late.dedup();
    assert_eq!(late.len(), 3, "each deployment has an address of its own");
}

#[test]
fn an_upgrade_comes_first() {
    let folder = tempfile::tempdir().unwrap();
    let blocks = r#"
        Upgrade(to: "counter", expect: Success),
        Call(from: "alice", to: "counter", expect: Success),
    "#;
    if let Some(loaded) = load_steps(folder.path(), blocks) {
        run(loaded);
    }
}

#[test]
fn a_snapshot_that_is_held_takes_all_its_transactions_back() {
    let folder = tempfile::tempdir().unwrap();
    let blocks = r#"
        Call(from: "alice", to: "counter", expect: Success),
        Snapshot,
        Call(from: "alice", to: "counter", expect: Success),
        Deploy(from: "alice", contract: "late", expect: Success),
        RollBack,
        Snapshot,
        Deploy(from: "alice", contract: "late", salt: 1, expect: Success),
        Call(from: "alice", to: "late", expect: Success),
        Release,
        ---
        Snapshot,
        Call(from: "bob", to: "counter", expect: Success),
        Transfer(from: "bob", to: "alice", nonce: 50, expect: Rejected("0x626ade30")),
        Call(from: "bob", to: "counter", expect: Success),
        Release,
        Call(from: "bob", to: "counter", expect: Success),
    "#;
    let Some(loaded) = load_steps(folder.path(), blocks) else {
        return;
    };
    let reports = run(loaded);
    let taken_back: Vec<bool> = reports
        .transactions
        .iter()
        .map(|report| report.rolled_back)
        .collect();
    assert_eq!(
        taken_back,
        [false, true, true, false, false, true, true, false, false]
    );
    let order: Vec<usize> = reports.transactions.iter().map(|report| report.index).collect();
    assert_eq!(order, (0..9).collect::<Vec<_>>());
    assert_eq!(counted(&reports), 44.into(), "41 and three calls");
}

#[test]
fn a_recording_knows_what_a_held_snapshot_took_back() {
    let folder = tempfile::tempdir().unwrap();
    let blocks = r#"
        Call(from: "alice", to: "counter"),
        Snapshot,
        Call(from: "alice", to: "counter"),
        Transfer(from: "alice", to: "bob", nonce: 50, expect: Rejected("")),
        RollBack,
        Snapshot,
        Call(from: "alice", to: "counter"),
        Call(from: "alice", to: "counter"),
        RollBack,
        Call(from: "alice", to: "counter"),
    "#;
    let Some(loaded) = load_steps(folder.path(), blocks) else {
        return;
    };
    let input = Input {
        name: loaded.name,
        batch: loaded.input,
        script: loaded.script,
        config: loaded.run,
    };
    let recorded = record(&input, 4_096);
    let recording = recorded.recording;
    let transactions = recording.transactions();
    let end_of = |index: usize| transactions[index].first_step + transactions[index].steps;
    let taken_back: Vec<bool> = transactions.iter().map(|row| row.rolled_back).collect();
    assert_eq!(taken_back, [false, true, true, true, true, false]);
    let undone: Vec<(u64, u64)> = recording
        .undone()
        .iter()
        .map(|range| (range.first_step, range.end_step))
        .collect();
    let expected = [(1, 2), (3, 4)].map(|(first, last)| (transactions[first].first_step, end_of(last)));
    assert_eq!(undone, expected);
    let findings = verify(&recording, |_| ControlFlow::Continue(()));
    assert_eq!(findings.broken, [""; 0]);
}
