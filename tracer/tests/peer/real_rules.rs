//! Rules that take more than one batch, or more than the outcome of a transaction, to be seen on the real contracts.

use eradbg_tracer::drive::{self, DriveEnd, Reports};
use eradbg_tracer::report::TransactionReport;
use eradbg_tracer::source::Loaded;
use eradbg_vm::U256;
use serde_json::{Value, json};

use crate::real::RealContracts;

/// Runs a scenario with one block of these steps.
fn run(contracts: &RealContracts, name: &str, steps: &str) -> Reports {
    let text = format!(
        r#"(
            base: "zkout",
            chain: (operator: "operator"),
            accounts: {{
                "alice": Rich(0), "bob": Rich(1), "operator": Address(at: "0x0000000000000000000000000000000000feeacc"),
            }},
            contracts: {{
                "counter": (code: Sample("counter"), address: "0x00000000000000000000000000000000000c0de5"),
                "token": (code: Sample("token")),
                "decommitter": (code: Sample("decommitter")),
                "late": (code: Assembly("account.asm"), deployed: false),
                "later": (code: Assembly("caller.asm"), deployed: false),
            }},
            blocks: [(steps: [{steps}])],
        )"#
    );
    let Loaded {
        input, script, run, ..
    } = contracts.load_text(name, &text);
    let (driven, reports) = drive::run(input, script, &run);
    assert_eq!(driven.end, Ok(DriveEnd::Finished));
    assert!(driven.closed.is_ok());
    reports
}

/// Words of a transaction's output.
fn output(report: &TransactionReport) -> Vec<U256> {
    let text = report.run.result["output"].as_str().unwrap_or_default();
    let bytes = hex::decode(&text[2..]).unwrap();
    bytes.chunks(32).map(U256::from_big_endian).collect()
}

#[test]
fn code_costs_four_ergs_a_word_the_first_time_that_code_oracle_gives_it() {
    let Some(contracts) = RealContracts::new() else {
        return;
    };
    // The oracle's own code is loaded before, and the mark that the token's is known is read: that slot is as warm for the
    // first time as for the second.
    let reports = run(
        &contracts,
        "oracle",
        r#"
        Priority(from: "bob", to: "decommitter", function: "readCode(address)", args: ["counter"]),
        Call(from: "alice", to: "KnownCodesStorage", function: "getMarker(bytes32)", args: ["hash(token)"]),
        Priority(from: "bob", to: "decommitter", function: "readCode(address)", args: ["token"]),
        Priority(from: "bob", to: "decommitter", function: "readCode(address)", args: ["token"]),
        "#,
    );
    let [_, _, first, second] = &reports.transactions[..] else {
        panic!("four transactions");
    };
    let [code, bytes, for_first, for_second] = output(first)[..] else {
        panic!("four words: {:?}", first.run.result);
    };
    assert_eq!(for_first - for_second, bytes / 32 * 4);
    assert_eq!(output(second), [code, bytes, for_second, for_second]);
}

#[test]
fn transactions_that_are_taken_back_leave_no_trace_in_those_that_follow() {
    let Some(contracts) = RealContracts::new() else {
        return;
    };
    let good = [
        r#"Deploy(from: "alice", contract: "late", nonce: 0),"#,
        r#"Call(from: "alice", to: "counter", function: "increment()", nonce: 1),"#,
        r#"Deploy(from: "alice", contract: "later", nonce: 2),"#,
    ];
    let bad = [
        r#"Deploy(from: "alice", contract: "late", nonce: 0, corrupt_signature: true, expect: Rejected("")),"#,
        r#"Deploy(from: "alice", contract: "late", nonce: 0, signature: "0x01", expect: Rejected("")),"#,
        r#"Call(from: "alice", to: "counter", function: "increment()", nonce: 7, expect: Rejected("")),"#,
        r#"Deploy(from: "alice", contract: "later", nonce: 0, signed_by: "bob", expect: Rejected("")),"#,
    ];
    let held = r#"
        Snapshot,
        Deploy(from: "bob", contract: "later"),
        Call(from: "bob", to: "counter", function: "increment()"),
        RollBack,
    "#;
    let plain = run(&contracts, "plain", &good.concat());
    let steps = [
        bad[0], held, good[0], bad[2], good[1], bad[1], held, bad[3], good[2], bad[2], held,
    ];
    let taken_back = run(&contracts, "taken_back", &steps.concat());
    let stayed: Vec<&TransactionReport> = taken_back
        .transactions
        .iter()
        .filter(|report| !report.rolled_back)
        .collect();
    assert_eq!(stayed.len(), 3);
    for (index, (plain, stayed)) in plain.transactions.iter().zip(stayed).enumerate() {
        assert_eq!(comparable(plain), comparable(stayed), "transaction {index}");
    }
    assert_eq!(batch(&plain), batch(&taken_back));
}

/// A report without what its place in the run and the batch's ergs bring along.
fn comparable(report: &TransactionReport) -> Value {
    let mut value = json!(report);
    for field in ["index", "first_step", "gas_remaining"] {
        value.as_object_mut().unwrap().remove(field);
    }
    value
}

fn batch(reports: &Reports) -> Value {
    let mut value = json!(reports.batch);
    let tip = value["block_tip"].as_object_mut().unwrap();
    for field in ["first_step", "gas_remaining"] {
        tip.remove(field);
    }
    value
}

#[test]
fn all_fees_of_a_batch_go_to_the_operator() {
    let Some(contracts) = RealContracts::new() else {
        return;
    };
    let reports = run(
        &contracts,
        "fees",
        r#"
        Call(from: "alice", to: "counter", function: "increment()"),
        Deploy(from: "alice", contract: "late"),
        Call(from: "alice", to: "token", function: "transfer(address,uint256)", args: ["bob", 5]),
        Transfer(from: "bob", to: "alice", value: 5, nonce: 9, expect: Rejected("")),
        Priority(from: "bob", to: "counter", function: "increment()"),
        "#,
    );
    let base_fee = U256::from(100_000_000);
    let used = reports
        .transactions
        .iter()
        .filter(|report| !report.rolled_back)
        .map(|report| 10_000_000 - report.run.gas_refunded)
        .sum::<u64>();
    let diffs = reports.batch.unwrap().state_diffs;
    // The operator had nothing: its balance is the first change of a slot from zero to the fees.
    let with_value = |value: U256| {
        let diffs = diffs.iter();
        diffs.filter(move |diff| U256::from_big_endian(diff.5.as_bytes()) == value)
    };
    let operator = base_fee * used;
    assert_eq!(with_value(operator).count(), 1, "{operator:#x} in {diffs:?}");
    // Alice has sent three transactions, one of which was a deployment: the deployments are counted in the upper half.
    let nonces = (U256::one() << 128) + 3;
    assert!(with_value(nonces).count() > 0, "{nonces:#x} in {diffs:?}");
}

#[test]
fn code_that_evm_contracts_publish_is_known_unless_it_was_undone() {
    let Some(contracts) = RealContracts::new() else {
        return;
    };
    // The init code of the first creates a contract of 70 bytes, then one whose init code creates one of 40 bytes and
    // reverts, and is one of 100 bytes itself. The second creates one of 70 bytes and reverts.
    let steps = format!(
        r#"
        Upgrade(to: "ContractDeployer", function: "setAllowedBytecodeTypesToDeploy(uint8)", args: [1]),
        Call(from: "alice", type: Eip1559, data: "0x{REVERTS}", gas_limit: 50_000_000),
        Call(from: "alice", type: Eip1559, data: "0x{CREATES}", gas_limit: 50_000_000),
        Call(from: "alice", type: Eip1559, data: "0x{CREATES}", gas_limit: 50_000_000),
        "#
    );
    let reports = run(&contracts, "evm_code", &steps);
    let lengths: Vec<(&str, Vec<usize>)> = reports
        .transactions
        .iter()
        .map(|report| {
            let codes = report.run.new_known_factory_deps.iter();
            (report.run.status(), codes.map(|code| code.1).collect())
        })
        .collect();
    // EVM code is stored in an odd number of words: 70 and 100 bytes take three and five of them.
    assert_eq!(
        lengths,
        [
            ("success", vec![]),
            ("revert", vec![]),
            ("success", vec![96, 160]),
            ("success", vec![])
        ]
    );
}

const CREATES: &str = "6050601c5f3960505f5ff0506041606c5f3960415f5ff05060645ff361004680600a5f395ff35b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b6032600f5f3960325f5ff0505f5ffd61002880600a5f395ff35b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b";
const REVERTS: &str = "6050600f5f3960505f5ff0505f5ffd61004680600a5f395ff35b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b";
