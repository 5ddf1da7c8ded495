//! The short tour: a line in the footer for each thing to try, until it is tried.

use eradbg_tracer::timeline::{Direction, Jump};

use crate::action::{Action, Motion};
use crate::keymap;
use crate::layout::Pane;

/// Where the tour is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Tour {
    /// There is none, or it is over.
    #[default]
    Off,
    /// At this stop.
    At(usize),
}

struct Stop {
    /// What is to be tried.
    action: Action,
    /// What that does.
    text: &'static str,
}

const STOPS: &[Stop] = &[
    stop(
        Action::Move(Motion::To(Jump::Transaction, Direction::Forward), 1),
        "goes to the next transaction",
    ),
    stop(
        Action::Move(Motion::Step(Direction::Forward), 1),
        "executes one opcode",
    ),
    stop(
        Action::Move(Motion::Step(Direction::Backward), 1),
        "takes it back",
    ),
    stop(
        Action::Move(Motion::Over(Direction::Forward), 1),
        "executes a call as a whole",
    ),
    stop(
        Action::Move(Motion::To(Jump::Failure, Direction::Forward), 1),
        "jumps to the next failure",
    ),
    stop(Action::ToggleSource, "shows source or disassembly"),
    stop(
        Action::Focus(Pane::State),
        "shows storage, events, refunds, pubdata",
    ),
    stop(
        Action::Move(Motion::To(Jump::Rollback, Direction::Forward), 1),
        "jumps to what was rolled back",
    ),
    stop(Action::Help, "lists all keys"),
];

impl Tour {
    /// The tour from its start.
    pub(crate) const START: Self = Self::At(0);

    /// The tour after a request: the next stop when that was what was to be tried.
    #[must_use]
    pub(crate) fn after(self, request: &Action) -> Self {
        let Self::At(index) = self else { return Self::Off };
        if *request == Action::Escape {
            Self::Off
        } else if !is_tried(&STOPS[index].action, request) {
            self
        } else if index + 1 < STOPS.len() {
            Self::At(index + 1)
        } else {
            Self::Off
        }
    }

    /// What the footer says: where on the tour, which key, what it does.
    pub(crate) fn line(self) -> Option<(String, &'static str, &'static str)> {
        let Self::At(index) = self else { return None };
        let stop = &STOPS[index];
        let place = format!("tour {}/{}", index + 1, STOPS.len());
        Some((place, keymap::key_of(&stop.action)?, stop.text))
    }
}

const fn stop(action: Action, text: &'static str) -> Stop {
    Stop { action, text }
}

/// Whether a request is the one to be tried, however often it is asked for at once.
fn is_tried(wanted: &Action, request: &Action) -> bool {
    match (wanted, request) {
        (Action::Move(wanted, _), Action::Move(motion, _)) => wanted == motion,
        _ => wanted == request,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stop_has_a_key_and_leads_to_the_next_one() {
        let mut tour = Tour::START;
        for stop in STOPS {
            let (place, key, _) = tour.line().unwrap();
            assert!(!key.is_empty(), "{place}");
            assert_eq!(tour.after(&Action::FocusNext), tour, "{place}");
            tour = tour.after(&stop.action.clone().times(Some(3)));
        }
        assert_eq!(tour, Tour::Off);
        assert_eq!(tour.line(), None);
    }

    #[test]
    fn escape_ends_the_tour() {
        assert_eq!(Tour::START.after(&Action::Escape), Tour::Off);
    }
}
