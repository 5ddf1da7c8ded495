//! Operands of the instructions that can address registers, immediates, the stack and the code page.

use crate::decode::Instruction;
use crate::exec::Cx;
use crate::host::Host;
use crate::isa::{Destination, Source};
use crate::observer::Observer;
use crate::value::Value;

impl<H: Host, O: Observer> Cx<'_, H, O> {
    /// Both sources, swapped when the instruction says so and stripped of pointers where they may not be. Moves the
    /// stack pointer.
    #[inline(always)]
    pub(crate) fn operands(&mut self, i: &Instruction) -> (Value, Value) {
        let (a, b) = self.pointer_operands(i);
        (self.plain(a), self.plain(b))
    }

    /// As [`Self::operands`], but both may be pointers.
    #[inline(always)]
    pub(crate) fn pointer_operands(&mut self, i: &Instruction) -> (Value, Value) {
        let a = self.source(i);
        let b = self.ex.register(i.src1);
        if i.flag1 { (b, a) } else { (a, b) }
    }

    /// The first source as it stands. Moves the stack pointer.
    #[inline(always)]
    pub(crate) fn source(&mut self, i: &Instruction) -> Value {
        let ex = &mut *self.ex;
        let address = (ex.registers[i.src0 as usize & 15].0[0] as u16).wrapping_add(i.imm0);
        match i.source {
            Source::Register => ex.register(i.src0),
            Source::Immediate => Value::from(u64::from(i.imm0)),
            Source::StackPop => {
                ex.frame.sp = ex.frame.sp.wrapping_sub(address);
                ex.frame.stack.read(ex.frame.sp)
            }
            Source::StackRelative => ex.frame.stack.read(ex.frame.sp.wrapping_sub(address)),
            Source::StackAbsolute => ex.frame.stack.read(address),
            Source::Code => Value::integer(ex.frame.program.word(address)),
        }
    }

    /// Writes dst0. Moves the stack pointer: the target sees what the source left.
    #[inline(always)]
    pub(crate) fn write(&mut self, i: &Instruction, value: Value) {
        match self.target(i) {
            None => self.ex.set_register(i.dst0, value, self.observer),
            Some(slot) => self.ex.set_stack(slot, value, self.observer),
        }
    }

    /// The stack slot that dst0 is written to, if it is one. Moves the stack pointer.
    #[inline(always)]
    pub(crate) fn target(&mut self, i: &Instruction) -> Option<u16> {
        if i.destination == Destination::Register {
            return None;
        }
        let ex = &mut *self.ex;
        let address = (ex.registers[i.dst0 as usize & 15].0[0] as u16).wrapping_add(i.imm1);
        let sp = ex.frame.sp;
        Some(match i.destination {
            Destination::Register => unreachable!("handled above"),
            Destination::StackPush => {
                ex.frame.sp = sp.wrapping_add(address);
                sp
            }
            Destination::StackRelative => sp.wrapping_sub(address),
            Destination::StackAbsolute => address,
        })
    }
}
