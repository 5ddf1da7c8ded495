//! What steps do, noted by walking through all of them.

use eradbg_tracer::delta::Change;
use eradbg_tracer::ledger::{CallRow, FailureRow, OperatorRow, StateRow};
use eradbg_tracer::query::Place;
use eradbg_tracer::timeline::Direction;
use eradbg_tracer::{Recording, Timeline};
use eradbg_vm::{Execution, H160, Opcode};

/// What a step did, noted while walking.
pub(crate) struct Walked {
    pub(crate) opcode: Opcode,
    pub(crate) pc: Option<u16>,
    pub(crate) address: H160,
    pub(crate) depth: u32,
    pub(crate) ergs: u32,
    pub(crate) entered_at: Vec<u64>,
    pub(crate) writes: Vec<Place>,
    pub(crate) rows: Vec<StateRow>,
    pub(crate) failures: Vec<FailureRow>,
    pub(crate) calls: Vec<CallRow>,
    pub(crate) hook: Option<u32>,
}

impl Walked {
    pub(crate) fn storage(&self, test: impl Fn(&eradbg_vm::state::StorageAccess) -> bool) -> bool {
        let mut rows = self.rows.iter();
        rows.any(|row| matches!(row, StateRow::Storage(access) if test(access)))
    }
}

/// Walks through every step.
pub(crate) fn walk(recording: &Recording) -> Vec<Walked> {
    let mut timeline = Timeline::new(recording.clone()).unwrap();
    let mut walk: Vec<Walked> = Vec::new();
    let (mut failures, mut calls, mut hooks) = (Vec::new(), Vec::new(), Vec::new());
    for block in 0..recording.row_blocks() {
        failures.extend(recording.rows::<FailureRow>(block).unwrap());
        calls.extend(recording.rows::<CallRow>(block).unwrap());
        hooks.extend(recording.rows::<OperatorRow>(block).unwrap());
    }
    for at in 0..recording.steps() {
        let step = timeline.next_step().unwrap();
        let execution = timeline.execution();
        let mut walked = Walked {
            opcode: step.instruction.opcode,
            pc: step.pc,
            address: execution.frame().code_address,
            depth: execution.depth(),
            ergs: execution.frame().ergs,
            entered_at: entries(execution),
            writes: Vec::new(),
            rows: Vec::new(),
            failures: failures
                .iter()
                .filter(|row| row.step == at)
                .map(|row| row.row)
                .collect(),
            calls: calls
                .iter()
                .filter(|row| row.step == at)
                .map(|row| row.row)
                .collect(),
            hook: hooks.iter().find_map(|row| match row.row {
                OperatorRow::Hook { id, .. } if row.step == at + 1 => Some(id),
                _ => None,
            }),
        };
        let frame = execution.frame().far_entered_at();
        let bootloader = execution.bootloader_heap_page();
        let flags = execution.flags();
        timeline.step(Direction::Forward, 1).unwrap();
        walked.writes = written(timeline.last_changes(), frame, bootloader);
        if flags != timeline.execution().flags() {
            walked.writes.push(Place::Flags);
        }
        walked.rows = timeline.last_rows().to_vec();
        walk.push(walked);
    }
    walk
}

fn entries(execution: &Execution) -> Vec<u64> {
    let frames = execution.frames();
    frames
        .flat_map(|frame| {
            frame
                .waiting
                .iter()
                .map(|near| near.entered_at)
                .chain([frame.entered_at])
        })
        .collect()
}

pub(crate) fn written(changes: &[Change], frame: u64, bootloader: u32) -> Vec<Place> {
    let places = changes.iter().filter_map(|change| match change {
        Change::Register { index, .. } => Some(Place::Register(*index)),
        Change::Stack { slot, .. } => Some(Place::Stack { frame, slot: *slot }),
        Change::Memory { page, offset, .. } => Some(Place::Memory {
            page: *page,
            offset: *offset,
            length: 32,
        }),
        Change::OperatorWrite { slot, .. } => Some(Place::Memory {
            page: bootloader,
            offset: slot * 32,
            length: 32,
        }),
        _ => None,
    });
    places.collect()
}
