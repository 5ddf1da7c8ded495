//! The answer to a question: lines of which each may name a step.

use eradbg_tracer::analysis::answer::{Line as Told, Mark};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget, Wrap};

use crate::answer::{Fold, Shown};
use crate::text::{clip, grouped};
use crate::view::{View, draw, first_row};

/// Columns of an answer, where there are as many.
const WIDTH: u16 = 180;
/// Rows that the selected line has to itself, since the list cuts it: on a high screen, and on a low one.
const WHOLE_ROWS: [u16; 2] = [4, 2];
/// Rows of a low screen.
const LOW: u16 = 24;

pub(super) fn render(view: &View<'_>, shown: &Shown, body: Rect, buffer: &mut Buffer) {
    let whole_rows = WHOLE_ROWS[usize::from(body.height < LOW)];
    let has_heading = !shown.answer.heading.is_empty();
    let rows = shown.answer.lines.len() as u16;
    let height = rows.saturating_add(3 + whole_rows + u16::from(has_heading));
    let width = WIDTH.min(body.width.saturating_sub(2));
    let inner = view.overlay(&title(shown), width, height, body, buffer);
    let areas = [
        Constraint::Length(has_heading.into()),
        Constraint::Fill(1),
        Constraint::Length(1),
        Constraint::Length(whole_rows),
    ];
    let [heading, list, rule, whole] = Layout::vertical(areas).areas(inner);
    let columns = step_columns(&shown.answer.lines);
    let text = format!("  {:>columns$}  {}", "step", shown.answer.heading);
    draw(
        vec![Line::styled(
            clip(&text, heading.width.into()),
            view.theme.strong(),
        )],
        heading,
        buffer,
    );
    let first = first_row(shown.lines().len(), list.height, shown.selected, 0);
    let rows = shown
        .lines()
        .enumerate()
        .skip(first)
        .take(list.height.into())
        .map(|(index, line)| row(view, line, index == shown.selected, columns, list.width.into()));
    draw(rows.collect(), list, buffer);
    let line = "─".repeat(rule.width.into());
    draw(vec![Line::styled(line, view.theme.faint())], rule, buffer);
    let text = shown.line().map_or("", |line| line.text.as_str());
    Paragraph::new(Line::styled(text.to_owned(), view.theme.text()))
        .wrap(Wrap { trim: true })
        .render(whole, buffer);
}

/// What was asked, and what part of the answer is in sight.
fn title(shown: &Shown) -> String {
    let title = &shown.answer.title;
    match shown.filter.value() {
        "" => title.clone(),
        filter => format!("{title}, only `{filter}`"),
    }
}

/// Columns of the longest step.
fn step_columns(told: &[Told]) -> usize {
    let steps = told.iter().filter_map(|line| line.step);
    steps.max().map_or(0, |step| grouped(step).len().max(4))
}

fn row(
    view: &View<'_>,
    (told, fold): (&Told, Fold),
    is_selected: bool,
    columns: usize,
    width: usize,
) -> Line<'static> {
    let theme = view.theme;
    let (sign, style) = match (is_selected, told.mark, told.step) {
        (true, ..) => ("▶", theme.accent()),
        (false, Mark::Failed, _) => ("✗", theme.failure()),
        (false, Mark::Undone, _) => ("╱", theme.undone()),
        (false, Mark::None, Some(_)) => (" ", theme.text()),
        (false, Mark::None, None) => (" ", theme.faint()),
    };
    let step = told.step.map_or_else(String::new, grouped);
    let fold = match fold {
        Fold::Leaf => "  ",
        Fold::Open => "▾ ",
        Fold::Closed => "▸ ",
    };
    let numbers = match &told.columns[..] {
        "" => String::new(),
        numbers => format!("{numbers}  "),
    };
    let text = format!("{numbers}{}{fold}{}", "  ".repeat(told.indent), told.text);
    let room = width.saturating_sub(columns + 4);
    Line::from(vec![
        Span::styled(format!("{sign} {step:>columns$}  "), theme.faint()),
        Span::styled(clip(&text, room), style),
    ])
}

#[cfg(test)]
mod tests;
