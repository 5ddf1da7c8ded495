//! What is known of a step: where it stands, what it does to places, and its rows.

use std::collections::BTreeSet;

use eradbg_vm::heap::Heap;
use eradbg_vm::observer::Step;
use eradbg_vm::state::Restored;
use eradbg_vm::{Execution, H160, Instruction, Observer, U256, Value};

use crate::ledger::{CallRow, FailureRow, OperatorRow, Rows, StateRow, Timed};
use crate::query::access::{Access, AccessKind, Place};
use crate::query::reads;

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Site {
    /// The instruction, whether it executes or not.
    pub instruction: Instruction,
    /// Program counter; `None` for the panic of the step before.
    pub pc: Option<u16>,
    /// Whether its predicate does not hold.
    pub skipped: bool,
    /// Address that the code belongs to.
    pub address: H160,
    /// Address whose storage it works on.
    pub this: H160,
    /// Who called the frame.
    pub caller: H160,
    /// Near and far frames.
    pub depth: u32,
    /// Ergs of the frame before the step.
    pub ergs: u32,
    /// Whether the frame is static.
    pub is_static: bool,
    /// Whether the frame runs in kernel mode.
    pub is_kernel: bool,
}

/// Something that a step did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// To a place.
    Access(Access),
    /// To the chain's state.
    State(StateRow),
    /// A far frame was entered or left.
    Call(CallRow),
    /// A frame failed.
    Failure(FailureRow),
    /// The bootloader called a hook, with these parameters.
    Hook(u32, [U256; 3]),
}

/// All that tests ask of a step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts<'a> {
    pub(super) step: u64,
    /// `None` where only rows are looked at.
    pub(super) site: Option<&'a Site>,
    /// Entries of the frames that the step lies in, as far as they are asked for.
    pub(super) frames: &'a [u64],
    /// Accesses to registers, flags, stack and memory.
    pub(super) accesses: &'a [Access],
    pub(super) rows: StepRows<'a>,
}

/// Rows of a step.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct StepRows<'a> {
    pub(super) state: &'a [Timed<StateRow>],
    pub(super) calls: &'a [Timed<CallRow>],
    pub(super) failures: &'a [Timed<FailureRow>],
    /// What the operator saw and did after the step.
    pub(super) operator: &'a [Timed<OperatorRow>],
}

impl<'a> StepRows<'a> {
    /// Those of a step among the rows of its chunk.
    pub(super) fn of(rows: &'a Rows, step: u64) -> Self {
        Self {
            state: at(&rows.state, step),
            calls: at(&rows.calls, step),
            failures: at(&rows.failures, step),
            operator: at(&rows.operator, step),
        }
    }

    /// The hook that the step called.
    pub(super) fn hook(&self) -> Option<(u32, [U256; 3])> {
        self.operator.iter().find_map(|row| match row.row {
            OperatorRow::Hook { id, parameters } => Some((id, parameters)),
            _ => None,
        })
    }

    /// Accesses to storage and transient storage.
    pub(super) fn accesses(&self) -> impl Iterator<Item = Access> + 'a {
        self.state.iter().flat_map(|row| slot_accesses(&row.row))
    }

    pub(super) fn effects(&self) -> Vec<Effect> {
        let state = self.state.iter().map(|row| Effect::State(row.row.clone()));
        let calls = self.calls.iter().map(|row| Effect::Call(row.row));
        let failures = self.failures.iter().map(|row| Effect::Failure(row.row));
        let hook = self.hook().map(|(id, parameters)| Effect::Hook(id, parameters));
        state.chain(calls).chain(failures).chain(hook).collect()
    }
}

/// The steps of a chunk that have rows, ascending.
pub(super) fn steps_with_rows(rows: &Rows) -> Vec<u64> {
    let state = rows.state.iter().map(|row| row.step);
    let calls = rows.calls.iter().map(|row| row.step);
    let failures = rows.failures.iter().map(|row| row.step);
    let operator = rows.operator.iter().map(|row| row.step);
    let mut steps: Vec<_> = state.chain(calls).chain(failures).chain(operator).collect();
    steps.sort_unstable();
    steps.dedup();
    steps
}

fn at<R>(rows: &[Timed<R>], step: u64) -> &[Timed<R>] {
    let start = rows.partition_point(|row| row.step < step);
    let end = rows.partition_point(|row| row.step <= step);
    &rows[start..end]
}

/// What the operator wrote to the bootloader's memory after a step, once it had gone back to its snapshot. No replay tells
/// of it: the next keyframe has it already.
pub(super) fn written_after_rollback(rows: &Rows, step: u64, page: u32) -> Vec<Access> {
    let rows = at(&rows.operator, step);
    let rollback = rows.iter().rposition(|row| row.row == OperatorRow::RolledBack);
    let written = rollback.map_or(&[][..], |at| &rows[at + 1..]).iter();
    let accesses = written.filter_map(|row| match row.row {
        OperatorRow::Write { slot, old, new } => Some(of_operator(page, slot, old, new)),
        _ => None,
    });
    accesses.collect()
}

/// A word of the bootloader's heap that the operator wrote.
fn of_operator(page: u32, slot: u32, old: U256, new: U256) -> Access {
    Access {
        kind: AccessKind::Operator,
        place: Place::Memory {
            page,
            offset: slot.saturating_mul(32),
            length: 32,
        },
        old: Some(Value::integer(old)),
        new: Some(Value::integer(new)),
    }
}

/// What a row says about storage and transient slots.
fn slot_accesses(row: &StateRow) -> Vec<Access> {
    let access = |kind, place, old: U256, new: U256| Access {
        kind,
        place,
        old: Some(Value::integer(old)),
        new: Some(Value::integer(new)),
    };
    match row {
        StateRow::Storage(row) => {
            let kind = row.new.map_or(AccessKind::Read, |_| AccessKind::Write);
            vec![access(
                kind,
                Place::Storage(row.key),
                row.old,
                row.new.unwrap_or(row.old),
            )]
        }
        StateRow::Transient { key, old, new } => {
            let kind = new.map_or(AccessKind::Read, |_| AccessKind::Write);
            vec![access(kind, Place::Transient(*key), *old, new.unwrap_or(*old))]
        }
        StateRow::NextTransaction(cleared) => cleared
            .iter()
            .map(|&(key, value)| access(AccessKind::Write, Place::Transient(key), value, U256::zero()))
            .collect(),
        StateRow::Restored(Restored::Storage {
            key,
            from,
            to,
            initial,
            ..
        }) => vec![access(
            AccessKind::Restore,
            Place::Storage(*key),
            *from,
            to.unwrap_or(*initial),
        )],
        StateRow::Restored(Restored::Transient { key, from, to }) => vec![access(
            AccessKind::Restore,
            Place::Transient(*key),
            *from,
            to.unwrap_or_default(),
        )],
        StateRow::Restored(Restored::TransientCleared(slots)) => slots
            .iter()
            .map(|&(key, value)| access(AccessKind::Restore, Place::Transient(key), U256::zero(), value))
            .collect(),
        _ => Vec::new(),
    }
}

/// Gathers the facts of each step of a chunk, and hands them to `judge` when the step is over, with what the operator
/// wrote after it. `WATCHES`: accesses to registers, flags, stack and memory are asked for.
pub(super) struct Gatherer<'a, const WATCHES: bool, F> {
    rows: &'a Rows,
    judge: F,
    /// Whether reads are asked for.
    reads: bool,
    /// Entries of frames that are asked for.
    wanted_frames: &'a [u64],
    /// The step that is not over yet.
    open: Option<(u64, Site)>,
    frames: Vec<u64>,
    accesses: Vec<Access>,
    flags: u8,
    ergs: u32,
    bootloader_page: u32,
    /// Entry of the far frame that runs.
    far_frame: u64,
    /// The first row of each kind that no step so far has.
    next: Cursor,
}

/// Rows of a chunk that are still to come.
#[derive(Debug, Default)]
struct Cursor {
    state: usize,
    calls: usize,
    failures: usize,
    operator: usize,
}

impl Cursor {
    /// The rows of a step; steps come in order.
    fn take<'a>(&mut self, rows: &'a Rows, step: u64) -> StepRows<'a> {
        StepRows {
            state: take(&rows.state, &mut self.state, step),
            calls: take(&rows.calls, &mut self.calls, step),
            failures: take(&rows.failures, &mut self.failures, step),
            operator: take(&rows.operator, &mut self.operator, step),
        }
    }
}

/// Rows of a time, from the first one that was not taken yet.
fn take<'a, R>(rows: &'a [Timed<R>], next: &mut usize, time: u64) -> &'a [Timed<R>] {
    let start = *next;
    while rows.get(*next).is_some_and(|row| row.step <= time) {
        *next += 1;
    }
    &rows[start..*next]
}

impl<'a, const WATCHES: bool, F: FnMut(&Facts<'_>)> Gatherer<'a, WATCHES, F> {
    /// Starts in a state.
    pub(super) fn new(
        rows: &'a Rows,
        execution: &Execution,
        reads: bool,
        wanted_frames: &'a [u64],
        judge: F,
    ) -> Self {
        let first = execution.steps();
        let mut gatherer = Self {
            rows,
            judge,
            reads,
            wanted_frames,
            open: None,
            frames: Vec::new(),
            accesses: Vec::new(),
            flags: execution.flags().bits(),
            ergs: execution.frame().ergs,
            bootloader_page: execution.bootloader_heap_page(),
            far_frame: execution.frame().far_entered_at(),
            next: Cursor::default(),
        };
        if let Some(before) = first.checked_sub(1) {
            gatherer.next.take(rows, before);
        }
        gatherer.find_frames(execution);
        gatherer
    }

    /// Judges the last step, with what is known of it besides.
    pub(super) fn finish(mut self, more: &[Access]) {
        self.accesses.extend(more);
        self.close();
    }

    fn close(&mut self) {
        if let Some((step, site)) = self.open.take() {
            let facts = Facts {
                step,
                site: Some(&site),
                frames: &self.frames,
                accesses: &self.accesses,
                rows: self.next.take(self.rows, step),
            };
            (self.judge)(&facts);
        }
    }

    /// Which of the wanted frames are on the call stack.
    fn find_frames(&mut self, execution: &Execution) {
        if self.wanted_frames.is_empty() {
            return;
        }
        let mut entries = BTreeSet::new();
        for frame in execution.frames() {
            entries.insert(frame.entered_at);
            entries.extend(frame.waiting.iter().map(|near| near.entered_at));
        }
        let wanted = self.wanted_frames.iter().copied();
        self.frames = wanted.filter(|step| entries.contains(step)).collect();
    }
}

impl<const WATCHES: bool, F: FnMut(&Facts<'_>)> Observer for Gatherer<'_, WATCHES, F> {
    const WATCHES: bool = WATCHES;
    const SPECIALIZES: bool = false;

    fn before_step(&mut self, execution: &Execution, step: Step<'_>) {
        self.close();
        self.accesses.clear();
        self.flags = execution.flags().bits();
        self.far_frame = execution.frame().far_entered_at();
        let frame = execution.frame();
        let instruction = match step.pc {
            Some(pc) => *frame.program.instruction(pc),
            None => *step.instruction,
        };
        if !self.wanted_frames.is_empty() {
            self.find_frames(execution);
        }
        let site = Site {
            instruction,
            pc: step.pc,
            skipped: step.skipped,
            address: frame.code_address,
            this: frame.this,
            caller: frame.caller,
            depth: execution.depth(),
            ergs: self.ergs,
            is_static: frame.is_static,
            is_kernel: frame.is_kernel,
        };
        if self.reads {
            reads::of_step(execution, &site, step, &mut |place, value| {
                self.accesses.push(Access {
                    kind: AccessKind::Read,
                    place,
                    old: value,
                    new: value,
                });
            });
        }
        self.open = Some((execution.steps(), site));
    }

    fn after_step(&mut self, execution: &Execution) {
        self.ergs = execution.frame().ergs;
        if !WATCHES {
            return;
        }
        let (old, new) = (self.flags, execution.flags().bits());
        let sets = self
            .open
            .is_some_and(|(_, site)| old != new || !site.skipped && sets_flags(&site.instruction));
        if sets {
            self.write(
                Place::Flags,
                Some(u64::from(old).into()),
                Some(u64::from(new).into()),
            );
        }
    }

    fn register(&mut self, index: u8, old: Value, new: Value) {
        self.write(Place::Register(index), Some(old), Some(new));
    }

    fn stack(&mut self, slot: u16, old: Value, new: Value) {
        let frame = self.far_frame;
        self.write(Place::Stack { frame, slot }, Some(old), Some(new));
    }

    fn memory(&mut self, page: u32, offset: u32, old: U256, new: U256) {
        let place = Place::Memory {
            page,
            offset,
            length: 32,
        };
        self.write(place, Some(Value::integer(old)), Some(Value::integer(new)));
    }

    fn memory_added(&mut self, page: u32, _: &Heap) {
        let place = Place::Memory {
            page,
            offset: 0,
            length: u32::MAX,
        };
        self.write(place, None, None);
    }

    fn operator_write(&mut self, slot: u32, old: U256, new: U256) {
        if WATCHES {
            let page = self.bootloader_page;
            self.accesses.push(of_operator(page, slot, old, new));
        }
    }
}

impl<const WATCHES: bool, F> Gatherer<'_, WATCHES, F> {
    fn write(&mut self, place: Place, old: Option<Value>, new: Option<Value>) {
        self.accesses.push(Access {
            kind: AccessKind::Write,
            place,
            old,
            new,
        });
    }
}

/// Whether an instruction that executes sets the flags, to whatever value.
pub(super) fn sets_flags(instruction: &Instruction) -> bool {
    let opcode = instruction.opcode;
    opcode.is_call() || opcode.is_ret() || opcode.is_arithmetic() && instruction.flag0
}
