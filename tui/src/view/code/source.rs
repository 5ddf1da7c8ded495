//! The source text of a frame's code.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use eradbg_tracer::listing::Listing;
use eradbg_vm::U256;
use ratatui::text::Line;

use super::{Place, Row};
use crate::model::CodeForm;
use crate::view::View;

/// Columns of a pane that has room for the program counter of each line.
const WIDE: usize = 64;

/// The source of a piece of code, as far as it is shown.
#[derive(Debug)]
pub(super) enum Source {
    /// The recording has none.
    Missing,
    /// It cannot be read.
    Damaged,
    /// Disassembly is wanted, or the place has no line: the assembler put it there.
    Hidden,
    /// It is shown around a line, counted from 1.
    Shown(Arc<Listing>, u32),
}

/// The source of the code with a hash, around a program counter.
pub(super) fn find(view: &View<'_>, hash: U256, pc: u16) -> Source {
    match view.timeline.recording().listing(hash) {
        Err(_) => Source::Damaged,
        Ok(None) => Source::Missing,
        Ok(Some(listing)) => match (view.model.code_form, listing.lines.get(&pc).copied()) {
            (CodeForm::Source, Some(line)) => Source::Shown(listing, line),
            _ => Source::Hidden,
        },
    }
}

/// Rows of lines, counted from 0.
pub(super) fn rows(
    view: &View<'_>,
    place: &Place<'_>,
    listing: &Listing,
    shown: Range<usize>,
    width: usize,
) -> Vec<Line<'static>> {
    let mut pcs: BTreeMap<u32, Vec<u16>> = BTreeMap::new();
    for (&pc, &line) in &listing.lines {
        if shown.contains(&(line as usize - 1)) {
            pcs.entry(line).or_default().push(pc);
        }
    }
    let digits = listing.text.lines().count().to_string().len();
    let current = listing.lines.get(&place.pc);
    let texts = listing.text.lines().skip(shown.start);
    let rows = shown.clone().zip(texts).map(|(index, text)| {
        let line = index as u32 + 1;
        let pcs = pcs.get(&line).map_or(&[][..], Vec::as_slice);
        let mut number = format!("{line:>digits$}");
        if width >= WIDE {
            number.push_str(&pcs.first().map_or(" ".repeat(7), |pc| format!(" {pc:#06x}")));
        }
        let row = Row {
            number,
            text: view.highlighter.source(listing.hash, line, text.trim_end()),
            is_current: current == Some(&line),
            stops: pcs.iter().any(|&pc| place.stops(view, pc)),
        };
        row.line(view, place, width)
    });
    rows.collect()
}
