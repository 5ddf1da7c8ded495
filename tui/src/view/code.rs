//! The listing of the selected frame around its program counter, and the step that comes next.

use eradbg_tracer::symbols;
use eradbg_tracer::timeline::StepInfo;
use eradbg_vm::{Frame, Program};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

use crate::layout::Pane;
use crate::text::thousands;
use crate::theme::BREAKPOINT;
use crate::view::{View, changes, draw, first_row, frames, operands, registers};

/// Rows that tell about the next step, where there is room.
const DETAILS: u16 = 7;

pub(super) fn note(view: &View<'_>) -> String {
    let Some(frame) = frames::from_innermost(view.timeline.execution(), view.model.selected_frame) else {
        return String::new();
    };
    symbols::address_text(frame.far.code_address)
}

pub(super) fn render(view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    let Some(row) = frames::from_innermost(view.timeline.execution(), view.model.selected_frame) else {
        return;
    };
    let details = match area.height {
        ..12 => 0,
        12..18 => 5,
        _ => DETAILS,
    };
    let [listing, below] = Layout::vertical([Constraint::Fill(1), Constraint::Length(details)]).areas(area);
    let is_innermost = view.model.selected_frame == 0;
    render_listing(view, row.far, row.current.pc, is_innermost, listing, buffer);
    if details > 0 {
        render_details(view, is_innermost, below, buffer);
    }
}

fn render_listing(
    view: &View<'_>,
    frame: &Frame,
    pc: u16,
    is_innermost: bool,
    area: Rect,
    buffer: &mut Buffer,
) {
    let program = &*frame.program;
    let total = program.instructions().len();
    if total == 0 {
        let lines = vec![Line::styled(
            " no code: the call failed, and its frame panics",
            view.theme.failure(),
        )];
        draw(lines, area, buffer);
        return;
    }
    let centre = view.model.listing.unwrap_or(pc);
    let scroll = view.model.scroll[Pane::Code.index()];
    let first = first_row(total, area.height, usize::from(centre).min(total - 1), scroll);
    let last = total.min(first + area.height as usize);
    let lines = (first..last).map(|index| line(view, frame, program, index as u16, pc, is_innermost));
    draw(lines.collect(), area, buffer);
}

fn line(
    view: &View<'_>,
    frame: &Frame,
    program: &Program,
    index: u16,
    pc: u16,
    is_innermost: bool,
) -> Line<'static> {
    let theme = view.theme;
    let is_current = index == pc;
    let stops = view.model.breakpoints.iter().any(|breakpoint| {
        breakpoint.pc == Some(index)
            && breakpoint
                .address
                .is_none_or(|address| address == frame.code_address)
    });
    let breakpoint = if stops {
        Span::styled(BREAKPOINT, theme.failure())
    } else {
        Span::raw(" ")
    };
    let (sign, address) = match (is_current, is_innermost) {
        (true, true) => ("▶", theme.cursor()),
        (true, false) => ("▹", theme.accent()),
        (false, _) => (" ", theme.faint()),
    };
    let mut spans = vec![
        breakpoint,
        Span::styled(sign, theme.accent()),
        Span::styled(format!("{index:#06x}"), address),
        Span::raw(" "),
    ];
    for (token, piece) in view.highlighter.instruction(program, index).iter() {
        let style = theme.token(*token);
        let style = if is_current {
            style.add_modifier(Modifier::BOLD)
        } else {
            style
        };
        spans.push(Span::styled(piece.clone(), style));
    }
    if is_current && is_innermost {
        spans.extend(verdict(view, view.timeline.next_step().as_ref()));
    }
    Line::from(spans)
}

/// What will become of the next step when it is not executed as written.
fn verdict(view: &View<'_>, step: Option<&StepInfo>) -> Option<Span<'static>> {
    let step = step?;
    if let Some(cause) = step.will_panic {
        let which = if step.pc.is_none() {
            "panics here"
        } else {
            "will panic"
        };
        return Some(Span::styled(
            format!("  ✗ {which}: {}", cause.name()),
            view.theme.failure(),
        ));
    }
    step.skipped
        .then(|| Span::styled("  skipped", view.theme.undone()))
}

fn render_details(view: &View<'_>, is_innermost: bool, area: Rect, buffer: &mut Buffer) {
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
        thousands(i.ergs.into())
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
