//! A transaction's calls as a tree: far calls, near calls too, or those of users' contracts.

use eradbg_vm::value::is_kernel;

use super::{Line, Mark, Question};
use crate::analysis::calls::{Call, of_part};
use crate::analysis::reason::reason;
use crate::error::Result;
use crate::numbers::grouped;
use crate::recording::Recording;
use crate::symbols::abi::Decoded;

/// Columns that a function's arguments may take in its line; they have lines of their own below.
const ARGUMENT_COLUMNS: usize = 120;
/// Bytes of calldata, returndata and events that are shown.
const SHOWN_BYTES: usize = 100;

pub(super) fn heading() -> String {
    columns("ergs", "used")
}

pub(super) fn lines(recording: &Recording, question: Question) -> Result<Vec<Line>> {
    let shows = |call: &Call| match question.view {
        0 => call.kind != "near",
        1 => true,
        // The account's own function is called by the bootloader, whose near calls work on its storage.
        _ => call.kind != "near" && !is_kernel(call.code),
    };
    let mut lines = Vec::new();
    for (stretch, calls) in of_part(recording, question.part)? {
        lines.push(Line::of_stretch(&stretch).with(columns("", "")));
        // How many of the calls around each are shown.
        let mut depths: Vec<usize> = Vec::with_capacity(calls.len());
        for call in &calls {
            let around = call
                .parent
                .map_or(0, |parent| depths[parent] + usize::from(shows(&calls[parent])));
            depths.push(around);
            if shows(call) {
                add(recording, call, around + 1, &mut lines);
            }
        }
    }
    Ok(lines)
}

fn add(recording: &Recording, call: &Call, indent: usize, lines: &mut Vec<Line>) {
    let used = call.returned.map(|returned| call.ergs.saturating_sub(returned));
    let numbers = columns(&grouped(call.ergs), &used.map_or_else(|| "-".to_owned(), grouped));
    let failed = matches!(call.end, "revert" | "panic");
    let line = Line::at(call.step, indent, text(recording, call)).with(numbers);
    let line = line.marked(Mark::Undone, call.rolled_back_at.is_some());
    lines.push(line.marked(Mark::Failed, failed));
    if call.kind == "near" {
        return;
    }
    let part = |text: String| Line::at(call.step, indent + 1, text).with(columns("", ""));
    lines.push(part(format!(
        "caller {}, heap {}, calldata on page {}: {}",
        recording.address_text(call.caller),
        call.heap_page,
        call.calldata_page,
        bytes(&call.input, call.input_bytes)
    )));
    let arguments = arguments(recording, call).map_or_else(Vec::new, |decoded| decoded.fields);
    lines.extend(arguments.iter().map(|field| part(field.to_string())));
    let results = || recording.decode_result(call.code, call.selector?, &call.output);
    let returned = match call.end {
        "ok" => match results() {
            Some(fields) if !fields.is_empty() => {
                let fields: Vec<_> = fields.iter().map(ToString::to_string).collect();
                format!("returned {}", fields.join(", "))
            }
            _ => format!("returned {}", bytes(&call.output, call.output_bytes)),
        },
        "revert" => {
            let custom = recording.decode_error(call.code, &call.output);
            format!("reverted: {}", reason(&call.output, custom.as_ref()))
        }
        "panic" => format!("panicked: {}", call.cause),
        _ => "it did not end".to_owned(),
    };
    lines.push(Line {
        step: call.left_at,
        ..part(returned)
    });
}

/// The arguments of a call, where it is known what they mean.
fn arguments(recording: &Recording, call: &Call) -> Option<Decoded> {
    if call.is_constructor {
        return recording.decode_construction(call.code, &call.input);
    }
    call.selector?;
    recording.decode_call(call.code, &call.input)
}

/// What was called, how, and how it went.
fn text(recording: &Recording, call: &Call) -> String {
    let name = |address| recording.address_text(address);
    let callee = match call.kind {
        "near" => return format!("near call in {}{}", name(call.code), end(call)),
        "delegate" => format!("{} on {}", name(call.code), name(call.this)),
        _ => name(call.this),
    };
    let function = match (arguments(recording, call), call.selector) {
        (Some(decoded), _) => format!(".{}", clipped(decoded.to_string())),
        (None, None) => String::new(),
        (None, Some(selector)) if call.function.is_empty() => format!(".0x{}", hex::encode(selector)),
        (None, Some(_)) => format!(".{}", call.function.rsplit('.').next().unwrap_or(&call.function)),
    };
    let marks = [
        (call.kind == "mimic", "mimic"),
        (call.is_static, "static"),
        (call.is_system, "system"),
        (call.is_constructor, "constructor"),
    ];
    let mut marks: Vec<_> = marks
        .iter()
        .filter(|mark| mark.0)
        .map(|mark| mark.1.to_owned())
        .collect();
    if call.value > 0 {
        marks.push(format!("value {}", grouped(call.value)));
    }
    let marks = if marks.is_empty() {
        String::new()
    } else {
        format!(" ({})", marks.join(", "))
    };
    format!("{callee}{function}{marks}{}", end(call))
}

/// Arguments as far as a line has room.
fn clipped(text: String) -> String {
    match text.char_indices().nth(ARGUMENT_COLUMNS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn end(call: &Call) -> String {
    match call.end {
        "revert" => ", REVERTED".to_owned(),
        "panic" => format!(", PANICKED: {}", call.cause),
        _ => String::new(),
    }
}

/// Bytes in hex, as far as a line has room; `length` of them, of which the first may be there alone.
pub(super) fn bytes(bytes: &[u8], length: u32) -> String {
    match length {
        0 => "nothing".to_owned(),
        _ if length as usize <= SHOWN_BYTES => format!("0x{}", hex::encode(bytes)),
        _ => format!(
            "0x{}… ({} bytes)",
            hex::encode(&bytes[..SHOWN_BYTES]),
            grouped(length)
        ),
    }
}

fn columns(ergs: &str, used: &str) -> String {
    format!("{ergs:>13} {used:>11}")
}
