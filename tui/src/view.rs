//! Draws the model and the moment under the cursor. Nothing here changes anything.

pub(crate) mod frames;
pub(crate) mod state;

mod answer;
mod bootloader;
mod breakpoints;
mod calls;
mod changed;
mod changes;
mod code;
mod footer;
mod header;
mod help;
mod memory;
mod operands;
mod registers;
mod stack;
mod strip;
#[cfg(test)]
pub(crate) mod testing;

use eradbg_tracer::timeline::Timeline;
use eradbg_vm::H160;
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Clear, Padding, Paragraph, Widget};

use crate::highlight::Highlighter;
use crate::layout::{self, Pane, SMALLEST, Slot};
use crate::model::{Mode, Model};
use crate::theme::Theme;
use crate::view::changed::Changed;

/// Everything that drawing reads.
#[derive(Debug)]
pub(crate) struct View<'a> {
    /// What the user has set.
    pub model: &'a Model,
    /// The recording, and the moment under the cursor.
    pub timeline: &'a Timeline,
    /// How things look.
    pub theme: Theme,
    /// Tokens of listings.
    pub highlighter: &'a Highlighter,
    /// What the last step changed, by place.
    changed: Changed,
}

impl<'a> View<'a> {
    /// Name of a slot of the bootloader's heap at this moment.
    pub(crate) fn slot_name(&self, slot: usize) -> String {
        let timeline = self.timeline;
        timeline.recording().slot_name(slot, timeline.position())
    }

    /// The name of an address, or a short form of it.
    pub(crate) fn name(&self, address: H160) -> String {
        self.timeline.recording().address_text(address)
    }

    /// Prepares to draw a moment.
    pub(crate) fn new(
        model: &'a Model,
        timeline: &'a Timeline,
        theme: Theme,
        highlighter: &'a Highlighter,
    ) -> Self {
        Self {
            model,
            timeline,
            theme,
            highlighter,
            changed: Changed::new(
                timeline.last_changes(),
                timeline.execution().bootloader_heap_page(),
            ),
        }
    }

    /// Draws the whole screen.
    pub(crate) fn render(&self, frame: &mut Frame<'_>) {
        let area = frame.area();
        let buffer = frame.buffer_mut();
        let Some(screen) = layout::panes(area, &self.model.recent, self.model.zoomed) else {
            self.too_small(area, buffer);
            return;
        };
        header::render(self, screen.header, buffer);
        strip::render_batch(self, screen.batch_strip, buffer);
        strip::render_transaction(self, screen.transaction_strip, buffer);
        for slot in &screen.slots {
            self.slot(slot, buffer);
        }
        let body = screen
            .slots
            .iter()
            .map(|slot| slot.area)
            .reduce(Rect::union)
            .unwrap_or(area);
        match &self.model.mode {
            Mode::Help { filter, scroll, .. } => help::render(self, filter, *scroll, body, buffer),
            Mode::Breakpoints { selected } => breakpoints::render(self, *selected, body, buffer),
            Mode::Answer(shown) => answer::render(self, shown, body, buffer),
            Mode::Normal | Mode::Prompt(_) | Mode::Mark(_) => {}
        }
        if let Some(cursor) = footer::render(self, screen.footer, buffer) {
            frame.set_cursor_position(cursor);
        }
    }

    fn slot(&self, slot: &Slot, buffer: &mut Buffer) {
        let has_focus = slot.shown == self.model.focus();
        let mut tabs: Vec<Span<'_>> = Vec::new();
        for tab in layout::tabs(slot) {
            let style = match (tab.pane == slot.shown, has_focus) {
                (true, true) => self.theme.cursor(),
                (true, false) => self.theme.strong(),
                (false, _) => self.theme.faint(),
            };
            let width = tab.width as usize;
            tabs.push(Span::styled(format!("{:^width$}", tab.label), style));
        }
        let room = slot.area.width as usize - 2;
        let used: usize = tabs.iter().map(Span::width).sum();
        let mut block = self.block(has_focus).title(Line::from(tabs));
        let note = self.note(slot.shown);
        if !note.is_empty() && used + 6 < room {
            let note = crate::text::clip(&note, room - used - 4);
            block =
                block.title(Line::styled(format!(" {note} "), self.theme.name()).alignment(Alignment::Right));
        }
        let inner = block.inner(slot.area);
        block.render(slot.area, buffer);
        if inner.is_empty() {
            return;
        }
        match slot.shown {
            Pane::Code => code::render(self, inner, buffer),
            Pane::Calls => calls::render(self, inner, buffer),
            Pane::Memory => memory::render(self, inner, buffer),
            Pane::State => state::render(self, inner, buffer),
            Pane::Registers => registers::render(self, inner, buffer),
            Pane::Stack => stack::render(self, inner, buffer),
            Pane::Bootloader => bootloader::render(self, inner, buffer),
            Pane::Changes => changes::render(self, inner, buffer),
        }
    }

    /// What stands at the right of a pane's title.
    fn note(&self, pane: Pane) -> String {
        match pane {
            Pane::Code => code::note(self),
            Pane::Calls => calls::note(self),
            Pane::Memory => memory::note(self),
            Pane::State => state::note(self),
            Pane::Stack => stack::note(self),
            Pane::Bootloader => self.timeline.phase().name().to_owned(),
            Pane::Registers | Pane::Changes => String::new(),
        }
    }

    fn block(&self, has_focus: bool) -> Block<'static> {
        // The line's weight shows the focus where there is no colour.
        if has_focus {
            Block::bordered()
                .border_type(BorderType::Thick)
                .border_style(self.theme.accent())
        } else {
            Block::bordered()
                .border_type(BorderType::Plain)
                .border_style(self.theme.faint())
        }
    }

    /// Clears a centred area and draws a framed overlay; the area within.
    fn overlay(&self, title: &str, width: u16, height: u16, body: Rect, buffer: &mut Buffer) -> Rect {
        let area = body.centered(
            ratatui::layout::Constraint::Length(width.min(body.width)),
            ratatui::layout::Constraint::Length(height.min(body.height)),
        );
        Clear.render(area, buffer);
        let block = self
            .block(true)
            .title(Line::styled(format!(" {title} "), self.theme.cursor()));
        let block = block.padding(Padding::horizontal(1));
        let inner = block.inner(area);
        block.render(area, buffer);
        inner
    }

    fn too_small(&self, area: Rect, buffer: &mut Buffer) {
        let (width, height) = SMALLEST;
        let lines = vec![
            Line::styled("eradbg", self.theme.strong()),
            Line::from(format!("needs {width}x{height}")),
            Line::from(format!("this is {}x{}", area.width, area.height)),
        ];
        Paragraph::new(lines)
            .alignment(Alignment::Center)
            .render(area, buffer);
    }
}

/// Draws lines from the top of an area on.
fn draw(lines: Vec<Line<'_>>, area: Rect, buffer: &mut Buffer) {
    Paragraph::new(lines).render(area, buffer);
}

/// Index of the first shown of `total` rows: `follow` stands at a third of the height, moved by `scroll`.
fn first_row(total: usize, height: u16, follow: usize, scroll: i32) -> usize {
    let height = height as usize;
    let wanted = follow
        .saturating_sub(height / 3)
        .saturating_add_signed(scroll as isize);
    wanted.min(total.saturating_sub(height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_followed_row_is_shown_and_scrolling_stops_at_both_ends() {
        for total in [0, 1, 9, 10, 11, 1000] {
            for follow in 0..total {
                let first = first_row(total, 10, follow, 0);
                assert!((first..first + 10).contains(&follow));
            }
            assert_eq!(first_row(total, 10, 0, -5), 0);
            assert_eq!(first_row(total, 10, 0, 1_000_000), total.saturating_sub(10));
        }
    }
}
