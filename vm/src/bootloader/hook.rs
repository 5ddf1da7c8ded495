//! Hooks: numbers that the bootloader writes to the hook slot to hand over to the operator.
//!
//! Source: `matter-labs/zksync-era` `core/lib/multivm/src/versions/vm_latest/types/hook.rs`.

macro_rules! hooks {
    ($($id:literal $variant:ident $name:literal [$($parameter:literal),*] $doc:literal;)*) => {
        /// A hook of the bootloader.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Hook { $(#[doc = $doc] $variant = $id,)* }

        impl Hook {
            /// Every hook, by number.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it tells or asks.
            pub const fn description(self) -> &'static str {
                match self { $(Self::$variant => $doc,)* }
            }

            /// Names of its parameters.
            pub const fn parameters(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($parameter),*],)* }
            }
        }
    };
}

hooks! {
    0 AccountValidationEntered "AccountValidationEntered" [] "The account's validation begins.";
    1 PaymasterValidationEntered "PaymasterValidationEntered" [] "The paymaster's validation begins.";
    2 ValidationExited "ValidationExited" [] "Account or paymaster code of the validation has run.";
    3 ValidationStepEnded "ValidationStepEnded" [] "The transaction is valid and paid for.";
    4 TxHasEnded "TxHasEnded" [] "The transaction is done.";
    5 DebugLog "DebugLog" ["message", "data"] "A debug message.";
    6 DebugReturnData "DebugReturnData" ["returndata pointer"] "Returndata, for debugging.";
    7 NearCallCatch "NearCallCatch" [] "A near call of the bootloader panicked.";
    8 AskOperatorForRefund "AskOperatorForRefund" ["proposed refund", "gas spent on pubdata", "gas per pubdata byte"]
        "The bootloader proposes a refund and asks for the operator's.";
    9 NotifyAboutRefund "NotifyAboutRefund" ["refund"] "The refund that was paid, in gas.";
    10 PostResult "PostResult" ["success", "returndata pointer"] "The transaction's result.";
    11 FinalBatchInfo "FinalBatchInfo" [] "The batch ends; the fictive L2 block is needed.";
    12 PubdataRequested "PubdataRequested" [] "The batch's pubdata is needed.";
}

impl Hook {
    /// The hook with a number.
    pub fn new(id: u32) -> Option<Self> {
        Self::ALL.get(id as usize).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hooks_number_is_its_place_in_the_list() {
        for (id, &hook) in Hook::ALL.iter().enumerate() {
            assert_eq!(hook as usize, id);
            assert_eq!(Hook::new(id as u32), Some(hook));
        }
        assert_eq!(Hook::new(13), None);
    }
}
