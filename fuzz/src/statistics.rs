//! What was run, counted.

use std::collections::BTreeMap;
use std::fmt;

use eradbg_vm::disasm::mnemonic;
use eradbg_vm::outcome::{End, PanicCause};
use eradbg_vm::{Instruction, Opcode};

use crate::before::Before;
use crate::exclusions::{Exclusion, Repair};
use crate::generate::{VARIANTS, is_generated};
use crate::lockstep::Verdict;
use crate::trace::Trace;

/// Counts over many cases.
#[derive(Debug, Clone)]
pub struct Statistics {
    /// Cases.
    pub cases: u64,
    /// Instructions that both machines executed and that were compared.
    pub instructions: u64,
    /// Frames entered.
    pub far_frames: u64,
    /// See [`Self::far_frames`].
    pub near_frames: u64,
    /// Most near and far frames at a time.
    pub deepest: u32,
    executed: Vec<u64>,
    panics: BTreeMap<PanicCause, u64>,
    exclusions: BTreeMap<Exclusion, u64>,
    repairs: BTreeMap<Repair, u64>,
    ends: BTreeMap<&'static str, u64>,
}

impl Default for Statistics {
    fn default() -> Self {
        Self {
            cases: 0,
            instructions: 0,
            far_frames: 0,
            near_frames: 0,
            deepest: 0,
            executed: vec![0; VARIANTS],
            panics: BTreeMap::new(),
            exclusions: BTreeMap::new(),
            repairs: BTreeMap::new(),
            ends: BTreeMap::new(),
        }
    }
}

impl Statistics {
    /// Counts a step.
    pub fn step(&mut self, before: &Before, trace: &Trace, depth: u32) {
        self.instructions += 1;
        self.deepest = self.deepest.max(depth);
        if before.executes && before.variant < VARIANTS {
            self.executed[before.variant] += 1;
        }
        if let Some(cause) = trace.panic {
            *self.panics.entry(cause).or_default() += 1;
            if cause == PanicCause::InvalidOpcode {
                self.executed[0] += 1;
            }
        }
        match trace.entered_near {
            Some(true) => self.near_frames += 1,
            Some(false) => self.far_frames += 1,
            None => {}
        }
    }

    /// Counts corrections of the peer.
    pub fn repaired(&mut self, repairs: &[Repair]) {
        for &repair in repairs {
            *self.repairs.entry(repair).or_default() += 1;
        }
    }

    /// Counts a case.
    pub fn case(&mut self, verdict: &Verdict) {
        self.cases += 1;
        let end = match verdict {
            Verdict::Ended(End::Finished(_)) => "finished",
            Verdict::Ended(End::Reverted(_)) => "reverted",
            Verdict::Ended(End::Panicked(_)) => "panicked",
            Verdict::StepLimit => "had all their steps",
            Verdict::Excluded(exclusion) => {
                *self.exclusions.entry(*exclusion).or_default() += 1;
                "excluded"
            }
            Verdict::Differs(_) => "differ",
        };
        *self.ends.entry(end).or_default() += 1;
    }

    /// Rows of the instruction table that programs have and no case has executed.
    pub fn missing_variants(&self) -> Vec<usize> {
        let generated = (0..VARIANTS).filter(|&index| is_generated(index));
        generated.filter(|&index| self.executed[index] == 0).collect()
    }

    /// Causes of panics that no case has had.
    pub fn missing_panics(&self) -> Vec<PanicCause> {
        let causes = PanicCause::ALL.iter().copied();
        causes.filter(|cause| !self.panics.contains_key(cause)).collect()
    }
}

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let missing = self.missing_variants();
        let generated = (0..VARIANTS).filter(|&index| is_generated(index)).count();
        writeln!(f, "{:>12}  cases", self.cases)?;
        for (end, count) in &self.ends {
            writeln!(f, "{count:>12}    {end}")?;
        }
        writeln!(f, "{:>12}  instructions compared", self.instructions)?;
        writeln!(f, "{:>12}  far frames", self.far_frames)?;
        writeln!(
            f,
            "{:>12}  near frames, up to {} deep",
            self.near_frames, self.deepest
        )?;
        writeln!(
            f,
            "{:>12}  of {generated} variants executed",
            generated - missing.len()
        )?;
        for index in missing.iter().take(20) {
            let instruction = Instruction::decode(*index as u64);
            writeln!(f, "              never: {index:#05x} {}", mnemonic(&instruction))?;
        }
        let opcodes = Opcode::ALL.iter();
        let unseen = opcodes.filter(|opcode| self.count(**opcode) == 0);
        for opcode in unseen {
            writeln!(f, "              never: {}", opcode.name())?;
        }
        writeln!(f, "panics:")?;
        for (cause, count) in &self.panics {
            writeln!(f, "{count:>12}  {}", cause.name())?;
        }
        for cause in self.missing_panics() {
            writeln!(f, "           0  {}", cause.name())?;
        }
        writeln!(f, "cases that ended where the peer is known to deviate:")?;
        for (exclusion, count) in &self.exclusions {
            writeln!(f, "{count:>12}  {}", exclusion.reason())?;
        }
        writeln!(f, "corrections of the peer:")?;
        for (repair, count) in &self.repairs {
            writeln!(f, "{count:>12}  {}", repair.reason())?;
        }
        Ok(())
    }
}

impl Statistics {
    fn count(&self, opcode: Opcode) -> u64 {
        let rows = self.executed.iter().enumerate();
        let of_opcode = rows.filter(|(index, _)| eradbg_vm::isa::variant(*index).opcode == opcode);
        of_opcode.map(|(_, count)| count).sum()
    }
}
