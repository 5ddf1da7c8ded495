//! Scenarios that continue a chain.

use eradbg_vm::storage::{ACCOUNT_CODE_STORAGE, L2_BASE_TOKEN, StorageKey, system_address};
use eradbg_vm::value::word_of;

use super::super::genesis::mapping_slot;
use super::super::{deployment, nonces};
use super::*;
use crate::chain::{Head, Tip};

const FIRST: &str = "(accounts: { \"alice\": Rich(0) },
 contracts: { \"counter\": (code: Sample(\"counter\"), storage: { \"0\": 7 }) })";

/// What the first scenario set up, after a batch in which alice sent three transactions and deployed two contracts.
fn before() -> Contents {
    let mut contents = load_text(FIRST).unwrap().start.unwrap();
    let nonces = StorageKey {
        address: system_address(0x8003),
        key: mapping_slot(word_of(alice()), U256::zero()),
    };
    contents.set_up(&[(nonces, (U256::from(2) << 128) + 3)].into());
    let tip = |number, timestamp| Tip {
        number,
        timestamp,
        hash: H256::from_low_u64_be(timestamp),
    };
    contents.head = Some(Head {
        chain_id: 300,
        version: ProtocolVersion::new(29).unwrap(),
        batch: tip(8, 5000),
        l2_block: tip(40, 5003),
        next_index: contents.next_index(),
    });
    contents
}

fn alice() -> H160 {
    wallet::address_of(&wallet::rich_key(0).unwrap())
}

fn balance(contents: &Contents, account: H160) -> U256 {
    contents.value(StorageKey {
        address: L2_BASE_TOKEN,
        key: mapping_slot(word_of(account), U256::zero()),
    })
}

#[test]
fn a_batch_follows_the_last_one_of_its_chain_where_the_scenario_says_nothing() {
    let input = load_after(before(), "(blocks: [(steps: []), (steps: [])])")
        .unwrap()
        .input;
    let batch = &input.batch;
    assert_eq!(input.system.chain_id, 300);
    assert_eq!((batch.number, batch.timestamp), (9, 5004));
    assert_eq!(batch.previous_batch_hash, Some(H256::from_low_u64_be(5000)));
    let block = &batch.first_l2_block;
    assert_eq!((block.number, block.timestamp), (41, 5004));
    assert_eq!(block.prev_block_hash, H256::from_low_u64_be(5003));
    assert_eq!(input.blocks[1].env.number, 42);

    let text = "(batch: (number: 7, timestamp: 9000), blocks: [(number: 50, steps: [])])";
    let batch = load_after(before(), text).unwrap().input.batch;
    assert_eq!((batch.number, batch.timestamp), (7, 9000));
    let block = &batch.first_l2_block;
    assert_eq!((block.number, block.timestamp), (50, 9000));
}

#[test]
fn nonces_and_addresses_of_deployed_contracts_go_on() {
    let loaded = load_after(
        before(),
        "(accounts: { \"alice\": Rich(0), \"bob\": Rich(1) },
          contracts: { \"late\": (code: Sample(\"counter\"), deployed: false) },
          blocks: [(steps: [
              Deploy(from: \"alice\", contract: \"late\"),
              Call(from: \"alice\", to: \"late\"),
              Call(from: \"bob\", to: \"late\"),
          ])])",
    );
    let input = loaded.unwrap().input;
    let sent: Vec<_> = input.transactions().collect();
    let numbers: Vec<u64> = sent
        .iter()
        .map(|transaction| transaction.nonce.as_u64())
        .collect();
    assert_eq!(numbers, [3, 4, 0]);
    assert_eq!(sent[1].to, Some(deployment::create_address(alice(), 2)));
}

#[test]
fn what_is_there_stays_and_what_is_new_is_set_up() {
    let before = before();
    let bob = wallet::address_of(&wallet::rich_key(1).unwrap());
    let loaded = load_after(
        before.clone(),
        "(accounts: { \"alice\": Address(at: \"0x36615cf349d7f6344891b1e7ca7c72883f5dc049\", balance: 5), \"bob\": Rich(1) },
          contracts: { \"counter\": (code: Sample(\"counter\"), storage: { \"0\": 1, \"1\": 1 }, is_account: true) })",
    );
    let loaded = loaded.unwrap();
    let start = loaded.start.unwrap();
    assert_eq!(loaded.input.storage, start.snapshot());
    assert_eq!(balance(&start, bob), U256::exp10(24));
    // Bob's balance is all that is new, and only the sum of all balances has changed.
    assert_eq!(start.slots.len(), before.slots.len() + 1);
    let changed = before
        .slots
        .iter()
        .filter(|(key, slot)| start.slots[*key] != **slot);
    let changed: Vec<_> = changed.map(|(key, _)| (key.address, key.key)).collect();
    assert_eq!(changed, [(L2_BASE_TOKEN, U256::one())]);
    assert_eq!(start.next_index(), before.next_index() + 1);
    assert_eq!(nonces::transactions(&start, alice()), 3.into());
}

#[test]
fn a_scenario_of_another_chain_or_version_is_refused() {
    assert_eq!(
        load_after(before(), "(chain: (id: 270))").unwrap_err(),
        "f.ron: chain.id: is 270, expected 300 as in the state that the batch continues"
    );
    assert_eq!(
        load_after(before(), "(chain: (protocol_version: 30))").unwrap_err(),
        "f.ron: chain.protocol_version: is Version30, expected Version29 as in the state that the batch continues"
    );
    assert!(load_after(before(), "(chain: (id: 300, protocol_version: 29))").is_ok());
}

#[test]
fn other_code_at_a_taken_address_is_refused_with_its_place() {
    let error = load_after(
        before(),
        "(contracts: {\n \"counter\": (code: Sample(\"token\")) })",
    )
    .unwrap_err();
    assert!(
        error.starts_with("f.ron:2:3: contracts.counter.code: the state has other code at 0xc0de0000"),
        "{error}"
    );

    let nonce_holder = StorageKey {
        address: ACCOUNT_CODE_STORAGE,
        key: 0x8003.into(),
    };
    let mut before = before();
    before.set_up(&[(nonce_holder, 5.into())].into());
    let error = load_after(before, FIRST).unwrap_err();
    let expected = "f.ron: base (eradbg's own): the state has another system contract at \
                    0x0000000000000000000000000000000000008003, with code hash 0x00000000";
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn a_system_contract_of_the_scenario_goes_on_in_place_of_the_bases() {
    let text = "(contracts: { \"oracle\": (code: Sample(\"counter\"),
        address: \"0x0000000000000000000000000000000000008012\") })";
    let first = load_text(text).unwrap().start.unwrap();
    assert_eq!(load_after(first.clone(), text).unwrap().start.unwrap(), first);
    let error = load_after(first, "()").unwrap_err();
    assert!(
        error.contains("another system contract at 0x0000000000000000000000000000000000008012"),
        "{error}"
    );
}
