//! The answer to a question: lines of which each may name a step.

use eradbg_tracer::analysis::why::Line as Told;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget, Wrap};

use crate::text::{clip, grouped};
use crate::view::{View, draw, first_row};

/// Columns of an answer, where there are as many.
const WIDTH: u16 = 160;
/// Rows that the selected line has to itself, since the list cuts it.
const WHOLE_ROWS: u16 = 4;

pub(super) fn render(
    view: &View<'_>,
    title: &str,
    told: &[Told],
    selected: usize,
    body: Rect,
    buffer: &mut Buffer,
) {
    let height = (told.len() as u16).saturating_add(3 + WHOLE_ROWS);
    let width = WIDTH.min(body.width.saturating_sub(2));
    let inner = view.overlay(title, width, height, body, buffer);
    let areas = [
        Constraint::Fill(1),
        Constraint::Length(1),
        Constraint::Length(WHOLE_ROWS),
    ];
    let [list, rule, whole] = Layout::vertical(areas).areas(inner);
    let columns = step_columns(told);
    let first = first_row(told.len(), list.height, selected, 0);
    let rows = told
        .iter()
        .enumerate()
        .skip(first)
        .take(list.height.into())
        .map(|(index, line)| row(view, line, index == selected, columns, list.width.into()));
    draw(rows.collect(), list, buffer);
    let line = "─".repeat(rule.width.into());
    draw(vec![Line::styled(line, view.theme.faint())], rule, buffer);
    let text = told.get(selected).map_or("", |line| line.text.as_str());
    Paragraph::new(Line::styled(text.to_owned(), view.theme.text()))
        .wrap(Wrap { trim: true })
        .render(whole, buffer);
}

/// Columns of the longest step.
fn step_columns(told: &[Told]) -> usize {
    let steps = told.iter().filter_map(|line| line.step);
    steps.max().map_or(0, |step| grouped(step).len())
}

fn row(view: &View<'_>, told: &Told, is_selected: bool, columns: usize, width: usize) -> Line<'static> {
    let theme = view.theme;
    let (sign, style) = match (is_selected, told.step) {
        (true, _) => ("▶", theme.accent()),
        (false, Some(_)) => (" ", theme.text()),
        (false, None) => (" ", theme.faint()),
    };
    let step = told.step.map_or_else(String::new, grouped);
    let text = "  ".repeat(told.indent) + &told.text;
    let room = width.saturating_sub(columns + 4);
    Line::from(vec![
        Span::styled(format!("{sign} {step:>columns$}  "), theme.faint()),
        Span::styled(clip(&text, room), style),
    ])
}

#[cfg(test)]
mod tests;
