//! How things look. Colour only ever repeats what a sign or a word says too, so that a screen without it loses nothing.

use eradbg_tracer::recording::TxStatus;
use ratatui::style::{Color, Modifier, Style};

use crate::highlight::Token;

/// Sign of whatever the last step changed, in every pane.
pub(crate) const CHANGED: &str = "*";
/// Sign of a value with a pointer tag.
pub(crate) const POINTER: &str = "◆";
/// Sign of a breakpoint.
pub(crate) const BREAKPOINT: &str = "●";

/// The styles, with colour or without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Theme {
    has_colour: bool,
}

impl Theme {
    /// With colour.
    pub(crate) const fn coloured() -> Self {
        Self { has_colour: true }
    }

    /// With weight and underlines only.
    pub(crate) const fn plain() -> Self {
        Self { has_colour: false }
    }

    /// As the environment asks: a `NO_COLOR` that is not empty turns colour off (<https://no-color.org>).
    pub(crate) fn from_environment() -> Self {
        let is_off = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if is_off { Self::plain() } else { Self::coloured() }
    }

    /// Plain text.
    pub(crate) fn text(self) -> Style {
        self.with(Color::Reset)
    }

    /// What stands beside the point: labels, borders, numbers of lines.
    pub(crate) fn faint(self) -> Style {
        self.or(Color::DarkGray, Modifier::DIM)
    }

    /// Names and headings.
    pub(crate) fn strong(self) -> Style {
        self.with(Color::Reset).add_modifier(Modifier::BOLD)
    }

    /// What has the focus, and the cursor's own place.
    pub(crate) fn accent(self) -> Style {
        self.with(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    /// The place of the cursor as a filled field.
    pub(crate) fn cursor(self) -> Style {
        self.accent().add_modifier(Modifier::REVERSED)
    }

    /// What the last step changed.
    pub(crate) fn changed(self) -> Style {
        self.with(Color::Yellow).add_modifier(Modifier::BOLD)
    }

    /// A value with a pointer tag.
    pub(crate) fn pointer(self) -> Style {
        self.with(Color::Magenta)
    }

    /// Memory that a pointer in a register covers.
    pub(crate) fn window(self) -> Style {
        self.with(Color::Magenta).add_modifier(Modifier::UNDERLINED)
    }

    /// Good ends.
    pub(crate) fn success(self) -> Style {
        self.with(Color::Green)
    }

    /// Bad ends, and refusals.
    pub(crate) fn failure(self) -> Style {
        self.with(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// What will be taken back.
    pub(crate) fn undone(self) -> Style {
        self.with(Color::Yellow)
    }

    /// Names of addresses, hooks and places.
    pub(crate) fn name(self) -> Style {
        self.with(Color::Blue)
    }

    /// A transaction's status.
    pub(crate) fn status(self, status: TxStatus) -> Style {
        match status {
            TxStatus::Success => self.success(),
            TxStatus::Reverted | TxStatus::Halted => self.failure(),
            TxStatus::Unfinished => self.undone(),
        }
    }

    /// A token of a listing.
    pub(crate) fn token(self, token: Token) -> Style {
        match token {
            Token::Plain => self.text(),
            Token::Punctuation => self.faint(),
            Token::Arithmetic => self.with(Color::Cyan),
            Token::Control | Token::Directive => self.with(Color::Magenta),
            Token::Effect => self.with(Color::Yellow),
            Token::Modifier => self.or(Color::DarkGray, Modifier::ITALIC),
            Token::Register | Token::Text => self.with(Color::Green),
            Token::Number | Token::Label => self.with(Color::Blue),
            Token::Memory => self.with(Color::LightCyan),
            Token::Definition => self.with(Color::Blue).add_modifier(Modifier::BOLD),
            Token::Comment => self.faint().add_modifier(Modifier::ITALIC),
        }
    }

    fn with(self, colour: Color) -> Style {
        if self.has_colour {
            Style::new().fg(colour)
        } else {
            Style::new()
        }
    }

    fn or(self, colour: Color, modifier: Modifier) -> Style {
        if self.has_colour {
            Style::new().fg(colour)
        } else {
            Style::new().add_modifier(modifier)
        }
    }
}

/// The sign of a transaction's status.
pub(crate) const fn status_sign(status: TxStatus) -> &'static str {
    match status {
        TxStatus::Success => "✓",
        TxStatus::Reverted => "✗",
        TxStatus::Halted => "⊘",
        TxStatus::Unfinished => "…",
    }
}

/// The word for a transaction's status.
pub(crate) const fn status_word(status: TxStatus) -> &'static str {
    match status {
        TxStatus::Success => "ok",
        TxStatus::Reverted => "REVERTED",
        TxStatus::Halted => "HALTED",
        TxStatus::Unfinished => "unfinished",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colour_no_style_has_one_and_changes_still_stand_out() {
        let theme = Theme::plain();
        let styles = [
            theme.faint(),
            theme.accent(),
            theme.cursor(),
            theme.changed(),
            theme.window(),
            theme.failure(),
            theme.undone(),
            theme.token(Token::Control),
        ];
        assert!(
            styles
                .iter()
                .all(|style| style.fg.is_none() && style.bg.is_none())
        );
        assert!(theme.changed().add_modifier.contains(Modifier::BOLD));
        assert!(theme.window().add_modifier.contains(Modifier::UNDERLINED));
    }

    #[test]
    fn each_status_has_its_own_sign_and_word() {
        let all = [
            TxStatus::Success,
            TxStatus::Reverted,
            TxStatus::Halted,
            TxStatus::Unfinished,
        ];
        for (index, &one) in all.iter().enumerate() {
            for &other in &all[index + 1..] {
                assert_ne!(
                    (status_sign(one), status_word(one)),
                    (status_sign(other), status_word(other))
                );
                assert_ne!(status_sign(one), status_sign(other));
            }
        }
    }
}
