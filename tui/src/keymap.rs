//! The keys: one table that feeds input, footer, help and README.

use std::fmt::Write as _;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use eradbg_tracer::timeline::{Direction, Jump};

use crate::action::{Action, Motion};
use crate::layout::Pane;
use crate::model::Mode;

use Direction::{Backward, Forward};

/// The modes that have keys of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Moving through time.
    Normal,
    /// Typing a command.
    Prompt,
    /// Reading the help.
    Help,
    /// The list of breakpoints.
    Breakpoints,
}

/// A row of the table.
#[derive(Debug)]
pub(crate) struct Binding {
    /// Where it holds.
    pub scope: Scope,
    /// Key sequences, any of which will do: names joined by `-` to modifiers, or characters typed one after another.
    pub keys: &'static [&'static str],
    /// What they ask for.
    pub action: Action,
    /// What that is, in words.
    pub help: &'static str,
    /// The word for the footer, if it stands there.
    pub hint: Option<&'static str>,
}

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

/// The table, in the order of the help.
pub(crate) static BINDINGS: &[Binding] = &[
    key(
        &["j", "Down", "s"],
        to(Motion::Step(Forward)),
        "one opcode forward",
    ),
    key(&["k", "Up", "S"], to(Motion::Step(Backward)), "one opcode back"),
    hint(
        &["o"],
        to(Motion::Over(Forward)),
        "step over a near or far call",
        "over",
    ),
    key(
        &["O"],
        to(Motion::Over(Backward)),
        "step back over a near or far call",
    ),
    hint(
        &["f"],
        to(Motion::Out(Forward)),
        "run to the exit of the frame",
        "out",
    ),
    key(
        &["F"],
        to(Motion::Out(Backward)),
        "back to the entry of the frame",
    ),
    hint(&["c"], Action::Run(Forward), "run to the next breakpoint", "run"),
    key(
        &["C"],
        Action::Run(Backward),
        "run back to the previous breakpoint",
    ),
    key(
        &[">"],
        to(Motion::To(Jump::Call, Forward)),
        "next entry or exit of a far call",
    ),
    key(
        &["<"],
        to(Motion::To(Jump::Call, Backward)),
        "previous entry or exit of a far call",
    ),
    key(
        &[")"],
        to(Motion::To(Jump::NearCall, Forward)),
        "next entry or exit of a near call",
    ),
    key(
        &["("],
        to(Motion::To(Jump::NearCall, Backward)),
        "previous entry or exit of a near call",
    ),
    hint(
        &["]"],
        to(Motion::To(Jump::Transaction, Forward)),
        "next transaction",
        "tx",
    ),
    key(
        &["["],
        to(Motion::To(Jump::Transaction, Backward)),
        "previous transaction",
    ),
    key(&["}"], to(Motion::To(Jump::L2Block, Forward)), "next L2 block"),
    key(
        &["{"],
        to(Motion::To(Jump::L2Block, Backward)),
        "previous L2 block",
    ),
    hint(
        &["h"],
        to(Motion::To(Jump::Hook, Forward)),
        "next bootloader hook",
        "hook",
    ),
    key(
        &["H"],
        to(Motion::To(Jump::Hook, Backward)),
        "previous bootloader hook",
    ),
    hint(
        &["e"],
        to(Motion::To(Jump::Failure, Forward)),
        "next failure: revert, panic, halt",
        "failure",
    ),
    key(
        &["E"],
        to(Motion::To(Jump::Failure, Backward)),
        "previous failure",
    ),
    hint(
        &["x"],
        to(Motion::To(Jump::Rollback, Forward)),
        "next rollback",
        "rollback",
    ),
    key(
        &["X"],
        to(Motion::To(Jump::Rollback, Backward)),
        "previous rollback",
    ),
    key(
        &["gg"],
        Action::Start,
        "start of the recording; with a count: that step",
    ),
    key(
        &["G"],
        Action::End(None),
        "end of the recording; with a count: that step",
    ),
    key(&["Space"], Action::Repeat(1), "repeat the last motion"),
    key(&["gs"], Action::Prompt("goto "), "go to a step"),
    key(&["gt"], Action::Prompt("tx "), "go to a transaction"),
    key(&["gh"], Action::Prompt("hook "), "go to a hook"),
    key(&["ga"], Action::Prompt("page "), "show a memory page"),
    key(
        &["gp"],
        Action::Prompt("pc "),
        "show the listing at a program counter",
    ),
    key(
        &["Ctrl-o", "Alt-Left"],
        Action::HistoryBack,
        "back to where the last jump started",
    ),
    key(&["Ctrl-i", "Alt-Right"], Action::HistoryForward, "forward again"),
    key(&["m"], Action::MarkSet, "set mark a to z here"),
    key(&["'"], Action::MarkJump, "go to mark a to z"),
    hint(
        &["b"],
        Action::BreakHere,
        "set or clear a breakpoint here",
        "break",
    ),
    key(&["B"], Action::ListBreakpoints, "list the breakpoints"),
    key(&["u"], Action::FrameUp(1), "look at the caller's frame"),
    key(&["d"], Action::FrameDown(1), "look at the callee's frame"),
    hint(&["Tab"], Action::FocusNext, "focus the next pane", "pane"),
    key(&["Shift-Tab"], Action::FocusPrevious, "focus the previous pane"),
    key(&["F1"], Action::Focus(Pane::Code), "focus the code"),
    key(&["F2"], Action::Focus(Pane::Calls), "focus the call stack"),
    key(&["F3"], Action::Focus(Pane::Memory), "focus the memory"),
    key(&["F4"], Action::Focus(Pane::State), "focus the chain's state"),
    key(
        &["F5"],
        Action::Focus(Pane::Registers),
        "focus registers and flags",
    ),
    key(&["F6"], Action::Focus(Pane::Stack), "focus the stack"),
    key(
        &["F7"],
        Action::Focus(Pane::Bootloader),
        "focus hooks and bootloader",
    ),
    key(
        &["F8"],
        Action::Focus(Pane::Changes),
        "focus what the last step changed",
    ),
    hint(
        &["z"],
        Action::Zoom,
        "give the focused pane the whole screen, or take it back",
        "zoom",
    ),
    key(&["t"], Action::ToggleBase, "show words as hex or decimal"),
    key(
        &["J", "Ctrl-Down"],
        Action::Scroll(1),
        "scroll the focused pane down",
    ),
    key(
        &["K", "Ctrl-Up"],
        Action::Scroll(-1),
        "scroll the focused pane up",
    ),
    key(
        &["PageDown"],
        Action::ScrollPage(1),
        "scroll the focused pane a page down",
    ),
    key(
        &["PageUp"],
        Action::ScrollPage(-1),
        "scroll the focused pane a page up",
    ),
    key(
        &["Home"],
        Action::ScrollReset,
        "let the focused pane follow the cursor again",
    ),
    key(
        &["Right"],
        Action::Part(1),
        "next part of the focused pane: heaps, parts of the state",
    ),
    key(&["Left"], Action::Part(-1), "previous part of the focused pane"),
    key(&[":"], Action::Prompt(""), "type a command"),
    hint(&["?"], Action::Help, "this help", "help"),
    key(&["Esc"], Action::Escape, "cancel a run, a count, a zoom"),
    hint(&["q", "Ctrl-c"], Action::Quit, "quit", "quit"),
    within(Scope::Prompt, &["Enter"], Action::Enter, "run the command", "run"),
    within(
        Scope::Prompt,
        &["Tab"],
        Action::Complete,
        "complete the command",
        "complete",
    ),
    within(
        Scope::Prompt,
        &["Esc", "Ctrl-c"],
        Action::Escape,
        "leave the prompt",
        "leave",
    ),
    within(Scope::Help, &["Down"], Action::Scroll(1), "scroll down", "down"),
    within(Scope::Help, &["Up"], Action::Scroll(-1), "scroll up", "up"),
    within(
        Scope::Help,
        &["PageDown"],
        Action::ScrollPage(1),
        "scroll a page down",
        "page",
    ),
    within(
        Scope::Help,
        &["PageUp"],
        Action::ScrollPage(-1),
        "scroll a page up",
        "page back",
    ),
    within(
        Scope::Help,
        &["Esc", "Enter", "Ctrl-c"],
        Action::Escape,
        "close the help",
        "close",
    ),
    within(
        Scope::Breakpoints,
        &["j", "Down"],
        Action::Scroll(1),
        "next breakpoint",
        "next",
    ),
    within(
        Scope::Breakpoints,
        &["k", "Up"],
        Action::Scroll(-1),
        "previous breakpoint",
        "previous",
    ),
    within(
        Scope::Breakpoints,
        &["x", "Delete"],
        Action::DeleteBreakpoint(None),
        "clear the selected breakpoint",
        "clear",
    ),
    within(
        Scope::Breakpoints,
        &["Esc", "Enter", "B", "q", "Ctrl-c"],
        Action::Escape,
        "close the list",
        "close",
    ),
];

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
    for binding in BINDINGS.iter().filter(|binding| binding.scope == scope) {
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

const fn to(motion: Motion) -> Action {
    Action::Move(motion, 1)
}

const fn key(keys: &'static [&'static str], action: Action, help: &'static str) -> Binding {
    Binding {
        scope: Scope::Normal,
        keys,
        action,
        help,
        hint: None,
    }
}

const fn hint(
    keys: &'static [&'static str],
    action: Action,
    help: &'static str,
    hint: &'static str,
) -> Binding {
    Binding {
        scope: Scope::Normal,
        keys,
        action,
        help,
        hint: Some(hint),
    }
}

const fn within(
    scope: Scope,
    keys: &'static [&'static str],
    action: Action,
    help: &'static str,
    hint: &'static str,
) -> Binding {
    Binding {
        scope,
        keys,
        action,
        help,
        hint: Some(hint),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
                },
                Scope::Breakpoints => Mode::Breakpoints { selected: 0 },
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
