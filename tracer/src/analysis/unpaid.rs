//! Pubdata that a transaction's gas does not pay for: how much it pays for, which write was too much, and where the bootloader
//! noticed.

use std::ops::Range;

use eradbg_vm::Opcode;
use serde::Serialize;

use crate::analysis::before;
use crate::analysis::pubdata::pubdata;
use crate::analysis::sheet::sheet;
use crate::error::{Error, Result};
use crate::numbers::grouped;
use crate::recording::Recording;

/// What a transaction's gas pays for, and what was too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Unpaid {
    /// The step at which the bootloader gives the transaction up.
    pub noticed_at: u64,
    /// Gas that was left for pubdata then, what was reserved beyond the limit of computation included.
    pub gas_left: u64,
    /// Gas for a byte.
    pub gas_per_byte: u64,
    /// Bytes that this pays for.
    pub limit: i64,
    /// Bytes that the transaction had added by then.
    pub bytes: i64,
    /// The write from which on there were more than that.
    pub crossed_at: Option<u64>,
}

/// What a transaction, whose steps are these, could not pay for when the bootloader gave it up.
///
/// # Errors
/// When there is no such transaction, the recording cannot be stepped, or a chunk that tells of it is damaged.
pub(super) fn unpaid(recording: &Recording, tx: u32, noticed_at: u64, steps: Range<u64>) -> Result<Unpaid> {
    let entries = sheet(recording, tx)?;
    let number = |name: &str| {
        let entry = entries.iter().find(|entry| entry.name == name);
        entry.map_or(0, |entry| entry.value as u64)
    };
    let gas_per_byte = number("gas per pubdata byte");
    // Gas is burnt by handing it to a precompile call, and the next step fails; or the step itself fails.
    let mut machine = before(recording, noticed_at)?;
    if noticed_at > 0 {
        let earlier = before(recording, noticed_at - 1)?;
        if earlier.next_instruction().opcode == Opcode::Precompile {
            machine = earlier;
        }
    }
    let gas_left = u64::from(machine.frame().ergs) + number("reserved, not for computation");
    let limit = gas_left.checked_div(gas_per_byte).unwrap_or(0) as i64;
    let mut totals = Vec::new();
    pubdata::<Error>(recording, steps, &mut |row| {
        if row.step < noticed_at {
            totals.push((row.step, i64::from(row.total)));
        }
        Ok(())
    })?;
    let within = totals.iter().rposition(|&(_, total)| total <= limit);
    let crossing = totals.get(within.map_or(0, |at| at + 1));
    Ok(Unpaid {
        noticed_at,
        gas_left,
        gas_per_byte,
        limit,
        bytes: totals.last().map_or(0, |&(_, total)| total),
        crossed_at: crossing.map(|&(step, _)| step),
    })
}

impl Unpaid {
    /// It in words.
    pub fn text(&self) -> String {
        format!(
            "the bootloader notices that {} gas, at {} for a byte, pay for {} bytes, not for {}",
            grouped(self.gas_left),
            grouped(self.gas_per_byte),
            grouped(self.limit.max(0)),
            grouped(self.bytes.max(0)),
        )
    }
}
