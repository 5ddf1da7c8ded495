mod chain;

use std::collections::BTreeSet;

use eradbg_vm::batch::{Transaction, tx_type};
use eradbg_vm::pubdata::state_diff::derived_key;

use super::*;

const HEAD: &str = "accounts: { \"alice\": Rich(0), \"bob\": Rich(1), \"zoe\": Address(at: \"0x0000000000000000000000000000000000020000\") },
 contracts: { \"counter\": (code: Sample(\"counter\")), \"late\": (code: Bytecode(\"0x0000000000000000000000000000000000000000000000000000000000000000\"), deployed: false) },";

fn load_text(text: &str) -> Result<Loaded, String> {
    load_after(Contents::default(), text)
}

fn load_after(before: Contents, text: &str) -> Result<Loaded, String> {
    let loaded = load(Path::new("f.ron"), None, "f", text.as_bytes(), before);
    loaded.map_err(|error| error.to_string())
}

/// A scenario with these steps in its only block. The first step's line is 3.
fn load_steps(steps: &str) -> Result<Loaded, String> {
    load_text(&format!("({HEAD} blocks: [(steps: [\n{steps}])])"))
}

fn transactions(steps: &str) -> Vec<Transaction> {
    let input = load_steps(steps).unwrap_or_else(|error| panic!("{error}")).input;
    input.transactions().cloned().collect()
}

#[track_caller]
fn refused(steps: &str, message: &str) {
    let error = load_steps(steps).unwrap_err();
    assert_eq!(error, message);
}

#[test]
fn each_embedded_scenario_loads() {
    for scenario in embedded::SCENARIOS {
        let loaded = embedded(scenario.name).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(loaded.name, scenario.name);
        assert_eq!(loaded.expectations.len(), loaded.input.transactions().count());
        assert!(!loaded.listings.is_empty());
    }
    let error = embedded("nothing").unwrap_err().to_string();
    assert!(
        error.starts_with("there is no scenario \"nothing\"; there are demo"),
        "{error}"
    );
}

#[test]
fn an_empty_scenario_is_an_empty_batch_with_the_own_system() {
    let loaded = load_text("(blocks: [])").unwrap();
    let input = loaded.input;
    assert_eq!(input.blocks.len(), 1);
    assert_eq!(input.blocks[0].env, input.batch.first_l2_block);
    assert_eq!(
        (input.batch.number, input.batch.timestamp),
        (1, origin::TIMESTAMP)
    );
    assert_eq!((input.system.chain_id, input.system.version.number()), (270, 29));
    // What zksync-era takes for the hash of block 0.
    assert_eq!(
        format!("{:#x}", input.batch.first_l2_block.prev_block_hash),
        "0xe8e77626586f73b955364c7b4bbf0bb7f7685ebd40e852b164633a4acbd3244c"
    );
    assert!(loaded.script.links_blocks);
}

#[test]
fn nonces_are_counted_by_sender_and_skip_what_is_rejected_or_rolled_back() {
    let nonces: Vec<u64> = transactions(
        "Transfer(from: \"alice\", to: \"bob\"),
         Transfer(from: \"alice\", to: \"bob\", expect: Rejected(\"\")),
         Transfer(from: \"alice\", to: \"bob\", expect: Reverted(\"\")),
         Transfer(from: \"bob\", to: \"alice\"),
         Snapshot,
         Transfer(from: \"alice\", to: \"bob\"),
         RollBack,
         Transfer(from: \"alice\", to: \"bob\"),
         Snapshot,
         Transfer(from: \"alice\", to: \"bob\"),
         Transfer(from: \"alice\", to: \"bob\", expect: Rejected(\"\")),
         Transfer(from: \"alice\", to: \"bob\"),
         Release,
         Transfer(from: \"alice\", to: \"bob\", nonce: 10),
         Transfer(from: \"alice\", to: \"bob\"),",
    )
    .iter()
    .map(|transaction| transaction.nonce.as_u64())
    .collect();
    assert_eq!(nonces, [0, 1, 1, 0, 2, 2, 3, 4, 3, 10, 11]);
}

#[test]
fn the_script_names_transactions_before_and_after_which_it_acts() {
    let loaded = load_steps(
        "Transfer(from: \"alice\", to: \"bob\"),
         Snapshot, Transfer(from: \"alice\", to: \"bob\"), Transfer(from: \"alice\", to: \"bob\"), RollBack,
         Snapshot, Transfer(from: \"alice\", to: \"bob\"), Release",
    );
    let script = loaded.unwrap().script;
    assert_eq!(script.snapshots, BTreeSet::from([1, 3]));
    assert_eq!(script.rollbacks, BTreeSet::from([2]));
    assert_eq!(script.releases, BTreeSet::from([3]));
}

#[test]
fn fields_of_transactions_have_defaults_by_type() {
    let found = transactions(
        "Transfer(from: \"alice\", to: \"bob\", value: \"1 gwei\"),
         Transfer(from: \"alice\", to: \"bob\", type: Legacy),
         Priority(from: \"zoe\", to: \"bob\", value: 5),
         Upgrade(to: \"counter\"),",
    );
    let [eip_712, legacy, priority, upgrade] = &found[..] else {
        panic!("four transactions, not {}", found.len());
    };
    assert_eq!(
        (eip_712.tx_type, eip_712.value),
        (tx_type::EIP_712, 1_000_000_000.into())
    );
    assert_eq!(eip_712.max_fee_per_gas, FAIR_L2_GAS_PRICE.into());
    assert_eq!(eip_712.signature.len(), 65);
    assert_eq!(legacy.max_priority_fee_per_gas, legacy.max_fee_per_gas);
    assert_eq!(legacy.reserved[0], U256::one());
    assert_eq!(priority.tx_type, tx_type::PRIORITY);
    let fee = priority.gas_limit * priority.max_fee_per_gas;
    assert_eq!(priority.reserved[..2], [fee + 5, 0x2_0000.into()]);
    assert!(priority.signature.is_empty());
    assert_eq!((upgrade.tx_type, upgrade.nonce), (tx_type::UPGRADE, 29.into()));
    assert_eq!(upgrade.from, H160::from_low_u64_be(0x8007));
}

#[test]
fn a_call_of_an_ethereum_type_without_target_deploys() {
    let found = transactions("Call(from: \"alice\", type: Eip1559, data: \"0x6001\"),");
    assert_eq!((found[0].to, &found[0].data[..]), (None, &[0x60, 1][..]));
    assert_eq!(found[0].reserved[1], U256::one());
    refused(
        "Call(from: \"alice\", data: \"0x6001\")",
        "f.ron:3:1: blocks[0].steps[0].Call: the field `to` is missing",
    );
}

#[test]
fn wrong_signatures_differ_from_the_right_one() {
    let found = transactions(
        "Transfer(from: \"alice\", to: \"bob\", nonce: 0),
         Transfer(from: \"alice\", to: \"bob\", nonce: 0, signed_by: \"bob\"),
         Transfer(from: \"alice\", to: \"bob\", nonce: 0, corrupt_signature: true),
         Transfer(from: \"zoe\", to: \"bob\", signature: \"0x0102\"),",
    );
    let signatures: BTreeSet<&[u8]> = found
        .iter()
        .map(|transaction| &transaction.signature[..])
        .collect();
    assert_eq!(signatures.len(), 4);
    assert_eq!(found[3].signature, [1, 2]);
}

#[test]
fn a_deployment_calls_the_deployer_and_brings_the_code() {
    let found = transactions(
        "Deploy(from: \"alice\", contract: \"late\"),
         Call(from: \"alice\", to: \"late\"),
         Deploy(from: \"alice\", contract: \"late\", salt: 1, function: \"constructor(uint256)\", args: [7]),
         Call(from: \"alice\", to: \"late\"),",
    );
    assert_eq!(found[0].to, Some(H160::from_low_u64_be(0x8006)));
    assert_eq!(found[0].data[..4], [0x9c, 0x4d, 0x53, 0x5b]);
    assert_eq!(found[0].factory_deps, [vec![0; 32]]);
    // create2 with the same code gives another address.
    assert_ne!(found[1].to, found[3].to);
    assert_eq!(found[2].data[..4], [0x3c, 0xda, 0x33, 0x51]);
    assert_eq!(found[2].data.len(), 4 + 5 * 32);
}

#[test]
fn storage_may_be_given_by_mapping_and_name() {
    let loaded = load_text(
        "(accounts: { \"alice\": Rich(0) },
          contracts: { \"counter\": (code: Sample(\"counter\"), address: \"0x0000000000000000000000000000000000030000\",
                                     storage: { \"5\": 6, \"1[alice]\": \"1 ether\", \"0x7\": \"alice\" }) },
          blocks: [])",
    );
    let slots = loaded.unwrap().input.storage.slots;
    let at = H160::from_low_u64_be(0x3_0000);
    let alice = U256::from_big_endian(&hex::decode("36615cf349d7f6344891b1e7ca7c72883f5dc049").unwrap());
    let value = |key| slots[&derived_key(at, key)].unwrap().0;
    assert_eq!(value(5.into()), 6.into());
    assert_eq!(value(7.into()), alice);
    assert_eq!(value(genesis::mapping_slot(alice, U256::one())), U256::exp10(18));
}

#[test]
fn mistakes_in_names_and_arguments_have_a_place() {
    refused(
        "Transfer(from: \"alice\", to: \"carl\")",
        "f.ron:3:30: blocks[0].steps[0].Transfer.to: there is no account or contract \"carl\"; \
         there are \"alice\", \"bob\", \"counter\", \"late\", \"zoe\"",
    );
    refused(
        "Transfer(from: \"alice\",\n to: \"late\")",
        "f.ron:4:7: blocks[0].steps[0].Transfer.to: the contract \"late\" is not deployed yet",
    );
    refused(
        "Transfer(from: \"zoe\", to: \"alice\")",
        "f.ron:3:17: blocks[0].steps[0].Transfer.from: \"zoe\" has no key to sign with, \
         expected an account with a key, or `signed_by` or `signature`",
    );
    refused(
        "Call(from: \"alice\", to: \"counter\",\n function: \"f(uint8)\", args: [\"256\"])",
        "f.ron:4:32: blocks[0].steps[0].Call.args: expected a number of at most 8 bits, found \"256\"",
    );
    refused(
        "Call(from: \"alice\", to: \"counter\",\n function: \"f(uint8)\", args: [])",
        "f.ron:4:13: blocks[0].steps[0].Call.args: f(uint8) takes 1 arguments, found 0",
    );
    refused(
        "Deploy(from: \"alice\", contract: \"bob\")",
        "f.ron:3:34: blocks[0].steps[0].Deploy.contract: \"bob\" is an account, expected a contract",
    );
}

#[test]
fn mistakes_in_steps_have_the_place_of_the_step() {
    for (steps, message) in [
        ("Transfer(from: \"alice\")", "Transfer: the field `to` is missing"),
        ("Transfer(to: \"alice\")", "Transfer: the field `from` is missing"),
        (
            "Transfer(from: \"alice\", to: \"bob\", args: [])",
            "Transfer: Transfer has no field `args`",
        ),
        (
            "Call(from: \"alice\", to: \"bob\", mint: 1)",
            "Call: Call has no field `mint`",
        ),
        (
            "Call(from: \"alice\", to: \"bob\", function: \"f()\", data: \"0x\")",
            "Call: has both `data` and `function` or `args`, expected one of them",
        ),
        (
            "RollBack",
            "RollBack: there is no snapshot, expected the step Snapshot before",
        ),
    ] {
        refused(steps, &format!("f.ron:3:1: blocks[0].steps[0].{message}"));
    }
    let transfer = "Transfer(from: \"alice\", to: \"bob\")";
    refused(
        &format!("Snapshot,\nSnapshot, {transfer}, Release"),
        "f.ron:4:1: blocks[0].steps[1].Snapshot: a snapshot is held already, expected RollBack or Release before",
    );
    refused(
        "Snapshot,\nRelease",
        "f.ron:4:1: blocks[0].steps[1].Release: there is no transaction since the snapshot",
    );
    refused(
        &format!("Snapshot, {transfer}"),
        "f.ron:3:1: blocks[0]: this snapshot is neither rolled back nor released in its block",
    );
}

#[test]
fn mistakes_in_values_and_shape_name_line_and_field() {
    for (steps, place, problem) in [
        ("Transfr(from: \"alice\")", "f.ron:3:", "Transfr"),
        (
            "Transfer(from: \"alice\",\n too: \"bob\")",
            "f.ron:4:",
            "Unexpected field named `too`",
        ),
        (
            "Transfer(from: \"alice\",\n value: \"1 pound\")",
            "f.ron:4:",
            "blocks[0].steps[0].Transfer.value: ",
        ),
        (
            "Call(from: \"alice\", to: \"bob\",\n function: \"f(uint)\")",
            "f.ron:4:",
            "Call.function: write uint256 for uint",
        ),
        (
            "Transfer(from: \"alice\",\n\n expect: Sucess)",
            "f.ron:5:",
            "Transfer.expect: ",
        ),
        ("Transfer(from: \"alice\"", "f.ron:3:", ""),
    ] {
        let error = load_steps(steps).unwrap_err();
        assert!(
            error.starts_with(place) && error.contains(problem),
            "{steps}: {error}"
        );
    }
}

#[test]
fn mistakes_around_the_blocks_have_a_place() {
    for (text, message) in [
        (
            "(accounts: { \"a\": Rich(10) }, blocks: [])",
            "f.ron:1:15: accounts.a: there is no wallet 10, expected 0 to 9",
        ),
        (
            "(accounts: { \"a\": Rich(0) },\n contracts: { \"a\": (code: Sample(\"counter\")) }, blocks: [])",
            "f.ron:2:16: contracts.a: the name \"a\" is taken",
        ),
        (
            "(accounts: { \"0xa\": Rich(0) }, blocks: [])",
            "f.ron:1:15: accounts.0xa: a name has letters, digits, `_`, `-`, `.` or spaces, \
             and does not begin with 0x",
        ),
        (
            "(chain: (operator: \"eve\"), blocks: [])",
            "f.ron:1:21: chain.operator: there is no account or contract \"eve\"",
        ),
        (
            "(chain: (protocol_version: 28), blocks: [])",
            "f.ron: chain.protocol_version: eradbg's own bootloader has Version29, \
             expected a `base` with a bootloader of Version28",
        ),
        (
            "(chain: (protocol_version: 23), blocks: [])",
            "f.ron:1:28: chain.protocol_version: protocol version Version23 is not supported, \
             expected Version24 to Version31",
        ),
        (
            "(chain: (protocol_version: 32), blocks: [])",
            "f.ron:1:28: chain.protocol_version: protocol version Version32 is not supported, \
             expected Version24 to Version31",
        ),
        (
            "(contracts: { \"c\": (code: Assembly(\"c.asm\")) }, blocks: [])",
            "f.ron:1:37: contracts.c.code: an embedded scenario has no files beside it",
        ),
        (
            "(contracts: { \"c\": (code: Sample(\"counter\"), deployed: false, balance: 1) }, blocks: [])",
            "f.ron:1:16: contracts.c.balance: only a contract that is there from the start has this, \
             and `deployed` is false",
        ),
        (
            "(contracts: { \"c\": (code: Sample(\"counter\"), storage: { \"x\": 1 }) }, blocks: [])",
            "f.ron:1:58: contracts.c.storage.x: expected a slot, like \"3\", \"0x3\" or \"3[alice]\", found \"x\"",
        ),
    ] {
        assert_eq!(load_text(text).unwrap_err(), message);
    }
}

#[test]
fn files_of_contracts_are_looked_up_beside_the_scenario() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.ron");
    std::fs::write(
        &path,
        "(contracts: {\n\"c\": (code: Assembly(\"c.asm\")) }, blocks: [])",
    )
    .unwrap();
    let load = || crate::source::load(&path, None).map_err(|error| error.to_string());
    let error = load().unwrap_err();
    assert!(
        error.contains("s.ron:2:23: contracts.c.code: ") && error.ends_with("c.asm: no such file"),
        "{error}"
    );
    std::fs::write(folder.path().join("b.ron"), "(\n base: \"zkout\")").unwrap();
    let error = crate::source::load(&folder.path().join("b.ron"), None)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("b.ron:2:9: base: ") && error.contains("zkout is no folder"),
        "{error}"
    );
    std::fs::write(folder.path().join("c.asm"), ".text\nmain:\n  oops\n").unwrap();
    let error = load().unwrap_err();
    assert!(error.contains("c.asm:3: "), "{error}");
    std::fs::write(
        folder.path().join("c.asm"),
        ".text\nmain:\n  add 1, r0, r1\n  ret.ok r0\n",
    )
    .unwrap();
    let loaded = load().unwrap();
    assert_eq!(loaded.kind.to_string(), "scenario");
    assert!(loaded.listings.iter().any(|listing| listing.name == "c.asm"));
}

#[test]
fn the_documented_example_is_a_scenario() {
    let readme = include_str!("../../../../fixtures/scenarios/README.md");
    let example = readme
        .split("```ron\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("example.ron");
    std::fs::write(&path, example.unwrap()).unwrap();
    std::fs::write(folder.path().join("mine.asm"), ".text\nmain:\n  ret.ok r0\n").unwrap();
    let greeter = format!("{{\"bytecode\": {{\"object\": \"{}\"}}}}", "00".repeat(32));
    std::fs::write(folder.path().join("Greeter.json"), greeter).unwrap();
    let loaded = crate::source::load(&path, None).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(loaded.input.blocks.len(), 2);
    assert!(loaded.input.transactions().count() > 5);
}
