//! The last row: prompt, progress, or what was last said; and what keys do.

use eradbg_tracer::timeline::Direction;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use tui_input::Input;

use crate::command;
use crate::keymap::{self, Scope};
use crate::model::{MarkUse, Mode, Running, Status};
use crate::text::{clip, grouped};
use crate::tour::Tour;
use crate::view::{View, draw};

/// Cells of a progress bar.
const BAR: usize = 20;

/// Draws the row; where the text cursor stands when there is one.
pub(super) fn render(view: &View<'_>, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let theme = view.theme;
    let mut cursor = None;
    let (mut spans, scope) = match &view.model.mode {
        Mode::Prompt(input) => {
            cursor = Some(Position::new(area.x + 2 + input.visual_cursor() as u16, area.y));
            (prompt(view, input), Scope::Prompt)
        }
        Mode::Help { filter, .. } => {
            let at = filter.visual_cursor() as u16;
            cursor = Some(Position::new(area.x + 9 + at, area.y));
            (filter_text(view, filter), Scope::Help)
        }
        Mode::Breakpoints { .. } => (said(view), Scope::Breakpoints),
        Mode::Answer(shown) if shown.is_filtering => {
            let at = shown.filter.visual_cursor() as u16;
            cursor = Some(Position::new(area.x + 9 + at, area.y));
            (filter_text(view, &shown.filter), Scope::Filter)
        }
        Mode::Answer(_) => (status(view), Scope::Answer),
        Mode::Mark(MarkUse::Set) => (
            vec![Span::styled(" set mark: a to z", theme.accent())],
            Scope::Prompt,
        ),
        Mode::Mark(MarkUse::Jump) => (
            vec![Span::styled(" go to mark: a to z", theme.accent())],
            Scope::Prompt,
        ),
        Mode::Normal => (status(view), Scope::Normal),
    };
    let pending = view.model.pending.text();
    if !pending.is_empty() {
        spans.insert(0, Span::styled(format!(" {pending} "), theme.cursor()));
    }
    let used: usize = spans.iter().map(Span::width).sum();
    draw(vec![Line::from(spans)], area, buffer);
    let room = (area.width as usize).saturating_sub(used + 2);
    let hints = hints(view, scope, room);
    let width: usize = hints.iter().map(Span::width).sum();
    let right = Rect {
        x: area.right().saturating_sub(width as u16),
        width: width as u16,
        ..area
    };
    draw(vec![Line::from(hints)], right, buffer);
    cursor.map(|cursor| Position::new(cursor.x.min(area.right().saturating_sub(1)), cursor.y))
}

/// The filter that is being typed.
fn filter_text(view: &View<'_>, filter: &Input) -> Vec<Span<'static>> {
    let theme = view.theme;
    let text = match filter.value() {
        "" => Span::styled(" type to filter", theme.faint()),
        text => Span::styled(format!(" {text}"), theme.strong()),
    };
    vec![Span::styled(" filter:", theme.accent()), text]
}

fn status(view: &View<'_>) -> Vec<Span<'static>> {
    match &view.model.running {
        Some(running) => progress(view, running),
        None => said(view),
    }
}

fn said(view: &View<'_>) -> Vec<Span<'static>> {
    match &view.model.status {
        Status::Quiet | Status::Note(_) if view.model.tour != Tour::Off => tour(view),
        Status::Quiet => Vec::new(),
        Status::Note(text) => vec![Span::styled(format!(" {text}"), view.theme.text())],
        Status::Error(text) => {
            // An error may have a second line; the row has room for one.
            let line = text.lines().collect::<Vec<_>>().join("  ");
            vec![Span::styled(format!(" ! {line}"), view.theme.failure())]
        }
    }
}

fn tour(view: &View<'_>) -> Vec<Span<'static>> {
    let Some((place, key, text)) = view.model.tour.line() else {
        return Vec::new();
    };
    vec![
        Span::styled(format!(" {place}  "), view.theme.accent()),
        Span::styled(key, view.theme.cursor()),
        Span::styled(format!(" {text}"), view.theme.text()),
        Span::styled("  (Esc ends)", view.theme.faint()),
    ]
}

fn prompt(view: &View<'_>, input: &Input) -> Vec<Span<'static>> {
    let theme = view.theme;
    let mut spans = vec![
        Span::styled(" :", theme.accent()),
        Span::styled(input.value().to_owned(), theme.strong()),
    ];
    let name = input.value().split(' ').next().unwrap_or_default();
    let found: Vec<_> = command::matching(name).collect();
    let exact = found.iter().find(|command| command.name == name);
    let hint = match (exact, found.len()) {
        (Some(command), _) => format!("   {} {} · {}", command.name, command.arguments, command.help),
        (None, 0) => String::new(),
        (None, _) => {
            let names: Vec<&str> = found.iter().map(|command| command.name).collect();
            format!("   {}", names.join(" "))
        }
    };
    spans.push(Span::styled(hint, theme.faint()));
    spans
}

fn progress(view: &View<'_>, running: &Running) -> Vec<Span<'static>> {
    let total = view.model.moment.total;
    let cancels = Span::styled("  Esc cancels", view.theme.strong());
    let (way, word) = match running.direction {
        Some(Direction::Forward) => (total.saturating_sub(running.from), "running forward"),
        Some(Direction::Backward) => (running.from, "running back"),
        None => {
            return vec![
                Span::styled(" looking for the answer", view.theme.accent()),
                cancels,
            ];
        }
    };
    let done = running.at.abs_diff(running.from).min(way);
    let cells = (u128::from(done) * BAR as u128)
        .checked_div(u128::from(way))
        .unwrap_or(0) as usize;
    let percent = (u128::from(done) * 100)
        .checked_div(u128::from(way))
        .unwrap_or(100);
    vec![
        Span::styled(format!(" {word} "), view.theme.accent()),
        Span::styled("█".repeat(cells), view.theme.accent()),
        Span::styled("░".repeat(BAR - cells), view.theme.faint()),
        Span::raw(format!(" {percent} %  step {}", grouped(running.at))),
        cancels,
    ]
}

/// As many hints as fit; the last ones, help and quit, are the last to go.
fn hints(view: &View<'_>, scope: Scope, room: usize) -> Vec<Span<'static>> {
    let mut hints: Vec<(&str, &str)> = keymap::hints(scope).collect();
    if scope == Scope::Normal {
        hints.insert(0, ("j k", "step"));
    }
    let width = |hints: &[(&str, &str)]| {
        hints
            .iter()
            .map(|(key, text)| key.len() + text.len() + 3)
            .sum::<usize>()
    };
    while width(&hints) > room && !hints.is_empty() {
        let keep = hints.len().saturating_sub(3);
        hints.remove(keep);
    }
    let pair = |(key, text): (&str, &str)| -> [Span<'static>; 2] {
        [
            styled(key, view.theme.strong()),
            styled(&format!(" {text}  "), view.theme.faint()),
        ]
    };
    hints.into_iter().flat_map(pair).collect()
}

fn styled(text: &str, style: Style) -> Span<'static> {
    Span::styled(clip(text, 40), style)
}
