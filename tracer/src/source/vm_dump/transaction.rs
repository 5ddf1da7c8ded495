//! Transactions in a VM dump: `Transaction` of zksync-era's `core/lib/types`, in the bootloader's terms.

use eradbg_vm::batch::{self, MAX_GAS_PER_PUBDATA_BYTE, l2_reserved_words, tx_type};
use primitive_types::{H160, U256};
use serde::Deserialize;

use crate::source::wire::{self, Address, Bytes, Hash, Quantity, VersionNumber};

#[derive(Deserialize)]
pub(super) struct Transaction {
    common_data: CommonData,
    execute: Execute,
    raw_bytes: Option<Bytes>,
}

#[derive(Deserialize)]
enum CommonData {
    L1(Priority),
    L2(L2),
    ProtocolUpgrade(Upgrade),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Execute {
    contract_address: Option<Address>,
    calldata: Bytes,
    value: Quantity,
    factory_deps: Option<Vec<Vec<u8>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct L2 {
    nonce: u32,
    fee: Fee,
    initiator_address: Address,
    signature: Vec<u8>,
    #[serde(deserialize_with = "wire::name")]
    transaction_type: L2Type,
    input: Option<Input>,
    paymaster_params: PaymasterParams,
}

// Unlike everything around it, the fee is in snake case.
#[derive(Deserialize)]
struct Fee {
    gas_limit: Quantity,
    max_fee_per_gas: Quantity,
    max_priority_fee_per_gas: Quantity,
    gas_per_pubdata_limit: Quantity,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
enum L2Type {
    #[serde(rename = "LegacyTransaction")]
    Legacy,
    #[serde(rename = "EIP2930Transaction")]
    Eip2930,
    #[serde(rename = "EIP1559Transaction")]
    Eip1559,
    #[serde(rename = "EIP712Transaction")]
    Eip712,
}

#[derive(Deserialize)]
struct Input {
    hash: Hash,
    data: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PaymasterParams {
    paymaster: Address,
    paymaster_input: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Priority {
    sender: Address,
    serial_id: u64,
    max_fee_per_gas: Quantity,
    gas_limit: Quantity,
    gas_per_pubdata_limit: Quantity,
    canonical_tx_hash: Hash,
    to_mint: Quantity,
    refund_recipient: Address,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Upgrade {
    sender: Address,
    upgrade_id: VersionNumber,
    max_fee_per_gas: Quantity,
    gas_limit: Quantity,
    gas_per_pubdata_limit: Quantity,
    canonical_tx_hash: Hash,
    to_mint: Quantity,
    refund_recipient: Address,
}

impl From<Transaction> for batch::Transaction {
    fn from(tx: Transaction) -> Self {
        let common = match tx.common_data {
            CommonData::L1(priority) => priority.into_transaction(),
            CommonData::L2(l2) => l2.into_transaction(tx.execute.contract_address, tx.raw_bytes),
            CommonData::ProtocolUpgrade(upgrade) => upgrade.into_transaction(),
        };
        Self {
            to: tx.execute.contract_address.map(|address| address.0),
            value: tx.execute.value.0,
            data: tx.execute.calldata.0,
            factory_deps: tx.execute.factory_deps.unwrap_or_default(),
            ..common
        }
    }
}

impl L2 {
    fn into_transaction(self, to: Option<Address>, raw_bytes: Option<Bytes>) -> batch::Transaction {
        let input = self.input.as_ref();
        let tx_type = self.transaction_type.number();
        let reserved = l2_reserved_words(
            tx_type,
            to.map(|address| address.0),
            input.map(|input| input.data.as_slice()),
        );
        batch::Transaction {
            tx_type,
            from: self.initiator_address.0,
            gas_limit: self.fee.gas_limit.0,
            gas_per_pubdata_limit: match self.transaction_type {
                L2Type::Eip712 => self.fee.gas_per_pubdata_limit.0,
                L2Type::Legacy | L2Type::Eip2930 | L2Type::Eip1559 => MAX_GAS_PER_PUBDATA_BYTE.into(),
            },
            max_fee_per_gas: self.fee.max_fee_per_gas.0,
            max_priority_fee_per_gas: self.fee.max_priority_fee_per_gas.0,
            paymaster: self.paymaster_params.paymaster.0,
            nonce: self.nonce.into(),
            reserved,
            signature: self.signature,
            paymaster_input: self.paymaster_params.paymaster_input,
            known_hash: input.map(|input| input.hash.0),
            signed_bytes: raw_bytes
                .map(|bytes| bytes.0)
                .or(self.input.map(|input| input.data)),
            ..batch::Transaction::default()
        }
    }
}

impl L2Type {
    fn number(self) -> u8 {
        match self {
            Self::Legacy => tx_type::LEGACY,
            Self::Eip2930 => tx_type::EIP_2930,
            Self::Eip1559 => tx_type::EIP_1559,
            Self::Eip712 => tx_type::EIP_712,
        }
    }
}

impl Priority {
    fn into_transaction(self) -> batch::Transaction {
        batch::Transaction {
            tx_type: tx_type::PRIORITY,
            from: self.sender.0,
            gas_limit: self.gas_limit.0,
            gas_per_pubdata_limit: self.gas_per_pubdata_limit.0,
            max_fee_per_gas: self.max_fee_per_gas.0,
            nonce: self.serial_id.into(),
            reserved: l1_reserved_words(self.to_mint, self.refund_recipient),
            known_hash: Some(self.canonical_tx_hash.0),
            ..batch::Transaction::default()
        }
    }
}

impl Upgrade {
    fn into_transaction(self) -> batch::Transaction {
        batch::Transaction {
            tx_type: tx_type::UPGRADE,
            from: self.sender.0,
            gas_limit: self.gas_limit.0,
            gas_per_pubdata_limit: self.gas_per_pubdata_limit.0,
            max_fee_per_gas: self.max_fee_per_gas.0,
            nonce: self.upgrade_id.0.into(),
            reserved: l1_reserved_words(self.to_mint, self.refund_recipient),
            known_hash: Some(self.canonical_tx_hash.0),
            ..batch::Transaction::default()
        }
    }
}

fn l1_reserved_words(to_mint: Quantity, refund_recipient: Address) -> [U256; 4] {
    let H160(recipient) = refund_recipient.0;
    [
        to_mint.0,
        U256::from_big_endian(&recipient),
        U256::zero(),
        U256::zero(),
    ]
}
