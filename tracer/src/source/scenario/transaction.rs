//! A step's fields into a signed transaction.

use eradbg_vm::batch::{MAX_GAS_PER_PUBDATA_BYTE, Transaction, l2_reserved_words, tx_type};
use eradbg_vm::storage::{CONTRACT_DEPLOYER, system_address};
use eradbg_vm::value::word_of;
use primitive_types::{H160, U256};

use super::abi::{AbiError, Arg, Function, Names};
use super::format::{self, TransactionKind, TransactionType};
use super::names::Directory;
use super::nonces;
use super::steps::Counters;
use super::text::{File, Text};
use super::value::Number;
use super::wallet;
use crate::chain::Contents;
use crate::source::error::InputError;

/// Gas limit of a transaction that does not say otherwise.
const GAS_LIMIT: u64 = 10_000_000;
/// Gas limit of an upgrade that does not say otherwise, as zksync-era's upgrades have it.
const UPGRADE_GAS_LIMIT: u64 = 72_000_000;
/// Gas per byte of pubdata of transactions from L1 (`REQUIRED_L1_TO_L2_GAS_PER_PUBDATA_BYTE` in zksync-era).
const L1_GAS_PER_PUBDATA: u64 = 800;
/// Who sends upgrades, and the contract that they call.
const FORCE_DEPLOYER: H160 = system_address(0x8007);
const COMPLEX_UPGRADER: H160 = system_address(0x800f);

/// What all transactions need to know of their batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parameters {
    pub(super) chain_id: u64,
    pub(super) protocol_version: u16,
    pub(super) base_fee: u64,
}

/// What a transaction is made with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Maker<'m> {
    pub(super) directory: &'m Directory,
    pub(super) parameters: Parameters,
    pub(super) start: &'m Contents,
    pub(super) counters: &'m Counters,
}

/// A transaction's step while it is read: for its errors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'p, 'a> {
    pub(super) file: File<'p>,
    /// `blocks[0].steps[2].Call`.
    pub(super) at: &'p str,
    /// The step's name.
    pub(super) name: &'p Text<'a>,
}

type Result<T> = std::result::Result<T, InputError>;

impl Maker<'_> {
    /// Makes the transaction of a step.
    pub(super) fn make(
        &self,
        place: Place,
        kind: TransactionKind,
        fields: &format::Transaction,
    ) -> Result<Transaction> {
        if let Some(field) = fields.misplaced_field(kind) {
            return Err(place.wrong(format_args!("{kind:?} has no field `{field}`")));
        }
        match kind {
            TransactionKind::Transfer | TransactionKind::Call | TransactionKind::Deploy => {
                let transaction = self.l2_transaction(place, kind, fields)?;
                let signature = self.signature(place, fields, &transaction)?;
                Ok(Transaction {
                    signature,
                    ..transaction
                })
            }
            TransactionKind::Priority => self.priority_transaction(place, fields),
            TransactionKind::Upgrade => self.upgrade_transaction(place, fields),
        }
    }

    fn l2_transaction(
        &self,
        place: Place,
        kind: TransactionKind,
        fields: &format::Transaction,
    ) -> Result<Transaction> {
        let from = self.required(place, "from", fields.from.as_ref())?;
        let is_ethereum_call =
            kind == TransactionKind::Call && fields.r#type.is_some_and(TransactionType::is_ethereum);
        let (to, data) = match kind {
            TransactionKind::Deploy => (Some(CONTRACT_DEPLOYER), self.deployment(place, fields)?),
            // Ethereum's way to deploy a contract.
            _ if is_ethereum_call && fields.to.is_none() => (None, self.calldata(place, fields)?),
            _ => {
                let to = self.required(place, "to", fields.to.as_ref())?;
                (Some(to), self.calldata(place, fields)?)
            }
        };
        let base_fee = U256::from(self.parameters.base_fee);
        let max_fee = given(fields.max_fee, base_fee);
        let kind = fields.r#type.unwrap_or_default();
        let is_legacy = matches!(kind, TransactionType::Legacy | TransactionType::Eip2930);
        let priority_fee = if is_legacy { max_fee } else { U256::zero() };
        let tx_type = match kind {
            TransactionType::Legacy => tx_type::LEGACY,
            TransactionType::Eip2930 => tx_type::EIP_2930,
            TransactionType::Eip1559 => tx_type::EIP_1559,
            TransactionType::Eip712 => tx_type::EIP_712,
        };
        let mut reserved = l2_reserved_words(tx_type, to, None);
        // Its signature covers the chain id.
        reserved[0] = u64::from(tx_type == tx_type::LEGACY).into();
        let counted = self.counters.nonces.get(&from).copied();
        let nonce = counted.unwrap_or_else(|| nonces::transactions(self.start, from));
        let paymaster = self.optional(place, "paymaster", fields.paymaster.as_ref())?;
        Ok(Transaction {
            tx_type,
            from,
            to,
            gas_limit: given(fields.gas_limit, GAS_LIMIT),
            gas_per_pubdata_limit: given(fields.gas_per_pubdata, MAX_GAS_PER_PUBDATA_BYTE),
            max_fee_per_gas: max_fee,
            max_priority_fee_per_gas: given(fields.priority_fee, priority_fee),
            paymaster: paymaster.unwrap_or_default(),
            nonce: given(fields.nonce, nonce),
            value: given(fields.value, 0),
            reserved,
            data,
            factory_deps: self.factory_deps(place, fields)?,
            paymaster_input: fields
                .paymaster_input
                .as_ref()
                .map_or_else(Vec::new, |bytes| bytes.0.clone()),
            ..Transaction::default()
        })
    }

    fn priority_transaction(&self, place: Place, fields: &format::Transaction) -> Result<Transaction> {
        let from = self.required(place, "from", fields.from.as_ref())?;
        let to = self.required(place, "to", fields.to.as_ref())?;
        let gas_limit = given(fields.gas_limit, GAS_LIMIT);
        let max_fee = given(fields.max_fee, self.parameters.base_fee);
        let value = given(fields.value, 0);
        let needed = gas_limit.saturating_mul(max_fee).saturating_add(value);
        let recipient = self.optional(place, "refund_recipient", fields.refund_recipient.as_ref())?;
        Ok(Transaction {
            tx_type: tx_type::PRIORITY,
            from,
            to: Some(to),
            gas_limit,
            gas_per_pubdata_limit: given(fields.gas_per_pubdata, L1_GAS_PER_PUBDATA),
            max_fee_per_gas: max_fee,
            nonce: given(fields.nonce, self.counters.priority_operations),
            value,
            reserved: l1_reserved_words(given(fields.mint, needed), recipient.unwrap_or(from)),
            data: self.calldata(place, fields)?,
            factory_deps: self.factory_deps(place, fields)?,
            ..Transaction::default()
        })
    }

    fn upgrade_transaction(&self, place: Place, fields: &format::Transaction) -> Result<Transaction> {
        let from = self.optional(place, "from", fields.from.as_ref())?;
        let to = self.optional(place, "to", fields.to.as_ref())?;
        let recipient = self.optional(place, "refund_recipient", fields.refund_recipient.as_ref())?;
        let mint = given(fields.mint, 0);
        Ok(Transaction {
            tx_type: tx_type::UPGRADE,
            from: from.unwrap_or(FORCE_DEPLOYER),
            to: Some(to.unwrap_or(COMPLEX_UPGRADER)),
            gas_limit: given(fields.gas_limit, UPGRADE_GAS_LIMIT),
            gas_per_pubdata_limit: given(fields.gas_per_pubdata, L1_GAS_PER_PUBDATA),
            max_fee_per_gas: given(fields.max_fee, 0),
            nonce: given(fields.nonce, u64::from(self.parameters.protocol_version)),
            value: given(fields.value, 0),
            reserved: l1_reserved_words(mint, recipient.unwrap_or_default()),
            data: self.calldata(place, fields)?,
            factory_deps: self.factory_deps(place, fields)?,
            ..Transaction::default()
        })
    }

    fn signature(
        &self,
        place: Place,
        fields: &format::Transaction,
        transaction: &Transaction,
    ) -> Result<Vec<u8>> {
        let mut signature = if let Some(given) = &fields.signature {
            given.0.clone()
        } else {
            let (field, signer) = match (&fields.signed_by, &fields.from) {
                (Some(signer), _) => ("signed_by", signer),
                (None, Some(from)) => ("from", from),
                (None, None) => return Err(place.missing("from")),
            };
            let key = self.directory.key(signer.as_str()).ok_or_else(|| {
                let problem = format!(
                    "\"{}\" has no key to sign with, expected an account with a key, or `signed_by` or `signature`",
                    signer.as_str()
                );
                place.error(signer, field, problem)
            })?;
            wallet::sign(transaction, self.parameters.chain_id, key)
        };
        if fields.corrupt_signature == Some(true) {
            // The lowest bit of s: the signature stays well-formed, but is another one's.
            if let Some(byte) = signature.get_mut(63) {
                *byte ^= 1;
            }
        }
        Ok(signature)
    }

    /// Calldata of `ContractDeployer` for a new contract.
    fn deployment(&self, place: Place, fields: &format::Transaction) -> Result<Vec<u8>> {
        let contract = fields
            .contract
            .as_ref()
            .ok_or_else(|| place.missing("contract"))?;
        let code = self
            .directory
            .code(contract.as_str())
            .map_err(|problem| place.error(contract, "contract", problem))?;
        let input = self.constructor_input(place, fields)?;
        let (create, salt) = match fields.salt {
            Some(salt) => ("create2(bytes32,bytes32,bytes)", salt.0),
            None => ("create(bytes32,bytes32,bytes)", U256::zero()),
        };
        let args = [
            format!("{salt:#066x}"),
            format!("{:#066x}", code.hash),
            format!("0x{}", hex::encode(input)),
        ];
        let args = args.map(|text| Arg::Text(text.into()));
        let function = Function::parse(create.to_owned().into()).expect("the constant is a signature");
        let encoded = function
            .encode(&args, self.directory)
            .expect("the arguments are spelt as their types");
        Ok([&function.selector()[..], &encoded].concat())
    }

    fn constructor_input(&self, place: Place, fields: &format::Transaction) -> Result<Vec<u8>> {
        match (&fields.function, &fields.args) {
            (None, None) => Ok(Vec::new()),
            (Some(function), args) => self.encode(place, function, args.as_deref().unwrap_or_default()),
            (None, Some(_)) => Err(place.wrong(
                "`args` need the constructor's signature, like function: \"constructor(address,uint256)\"",
            )),
        }
    }

    fn calldata(&self, place: Place, fields: &format::Transaction) -> Result<Vec<u8>> {
        match (&fields.function, &fields.args, &fields.data) {
            (None, None, None) => Ok(Vec::new()),
            (None, None, Some(data)) => Ok(data.0.clone()),
            (Some(function), args, None) => {
                let args = self.encode(place, function, args.as_deref().unwrap_or_default())?;
                Ok([&function.selector()[..], &args].concat())
            }
            (None, Some(_), None) => Err(place
                .wrong("`args` need the function's signature, like function: \"transfer(address,uint256)\"")),
            (_, _, Some(_)) => {
                Err(place.wrong("has both `data` and `function` or `args`, expected one of them"))
            }
        }
    }

    fn encode<'a>(&self, place: Place<'_, 'a>, function: &Function<'a>, args: &[Arg<'a>]) -> Result<Vec<u8>> {
        let encoded = function.encode(args, self.directory);
        encoded.map_err(|AbiError { argument, problem }| match argument {
            Some(argument) => place.error(argument, "args", problem),
            None => place.error(&function.text, "args", problem),
        })
    }

    /// Bytecodes that the transaction brings along: that of the contract that it deploys first.
    fn factory_deps(&self, place: Place, fields: &format::Transaction) -> Result<Vec<Vec<u8>>> {
        let listed = fields.factory_deps.iter().flatten();
        let named = fields.contract.iter().map(|name| ("contract", name));
        let mut bytecodes: Vec<Vec<u8>> = Vec::new();
        for (field, name) in named.chain(listed.map(|name| ("factory_deps", name))) {
            let code = self.directory.code(name.as_str());
            let code = code.map_err(|problem| place.error(name, field, problem))?;
            for bytes in std::iter::once(&code.bytes).chain(&code.dependencies) {
                if !bytecodes.contains(bytes) {
                    bytecodes.push(bytes.clone());
                }
            }
        }
        Ok(bytecodes)
    }

    fn required(&self, place: Place, field: &str, name: Option<&Text>) -> Result<H160> {
        self.optional(place, field, name)?
            .ok_or_else(|| place.missing(field))
    }

    fn optional(&self, place: Place, field: &str, name: Option<&Text>) -> Result<Option<H160>> {
        let address = |name: &Text| {
            self.directory
                .address(name.as_str())
                .map_err(|problem| place.error(name, field, problem))
        };
        name.map(address).transpose()
    }
}

impl Place<'_, '_> {
    fn error(&self, text: &Text, field: &str, problem: String) -> InputError {
        self.file
            .error(text, format_args!("{}.{field}", self.at), problem)
    }

    pub(super) fn wrong(&self, problem: impl std::fmt::Display) -> InputError {
        self.file.error(self.name, self.at, problem)
    }

    fn missing(&self, field: &str) -> InputError {
        self.wrong(format_args!("the field `{field}` is missing"))
    }
}

fn given(number: Option<Number>, default: impl Into<U256>) -> U256 {
    number.map_or_else(|| default.into(), |number| number.0)
}

/// Words of an L1 transaction: what to mint, and who gets what is left.
fn l1_reserved_words(mint: U256, refund_recipient: H160) -> [U256; 4] {
    [mint, word_of(refund_recipient), U256::zero(), U256::zero()]
}
