//! What an instruction made a value of.

use eradbg_vm::disasm::disassemble;
use eradbg_vm::isa::Destination;
use eradbg_vm::{Execution, Instruction, Opcode, StorageKey, Value};

use crate::analysis::operand::{register, source};
use crate::analysis::origin::End;
use crate::query::reads;
use crate::query::{Access, Place};

/// Words that a precompile's output is followed to.
const MOST_INPUTS: usize = 8;

/// What an instruction made a value of.
pub(super) enum Made {
    /// It is the same value, or a part of it, from another place.
    Moved(Place),
    /// Of other values: their places, or the constants.
    Computed(Vec<(Option<Place>, Value)>),
    /// It is a constant.
    Constant(Value),
    /// It comes from nowhere else.
    End(End, String),
}

/// What an instruction, which is about to execute, makes what it writes of.
pub(super) fn made(machine: &Execution, i: &Instruction, written: &Access) -> Made {
    let is_empty = written
        .new
        .is_some_and(|value| value.word.is_zero() && !value.is_pointer);
    let is_panic = machine.pending_panic().is_some() || machine.violation(i).is_some();
    if is_panic
        && matches!(
            written.place,
            Place::Register(_) | Place::Flags | Place::Stack { .. }
        )
    {
        return Made::End(
            End::Machine,
            "a frame panicked, and handed back nothing".to_owned(),
        );
    }
    match &written.place {
        Place::Memory { .. } if written.new.is_none() => Made::End(
            End::Constant,
            "the memory came to life here: code, or zero".to_owned(),
        ),
        Place::Memory { .. } if i.opcode == Opcode::Precompile => inputs(machine),
        Place::Memory { .. } | Place::Storage(_) => of(register(machine, i.src1)),
        Place::Transient(_) if i.opcode == Opcode::TransientWrite => of(register(machine, i.src1)),
        Place::Transient(_) => Made::End(
            End::Constant,
            "what the start of the next transaction clears".to_owned(),
        ),
        Place::Flags => match i.opcode {
            Opcode::RetOk | Opcode::RetRevert | Opcode::RetPanic => {
                Made::End(End::Machine, "how the frame ended".to_owned())
            }
            opcode if opcode.is_far_call() || opcode == Opcode::NearCall => {
                Made::End(End::Machine, "cleared by the call".to_owned())
            }
            _ => Made::Computed(vec![source(machine, i), register(machine, i.src1)]),
        },
        // A return whose pointer breaks a rule panics.
        Place::Register(_) if i.opcode.is_ret() && is_empty => {
            Made::End(End::Constant, "nothing is returned".to_owned())
        }
        Place::Register(index) => of_value(machine, i, Some(*index)),
        Place::Stack { .. } => of_value(machine, i, None),
    }
}

/// What a result is made of that goes to a register, or to the stack.
fn of_value(machine: &Execution, i: &Instruction, index: Option<u8>) -> Made {
    let (a, b) = (source(machine, i), register(machine, i.src1));
    // A result on the stack may be addressed by the register that the second one goes to.
    let is_first = i.destination == Destination::Register && index == Some(i.dst0);
    let is_second = index == Some(i.dst1) && (i.writes_dst1() || !is_first);
    if is_second && !i.writes_dst1() && !i.opcode.is_far_call() && !i.opcode.is_ret() {
        return Made::End(End::Constant, "cleared, as an output that is not used".to_owned());
    }
    match i.opcode {
        Opcode::Add | Opcode::Or | Opcode::Xor if is_zero(&b) => of(a),
        Opcode::Add | Opcode::Or | Opcode::Xor if is_zero(&a) => of(b),
        Opcode::Sub if !i.flag1 && is_zero(&b) => of(a),
        Opcode::Sub if i.flag1 && is_zero(&a) => of(b),
        Opcode::Add
        | Opcode::Sub
        | Opcode::Mul
        | Opcode::Div
        | Opcode::Xor
        | Opcode::And
        | Opcode::Or
        | Opcode::Shl
        | Opcode::Shr
        | Opcode::Rol
        | Opcode::Ror
        | Opcode::PtrAdd
        | Opcode::PtrSub
        | Opcode::PtrPack
        | Opcode::PtrShrink => Made::Computed(vec![a, b]),
        Opcode::HeapRead | Opcode::AuxHeapRead | Opcode::StaticRead | Opcode::PointerRead if is_second => {
            Made::Computed(vec![a])
        }
        // The offset behind what was written.
        Opcode::HeapWrite | Opcode::AuxHeapWrite | Opcode::StaticWrite => Made::Computed(vec![a]),
        Opcode::HeapRead | Opcode::AuxHeapRead | Opcode::StaticRead | Opcode::PointerRead => {
            match memory_read(machine).into_iter().next() {
                Some(place) => Made::Moved(place),
                None => Made::End(End::Constant, "nothing is there to be read: zero".to_owned()),
            }
        }
        Opcode::StorageRead => Made::Moved(Place::Storage(slot(machine, a.1))),
        Opcode::TransientRead => Made::Moved(Place::Transient(slot(machine, a.1))),
        opcode if opcode.is_far_call() => of_far_call(machine, i, index, a),
        Opcode::RetOk | Opcode::RetRevert if index == Some(1) => Made::Computed(vec![a]),
        Opcode::RetOk | Opcode::RetRevert | Opcode::RetPanic => {
            Made::End(End::Constant, "cleared by the return".to_owned())
        }
        Opcode::Jump => Made::End(End::Constant, "the place to return to".to_owned()),
        Opcode::Decommit => Made::End(End::Constant, "a pointer to code".to_owned()),
        Opcode::Precompile => Made::End(End::Machine, "whether the precompile ran".to_owned()),
        opcode => {
            let known = opcode.description();
            Made::End(
                End::Machine,
                known.strip_prefix("dst0 := ").unwrap_or(known).to_owned(),
            )
        }
    }
}

/// What a far call hands its callee: the pointer to its calldata, and further registers for system contracts.
fn of_far_call(machine: &Execution, i: &Instruction, index: Option<u8>, abi: (Option<Place>, Value)) -> Made {
    match index {
        // The machine puts the caller's page into it.
        Some(1) => Made::Computed(vec![abi]),
        Some(2) => Made::End(End::Machine, "how it was called".to_owned()),
        Some(index) if reads::HANDED_ON.contains(&index) && reads::hands_on_registers(machine, i, abi.1) => {
            Made::Moved(Place::Register(index))
        }
        _ => Made::End(End::Constant, format!("cleared by {}", disassemble(i))),
    }
}

/// The memory that the instruction reads which is about to execute.
fn memory_read(machine: &Execution) -> Vec<Place> {
    let mut places = Vec::new();
    reads::of_instruction(machine, &machine.next_instruction(), &mut |place, _| {
        if matches!(place, Place::Memory { .. }) {
            places.push(place);
        }
    });
    places
}

fn inputs(machine: &Execution) -> Made {
    let inputs = memory_read(machine);
    if inputs.is_empty() {
        return Made::End(End::Machine, "a precompile's answer to nothing".to_owned());
    }
    let known = inputs.into_iter().take(MOST_INPUTS);
    Made::Computed(known.map(|place| (Some(place), Value::ZERO)).collect())
}

fn slot(machine: &Execution, key: Value) -> StorageKey {
    StorageKey {
        address: machine.frame().this,
        key: key.word,
    }
}

fn of((place, value): (Option<Place>, Value)) -> Made {
    place.map_or(Made::Constant(value), Made::Moved)
}

fn is_zero((place, value): &(Option<Place>, Value)) -> bool {
    place.is_none() && value.word.is_zero()
}
