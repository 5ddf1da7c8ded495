//! What the bootloader is about, as its hooks tell.

use eradbg_vm::bootloader::Hook;
use serde::Serialize;

use crate::recording::{HookRow, Recording};

/// A part of what the bootloader does with a transaction, or of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Before the first hook.
    #[default]
    BatchStart,
    /// Until the account's validation.
    TransactionStart,
    /// The account decides whether it accepts the transaction, and the bootloader checks what it says.
    AccountValidation,
    /// The paymaster does.
    PaymasterValidation,
    /// The account pays the fee, or prepares for the paymaster, and the bootloader checks what it got.
    Payment,
    /// What the transaction is for.
    Execution,
    /// From the result to the refund.
    Refund,
    /// From the refund on.
    TransactionEnd,
    /// What closes the batch.
    BatchEnd,
}

impl Phase {
    /// The phase at a position. The recording's overview is loaded.
    pub fn at(recording: &Recording, position: u64) -> Self {
        let hooks = recording.hooks();
        let seen = &hooks[..hooks.partition_point(|hook| hook.step <= position)];
        let transaction = recording.transaction_at(position);
        let start = transaction.map_or(0, |index| {
            let transaction = &recording.transactions()[index];
            let rerun = transaction.rerun_at.filter(|&step| step <= position);
            rerun.unwrap_or(transaction.first_step)
        });
        if recording.batch_end().is_some_and(|step| step <= position) {
            return Self::BatchEnd;
        }
        let of_transaction = seen.iter().rev().take_while(|hook| hook.step > start);
        let mut earlier = of_transaction.filter_map(telling);
        let last = earlier.next();
        // The account is entered twice: to validate, and to pay or to prepare for the paymaster.
        let is_entry = |hook: &Hook| {
            matches!(
                hook,
                Hook::AccountValidationEntered | Hook::PaymasterValidationEntered
            )
        };
        let earlier = earlier.take_while(|&hook| hook != Hook::TxHasEnded);
        let entries = earlier.filter(is_entry).count();
        // Transactions of the base layer, and calls, are not validated.
        let next = || hooks[seen.len()..].iter().find_map(telling);
        match last {
            None if transaction.is_none() && seen.is_empty() => Self::BatchStart,
            None if transaction.is_some() && next() == Some(Hook::PostResult) => Self::Execution,
            None => Self::TransactionStart,
            Some(Hook::AccountValidationEntered) if entries == 0 => Self::AccountValidation,
            Some(Hook::PaymasterValidationEntered) => Self::PaymasterValidation,
            Some(Hook::ValidationExited) if entries <= 1 => Self::AccountValidation,
            Some(Hook::AccountValidationEntered | Hook::ValidationExited) => Self::Payment,
            Some(Hook::ValidationStepEnded) => Self::Execution,
            Some(Hook::PostResult | Hook::AskOperatorForRefund) => Self::Refund,
            Some(Hook::NotifyAboutRefund) => Self::TransactionEnd,
            Some(Hook::TxHasEnded) if transaction.is_some() => Self::TransactionEnd,
            Some(_) => Self::BatchEnd,
        }
    }

    /// Its name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BatchStart => "batch start",
            Self::TransactionStart => "transaction start",
            Self::AccountValidation => "account validation",
            Self::PaymasterValidation => "paymaster validation",
            Self::Payment => "payment",
            Self::Execution => "execution",
            Self::Refund => "refund",
            Self::TransactionEnd => "transaction end",
            Self::BatchEnd => "batch end",
        }
    }
}

/// A hook, when it begins or ends a phase.
fn telling(row: &HookRow) -> Option<Hook> {
    Hook::new(row.hook)
        .filter(|hook| !matches!(hook, Hook::DebugLog | Hook::DebugReturnData | Hook::NearCallCatch))
}
