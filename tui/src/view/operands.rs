//! The values that an instruction is about to work on.

use eradbg_tracer::timeline::StepInfo;
use eradbg_vm::isa::Source;
use eradbg_vm::value::address_of;
use eradbg_vm::{FatPointer, Frame, Instruction, Opcode, StorageKey, Value};

use crate::view::View;

/// A named value.
pub(super) struct Operand {
    /// Register, stack slot, or place in a memory.
    pub(super) name: String,
    /// What it holds before the step.
    pub(super) value: Value,
}

/// Operands of the next step, in the order in which the listing names them, then what they lead to.
pub(super) fn of(view: &View<'_>, step: &StepInfo) -> Vec<Operand> {
    let i = &step.instruction;
    let execution = view.timeline.execution();
    let frame = execution.frame();
    let mut operands = Vec::new();
    if let Some((name, value)) = source(view, i, frame) {
        operands.push(Operand { name, value });
    }
    let text = eradbg_vm::disasm::disassemble(i);
    for index in registers_in(&text) {
        let name = format!("r{index}");
        if operands.iter().all(|operand| operand.name != name) {
            operands.push(Operand {
                name,
                value: execution.register(index),
            });
        }
    }
    operands.extend(target(view, i, frame));
    operands
}

/// What the step calls, in words: name of the contract.
pub(super) fn callee(view: &View<'_>, i: &Instruction) -> Option<String> {
    i.opcode.is_far_call().then(|| {
        let address = address_of(view.timeline.execution().register(i.src1).word);
        format!("calls {}", view.name(address))
    })
}

/// A source operand that is no register. Immediates below ten read the same in any base.
fn source(view: &View<'_>, i: &Instruction, frame: &Frame) -> Option<(String, Value)> {
    let register = view.timeline.execution().register(i.src0).word.low_u64() as u16;
    let address = register.wrapping_add(i.imm0);
    match i.source {
        Source::Register => None,
        Source::Immediate => (i.imm0 > 9).then(|| ("imm".to_owned(), Value::from(u64::from(i.imm0)))),
        Source::StackPop | Source::StackRelative => {
            let slot = frame.sp.wrapping_sub(address);
            Some((format!("stack[{slot:#x}]"), frame.stack.read(slot)))
        }
        Source::StackAbsolute => Some((format!("stack[{address:#x}]"), frame.stack.read(address))),
        Source::Code => Some((
            format!("code[{address:#x}]"),
            Value::integer(frame.program.word(address)),
        )),
    }
}

/// The word of memory or storage that the step reads or overwrites.
fn target(view: &View<'_>, i: &Instruction, frame: &Frame) -> Option<Operand> {
    let execution = view.timeline.execution();
    let src0 = match i.source {
        Source::Immediate => Value::from(u64::from(i.imm0)),
        _ => execution.register(i.src0),
    };
    let key = StorageKey {
        address: frame.this,
        key: src0.word,
    };
    let state = view.timeline.state();
    let (name, word) = match i.opcode {
        Opcode::HeapRead | Opcode::HeapWrite | Opcode::AuxHeapRead | Opcode::AuxHeapWrite => {
            let is_aux = matches!(i.opcode, Opcode::AuxHeapRead | Opcode::AuxHeapWrite);
            let (name, slot) = if is_aux {
                ("aux", frame.aux_heap)
            } else {
                ("heap", frame.heap)
            };
            let offset = u32::try_from(src0.word)
                .ok()
                .filter(|offset| *offset <= u32::MAX - 32)?;
            (
                format!("{name}[{offset:#x}]"),
                execution.heaps().at(slot).read_word(offset),
            )
        }
        Opcode::PointerRead => {
            let pointer = FatPointer::from_word(src0.word);
            let mut bytes = [0; 32];
            let left = pointer.length.saturating_sub(pointer.offset).min(32) as usize;
            let heap = execution.heaps().get(pointer.page)?;
            heap.read_bytes(pointer.start.wrapping_add(pointer.offset), &mut bytes[..left]);
            ("bytes".to_owned(), eradbg_vm::U256::from_big_endian(&bytes))
        }
        Opcode::StorageRead | Opcode::StorageWrite => {
            ("slot".to_owned(), state.storage_changes.get(&key)?.value)
        }
        Opcode::TransientRead | Opcode::TransientWrite => (
            "slot".to_owned(),
            state.transient_storage.get(&key).copied().unwrap_or_default(),
        ),
        _ => return None,
    };
    Some(Operand {
        name,
        value: Value::integer(word),
    })
}

/// Registers that a line of assembly names, r0 aside, each once.
fn registers_in(line: &str) -> Vec<u8> {
    let words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.' && c != '@');
    let mut found = Vec::new();
    for word in words.skip(1) {
        if let Some(index) = word.strip_prefix('r').and_then(|digits| digits.parse().ok())
            && (1..16).contains(&index)
            && !found.contains(&index)
        {
            found.push(index);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_are_read_off_the_line_once_and_in_order() {
        assert_eq!(registers_in("sub.s! code[r2 + 21], r1, r2"), [2, 1]);
        assert_eq!(registers_in("ret.ok.to_label r1, @0x004f"), [1]);
        assert_eq!(registers_in("add 128, r0, r3"), [3]);
        assert_eq!(registers_in("rol r4, r15, r16"), [4, 15]);
    }
}
