//! What a transaction emitted: events with their values, and logs to L1.

use eradbg_vm::events::{Event, L2ToL1Log, RawEvent, merge_events};

use super::calls::bytes;
use super::{Line, Mark};
use crate::analysis::walk::walk;
use crate::error::{Error, Result};
use crate::ledger::StateRow;
use crate::recording::{Part, Recording};

/// An event that is being emitted, piece by piece.
struct Emitted {
    step: u64,
    pieces: Vec<RawEvent>,
    is_undone: bool,
}

pub(super) fn lines(recording: &Recording, part: Part) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    let mut open: Option<Emitted> = None;
    walk::<StateRow, Error>(recording, recording.steps_of(part)?, &mut |told| {
        let (step, is_undone) = (told.row.step, told.fate.undone_at.is_some());
        match &told.row.row {
            StateRow::Event(piece) if piece.is_first => {
                finish(recording, open.take(), &mut lines);
                open = Some(Emitted {
                    step,
                    pieces: vec![*piece],
                    is_undone,
                });
            }
            StateRow::Event(piece) => {
                if let Some(emitted) = &mut open {
                    emitted.pieces.push(*piece);
                }
            }
            StateRow::Log(log) => {
                let line = Line::at(step, 0, log_text(recording, log));
                lines.push(line.marked(Mark::Undone, is_undone));
            }
            _ => {}
        }
        Ok(())
    })?;
    finish(recording, open, &mut lines);
    lines.sort_by_key(|line| line.step);
    if lines.is_empty() {
        lines.push(Line::plain(0, "nothing was emitted".to_owned()));
    }
    Ok(lines)
}

fn finish(recording: &Recording, emitted: Option<Emitted>, lines: &mut Vec<Line>) {
    let Some(emitted) = emitted else { return };
    let undone = if emitted.is_undone { "; undone" } else { "" };
    // One without all its pieces is none.
    for event in merge_events(&emitted.pieces) {
        let text = text(recording, &event) + undone;
        lines.push(Line::at(emitted.step, 0, text).marked(Mark::Undone, emitted.is_undone));
    }
}

fn text(recording: &Recording, event: &Event) -> String {
    let emitter = recording.address_text(event.address);
    if let Some(decoded) = recording.decode_event(event) {
        return format!("{emitter} {decoded}");
    }
    let topics: Vec<_> = event.topics.iter().map(|topic| format!("{topic:#x}")).collect();
    format!(
        "{emitter} topics [{}], data {}",
        topics.join(", "),
        bytes(&event.data, event.data.len() as u32)
    )
}

fn log_text(recording: &Recording, log: &L2ToL1Log) -> String {
    let sender = recording.address_text(log.address);
    let name = recording.protocol().system_log(log.key);
    let name = name.map_or_else(|| format!("{:#x}", log.key), str::to_owned);
    format!("L2->L1 log of {sender}: {name} = {:#x}", log.value)
}
