//! Every quirk of the format, tried on a small dump.

mod sample;
mod vectors;

use eradbg_vm::batch::{self, ExecutionMode, FeeInput, Transaction, tx_type};
use primitive_types::{H160, H256, U256};
use serde_json::{Value, json};

use self::sample::{code, repeated, sample};
use super::*;

/// The place of the sample's L2 transaction.
const L2: &str = "/l2_blocks/0/txs/0/common_data/L2";

fn parsed(dump: &Value) -> BatchInput {
    parse(Path::new("dump.json"), dump.to_string().as_bytes()).unwrap()
}

/// Replaces the value at a JSON pointer, or adds it.
fn set(dump: &mut Value, pointer: &str, value: Value) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match dump.pointer_mut(parent).unwrap() {
        Value::Object(object) => _ = object.insert(key.to_owned(), value),
        Value::Array(array) => array[key.parse::<usize>().unwrap()] = value,
        _ => panic!("{parent} holds nothing"),
    }
}

fn remove(dump: &mut Value, pointer: &str) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    dump.pointer_mut(parent)
        .unwrap()
        .as_object_mut()
        .unwrap()
        .remove(key)
        .unwrap();
}

fn with(pointer: &str, value: Value) -> Value {
    let mut dump = sample();
    set(&mut dump, pointer, value);
    dump
}

/// Returns the error for the sample with a value replaced, without file, line and column.
fn error(pointer: &str, value: Value) -> String {
    error_of(&with(pointer, value))
}

fn error_of(dump: &Value) -> String {
    let message = parse(Path::new("dump.json"), dump.to_string().as_bytes())
        .unwrap_err()
        .to_string();
    let message = message.strip_prefix("dump.json:").unwrap();
    message
        .trim_start_matches(|c: char| c.is_ascii_digit() || c == ':')
        .trim_start()
        .to_owned()
}

fn first_tx(dump: &Value) -> Transaction {
    parsed(dump).blocks[0].transactions[0].clone()
}

#[test]
fn environments_are_read_in_full() {
    let input = parsed(&sample());
    let batch = &input.batch;
    assert_eq!(batch.previous_batch_hash, Some(H256::repeat_byte(1)));
    assert_eq!((batch.number, batch.timestamp), (5, 1_700_000_000));
    assert_eq!(batch.fee_account, H160::repeat_byte(2));
    assert_eq!((batch.enforced_base_fee, batch.interop_fee), (None, 0x10.into()));
    assert_eq!(batch.settlement_layer_chain_id, 506);
    let prices = FeeInput::PubdataIndependent {
        fair_l2_gas_price: 1,
        fair_pubdata_price: 2,
        l1_gas_price: 3,
    };
    assert_eq!(batch.fee_input, prices);
    let root = batch::InteropRoot {
        chain_id: 271,
        block_number: 3,
        sides: vec![H256::repeat_byte(4)],
    };
    assert_eq!(batch.first_l2_block.interop_roots, [root]);

    let system = &input.system;
    assert_eq!((system.version.number(), system.chain_id), (29, 270));
    assert_eq!(system.execution_mode, ExecutionMode::VerifyExecute);
    assert_eq!(
        (system.bootloader_gas_limit, system.validation_gas_limit),
        (u32::MAX, 300_000)
    );
    let words = [U256::zero(), 0xabcd.into(), U256::from_big_endian(&[0x23; 32])];
    for contract in [
        &system.bootloader,
        &system.default_account,
        system.evm_emulator.as_ref().unwrap(),
    ] {
        assert_eq!(contract.words, words);
        assert_eq!(contract.hash, bytecode::hash_bytecode(&code()).unwrap());
    }
}

#[test]
fn first_block_is_that_of_the_batch_environment() {
    let input = parsed(&with("/l2_blocks/0/virtual_blocks", json!(77)));
    assert_eq!(input.blocks[0].env, input.batch.first_l2_block);
    assert_eq!(input.blocks[0].env.max_virtual_blocks, 1);
    let second = &input.blocks[1].env;
    assert_eq!(
        (second.number, second.timestamp, second.max_virtual_blocks),
        (9, 1_700_000_001, 2)
    );
    assert_eq!(second.prev_block_hash, H256::repeat_byte(9));

    let without_blocks = parsed(&with("/l2_blocks", json!([])));
    assert_eq!(without_blocks.blocks.len(), 1);
    assert_eq!(without_blocks.blocks[0].env, without_blocks.batch.first_l2_block);
}

#[test]
fn slots_keep_absent_and_zero_indexes_apart() {
    let storage = parsed(&sample()).storage;
    let slot = |byte| storage.slots.get(&H256::repeat_byte(byte));
    assert_eq!(slot(0x0a), Some(&None));
    assert_eq!(slot(0x0b), Some(&Some((U256::from_big_endian(&[0x0c; 32]), 42))));
    assert_eq!(slot(0x0d), Some(&Some((U256::from_big_endian(&[0x0e; 32]), 0))));
    assert_eq!(slot(0x0f), None);
    assert_eq!(
        storage.factory_deps,
        [(bytecode::hash_bytecode(&code()).unwrap(), code())].into()
    );
}

#[test]
fn l2_transaction_is_put_in_the_bootloaders_terms() {
    let expected = Transaction {
        tx_type: tx_type::EIP_712,
        from: H160::repeat_byte(5),
        to: Some(H160::repeat_byte(0x0b)),
        gas_limit: 1_000.into(),
        gas_per_pubdata_limit: 800.into(),
        max_fee_per_gas: 2.into(),
        max_priority_fee_per_gas: 1.into(),
        paymaster: H160::repeat_byte(7),
        nonce: 5.into(),
        value: 7.into(),
        reserved: [U256::zero(); 4],
        data: vec![1, 2, 3],
        signature: vec![9, 8],
        factory_deps: vec![code()],
        paymaster_input: vec![1, 2],
        reserved_dynamic: vec![],
        signed_bytes: Some(vec![0x71, 0xf8]),
        known_hash: Some(H256::repeat_byte(6)),
    };
    assert_eq!(first_tx(&sample()), expected);
}

#[test]
fn l1_transactions_carry_mint_and_refund_recipient() {
    let input = parsed(&sample());
    let reserved = [
        9.into(),
        U256::from_big_endian(&[8; 20]),
        U256::zero(),
        U256::zero(),
    ];
    let expected = [(tx_type::PRIORITY, 17), (tx_type::UPGRADE, 29)];
    for (tx, (tx_type, nonce)) in input.blocks[0].transactions[1..].iter().zip(expected) {
        assert_eq!(
            (tx.tx_type, tx.nonce, tx.reserved),
            (tx_type, nonce.into(), reserved)
        );
        assert_eq!(
            (tx.from, tx.to),
            (H160::repeat_byte(5), Some(H160::repeat_byte(0x0b)))
        );
        assert_eq!(
            (tx.gas_limit, tx.gas_per_pubdata_limit),
            (1_000.into(), 800.into())
        );
        assert_eq!(
            (tx.max_fee_per_gas, tx.max_priority_fee_per_gas),
            (2.into(), 0.into())
        );
        assert_eq!(
            (tx.value, &tx.data[..], &tx.signature[..]),
            (7.into(), &[1, 2, 3][..], &[][..])
        );
        assert_eq!(
            (tx.factory_deps.len(), tx.known_hash),
            (1, Some(H256::repeat_byte(6)))
        );
    }
}

#[test]
fn ethereum_types_have_the_largest_pubdata_price_limit() {
    for (name, number) in [
        ("LegacyTransaction", 0),
        ("EIP2930Transaction", 1),
        ("EIP1559Transaction", 2),
        ("EIP712Transaction", 0x71),
    ] {
        let tx = first_tx(&with(&format!("{L2}/transactionType"), json!(name)));
        assert_eq!(tx.tx_type, number);
        assert_eq!(
            tx.gas_per_pubdata_limit,
            if number == 0x71 { 800.into() } else { 50_000.into() }
        );
    }
}

#[test]
fn legacy_transaction_is_marked_if_its_signature_covers_the_chain_id() {
    // RLP list of six empty strings, v, and two more empty strings; v is 37 (chain 1) or 27 (none).
    let signed = |v: u8| json!({ "hash": repeated("06", 32), "data": [0xc9, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, v, 0x80, 0x80] });
    for (tx_type, input, marked) in [
        ("LegacyTransaction", signed(37), 1),
        ("LegacyTransaction", signed(27), 0),
        ("LegacyTransaction", Value::Null, 0),
        ("EIP1559Transaction", signed(37), 0),
    ] {
        let mut dump = with(&format!("{L2}/transactionType"), json!(tx_type));
        set(&mut dump, &format!("{L2}/input"), input);
        assert_eq!(first_tx(&dump).reserved, [marked, 0, 0, 0].map(U256::from));
    }
}

#[test]
fn deployment_of_an_evm_contract_has_no_target() {
    let tx = first_tx(&with("/l2_blocks/0/txs/0/execute/contractAddress", Value::Null));
    assert_eq!((tx.to, tx.reserved[1]), (None, U256::one()));
}

#[test]
fn signed_bytes_come_from_either_field_or_none() {
    let mut dump = with("/l2_blocks/0/txs/0/raw_bytes", Value::Null);
    assert_eq!(first_tx(&dump).signed_bytes, Some(vec![113, 248]));
    set(&mut dump, &format!("{L2}/input"), Value::Null);
    let tx = first_tx(&dump);
    assert_eq!((tx.signed_bytes, tx.known_hash), (None, None));
}

#[test]
fn fields_of_other_versions_may_be_absent_or_added() {
    let mut dump = sample();
    for pointer in [
        "/l1_batch_env/interop_fee",
        "/l1_batch_env/settlement_layer",
        "/l1_batch_env/first_l2_block/interop_roots",
        "/l1_batch_env/enforced_base_fee",
        "/l1_batch_env/previous_batch_hash",
        "/system_env/base_system_smart_contracts/evm_emulator",
        "/system_env/zk_porter_available",
        "/l2_blocks/0/interop_roots",
        "/l2_blocks/0/txs/0/raw_bytes",
        "/l2_blocks/0/txs/1/common_data/L1/deadlineBlock",
        "/l2_blocks/0/txs/1/common_data/L1/ethHash",
        "/l2_blocks/0/txs/1/common_data/L1/ethBlock",
        "/l2_blocks/0/txs/2/common_data/ProtocolUpgrade/ethBlock",
    ] {
        remove(&mut dump, pointer);
    }
    set(&mut dump, "/l2_blocks/0/txs/1/execute/factoryDeps", Value::Null);
    set(
        &mut dump,
        "/l1_batch_env/pubdata_limit",
        json!([1, { "x": null }]),
    );
    set(&mut dump, "/unheard_of", json!("?"));
    let input = parsed(&dump);
    assert_eq!(
        (input.batch.interop_fee, input.batch.settlement_layer_chain_id),
        (U256::zero(), 1)
    );
    assert_eq!(
        (input.batch.enforced_base_fee, input.batch.previous_batch_hash),
        (None, None)
    );
    assert_eq!(input.batch.first_l2_block.interop_roots, []);
    assert_eq!(input.system.evm_emulator, None);
    assert!(input.blocks[0].transactions[1].factory_deps.is_empty());
}

#[test]
fn pegged_fee_input_and_textual_chain_id_are_read() {
    let pegged = json!({ "L1Pegged": { "fair_l2_gas_price": 1, "l1_gas_price": 3 } });
    let input = parsed(&with("/l1_batch_env/fee_input", pegged));
    assert_eq!(
        input.batch.fee_input,
        FeeInput::L1Pegged {
            fair_l2_gas_price: 1,
            l1_gas_price: 3
        }
    );
    assert_eq!(
        parsed(&with("/system_env/chain_id", json!("271")))
            .system
            .chain_id,
        271
    );
}

#[test]
fn wrong_shapes_are_named_with_path_and_expectation() {
    let cases = [
        (
            "/l2_blocks/0/txs/1/execute/value",
            json!("0xzz"),
            "l2_blocks[0].txs[1].execute.value: invalid value: string \"0xzz\", \
             expected a number of at most 64 hex digits",
        ),
        (
            "/system_env/version",
            json!("Version23"),
            "system_env.version: protocol version Version23 is not supported, expected Version24 to Version31",
        ),
        (
            "/system_env/version",
            json!("Version32"),
            "system_env.version: protocol version Version32 is not supported, expected Version24 to Version31",
        ),
        (
            "/system_env/execution_mode",
            json!("Verify"),
            "system_env.execution_mode: unknown variant `Verify`, \
             expected one of `VerifyExecute`, `EstimateFee`, `EthCall`",
        ),
        (
            "/system_env/execution_mode",
            json!(5),
            "system_env.execution_mode: invalid type: integer `5`, expected a name",
        ),
        (
            "/l2_blocks/0/txs/0/common_data/L2/signature",
            json!([1, 256]),
            "l2_blocks[0].txs[0].common_data.L2.signature[1]: invalid value: integer `256`, expected u8",
        ),
        (
            "/l1_batch_env/fee_account",
            Value::Null,
            "l1_batch_env.fee_account: invalid type: null, expected 20 bytes as 40 hex digits",
        ),
        (
            "/l2_blocks/0/txs/0/common_data",
            json!({ "L3": {} }),
            "l2_blocks[0].txs[0].common_data: unknown variant `L3`, expected one of `L1`, `L2`, `ProtocolUpgrade`",
        ),
    ];
    for (pointer, value, expected) in cases {
        assert_eq!(error(pointer, value), expected);
    }
    let mut dump = sample();
    remove(&mut dump, "/system_env");
    assert_eq!(error_of(&dump), "missing field `system_env`");
    let mut dump = sample();
    remove(&mut dump, &format!("{L2}/fee/gas_limit"));
    assert_eq!(
        error_of(&dump),
        "l2_blocks[0].txs[0].common_data.L2.fee: missing field `gas_limit`"
    );
    let slot = format!("/storage/storage/{}", repeated("0b", 32));
    assert_eq!(
        error(&slot, json!([repeated("0c", 32)])),
        format!(
            "storage.storage.{}: invalid length 1, expected a tuple of size 2",
            repeated("0b", 32)
        )
    );
}

#[test]
fn bytecode_that_does_not_have_its_hash_is_named() {
    let wrong_hash = format!("{:#066x}", bytecode::hash_bytecode(&code()).unwrap() - 1);
    for (contract, name) in [
        ("bootloader", "bootloader"),
        ("default_aa", "default_aa"),
        ("evm_emulator", "evm_emulator"),
    ] {
        let place = format!("system_env.base_system_smart_contracts.{name}: ");
        let code = format!("/system_env/base_system_smart_contracts/{contract}/code/1");
        assert!(error(&code, json!("0xabce")).starts_with(&place));
    }
    let mut dump = sample();
    set(
        &mut dump,
        &format!("/storage/factory_deps/{wrong_hash}"),
        json!(format!("0x{}", hex::encode(code()))),
    );
    assert!(error_of(&dump).starts_with(&format!("storage.factory_deps.{wrong_hash}: ")));
    let even = json!([[0, 0]]);
    let message = error("/l2_blocks/0/txs/2/execute/factoryDeps", even);
    assert!(message.starts_with("l2_blocks[0].txs[2].execute.factoryDeps[0]: "));
}

#[test]
fn every_truncation_of_a_dump_is_an_error_with_a_place() {
    let text = serde_json::to_string_pretty(&sample()).unwrap();
    for length in (1..text.len()).step_by(97) {
        let message = parse(Path::new("dump.json"), &text.as_bytes()[..length])
            .unwrap_err()
            .to_string();
        assert!(
            message.ends_with("the JSON ends too early, the file is truncated"),
            "{message}"
        );
        assert!(message.lines().count() == 1 && message.len() < 300, "{message}");
    }
}
