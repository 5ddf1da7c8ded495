//! Results of transactions and batches, with the bootloader's failures by name.
//!
//! Source of codes and texts' meaning: `matter-labs/zksync-era` `core/lib/vm_interface/src/types/errors`.

use primitive_types::{H256, U256};

use crate::events::{Event, L2ToL1Log};
use crate::outcome::PanicCause;
use crate::state::StorageChange;

/// How a transaction (or the end of a batch) went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecutionResult {
    /// It succeeded with this output.
    Success(Vec<u8>),
    /// It was executed and failed; the batch goes on.
    Revert(RevertReason),
    /// It cannot be part of the batch; the operator takes it back.
    Halt(Halt),
}

/// Returndata of a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevertReason {
    /// `Error(string)`.
    General {
        /// The string.
        message: String,
        /// The whole returndata; empty when the operator made the message up.
        data: Vec<u8>,
    },
    /// Anything else.
    Unknown {
        /// The first four bytes, or all when there are fewer.
        selector: Vec<u8>,
        /// The whole returndata.
        data: Vec<u8>,
    },
}

/// Why the bootloader cannot go on with a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Halt {
    /// The account did not accept the transaction.
    ValidationFailed(RevertReason),
    /// The paymaster did not accept it.
    PaymasterValidationFailed(RevertReason),
    /// The account did not prepare for the paymaster.
    PrePaymasterPreparationFailed(RevertReason),
    /// The account did not pay.
    PayForTxFailed(RevertReason),
    /// Its bytecodes could not be marked as known.
    FailedToMarkFactoryDependencies(RevertReason),
    /// The fee could not be charged.
    FailedToChargeFee(RevertReason),
    /// The sender is a contract that is no account.
    FromIsNotAnAccount,
    /// The bootloader or the operator broke a rule.
    UnexpectedVMBehavior(String),
    /// The bootloader ran out of ergs.
    BootloaderOutOfGas,
    /// Validation used more ergs than the operator allows.
    ValidationOutOfGas,
    /// Too little gas to start the transaction.
    NotEnoughGasProvided,
    /// The L2 block could not be set.
    FailedToSetL2Block(String),
    /// The transaction could not be appended to its L2 block.
    FailedToAppendTransactionToL2Block(String),
    /// The bootloader panicked.
    VMPanic,
    /// The operator wants bytecodes published in compressed form, and they were not.
    FailedToPublishCompressedBytecodes,
}

/// What one run of the machine gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunResult {
    /// How it went.
    pub result: ExecutionResult,
    /// First step of the run.
    pub first_step: u64,
    /// Steps.
    pub steps: u64,
    /// Ergs of the bootloader's frame at the end.
    pub gas_remaining: u32,
    /// Those at the start less those at the end.
    pub gas_used: u32,
    /// Bytes of pubdata that the refund was computed with.
    pub pubdata_published: u32,
    /// Gas that the bootloader refunded.
    pub gas_refunded: u64,
    /// Gas that the operator suggested to refund.
    pub operator_suggested_refund: u64,
    /// Events.
    pub events: Vec<Event>,
    /// L2->L1 logs of users, from L1Messenger's events.
    pub user_l2_to_l1_logs: Vec<L2ToL1Log>,
    /// L2->L1 logs of the system.
    pub system_l2_to_l1_logs: Vec<L2ToL1Log>,
    /// Slots whose value changed in this run, ordered by address and key.
    pub storage_changes: Vec<StorageChange>,
    /// Code that became known without having been brought along: hash, length, keccak256.
    pub new_factory_deps: Vec<(U256, usize, H256)>,
}

impl ExecutionResult {
    /// The result of a bootloader that reverted: a code byte, then returndata.
    pub fn of_bootloader_revert(output: &[u8]) -> Self {
        let Some((&code, data)) = output.split_first() else {
            return Self::Halt(Halt::UnexpectedVMBehavior(
                "Bootloader returned an empty error".to_owned(),
            ));
        };
        let reason = RevertReason::parse(data);
        if code == 0 {
            return Self::Revert(reason);
        }
        Self::Halt(halt_of_code(code, reason))
    }
}

impl RevertReason {
    /// Reads returndata.
    pub fn parse(data: &[u8]) -> Self {
        match error_string(data) {
            Some(message) => Self::General {
                message,
                data: data.to_vec(),
            },
            None => Self::Unknown {
                selector: data[..data.len().min(4)].to_vec(),
                data: data.to_vec(),
            },
        }
    }

    /// A reason that the operator states itself.
    pub fn message(message: &str) -> Self {
        Self::General {
            message: message.to_owned(),
            data: Vec::new(),
        }
    }

    /// The returndata.
    pub fn data(&self) -> &[u8] {
        match self {
            Self::General { data, .. } | Self::Unknown { data, .. } => data,
        }
    }
}

impl std::fmt::Display for RevertReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::General { message, .. } => f.write_str(message),
            Self::Unknown { data, .. } if data.is_empty() => f.write_str("no returndata"),
            Self::Unknown { data, .. } => write!(f, "returndata 0x{}", hex::encode(data)),
        }
    }
}

impl Halt {
    /// What a panic of the bootloader's own frame is, which has `ergs` left. It is out of gas when it could not pay the
    /// price of a step; a panic that a return asks for has been paid.
    ///
    /// Source: `matter-labs/zksync-era` `core/lib/multivm/src/versions/vm_latest/tracers/result_tracer.rs`. `vm_fast`
    /// goes by the ergs alone.
    pub const fn of_bootloader_panic(cause: PanicCause, ergs: u32) -> Self {
        let is_unpaid = match cause {
            PanicCause::OutOfErgs | PanicCause::InvalidOpcode => true,
            PanicCause::Explicit
            | PanicCause::RetPointerExpected
            | PanicCause::RetPointerUnexpected
            | PanicCause::RetForeignPointer
            | PanicCause::RetMalformedPointer
            | PanicCause::RetUnpaidGrowth => false,
            // The panic is a step of its own, which has a price too.
            _ => ergs == 0,
        };
        if is_unpaid {
            Self::BootloaderOutOfGas
        } else {
            Self::VMPanic
        }
    }

    /// Name in the node's interface.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ValidationFailed(_) => "ValidationFailed",
            Self::PaymasterValidationFailed(_) => "PaymasterValidationFailed",
            Self::PrePaymasterPreparationFailed(_) => "PrePaymasterPreparationFailed",
            Self::PayForTxFailed(_) => "PayForTxFailed",
            Self::FailedToMarkFactoryDependencies(_) => "FailedToMarkFactoryDependencies",
            Self::FailedToChargeFee(_) => "FailedToChargeFee",
            Self::FromIsNotAnAccount => "FromIsNotAnAccount",
            Self::UnexpectedVMBehavior(_) => "UnexpectedVMBehavior",
            Self::BootloaderOutOfGas => "BootloaderOutOfGas",
            Self::ValidationOutOfGas => "ValidationOutOfGas",
            Self::NotEnoughGasProvided => "NotEnoughGasProvided",
            Self::FailedToSetL2Block(_) => "FailedToSetL2Block",
            Self::FailedToAppendTransactionToL2Block(_) => "FailedToAppendTransactionToL2Block",
            Self::VMPanic => "VMPanic",
            Self::FailedToPublishCompressedBytecodes => "FailedToPublishCompressedBytecodes",
        }
    }

    /// Returndata that came with it.
    pub const fn reason(&self) -> Option<&RevertReason> {
        match self {
            Self::ValidationFailed(reason)
            | Self::PaymasterValidationFailed(reason)
            | Self::PrePaymasterPreparationFailed(reason)
            | Self::PayForTxFailed(reason)
            | Self::FailedToMarkFactoryDependencies(reason)
            | Self::FailedToChargeFee(reason) => Some(reason),
            _ => None,
        }
    }
}

impl std::fmt::Display for Halt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = match self {
            Self::ValidationFailed(_) => "the account did not accept the transaction",
            Self::PaymasterValidationFailed(_) => "the paymaster did not accept the transaction",
            Self::PrePaymasterPreparationFailed(_) => "the account did not prepare for its paymaster",
            Self::PayForTxFailed(_) => "the account did not pay for the transaction",
            Self::FailedToMarkFactoryDependencies(_) => {
                "the transaction's bytecodes could not be marked as known"
            }
            Self::FailedToChargeFee(_) => "the fee could not be charged",
            Self::FromIsNotAnAccount => "the sender is a contract that is no account",
            Self::BootloaderOutOfGas => "the bootloader ran out of ergs",
            Self::ValidationOutOfGas => "validation used more ergs than the limit allows",
            Self::NotEnoughGasProvided => "too little gas to start the transaction",
            Self::VMPanic => "the bootloader panicked",
            Self::FailedToPublishCompressedBytecodes => {
                "the transaction's compressed bytecodes did not get published"
            }
            Self::UnexpectedVMBehavior(text)
            | Self::FailedToSetL2Block(text)
            | Self::FailedToAppendTransactionToL2Block(text) => text,
        };
        f.write_str(text)?;
        self.reason().map_or(Ok(()), |reason| write!(f, ": {reason}"))
    }
}

fn halt_of_code(code: u8, reason: RevertReason) -> Halt {
    let message = RevertReason::message;
    let unexpected = |text: &str| Halt::UnexpectedVMBehavior(text.to_owned());
    match code {
        1 | 12 => Halt::ValidationFailed(reason),
        2 => Halt::FailedToChargeFee(reason),
        3 => Halt::FromIsNotAnAccount,
        4 => Halt::ValidationFailed(message(
            "Failed to check if `from` is an account. Most likely not enough gas provided",
        )),
        5 => unexpected("The operator included transaction with an unacceptable gas price"),
        6 => Halt::UnexpectedVMBehavior(format!("Failed to set the previous batch's hash: {reason}")),
        7 => Halt::PayForTxFailed(reason),
        8 => Halt::PrePaymasterPreparationFailed(reason),
        9 => Halt::PaymasterValidationFailed(reason),
        10 => unexpected("FailedToSendFeesToTheOperator"),
        11 => unexpected("UnacceptablePubdataPrice"),
        13 => unexpected("Max priority fee greater than max fee"),
        14 => unexpected("Block.basefee is greater than max fee per gas"),
        15 => Halt::PaymasterValidationFailed(message("Paymaster returned invalid context")),
        16 => Halt::PaymasterValidationFailed(message("Paymaster returned context that is too long")),
        17 => Halt::UnexpectedVMBehavior(format!("Assertion error: {reason}")),
        18 => Halt::FailedToMarkFactoryDependencies(match reason {
            RevertReason::General { .. } => reason,
            RevertReason::Unknown { .. } => message("Most likely not enough gas provided"),
        }),
        19 => Halt::ValidationFailed(message("Not enough gas for transaction validation")),
        20 => Halt::NotEnoughGasProvided,
        21 => Halt::ValidationFailed(message(
            "Account validation returned invalid magic value. Most often this means that the signature is incorrect",
        )),
        22 => Halt::ValidationFailed(message(
            "Paymaster validation returned invalid magic value. Please refer to the documentation of the paymaster for more details",
        )),
        23 => Halt::UnexpectedVMBehavior(format!("Failed to mint ether: {reason}")),
        24 => Halt::FailedToAppendTransactionToL2Block(format!(
            "Failed to append transaction to L2 block: {reason}"
        )),
        25 => Halt::FailedToSetL2Block(reason.to_string()),
        26 => Halt::UnexpectedVMBehavior(format!("Failed to publish timestamp data to L1: {reason}")),
        27 => Halt::UnexpectedVMBehavior(format!("Failed to publish pubdata via L1Messenger for: {reason}")),
        28 => Halt::UnexpectedVMBehavior(format!("Failed to send log via L1Messenger for: {reason}")),
        29 => Halt::UnexpectedVMBehavior(format!("Failed to call system context contract: {reason}")),
        code => {
            Halt::UnexpectedVMBehavior(format!("Unsupported error code: {code}. Revert reason: {reason}"))
        }
    }
}

/// The string of `Error(string)` returndata.
fn error_string(data: &[u8]) -> Option<String> {
    let arguments = data.strip_prefix(&[0x08, 0xc3, 0x79, 0xa0])?;
    let number = |bytes: &[u8]| usize::try_from(U256::from_big_endian(bytes.get(..32)?)).ok();
    let offset = number(arguments).filter(|&offset| offset >= 32)?;
    let string = arguments.get(offset..)?;
    let length = number(string)?;
    let bytes = string.get(32..length.checked_add(32)?)?;
    Some(String::from_utf8_lossy(bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(offset: u64, length: u64, text: &[u8]) -> Vec<u8> {
        let mut data = vec![0x08, 0xc3, 0x79, 0xa0];
        for number in [offset, length] {
            data.extend([0; 24]);
            data.extend(number.to_be_bytes());
        }
        data.extend(text);
        data
    }

    #[test]
    fn an_error_string_is_decoded_and_a_malformed_one_stays_raw() {
        let good = error(32, 2, b"no");
        assert_eq!(
            RevertReason::parse(&good),
            RevertReason::General {
                message: "no".into(),
                data: good.clone()
            }
        );
        for bad in [
            error(31, 2, b"no"),
            error(32, 3, b"no"),
            error(u64::MAX, 2, b"no"),
            good[..40].to_vec(),
        ] {
            assert!(
                matches!(RevertReason::parse(&bad), RevertReason::Unknown { .. }),
                "{bad:x?}"
            );
        }
        let short = RevertReason::parse(&[1, 2]);
        assert_eq!(
            short,
            RevertReason::Unknown {
                selector: vec![1, 2],
                data: vec![1, 2]
            }
        );
    }

    #[test]
    fn the_first_byte_of_a_bootloader_revert_tells_halts_from_reverts() {
        assert!(matches!(
            ExecutionResult::of_bootloader_revert(&[0]),
            ExecutionResult::Revert(_)
        ));
        let halt = |code: u8| match ExecutionResult::of_bootloader_revert(&[code, 1, 2, 3, 4]) {
            ExecutionResult::Halt(halt) => halt.name(),
            other => panic!("{other:?}"),
        };
        assert_eq!(halt(1), "ValidationFailed");
        assert_eq!(halt(20), "NotEnoughGasProvided");
        assert_eq!(halt(22), "ValidationFailed");
        assert_eq!(halt(30), "UnexpectedVMBehavior");
        assert!(matches!(
            ExecutionResult::of_bootloader_revert(&[]),
            ExecutionResult::Halt(Halt::UnexpectedVMBehavior(_))
        ));
    }
}
