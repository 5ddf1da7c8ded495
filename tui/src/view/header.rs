//! The two rows at the top: where the cursor stands, and what is left.

use eradbg_tracer::recording::EndKind;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::text::grouped;
use crate::theme::{status_sign, status_word};
use crate::view::{View, changed, draw};

/// A piece of a row; rows drop the least important pieces first when they are too long.
struct Piece {
    importance: u8,
    spans: Vec<(String, Style)>,
}

pub(super) fn render(view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    let width = area.width as usize;
    draw(
        vec![row(view, place(view), width), row(view, numbers(view), width)],
        area,
        buffer,
    );
}

fn place(view: &View<'_>) -> Vec<Piece> {
    let theme = view.theme;
    let recording = view.timeline.recording();
    let manifest = recording.manifest();
    let folder = recording
        .path()
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let name = folder.unwrap_or_else(|| manifest.name.clone());
    let transactions = recording.transactions();
    let current = view.timeline.transaction();
    let mut pieces = vec![
        piece(9, [(name, theme.accent())]),
        piece(4, [(format!("batch {}", manifest.batch_number), theme.text())]),
    ];
    if let Some(row) = current.and_then(|index| transactions.get(index)) {
        pieces.push(piece(5, [(format!("block {}", row.l2_block), theme.text())]));
        let style = theme.status(row.status);
        pieces.push(piece(
            8,
            [
                (
                    format!("tx {}/{} ", row.index, transactions.len()),
                    theme.strong(),
                ),
                (
                    format!("{} {}", status_sign(row.status), status_word(row.status)),
                    style,
                ),
            ],
        ));
        if let Some(step) = row.rerun_at {
            let text = if view.timeline.position() < step {
                "first attempt"
            } else {
                "second attempt"
            };
            pieces.push(piece(6, [(text.to_owned(), theme.faint())]));
        }
        if row.rolled_back {
            pieces.push(piece(6, [("rolled back".to_owned(), theme.undone())]));
        }
        if !row.reason.is_empty() {
            pieces.push(piece(2, [(row.reason.clone(), theme.failure())]));
        }
    } else {
        let count = transactions.len();
        pieces.push(piece(8, [(format!("outside of the {count} txs"), theme.faint())]));
    }
    pieces.push(piece(
        7,
        [
            ("phase ".to_owned(), theme.faint()),
            (view.timeline.phase().name().to_owned(), theme.strong()),
        ],
    ));
    let end = match recording.end() {
        EndKind::Finished => None,
        EndKind::Interrupted => Some("recording interrupted".to_owned()),
        EndKind::Stopped(what) => Some(format!("ends early: {what}")),
        EndKind::Unknown => Some("recording broke off".to_owned()),
        EndKind::Recording => Some("recording…".to_owned()),
    };
    pieces.extend(end.map(|text| piece(8, [(text, theme.undone())])));
    pieces
}

fn numbers(view: &View<'_>) -> Vec<Piece> {
    let theme = view.theme;
    let (position, total) = (view.timeline.position(), view.timeline.recording().steps());
    let ergs = view.timeline.execution().frame().ergs;
    let mut pieces = vec![piece(
        9,
        [
            ("step ".to_owned(), theme.faint()),
            (grouped(position), theme.strong()),
            (format!(" / {}", grouped(total)), theme.faint()),
        ],
    )];
    if let Some(percent) = (u128::from(position) * 1000).checked_div(u128::from(total)) {
        pieces.push(piece(
            1,
            [(format!("{}.{} %", percent / 10, percent % 10), theme.faint())],
        ));
    }
    let mut spans = vec![
        ("ergs ".to_owned(), theme.faint()),
        (grouped(ergs), theme.strong()),
    ];
    if let Some(change) = changed::ergs_change(view.timeline.last_changes()) {
        spans.push((format!(" ({change})"), theme.changed()));
    }
    pieces.push(Piece { importance: 8, spans });
    match view.timeline.fate().undone_at {
        Some(at) => {
            let text = format!("╱╱ undone at {}", grouped(at));
            pieces.push(piece(7, [(text, theme.undone())]));
        }
        None => pieces.push(piece(2, [("not undone".to_owned(), theme.faint())])),
    }
    if view.model.selected_frame > 0 {
        let text = format!(
            "looking {} up",
            crate::text::plural(view.model.selected_frame, "frame")
        );
        pieces.push(piece(6, [(text, theme.accent())]));
    }
    if let Some(panic) = view.timeline.next_step().and_then(|step| step.will_panic) {
        pieces.push(piece(5, [(format!("✗ {}", panic.name()), theme.failure())]));
    }
    pieces
}

fn piece(importance: u8, spans: impl Into<Vec<(String, Style)>>) -> Piece {
    Piece {
        importance,
        spans: spans.into(),
    }
}

fn row(view: &View<'_>, mut pieces: Vec<Piece>, width: usize) -> Line<'static> {
    const BETWEEN: &str = " │ ";
    let length = |pieces: &[Piece]| -> usize {
        let text: usize = pieces
            .iter()
            .flat_map(|piece| &piece.spans)
            .map(|(text, _)| text.chars().count())
            .sum();
        1 + text + BETWEEN.chars().count() * pieces.len().saturating_sub(1)
    };
    while length(&pieces) > width && pieces.len() > 1 {
        let least = (0..pieces.len())
            .min_by_key(|&index| pieces[index].importance)
            .unwrap_or(0);
        pieces.remove(least);
    }
    let mut spans = vec![Span::raw(" ")];
    for (index, piece) in pieces.into_iter().enumerate() {
        if index > 0 {
            spans.push(Span::styled(BETWEEN, view.theme.faint()));
        }
        spans.extend(
            piece
                .spans
                .into_iter()
                .map(|(text, style)| Span::styled(text, style)),
        );
    }
    Line::from(spans)
}
