//! Timelines: one of the whole recording, one of the current transaction.
//!
//! The first row shows transactions (or frames that failed), the second row ticks. Each column stands for a stretch of
//! steps; what lies in it is found by binary search, so drawing costs the same for any length.

use eradbg_tracer::recording::{TransactionRow, TxStatus};
use eradbg_vm::bootloader::Hook;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::layout::scale::Scale;
use crate::theme::status_sign;
use crate::view::View;

/// Hooks that only print, and would crowd out the names of the others.
const DEBUG_HOOKS: [u32; 2] = [Hook::DebugLog as u32, Hook::DebugReturnData as u32];

/// A stretch of steps and the columns that show it.
struct Track {
    area: Rect,
    first: u64,
    last: u64,
    scale: Scale,
}

impl Track {
    /// Positions of a column: from, and up to but not including.
    fn stretch(&self, column: u16) -> (u64, u64) {
        let from = self.scale.position(column);
        (from, self.scale.position(column + 1).max(from + 1))
    }

    fn column(&self, position: u64) -> u16 {
        self.scale.column(position)
    }

    fn put(&self, buffer: &mut Buffer, column: u16, row: u16, text: &str, style: Style) {
        if column < self.area.width && row < self.area.height {
            let width = (self.area.width - column) as usize;
            buffer.set_stringn(self.area.x + column, self.area.y + row, text, width, style);
        }
    }
}

pub(super) fn render_batch(view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let last = view.timeline.recording().steps();
    let track = Track {
        area,
        first: 0,
        last,
        scale: Scale::of_recording(area.width, last, view.model.moment.transactions),
    };
    for column in 0..area.width {
        let (text, style) = stretch(view, track.stretch(column));
        track.put(buffer, column, 0, text, style);
    }
    labels(view, &track, buffer);
    ticks(view, &track, buffer);
    cursor(view, &track, buffer);
}

pub(super) fn render_transaction(view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let transaction = view.model.moment.transaction;
    let Some((first, last)) = transaction else {
        buffer.set_stringn(
            area.x,
            area.y,
            " between transactions",
            area.width.into(),
            view.theme.faint(),
        );
        return;
    };
    let scale = Scale::even(area.width, first, last);
    let track = Track {
        area,
        first,
        last,
        scale,
    };
    for column in 0..area.width {
        let (from, end) = track.stretch(column);
        let style = view.theme.faint();
        let (text, style) = if is_undone(view, from, end) {
            ("╱", view.theme.undone())
        } else {
            ("╌", style)
        };
        track.put(buffer, column, 0, text, style);
    }
    let label = view
        .timeline
        .transaction()
        .map(|index| format!(" tx {index} "))
        .unwrap_or_default();
    track.put(buffer, 1, 0, &label, view.theme.strong());
    hook_names(view, &track, buffer);
    ticks(view, &track, buffer);
    cursor(view, &track, buffer);
}

/// Sign of what a column's steps belong to.
fn stretch(view: &View<'_>, (from, end): (u64, u64)) -> (&'static str, Style) {
    if is_undone(view, from, end) {
        return ("╱", view.theme.undone());
    }
    let transactions = view.timeline.recording().transactions();
    let index = transactions.partition_point(|row| end_of(row) <= from);
    match transactions.get(index).filter(|row| row.first_step < end) {
        None => ("·", view.theme.faint()),
        Some(row) => {
            let fill = match row.status {
                TxStatus::Success => "━",
                TxStatus::Reverted => "╍",
                TxStatus::Halted => "┅",
                TxStatus::Unfinished => "┈",
            };
            (fill, view.theme.status(row.status))
        }
    }
}

/// Borders, numbers and status signs of the transactions that are wide enough for them.
fn labels(view: &View<'_>, track: &Track, buffer: &mut Buffer) {
    let transactions = view.timeline.recording().transactions();
    let mut column = 0;
    while column < track.area.width {
        let (from, end) = track.stretch(column);
        let index = transactions.partition_point(|row| end_of(row) <= from);
        let Some(row) = transactions.get(index).filter(|row| row.first_step < end) else {
            column += 1;
            continue;
        };
        let last = track.column(end_of(row).saturating_sub(1));
        let label = format!(" {}{} ", row.index, status_sign(row.status));
        let style = view.theme.status(row.status);
        let width = (last + 1).saturating_sub(column);
        track.put(buffer, column, 0, "┣", style);
        if label.chars().count() + 2 <= width as usize {
            track.put(buffer, column + 1, 0, &label, style);
        } else {
            // In a column of several transactions the failed one is the one to show.
            let (_, end) = track.stretch(column);
            let here = transactions[index..]
                .iter()
                .take_while(|row| row.first_step < end);
            let row = here
                .take(1000)
                .find(|row| row.status != TxStatus::Success)
                .unwrap_or(row);
            let column = if width >= 2 { column + 1 } else { column };
            track.put(
                buffer,
                column,
                0,
                status_sign(row.status),
                view.theme.status(row.status),
            );
        }
        column = last.max(column) + 1;
    }
}

/// Hooks, failures and marks; the last of a column hides the others.
fn ticks(view: &View<'_>, track: &Track, buffer: &mut Buffer) {
    let recording = view.timeline.recording();
    let (hooks, failures) = (recording.hooks(), recording.failures());
    for column in 0..track.area.width {
        let (from, end) = track.stretch(column);
        if column > 0 && track.stretch(column - 1).0 == from {
            // A short timeline has several columns for a position; the first one has the tick.
            continue;
        }
        if any(hooks, |row| row.step, from, end) {
            track.put(buffer, column, 1, "╵", view.theme.name());
        }
        if any(failures, |row| row.step, from, end) {
            track.put(buffer, column, 1, "✗", view.theme.failure());
        }
    }
    for (letter, &position) in &view.model.marks {
        if (track.first..=track.last).contains(&position) {
            track.put(
                buffer,
                track.column(position),
                1,
                &letter.to_string(),
                view.theme.accent(),
            );
        }
    }
}

/// Names of the hooks of a transaction, where they fit.
fn hook_names(view: &View<'_>, track: &Track, buffer: &mut Buffer) {
    let hooks = view.timeline.recording().hooks();
    let start = hooks.partition_point(|row| row.step < track.first);
    let mut free = 8;
    // A transaction has few hooks, except that it may print debug messages without end.
    for row in hooks[start..]
        .iter()
        .take_while(|row| row.step <= track.last)
        .take(5000)
    {
        if DEBUG_HOOKS.contains(&row.hook) {
            continue;
        }
        let name = super::bootloader::hook_name(row.hook);
        let column = track.column(row.step);
        let width = name.chars().count() as u16 + 2;
        if column >= free && column + width <= track.area.width {
            track.put(buffer, column, 0, &format!(" {name} "), view.theme.name());
            free = column + width + 1;
        }
    }
}

fn cursor(view: &View<'_>, track: &Track, buffer: &mut Buffer) {
    let column = track.column(view.timeline.position());
    if track.area.height > 1 {
        track.put(buffer, column, 1, "▲", view.theme.accent());
    }
    let cell = &mut buffer[(track.area.x + column, track.area.y)];
    cell.set_style(view.theme.cursor());
}

/// Whether the operator rolled some of these steps back, or a frame around all of them failed.
fn is_undone(view: &View<'_>, from: u64, end: u64) -> bool {
    let recording = view.timeline.recording();
    let undone = recording.undone();
    let index = undone.partition_point(|range| range.end_step <= from);
    let is_rolled_back = undone.get(index).is_some_and(|range| range.first_step < end);
    is_rolled_back || recording.fate_of(from).undone_at.is_some_and(|at| at + 1 >= end)
}

fn any<T>(rows: &[T], step: impl Fn(&T) -> u64, from: u64, end: u64) -> bool {
    let index = rows.partition_point(|row| step(row) < from);
    rows.get(index).is_some_and(|row| step(row) < end)
}

fn end_of(row: &TransactionRow) -> u64 {
    row.first_step + row.steps
}
