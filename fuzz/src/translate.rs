//! Page ids that become numbers.
//!
//! In kernel mode an instruction that takes no pointers sees the whole word of one, page id included, and may put it
//! anywhere. The peer's operand is therefore our word for the length of that instruction, so that the number is the same
//! in both machines from its birth and is compared as it stands. The one place where a number becomes a page again is the
//! ABI word of a precompile call; there the peer's operand names the peer's heap.

use eradbg_vm::isa::Source;
use eradbg_vm::precompile::PrecompileAbi;
use eradbg_vm::{Execution, Opcode, U256, Value};
use zksync_vm2::interface::{CallframeInterface, StateInterface};

use crate::before::Before;
use crate::exclusions::Repair;
use crate::pages::Pages;
use crate::peer::Peer;

/// Words that every precompile's output fits in.
const OUTPUT_WORDS: u32 = 3;

/// An operand of the peer that holds another word for one instruction.
#[derive(Debug)]
pub struct Lent {
    place: Place,
    /// What our machine has there.
    ours: Value,
    /// What the peer had there.
    theirs: Value,
    /// What the peer has there meanwhile.
    meanwhile: Value,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Register(u8),
    Stack(u16),
}

/// Puts our words where the peer is about to turn a pointer into a number.
pub fn before_step(
    execution: &Execution,
    before: &Before,
    pages: &Pages,
    peer: &mut Peer,
    repairs: &mut Vec<Repair>,
) -> Vec<Lent> {
    let mut lent = Vec::new();
    if !before.executes || !execution.frame().is_kernel {
        return lent;
    }
    let i = &before.instruction;
    for place in numbers(execution, before).into_iter().flatten() {
        let ours = read(execution, place);
        let theirs = peer_read(peer, place);
        let is_other_name = ours.is_pointer
            && theirs.is_pointer
            && theirs.word != ours.word
            && pages.pointer_to_ours(theirs.word) == Some(ours.word);
        if !is_other_name {
            continue;
        }
        repairs.push(Repair::TranslatedNumber);
        lent.push(lend(peer, place, ours, ours));
    }
    if i.opcode == Opcode::Precompile {
        lent.extend(name_pages(i.src0, before.src0(), pages, peer, repairs));
    }
    lent
}

/// Gives back what the instruction did not overwrite, and translates what a system call handed over as numbers.
pub fn after_step(
    execution: &Execution,
    before: &Before,
    entered_far: bool,
    lent: Vec<Lent>,
    pages: &Pages,
    peer: &mut Peer,
) {
    for lent in lent.into_iter().rev() {
        if read(execution, lent.place) == lent.ours && peer_read(peer, lent.place) == lent.meanwhile {
            write(peer, lent.place, lent.theirs);
        }
    }
    if entered_far && execution.frame().is_system_call {
        for index in 3..13 {
            let old = before.registers[index as usize];
            let handed_over = peer_read(peer, Place::Register(index));
            let is_theirs = handed_over.word != old.word
                && !handed_over.is_pointer
                && pages.pointer_to_ours(handed_over.word) == Some(old.word);
            if old.is_pointer && is_theirs {
                write(peer, Place::Register(index), Value::integer(old.word));
            }
        }
    }
}

/// Operands that lose their tag.
fn numbers(execution: &Execution, before: &Before) -> [Option<Place>; 2] {
    let i = &before.instruction;
    let src0 = Some(Place::Register(i.src0));
    let src1 = Some(Place::Register(i.src1));
    match i.opcode {
        opcode if opcode.is_arithmetic() => [source(execution, before), src1],
        Opcode::ContextSetU128 => [src0, None],
        Opcode::StorageRead
        | Opcode::StorageWrite
        | Opcode::TransientRead
        | Opcode::TransientWrite
        | Opcode::Event
        | Opcode::ToL1
        | Opcode::Precompile
        | Opcode::Decommit => [src0, src1],
        Opcode::HeapWrite | Opcode::AuxHeapWrite | Opcode::FarCall | Opcode::FarCallDelegate => [src1, None],
        Opcode::FarCallMimic => [src1, Some(Place::Register(15))],
        _ => [None, None],
    }
}

/// Where the first operand is.
fn source(execution: &Execution, before: &Before) -> Option<Place> {
    let i = &before.instruction;
    let address = (before.src0().word.0[0] as u16).wrapping_add(i.imm0);
    let sp = execution.frame().sp;
    match i.source {
        Source::Register => Some(Place::Register(i.src0)),
        Source::StackPop | Source::StackRelative => Some(Place::Stack(sp.wrapping_sub(address))),
        Source::StackAbsolute => Some(Place::Stack(address)),
        Source::Immediate | Source::Code => None,
    }
}

/// Makes the ABI word of a precompile call name the peer's heaps, and the whole output.
fn name_pages(
    register: u8,
    ours: Value,
    pages: &Pages,
    peer: &mut Peer,
    repairs: &mut Vec<Repair>,
) -> Option<Lent> {
    let abi = PrecompileAbi::from_word(ours.word);
    let [read, write_to] = [abi.page_to_read, abi.page_to_write].map(|page| pages.peer(page).unwrap_or(page));
    let output_length = abi.output_length.max(OUTPUT_WORDS);
    let U256([input, _, _, interpreted]) = ours.word;
    let meanwhile = U256([
        input,
        u64::from(abi.output_offset) | u64::from(output_length) << 32,
        u64::from(read) | u64::from(write_to) << 32,
        interpreted,
    ]);
    // Register 0 is zero, which names the own heap and writes nothing of the output.
    if meanwhile == ours.word {
        return None;
    }
    if output_length != abi.output_length {
        repairs.push(Repair::OutputLength);
    }
    if [read, write_to] != [abi.page_to_read, abi.page_to_write] {
        repairs.push(Repair::TranslatedPage);
    }
    let place = Place::Register(register);
    let meanwhile = Value {
        word: meanwhile,
        ..ours
    };
    Some(lend(peer, place, ours, meanwhile))
}

fn lend(peer: &mut Peer, place: Place, ours: Value, meanwhile: Value) -> Lent {
    let theirs = peer_read(peer, place);
    write(peer, place, meanwhile);
    Lent {
        place,
        ours,
        theirs,
        meanwhile,
    }
}

fn read(execution: &Execution, place: Place) -> Value {
    match place {
        Place::Register(index) => execution.register(index),
        Place::Stack(slot) => execution.frame().stack.read(slot),
    }
}

fn peer_read(peer: &mut Peer, place: Place) -> Value {
    let (word, is_pointer) = match place {
        Place::Register(index) => peer.vm.read_register(index),
        Place::Stack(slot) => peer.vm.current_frame().read_stack(slot),
    };
    Value { word, is_pointer }
}

fn write(peer: &mut Peer, place: Place, value: Value) {
    let Value { word, is_pointer } = value;
    match place {
        Place::Register(index) => peer.vm.set_register(index, word, is_pointer),
        Place::Stack(slot) => peer.vm.current_frame().write_stack(slot, word, is_pointer),
    }
}
