//! Reads the ergs of each frame off a replay.
//!
//! Each kind of expense is taken from what it depends on, a price, a bound of memory, the length of code, and not from
//! what is left over: so the sums tell whether all was understood.

use eradbg_vm::code_hash::CodeHash;
use eradbg_vm::host::Answer;
use eradbg_vm::isa;
use eradbg_vm::observer::{FrameEnd, Observer, Question, Step};
use eradbg_vm::outcome::RetKind;
use eradbg_vm::value::{self, Forwarding};
use eradbg_vm::{Execution, FatPointer, Frame, Opcode, PanicCause, U256};

use crate::analysis::ergs::FrameErgs;
use crate::analysis::stretches::{Stretch, Watcher};

/// Keeps an account for each frame.
#[derive(Debug)]
pub(super) struct Meter {
    accounts: Vec<FrameErgs>,
    /// Those of the frames on the call stack, outermost first.
    open: Vec<usize>,
    doing: Doing,
    /// Ergs of the current frame after the last step.
    before: u32,
    /// Ergs of the current frame when the static price of the step is paid.
    paid: u32,
    /// Whether the code that the step asks for was loaded before.
    is_known: bool,
    /// Price of the code that the step loads.
    code: u64,
}

/// What the step that executes may have to pay for besides its static price.
#[derive(Debug, Clone, Copy)]
enum Doing {
    Nothing,
    /// Growth of memory, from these bounds.
    Memory(u64),
    /// Loading code as data, for so many ergs.
    Decommit(u32),
    Precompile(u32),
    NearCall(u32),
    /// A far call that asks for so many ergs, with the bounds of memory.
    FarCall(u32, u64),
    /// Growth of memory for returndata.
    Return(u64),
}

impl Watcher for Meter {
    type Row = FrameErgs;

    fn start(execution: &Execution) -> Self {
        let mut meter = Self {
            accounts: Vec::new(),
            open: Vec::new(),
            doing: Doing::Nothing,
            before: execution.frame().ergs,
            paid: 0,
            is_known: false,
            code: 0,
        };
        for frame in execution.callers().iter().chain([execution.frame()]) {
            let parts = frame.waiting.iter().copied().chain([frame.current()]);
            for (at, part) in parts.enumerate() {
                meter.open(frame, part.entered_at, at > 0, part.ergs);
            }
        }
        meter
    }

    fn rows(mut self, stretch: &Stretch) -> Vec<FrameErgs> {
        for at in (0..self.accounts.len()).rev() {
            let account = &mut self.accounts[at];
            account.tx = stretch.tx;
            account.rolled_back_at = stretch.rolled_back_at;
            let expenses = account.opcodes + account.growth + account.decommits + account.precompiles;
            account.itself = (expenses + account.burnt).saturating_sub(account.refunds);
            let used = account.itself + account.below;
            if let Some(parent) = account.parent {
                self.accounts[parent].below += used;
            }
        }
        self.accounts
    }
}

impl Meter {
    fn open(&mut self, frame: &Frame, entered_at: u64, is_near: bool, got: u32) -> &mut FrameErgs {
        let parent = self.open.last().copied();
        self.open.push(self.accounts.len());
        self.accounts.push(FrameErgs {
            step: entered_at,
            depth: self.open.len() as u32 - 1,
            within: parent.map(|at| self.accounts[at].step),
            kind: if is_near { "near" } else { frame.kind.name() },
            this: frame.this,
            code: frame.code_address,
            got,
            parent,
            ..FrameErgs::default()
        });
        self.current()
    }

    /// Account of the frame that runs.
    fn current(&mut self) -> &mut FrameErgs {
        let at = self.open.last().expect("a frame runs");
        &mut self.accounts[*at]
    }

    fn near_call(&mut self, execution: &Execution, asked: u32) {
        let frame = execution.frame();
        let kept = frame.waiting.last().map_or(0, |caller| caller.ergs);
        let account = self.open(frame, frame.entered_at, true, frame.ergs);
        account.asked = Some(asked);
        account.allowed = Some(kept + frame.ergs);
        account.passed = Some(frame.ergs);
    }

    fn far_call(&mut self, execution: &Execution, asked: u32, bounds: u64) {
        let frame = execution.frame();
        let Some(caller) = execution.callers().last() else {
            return;
        };
        let takes_extra =
            frame.is_system_call && value::low16(frame.code_address) == isa::MSG_VALUE_SIMULATOR;
        // Where they could not be paid nothing is passed on.
        let extra = if takes_extra && frame.ergs >= isa::MSG_VALUE_SIMULATOR_ERGS {
            isa::MSG_VALUE_SIMULATOR_ERGS
        } else {
            0
        };
        let passed = frame.ergs - extra;
        let cost = u64::from(self.paid - caller.ergs - frame.ergs);
        let mut growth = memory_of(caller) - bounds;
        let mut burnt = 0;
        if execution.pending_panic().is_some() && cost != growth + self.code {
            // Growth that was not paid raises the bound too.
            growth = if growth <= cost { growth } else { 0 };
            burnt = cost - growth;
        }
        let code = self.code;
        let account = self.current();
        account.growth += growth;
        account.decommits += code;
        account.burnt += burnt;
        let available = caller.ergs + passed;
        let account = self.open(frame, frame.entered_at, false, frame.ergs);
        account.asked = Some(asked);
        account.allowed = Some(available / 64 * 63);
        account.passed = Some(passed);
        account.extra = extra;
    }

    /// Takes an expense that burns what there is where it does not suffice.
    fn charge(&mut self, ergs: u32, of: impl FnOnce(&mut FrameErgs) -> &mut u64) {
        let (had, account) = (self.paid, self.current());
        if ergs <= had {
            *of(account) += u64::from(ergs);
        } else {
            account.burnt += u64::from(had);
        }
    }
}

impl Observer for Meter {
    const WATCHES: bool = false;
    const SPECIALIZES: bool = false;

    #[inline]
    fn before_step(&mut self, execution: &Execution, step: Step<'_>) {
        self.paid = execution.frame().ergs;
        let had = self.before;
        let price = match step.pc {
            Some(pc) => execution.frame().program.instruction(pc).ergs,
            None => isa::PANIC_COST.min(had),
        };
        let account = self.current();
        if price <= had {
            account.opcodes += u64::from(price);
        } else {
            account.burnt += u64::from(had);
        }
        (self.is_known, self.code) = (false, 0);
        self.doing = match step.panic {
            None | Some(PanicCause::Explicit) => doing(execution, step),
            Some(_) => Doing::Nothing,
        };
    }

    #[inline]
    fn after_step(&mut self, execution: &Execution) {
        match self.doing {
            Doing::Nothing | Doing::NearCall(_) | Doing::FarCall(..) | Doing::Return(_) => {}
            Doing::Memory(bounds) => {
                let grown = memory_of(execution.frame()) - bounds;
                let burnt = u64::from(self.paid - execution.frame().ergs);
                let failed = execution.pending_panic().is_some();
                let account = self.current();
                if failed {
                    account.burnt += burnt;
                } else {
                    account.growth += grown;
                }
            }
            Doing::Decommit(ergs) => {
                if !self.is_known {
                    self.charge(ergs, |account| &mut account.decommits);
                }
            }
            Doing::Precompile(ergs) => self.charge(ergs, |account| &mut account.precompiles),
        }
        self.before = execution.frame().ergs;
    }

    fn frame_entered(&mut self, execution: &Execution, _is_near: bool) {
        match self.doing {
            Doing::NearCall(asked) => self.near_call(execution, asked),
            Doing::FarCall(asked, bounds) => self.far_call(execution, asked, bounds),
            _ => {}
        }
    }

    fn frame_leaving(&mut self, execution: &Execution, end: FrameEnd) {
        let burnt = u64::from(self.paid - end.ergs_returned);
        let doing = self.doing;
        let account = self.current();
        match doing {
            Doing::Return(growth) if end.kind != RetKind::Panic => account.growth += growth,
            _ => account.burnt += burnt,
        }
        account.left_at = Some(execution.steps());
        account.returned = Some(end.ergs_returned);
        account.end = end.kind.name();
        account.cause = end.cause.map_or("", PanicCause::name);
        self.open.pop();
    }

    fn answered(&mut self, answer: &Answer) {
        match *answer {
            Answer::StorageRead { refund, .. } | Answer::StorageWrite { refund } => {
                self.current().refunds += u64::from(refund);
            }
            Answer::Decommit { known_page } => self.is_known = known_page.is_some(),
            _ => {}
        }
    }

    fn asked(&mut self, question: Question) {
        if let (Question::Decommit(hash, _), Doing::FarCall(..), false) =
            (question, self.doing, self.is_known)
        {
            let words = CodeHash::parse(hash).map_or(0, CodeHash::length_field);
            self.code = u64::from(isa::ERGS_PER_CODE_WORD) * u64::from(words);
        }
    }
}

/// Bytes of both memories that a frame has paid for.
fn memory_of(frame: &Frame) -> u64 {
    u64::from(frame.heap_bound) + u64::from(frame.aux_heap_bound)
}

/// What a step that does its work may have to pay for.
#[inline]
fn doing(execution: &Execution, step: Step<'_>) -> Doing {
    let instruction = step.instruction;
    let word = |register| execution.register(register).word;
    match instruction.opcode {
        Opcode::HeapRead
        | Opcode::HeapWrite
        | Opcode::AuxHeapRead
        | Opcode::AuxHeapWrite
        | Opcode::StaticRead
        | Opcode::StaticWrite => Doing::Memory(memory_of(execution.frame())),
        Opcode::NearCall => Doing::NearCall(word(instruction.src0).low_u32()),
        Opcode::FarCall | Opcode::FarCallDelegate | Opcode::FarCallMimic => {
            Doing::FarCall(word(instruction.src0).0[3] as u32, memory_of(execution.frame()))
        }
        Opcode::Decommit => Doing::Decommit(word(instruction.src1).low_u32()),
        Opcode::Precompile => Doing::Precompile(word(instruction.src1).low_u32()),
        Opcode::RetOk | Opcode::RetRevert if !execution.frame().is_near() => {
            Doing::Return(growth_of_return(execution, word(instruction.src0)))
        }
        Opcode::RetOk | Opcode::RetRevert => Doing::Return(0),
        _ => Doing::Nothing,
    }
}

/// How far a return of a far frame makes its memory grow.
fn growth_of_return(execution: &Execution, abi: U256) -> u64 {
    let bound = match Forwarding::of_abi(abi) {
        Forwarding::Pointer => return 0,
        Forwarding::Heap => execution.frame().heap_bound,
        Forwarding::AuxHeap => execution.frame().aux_heap_bound,
    };
    let FatPointer { start, length, .. } = FatPointer::from_word(abi);
    u64::from(start.saturating_add(length).saturating_sub(bound))
}
