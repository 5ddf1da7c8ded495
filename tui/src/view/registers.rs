//! Registers with their pointer tags, flags, and the small state beside them.

use eradbg_vm::Value;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::text::{self, grouped};
use crate::theme::{CHANGED, Theme};
use crate::view::{View, draw, frames};

/// Columns before a value: sign, name, blank.
const LABEL: usize = 5;

pub(super) fn render(view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    let theme = view.theme;
    let execution = view.timeline.execution();
    let width = area.width as usize;
    let mut lines = Vec::new();
    for index in 1..16 {
        let (value, old) = (execution.register(index), view.changed.register(index));
        let name = format!("r{index}");
        lines.push(labelled(view, &name, value, old, width));
    }
    let flags = execution.flags();
    let are_changed = view.changed.flags().is_some();
    let (sign, label) = if are_changed {
        (CHANGED, theme.changed())
    } else {
        (" ", theme.faint())
    };
    let mut spans = vec![Span::styled(format!("{sign}flags "), label)];
    for (is_set, on, off) in [
        (flags.less(), "LT", "lt"),
        (flags.equal(), "EQ", "eq"),
        (flags.greater(), "GT", "gt"),
    ] {
        let (text, style) = if is_set {
            (
                format!("[{on}]"),
                if are_changed {
                    theme.changed()
                } else {
                    theme.strong()
                },
            )
        } else {
            (format!(" {off} "), theme.faint())
        };
        spans.push(Span::styled(text, style));
    }
    lines.push(Line::from(spans));
    if let Some(frame) = frames::from_innermost(execution, view.model.selected_frame) {
        let own = [
            ("pc", format!("{:#06x}", frame.current.pc)),
            ("sp", format!("{:#06x}", frame.current.sp)),
            ("ergs", grouped(frame.current.ergs)),
        ];
        lines.push(fields(theme, &own));
        let rest = [
            ("value", text::word(frame.far.context.into(), view.model.base, 20)),
            (
                "next value",
                text::word(execution.context_register().into(), view.model.base, 20),
            ),
            ("tx number", execution.tx_number().to_string()),
        ];
        lines.push(fields(theme, &rest));
    }
    let first = super::first_row(
        lines.len(),
        area.height,
        0,
        view.model.scroll[crate::layout::Pane::Registers.index()],
    );
    draw(lines.split_off(first), area, buffer);
}

/// A named value with its mark of change, tag, and what it seems to be or what it was.
pub(super) fn labelled(
    view: &View<'_>,
    name: &str,
    value: Value,
    old: Option<Value>,
    width: usize,
) -> Line<'static> {
    let theme = view.theme;
    let changed = old.is_some_and(|old| old != value);
    let (sign, label_style) = if changed {
        (CHANGED, theme.changed())
    } else {
        (" ", theme.faint())
    };
    let room = width.saturating_sub(LABEL.max(name.len() + 2));
    let shown = text::value(value, view.model.base, room);
    let style = match (changed, value.is_pointer, value == Value::ZERO) {
        (true, _, _) => theme.changed(),
        (_, true, _) => theme.pointer(),
        (_, _, true) => theme.faint(),
        _ => theme.text(),
    };
    let left = room.saturating_sub(shown.chars().count() + 3);
    let aside = match old.filter(|_| changed) {
        Some(old) if left >= 6 => format!(" ← {}", text::value(old, view.model.base, left)),
        _ => text::hint(value.word)
            .filter(|hint| !value.is_pointer && hint.len() <= left)
            .map(|hint| format!("  {hint}"))
            .unwrap_or_default(),
    };
    Line::from(vec![
        Span::styled(format!("{sign}{name:<3} "), label_style),
        Span::styled(shown, style),
        Span::styled(aside, if changed { theme.faint() } else { theme.name() }),
    ])
}

fn fields(theme: Theme, fields: &[(&str, String)]) -> Line<'static> {
    let spans = fields.iter().flat_map(|(name, value)| {
        [
            Span::styled(format!(" {name} "), theme.faint()),
            Span::styled(format!("{value} "), theme.text()),
        ]
    });
    Line::from(spans.collect::<Vec<_>>())
}
