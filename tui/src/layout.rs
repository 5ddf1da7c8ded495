//! Where everything stands on a screen of a given size.
//!
//! The body is divided into slots. A slot shows one of its panes; the others are tabs in its title. Wide screens have
//! many slots with few panes, narrow ones few slots with many, and a zoomed screen has one slot with all.

pub(crate) mod scale;

use ratatui::layout::{Constraint, Layout as Split, Rect};

/// Below this size there is only a message.
pub(crate) const SMALLEST: (u16, u16) = (40, 12);

/// A part of the screen with its own content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Pane {
    /// The listing of the selected frame.
    Code,
    /// The call stack.
    Calls,
    /// Heap, aux heap, or any page.
    Memory,
    /// The eleven parts of `VMState`.
    State,
    /// Registers and flags.
    Registers,
    /// The stack of the selected frame.
    Stack,
    /// Hooks, phase, and named places of the bootloader's heap.
    Bootloader,
    /// What the last step changed.
    Changes,
}

impl Pane {
    /// Every pane, in the order of F1 to F8.
    pub(crate) const ALL: [Self; 8] = [
        Self::Code,
        Self::Calls,
        Self::Memory,
        Self::State,
        Self::Registers,
        Self::Stack,
        Self::Bootloader,
        Self::Changes,
    ];

    /// Its name in titles and tabs.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Code => "Code",
            Self::Calls => "Calls",
            Self::Memory => "Data",
            Self::State => "State",
            Self::Registers => "Registers",
            Self::Stack => "Stack",
            Self::Bootloader => "Bootloader",
            Self::Changes => "Changes",
        }
    }

    /// Its name in tabs that have no room for more.
    pub(crate) const fn short_title(self) -> &'static str {
        match self {
            Self::Registers => "Regs",
            Self::Bootloader => "Boot",
            Self::Changes => "Diff",
            other => other.title(),
        }
    }

    /// Its place in [`Self::ALL`].
    pub(crate) fn index(self) -> usize {
        self as usize
    }
}

/// A part of the body that shows one of several panes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slot {
    /// Its place, border included.
    pub area: Rect,
    /// Panes that it can show.
    pub tabs: Vec<Pane>,
    /// The one that it shows.
    pub shown: Pane,
}

/// Places of everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Screen {
    /// Recording, transaction, step, ergs.
    pub header: Rect,
    /// Timeline of the whole recording: a row of transactions and a row of ticks.
    pub batch_strip: Rect,
    /// Timeline of the current transaction; empty where there is no room for it.
    pub transaction_strip: Rect,
    /// The panes.
    pub slots: Vec<Slot>,
    /// Prompt or status, and what keys do.
    pub footer: Rect,
}

/// Divides a screen. `recent` lists panes, the one with the focus first, so that a slot shows the pane that was
/// focused last. `None`: the screen is too small for anything but a message.
pub(crate) fn panes(area: Rect, recent: &[Pane], zoomed: bool) -> Option<Screen> {
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        return None;
    }
    let large = area.width >= 140 && area.height >= 30;
    let strip_rows = if area.height >= 20 { 2 } else { 1 };
    let rows = [
        Constraint::Length(2),
        Constraint::Length(strip_rows),
        Constraint::Length(if large { 2 } else { 0 }),
        Constraint::Min(4),
        Constraint::Length(1),
    ];
    let [header, batch_strip, transaction_strip, body, footer] = Split::vertical(rows).areas(area);
    let slots = if zoomed || area.width < 80 || area.height < 24 {
        vec![(body, Pane::ALL.to_vec())]
    } else if area.width < 140 {
        two_columns(body)
    } else {
        three_columns(body)
    };
    let slots = slots.into_iter().map(|(area, tabs)| {
        let shown = recent
            .iter()
            .copied()
            .find(|pane| tabs.contains(pane))
            .unwrap_or(tabs[0]);
        Slot { area, tabs, shown }
    });
    Some(Screen {
        header,
        batch_strip,
        transaction_strip,
        slots: slots.collect(),
        footer,
    })
}

/// A tab in a slot's title.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tab {
    /// What it shows when clicked.
    pub pane: Pane,
    /// Its text.
    pub label: &'static str,
    /// Its first column on the screen.
    pub column: u16,
    /// Its width with the blanks around the text.
    pub width: u16,
}

/// The tabs of a slot. Where the title has little room they have short names, then fewer blanks, and at last those
/// farthest from the shown one are left out.
pub(crate) fn tabs(slot: &Slot) -> Vec<Tab> {
    let room = slot.area.width.saturating_sub(2);
    let with = |label: fn(Pane) -> &'static str, blanks: u16| -> Vec<Tab> {
        let tab = |&pane: &Pane| Tab {
            pane,
            label: label(pane),
            column: 0,
            width: label(pane).len() as u16 + blanks,
        };
        slot.tabs.iter().map(tab).collect()
    };
    let needed = |tabs: &[Tab]| tabs.iter().map(|tab| tab.width).sum::<u16>();
    let ways = [
        with(Pane::title, 2),
        with(Pane::short_title, 2),
        with(Pane::short_title, 1),
    ];
    let [.., tightest] = &ways;
    let mut tabs = ways
        .iter()
        .find(|tabs| needed(tabs) <= room)
        .unwrap_or(tightest)
        .clone();
    while needed(&tabs) > room && tabs.len() > 1 {
        let shown = tabs.iter().position(|tab| tab.pane == slot.shown).unwrap_or(0);
        let farthest = if shown * 2 >= tabs.len() {
            0
        } else {
            tabs.len() - 1
        };
        tabs.remove(farthest);
    }
    let mut column = slot.area.x + 1;
    for tab in &mut tabs {
        tab.column = column;
        column += tab.width;
    }
    tabs
}

fn two_columns(body: Rect) -> Vec<(Rect, Vec<Pane>)> {
    let [code, side] = Split::horizontal([Constraint::Percentage(45), Constraint::Fill(1)]).areas(body);
    let order = [
        Pane::Registers,
        Pane::Calls,
        Pane::Memory,
        Pane::State,
        Pane::Stack,
        Pane::Bootloader,
        Pane::Changes,
    ];
    vec![(code, vec![Pane::Code]), (side, order.to_vec())]
}

fn three_columns(body: Rect) -> Vec<(Rect, Vec<Pane>)> {
    let widths = [
        Constraint::Percentage(42),
        Constraint::Percentage(27),
        Constraint::Fill(1),
    ];
    let [left, middle, right] = Split::horizontal(widths).areas(body);
    let registers = Constraint::Length(20.min(body.height * 3 / 5));
    if body.height >= 36 {
        let [code, memory] = Split::vertical([Constraint::Fill(3), Constraint::Fill(2)]).areas(left);
        let [calls, stack, bootloader] =
            Split::vertical([Constraint::Fill(4), Constraint::Fill(3), Constraint::Fill(4)]).areas(middle);
        let [registers, state, changes] =
            Split::vertical([registers, Constraint::Fill(1), Constraint::Length(9)]).areas(right);
        return vec![
            (code, vec![Pane::Code]),
            (calls, vec![Pane::Calls]),
            (memory, vec![Pane::Memory]),
            (registers, vec![Pane::Registers]),
            (stack, vec![Pane::Stack]),
            (bootloader, vec![Pane::Bootloader]),
            (state, vec![Pane::State]),
            (changes, vec![Pane::Changes]),
        ];
    }
    let [code, memory] = Split::vertical([Constraint::Fill(3), Constraint::Fill(2)]).areas(left);
    let [calls, bootloader] = Split::vertical([Constraint::Fill(1), Constraint::Fill(1)]).areas(middle);
    let [registers, state] = Split::vertical([registers, Constraint::Fill(1)]).areas(right);
    vec![
        (code, vec![Pane::Code]),
        (calls, vec![Pane::Calls, Pane::Stack]),
        (memory, vec![Pane::Memory]),
        (registers, vec![Pane::Registers]),
        (bootloader, vec![Pane::Bootloader]),
        (state, vec![Pane::Changes, Pane::State]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen(width: u16, height: u16, recent: &[Pane]) -> Screen {
        panes(Rect::new(0, 0, width, height), recent, false).unwrap()
    }

    #[test]
    fn every_pane_can_be_reached_at_every_size() {
        for (width, height) in [
            (40, 12),
            (79, 23),
            (80, 24),
            (120, 40),
            (139, 23),
            (140, 30),
            (200, 50),
        ] {
            for pane in Pane::ALL {
                let slots = screen(width, height, &[pane]).slots;
                assert_eq!(
                    slots.iter().filter(|slot| slot.shown == pane).count(),
                    1,
                    "{pane:?} {width}x{height}"
                );
            }
        }
    }

    #[test]
    fn nothing_overlaps_or_leaves_the_screen() {
        for (width, height) in [(40, 12), (80, 24), (120, 40), (141, 33), (200, 50), (400, 120)] {
            let screen = screen(width, height, &[Pane::Code]);
            let mut areas = vec![
                screen.header,
                screen.batch_strip,
                screen.transaction_strip,
                screen.footer,
            ];
            areas.extend(screen.slots.iter().map(|slot| slot.area));
            let covered: u32 = areas.iter().map(|area| area.area()).sum();
            assert_eq!(covered, u32::from(width) * u32::from(height), "{width}x{height}");
            assert!(
                areas
                    .iter()
                    .all(|area| area.right() <= width && area.bottom() <= height)
            );
        }
    }

    #[test]
    fn a_slot_shows_the_pane_that_was_focused_last() {
        let slots = screen(100, 30, &[Pane::Code, Pane::Stack, Pane::Memory]).slots;
        assert_eq!(
            slots.iter().map(|slot| slot.shown).collect::<Vec<_>>(),
            [Pane::Code, Pane::Stack]
        );
    }

    #[test]
    fn a_zoomed_pane_has_the_whole_body() {
        let screen = panes(Rect::new(0, 0, 200, 50), &[Pane::Calls], true).unwrap();
        assert_eq!(screen.slots.len(), 1);
        assert_eq!(
            (screen.slots[0].shown, screen.slots[0].area.width),
            (Pane::Calls, 200)
        );
    }

    #[test]
    fn all_tabs_fit_beside_the_code_from_eighty_columns_on() {
        for width in 80..140 {
            let slots = screen(width, 24, &[Pane::Code]).slots;
            assert_eq!(tabs(&slots[1]).len(), 7, "{width}");
        }
    }

    #[test]
    fn the_shown_tab_always_has_room() {
        for width in [14, 20, 40, 80, 200] {
            for pane in Pane::ALL {
                let slot = Slot {
                    area: Rect::new(0, 0, width, 9),
                    tabs: Pane::ALL.to_vec(),
                    shown: pane,
                };
                let tabs = tabs(&slot);
                assert!(tabs.iter().any(|tab| tab.pane == pane), "{pane:?} at {width}");
                assert!(tabs.iter().all(|tab| tab.column + tab.width < width), "{width}");
            }
        }
    }

    #[test]
    fn a_tiny_screen_has_no_panes() {
        assert_eq!(panes(Rect::new(0, 0, 39, 12), &[], false), None);
        assert_eq!(panes(Rect::new(0, 0, 40, 11), &[], false), None);
    }

    #[test]
    fn a_panes_number_is_its_place_in_the_list() {
        assert!(
            Pane::ALL
                .iter()
                .enumerate()
                .all(|(index, pane)| pane.index() == index)
        );
    }
}
