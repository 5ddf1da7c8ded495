//! How frames and runs end: guest panics with a named cause, and the end of a run.

macro_rules! panic_causes {
    ($($variant:ident $name:literal $doc:literal;)*) => {
        /// Why a frame panicked. A guest panic is an outcome of the program that runs, never an error of the machine.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum PanicCause { $(#[doc = $doc] $variant,)* }

        impl PanicCause {
            /// Every cause; the position is its number in recordings.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Short name for filters and JSON.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What happened, in a sentence without a full stop.
            pub const fn description(self) -> &'static str {
                match self { $(Self::$variant => $doc,)* }
            }
        }
    };
}

panic_causes! {
    Explicit "explicit" "The program executed ret.panic";
    InvalidOpcode "invalid_opcode" "The instruction word is no instruction, or the program ran past the end of its code";
    OutOfErgs "out_of_ergs" "The frame could not pay the instruction's static price";
    KernelOnly "kernel_only" "The instruction needs kernel mode";
    StaticViolation "static_violation" "The instruction changes state, and the frame is static";
    CallStackFull "call_stack_full" "The call stack is full";
    NotAPointer "not_a_pointer" "The operand must be a fat pointer, and its tag is missing";
    PointerPlusPointer "pointer_plus_pointer" "The second operand of a pointer operation is a pointer";
    PointerOperandTooLarge "pointer_operand_too_large" "The number to move a pointer by does not fit in 32 bits";
    PointerOffsetOverflow "pointer_offset_overflow" "The pointer's offset would leave 32 bits";
    PackLowBits "pack_low_bits" "The low half of the word to pack is not zero";
    ShrinkUnderflow "shrink_underflow" "The pointer is shorter than what shrinking takes from it";
    HeapOffsetTooLarge "heap_offset_too_large" "The offset into the memory is above 2^32 - 33";
    UnpaidGrowth "unpaid_growth" "The frame could not pay the growth of its heap";
    CallPointerExpected "call_pointer_expected" "The far call forwards a pointer, and the ABI word is not tagged";
    CallPointerUnexpected "call_pointer_unexpected" "The far call makes a new pointer, and the ABI word is tagged already";
    CallMalformedPointer "call_malformed_pointer" "The calldata pointer of the far call is malformed";
    CallInvalidCode "call_invalid_code" "The called kernel address has no callable code";
    CallUnderConstruction "call_under_construction" "The called kernel contract is under construction, or is not and was called as constructor";
    CallUnreachableShard "call_unreachable_shard" "The far call names a shard that does not exist";
    CallUnpaidGrowth "call_unpaid_growth" "The caller could not pay the growth of its heap for the calldata";
    CallUnpaidDecommit "call_unpaid_decommit" "The caller could not pay for loading the called code";
    CallUnpaidExtra "call_unpaid_extra" "The caller could not pay the extra ergs of a call to MsgValueSimulator";
    RetPointerExpected "ret_pointer_expected" "The return forwards a pointer, and the ABI word is not tagged";
    RetPointerUnexpected "ret_pointer_unexpected" "The return makes a new pointer, and the ABI word is tagged already";
    RetForeignPointer "ret_foreign_pointer" "A user frame may not return memory that is older than itself";
    RetMalformedPointer "ret_malformed_pointer" "The returndata pointer is malformed";
    RetUnpaidGrowth "ret_unpaid_growth" "The frame could not pay the growth of its heap for the returndata";
}

impl std::fmt::Display for PanicCause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.description())
    }
}

/// The three kinds of return.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RetKind {
    /// Success: changes stay.
    Ok,
    /// Failure with data: changes are undone.
    Revert,
    /// Failure without data: changes are undone, LT is set.
    Panic,
}

impl RetKind {
    /// Whether the frame's changes are undone.
    pub const fn undoes(self) -> bool {
        !matches!(self, Self::Ok)
    }

    /// Short name for lists and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Revert => "revert",
            Self::Panic => "panic",
        }
    }
}

/// How the root frame ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The bootloader returned with this output.
    Finished(Vec<u8>),
    /// The bootloader reverted with this output.
    Reverted(Vec<u8>),
    /// The bootloader panicked.
    Panicked(PanicCause),
}

/// Why [`crate::Execution::run`] stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// As many steps as were asked for were made.
    StepLimit,
    /// The bootloader wrote this number to the hook slot; the operator acts before the next step.
    Hook(u32),
    /// The root frame ended.
    Ended(End),
    /// The observer stopped the run in a pause.
    Cancelled,
}
