//! What the last step changed: machine first, then `VMState`, then what a rollback took back and kept.

use std::fmt::Write as _;

use eradbg_tracer::delta::{Change, FrameChange};
use eradbg_tracer::ledger::StateRow;
use eradbg_vm::edit::Globals;
use eradbg_vm::outcome::RetKind;
use eradbg_vm::state::{Restored, StorageAccess};
use eradbg_vm::{Flags, StorageKey, U256, Value};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::layout::Pane;
use crate::text::{self, grouped, signed};
use crate::theme::CHANGED;
use crate::view::{View, draw, first_row};

/// What the last step changed besides ergs and program counter, the most telling first.
pub(super) fn summary(view: &View<'_>) -> Vec<Line<'static>> {
    let machine = view
        .timeline
        .last_changes()
        .iter()
        .filter(|change| !matches!(change, Change::Frame(FrameChange::Stays { .. })));
    let rows = view.timeline.last_rows().iter().map(|row| chain(view, row));
    failures(view)
        .into_iter()
        .chain(machine.filter_map(|change| self::machine(view, change, 48)))
        .chain(rows)
        .collect()
}

pub(super) fn render(view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    let mut lines = failures(view);
    lines.extend(
        view.timeline
            .last_changes()
            .iter()
            .filter_map(|change| machine(view, change, area.width as usize)),
    );
    let rows = view.timeline.last_rows();
    lines.extend(rows.iter().map(|row| chain(view, row)));
    lines.extend(kept(rows).map(|text| Line::styled(format!("  {text}"), view.theme.faint())));
    if lines.is_empty() {
        lines.push(Line::styled(
            " the last step changed nothing but the pc",
            view.theme.faint(),
        ));
    }
    let first = first_row(
        lines.len(),
        area.height,
        0,
        view.model.scroll[Pane::Changes.index()],
    );
    draw(lines.split_off(first), area, buffer);
}

/// What the rollback among the rows leaves as it is, if there is one.
fn kept(rows: &[StateRow]) -> Option<&'static str> {
    let mut restored = rows.iter().filter_map(|row| match row {
        StateRow::Restored(restored) => Some(restored),
        _ => None,
    });
    let by_operator = restored.clone().any(|restored| {
        matches!(
            restored,
            Restored::ReadSlot(_)
                | Restored::WrittenSlot(_)
                | Restored::Decommitted { .. }
                | Restored::Refunds(_)
                | Restored::PubdataCosts(_)
        )
    });
    restored.next()?;
    Some(if by_operator {
        "the operator's rollback: nothing is kept"
    } else {
        "kept: refunds, pubdata costs, warm slots, decommitted hashes"
    })
}

/// The value that a label names, before and after.
pub(super) fn arrow(view: &View<'_>, label: &str, old: String, new: String) -> Line<'static> {
    let theme = view.theme;
    Line::from(vec![
        Span::styled(format!("{CHANGED}{label} "), theme.changed()),
        Span::styled(old, theme.faint()),
        Span::styled(" → ", theme.faint()),
        Span::styled(new, theme.changed()),
    ])
}

fn failures(view: &View<'_>) -> Vec<Line<'static>> {
    let Some(step) = view.timeline.position().checked_sub(1) else {
        return Vec::new();
    };
    let failures = view.timeline.recording().failures();
    let first = failures.partition_point(|row| row.step < step);
    let here = failures[first..].iter().take_while(|row| row.step == step);
    let lines = here.map(|row| {
        let frame = if row.is_near { "near frame of" } else { "frame of" };
        let verb = match row.kind {
            RetKind::Ok => "ended",
            RetKind::Revert => "reverted",
            RetKind::Panic => "panicked",
        };
        let why = row.cause.map(|cause| format!(": {cause}")).unwrap_or_default();
        let text = format!("✗ {frame} {} {verb}{why}", view.name(row.address));
        Line::styled(text, view.theme.failure())
    });
    lines.collect()
}

fn machine(view: &View<'_>, change: &Change, width: usize) -> Option<Line<'static>> {
    let base = view.model.base;
    let room = width.saturating_sub(14) / 2;
    let value = |value: &Value| text::value(*value, base, room);
    let word = |word: &U256| text::word(*word, base, room);
    let line = match change {
        Change::Register { index, old, new } => arrow(view, &format!("r{index}"), value(old), value(new)),
        Change::Stack { slot, old, new } => arrow(view, &format!("stack[{slot:#x}]"), value(old), value(new)),
        Change::Memory {
            page,
            offset,
            old,
            new,
        } => {
            let label = if *page == view.timeline.execution().bootloader_heap_page() {
                view.slot_name(*offset as usize / 32)
            } else {
                format!("page {page} [{offset:#x}]")
            };
            arrow(view, &label, word(old), word(new))
        }
        Change::OperatorWrite { slot, old, new } => {
            let name = view.slot_name(*slot as usize);
            arrow(view, &format!("operator: {name}"), word(old), word(new))
        }
        Change::Frame(change) => frame(view, change)?,
        // Nothing that a program could see.
        Change::PageKept { .. } => return None,
        Change::MemoryAdded { page, .. } => plain(
            view,
            CHANGED,
            format!("page {page} comes to life"),
            view.theme.changed(),
        ),
        Change::MemoryRemoved { page, .. } => {
            plain(view, CHANGED, format!("page {page} dies"), view.theme.changed())
        }
        Change::Ended(_) => plain(
            view,
            CHANGED,
            "the bootloader's frame ended".to_owned(),
            view.theme.strong(),
        ),
        Change::Globals { old, new } => globals(view, old, new)?,
    };
    Some(line)
}

/// Ergs within a frame, and ways between frames.
fn frame(view: &View<'_>, change: &FrameChange) -> Option<Line<'static>> {
    let ergs = |ergs: u32| grouped(ergs);
    let text = match change {
        FrameChange::Stays { old, new } if old.near.ergs == new.near.ergs => return None,
        FrameChange::Stays { old, new } => {
            return Some(arrow(view, "ergs", ergs(old.near.ergs), ergs(new.near.ergs)));
        }
        FrameChange::NearCall { old, new, .. } => {
            format!(
                "enters a near frame with {} of {} ergs",
                ergs(new.near.ergs),
                ergs(old.near.ergs)
            )
        }
        FrameChange::FarCall { old, frame, .. } => {
            let name = view.name(frame.code_address);
            format!(
                "enters {name} with {} of {} ergs",
                ergs(frame.ergs),
                ergs(old.near.ergs)
            )
        }
        FrameChange::NearReturn { old, new, .. } => {
            format!(
                "leaves a near frame that had {} ergs; {} here now",
                ergs(old.near.ergs),
                ergs(new.near.ergs)
            )
        }
        FrameChange::FarReturn { frame, new, .. } => {
            let name = view.name(frame.code_address);
            format!(
                "leaves {name}, which had {} ergs; {} here now",
                ergs(frame.ergs),
                ergs(new.near.ergs)
            )
        }
    };
    Some(plain(view, CHANGED, text, view.theme.changed()))
}

/// Flags and the small state beside the registers.
fn globals(view: &View<'_>, old: &Globals, new: &Globals) -> Option<Line<'static>> {
    if let Some(cause) = new.pending_panic.filter(|_| old.pending_panic.is_none()) {
        return Some(plain(
            view,
            "✗",
            format!("panics in the next step: {cause}"),
            view.theme.failure(),
        ));
    }
    if old.flags != new.flags {
        return Some(arrow(view, "flags", flags(old.flags), flags(new.flags)));
    }
    if old.tx_number != new.tx_number {
        return Some(arrow(
            view,
            "tx number",
            old.tx_number.to_string(),
            new.tx_number.to_string(),
        ));
    }
    if old.context_register != new.context_register {
        let value = |value: u128| text::word(value.into(), view.model.base, 20);
        return Some(arrow(
            view,
            "next value",
            value(old.context_register),
            value(new.context_register),
        ));
    }
    None
}

fn flags(flags: Flags) -> String {
    let names = [
        (flags.less(), "LT"),
        (flags.equal(), "EQ"),
        (flags.greater(), "GT"),
    ];
    let set: Vec<&str> = names
        .iter()
        .filter(|(is_set, _)| *is_set)
        .map(|(_, name)| *name)
        .collect();
    if set.is_empty() {
        "none".to_owned()
    } else {
        set.join(" ")
    }
}

fn chain(view: &View<'_>, row: &StateRow) -> Line<'static> {
    let theme = view.theme;
    match row {
        StateRow::Storage(access) => storage(view, access),
        StateRow::Transient { key, old, new } => match new {
            Some(new) => arrow(
                view,
                &format!("transient {}", numbered_slot(view, key)),
                short(*old),
                short(*new),
            ),
            None => plain(
                view,
                " ",
                format!("reads transient {} = {}", numbered_slot(view, key), short(*old)),
                theme.text(),
            ),
        },
        StateRow::Decommit(decommit) => {
            let warm = if decommit.before.is_some() { "warm" } else { "cold" };
            let place = decommit
                .page
                .map_or("asked for".to_owned(), |page| format!("on page {page}"));
            plain(
                view,
                CHANGED,
                format!("decommit {} {place} ({warm})", short(decommit.hash)),
                theme.changed(),
            )
        }
        StateRow::Pubdata(bytes) => plain(
            view,
            CHANGED,
            format!("pubdata {} bytes", signed((*bytes).into())),
            theme.changed(),
        ),
        StateRow::Event(event) => {
            let part = if event.is_first {
                "event starts"
            } else {
                "event goes on"
            };
            plain(
                view,
                CHANGED,
                format!("{part}: {} {}", short(event.key), short(event.value)),
                theme.changed(),
            )
        }
        StateRow::Log(log) => {
            let sender = view.name(log.address);
            plain(
                view,
                CHANGED,
                format!(
                    "L2→L1 log of {sender}: {} {}{}",
                    short(log.key),
                    short(log.value),
                    log_name(view, log.key)
                ),
                theme.changed(),
            )
        }
        StateRow::Restored(restored) => plain(view, "⟲", self::restored(view, restored), theme.undone()),
        StateRow::NextTransaction(_) => plain(
            view,
            CHANGED,
            "next transaction: transient storage is cleared".to_owned(),
            theme.changed(),
        ),
    }
}

fn storage(view: &View<'_>, access: &StorageAccess) -> Line<'static> {
    let warmth = match (access.is_free, access.was_written, access.was_read) {
        (true, _, _) => "free",
        (_, true, _) => "written before",
        (_, _, true) => "read before",
        _ => "cold",
    };
    let mut aside = format!("  {warmth}");
    if access.refund > 0 {
        let _ = write!(aside, ", refund {}", grouped(access.refund));
    }
    let key = slot(view, &access.key);
    let mut line = match access.new {
        Some(new) => {
            let _ = write!(aside, ", pubdata {}", signed(access.pubdata.into()));
            let value = |word| slot_value(view, &access.key, word);
            arrow(view, &key, value(access.old), value(new))
        }
        None => plain(
            view,
            " ",
            format!("reads {key} = {}", slot_value(view, &access.key, access.old)),
            view.theme.text(),
        ),
    };
    line.spans.push(Span::styled(aside, view.theme.faint()));
    line
}

fn restored(view: &View<'_>, restored: &Restored) -> String {
    let or_none = |value: Option<U256>| value.map_or("not written".to_owned(), short);
    match restored {
        Restored::Storage { key, from, to, .. } => {
            let value = |word| slot_value(view, key, word);
            let to = to.map_or("not written".to_owned(), value);
            format!("{}: {} back to {to}", slot(view, key), value(*from))
        }
        Restored::Transient { key, from, to } => {
            format!(
                "transient {}: {} back to {}",
                numbered_slot(view, key),
                short(*from),
                or_none(*to)
            )
        }
        Restored::TransientCleared(slots) => {
            format!("{} back", text::plural(slots.len(), "cleared transient slot"))
        }
        Restored::Events(events) => format!("{} dropped", text::plural(events.len(), "part of events")),
        Restored::L2ToL1Logs(logs) => format!("{} dropped", text::plural(logs.len(), "L2→L1 log")),
        Restored::Pubdata { from, to } => format!(
            "pubdata {} back to {}",
            signed((*from).into()),
            signed((*to).into())
        ),
        Restored::ReadSlot(key) => format!("{} cold for reading again", slot(view, key)),
        Restored::WrittenSlot(key) => format!("{} cold for writing again", slot(view, key)),
        Restored::Decommitted { hash, .. } => format!("decommit of {} forgotten", short(*hash)),
        Restored::Refunds(refunds) => format!("{} dropped", text::plural(refunds.len(), "refund")),
        Restored::PubdataCosts(costs) => format!("{} dropped", text::plural(costs.len(), "pubdata cost")),
    }
}

/// A storage slot: its contract's name, and its variable or key.
pub(super) fn slot(view: &View<'_>, key: &StorageKey) -> String {
    let recording = view.timeline.recording();
    if recording.variables(*key).is_empty() {
        numbered_slot(view, key)
    } else {
        text::shortened(&recording.slot_text(*key))
    }
}

/// A slot of storage or transient storage: its contract's name, and its key.
pub(super) fn numbered_slot(view: &View<'_>, key: &StorageKey) -> String {
    format!("{}[{}]", view.name(key.address), short(key.key))
}

/// A value of a storage slot in few columns, unless it is known what it means.
pub(super) fn slot_value(view: &View<'_>, key: &StorageKey, word: U256) -> String {
    let recording = view.timeline.recording();
    if recording.variables(*key).is_empty() {
        short(word)
    } else {
        text::shortened(&recording.value_text(*key, word))
    }
}

/// A word in few columns.
pub(super) fn short(word: U256) -> String {
    text::word(word, text::Base::Hex, text::HEX_COLUMNS)
}

/// What a system log with this key tells in the recording's protocol version.
pub(super) fn log_name(view: &View<'_>, key: U256) -> String {
    let name = view.timeline.recording().protocol().system_log(key);
    name.map(|name| format!(" ({name})")).unwrap_or_default()
}

fn plain(view: &View<'_>, sign: &str, text: String, style: Style) -> Line<'static> {
    let sign_style = if sign == CHANGED {
        view.theme.changed()
    } else {
        style
    };
    Line::from(vec![
        Span::styled(sign.to_owned(), sign_style),
        Span::styled(text, style),
    ])
}
