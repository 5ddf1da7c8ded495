//! The keys: one table that feeds input, footer, help and README.

mod table;

use std::fmt::Write as _;

use crate::action::Action;
use crate::model::Mode;
use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use table::Binding;
pub(crate) use table::{BINDINGS, Scope};

/// A key with its modifiers; Shift is part of a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    code: KeyCode,
    modifiers: KeyModifiers,
}

/// What was typed of an unfinished command.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Pending {
    /// Digits so far.
    pub count: Option<u64>,
    /// Keys so far.
    pub keys: Vec<Key>,
}

impl Pending {
    /// What was typed so far, as the footer shows it.
    pub(crate) fn text(&self) -> String {
        let count = self.count.map(|count| count.to_string()).unwrap_or_default();
        self.keys.iter().fold(count, |text, key| text + &key.name())
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Key {
    /// The key of an event, with Shift folded into characters and into back-tab.
    pub(crate) fn of(event: &KeyEvent) -> Self {
        match event.code {
            KeyCode::Char(_) => Self {
                code: event.code,
                modifiers: event.modifiers - KeyModifiers::SHIFT,
            },
            KeyCode::BackTab => Self {
                code: KeyCode::Tab,
                modifiers: event.modifiers | KeyModifiers::SHIFT,
            },
            code => Self {
                code,
                modifiers: event.modifiers,
            },
        }
    }

    /// Its name as the table writes it.
    pub(crate) fn name(self) -> String {
        let mut name = String::new();
        for (modifier, text) in MODIFIERS {
            name.push_str(if self.modifiers.contains(modifier) {
                text
            } else {
                ""
            });
        }
        match self.code {
            KeyCode::Char(' ') => name.push_str("Space"),
            KeyCode::Char(c) => name.push(c),
            KeyCode::F(n) => {
                let _ = write!(name, "F{n}");
            }
            code => name.push_str(
                NAMED
                    .iter()
                    .find(|(_, named)| *named == code)
                    .map_or("?", |(text, _)| text),
            ),
        }
        name
    }
}

const MODIFIERS: [(KeyModifiers, &str); 3] = [
    (KeyModifiers::CONTROL, "Ctrl-"),
    (KeyModifiers::ALT, "Alt-"),
    (KeyModifiers::SHIFT, "Shift-"),
];

const NAMED: [(&str, KeyCode); 14] = [
    ("Space", KeyCode::Char(' ')),
    ("Tab", KeyCode::Tab),
    ("Enter", KeyCode::Enter),
    ("Esc", KeyCode::Esc),
    ("Up", KeyCode::Up),
    ("Down", KeyCode::Down),
    ("Left", KeyCode::Left),
    ("Right", KeyCode::Right),
    ("PageUp", KeyCode::PageUp),
    ("PageDown", KeyCode::PageDown),
    ("Home", KeyCode::Home),
    ("End", KeyCode::End),
    ("Delete", KeyCode::Delete),
    ("Backspace", KeyCode::Backspace),
];

/// What a key event asks for in a mode, with what was typed before it. `None`: nothing, or not yet.
pub(crate) fn read(pending: &mut Pending, mode: &Mode, event: &KeyEvent) -> Option<Action> {
    if event.kind == KeyEventKind::Release {
        return None;
    }
    let key = Key::of(event);
    match mode {
        Mode::Normal => read_sequence(pending, Scope::Normal, key),
        Mode::Breakpoints { .. } => read_sequence(pending, Scope::Breakpoints, key),
        Mode::Answer(shown) if shown.is_filtering => read_text(Scope::Filter, key, event),
        Mode::Answer(_) => read_sequence(pending, Scope::Answer, key),
        Mode::Prompt(_) => read_text(Scope::Prompt, key, event),
        Mode::Help { .. } => read_text(Scope::Help, key, event),
        Mode::Mark(_) => match key {
            Key {
                code: KeyCode::Char(letter),
                modifiers: KeyModifiers::NONE,
            } => Some(Action::Letter(letter)),
            _ => Some(Action::Escape),
        },
    }
}

/// The first key of a request while moving through time.
pub(crate) fn key_of(action: &Action) -> Option<&'static str> {
    let binding = BINDINGS
        .iter()
        .find(|binding| binding.scope == Scope::Normal && binding.action == *action)?;
    binding.keys.first().copied()
}

/// Rows of a mode that the footer shows, with the key to name.
pub(crate) fn hints(scope: Scope) -> impl Iterator<Item = (&'static str, &'static str)> {
    BINDINGS
        .iter()
        .filter(move |binding| binding.scope == scope)
        .filter_map(|binding| Some((binding.keys[0], binding.hint?)))
}

fn read_sequence(pending: &mut Pending, scope: Scope, key: Key) -> Option<Action> {
    if let Key {
        code: KeyCode::Char(digit @ '0'..='9'),
        modifiers: KeyModifiers::NONE,
    } = key
        && pending.keys.is_empty()
        && (digit != '0' || pending.count.is_some())
    {
        let digit = u64::from(digit) - u64::from('0');
        pending.count = Some(
            pending
                .count
                .unwrap_or(0)
                .saturating_mul(10)
                .saturating_add(digit),
        );
        return None;
    }
    if key.code == KeyCode::Esc && *pending != Pending::default() {
        pending.clear();
        return None;
    }
    pending.keys.push(key);
    let mut is_start = false;
    let holds = |binding: &&Binding| {
        // An answer leads to the next question.
        let asks = scope == Scope::Answer && matches!(binding.action, Action::Question(..));
        binding.scope == scope || asks
    };
    for binding in BINDINGS.iter().filter(holds) {
        for keys in binding.keys {
            let keys = parse(keys);
            if keys == pending.keys {
                let action = binding.action.clone().times(pending.count);
                pending.clear();
                return Some(action);
            }
            is_start |= keys.starts_with(&pending.keys);
        }
    }
    if is_start {
        return None;
    }
    let typed = pending.text();
    pending.clear();
    Some(Action::Failed(format!(
        "{typed} means nothing here (? lists the keys)"
    )))
}

fn read_text(scope: Scope, key: Key, event: &KeyEvent) -> Option<Action> {
    let bound = BINDINGS
        .iter()
        .find(|binding| binding.scope == scope && binding.keys.iter().any(|keys| parse(keys) == [key]));
    match bound {
        Some(binding) => Some(binding.action.clone()),
        None => tui_input::backend::crossterm::to_input_request(&Event::Key(*event)).map(Action::Edit),
    }
}

/// The keys that a cell of the table stands for.
fn parse(text: &str) -> Vec<Key> {
    let mut modifiers = KeyModifiers::NONE;
    let mut rest = text;
    while let Some((modifier, name)) = MODIFIERS.iter().find(|(_, name)| rest.starts_with(name)) {
        modifiers |= *modifier;
        rest = &rest[name.len()..];
    }
    if let Some((_, code)) = NAMED.iter().find(|(name, _)| *name == rest) {
        return vec![Key {
            code: *code,
            modifiers,
        }];
    }
    if let Some(number) = rest.strip_prefix('F').and_then(|number| number.parse().ok()) {
        return vec![Key {
            code: KeyCode::F(number),
            modifiers,
        }];
    }
    rest.chars()
        .map(|c| Key {
            code: KeyCode::Char(c),
            modifiers,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use eradbg_tracer::analysis::answer::{Answer, Question, Topic};
    use eradbg_tracer::timeline::Direction::{Backward, Forward};

    use super::*;
    use crate::action::Motion;
    use crate::answer::Shown;

    fn type_keys(mode: &Mode, text: &str) -> Vec<Action> {
        let mut pending = Pending::default();
        let events = text
            .split(' ')
            .flat_map(parse)
            .map(|key| KeyEvent::new(key.code, key.modifiers));
        events
            .filter_map(|event| read(&mut pending, mode, &event))
            .collect()
    }

    fn answer() -> Shown {
        let answer = Answer {
            title: String::new(),
            heading: String::new(),
            about: 0,
            lines: Vec::new(),
        };
        Shown::new(Some(Question::new(Topic::Why, 0)), answer)
    }

    #[test]
    fn no_two_commands_share_a_key_and_none_hides_a_longer_one() {
        let all: Vec<(Scope, Vec<Key>, &str)> = BINDINGS
            .iter()
            .flat_map(|binding| {
                binding
                    .keys
                    .iter()
                    .map(|keys| (binding.scope, parse(keys), binding.help))
            })
            .collect();
        for (index, (scope, keys, help)) in all.iter().enumerate() {
            for (other_scope, other, other_help) in &all[index + 1..] {
                let clash = scope == other_scope && (keys.starts_with(other) || other.starts_with(keys));
                assert!(!clash, "{help} and {other_help}");
            }
        }
    }

    #[test]
    fn every_key_of_the_table_does_what_its_row_says() {
        for binding in BINDINGS {
            let mode = match binding.scope {
                Scope::Normal => Mode::Normal,
                Scope::Prompt => Mode::Prompt(tui_input::Input::default()),
                Scope::Help => Mode::Help {
                    filter: tui_input::Input::default(),
                    scroll: 0,
                    behind: None,
                },
                Scope::Breakpoints => Mode::Breakpoints { selected: 0 },
                Scope::Answer | Scope::Filter => {
                    let mut shown = answer();
                    shown.is_filtering = binding.scope == Scope::Filter;
                    Mode::Answer(Box::new(shown))
                }
            };
            for keys in binding.keys {
                assert_eq!(
                    type_keys(&mode, keys),
                    std::slice::from_ref(&binding.action),
                    "{keys}"
                );
            }
        }
    }

    #[test]
    fn names_of_keys_read_back() {
        for keys in BINDINGS.iter().flat_map(|binding| binding.keys) {
            let text: String = parse(keys).into_iter().map(Key::name).collect();
            assert_eq!(text, *keys);
        }
    }

    #[test]
    fn digits_before_a_key_are_its_count() {
        assert_eq!(
            type_keys(&Mode::Normal, "120j"),
            [Action::Move(Motion::Step(Forward), 120)]
        );
        assert_eq!(type_keys(&Mode::Normal, "5G"), [Action::End(Some(5))]);
        assert_eq!(type_keys(&Mode::Normal, "7gg"), [Action::Seek(7)]);
        assert_eq!(
            type_keys(&Mode::Normal, "99999999999999999999999k"),
            [Action::Move(Motion::Step(Backward), u64::MAX)]
        );
    }

    #[test]
    fn escape_drops_a_half_typed_command_and_nothing_else() {
        assert_eq!(
            type_keys(&Mode::Normal, "12 Esc j"),
            [Action::Move(Motion::Step(Forward), 1)]
        );
        assert_eq!(type_keys(&Mode::Normal, "g Esc Esc"), [Action::Escape]);
    }

    #[test]
    fn unknown_keys_are_named_and_start_afresh() {
        let expected = Action::Failed("gy means nothing here (? lists the keys)".into());
        assert_eq!(type_keys(&Mode::Normal, "gyG"), [expected, Action::End(None)]);
    }

    #[test]
    fn releases_are_ignored_and_repeats_are_not() {
        let event = |kind| KeyEvent::new_with_kind(KeyCode::Char('j'), KeyModifiers::NONE, kind);
        let read = |kind| read(&mut Pending::default(), &Mode::Normal, &event(kind));
        assert_eq!(read(KeyEventKind::Release), None);
        assert_eq!(
            read(KeyEventKind::Repeat),
            Some(Action::Move(Motion::Step(Forward), 1))
        );
    }

    #[test]
    fn shift_is_part_of_a_character_whether_the_terminal_reports_it_or_not() {
        for modifiers in [KeyModifiers::NONE, KeyModifiers::SHIFT] {
            let event = KeyEvent::new(KeyCode::Char('G'), modifiers);
            assert_eq!(
                read(&mut Pending::default(), &Mode::Normal, &event),
                Some(Action::End(None))
            );
        }
        let event = KeyEvent::new(KeyCode::BackTab, KeyModifiers::SHIFT);
        assert_eq!(
            read(&mut Pending::default(), &Mode::Normal, &event),
            Some(Action::FocusPrevious)
        );
    }

    /// The table as the README shows it.
    fn markdown() -> String {
        let mut table = String::from("| Keys | What they do |\n|---|---|\n");
        for binding in BINDINGS.iter().filter(|binding| binding.scope == Scope::Normal) {
            let keys: Vec<String> = binding.keys.iter().map(|keys| format!("`{keys}`")).collect();
            let _ = writeln!(table, "| {} | {} |", keys.join(", "), binding.help);
        }
        table
    }

    #[test]
    fn the_readme_shows_this_table() {
        let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
        // A packaged crate has no README beside it.
        let Ok(text) = std::fs::read_to_string(readme) else {
            return;
        };
        assert!(
            text.contains(&markdown()),
            "the README's keys should be:\n{}",
            markdown()
        );
    }
}
