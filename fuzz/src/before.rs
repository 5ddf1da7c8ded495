//! What is about to execute.

use eradbg_vm::code_hash::CodeHash;
use eradbg_vm::isa::Source;
use eradbg_vm::{EraVm, Execution, FatPointer, Instruction, Opcode, U256, Value};

/// The machine before a step, as far as later checks need it.
#[derive(Debug)]
pub struct Before {
    /// The instruction at the program counter.
    pub instruction: Instruction,
    /// Row of the instruction table that it is.
    pub variant: usize,
    /// Whether the next step is a panic of the one before.
    pub pending: bool,
    /// Whether the instruction will do what it says.
    pub executes: bool,
    /// Registers.
    pub registers: [Value; 16],
    /// Whether the frame is static.
    pub is_static: bool,
    /// Where the code that a `decommit` asks for lies, when it will succeed; `Some(None)` for fresh code.
    pub decommit: Option<Option<u32>>,
}

impl Before {
    /// Looks at a machine.
    pub fn new(vm: &EraVm) -> Self {
        let execution = &vm.execution;
        let frame = execution.frame();
        let instruction = execution.next_instruction();
        let pending = execution.pending_panic().is_some();
        let executes = !pending
            && instruction.predicate.holds(execution.flags())
            && execution.violation(&instruction).is_none();
        let before = Self {
            instruction,
            variant: frame.program.raw(frame.pc) as usize & 0x7ff,
            pending,
            executes,
            registers: execution.registers(),
            is_static: frame.is_static,
            decommit: None,
        };
        let decommit = before.known_code(vm);
        Self { decommit, ..before }
    }

    /// First operand.
    pub fn src0(&self) -> Value {
        self.registers[self.instruction.src0 as usize]
    }

    /// Second operand.
    pub fn src1(&self) -> Value {
        self.registers[self.instruction.src1 as usize]
    }

    /// The first operand as a fat pointer.
    pub fn pointer(&self) -> FatPointer {
        FatPointer::from_word(self.src0().word)
    }

    /// Bits 224..231 of the first operand: forwarding mode of a call or return.
    pub fn forwards_pointer(&self) -> bool {
        (self.src0().word.0[3] >> 32) as u8 == 1
    }

    /// Address of a heap access.
    pub fn address(&self) -> Value {
        match self.instruction.source {
            Source::Immediate => Value::from(u64::from(self.instruction.imm0)),
            _ => self.src0(),
        }
    }

    /// Ergs of the frame once the static price is paid.
    pub fn ergs(&self, execution: &Execution) -> u32 {
        execution.frame().ergs.saturating_sub(self.instruction.ergs)
    }

    /// Hash of the code that a `decommit` asks for, construction mark cleared.
    pub fn decommitted_hash(&self) -> U256 {
        CodeHash::parse(self.src0().word).map_or(U256::zero(), CodeHash::normalized)
    }

    fn known_code(&self, vm: &EraVm) -> Option<Option<u32>> {
        let asks = self.executes && self.instruction.opcode == Opcode::Decommit;
        let pays = self.src1().word.low_u32() <= self.ergs(&vm.execution);
        CodeHash::parse(self.src0().word).filter(|_| asks && pays)?;
        let known = vm.state.decommitted_hashes().get(&self.decommitted_hash());
        Some(known.copied().flatten())
    }
}
