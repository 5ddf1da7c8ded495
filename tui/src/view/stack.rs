//! The stack of the selected frame, its top first.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::layout::Pane;
use crate::view::{View, draw, frames, registers};

/// Rows shown above the stack pointer: what was popped last.
const ABOVE: i32 = 2;

pub(super) fn note(view: &View<'_>) -> String {
    let frame = frames::from_innermost(view.timeline.execution(), view.model.selected_frame);
    frame
        .map(|frame| format!("sp {:#06x}", frame.current.sp))
        .unwrap_or_default()
}

pub(super) fn render(view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    let execution = view.timeline.execution();
    let Some(frame) = frames::from_innermost(execution, view.model.selected_frame) else {
        return;
    };
    // A change belongs to the far frame that ran, which is the innermost.
    let is_running = frame.far_depth == execution.callers().len();
    let sp = frame.current.sp;
    let scroll = view.model.scroll[Pane::Stack.index()];
    // Slots go down the screen from high to low; a small stack shows unused slots rather than nothing.
    let wanted = (i32::from(sp) + ABOVE - 1).saturating_sub(scroll);
    let highest = wanted
        .clamp(i32::from(area.height) - 2, i32::from(u16::MAX))
        .unsigned_abs() as u16;
    let mut lines = Vec::new();
    for slot in (0..=highest).rev().take(area.height.into()) {
        if Some(slot) == sp.checked_sub(1) {
            let line = format!("─── sp {sp:#06x} {}", "─".repeat(area.width as usize));
            lines.push(Line::styled(line, view.theme.faint()));
        }
        let old = view.changed.stack(slot).filter(|_| is_running);
        let mut line = registers::labelled(
            view,
            &format!("{slot:04x}"),
            frame.far.stack.read(slot),
            old,
            area.width as usize,
        );
        if slot >= sp && old.is_none() {
            for span in &mut line.spans {
                span.style = view.theme.faint();
            }
        }
        lines.push(line);
    }
    if sp == 0 {
        lines.push(Line::styled("─── sp 0x0000: empty ───", view.theme.faint()));
    }
    draw(lines, area, buffer);
}
