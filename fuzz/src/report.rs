//! A difference, for whoever has to find its cause.

use std::fmt::Write as _;

use eradbg_vm::Instruction;
use eradbg_vm::disasm::disassemble;

use crate::case::{Case, Code};
use crate::lockstep::{Lockstep, Verdict};
use crate::statistics::Statistics;

/// Instructions before the difference that are listed.
const LAST: usize = 24;

/// What differs, where, and the instructions before it.
pub fn difference(case: &Case) -> String {
    let mut lockstep = Lockstep::new(case);
    let verdict = lockstep.run(&mut Statistics::default());
    let Verdict::Differs(mismatch) = verdict else {
        return format!("no difference: {verdict:?}\n");
    };
    let execution = &lockstep.ours.execution;
    let frame = execution.frame();
    let mut text = format!(
        "after step {}: {} differs\n  ours {}\n  peer {}\nours is in {:#x} (code {:#x}), {} frames, panic pending: {:?}\n",
        execution.steps(),
        mismatch.field,
        mismatch.ours,
        mismatch.peer,
        frame.this,
        frame.code_address,
        execution.depth(),
        execution.pending_panic(),
    );
    let history = lockstep.history();
    for executed in &history[history.len().saturating_sub(LAST)..] {
        let at = executed.pc.map_or("panic".to_owned(), |pc| format!("{pc:5}"));
        let text_of = disassemble(&Instruction::decode(executed.word));
        let _ = writeln!(
            text,
            "{:8} depth {:3} pc {at}  {text_of}",
            executed.step, executed.depth
        );
    }
    text
}

/// A case as text: settings, slots, and instructions that are not no-ops.
pub fn listing(case: &Case) -> String {
    let mut text = format!(
        "ergs {}, bounds {:?}, hook at {}, default account {:#x}, EVM emulator {:#x}\n",
        case.ergs, case.bounds, case.hook_offset, case.default_account, case.evm_emulator
    );
    for (key, (value, is_initial)) in &case.slots {
        let _ = writeln!(
            text,
            "slot {:#x} {:#x} = {value:#x} initial: {is_initial}",
            key.address, key.key
        );
    }
    text.push_str("root:\n");
    list_code(&mut text, &case.root);
    for (hash, code) in &case.codes {
        let _ = writeln!(text, "code {hash:#x}:");
        list_code(&mut text, code);
    }
    text
}

fn list_code(text: &mut String, code: &Code) {
    for (pc, &word) in code
        .instructions
        .iter()
        .enumerate()
        .filter(|(_, word)| **word != 1)
    {
        let _ = writeln!(
            text,
            "  {pc:4} {word:#018x}  {}",
            disassemble(&Instruction::decode(word))
        );
    }
    let first = code.instructions.len() / 4;
    for (index, constant) in code
        .constants
        .iter()
        .enumerate()
        .filter(|(_, word)| !word.is_zero())
    {
        let _ = writeln!(text, "  code[{}] = {constant:#x}", first + index);
    }
}
