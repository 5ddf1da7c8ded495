//! The contracts of a batch: their names and code, how often they were called, and what is known about them.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use eradbg_vm::code_hash::CodeHash;
use eradbg_vm::{H160, U256, value};

use super::{Line, Mark};
use crate::analysis::walk::walk;
use crate::error::{Error, Result};
use crate::ledger::StateRow;
use crate::numbers::grouped;
use crate::recording::Recording;

/// A contract that was called.
struct Called {
    /// The step of the first call.
    first_step: u64,
    calls: usize,
    /// The hash of its code at the last call.
    hash: U256,
}

pub(super) fn heading() -> String {
    columns("calls", "words")
}

pub(super) fn lines(recording: &Recording, view: usize) -> Result<Vec<Line>> {
    let notes = recording.notes_on_names()?;
    let note = |note: String| {
        Line::plain(0, note)
            .with(columns("", ""))
            .marked(Mark::Failed, true)
    };
    let mut lines: Vec<_> = notes.into_iter().map(note).collect();
    let mut contracts: Vec<_> = called(recording)?.into_iter().collect();
    if view == 0 {
        contracts.sort_by_key(|(_, called)| Reverse(called.calls));
    }
    for (address, called) in contracts {
        let words = CodeHash::parse(called.hash).map_or_else(|| "-".to_owned(), |hash| grouped(words(hash)));
        let line = Line::at(called.first_step, 0, recording.address_text(address));
        lines.push(line.with(columns(&grouped(called.calls), &words)));
        let detail = |text: String| Line::plain(1, text).with(columns("", ""));
        lines.push(detail(format!("address {address:#x}")));
        lines.push(detail(format!("code {:#066x}", called.hash)));
        let artifacts = recording.artifacts();
        if let Some(contract) = artifacts.and_then(|artifacts| artifacts.of_code(called.hash)) {
            let file = contract.file.display();
            let variables = if contract.layout.is_empty() {
                ", which has no storage layout"
            } else {
                ""
            };
            lines.push(detail(format!("named by {file}{variables}")));
        }
    }
    Ok(lines)
}

/// All contracts that far calls looked up, by address.
fn called(recording: &Recording) -> Result<BTreeMap<H160, Called>> {
    let mut contracts: BTreeMap<H160, Called> = BTreeMap::new();
    walk::<StateRow, Error>(recording, 0..u64::MAX, &mut |told| {
        let StateRow::Storage(access) = &told.row.row else {
            return Ok(());
        };
        if access.by_far_call {
            let contract = contracts
                .entry(value::address_of(access.key.key))
                .or_insert(Called {
                    first_step: told.row.step,
                    calls: 0,
                    hash: access.old,
                });
            contract.calls += 1;
            contract.hash = access.old;
        }
        Ok(())
    })?;
    Ok(contracts)
}

/// Words of code.
fn words(hash: CodeHash) -> u16 {
    let length = hash.length_field();
    if hash.is_evm() {
        length.div_ceil(32)
    } else {
        length
    }
}

fn columns(calls: &str, words: &str) -> String {
    format!("{calls:>9} {words:>7}")
}
