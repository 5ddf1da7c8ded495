//! The instructions of a frame's code.

use std::ops::Range;

use ratatui::text::Line;

use super::{Place, Row};
use crate::view::View;

/// Rows of instructions, in order of the program counter.
pub(super) fn rows(
    view: &View<'_>,
    place: &Place<'_>,
    shown: Range<usize>,
    width: usize,
) -> Vec<Line<'static>> {
    let rows = shown.map(|index| {
        let pc = index as u16;
        let row = Row {
            number: format!("{pc:#06x}"),
            text: view.highlighter.instruction(&place.frame.program, pc),
            is_current: pc == place.pc,
            stops: place.stops(view, pc),
        };
        row.line(view, place, width)
    });
    rows.collect()
}
