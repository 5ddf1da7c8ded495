//! The real contracts in other modes than that of the chain: calls and estimations, which have bootloaders of their own,
//! and validation with a limit.

use std::fmt::Write;

use eradbg_tracer::drive::{self, DriveEnd, Session, Sink};
use eradbg_tracer::report::TransactionReport;
use eradbg_tracer::source::Loaded;
use eradbg_vm::batch::ExecutionMode;
use eradbg_vm::bootloader::Hook;
use eradbg_vm::observer::Step;
use eradbg_vm::{Execution, Observer, Opcode, U256};

use crate::real::{RealContracts, problems};

/// The text of a scenario with one block of these steps.
fn scenario(head: &str, steps: &str) -> String {
    format!(
        r#"(
            {head}
            accounts: {{
                "alice": Rich(0), "bob": Rich(1),
                "poor": Wallet(key: "0x0101010101010101010101010101010101010101010101010101010101010101"),
            }},
            contracts: {{
                "counter": (code: Sample("counter"), storage: {{ "0": 41 }}),
                "token": (code: Sample("token")),
                "payable": (code: Sample("payable")),
                "patient": (code: Assembly("looper.asm"), is_account: true, balance: "1000 ether"),
                "loops": (code: Assembly("looper.asm"), is_account: true, balance: "1000 ether", storage: {{ "0": 1 }}),
                "catches": (code: Assembly("looper.asm"), is_account: true, balance: "1000 ether", storage: {{ "0": 2 }}),
                "recurses": (code: Assembly("looper.asm"), is_account: true, balance: "1000 ether", storage: {{ "0": 3 }}),
            }},
            blocks: [(steps: [{steps}])],
        )"#
    )
}

/// Loads steps for the mode, with its bootloader.
fn load(contracts: &RealContracts, mode: ExecutionMode, name: &str, steps: &str) -> Loaded {
    let (base, head, bootloader) = match mode {
        ExecutionMode::EstimateFee => (
            "zkout26",
            "base: \"zkout26\", chain: (protocol_version: 26),",
            "fee_estimate",
        ),
        _ => ("zkout", "base: \"zkout\",", "playground_batch"),
    };
    let mut loaded = contracts.load_text(name, &scenario(head, steps));
    loaded.input.system.execution_mode = mode;
    loaded.input.system.bootloader = contracts.bootloader(base, bootloader);
    loaded
}

#[test]
fn calls_on_the_playground_bootloader_answer_what_is_called() {
    let Some(contracts) = RealContracts::new() else {
        return;
    };
    // Each is a batch by itself: the bootloader returns the answer. Signature, nonce, fee and balance do not count, nor
    // whether the sender is an account.
    let word = |number: u64| format!("0x{number:064x}");
    let calls = [
        format!(
            r#"Call(from: "alice", to: "counter", function: "get()", expect: Success, checks: (output: "{}"))"#,
            word(41)
        ),
        format!(
            r#"Call(from: "poor", to: "counter", function: "get()", signature: "0x", nonce: 77, expect: Success,
                    checks: (output: "{}"))"#,
            word(41)
        ),
        format!(
            r#"Call(from: "token", to: "counter", function: "get()", signature: "0x", max_fee: 0, expect: Success,
                    checks: (output: "{}"))"#,
            word(41)
        ),
        format!(
            r#"Call(from: "0x0000000000000000000000000000000000008007", to: "counter", function: "get()", signature: "0x",
                    type: Legacy, expect: Success, checks: (output: "{}"))"#,
            word(41)
        ),
        r#"Call(from: "alice", to: "counter", function: "increment()", expect: Success)"#.to_owned(),
        r#"Call(from: "alice", to: "payable", function: "deposit()", value: "1 ether", expect: Success)"#.to_owned(),
        r#"Transfer(from: "alice", to: "poor", value: "1 ether", expect: Success, checks: (output: "0x"))"#.to_owned(),
        r#"Transfer(from: "poor", to: "alice", value: "1 ether", expect: Reverted(""))"#.to_owned(),
        r#"Call(from: "alice", to: "token", function: "transfer(address,uint256)", args: ["bob", 5],
                expect: Reverted("Insufficient balance"))"#
            .to_owned(),
        r#"Call(from: "alice", to: "counter", function: "get()", gas_limit: 24_070, expect: Reverted(""))"#.to_owned(),
        r#"Call(from: "alice", to: "counter", function: "get()", gas_limit: 25_000, expect: Reverted(""))"#.to_owned(),
        r#"Call(from: "alice", to: "counter", function: "get()", gas_per_pubdata: 1, expect: Rejected("unacceptable gas price"))"#
            .to_owned(),
        // Transactions from L1 run as ever.
        format!(
            r#"Priority(from: "alice", to: "counter", function: "get()", expect: Success, checks: (output: "{}"))"#,
            word(41)
        ),
    ];
    let found: Vec<String> = calls
        .iter()
        .enumerate()
        .flat_map(|(index, call)| {
            let name = format!("eth_call_{index}");
            problems(load(&contracts, ExecutionMode::EthCall, &name, call))
        })
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn estimations_do_not_ask_for_a_good_signature_or_price() {
    let Some(contracts) = RealContracts::new() else {
        return;
    };
    // 65 bytes stand for a signature; it has to be well-formed, but may be anyone's.
    let signature = format!("0x{:064x}{:064x}1b", 1, 1);
    let steps = format!(
        r#"
        Transfer(from: "alice", to: "bob", value: 1, signature: "{signature}", expect: Success),
        Transfer(from: "alice", to: "bob", value: 1, signature: "{signature}", max_fee: 0, expect: Rejected("basefee")),
        Transfer(from: "alice", to: "bob", value: 1, signature: "0x", expect: Rejected("0x90f049c9")),
        Transfer(from: "alice", to: "bob", nonce: 9, expect: Rejected("0x626ade30")),
        Transfer(from: "poor", to: "bob", value: 1, expect: Rejected("0x03eb8b54")),
        Call(from: "alice", to: "token", function: "transfer(address,uint256)", args: ["bob", 5], signature: "{signature}",
             expect: Reverted("Insufficient balance")),
        // Gas with which the bootloader starts it and has nothing left to execute it.
        Priority(from: "alice", to: "counter", function: "increment()", gas_limit: 15_000, expect: Reverted("empty reason")),
        Priority(from: "alice", to: "counter", function: "increment()", expect: Success),
        "#
    );
    let found = problems(load(
        &contracts,
        ExecutionMode::EstimateFee,
        "estimations",
        &steps,
    ));
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn validation_ends_when_it_has_used_what_the_limit_allows() {
    let Some(contracts) = RealContracts::new() else {
        return;
    };
    // The limit is on validation alone: execution may use more. Below the limit the gas of the transaction counts.
    let mut steps = String::from(
        r#"
        Transfer(from: "alice", to: "bob", expect: Success),
        Transfer(from: "patient", to: "bob", signature: "0x", expect: Success),
        "#,
    );
    for account in ["loops", "catches", "recurses"] {
        for gas_limit in [1_000_000, 10_000_000, 100_000_000, 1_000_000_000] {
            write!(
                steps,
                "Transfer(from: \"{account}\", to: \"bob\", signature: \"0x\", gas_limit: {gas_limit},
                          expect: Rejected(\"validation used more ergs than the limit allows\")),\n"
            )
            .unwrap();
        }
    }
    for account in ["loops", "catches"] {
        write!(
            steps,
            "Transfer(from: \"{account}\", to: \"bob\", signature: \"0x\", gas_limit: 250_000,
                      expect: Rejected(\"the account did not accept the transaction\")),\n"
        )
        .unwrap();
    }
    let text = scenario("base: \"zkout\", chain: (validation_gas_limit: 300_000),", &steps);
    let loaded = contracts.load_text("validation_limit", &text);
    let (driven, reports) = drive::run(loaded.input, loaded.script, &loaded.run);
    assert_eq!(driven.end, Ok(DriveEnd::Finished));
    let found: Vec<String> = loaded
        .expectations
        .iter()
        .enumerate()
        .filter_map(|(index, expectation)| {
            let difference = expectation.difference(reports.transactions.get(index))?;
            Some(format!("transaction {index}: {difference}"))
        })
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_validation_limit_counts_prices_of_instructions_and_of_four_precompiles() {
    let Some(contracts) = RealContracts::new() else {
        return;
    };
    let status_with = |limit: u32| {
        let head = format!(
            "base: \"zkout\", chain: (validation_gas_limit: {limit}), run: (finish_batch: Some(false)),"
        );
        let text = scenario(&head, "Transfer(from: \"alice\", to: \"bob\", value: 1)");
        let loaded = contracts.load_text("metered", &text);
        let mut session = Session::new(loaded.input, loaded.script, Meter::default());
        assert_eq!(session.drive(&loaded.run), Ok(DriveEnd::Finished));
        let meter = session.into_parts().0;
        (meter.used, meter.status)
    };
    let (used, status) = status_with(u32::MAX);
    assert_eq!(status, "success");
    assert!(used > 10_000, "{used}");
    assert_eq!(status_with(used).1, "success");
    assert_eq!(status_with(used - 1).1, "halt");
}

/// Sums prices between the hooks of validation.
#[derive(Debug, Default)]
struct Meter {
    is_on: bool,
    used: u32,
    status: String,
}

impl Observer for Meter {
    fn before_step(&mut self, execution: &Execution, step: Step<'_>) {
        if !self.is_on {
            return;
        }
        self.used += step.instruction.ergs;
        let address = execution.frame().this.to_low_u64_be();
        // ecrecover, SHA-256, P256Verify, Keccak-256.
        if step.instruction.opcode == Opcode::Precompile && [0x1, 0x2, 0x100, 0x8010].contains(&address) {
            self.used += execution.register(step.instruction.src1).word.low_u32();
        }
    }

    fn hook(&mut self, id: u32, _: [U256; 3]) {
        match Hook::new(id) {
            Some(Hook::AccountValidationEntered) => self.is_on = true,
            Some(Hook::ValidationExited) => self.is_on = false,
            _ => {}
        }
    }
}

impl Sink for Meter {
    type Observer = Self;

    fn observer(&mut self) -> &mut Self {
        self
    }

    fn transaction_done(&mut self, report: TransactionReport) {
        report.run.status().clone_into(&mut self.status);
    }
}
