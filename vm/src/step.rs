//! The order of one step, and the loop around it.
//!
//! Fetch, static price, permissions, predicate, observer, handler, observer. Handlers never touch these. The order is
//! that of `zk_evm` (`crates/zk_evm/src/vm_state/cycle.rs`): permissions are checked before the predicate, so that a
//! skipped instruction can panic, and a skipped instruction has paid its full price.

use std::sync::Arc;

use crate::decode::Instruction;
use crate::exec::{self, Cx, Fault, HANDLERS, Next};
use crate::execution::Execution;
use crate::host::Host;
use crate::isa;
use crate::observer::{Observer, Step};
use crate::outcome::{PanicCause, Stop};
use crate::program::Program;
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
        let last = self.steps.saturating_add(max_steps);
        let mut fault = None;
        while self.steps < last && self.ended.is_none() {
            if self.pending_panic.is_some() {
                self.pending_step(host, observer);
                continue;
            }
            // Handlers change frames, so the loop keeps the running program alive for itself.
            let program = Arc::clone(&self.frame.program);
            observer.code_runs(self);
            let forbidden = self.forbidden();
            let mut next = Next::Continue;
            let mut pc = self.frame.pc;
            let (mut first, mut window) = program.window(pc);
            // So few that no program counter comes twice without a jump.
            let pause = last.min(self.steps + u64::from(u16::MAX));
            while self.steps < pause {
                let instruction = if let Some(instruction) = window.get(pc.wrapping_sub(first) as usize) {
                    instruction
                } else {
                    (first, window) = program.window(pc);
                    &window[pc.wrapping_sub(first) as usize]
                };
                next = self.step::<CLEARS_DST1, _, _>(instruction, pc, forbidden, host, observer, &mut fault);
                pc = match next {
                    Next::Continue => pc.wrapping_add(1),
                    Next::Jump(to) => {
                        observer.ran(pc.wrapping_add(1), to);
                        to
                    }
                    _ => break,
                };
            }
            let (end, done) = match next {
                Next::Continue | Next::Jump(_) => (pc, Ok(())),
                Next::OtherFrame | Next::Suspend | Next::End => (pc.wrapping_add(1), Ok(())),
                Next::Fault => {
                    let fault = fault.take().expect("the handler has left it");
                    let done = self.fault::<CLEARS_DST1, _, _>(fault, &program, observer);
                    // A step that was abandoned did not happen.
                    (pc.wrapping_add(u16::from(done.is_ok())), done)
                }
            };
            observer.ran(end, end);
            done?;
            if let Next::Suspend = next {
                return Ok(Stop::Hook(self.hook()));
            }
        }
        Ok(self.ended.clone().map_or(Stop::StepLimit, Stop::Ended))
    }

    /// The hook that the bootloader has written last.
    fn hook(&self) -> u32 {
        let heap = self.heaps.at(self.frame.heap);
        heap.read_word(self.settings.hook_offset).low_u32()
    }

    /// The instruction at the program counter; an invalid one past the end of the code.
    pub fn next_instruction(&self) -> Instruction {
        *self.frame.program.instruction(self.frame.pc)
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
            (Instruction::NOP.ergs, None)
        }
    }

    /// The instruction restrictions that hold now: bits of [`Instruction`].
    fn forbidden(&self) -> u8 {
        let full = u8::from(self.depth >= isa::MAX_DEPTH) * Instruction::NOT_WHEN_FULL;
        self.frame.forbidden() | Instruction::NOWHERE | full
    }

    #[inline(always)]
    fn step<const CLEARS_DST1: bool, H: Host, O: Observer>(
        &mut self,
        instruction: &Instruction,
        pc: u16,
        forbidden: u8,
        host: &mut H,
        observer: &mut O,
        fault: &mut Option<Fault<H::Error>>,
    ) -> Next {
        let (ergs, unpaid) = self.frame.ergs.overflowing_sub(instruction.ergs);
        if unpaid || instruction.restrictions & forbidden != 0 {
            let cause = self.violation(instruction).expect("one of the checks failed");
            self.frame.ergs = if unpaid { 0 } else { ergs };
            return self.panic_step(Some(pc), cause, host, observer);
        }
        self.frame.ergs = ergs;
        if !instruction.predicate.holds(self.flags) {
            self.skip(pc, observer);
            return self.finish_step(Next::Continue, observer);
        }
        let panic = (instruction.opcode == isa::Opcode::RetPanic).then_some(PanicCause::Explicit);
        observer.before_step(
            self,
            Step {
                instruction,
                pc: Some(pc),
                skipped: false,
                panic,
            },
        );
        self.frame.pc = pc.wrapping_add(1);
        let handlers = &exec::Table::<H, O>::HANDLERS;
        let handler = handlers[instruction.handler as usize % HANDLERS];
        let next = handler(self, host, observer, instruction, fault);
        let is_done = !matches!(next, Next::Fault);
        if CLEARS_DST1 && is_done && !instruction.writes_dst1() {
            self.set_register(instruction.dst1, Value::ZERO, observer);
        }
        // A fault is counted too, and taken off again where it did not happen: so nothing is decided here.
        self.steps += 1;
        if is_done {
            observer.after_step(self);
        }
        next
    }

    /// Passes over an instruction whose predicate does not hold; its price is paid.
    #[inline(always)]
    fn skip<O: Observer>(&mut self, pc: u16, observer: &mut O) {
        observer.before_step(
            self,
            Step {
                instruction: &Instruction::NOP,
                pc: Some(pc),
                skipped: true,
                panic: None,
            },
        );
        self.frame.pc = pc.wrapping_add(1);
    }

    /// Ends a step that did not do its work. Instructions that ask the host do not move the stack pointer.
    #[cold]
    #[inline(never)]
    fn fault<const CLEARS_DST1: bool, E, O: Observer>(
        &mut self,
        fault: Fault<E>,
        program: &Program,
        observer: &mut O,
    ) -> Result<(), E> {
        let pc = self.frame.pc.wrapping_sub(1);
        let instruction = program.instruction(pc);
        match fault {
            Fault::Panic(cause) => {
                // A handler that fails has not come to its second output.
                if CLEARS_DST1 {
                    self.set_register(instruction.dst1, Value::ZERO, observer);
                }
                self.pending_panic = Some(cause);
                observer.after_step(self);
                Ok(())
            }
            Fault::Outside(error) => {
                self.steps -= 1;
                self.frame.ergs += instruction.ergs;
                self.frame.pc = pc;
                observer.step_abandoned(self);
                Err(*error)
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn pending_step<H: Host, O: Observer>(&mut self, host: &mut H, observer: &mut O) {
        let cause = self.pending_panic.take().expect("the caller has seen it");
        self.frame.ergs = self.frame.ergs.saturating_sub(isa::PANIC_COST);
        self.panic_step(None, cause, host, observer);
    }

    /// Executes a panic in place of the instruction at `pc`, or before the next one.
    #[cold]
    #[inline(never)]
    fn panic_step<H: Host, O: Observer>(
        &mut self,
        pc: Option<u16>,
        cause: PanicCause,
        host: &mut H,
        observer: &mut O,
    ) -> Next {
        observer.before_step(
            self,
            Step {
                instruction: &Instruction::PANIC,
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
            None,
        );
        self.finish_step(next, observer)
    }

    #[inline(always)]
    fn finish_step<O: Observer>(&mut self, next: Next, observer: &mut O) -> Next {
        self.steps += 1;
        observer.after_step(self);
        next
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
