//! The instruction set: one table from encoding to operation, operand modes, price and permissions.
//!
//! Variants and static prices come from `zkevm_opcode_defs`; this is the one file that names it. Indices, prices and
//! operand kinds: `matter-labs/zksync-protocol` `crates/zkevm_opcode_defs/src/definitions`.

use std::sync::LazyLock;

use zkevm_opcode_defs as defs;

/// Number of entries of the decoding table (11 bits).
pub const TABLE_SIZE: usize = 1 << 11;

/// Ergs of the `ret.panic` that a failing instruction turns into.
pub const PANIC_COST: u32 = 5;

/// Ergs of an instruction that is skipped, when the validation limit counts it.
pub const NOP_COST: u32 = 6;

/// Ergs of decommitting one word of code (`ERGS_PER_CODE_WORD_DECOMMITTMENT`).
pub const ERGS_PER_CODE_WORD: u32 = defs::ERGS_PER_CODE_WORD_DECOMMITTMENT;

/// Address in kernel space whose system calls take extra ergs along: `MsgValueSimulator`.
pub const MSG_VALUE_SIMULATOR: u16 = 0x8009;
/// Ergs that every system call to `MsgValueSimulator` takes from the caller and hands to the callee.
pub const MSG_VALUE_SIMULATOR_ERGS: u32 = defs::system_params::MSG_VALUE_SIMULATOR_ADDITIVE_COST;

/// Free bytes of heap and aux heap of a new frame: user code, EVM code, kernel code.
pub const NEW_FRAME_MEMORY: u32 = defs::system_params::NEW_FRAME_MEMORY_STIPEND;
/// See [`NEW_FRAME_MEMORY`].
pub const NEW_EVM_FRAME_MEMORY: u32 = defs::system_params::NEW_EVM_FRAME_MEMORY_STIPEND;
/// See [`NEW_FRAME_MEMORY`]. Also the length of the pointer that `decommit` returns.
pub const NEW_KERNEL_FRAME_MEMORY: u32 = defs::system_params::NEW_KERNEL_FRAME_MEMORY_STIPEND;

/// Depth (near and far frames) at which every opcode panics.
pub const MAX_DEPTH: u32 = defs::system_params::VM_MAX_STACK_DEPTH;

/// Cold prices of storage accesses, and what a warm access costs of them.
pub mod storage_price {
    use super::defs::system_params as p;

    /// Refund of reading a slot that was read or written before, or that is free.
    pub const WARM_READ_REFUND: u32 = p::STORAGE_ACCESS_COLD_READ_COST - p::STORAGE_ACCESS_WARM_READ_COST;
    /// Refund of writing a slot that was written before, or that is free.
    pub const WARM_WRITE_REFUND: u32 = p::STORAGE_ACCESS_COLD_WRITE_COST - p::STORAGE_ACCESS_WARM_WRITE_COST;
    /// Refund of the first write of a slot that was read before.
    pub const WRITE_AFTER_READ_REFUND: u32 = p::STORAGE_ACCESS_COLD_READ_COST;
}

macro_rules! opcodes {
    ($($variant:ident $name:literal $mnemonic:literal $doc:literal;)*) => {
        /// What an instruction does, operand modes aside.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Opcode { $(#[doc = $doc] $variant,)* }

        impl Opcode {
            /// Every opcode, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Name in exported traces (`../vectors/README.md`).
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Mnemonic in listings, without modifiers.
            pub const fn mnemonic(self) -> &'static str {
                match self { $(Self::$variant => $mnemonic,)* }
            }

            /// What it does, in a line.
            pub const fn description(self) -> &'static str {
                match self { $(Self::$variant => $doc,)* }
            }
        }
    };
}

opcodes! {
    Invalid "invalid" "invalid" "No instruction: burns all ergs of the frame and panics.";
    Nop "nop" "nop" "Does nothing but move the stack pointer through its operands.";
    Add "add" "add" "dst0 := src0 + src1 mod 2^256; LT on overflow, EQ on zero.";
    Sub "sub" "sub" "dst0 := src0 - src1 mod 2^256; LT on borrow, EQ on zero.";
    Mul "mul" "mul" "dst1:dst0 := src0 * src1; LT when the high word is not zero, EQ when the low one is.";
    Div "div" "div" "dst0 := src0 / src1, dst1 := src0 mod src1; by zero both are 0 and LT is set.";
    Jump "jump" "jump" "pc := low 16 bits of src0; dst0 := pc of the next instruction.";
    Xor "xor" "xor" "dst0 := src0 ^ src1; EQ on zero.";
    And "and" "and" "dst0 := src0 & src1; EQ on zero.";
    Or "or" "or" "dst0 := src0 | src1; EQ on zero.";
    Shl "shl" "shl" "dst0 := src0 << (src1 mod 256); EQ on zero.";
    Shr "shr" "shr" "dst0 := src0 >> (src1 mod 256); EQ on zero.";
    Rol "rol" "rol" "dst0 := src0 rotated left by src1 mod 256; EQ on zero.";
    Ror "ror" "ror" "dst0 := src0 rotated right by src1 mod 256; EQ on zero.";
    PtrAdd "ptr_add" "ptr.add" "dst0 := pointer src0 with its offset raised by src1.";
    PtrSub "ptr_sub" "ptr.sub" "dst0 := pointer src0 with its offset lowered by src1.";
    PtrPack "ptr_pack" "ptr.pack" "dst0 := low half of pointer src0, high half of src1.";
    PtrShrink "ptr_shrink" "ptr.shrink" "dst0 := pointer src0 with its length lowered by src1.";
    NearCall "near_call" "near_call" "Calls imm0 in the same contract with src0 ergs (0: all); imm1 is the exception handler.";
    ContextThis "context.this" "context.this" "dst0 := address whose storage this frame works on.";
    ContextCaller "context.caller" "context.caller" "dst0 := address of the caller.";
    ContextCodeAddress "context.code_address" "context.code_source" "dst0 := address that the running code belongs to.";
    ContextMeta "context.meta" "context.meta" "dst0 := pubdata counter (kernel), heap bounds and shards, packed.";
    ContextErgsLeft "context.ergs_left" "context.ergs_left" "dst0 := ergs left in this frame.";
    ContextSp "context.sp" "context.sp" "dst0 := stack pointer.";
    ContextGetU128 "context.get_u128" "context.get_context_u128" "dst0 := value that this frame was called with.";
    ContextSetU128 "context.set_u128" "context.set_context_u128" "Sets the value that the next far call carries.";
    ContextAuxMutating0 "context.aux_mutating0" "context.set_ergs_per_pubdata" "Does nothing; reserved.";
    ContextIncrementTx "context.inc_tx_num" "context.inc_tx_num" "Starts the next transaction: number + 1, transient storage cleared.";
    StorageRead "sload" "sload" "dst0 := storage[this, src0].";
    StorageWrite "sstore" "sstore" "storage[this, src0] := src1.";
    ToL1 "to_l1" "to_l1" "Emits an L2->L1 log with key src0 and value src1.";
    Event "event" "event" "Emits one piece of an event: src0, src1.";
    Precompile "precompile" "precompile" "Runs the precompile of this address on ABI src0, with extra ergs and pubdata of src1.";
    FarCall "far_call.normal" "far_call" "Calls the contract at src1 with ABI src0.";
    FarCallDelegate "far_call.delegate" "far_call.delegate" "Calls the code at src1 on this frame's storage.";
    FarCallMimic "far_call.mimic" "far_call.mimic" "Calls the contract at src1 with the sender in r15.";
    RetOk "ret.ok" "ret.ok" "Returns src0 to the caller.";
    RetRevert "ret.revert" "ret.revert" "Returns src0 to the caller's handler and undoes the frame's changes.";
    RetPanic "ret.panic" "ret.panic" "Returns nothing to the caller's handler, sets LT and undoes the frame's changes.";
    HeapRead "heap_read" "ld.1" "dst0 := heap[src0 .. src0 + 32].";
    HeapWrite "heap_write" "st.1" "heap[src0 .. src0 + 32] := src1.";
    AuxHeapRead "aux_heap_read" "ld.2" "dst0 := aux_heap[src0 .. src0 + 32].";
    AuxHeapWrite "aux_heap_write" "st.2" "aux_heap[src0 .. src0 + 32] := src1.";
    PointerRead "ptr_read" "ld" "dst0 := 32 bytes at the fat pointer src0.";
    StaticRead "static_read" "uma.static_read" "dst0 := static_memory[src0 .. src0 + 32].";
    StaticWrite "static_write" "uma.static_write" "static_memory[src0 .. src0 + 32] := src1.";
    Decommit "decommit" "decom" "dst0 := pointer to the code with hash src0, for src1 ergs.";
    TransientRead "tload" "tload" "dst0 := transient_storage[this, src0].";
    TransientWrite "tstore" "tstore" "transient_storage[this, src0] := src1.";
}

impl Opcode {
    /// Whether src0 may stay a pointer outside kernel mode.
    pub const fn src0_may_be_pointer(self) -> bool {
        matches!(
            self,
            Self::PtrAdd
                | Self::PtrSub
                | Self::PtrPack
                | Self::PtrShrink
                | Self::FarCall
                | Self::FarCallDelegate
                | Self::FarCallMimic
                | Self::RetOk
                | Self::RetRevert
                | Self::RetPanic
                | Self::HeapRead
                | Self::HeapWrite
                | Self::AuxHeapRead
                | Self::AuxHeapWrite
                | Self::PointerRead
                | Self::StaticRead
                | Self::StaticWrite
        )
    }

    /// Whether it computes with two numbers, and may set the flags by its result.
    pub const fn is_arithmetic(self) -> bool {
        matches!(
            self,
            Self::Add
                | Self::Sub
                | Self::Mul
                | Self::Div
                | Self::Xor
                | Self::And
                | Self::Or
                | Self::Shl
                | Self::Shr
                | Self::Rol
                | Self::Ror
        )
    }

    /// Whether it enters a frame on success.
    pub const fn is_call(self) -> bool {
        matches!(
            self,
            Self::NearCall | Self::FarCall | Self::FarCallDelegate | Self::FarCallMimic
        )
    }

    /// Whether it is one of the far calls.
    pub const fn is_far_call(self) -> bool {
        matches!(self, Self::FarCall | Self::FarCallDelegate | Self::FarCallMimic)
    }

    /// Whether it leaves its frame.
    pub const fn is_ret(self) -> bool {
        matches!(self, Self::RetOk | Self::RetRevert | Self::RetPanic)
    }
}

/// Where src0 comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// Register src0.
    Register,
    /// Immediate imm0.
    Immediate,
    /// `sp -= src0 + imm0`, then `stack[sp]`.
    StackPop,
    /// `stack[sp - (src0 + imm0)]`.
    StackRelative,
    /// `stack[src0 + imm0]`.
    StackAbsolute,
    /// Word `src0 + imm0` of the code page.
    Code,
}

/// Where dst0 goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Destination {
    /// Register dst0.
    Register,
    /// `stack[sp]`, then `sp += dst0 + imm1`.
    StackPush,
    /// `stack[sp - (dst0 + imm1)]`.
    StackRelative,
    /// `stack[dst0 + imm1]`.
    StackAbsolute,
}

/// One row of the decoding table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variant {
    /// Operation.
    pub opcode: Opcode,
    /// Mode of src0.
    pub source: Source,
    /// Mode of dst0.
    pub destination: Destination,
    /// Static price in ergs.
    pub ergs: u32,
    /// Arithmetic sets flags; of a far call: static; of a ret: to a label; of memory access: increments; of an event or
    /// L2->L1 log: first message. The encoding shares one bit among them.
    pub flag0: bool,
    /// src0 and src1 change places; of a far call: to a shard.
    pub flag1: bool,
    /// Allowed in kernel mode only.
    pub kernel_only: bool,
    /// Forbidden in a static frame.
    pub changes_state: bool,
}

/// The row of an 11-bit index.
pub fn variant(index: usize) -> &'static Variant {
    &TABLE[index % TABLE_SIZE]
}

/// The lowest index whose row satisfies `wanted`, the canonical encoding of what it describes.
pub fn find_variant(wanted: impl Fn(&Variant) -> bool) -> Option<usize> {
    TABLE.iter().position(wanted)
}

/// Static price of an opcode, in ergs.
pub fn price(opcode: Opcode) -> u32 {
    let row = TABLE.iter().find(|row| row.opcode == opcode);
    row.map_or(0, |row| row.ergs)
}

static TABLE: LazyLock<Vec<Variant>> = LazyLock::new(|| {
    let rows = defs::OPCODES_TABLE.iter().zip(defs::OPCODES_PRICES.iter());
    rows.map(|(row, &ergs)| from_definition(*row, ergs)).collect()
});

fn from_definition(row: defs::OpcodeVariant, ergs: u32) -> Variant {
    let swaps = row.swap_operands();
    let opcode = opcode_of(row.opcode);
    let (flag0, flag1) = match row.opcode {
        defs::Opcode::Ptr(_) => (false, swaps),
        defs::Opcode::FarCall(_) => (
            row.flags[defs::FAR_CALL_STATIC_FLAG_IDX],
            row.flags[defs::FAR_CALL_SHARD_FLAG_IDX],
        ),
        defs::Opcode::Ret(_) => (row.flags[defs::RET_TO_LABEL_BIT_IDX], false),
        defs::Opcode::UMA(_) => (row.flags[defs::UMA_INCREMENT_FLAG_IDX], false),
        defs::Opcode::Log(_) => (row.flags[defs::FIRST_MESSAGE_FLAG_IDX], false),
        _ => (row.flags[defs::SET_FLAGS_FLAG_IDX], swaps),
    };
    Variant {
        opcode,
        source: source_of(row.src0_operand_type),
        destination: destination_of(row.dst0_operand_type),
        ergs,
        flag0,
        flag1,
        kernel_only: row.requires_kernel_mode(),
        changes_state: !row.can_be_used_in_static_context(),
    }
}

fn source_of(operand: defs::Operand) -> Source {
    use defs::{ImmMemHandlerFlags as Full, Operand, RegOrImmFlags};
    match operand {
        Operand::RegOnly | Operand::RegOrImm(RegOrImmFlags::UseRegOnly) | Operand::Full(Full::UseRegOnly) => {
            Source::Register
        }
        Operand::RegOrImm(RegOrImmFlags::UseImm16Only) | Operand::Full(Full::UseImm16Only) => {
            Source::Immediate
        }
        Operand::Full(Full::UseStackWithPushPop) => Source::StackPop,
        Operand::Full(Full::UseStackWithOffset) => Source::StackRelative,
        Operand::Full(Full::UseAbsoluteOnStack) => Source::StackAbsolute,
        Operand::Full(Full::UseCodePage) => Source::Code,
    }
}

fn destination_of(operand: defs::Operand) -> Destination {
    use defs::{ImmMemHandlerFlags as Full, Operand};
    match operand {
        Operand::Full(Full::UseStackWithPushPop) => Destination::StackPush,
        Operand::Full(Full::UseStackWithOffset) => Destination::StackRelative,
        Operand::Full(Full::UseAbsoluteOnStack) => Destination::StackAbsolute,
        _ => Destination::Register,
    }
}

fn opcode_of(opcode: defs::Opcode) -> Opcode {
    use defs::{
        BinopOpcode, ContextOpcode, FarCallOpcode, LogOpcode, Opcode as Def, PtrOpcode, RetOpcode,
        ShiftOpcode, UMAOpcode,
    };
    match opcode {
        Def::Invalid(_) => Opcode::Invalid,
        Def::Nop(_) => Opcode::Nop,
        Def::Add(_) => Opcode::Add,
        Def::Sub(_) => Opcode::Sub,
        Def::Mul(_) => Opcode::Mul,
        Def::Div(_) => Opcode::Div,
        Def::Jump(_) => Opcode::Jump,
        Def::Binop(BinopOpcode::Xor) => Opcode::Xor,
        Def::Binop(BinopOpcode::And) => Opcode::And,
        Def::Binop(BinopOpcode::Or) => Opcode::Or,
        Def::Shift(ShiftOpcode::Shl) => Opcode::Shl,
        Def::Shift(ShiftOpcode::Shr) => Opcode::Shr,
        Def::Shift(ShiftOpcode::Rol) => Opcode::Rol,
        Def::Shift(ShiftOpcode::Ror) => Opcode::Ror,
        Def::Ptr(PtrOpcode::Add) => Opcode::PtrAdd,
        Def::Ptr(PtrOpcode::Sub) => Opcode::PtrSub,
        Def::Ptr(PtrOpcode::Pack) => Opcode::PtrPack,
        Def::Ptr(PtrOpcode::Shrink) => Opcode::PtrShrink,
        Def::NearCall(_) => Opcode::NearCall,
        Def::Context(ContextOpcode::This) => Opcode::ContextThis,
        Def::Context(ContextOpcode::Caller) => Opcode::ContextCaller,
        Def::Context(ContextOpcode::CodeAddress) => Opcode::ContextCodeAddress,
        Def::Context(ContextOpcode::Meta) => Opcode::ContextMeta,
        Def::Context(ContextOpcode::ErgsLeft) => Opcode::ContextErgsLeft,
        Def::Context(ContextOpcode::Sp) => Opcode::ContextSp,
        Def::Context(ContextOpcode::GetContextU128) => Opcode::ContextGetU128,
        Def::Context(ContextOpcode::SetContextU128) => Opcode::ContextSetU128,
        Def::Context(ContextOpcode::AuxMutating0) => Opcode::ContextAuxMutating0,
        Def::Context(ContextOpcode::IncrementTxNumber) => Opcode::ContextIncrementTx,
        Def::Log(LogOpcode::StorageRead) => Opcode::StorageRead,
        Def::Log(LogOpcode::StorageWrite) => Opcode::StorageWrite,
        Def::Log(LogOpcode::ToL1Message) => Opcode::ToL1,
        Def::Log(LogOpcode::Event) => Opcode::Event,
        Def::Log(LogOpcode::PrecompileCall) => Opcode::Precompile,
        Def::Log(LogOpcode::Decommit) => Opcode::Decommit,
        Def::Log(LogOpcode::TransientStorageRead) => Opcode::TransientRead,
        Def::Log(LogOpcode::TransientStorageWrite) => Opcode::TransientWrite,
        Def::FarCall(FarCallOpcode::Normal) => Opcode::FarCall,
        Def::FarCall(FarCallOpcode::Delegate) => Opcode::FarCallDelegate,
        Def::FarCall(FarCallOpcode::Mimic) => Opcode::FarCallMimic,
        Def::Ret(RetOpcode::Ok) => Opcode::RetOk,
        Def::Ret(RetOpcode::Revert) => Opcode::RetRevert,
        Def::Ret(RetOpcode::Panic) => Opcode::RetPanic,
        Def::UMA(UMAOpcode::HeapRead) => Opcode::HeapRead,
        Def::UMA(UMAOpcode::HeapWrite) => Opcode::HeapWrite,
        Def::UMA(UMAOpcode::AuxHeapRead) => Opcode::AuxHeapRead,
        Def::UMA(UMAOpcode::AuxHeapWrite) => Opcode::AuxHeapWrite,
        Def::UMA(UMAOpcode::FatPointerRead) => Opcode::PointerRead,
        Def::UMA(UMAOpcode::StaticMemoryRead) => Opcode::StaticRead,
        Def::UMA(UMAOpcode::StaticMemoryWrite) => Opcode::StaticWrite,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_ranges_and_prices_are_those_of_table_version_2() {
        let expect = |index: usize, opcode: Opcode, ergs: u32| {
            assert_eq!(
                (variant(index).opcode, variant(index).ergs),
                (opcode, ergs),
                "index {index:#x}"
            );
        };
        expect(0x000, Opcode::Invalid, u32::MAX);
        expect(0x001, Opcode::Nop, 6);
        expect(0x019, Opcode::Add, 6);
        expect(0x139, Opcode::Jump, 6);
        expect(0x40e, Opcode::PtrShrink, 6);
        expect(0x40f, Opcode::NearCall, 25);
        expect(0x419, Opcode::ContextIncrementTx, 5);
        expect(0x41a, Opcode::StorageRead, 2008);
        expect(0x41b, Opcode::StorageWrite, 5511);
        expect(0x41c, Opcode::ToL1, 109);
        expect(0x41e, Opcode::Event, 34);
        expect(0x420, Opcode::Precompile, 6);
        expect(0x421, Opcode::FarCall, 183);
        expect(0x431, Opcode::RetPanic, PANIC_COST);
        expect(0x43f, Opcode::HeapWrite, 13);
        expect(0x445, Opcode::Decommit, 6);
        expect(0x446, Opcode::TransientRead, 38);
        expect(0x44c, Opcode::StaticWrite, 13);
        expect(0x450, Opcode::Invalid, u32::MAX);
    }

    #[test]
    fn permissions_follow_the_table() {
        for index in 0..TABLE_SIZE {
            let row = variant(index);
            let kernel_only = matches!(
                row.opcode,
                Opcode::ContextSetU128
                    | Opcode::ContextAuxMutating0
                    | Opcode::ContextIncrementTx
                    | Opcode::ToL1
                    | Opcode::Event
                    | Opcode::Precompile
                    | Opcode::FarCallMimic
                    | Opcode::Decommit
                    | Opcode::StaticRead
                    | Opcode::StaticWrite
            );
            assert_eq!(row.kernel_only, kernel_only, "{:?}", row.opcode);
        }
    }
}
