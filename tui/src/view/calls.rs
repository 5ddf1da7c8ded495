//! The call stack, outermost frame first, near frames within their far frames.

use eradbg_vm::CallKind;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::layout::Pane;
use crate::text::grouped;
use crate::view::frames::{self, FrameRow};
use crate::view::{View, draw, first_row};

/// Indentation stops growing here, so that deep stacks stay readable.
const DEEPEST_INDENT: usize = 8;

pub(super) fn note(view: &View<'_>) -> String {
    let execution = view.timeline.execution();
    format!(
        "{} far, depth {}",
        execution.callers().len() + 1,
        execution.depth()
    )
}

pub(super) fn render(view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    let execution = view.timeline.execution();
    let depth = execution.depth() as usize;
    let selected = depth.saturating_sub(view.model.selected_frame + 1);
    let scroll = view.model.scroll[Pane::Calls.index()];
    let first = first_row(depth, area.height, selected, scroll);
    let rows = (first..depth.min(first + area.height as usize)).filter_map(|index| {
        let frame = frames::from_outermost(execution, index)?;
        Some(row(
            view,
            &frame,
            index == selected,
            index + 1 == depth,
            area.width as usize,
        ))
    });
    draw(rows.collect(), area, buffer);
}

fn row(
    view: &View<'_>,
    frame: &FrameRow<'_>,
    is_selected: bool,
    is_innermost: bool,
    width: usize,
) -> Line<'static> {
    let theme = view.theme;
    let sign = match (is_selected, is_innermost) {
        (true, _) => "▶",
        (false, true) => "▹",
        (false, false) => " ",
    };
    let indent = "  ".repeat((frame.far_depth + frame.near_depth).min(DEEPEST_INDENT));
    let mut spans = vec![Span::styled(format!("{sign}{indent}"), theme.accent())];
    let name_style = if is_selected { theme.accent() } else { theme.name() };
    if frame.is_near {
        spans.push(Span::styled("near ", theme.faint()));
        spans.push(Span::styled(format!("{:#06x}", frame.current.pc), name_style));
        spans.push(Span::styled(
            format!(" catch {:#06x}", frame.current.exception_handler),
            theme.faint(),
        ));
    } else {
        let kind = match frame.far.kind {
            CallKind::Normal => "far",
            CallKind::Delegate => "delegate",
            CallKind::Mimic => "mimic",
        };
        spans.push(Span::styled(format!("{kind} "), theme.faint()));
        spans.push(Span::styled(view.name(frame.far.code_address), name_style));
        if frame.far.kind == CallKind::Delegate {
            spans.push(Span::styled(
                format!(" on {}", view.name(frame.far.this)),
                theme.faint(),
            ));
        }
        if let Some(selector) = selector(view, frame) {
            spans.push(Span::styled(format!(".{selector}"), theme.text()));
        }
        spans.push(Span::styled(marks(frame), theme.strong()));
        spans.push(Span::styled(format!(" {:#06x}", frame.current.pc), theme.faint()));
    }
    let used: usize = spans.iter().map(Span::width).sum();
    let ergs = grouped(frame.current.ergs);
    if let Some(gap) = width.checked_sub(used + ergs.len() + 2) {
        spans.push(Span::raw(" ".repeat(gap + 1)));
        spans.push(Span::styled(ergs, theme.text()));
    }
    Line::from(spans)
}

/// Restrictions and modes of a far frame: kernel, static, system call, constructor.
fn marks(frame: &FrameRow<'_>) -> String {
    let far = frame.far;
    let marks = [
        (far.is_kernel, "kernel"),
        (far.is_static, "static"),
        (far.is_system_call, "system"),
        (far.is_constructor_call, "constructor"),
    ];
    let set: Vec<&str> = marks
        .iter()
        .filter(|(is_set, _)| *is_set)
        .map(|(_, mark)| *mark)
        .collect();
    if set.is_empty() {
        String::new()
    } else {
        format!(" [{}]", set.join(" "))
    }
}

/// The function that a frame was called for, while its calldata lives.
fn selector(view: &View<'_>, frame: &FrameRow<'_>) -> Option<String> {
    let heaps = view.timeline.execution().heaps();
    // Calldata mostly starts where its pointer in r1 did; only the innermost frame's is sure to be there still.
    let pointer = view.timeline.execution().register(1);
    let fat = eradbg_vm::FatPointer::from_word(pointer.word);
    if !pointer.is_pointer || fat.page != frame.far.calldata_page || fat.length < 4 {
        return None;
    }
    let mut bytes = [0; 4];
    heaps.get(fat.page)?.read_bytes(fat.start, &mut bytes);
    let recording = view.timeline.recording();
    let name = recording.function_name(frame.far.code_address, bytes)?;
    Some(name.rsplit('.').next().unwrap_or(&name).to_owned())
}
