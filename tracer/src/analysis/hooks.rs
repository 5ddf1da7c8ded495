//! Hooks of the bootloader: what it told or asked, and what the operator wrote in answer.

use std::ops::Range;

use eradbg_vm::U256;
use eradbg_vm::bootloader::Hook;
use serde::Serialize;

use crate::analysis::phase::Phase;
use crate::analysis::walk::walk;
use crate::error::Result;
use crate::ledger::OperatorRow;
use crate::recording::Recording;

/// A hook.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct HookCall {
    /// Position right after the write that called it.
    pub step: u64,
    /// The transaction that it belongs to, counted from 0.
    pub tx: Option<u32>,
    /// What the bootloader is about from here on.
    pub phase: Phase,
    /// Its number.
    pub id: u32,
    /// Its name; its number where it has none.
    pub name: String,
    /// Its parameters: `name=value`, separated by `; `.
    pub parameters: String,
    /// What the operator wrote before the next step, in the same form, by the name of the heap slot.
    pub answer: String,
}

/// Hands on the hooks of some steps in order of time.
///
/// # Errors
/// When rows are damaged, and what `each` says.
pub fn hooks<E: From<crate::Error>>(
    recording: &Recording,
    steps: Range<u64>,
    each: &mut dyn FnMut(HookCall) -> Result<(), E>,
) -> Result<(), E> {
    recording.load_overview();
    let mut last: Option<HookCall> = None;
    walk::<OperatorRow, E>(recording, steps, &mut |told| {
        let step = told.row.step;
        match told.row.row {
            OperatorRow::Hook { id, parameters } => {
                if let Some(row) = last.take() {
                    each(row)?;
                }
                let hook = Hook::new(id);
                let (tx, phase) = if hook == Some(Hook::TxHasEnded) {
                    // The next transaction begins where it is told.
                    let last = step.saturating_sub(1);
                    (recording.transaction_number_at(last), Phase::TransactionEnd)
                } else {
                    (told.tx, Phase::at(recording, step))
                };
                last = Some(HookCall {
                    step,
                    tx,
                    phase,
                    id,
                    name: hook.map_or_else(|| id.to_string(), |hook| hook.name().to_owned()),
                    parameters: told_parameters(hook, parameters),
                    answer: String::new(),
                });
            }
            OperatorRow::Write { slot, new, .. } => {
                if let Some(row) = last.as_mut().filter(|row| row.step == step) {
                    let name = recording.slot_name(slot as usize, step);
                    add(&mut row.answer, &format!("{name}={new:#x}"));
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    last.map_or(Ok(()), each)
}

fn told_parameters(hook: Option<Hook>, values: [U256; 3]) -> String {
    let mut text = String::new();
    for (name, value) in hook.map_or(&[][..], Hook::parameters).iter().zip(values) {
        add(&mut text, &format!("{name}={value:#x}"));
    }
    text
}

fn add(text: &mut String, further: &str) {
    if !text.is_empty() {
        text.push_str("; ");
    }
    text.push_str(further);
}
