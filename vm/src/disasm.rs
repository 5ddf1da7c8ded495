//! Instructions as text, in the assembler's dialect.
//!
//! The text is what `zkevm-assembly` reads, as far as it can express an instruction.

use std::fmt::Write as _;

use crate::decode::Instruction;
use crate::isa::{Destination, Opcode, Source};

/// The instruction as one line of assembly.
pub fn disassemble(i: &Instruction) -> String {
    let mut line = mnemonic(i);
    let operands = operands(i);
    if !operands.is_empty() {
        let _ = write!(line, " {}", operands.join(", "));
    }
    line
}

/// Mnemonic with modifiers and predicate.
pub fn mnemonic(i: &Instruction) -> String {
    let mut text = i.opcode.mnemonic().to_owned();
    match i.opcode {
        Opcode::FarCall | Opcode::FarCallDelegate | Opcode::FarCallMimic => {
            text.push_str(if i.flag0 { ".static" } else { "" });
            text.push_str(if i.flag1 { ".shard" } else { "" });
        }
        Opcode::RetOk | Opcode::RetRevert | Opcode::RetPanic => {
            text.push_str(if i.flag0 { ".to_label" } else { "" });
        }
        Opcode::Event | Opcode::ToL1 => text.push_str(if i.flag0 { ".first" } else { "" }),
        opcode if is_memory(opcode) => text.push_str(if i.flag0 { ".inc" } else { "" }),
        _ => text.push_str(if i.flag1 { ".s" } else { "" }),
    }
    text.push_str(i.predicate.suffix());
    if i.flag0 && i.opcode.is_arithmetic() {
        text.push('!');
    }
    text
}

fn operands(i: &Instruction) -> Vec<String> {
    let register = |index: u8| format!("r{index}");
    match i.opcode {
        Opcode::Invalid | Opcode::ContextIncrementTx => Vec::new(),
        Opcode::Nop => {
            let moves = [
                (i.source != Source::Register).then(|| source(i)),
                (i.destination != Destination::Register).then(|| destination(i)),
            ];
            moves.into_iter().flatten().collect()
        }
        Opcode::Mul | Opcode::Div => vec![source(i), register(i.src1), destination(i), register(i.dst1)],
        Opcode::Jump if i.dst0 == 0 => vec![source(i)],
        Opcode::Jump => vec![source(i), register(i.dst0)],
        Opcode::NearCall => vec![register(i.src0), label(i.imm0), label(i.imm1)],
        Opcode::ContextThis
        | Opcode::ContextCaller
        | Opcode::ContextCodeAddress
        | Opcode::ContextMeta
        | Opcode::ContextErgsLeft
        | Opcode::ContextSp
        | Opcode::ContextGetU128 => vec![register(i.dst0)],
        Opcode::StorageRead | Opcode::TransientRead => vec![register(i.src0), register(i.dst0)],
        Opcode::StorageWrite | Opcode::TransientWrite | Opcode::Event | Opcode::ToL1 => {
            vec![register(i.src0), register(i.src1)]
        }
        Opcode::Precompile | Opcode::Decommit => vec![register(i.src0), register(i.src1), register(i.dst0)],
        Opcode::FarCall | Opcode::FarCallDelegate | Opcode::FarCallMimic => {
            vec![register(i.src0), register(i.src1), label(i.imm0)]
        }
        Opcode::RetOk | Opcode::RetRevert | Opcode::RetPanic if i.flag0 => {
            vec![register(i.src0), label(i.imm0)]
        }
        Opcode::RetOk
        | Opcode::RetRevert
        | Opcode::RetPanic
        | Opcode::ContextSetU128
        | Opcode::ContextAuxMutating0 => vec![register(i.src0)],
        Opcode::HeapRead | Opcode::AuxHeapRead | Opcode::PointerRead | Opcode::StaticRead => {
            let mut operands = vec![source(i), register(i.dst0)];
            operands.extend(i.flag0.then(|| register(i.dst1)));
            operands
        }
        Opcode::HeapWrite | Opcode::AuxHeapWrite | Opcode::StaticWrite => {
            let mut operands = vec![source(i), register(i.src1)];
            operands.extend(i.flag0.then(|| register(i.dst0)));
            operands
        }
        _ => vec![source(i), register(i.src1), destination(i)],
    }
}

fn source(i: &Instruction) -> String {
    match i.source {
        Source::Register => format!("r{}", i.src0),
        Source::Immediate => i.imm0.to_string(),
        Source::StackPop => format!("stack-=[{}]", address(i.src0, i.imm0)),
        Source::StackRelative => format!("stack-[{}]", address(i.src0, i.imm0)),
        Source::StackAbsolute => format!("stack[{}]", address(i.src0, i.imm0)),
        Source::Code => format!("code[{}]", address(i.src0, i.imm0)),
    }
}

fn destination(i: &Instruction) -> String {
    match i.destination {
        Destination::Register => format!("r{}", i.dst0),
        Destination::StackPush => format!("stack+=[{}]", address(i.dst0, i.imm1)),
        Destination::StackRelative => format!("stack-[{}]", address(i.dst0, i.imm1)),
        Destination::StackAbsolute => format!("stack[{}]", address(i.dst0, i.imm1)),
    }
}

fn address(register: u8, immediate: u16) -> String {
    match (register, immediate) {
        (0, immediate) => immediate.to_string(),
        (register, 0) => format!("r{register}"),
        (register, immediate) => format!("r{register} + {immediate}"),
    }
}

fn label(pc: u16) -> String {
    format!("@{pc:#06x}")
}

fn is_memory(opcode: Opcode) -> bool {
    matches!(
        opcode,
        Opcode::HeapRead
            | Opcode::HeapWrite
            | Opcode::AuxHeapRead
            | Opcode::AuxHeapWrite
            | Opcode::PointerRead
            | Opcode::StaticRead
            | Opcode::StaticWrite
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_real_code_read_as_the_compiler_meant_them() {
        // The words and their meaning stand in the guide to the instruction set.
        let expected = [
            (0x0000_0080_0300_0039, "add 128, r0, r3"),
            (0x0000_0040_0030_043f, "st.1 64, r3"),
            (0x0000_0001_0020_0190, "and! 1, r2, r0"),
            (0x0000_0013_0000_c13d, "jump.ne 19"),
            (0x0002_0000_0000_0002, "nop stack+=[2]"),
            (0x0001_0000_0001_0355, "ptr.add r1, r0, stack[1]"),
            (0x0000_0060_0110_0270, "shr.s 96, r1, r1"),
            (0x0000_0015_0010_019d, "and code[21], r1, stack[0]"),
            (0x0000_0015_0400_0041, "add code[21], r0, r4"),
            (0x0000_0015_0510_009c, "sub.s! code[21], r1, r5"),
            (0x0000_0000_0104_8019, "add.ge r4, r0, r1"),
            (0x004e_0016_0000_040f, "near_call r0, @0x0016, @0x004e"),
            (0x0000_004e_0000_0432, "ret.panic.to_label r0, @0x004e"),
            (0x0000_004f_0001_042e, "ret.ok.to_label r1, @0x004f"),
            (0x0000_0050_0001_0430, "ret.revert.to_label r1, @0x0050"),
        ];
        for (word, text) in expected {
            assert_eq!(disassemble(&Instruction::decode(word)), text, "{word:#018x}");
        }
    }

    #[test]
    fn every_variant_has_a_text() {
        for index in 0..crate::isa::TABLE_SIZE as u64 {
            assert!(!disassemble(&Instruction::decode(index)).is_empty());
        }
    }
}
