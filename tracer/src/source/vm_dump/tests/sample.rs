//! A small dump with a transaction of each kind.

use eradbg_vm::bytecode;
use serde_json::{Value, json};

pub(super) fn repeated(byte: &str, bytes: usize) -> String {
    format!("0x{}", byte.repeat(bytes))
}

/// The hash of a bytecode of three words: 0, 0xabcd, and 0x23 in all bytes.
pub(super) fn code_hash() -> String {
    format!("{:#066x}", bytecode::hash_bytecode(&code()).unwrap())
}

pub(super) fn code() -> Vec<u8> {
    [[0; 32].as_slice(), &[0; 30], &[0xab, 0xcd], &[0x23; 32]].concat()
}

/// A dump with a transaction of each kind.
pub(super) fn sample() -> Value {
    let contract = json!({ "code": ["0x0", "0xabcd", repeated("23", 32)], "hash": code_hash() });
    let execute = json!({ "contractAddress": repeated("0b", 20), "calldata": "0x010203", "value": "0x7",
        "factoryDeps": [code()] });
    json!({
        "l1_batch_env": {
            "previous_batch_hash": repeated("01", 32), "number": 5, "timestamp": 1_700_000_000_u64,
            "fee_input": { "PubdataIndependent":
                { "fair_l2_gas_price": 1, "fair_pubdata_price": 2, "l1_gas_price": 3 } },
            "interop_fee": "0x10", "fee_account": repeated("02", 20), "enforced_base_fee": null,
            "first_l2_block": { "number": 8, "timestamp": 1_700_000_000_u64, "prev_block_hash": repeated("03", 32),
                "max_virtual_blocks_to_create": 1,
                "interop_roots": [{ "chain_id": 271, "block_number": 3, "sides": [repeated("04", 32)] }] },
            "settlement_layer": { "type": "Gateway", "chain_id": 506 } },
        "system_env": {
            "zk_porter_available": false, "version": "Version29",
            "base_system_smart_contracts":
                { "bootloader": contract, "default_aa": contract, "evm_emulator": contract },
            "bootloader_gas_limit": u32::MAX, "execution_mode": "VerifyExecute",
            "default_validation_computational_gas_limit": 300_000, "chain_id": 270 },
        "l2_blocks": [
            { "number": 8, "timestamp": 1_700_000_000_u64, "prev_block_hash": repeated("03", 32), "virtual_blocks": 1,
              "interop_roots": [], "txs": [
                { "common_data": { "L2": {
                    "nonce": 5,
                    "fee": { "gas_limit": "0x3e8", "max_fee_per_gas": "0x2", "max_priority_fee_per_gas": "0x1",
                        "gas_per_pubdata_limit": "0x320" },
                    "initiatorAddress": repeated("05", 20), "signature": [9, 8], "transactionType": "EIP712Transaction",
                    "input": { "hash": repeated("06", 32), "data": [113, 248] },
                    "paymasterParams": { "paymaster": repeated("07", 20), "paymasterInput": [1, 2] } } },
                  "execute": execute, "received_timestamp_ms": 1, "raw_bytes": "0x71f8" },
                { "common_data": { "L1": {
                    "sender": repeated("05", 20), "serialId": 17, "layer2TipFee": "0x0", "fullFee": "0x0",
                    "maxFeePerGas": "0x2", "gasLimit": "0x3e8", "gasPerPubdataLimit": "0x320",
                    "opProcessingType": "Common", "priorityQueueType": "Deque", "canonicalTxHash": repeated("06", 32),
                    "toMint": "0x9", "refundRecipient": repeated("08", 20), "deadlineBlock": 0,
                    "ethHash": repeated("00", 32), "ethBlock": 0 } },
                  "execute": execute, "received_timestamp_ms": 1, "raw_bytes": null },
                { "common_data": { "ProtocolUpgrade": {
                    "sender": repeated("05", 20), "upgradeId": "Version29", "maxFeePerGas": "0x2", "gasLimit": "0x3e8",
                    "gasPerPubdataLimit": "0x320", "canonicalTxHash": repeated("06", 32), "toMint": "0x9",
                    "refundRecipient": repeated("08", 20), "ethHash": repeated("00", 32), "ethBlock": 0 } },
                  "execute": execute, "received_timestamp_ms": 1, "raw_bytes": null }] },
            { "number": 9, "timestamp": 1_700_000_001_u64, "prev_block_hash": repeated("09", 32), "virtual_blocks": 2,
              "interop_roots": [], "txs": [] }],
        "storage": {
            "storage": { repeated("0a", 32): null, repeated("0b", 32): [repeated("0c", 32), 42],
                repeated("0d", 32): [repeated("0e", 32), 0] },
            "factory_deps": { code_hash(): format!("0x{}", hex::encode(code())) } }
    })
}
