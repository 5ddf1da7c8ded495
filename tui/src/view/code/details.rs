//! What the next step will do, and what the last one did, below the code.

use eradbg_tracer::timeline::StepInfo;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::text::grouped;
use crate::view::{View, changes, draw, operands, registers};

pub(super) fn render(view: &View<'_>, is_innermost: bool, area: Rect, buffer: &mut Buffer) {
    let theme = view.theme;
    let width = area.width as usize;
    let mut lines = vec![Line::styled("─".repeat(width), theme.faint())];
    match view.timeline.next_step() {
        None => lines.push(Line::styled(" the recording ends here", theme.strong())),
        Some(_) if !is_innermost => {
            let text = " ▹ marks where this frame goes on; d goes down, Esc to the innermost frame";
            lines.push(Line::styled(text, theme.faint()));
        }
        Some(step) => {
            lines.push(meaning(view, &step));
            let mut operands = operands::of(view, &step);
            operands.truncate((area.height as usize).saturating_sub(3));
            let names = operands
                .iter()
                .map(|operand| operand.name.len())
                .max()
                .unwrap_or(0);
            lines.extend(operands.into_iter().map(|operand| {
                registers::labelled(
                    view,
                    &format!("{:<names$}", operand.name),
                    operand.value,
                    None,
                    width,
                )
            }));
        }
    }
    // What the last step changed stands in the last row, so that it is found at once.
    lines.truncate(area.height as usize - 1);
    lines.resize(area.height as usize - 1, Line::default());
    lines.push(last_step(view));
    draw(lines, area, buffer);
}

fn meaning(view: &View<'_>, step: &StepInfo) -> Line<'static> {
    let i = &step.instruction;
    let theme = view.theme;
    if let Some(cause) = step.will_panic {
        return Line::styled(format!(" ✗ {cause}"), theme.failure());
    }
    let ergs = if i.ergs == u32::MAX {
        "all".to_owned()
    } else {
        grouped(i.ergs)
    };
    let mut spans = vec![Span::styled(format!(" {ergs} ergs  "), theme.strong())];
    if let Some(callee) = operands::callee(view, i) {
        spans.push(Span::styled(format!("{callee}  "), theme.name()));
    }
    if step.skipped {
        spans.push(Span::styled("condition does not hold  ", theme.undone()));
    }
    spans.push(Span::styled(i.opcode.description(), theme.faint()));
    Line::from(spans)
}

/// The most telling change of the last step in a line, and how many more there are.
fn last_step(view: &View<'_>) -> Line<'static> {
    let mut lines = changes::summary(view);
    let more = lines.len().saturating_sub(1);
    match lines.first_mut() {
        None => Line::styled(" nothing changed but the pc", view.theme.faint()),
        Some(line) => {
            let mut line = std::mem::take(line);
            if more > 0 {
                line.spans
                    .push(Span::styled(format!("  and {more} more: F8"), view.theme.faint()));
            }
            line
        }
    }
}
