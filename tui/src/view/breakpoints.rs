//! The list of breakpoints.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::theme::BREAKPOINT;
use crate::view::{View, draw, first_row};

pub(super) fn render(view: &View<'_>, selected: usize, body: Rect, buffer: &mut Buffer) {
    let breakpoints = &view.model.breakpoints;
    let height = (breakpoints.len() as u16 + 2).clamp(5, 20);
    let inner = view.overlay("Breakpoints", 60, height, body, buffer);
    if breakpoints.is_empty() {
        let lines = vec![
            Line::from("none yet"),
            Line::styled("b sets one where the cursor stands,", view.theme.faint()),
            Line::styled(
                ":break QUERY one at whatever matches, such as write r1,",
                view.theme.faint(),
            ),
            Line::styled(
                "storage and refund > 0, or pc = 0x1f3 and kernel",
                view.theme.faint(),
            ),
        ];
        draw(lines, inner, buffer);
        return;
    }
    let first = first_row(breakpoints.len(), inner.height, selected, 0);
    let rows = breakpoints
        .iter()
        .enumerate()
        .skip(first)
        .take(inner.height.into());
    let lines = rows.map(|(index, breakpoint)| {
        let (sign, style) = if index == selected {
            ("▶", view.theme.accent())
        } else {
            (" ", view.theme.text())
        };
        Line::from(vec![
            Span::styled(format!("{sign} "), style),
            Span::styled(BREAKPOINT, view.theme.failure()),
            Span::styled(format!(" {index}  {breakpoint}"), style),
        ])
    });
    draw(lines.collect(), inner, buffer);
}
