//! Words of a query, each with its column.

use crate::query::parser::ParseError;

/// A word, number or sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) text: &'a str,
    /// Column of its first character, counted from 1.
    pub(super) column: usize,
}

/// Signs, the longer ones first.
const SIGNS: [&str; 9] = ["..", "<=", ">=", "!=", "<", ">", "=", "(", ")"];

/// Cuts a text into words.
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, ParseError> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut column = 1;
    while let Some(first) = rest.chars().next() {
        let length = if first.is_whitespace() {
            first.len_utf8()
        } else {
            let length = SIGNS
                .into_iter()
                .find(|sign| rest.starts_with(sign))
                .map_or_else(|| word_length(rest), str::len);
            if length == 0 {
                return Err(ParseError::new(
                    column,
                    format!("`{first}` means nothing in a query"),
                ));
            }
            tokens.push(Token {
                text: &rest[..length],
                column,
            });
            length
        };
        column += rest[..length].chars().count();
        rest = &rest[length..];
    }
    Ok(tokens)
}

/// Bytes of the word at the start. A dot is part of it (`st.1`, `1.5M`), two are a sign.
fn word_length(text: &str) -> usize {
    let mut end = 0;
    for (at, character) in text.char_indices() {
        let is_dot = character == '.' && !text[at + 1..].starts_with('.');
        let is_sign = at == 0 && character == '-';
        if !(character.is_ascii_alphanumeric() || character == '_' || is_dot || is_sign) {
            break;
        }
        end = at + 1;
    }
    end
}
