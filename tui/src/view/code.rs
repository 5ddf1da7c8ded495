//! The code of the selected frame around its program counter, and the step that comes next.

mod details;
mod disassembly;
mod source;

use std::ops::Range;

use eradbg_tracer::timeline::StepInfo;
use eradbg_vm::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

use crate::highlight;
use crate::layout::Pane;
use crate::theme::{BREAKPOINT, Theme};
use crate::view::{View, draw, first_row, frames};
use source::Source;

/// Rows that tell about the next step, where there is room.
const DETAILS: u16 = 7;

/// Where the selected frame stands in its code.
#[derive(Debug)]
struct Place<'a> {
    frame: &'a Frame,
    /// The instruction that comes next in it.
    pc: u16,
    /// Whether that is the next step.
    is_innermost: bool,
}

/// A row of code: a line of source or an instruction.
#[derive(Debug)]
struct Row {
    /// What leads to it: its program counter or line.
    number: String,
    text: highlight::Line,
    /// The frame stands here.
    is_current: bool,
    /// A breakpoint is set here.
    stops: bool,
}

pub(super) fn note(view: &View<'_>) -> String {
    let Some(place) = place(view) else {
        return String::new();
    };
    let address = view.name(place.frame.code_address);
    match place.source(view) {
        Source::Missing => address,
        Source::Damaged => format!("source damaged  {address}"),
        Source::Hidden => format!("disassembly  {address}"),
        Source::Shown(listing, _) => format!("{}  {address}", listing.name),
    }
}

pub(super) fn render(view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    let Some(place) = place(view) else { return };
    let rows = match area.height {
        ..12 => 0,
        12..18 => 5,
        _ => DETAILS,
    };
    let [code, below] = Layout::vertical([Constraint::Fill(1), Constraint::Length(rows)]).areas(area);
    render_code(view, &place, code, buffer);
    if rows > 0 {
        details::render(view, place.is_innermost, below, buffer);
    }
}

fn place<'a>(view: &View<'a>) -> Option<Place<'a>> {
    let row = frames::from_innermost(view.timeline.execution(), view.model.selected_frame)?;
    Some(Place {
        frame: row.far,
        pc: row.current.pc,
        is_innermost: view.model.selected_frame == 0,
    })
}

fn render_code(view: &View<'_>, place: &Place<'_>, area: Rect, buffer: &mut Buffer) {
    let width = area.width as usize;
    let instructions = place.frame.program.instructions();
    let lines = match place.source(view) {
        _ if instructions == 0 => {
            let text = " no code: the call failed, and its frame panics";
            vec![Line::styled(text, view.theme.failure())]
        }
        Source::Shown(listing, line) => {
            let lines = listing.text.lines().count();
            let shown = shown(view, lines, area.height, line as usize - 1);
            source::rows(view, place, &listing, shown, width)
        }
        Source::Missing | Source::Damaged | Source::Hidden => {
            let centre = usize::from(place.centre(view)).min(instructions - 1);
            let shown = shown(view, instructions, area.height, centre);
            disassembly::rows(view, place, shown, width)
        }
    };
    draw(lines, area, buffer);
}

/// Which of `total` rows are shown.
fn shown(view: &View<'_>, total: usize, height: u16, centre: usize) -> Range<usize> {
    let scroll = view.model.scroll[Pane::Code.index()];
    let first = first_row(total, height, centre, scroll);
    first..total.min(first + height as usize)
}

impl Place<'_> {
    /// The program counter that the pane is to show.
    fn centre(&self, view: &View<'_>) -> u16 {
        view.model.listing.unwrap_or(self.pc)
    }

    fn source(&self, view: &View<'_>) -> Source {
        source::find(view, self.frame.program.hash(), self.centre(view))
    }

    /// Whether a breakpoint is set on an instruction.
    fn stops(&self, view: &View<'_>, pc: u16) -> bool {
        view.model
            .breakpoints
            .iter()
            .any(|breakpoint| breakpoint.is_at(pc, self.frame.code_address))
    }
}

impl Row {
    fn line(&self, view: &View<'_>, place: &Place<'_>, width: usize) -> Line<'static> {
        let theme = view.theme;
        let breakpoint = if self.stops {
            Span::styled(BREAKPOINT, theme.failure())
        } else {
            Span::raw(" ")
        };
        let (sign, number) = match (self.is_current, place.is_innermost) {
            (true, true) => ("▶", theme.cursor()),
            (true, false) => ("▹", theme.accent()),
            (false, _) => (" ", theme.faint()),
        };
        let mut spans = vec![
            breakpoint,
            Span::styled(sign, theme.accent()),
            Span::styled(self.number.clone(), number),
            Span::raw(" "),
        ];
        let verdict = (self.is_current && place.is_innermost)
            .then(|| verdict(view, view.timeline.next_step().as_ref()))
            .flatten();
        let room = width.saturating_sub(spans.iter().map(Span::width).sum());
        // A verdict matters more than the end of a comment, but does not take the whole line.
        let taken = verdict.as_ref().map_or(0, Span::width).min(room / 2);
        spans.extend(self.text(theme, room - taken));
        spans.extend(verdict);
        Line::from(spans)
    }

    /// Its text in `room` columns, `…` for what does not fit.
    fn text(&self, theme: Theme, room: usize) -> Vec<Span<'static>> {
        let length: usize = self.text.iter().map(|(_, piece)| piece.chars().count()).sum();
        let is_cut = length > room;
        let mut room = room.saturating_sub(is_cut.into());
        let mut spans = Vec::new();
        for (token, piece) in self.text.iter() {
            let mut style = theme.token(*token);
            if self.is_current {
                style = style.add_modifier(Modifier::BOLD);
            }
            let kept: String = piece.chars().take(room).collect();
            room -= kept.chars().count();
            spans.push(Span::styled(kept, style));
        }
        if is_cut {
            spans.push(Span::styled("…", theme.faint()));
        }
        spans
    }
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

#[cfg(test)]
mod tests;
