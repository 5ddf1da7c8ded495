//! Where a value comes from, as lines.

use std::sync::atomic::AtomicBool;

use super::{Answer, Line, gap};
use crate::analysis::origin::{End, Link, origin};
use crate::error::Result;
use crate::numbers::grouped;
use crate::query::{Place, PlacePattern};
use crate::recording::Recording;

/// Tells where the value comes from that a place has at a position; `None` where the pattern names more than one place.
///
/// # Errors
/// When the recording cannot be stepped, or a chunk on the way is damaged.
pub fn answer_origin(
    recording: &Recording,
    position: u64,
    place: &PlacePattern,
    stop: &AtomicBool,
) -> Result<Option<Answer>> {
    let links = origin(recording, position, place, stop)?;
    Ok(links.map(|links| Answer {
        title: format!(
            "Where {place} comes from, at {}{}",
            grouped(position),
            gap(recording)
        ),
        heading: String::new(),
        about: 0,
        lines: links.iter().map(|link| line(recording, link)).collect(),
    }))
}

fn line(recording: &Recording, link: &Link) -> Line {
    Line {
        step: link.step,
        ..Line::plain(link.level, text(recording, link))
    }
}

fn text(recording: &Recording, link: &Link) -> String {
    let by = &link.by;
    let value = link.value.as_deref().unwrap_or_default();
    let place = match link.at {
        Some(Place::Storage(slot)) => recording.slot_text(slot),
        Some(Place::Transient(slot)) => {
            format!(
                "transient {}[{:#x}]",
                recording.name_or_hex(slot.address),
                slot.key
            )
        }
        _ => link.place.clone(),
    };
    let source = match link.end {
        None => by.clone(),
        Some(End::Told) => format!("{by} (told above)"),
        Some(End::Constant) if !value.is_empty() && place.is_empty() => {
            return format!("from the constant {value}");
        }
        Some(End::Machine) => format!("from the machine: {by}"),
        // The place says the same.
        Some(End::Storage) => "from before the batch".to_owned(),
        Some(End::Constant | End::Transaction | End::Operator) => format!("from {by}"),
        Some(End::TooFar) => format!("… {by}"),
    };
    match (&place[..], value) {
        ("", _) => source,
        (place, "") => format!("{place}: {source}"),
        (place, value) => format!("{place} = {value}: {source}"),
    }
}
