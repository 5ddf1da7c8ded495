//! The eleven parts of `VMState`: how many entries each has, and the entries of one of them, newest or highest last.

use std::collections::HashSet;
use std::iter;

use eradbg_tracer::ledger::StateRow;
use eradbg_tracer::state_view::StateView;
use eradbg_vm::StorageKey;
use eradbg_vm::events::merge_events;
use eradbg_vm::state::Restored;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use crate::layout::Pane;
use crate::text::{clip, grouped, signed};
use crate::theme::CHANGED;
use crate::view::changes::{log_name, numbered_slot, short, slot, slot_value};
use crate::view::{View, draw, first_row};

/// Names of the parts, in the order in which they are shown.
pub(crate) const PARTS: [&str; 11] = [
    "storage changes",
    "paid for slots",
    "transient storage",
    "pubdata",
    "pubdata costs",
    "refunds",
    "events",
    "L2→L1 logs",
    "read slots",
    "written slots",
    "decommitted hashes",
];

/// Two columns of counts need this much.
const TWO_COLUMNS: u16 = 56;

pub(super) fn note(view: &View<'_>) -> String {
    let changed = changed_parts(view)
        .iter()
        .filter(|&&is_changed| is_changed)
        .count();
    if changed == 0 {
        String::new()
    } else {
        format!("{CHANGED} {changed} changed")
    }
}

pub(super) fn render(view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    let columns = if area.width >= TWO_COLUMNS { 2 } else { 1 };
    let rows = (PARTS.len() as u16).div_ceil(columns);
    // A low pane shows the chosen part only.
    let counts = if area.height >= rows + 4 { rows } else { 0 };
    let [top, title, list] = Layout::vertical([
        Constraint::Length(counts),
        Constraint::Length(1),
        Constraint::Fill(1),
    ])
    .areas(area);
    let changed = changed_parts(view);
    let cells = Layout::horizontal(vec![Constraint::Fill(1); columns.into()]).split(top);
    for (column, cell) in cells.iter().enumerate() {
        let parts = (column * rows as usize..PARTS.len()).take(rows.into());
        draw(
            parts
                .map(|part| count_row(view, part, changed[part], cell.width as usize))
                .collect(),
            *cell,
            buffer,
        );
    }
    let part = view.model.state_part;
    let count = count(view.timeline.state(), part);
    let text = format!(
        "─ ◂ {} {} ▸ {}",
        PARTS[part],
        count,
        "─".repeat(area.width as usize)
    );
    draw(
        vec![Line::styled(
            text,
            if changed[part] {
                view.theme.changed()
            } else {
                view.theme.strong()
            },
        )],
        title,
        buffer,
    );
    render_list(view, part, changed[part], list, buffer);
}

fn count_row(view: &View<'_>, part: usize, is_changed: bool, width: usize) -> Line<'static> {
    let theme = view.theme;
    let is_chosen = part == view.model.state_part;
    let sign = if is_changed { CHANGED } else { " " };
    let pointer = if is_chosen { "▸" } else { " " };
    let count = count(view.timeline.state(), part);
    let dots = width.saturating_sub(PARTS[part].chars().count() + count.chars().count() + 6);
    let style = match (is_changed, is_chosen) {
        (true, _) => theme.changed(),
        (_, true) => theme.strong(),
        _ => theme.text(),
    };
    Line::from(vec![
        Span::styled(sign, theme.changed()),
        Span::styled(pointer, theme.accent()),
        Span::styled(PARTS[part], style),
        Span::styled(format!(" {} ", "·".repeat(dots)), theme.faint()),
        Span::styled(count, style),
    ])
}

fn render_list(view: &View<'_>, part: usize, part_changed: bool, area: Rect, buffer: &mut Buffer) {
    if let Some(problem) = view.timeline.state_problem() {
        let text = format!("  not known here: {problem}");
        draw(vec![Line::styled(text, view.theme.failure())], area, buffer);
        return;
    }
    let state = view.timeline.state();
    let total = length(state, part);
    if total == 0 {
        draw(vec![Line::styled("  none", view.theme.faint())], area, buffer);
        return;
    }
    let scroll = view.model.scroll[Pane::State.index()];
    let follow = follow(view, part).unwrap_or(total - 1);
    let first = first_row(total, area.height, follow, scroll);
    let touched = touched(view);
    let width = area.width as usize;
    let rows = entries(view, part, first, area.height as usize);
    let lines = rows.into_iter().enumerate().map(|(index, entry)| {
        let is_changed = match &entry.key {
            Some(key) => touched.contains(key),
            None => part_changed && first + index + 1 == total,
        };
        let sign = if is_changed { CHANGED } else { " " };
        let style = if is_changed {
            view.theme.changed()
        } else {
            view.theme.text()
        };
        Line::styled(clip(&format!("{sign} {}", entry.text), width), style)
    });
    draw(lines.collect(), area, buffer);
}

/// A row of a list, with the slot that it tells about.
struct Entry {
    key: Option<StorageKey>,
    text: String,
}

fn entries(view: &View<'_>, part: usize, first: usize, count: usize) -> Vec<Entry> {
    let state = view.timeline.state();
    let of_slot = |key: &StorageKey, text: String| Entry {
        key: Some(*key),
        text: format!("{} {text}", slot(view, key)),
    };
    let of_transient_slot = |key: &StorageKey, text: String| Entry {
        key: Some(*key),
        text: format!("{} {text}", numbered_slot(view, key)),
    };
    let plain = |text: String| Entry { key: None, text };
    let numbered = |index: usize, text: String| plain(format!("#{} {text}", first + index));
    match part {
        0 => {
            let rows = state.storage_changes.iter().skip(first).take(count);
            let text = |(key, slot): (&StorageKey, &eradbg_tracer::state_view::SlotView)| {
                let new = if slot.is_initial { "  initial" } else { "" };
                let value = |word| slot_value(view, key, word);
                of_slot(
                    key,
                    format!("{} → {}{new}", value(slot.initial), value(slot.value)),
                )
            };
            rows.map(text).collect()
        }
        1 => {
            let rows = state.paid_changes.iter().skip(first).take(count);
            rows.map(|(key, paid)| of_slot(key, format!("{paid} bytes")))
                .collect()
        }
        2 => {
            let rows = state.transient_storage.iter().skip(first).take(count);
            rows.map(|(key, value)| of_transient_slot(key, format!("= {}", short(*value))))
                .collect()
        }
        3 => vec![plain(format!(
            "{} bytes in the batch so far",
            signed(state.pubdata.into())
        ))],
        4 => {
            let rows = state.pubdata_costs.iter().skip(first).take(count).enumerate();
            rows.map(|(index, cost)| numbered(index, signed((*cost).into())))
                .collect()
        }
        5 => {
            let rows = state.refunds.iter().skip(first).take(count).enumerate();
            rows.map(|(index, refund)| numbered(index, format!("{} ergs", grouped(refund))))
                .collect()
        }
        6 => {
            let rows = state.events.iter().skip(first).take(count).enumerate();
            let text = |(index, event): (usize, &eradbg_vm::events::RawEvent)| {
                if let Some(text) = event_at(view, first + index) {
                    return numbered(index, format!("▸ tx {} {text}", event.tx_number));
                }
                let start = if event.is_first { "▸" } else { " " };
                numbered(
                    index,
                    format!(
                        "{start} tx {} {} {}",
                        event.tx_number,
                        short(event.key),
                        short(event.value)
                    ),
                )
            };
            rows.map(text).collect()
        }
        7 => {
            let rows = state.l2_to_l1_logs.iter().skip(first).take(count).enumerate();
            let text = |(index, log): (usize, &eradbg_vm::events::L2ToL1Log)| {
                let sender = view.name(log.address);
                numbered(
                    index,
                    format!(
                        "tx {} {sender} {} = {}{}",
                        log.tx_number,
                        short(log.key),
                        short(log.value),
                        log_name(view, log.key)
                    ),
                )
            };
            rows.map(text).collect()
        }
        8 => state
            .read_storage_slots
            .iter()
            .skip(first)
            .take(count)
            .map(|key| of_slot(key, String::new()))
            .collect(),
        9 => state
            .written_storage_slots
            .iter()
            .skip(first)
            .take(count)
            .map(|key| of_slot(key, String::new()))
            .collect(),
        _ => {
            let rows = state.decommitted_hashes.iter().skip(first).take(count);
            let place =
                |page: &Option<u32>| page.map_or("not paid for".to_owned(), |page| format!("page {page}"));
            rows.map(|(hash, page)| plain(format!("{hash:#018x}… {}", place(page))))
                .collect()
        }
    }
}

fn length(state: &StateView, part: usize) -> usize {
    match part {
        0 => state.storage_changes.len(),
        1 => state.paid_changes.len(),
        2 => state.transient_storage.len(),
        3 => 1,
        4 => state.pubdata_costs.len(),
        5 => state.refunds.len(),
        6 => state.events.len(),
        7 => state.l2_to_l1_logs.len(),
        8 => state.read_storage_slots.len(),
        9 => state.written_storage_slots.len(),
        _ => state.decommitted_hashes.len(),
    }
}

/// The number that stands for a part: its length, or the counter itself.
fn count(state: &StateView, part: usize) -> String {
    match part {
        3 => format!("{} bytes", signed(state.pubdata.into())),
        5 => match state.refunds.last() {
            Some(&last) => format!("{} (last {})", grouped(state.refunds.len() as u64), grouped(last)),
            None => "0".to_owned(),
        },
        _ => grouped(length(state, part) as u64),
    }
}

/// Which parts the last step changed.
fn changed_parts(view: &View<'_>) -> [bool; PARTS.len()] {
    let mut changed = [false; PARTS.len()];
    let mut mark = |parts: &[usize]| parts.iter().for_each(|&part| changed[part] = true);
    for row in view.timeline.last_rows() {
        match row {
            StateRow::Storage(access) => {
                mark(&[4]);
                mark(if access.was_read { &[] } else { &[8] });
                mark(if access.by_far_call { &[] } else { &[5] });
                mark(if access.new.is_some() { &[0, 1] } else { &[] });
                mark(if access.pubdata != 0 { &[3] } else { &[] });
                mark(if access.new.is_some() && !access.was_written {
                    &[9]
                } else {
                    &[]
                });
            }
            StateRow::Transient { new, .. } => mark(if new.is_some() { &[2, 4] } else { &[4] }),
            StateRow::Decommit(_) => mark(&[10]),
            StateRow::Pubdata(_) => mark(&[3]),
            StateRow::Event(_) => mark(&[6]),
            StateRow::Log(_) => mark(&[7]),
            StateRow::NextTransaction(_) => mark(&[2]),
            StateRow::Restored(restored) => mark(restored_parts(restored)),
        }
    }
    changed
}

fn restored_parts(restored: &Restored) -> &'static [usize] {
    match restored {
        Restored::Storage { .. } => &[0, 1],
        Restored::Transient { .. } | Restored::TransientCleared(_) => &[2],
        Restored::Events(_) => &[6],
        Restored::L2ToL1Logs(_) => &[7],
        Restored::Pubdata { .. } => &[3],
        Restored::ReadSlot(_) => &[8],
        Restored::WrittenSlot(_) => &[9],
        Restored::Decommitted { .. } => &[10],
        Restored::Refunds(_) => &[5],
        Restored::PubdataCosts(_) => &[4],
    }
}

/// Slots that the last step touched.
fn touched(view: &View<'_>) -> HashSet<StorageKey> {
    let keys = view.timeline.last_rows().iter().filter_map(|row| match row {
        StateRow::Storage(access) => Some(access.key),
        StateRow::Transient { key, .. }
        | StateRow::Restored(Restored::Storage { key, .. } | Restored::Transient { key, .. }) => Some(*key),
        _ => None,
    });
    keys.collect()
}

/// Index of the entry that the last step touched, in parts that are ordered by slot.
fn follow(view: &View<'_>, part: usize) -> Option<usize> {
    let state = view.timeline.state();
    let key = view.timeline.last_rows().iter().rev().find_map(|row| match row {
        StateRow::Storage(access) => Some(access.key),
        StateRow::Transient { key, .. } => Some(*key),
        _ => None,
    });
    let rank = |key: StorageKey| match part {
        0 => Some(state.storage_changes.range(..key).count()),
        1 => Some(state.paid_changes.range(..key).count()),
        2 => Some(state.transient_storage.range(..key).count()),
        8 => Some(state.read_storage_slots.range(..key).count()),
        9 => Some(state.written_storage_slots.range(..key).count()),
        _ => None,
    };
    match part {
        0..=2 | 8 | 9 => key.and_then(rank).or(Some(0)),
        _ => None,
    }
}

/// The event that starts with a piece, where it is known what it means.
fn event_at(view: &View<'_>, index: usize) -> Option<String> {
    let events = &view.timeline.state().events;
    let first = events.get(index).filter(|event| event.is_first)?;
    let others = events.iter().skip(index + 1).take_while(|event| !event.is_first);
    let pieces: Vec<_> = iter::once(first).chain(others).copied().collect();
    let event = merge_events(&pieces).pop()?;
    let decoded = view.timeline.recording().decode_event(&event)?;
    Some(format!("{} {decoded}", view.name(event.address)))
}
