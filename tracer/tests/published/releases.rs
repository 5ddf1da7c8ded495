//! What changed from release to release in the life of a transaction, on the published bootloaders.
//!
//! Source: `system-contracts/bootloader/bootloader.yul` on the release branches of `matter-labs/era-contracts`.

use eradbg_tracer::report::TransactionReport;
use eradbg_vm::batch::ExecutionMode;
use eradbg_vm::bootloader::Layout;
use eradbg_vm::bytecode::{bytes_to_words, hash_bytecode};
use eradbg_vm::keccak::keccak256;
use eradbg_vm::protocol::ProtocolVersion;
use eradbg_vm::storage::{L1_MESSENGER, L2_BASE_TOKEN, SYSTEM_CONTEXT};
use eradbg_vm::{H160, U256};

use crate::seen::{Seen, run, run_and_close};
use crate::{base, load, mixed_batch};

/// Sender, target and refund recipient of transactions from L1 differ.
const SENDER: u64 = 0x1111_1111;
const RECIPIENT: u64 = 0x2222_2222;

fn selector(signature: &str) -> [u8; 4] {
    keccak256(signature.as_bytes()).0[..4].try_into().unwrap()
}

/// How a batch of one transaction ends, changed in no way by the loader's checks; `None` where a version is not at hand.
fn end_of(
    version: ProtocolVersion,
    step: &str,
    change: impl Fn(&mut eradbg_vm::batch::Transaction),
) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let (mut loaded, _) = load(version, folder.path(), "", &format!("(steps: [{step}])"))?;
    change(&mut loaded.input.blocks[0].transactions[0]);
    let seen = run(loaded);
    Some(seen.transactions[0].run.result.to_string())
}

#[test]
fn a_transaction_brings_at_most_32_bytecodes_before_version_26_and_64_from_then_on() {
    let step = r#"Priority(from: "bob", to: "alice", value: 0, gas_limit: 70_000_000)"#;
    for version in ProtocolVersion::all() {
        let most = if version.number() < 26 { 32 } else { 64 };
        for (count, is_good) in [(most, true), (most + 1, false)] {
            let end = end_of(version, step, |transaction| {
                transaction.factory_deps = vec![base::anything(); count];
            });
            let Some(end) = end else { continue };
            let is_refused = end.contains("too many factory deps");
            assert_eq!(
                (end.contains("success"), is_refused),
                (is_good, !is_good),
                "{version}: {end}"
            );
        }
    }
}

#[test]
fn a_transaction_may_say_that_it_has_no_target_from_version_27_on() {
    // It is another transaction then, for which the signature is no good.
    for kind in ["Legacy", "Eip2930", "Eip1559"] {
        let step = format!(r#"Transfer(from: "alice", to: "bob", value: 1, type: {kind})"#);
        for version in ProtocolVersion::all() {
            let end = end_of(version, &step, |transaction| transaction.reserved[1] = 1.into());
            let Some(end) = end else { continue };
            let expected = if version.number() < 27 {
                "reserved1 non zero"
            } else {
                "signature"
            };
            assert!(end.contains(expected), "{version}, {kind}: {end}");
        }
    }
}

#[test]
fn deployments_of_evm_contracts_from_l1_are_system_calls_from_version_29_on() {
    let step =
        r#"Priority(from: "alice", to: "ContractDeployer", function: "createEVM(bytes)", args: ["0x"])"#;
    // SystemCallFlagRequired. Version 26 and before have no such function.
    for version in ProtocolVersion::all().filter(|version| version.number() >= 27) {
        let Some(end) = end_of(version, step, |_| {}) else {
            continue;
        };
        assert_eq!(
            end.contains("71c3da01"),
            version.number() < 29,
            "{version}: {end}"
        );
    }
}

/// Whom the bootloader minted how much, in order.
fn mints(seen: &Seen) -> Vec<(U256, U256)> {
    let calls = seen.calls_of(L2_BASE_TOKEN);
    let mints = calls.filter_map(|call| call.strip_prefix(&selector("mint(address,uint256)")));
    let word = |bytes: &[u8]| U256::from_big_endian(bytes);
    mints
        .map(|arguments| (word(&arguments[..32]), word(&arguments[32..])))
        .collect()
}

#[test]
fn what_l1_sends_along_is_the_value_before_version_31_and_all_but_the_most_gas_can_cost_from_then_on() {
    let (sender, recipient) = (format!("{SENDER:#042x}"), format!("{RECIPIENT:#042x}"));
    let priority = |target: &str, end: &str| {
        format!(
            r#"Priority(from: "{sender}", {target}, value: 500, mint: 2_000_000_000_000_000, refund_recipient: "{recipient}",
                        gas_limit: 10_000_000, max_fee: 100_000_000, expect: {end}),"#
        )
    };
    let steps = [
        priority(r#"to: "bob""#, "Success"),
        priority(
            r#"to: "KnownCodesStorage", function: "nonsense()""#,
            "Reverted(\"\")",
        ),
    ];
    let sent = U256::from(2_000_000_000_000_000u64);
    let most = U256::from(1_000_000_000_000_000u64);
    for version in ProtocolVersion::all() {
        let folder = tempfile::tempdir().unwrap();
        let blocks = format!("(steps: [{}])", steps.concat());
        let Some((loaded, _)) = load(version, folder.path(), "", &blocks) else {
            continue;
        };
        let seen = run_and_close(loaded);
        let fee = |report: &TransactionReport| {
            U256::from(10_000_000 - report.run.gas_refunded) * U256::from(100_000_000)
        };
        let fees = [0, 1].map(|index| fee(&seen.transactions[index]));
        let value = if version.number() < 31 {
            500.into()
        } else {
            sent - most
        };
        let [sender, recipient, bootloader] = [SENDER, RECIPIENT, 0x8001].map(U256::from);
        assert_eq!(
            mints(&seen),
            [
                (sender, value),
                (bootloader, fees[0]),
                (recipient, sent - value - fees[0]),
                // What the sender got is undone with the execution, and goes to the recipient of refunds too.
                (sender, value),
                (bootloader, fees[1]),
                (recipient, sent - fees[1]),
            ],
            "{version}"
        );
    }
}

#[test]
fn an_upgrade_has_a_log_to_l1_before_version_31() {
    for version in ProtocolVersion::all() {
        let folder = tempfile::tempdir().unwrap();
        let Some((loaded, _)) = mixed_batch(version, folder.path()) else {
            continue;
        };
        // An upgrade and a priority operation, each of which succeeds.
        let seen = run_and_close(loaded);
        let hash = |index: usize| U256::from_big_endian(seen.transactions[index].tx_hash.as_bytes());
        let mut expected = vec![(hash(0), U256::one()), (hash(4), U256::one())];
        if version.number() >= 31 {
            expected.remove(0);
        }
        let sent: Vec<(U256, U256)> = seen
            .calls_of(L1_MESSENGER)
            .filter_map(|call| call.strip_prefix(&selector("sendL2ToL1Log(bool,bytes32,bytes32)")))
            .map(|arguments| {
                let [key, value] =
                    [1, 2].map(|word| U256::from_big_endian(&arguments[32 * word..32 * (word + 1)]));
                (key, value)
            })
            .collect();
        assert_eq!(sent, expected, "{version}");
    }
}

#[test]
fn a_transaction_from_l1_pays_for_the_call_that_tells_its_pubdata_price_from_version_26_on() {
    let step = r#"Priority(from: "bob", to: "alice", value: 0, expect: Success)"#;
    for version in ProtocolVersion::all() {
        let folder = tempfile::tempdir().unwrap();
        let Some((loaded, _)) = load(version, folder.path(), "", &format!("(steps: [{step}])")) else {
            continue;
        };
        let seen = run_and_close(loaded);
        // What is left then is what the gas of the preparation is counted from.
        let (_, calls_before) = seen
            .debug_logs
            .iter()
            .find(|(label, _)| label == "gasBeforePreparation")
            .unwrap();
        let is_price = |(contract, calldata): &(H160, Vec<u8>)| {
            *contract == SYSTEM_CONTEXT && calldata.starts_with(&selector("setPubdataInfo(uint256,uint256)"))
        };
        let was_told = seen.calls[..*calls_before].iter().any(is_price);
        assert_eq!(was_told, version.number() < 26, "{version}");
        assert!(seen.calls.iter().any(is_price));
    }
}

#[test]
fn the_hash_of_a_transaction_from_l1_is_the_current_one_from_version_29_on() {
    for version in ProtocolVersion::all() {
        let folder = tempfile::tempdir().unwrap();
        let Some((loaded, _)) = mixed_batch(version, folder.path()) else {
            continue;
        };
        let seen = run_and_close(loaded);
        let layout = Layout::of(version);
        let names = ["current transaction hash", "current signed hash"];
        let slots = names.map(|name| (0..100).find(|&slot| layout.name(slot) == name).unwrap() as u32);
        let is_current = |index: usize| {
            let hash = U256::from_big_endian(seen.transactions[index].tx_hash.as_bytes());
            slots.map(|slot| seen.written.contains(&(slot, hash)))
        };
        // An upgrade, and a priority operation.
        for index in [0, 4] {
            assert_eq!(
                is_current(index),
                [version.number() >= 29; 2],
                "{version}, tx {index}"
            );
        }
    }
}

#[test]
fn a_call_without_target_tries_a_deployment_of_an_evm_contract_from_version_29_on() {
    // Init code that returns one word.
    let steps = r#"
        Upgrade(to: "ContractDeployer", function: "setAllowedBytecodeTypesToDeploy(uint8)", args: [1], expect: Success),
        Call(from: "alice", type: Eip1559, data: "0x60085f5260205ff3"),
    "#;
    for version in ProtocolVersion::all().filter(|version| version.number() >= 27) {
        let folder = tempfile::tempdir().unwrap();
        let Some((mut loaded, _)) = load(version, folder.path(), "", &format!("(steps: [{steps}])")) else {
            continue;
        };
        let Some(playground) = base::bootloader_for(version, "playground_batch") else {
            continue;
        };
        let system = &mut loaded.input.system;
        system.execution_mode = ExecutionMode::EthCall;
        system.bootloader.hash = hash_bytecode(&playground).unwrap();
        system.bootloader.words = bytes_to_words(&playground);
        let seen = run(loaded);
        let code = if version.number() < 29 {
            String::new()
        } else {
            format!("{:064x}", 8)
        };
        let result = &seen.transactions[1].run.result;
        assert_eq!(result["output"], format!("0x{code}"), "{version}: {result}");
    }
}
