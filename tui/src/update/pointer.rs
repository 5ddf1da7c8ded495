//! What the mouse does, by what lies under it.

use eradbg_tracer::timeline::Direction;
use ratatui::layout::{Position, Rect};

use crate::action::Motion;
use crate::effect::Effect;
use crate::layout::scale::Scale;
use crate::layout::{self, Pane};
use crate::model::{Mode, Model};
use crate::update::{focus, jump, scroll, travel};

/// Lines that the wheel scrolls a pane by.
pub(super) const WHEEL_LINES: i32 = 3;

/// A press of the button: goes there, shows the tab, or focuses the pane.
pub(super) fn click(model: &mut Model, at: Position) -> Effect {
    if !matches!(model.mode, Mode::Normal) {
        model.mode = Mode::Normal;
        return Effect::None;
    }
    let Some(screen) = screen(model) else {
        return Effect::None;
    };
    if screen.batch_strip.contains(at) {
        let position = Scale::of_recording(
            screen.batch_strip.width,
            model.moment.total,
            model.moment.transactions,
        )
        .position(at.x - screen.batch_strip.x);
        return jump(model, Effect::Seek(position));
    }
    if let Some((first, last)) = model.moment.transaction
        && screen.transaction_strip.contains(at)
    {
        let position = Scale::even(screen.transaction_strip.width, first, last)
            .position(at.x - screen.transaction_strip.x);
        return jump(model, Effect::Seek(position));
    }
    if let Some(slot) = screen.slots.iter().find(|slot| slot.area.contains(at)) {
        let tabs = layout::tabs(slot);
        let tab = tabs
            .iter()
            .find(|tab| at.y == slot.area.y && (tab.column..tab.column + tab.width).contains(&at.x));
        focus(model, tab.map_or(slot.shown, |tab| tab.pane));
    }
    Effect::None
}

/// A turn of the wheel: steps over the timelines and the code, scrolls elsewhere.
pub(super) fn wheel(model: &mut Model, at: Position, lines: i32) -> Effect {
    if !matches!(model.mode, Mode::Normal) {
        scroll(model, lines * WHEEL_LINES);
        return Effect::None;
    }
    let Some(screen) = screen(model) else {
        return Effect::None;
    };
    let slot = screen.slots.iter().find(|slot| slot.area.contains(at));
    let over_strip = screen.batch_strip.contains(at) || screen.transaction_strip.contains(at);
    match slot.map(|slot| slot.shown) {
        Some(pane) if pane != Pane::Code => {
            focus(model, pane);
            scroll(model, lines * WHEEL_LINES);
            Effect::None
        }
        None if !over_strip => Effect::None,
        _ => {
            let direction = if lines > 0 {
                Direction::Forward
            } else {
                Direction::Backward
            };
            travel(model, Motion::Step(direction), lines.unsigned_abs().into())
        }
    }
}

/// Where everything stands.
pub(super) fn screen(model: &Model) -> Option<layout::Screen> {
    let (width, height) = model.size;
    layout::panes(Rect::new(0, 0, width, height), &model.recent, model.zoomed)
}
