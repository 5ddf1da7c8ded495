//! Hooks around the cursor, and named places of the bootloader's heap.

use std::cmp::Ordering;

use eradbg_tracer::recording::HookRow;
use eradbg_vm::U256;
use eradbg_vm::bootloader::Hook;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use crate::layout::Pane;
use crate::text::{self, grouped};
use crate::theme::CHANGED;
use crate::view::{View, draw, first_row};

/// A hook's name, or its number when it has none.
pub(super) fn hook_name(id: u32) -> String {
    Hook::new(id).map_or_else(|| format!("hook {id}"), |hook| hook.name().to_owned())
}

pub(super) fn render(view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    let places = places(view);
    let height = (places.len() as u16 + 1).min(area.height / 2);
    let [hooks, heap] = Layout::vertical([Constraint::Fill(1), Constraint::Length(height)]).areas(area);
    render_hooks(view, hooks, buffer);
    if height > 1 {
        let title = format!("─ heap {}", "─".repeat(area.width as usize));
        let mut lines = vec![Line::styled(title, view.theme.faint())];
        lines.extend(
            places
                .into_iter()
                .map(|slot| place(view, slot, area.width as usize)),
        );
        draw(lines, heap, buffer);
    }
}

fn render_hooks(view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    let hooks = view.timeline.recording().hooks();
    let position = view.timeline.position();
    let passed = hooks.partition_point(|row| row.step <= position);
    // The row of the cursor lies between the hooks that have passed and those to come.
    let total = hooks.len() + 1;
    let first = first_row(
        total,
        area.height,
        passed,
        view.model.scroll[Pane::Bootloader.index()],
    );
    let rows = (first..total)
        .take(area.height.into())
        .map(|row| match row.cmp(&passed) {
            Ordering::Less => hook(view, row, &hooks[row]),
            Ordering::Equal => {
                let text = format!("▶ step {} {}", grouped(position), "─".repeat(area.width as usize));
                Line::styled(text, view.theme.accent())
            }
            Ordering::Greater => hook(view, row - 1, &hooks[row - 1]),
        });
    draw(rows.collect(), area, buffer);
}

fn hook(view: &View<'_>, index: usize, row: &HookRow) -> Line<'static> {
    let theme = view.theme;
    let position = view.timeline.position();
    let (sign, name_style) = match row.step.cmp(&position) {
        Ordering::Equal => (CHANGED, theme.changed()),
        Ordering::Less => (" ", theme.text()),
        Ordering::Greater => (" ", theme.faint()),
    };
    let mut spans = vec![
        Span::styled(format!("{sign}{index:>4} "), theme.faint()),
        Span::styled(hook_name(row.hook), name_style),
    ];
    let names = Hook::new(row.hook).map_or(&[][..], Hook::parameters);
    let parameters = match names {
        [] => Ok([U256::zero(); 3]),
        _ => view.timeline.recording().hook_parameters(*row),
    };
    if parameters.is_err() {
        spans.push(Span::styled("  parameters damaged", theme.failure()));
    }
    for (name, value) in names.iter().zip(parameters.unwrap_or_default()) {
        let shown = parameter(name, value);
        spans.push(Span::styled(format!("  {name} "), theme.faint()));
        spans.push(Span::styled(shown, theme.text()));
    }
    spans.push(Span::styled(format!("  @{}", grouped(row.step)), theme.faint()));
    Line::from(spans)
}

/// A hook's parameter: a pointer, a yes or no, or an amount.
fn parameter(name: &str, value: U256) -> String {
    if name.ends_with("pointer") {
        text::pointer(eradbg_vm::FatPointer::from_word(value))
    } else if name == "success" {
        if value.is_zero() {
            "no".to_owned()
        } else {
            "yes".to_owned()
        }
    } else if name == "message" {
        message(value)
    } else {
        u64::try_from(value).map_or_else(|_| text::word(value, text::Base::Hex, 18), grouped)
    }
}

/// Text in the high bytes of a word, as debug messages carry it.
fn message(value: U256) -> String {
    let mut bytes = [0; 32];
    value.to_big_endian(&mut bytes);
    let length = bytes
        .iter()
        .rposition(|&byte| byte != 0)
        .map_or(0, |last| last + 1);
    match std::str::from_utf8(&bytes[..length]) {
        Ok(text) if text.chars().all(|c| !c.is_control()) => format!("\"{text}\""),
        _ => text::word(value, text::Base::Hex, 18),
    }
}

/// Places worth watching: the hook and its parameters, and what belongs to the current transaction.
fn places(view: &View<'_>) -> Vec<usize> {
    let layout = view.timeline.recording().layout();
    let mut places = vec![
        layout.hook,
        layout.hook_parameters,
        layout.hook_parameters + 1,
        layout.hook_parameters + 2,
    ];
    let index = view
        .timeline
        .transaction()
        .and_then(|index| view.timeline.recording().transactions().get(index));
    if let Some(row) = index {
        let index = row.index as usize;
        places.extend([
            layout.refunds + index,
            layout.overheads + index,
            layout.trusted_gas_limits + index,
            layout.l2_blocks + index * eradbg_vm::bootloader::layout::L2_BLOCK_SLOTS,
            layout.results + index,
        ]);
    }
    places.extend([2, 3, 4, 5, 6]);
    places
}

fn place(view: &View<'_>, slot: usize, width: usize) -> Line<'static> {
    let theme = view.theme;
    let offset = slot as u32 * 32;
    let execution = view.timeline.execution();
    let value = execution.bootloader_heap().read_word(offset);
    let is_changed = view.changed.byte(execution.bootloader_heap_page(), offset);
    let (sign, style) = match (is_changed, value.is_zero()) {
        (true, _) => (CHANGED, theme.changed()),
        (false, true) => (" ", theme.faint()),
        (false, false) => (" ", theme.text()),
    };
    let name = view.slot_name(slot);
    let room = width.saturating_sub(name.len() + 3);
    let named = if slot == view.timeline.recording().layout().hook && is_changed {
        u32::try_from(value)
            .ok()
            .map(|id| format!(" {}", hook_name(id)))
            .unwrap_or_default()
    } else {
        String::new()
    };
    Line::from(vec![
        Span::styled(sign, theme.changed()),
        Span::styled(format!("{name} "), theme.faint()),
        Span::styled(text::word(value, view.model.base, room), style),
        Span::styled(named, theme.name()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_told_by_their_meaning() {
        assert_eq!(parameter("success", U256::one()), "yes");
        assert_eq!(parameter("refund", U256::from(24_001)), "24,001");
        let pointer = eradbg_vm::FatPointer {
            page: 9,
            length: 4,
            ..Default::default()
        };
        assert_eq!(
            parameter("returndata pointer", pointer.to_word()),
            "page 9 [0x0..0x4) len 0x4"
        );
        assert_eq!(
            parameter(
                "message",
                U256::from_big_endian(&[*b"hi", [0; 2]].concat()) << 224
            ),
            "\"hi\""
        );
    }
}
