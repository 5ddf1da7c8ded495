//! The file's shape: what may stand where. What a scenario means is said in [`super`].

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, EnumAccess, Error, MapAccess, VariantAccess, Visitor};

use super::abi::{Arg, Function};
use super::text::{Identifier, Named, Text};
use super::value::{Address, Bytes, Hash, Key, Number, Version};
use crate::source::run::RunConfig;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scenario<'a> {
    #[serde(default, borrow)]
    pub(super) chain: Chain<'a>,
    #[serde(default)]
    pub(super) batch: Batch,
    #[serde(default, borrow)]
    pub(super) base: Option<Text<'a>>,
    #[serde(default)]
    pub(super) run: RunConfig,
    #[serde(default, borrow)]
    pub(super) accounts: Named<'a, Account>,
    #[serde(default, borrow)]
    pub(super) contracts: Named<'a, Contract<'a>>,
    #[serde(default, borrow)]
    pub(super) blocks: Vec<Block<'a>>,
}

/// What outlives a batch.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Chain<'a> {
    pub(super) id: Option<u64>,
    pub(super) protocol_version: Option<Version>,
    #[serde(borrow)]
    pub(super) operator: Option<Text<'a>>,
    pub(super) validation_gas_limit: Option<u32>,
}

/// The batch.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Batch {
    pub(super) number: Option<u32>,
    pub(super) timestamp: Option<u64>,
    pub(super) fair_l2_gas_price: Option<u64>,
    pub(super) fair_pubdata_price: Option<u64>,
    pub(super) l1_gas_price: Option<u64>,
    pub(super) base_fee: Option<u64>,
    pub(super) previous_batch_hash: Option<Hash>,
    pub(super) previous_block_hash: Option<Hash>,
}

/// An account.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) enum Account {
    /// A well-known wallet.
    Rich(usize),
    /// A wallet by its key.
    Wallet {
        key: Key,
        #[serde(default)]
        balance: Option<Number>,
    },
    /// An address without a key.
    Address {
        at: Address,
        #[serde(default)]
        balance: Option<Number>,
    },
}

/// A contract.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Contract<'a> {
    #[serde(borrow)]
    pub(super) code: Code<'a>,
    #[serde(default)]
    pub(super) address: Option<Address>,
    #[serde(default = "yes")]
    pub(super) deployed: bool,
    #[serde(default)]
    pub(super) is_account: bool,
    #[serde(default, borrow)]
    pub(super) storage: Named<'a, Arg<'a>>,
    #[serde(default)]
    pub(super) balance: Option<Number>,
}

/// Where code comes from.
#[derive(Debug, Deserialize)]
pub(super) enum Code<'a> {
    /// A sample of eradbg's own.
    Sample(#[serde(borrow)] Text<'a>),
    /// A file of EraVM assembly.
    Assembly(#[serde(borrow)] Text<'a>),
    /// A compiler's artifact.
    Artifact(#[serde(borrow)] Text<'a>),
    /// The bytes themselves.
    Bytecode(Bytes),
}

/// An L2 block.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Block<'a> {
    #[serde(default)]
    pub(super) number: Option<u32>,
    #[serde(default)]
    pub(super) timestamp: Option<u64>,
    #[serde(default)]
    pub(super) virtual_blocks: Option<u32>,
    #[serde(borrow)]
    pub(super) steps: Vec<Step<'a>>,
}

/// A step: a transaction, or what the operator does between transactions.
#[derive(Debug)]
pub(super) struct Step<'a> {
    /// The step's name, which also is its place.
    pub(super) name: Text<'a>,
    pub(super) kind: StepKind<'a>,
}

/// The kinds of steps.
#[derive(Debug)]
pub(super) enum StepKind<'a> {
    Transaction(TransactionKind, Box<Transaction<'a>>),
    Snapshot,
    RollBack,
    Release,
}

/// The kinds of transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TransactionKind {
    Transfer,
    Call,
    Deploy,
    Priority,
    Upgrade,
}

/// A transaction of any kind.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Transaction<'a> {
    #[serde(borrow)]
    pub(super) from: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) to: Option<Text<'a>>,
    pub(super) value: Option<Number>,
    #[serde(borrow)]
    pub(super) function: Option<Function<'a>>,
    #[serde(borrow)]
    pub(super) args: Option<Vec<Arg<'a>>>,
    pub(super) data: Option<Bytes>,
    #[serde(borrow)]
    pub(super) contract: Option<Text<'a>>,
    pub(super) salt: Option<Number>,
    pub(super) mint: Option<Number>,
    #[serde(borrow)]
    pub(super) refund_recipient: Option<Text<'a>>,
    pub(super) gas_limit: Option<Number>,
    pub(super) gas_per_pubdata: Option<Number>,
    pub(super) max_fee: Option<Number>,
    pub(super) priority_fee: Option<Number>,
    pub(super) nonce: Option<Number>,
    pub(super) r#type: Option<TransactionType>,
    #[serde(borrow)]
    pub(super) factory_deps: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    pub(super) signed_by: Option<Text<'a>>,
    pub(super) signature: Option<Bytes>,
    pub(super) corrupt_signature: Option<bool>,
    #[serde(borrow)]
    pub(super) paymaster: Option<Text<'a>>,
    pub(super) paymaster_input: Option<Bytes>,
    pub(super) expect: Option<Expect>,
    pub(super) checks: Checks,
}

/// The types of L2 transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub(super) enum TransactionType {
    Legacy,
    Eip2930,
    Eip1559,
    #[default]
    Eip712,
}

/// How a transaction is expected to end; with text that the reason contains.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) enum Expect {
    Success,
    Reverted(String),
    Rejected(String),
}

/// What else is expected of a transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Checks {
    pub(super) output: Option<Bytes>,
    pub(super) events: Option<usize>,
    pub(super) l2_to_l1_logs: Option<usize>,
    pub(super) pubdata: Option<u32>,
    pub(super) gas_refunded: Option<u64>,
}

/// Names of all steps.
const STEPS: &[&str] = &[
    "Transfer", "Call", "Deploy", "Priority", "Upgrade", "Snapshot", "RollBack", "Release",
];

/// Fields that only some kinds of transactions have, with those kinds.
const SPECIAL_FIELDS: &[(&str, &[TransactionKind])] = {
    use TransactionKind::{Call, Deploy, Priority, Transfer, Upgrade};
    const L2: &[TransactionKind] = &[Transfer, Call, Deploy];
    const L1: &[TransactionKind] = &[Priority, Upgrade];
    &[
        ("to", &[Transfer, Call, Priority, Upgrade]),
        ("function", &[Call, Deploy, Priority, Upgrade]),
        ("args", &[Call, Deploy, Priority, Upgrade]),
        ("data", &[Call, Priority, Upgrade]),
        ("contract", &[Deploy]),
        ("salt", &[Deploy]),
        ("mint", L1),
        ("refund_recipient", L1),
        ("priority_fee", L2),
        ("type", L2),
        ("signed_by", L2),
        ("signature", L2),
        ("corrupt_signature", L2),
        ("paymaster", L2),
        ("paymaster_input", L2),
    ]
};

impl TransactionType {
    /// Whether Ethereum has such transactions.
    pub(super) const fn is_ethereum(self) -> bool {
        !matches!(self, Self::Eip712)
    }
}

impl Transaction<'_> {
    /// The first field that is there although this kind of transaction does not have it.
    pub(super) fn misplaced_field(&self, kind: TransactionKind) -> Option<&'static str> {
        let foreign = |name: &str| {
            SPECIAL_FIELDS
                .iter()
                .any(|(field, kinds)| *field == name && !kinds.contains(&kind))
        };
        let given = [
            ("to", self.to.is_some()),
            ("function", self.function.is_some()),
            ("args", self.args.is_some()),
            ("data", self.data.is_some()),
            ("contract", self.contract.is_some()),
            ("salt", self.salt.is_some()),
            ("mint", self.mint.is_some()),
            ("refund_recipient", self.refund_recipient.is_some()),
            ("priority_fee", self.priority_fee.is_some()),
            ("type", self.r#type.is_some()),
            ("signed_by", self.signed_by.is_some()),
            ("signature", self.signature.is_some()),
            ("corrupt_signature", self.corrupt_signature.is_some()),
            ("paymaster", self.paymaster.is_some()),
            ("paymaster_input", self.paymaster_input.is_some()),
        ];
        let given = given.into_iter().filter(|(_, is_given)| *is_given);
        given.map(|(name, _)| name).find(|name| foreign(name))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Step<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_enum("Step", STEPS, StepVisitor)
    }
}

struct StepVisitor;

impl<'de> Visitor<'de> for StepVisitor {
    type Value = Step<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a step, like Transfer(from: \"alice\", to: \"bob\", value: \"1 ether\")")
    }

    fn visit_enum<A: EnumAccess<'de>>(self, step: A) -> Result<Self::Value, A::Error> {
        let (Identifier(name), content) = step.variant()?;
        let kind = match name.as_str() {
            "Snapshot" => content.unit_variant().map(|()| StepKind::Snapshot)?,
            "RollBack" => content.unit_variant().map(|()| StepKind::RollBack)?,
            "Release" => content.unit_variant().map(|()| StepKind::Release)?,
            other => {
                let kind = match other {
                    "Transfer" => TransactionKind::Transfer,
                    "Call" => TransactionKind::Call,
                    "Deploy" => TransactionKind::Deploy,
                    "Priority" => TransactionKind::Priority,
                    "Upgrade" => TransactionKind::Upgrade,
                    _ => return Err(A::Error::unknown_variant(other, STEPS)),
                };
                let transaction = content.struct_variant(&[], TransactionVisitor)?;
                StepKind::Transaction(kind, Box::new(transaction))
            }
        };
        Ok(Step { name, kind })
    }
}

struct TransactionVisitor;

impl<'de> Visitor<'de> for TransactionVisitor {
    type Value = Transaction<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a transaction's fields in parentheses")
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Self::Value, A::Error> {
        Transaction::deserialize(MapAccessDeserializer::new(fields))
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, reason) = match self {
            Self::Success => return f.write_str("success"),
            Self::Reverted(reason) => ("a revert", reason),
            Self::Rejected(reason) => ("a rejection", reason),
        };
        match reason.as_str() {
            "" => f.write_str(word),
            reason => write!(f, "{word} with \"{reason}\""),
        }
    }
}

const fn yes() -> bool {
    true
}
