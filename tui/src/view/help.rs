//! The help: every key and command, filtered by what is typed.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use tui_input::Input;

use crate::command::COMMANDS;
use crate::keymap::{BINDINGS, Scope};
use crate::view::{View, draw};

/// Signs of the screen that are not explained by a word beside them.
const SIGNS: [(&str, &str); 9] = [
    ("*", "the last step changed this"),
    (
        "◆",
        "a fat pointer: page [start..end) +offset len; ▐ and underlines show its window in memory",
    ),
    ("▶ ▹", "the next instruction; where a waiting frame goes on"),
    ("●", "a breakpoint"),
    (
        "✓ ✗ ⊘ …",
        "a transaction succeeded, reverted, halted, was not finished",
    ),
    ("╱╱╱", "steps whose effects the operator took back later"),
    (
        "╵ ✗ ▲",
        "in the timeline's second row: hooks, failures, the cursor",
    ),
    ("⟲", "a rollback restored this"),
    (
        "mouse",
        "click the timeline to go there, click a tab or pane; the wheel steps or scrolls",
    ),
];

pub(super) fn render(view: &View<'_>, filter: &Input, scroll: usize, body: Rect, buffer: &mut Buffer) {
    let rows = rows(filter.value());
    let inner = view.overlay("Help", 84, body.height, body, buffer);
    let first = scroll.min(rows.len().saturating_sub(inner.height as usize));
    let width = rows
        .iter()
        .map(|(keys, _)| keys.chars().count())
        .max()
        .unwrap_or(0);
    let lines = rows
        .into_iter()
        .skip(first)
        .take(inner.height.into())
        .map(|(keys, help)| {
            let label = Span::styled(format!("{keys:<width$}  "), view.theme.accent());
            Line::from(vec![label, Span::styled(help, view.theme.text())])
        });
    let mut lines: Vec<Line<'_>> = lines.collect();
    if lines.is_empty() {
        lines.push(Line::styled("nothing of this kind", view.theme.faint()));
    }
    draw(lines, inner, buffer);
}

/// Keys and commands with what they do, as far as a row contains the text, whatever its case.
pub(super) fn rows(filter: &str) -> Vec<(String, String)> {
    let of_scope = |scope: Scope, place: &'static str| {
        let bindings = BINDINGS.iter().filter(move |binding| binding.scope == scope);
        bindings.map(move |binding| (binding.keys.join("  "), format!("{}{place}", binding.help)))
    };
    let counts = (
        "1 to 9".to_owned(),
        "count for the next key: 12j makes twelve steps".to_owned(),
    );
    let commands = COMMANDS.iter().map(|command| {
        (
            format!(":{} {}", command.name, command.arguments),
            command.help.to_owned(),
        )
    });
    let all = of_scope(Scope::Normal, "")
        .chain([counts])
        .chain(commands)
        .chain(SIGNS.map(|(sign, meaning)| (sign.to_owned(), meaning.to_owned())))
        .chain(of_scope(Scope::Breakpoints, " (in the list of breakpoints)"))
        .chain(of_scope(Scope::Answer, " (in an answer)"))
        .chain(of_scope(Scope::Filter, " (in the filter of an answer)"))
        .chain(of_scope(Scope::Prompt, " (in the prompt)"))
        .chain(of_scope(Scope::Help, " (in this help)"));
    let filter = filter.to_lowercase();
    all.filter(|(keys, help)| format!("{keys} {help}").to_lowercase().contains(&filter))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_and_command_is_in_the_help() {
        let text: Vec<String> = rows("")
            .into_iter()
            .map(|(keys, help)| format!("{keys} {help}"))
            .collect();
        for binding in BINDINGS {
            assert!(
                text.iter()
                    .any(|row| row.contains(binding.keys[0]) && row.contains(binding.help)),
                "{}",
                binding.help
            );
        }
        for command in COMMANDS {
            assert!(
                text.iter()
                    .any(|row| row.starts_with(&format!(":{}", command.name)))
            );
        }
    }

    #[test]
    fn the_filter_keeps_rows_that_contain_it_in_any_case() {
        let found = rows("FAR CALL");
        assert!(
            found.len() >= 3
                && found
                    .iter()
                    .all(|(keys, help)| format!("{keys} {help}").contains("far call"))
        );
        assert!(rows("no such thing at all").is_empty());
    }
}
