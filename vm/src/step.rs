//! The order of one step, and the loop around it.
//!
//! Fetch, static price, permissions, predicate, observer, handler, observer. Handlers never touch these. The order is
//! that of `zk_evm` (`crates/zk_evm/src/vm_state/cycle.rs`): permissions are checked before the predicate, so that a
//! skipped instruction can panic, and a skipped instruction has paid its full price.

use std::sync::Arc;

use crate::decode::Instruction;
use crate::exec::{self, Cx, Fault, Next};
use crate::execution::Execution;
use crate::host::Host;
use crate::isa;
use crate::observer::{Observer, Step};
use crate::outcome::{PanicCause, Stop};
use crate::value::Value;

impl Execution {
    /// Executes up to `max_steps` steps.
    ///
    /// # Errors
    /// When the host has no answer; the execution is then as before the step that asked.
    ///
    /// # Panics
    /// When the root frame has ended.
    pub fn run<H: Host, O: Observer>(
        &mut self,
        host: &mut H,
        observer: &mut O,
        max_steps: u64,
    ) -> Result<Stop, H::Error> {
        assert!(self.ended.is_none(), "the run has ended");
        if self.settings.revision.clears_unwritten_dst1() {
            self.run_as::<true, _, _>(host, observer, max_steps)
        } else {
            self.run_as::<false, _, _>(host, observer, max_steps)
        }
    }

    /// The loop. A second copy of it, for the revisions that need it, clears the second outputs that were not written:
    /// so the other one does not have to ask at each step.
    fn run_as<const CLEARS_DST1: bool, H: Host, O: Observer>(
        &mut self,
        host: &mut H,
        observer: &mut O,
        max_steps: u64,
    ) -> Result<Stop, H::Error> {
        let panic = Instruction::panic();
        let nop = Instruction::nop();
        let invalid = Instruction::invalid();
        let last = self.steps.saturating_add(max_steps);
        while self.steps < last {
            // Handlers change frames, so the loop keeps the running program alive for itself.
            let program = Arc::clone(&self.frame.program);
            let instructions = program.instructions();
            while self.steps < last {
                let next = if self.pending_panic.is_some() {
                    self.pending_step(&panic, host, observer)
                } else {
                    let pc = self.frame.pc;
                    let instruction = instructions.get(pc as usize).unwrap_or(&invalid);
                    self.step::<CLEARS_DST1, _, _>(instruction, pc, &nop, &panic, host, observer)
                };
                match next? {
                    Next::Continue => {}
                    Next::FarFrame => break,
                    Next::Suspend(hook) => return Ok(Stop::Hook(hook)),
                    Next::End => return Ok(Stop::Ended(self.ended.clone().expect("the root frame ended"))),
                }
            }
        }
        Ok(Stop::StepLimit)
    }

    /// The instruction at the program counter; an invalid one past the end of the code.
    pub fn next_instruction(&self) -> Instruction {
        let instructions = self.frame.program.instructions();
        instructions
            .get(self.frame.pc as usize)
            .copied()
            .unwrap_or_else(Instruction::invalid)
    }

    /// Why an instruction may not execute here, the most telling reason first.
    #[cold]
    pub fn violation(&self, instruction: &Instruction) -> Option<PanicCause> {
        let forbidden = instruction.restrictions & self.frame.forbidden();
        if instruction.opcode == isa::Opcode::Invalid {
            Some(PanicCause::InvalidOpcode)
        } else if forbidden & Instruction::KERNEL_ONLY != 0 {
            Some(PanicCause::KernelOnly)
        } else if forbidden & Instruction::CHANGES_STATE != 0 {
            Some(PanicCause::StaticViolation)
        } else if self.frame.ergs < instruction.ergs {
            Some(PanicCause::OutOfErgs)
        } else if self.depth >= isa::MAX_DEPTH {
            Some(PanicCause::CallStackFull)
        } else {
            None
        }
    }

    /// Static price of the step that comes next, as the validation limit counts it: a skipped instruction counts as a
    /// no-op, a failing one as a panic. The second part is what a call of a priced precompile adds.
    pub(crate) fn next_price(&self) -> (u32, Option<Instruction>) {
        if self.pending_panic.is_some() {
            return (isa::PANIC_COST, None);
        }
        let instruction = self.next_instruction();
        if self.violation(&instruction).is_some() {
            (isa::PANIC_COST, None)
        } else if instruction.predicate.holds(self.flags) {
            (instruction.ergs, Some(instruction))
        } else {
            (Instruction::nop().ergs, None)
        }
    }

    #[inline(always)]
    fn step<const CLEARS_DST1: bool, H: Host, O: Observer>(
        &mut self,
        instruction: &Instruction,
        pc: u16,
        nop: &Instruction,
        panic: &Instruction,
        host: &mut H,
        observer: &mut O,
    ) -> Result<Next, H::Error> {
        let sp = self.frame.sp;
        let (ergs, unpaid) = self.frame.ergs.overflowing_sub(instruction.ergs);
        let forbidden = instruction.restrictions & self.frame.forbidden();
        if unpaid
            || forbidden != 0
            || self.depth >= isa::MAX_DEPTH
            || instruction.opcode == isa::Opcode::Invalid
        {
            let cause = self.violation(instruction).expect("one of the checks failed");
            self.frame.ergs = if unpaid { 0 } else { ergs };
            return self.panic_step(panic, Some(pc), cause, host, observer);
        }
        self.frame.ergs = ergs;
        let skipped = !instruction.predicate.holds(self.flags);
        let executed = if skipped { nop } else { instruction };
        let cause = (executed.opcode == isa::Opcode::RetPanic).then_some(PanicCause::Explicit);
        observer.before_step(
            self,
            Step {
                instruction: executed,
                pc: Some(pc),
                skipped,
                panic: cause,
            },
        );
        self.frame.pc = pc.wrapping_add(1);
        if skipped {
            return self.finish_step(Next::Continue, observer);
        }
        let done = exec::execute(
            &mut Cx {
                ex: self,
                host,
                observer,
            },
            instruction,
        );
        if CLEARS_DST1 {
            // A handler that fails has not come to its second output.
            let is_written = match &done {
                Ok(_) => instruction.writes_dst1(),
                Err(Fault::Panic(_)) => false,
                Err(Fault::Outside(_)) => true,
            };
            if !is_written {
                self.set_register(instruction.dst1, Value::ZERO, observer);
            }
        }
        match done {
            Ok(next) => self.finish_step(next, observer),
            Err(Fault::Panic(cause)) => {
                self.pending_panic = Some(cause);
                self.finish_step(Next::Continue, observer)
            }
            Err(Fault::Outside(error)) => {
                self.frame.ergs += instruction.ergs;
                self.frame.pc = pc;
                self.frame.sp = sp;
                observer.step_abandoned(self);
                Err(*error)
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn pending_step<H: Host, O: Observer>(
        &mut self,
        panic: &Instruction,
        host: &mut H,
        observer: &mut O,
    ) -> Result<Next, H::Error> {
        let cause = self.pending_panic.take().expect("the caller has seen it");
        self.frame.ergs = self.frame.ergs.saturating_sub(isa::PANIC_COST);
        self.panic_step(panic, None, cause, host, observer)
    }

    /// Executes a panic in place of the instruction at `pc`, or before the next one.
    #[cold]
    #[inline(never)]
    fn panic_step<H: Host, O: Observer>(
        &mut self,
        panic: &Instruction,
        pc: Option<u16>,
        cause: PanicCause,
        host: &mut H,
        observer: &mut O,
    ) -> Result<Next, H::Error> {
        observer.before_step(
            self,
            Step {
                instruction: panic,
                pc,
                skipped: false,
                panic: Some(cause),
            },
        );
        let next = exec::panic(
            &mut Cx {
                ex: self,
                host,
                observer,
            },
            cause,
        );
        self.finish_step(next, observer)
    }

    #[inline(always)]
    fn finish_step<E, O: Observer>(&mut self, next: Next, observer: &mut O) -> Result<Next, E> {
        self.steps += 1;
        observer.after_step(self);
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    use primitive_types::U256;

    use super::*;
    use crate::Program;
    use crate::batch::Snapshot;
    use crate::execution::Settings;
    use crate::outcome::End;
    use crate::protocol::Revision;
    use crate::storage::SnapshotStorage;
    use crate::vm::EraVm;

    #[test]
    fn any_opcode_panics_when_the_call_stack_is_full() {
        // 32-bit ergs end before so many calls are made.
        let end_at = |depth| {
            let no_ops = U256([1; 4]);
            let settings = Settings {
                default_account: U256::zero(),
                evm_emulator: U256::zero(),
                hook_offset: 0,
                unpaid_growth_raises_bound: false,
                ec_precompiles: true,
                revision: Revision::default(),
            };
            let mut vm = EraVm::new(Program::new(U256::one(), vec![no_ops]), u32::MAX, settings);
            vm.execution.depth = depth;
            let mut storage = SnapshotStorage::new(Snapshot::default());
            let stop = vm.run(&mut storage, &mut (), 2).expect("nothing is asked for");
            (stop, vm.execution.steps())
        };
        assert_eq!(end_at(isa::MAX_DEPTH - 1), (Stop::StepLimit, 2));
        let (stop, steps) = end_at(isa::MAX_DEPTH);
        assert_eq!(stop, Stop::Ended(End::Panicked(PanicCause::CallStackFull)));
        assert_eq!(steps, 1);
    }
}
