//! A memory as a hex dump: heap and aux heap of the selected frame, or any page.

use eradbg_vm::heap::Heap;
use eradbg_vm::{Execution, FatPointer, Frame, page_ids};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::model::MemorySource;
use crate::text::{self, Base, grouped};
use crate::theme::{CHANGED, POINTER};
use crate::view::{View, draw, frames};

/// Columns before the bytes: offset, sign of change, sign of a pointer's window.
const LEFT: usize = 11;

/// The memory shown: its page id, what it is, its content, and bytes paid for when it is a frame's own.
struct Shown<'a> {
    page: u32,
    name: &'static str,
    heap: Option<&'a Heap>,
    bound: Option<u32>,
}

/// Bytes of a page that a register's fat pointer covers.
struct Window {
    register: u8,
    start: u32,
    end: u32,
}

pub(super) fn note(view: &View<'_>) -> String {
    let Some(shown) = shown(view) else {
        return String::new();
    };
    let bound = match shown.bound {
        Some(u32::MAX) => ", unlimited".to_owned(),
        Some(bytes) => format!(", {} bytes paid", grouped(bytes)),
        None => String::new(),
    };
    let follows = if view.model.memory_offset.is_none() {
        ""
    } else {
        ", held"
    };
    format!("{} page {}{bound}{follows}", shown.name, shown.page)
}

pub(super) fn render(view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    let Some(shown) = shown(view) else { return };
    let Some(heap) = shown.heap else {
        let text = format!(" page {} holds no memory at this moment", shown.page);
        draw(vec![Line::styled(text, view.theme.faint())], area, buffer);
        return;
    };
    let windows = windows(view.timeline.execution(), shown.page);
    let width = area.width as usize;
    let per_row = if view.model.base == Base::Decimal {
        32
    } else {
        bytes_per_row(width)
    };
    let top = view.model.memory_top(shown.page);
    let rows = (0..u32::from(area.height)).map_while(|index| top.checked_add(index * per_row));
    let lines = rows.map(|offset| {
        let mut bytes = [0; 32];
        heap.read_bytes(offset, &mut bytes[..per_row as usize]);
        row(
            view,
            shown.page,
            &windows,
            offset,
            &bytes[..per_row as usize],
            width,
        )
    });
    draw(lines.collect(), area, buffer);
}

fn row(
    view: &View<'_>,
    page: u32,
    windows: &[Window],
    offset: u32,
    bytes: &[u8],
    width: usize,
) -> Line<'static> {
    let theme = view.theme;
    let offsets = offset..offset.saturating_add(bytes.len() as u32);
    let is_changed = offsets.clone().any(|at| view.changed.byte(page, at));
    let is_covered = windows
        .iter()
        .any(|window| window.start < offsets.end && offsets.start < window.end);
    let mut spans = vec![
        if is_changed {
            Span::styled(CHANGED, theme.changed())
        } else {
            Span::raw(" ")
        },
        Span::styled(format!("{offset:08x}"), theme.faint()),
        Span::styled(if is_covered { " ▐" } else { "  " }, theme.pointer()),
    ];
    let style = |at: u32, byte: u8| -> Style {
        if view.changed.byte(page, at) {
            theme.changed()
        } else if windows
            .iter()
            .any(|window| (window.start..window.end).contains(&at))
        {
            theme.window()
        } else if byte == 0 {
            theme.faint()
        } else {
            theme.text()
        }
    };
    if view.model.base == Base::Decimal {
        let word = eradbg_vm::U256::from_big_endian(bytes);
        spans.push(Span::styled(
            text::word(word, Base::Decimal, width.saturating_sub(LEFT)),
            style(offset, bytes[31]),
        ));
    } else {
        spans.extend(hex(bytes, |index| {
            style(offset.wrapping_add(index as u32), bytes[index])
        }));
    }
    let used: usize = spans.iter().map(Span::width).sum();
    let name = aside(view, page, windows, offset, &offsets);
    if let Some(room) = width.checked_sub(used + 2).filter(|room| *room >= 4) {
        if !name.is_empty() {
            spans.push(Span::styled(
                format!("  {}", text::clip(&name, room)),
                theme.name(),
            ));
        } else if room >= bytes.len() && view.model.base == Base::Hex {
            spans.push(Span::styled(format!("  {}", ascii(bytes)), theme.faint()));
        }
    }
    Line::from(spans)
}

/// Bytes in groups of four, pieces of one style joined.
fn hex(bytes: &[u8], style: impl Fn(usize) -> Style) -> Vec<Span<'static>> {
    let mut spans: Vec<Span<'static>> = Vec::new();
    for (index, byte) in bytes.iter().enumerate() {
        if index > 0 && index.is_multiple_of(4) {
            spans.push(Span::raw(" "));
        }
        let style = style(index);
        match spans
            .last_mut()
            .filter(|last| last.style == style && !index.is_multiple_of(4))
        {
            Some(last) => *last = Span::styled(format!("{}{byte:02x}", last.content), style),
            None => spans.push(Span::styled(format!("{byte:02x}"), style)),
        }
    }
    spans
}

/// Registers whose pointers start in a row, or the name of a place in the bootloader's heap.
fn aside(
    view: &View<'_>,
    page: u32,
    windows: &[Window],
    offset: u32,
    offsets: &std::ops::Range<u32>,
) -> String {
    let starting: Vec<String> = windows
        .iter()
        .filter(|window| offsets.contains(&window.start))
        .map(|window| format!("r{}", window.register))
        .collect();
    if !starting.is_empty() {
        return format!("{POINTER} {}", starting.join(" "));
    }
    if page == view.timeline.execution().bootloader_heap_page() && offset.is_multiple_of(32) {
        return view.slot_name(offset as usize / 32);
    }
    String::new()
}

fn ascii(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|&byte| {
            if byte.is_ascii_graphic() || byte == b' ' {
                byte as char
            } else {
                '·'
            }
        })
        .collect()
}

fn bytes_per_row(width: usize) -> u32 {
    let needed = |bytes: usize| LEFT + bytes * 2 + bytes / 4 - 1;
    [32, 16, 8]
        .into_iter()
        .find(|&bytes| needed(bytes) <= width)
        .unwrap_or(4) as u32
}

fn shown<'a>(view: &View<'a>) -> Option<Shown<'a>> {
    let execution = view.timeline.execution();
    if let MemorySource::Page(page) = view.model.memory {
        return Some(Shown {
            page,
            name: page_name(execution, page),
            heap: execution.heaps().get(page),
            bound: None,
        });
    }
    let far: &Frame = frames::from_innermost(execution, view.model.selected_frame)?.far;
    let is_aux = view.model.memory == MemorySource::AuxHeap;
    let (name, page, slot, bound) = if is_aux {
        (
            "aux heap",
            page_ids::aux_heap_page(far.base_page),
            far.aux_heap,
            far.aux_heap_bound,
        )
    } else {
        (
            "heap",
            page_ids::heap_page(far.base_page),
            far.heap,
            far.heap_bound,
        )
    };
    Some(Shown {
        page,
        name,
        heap: Some(execution.heaps().at(slot)),
        bound: Some(bound),
    })
}

/// What a page is to the frames that live.
fn page_name(execution: &Execution, page: u32) -> &'static str {
    for far in execution.frames() {
        if page == page_ids::heap_page(far.base_page) {
            return "heap";
        } else if page == page_ids::aux_heap_page(far.base_page) {
            return "aux heap";
        } else if page == far.code_page {
            return "code";
        }
    }
    if page == page_ids::STATIC_MEMORY_PAGE {
        "static memory"
    } else {
        "memory"
    }
}

fn windows(execution: &Execution, page: u32) -> Vec<Window> {
    let pointers = (1..16).filter_map(|register| {
        let value = execution.register(register);
        let pointer = FatPointer::from_word(value.word);
        (value.is_pointer && pointer.page == page && pointer.length > 0).then(|| Window {
            register,
            start: pointer.start,
            end: pointer.start.saturating_add(pointer.length),
        })
    });
    pointers.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_take_as_many_bytes_as_fit() {
        assert_eq!(
            [27, 28, 45, 46, 81, 82, 200].map(bytes_per_row),
            [4, 8, 8, 16, 16, 32, 32]
        );
    }

    #[test]
    fn bytes_are_grouped_by_four_and_neighbours_of_one_style_are_joined() {
        let text: String = hex(&[0, 1, 2, 3, 4, 5], |_| Style::new())
            .iter()
            .map(|span| span.content.clone())
            .collect();
        assert_eq!(text, "00010203 0405");
        assert_eq!(hex(&[0; 8], |_| Style::new()).len(), 3);
    }
}
