//! Numbers and words as people read and type them.

pub(crate) use eradbg_tracer::numbers::grouped;
use eradbg_tracer::numbers::parse_count;
use eradbg_tracer::symbols;
use eradbg_vm::value::{address_of, word_of};
use eradbg_vm::{FatPointer, U256, Value};

use crate::theme::POINTER;

/// Columns that a number in hex takes among other text.
pub(crate) const HEX_COLUMNS: usize = 14;

/// The bases that words are shown in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Base {
    /// Hexadecimal with `0x`.
    #[default]
    Hex,
    /// Decimal with separators.
    Decimal,
}

/// A signed number with its sign always shown, `±0` for none.
pub(crate) fn signed(number: i64) -> String {
    let sign = match number {
        0 => "±",
        1.. => "+",
        _ => "−",
    };
    format!("{sign}{}", grouped(number.unsigned_abs()))
}

/// `1 event`, `2 events`.
pub(crate) fn plural(count: usize, noun: &str) -> String {
    format!("{} {noun}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// A word in a base, cut in the middle to at most `width` columns.
pub(crate) fn word(word: U256, base: Base, width: usize) -> String {
    match base {
        Base::Hex => middle(&format!("{word:#x}"), width),
        Base::Decimal => {
            let grouped = grouped(word);
            if grouped.len() <= width {
                grouped
            } else {
                middle(&word.to_string(), width)
            }
        }
    }
}

/// A fat pointer: page, then the window that is left to read, then where it came from when that differs.
pub(crate) fn pointer(pointer: FatPointer) -> String {
    let FatPointer {
        offset,
        page,
        start,
        length,
    } = pointer;
    let end = start.wrapping_add(length);
    let at = if offset == 0 {
        String::new()
    } else {
        format!(" +{offset:#x}")
    };
    format!("page {page} [{start:#x}..{end:#x}){at} len {length:#x}")
}

/// A tagged value, at most `width` columns wide.
pub(crate) fn value(value: Value, base: Base, width: usize) -> String {
    if value.is_pointer {
        clip(
            &format!("{POINTER} {}", pointer(FatPointer::from_word(value.word))),
            width,
        )
    } else {
        word(value.word, base, width)
    }
}

/// What a word seems to be besides a number: a known address, the first topic of a known event, or a known selector in
/// the highest bytes.
pub(crate) fn hint(word: U256) -> Option<&'static str> {
    let address = address_of(word);
    if word_of(address) == word && word > U256::from(0xff) {
        return symbols::address_name(address);
    }
    let selector = ((word.0[3] >> 32) as u32).to_be_bytes();
    if word.0[3] >> 32 == 0 {
        return None;
    }
    let topic = eradbg_vm::H256(eradbg_vm::value::word_to_bytes(word));
    symbols::topic_name(topic).or_else(|| symbols::selector_name(selector))
}

/// Text of at most `width` columns, its end replaced by `…` when it is longer.
pub(crate) fn clip(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    if width == 0 { kept } else { kept + "…" }
}

/// Text of at most `width` columns, its middle replaced by `…` when it is longer.
pub(crate) fn middle(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width || width == 0 {
        return if width == 0 {
            String::new()
        } else {
            text.to_owned()
        };
    }
    let kept = width - 1;
    let head = kept.div_ceil(2).max((kept * 2).div_ceil(3));
    let start: String = text.chars().take(head).collect();
    let end: String = text.chars().skip(length - (kept - head)).collect();
    format!("{start}…{end}")
}

/// Text in which long numbers in hex keep their first and last digits only.
pub(crate) fn shortened(text: &str) -> String {
    let mut short = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("0x") {
        let digits = rest[start + 2..].find(|c: char| !c.is_ascii_hexdigit());
        let end = digits.map_or(rest.len(), |length| start + 2 + length);
        short.push_str(&rest[..start]);
        short.push_str(&middle(&rest[start..end], HEX_COLUMNS));
        rest = &rest[end..];
    }
    short + rest
}

/// Reads a count: decimal with optional `_`, `,` and a factor `k` or `M`, or hex with `0x`.
///
/// # Errors
/// A sentence that names the text when it is no such number.
pub(crate) fn parse_number(text: &str) -> Result<u64, String> {
    parse_count(text).ok_or_else(|| format!("`{text}` is no number (try 1200, 120k, 1.5M or 0x1f3)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_signed() {
        assert_eq!(
            [0, 999, 1000, 1_234_567].map(grouped),
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!([-5511, 0, 80].map(signed), ["−5,511", "±0", "+80"]);
    }

    #[test]
    fn typed_numbers_may_have_separators_and_factors() {
        assert_eq!(parse_number("1_200"), Ok(1200));
        assert_eq!(parse_number("120k"), Ok(120_000));
        assert_eq!(parse_number("1.25M"), Ok(1_250_000));
        assert_eq!(parse_number("0x1f3"), Ok(0x1f3));
        for wrong in ["", "k", "-1", "1.5", "12x", "0x", "99999999999999999999", "1.M"] {
            assert!(parse_number(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn cut_texts_have_exactly_the_width() {
        let hex = format!("{:#x}", U256::MAX);
        for width in 1..70 {
            assert_eq!(middle(&hex, width).chars().count(), width.min(hex.len()));
            assert_eq!(clip(&hex, width).chars().count(), width.min(hex.len()));
        }
        assert_eq!(middle("0x1234567890", 6), "0x12…0");
        let long = "balances[0x36615cf349d7f6344891b1e7ca7c72883f5dc049] = 0x12, 0x";
        assert_eq!(shortened(long), "balances[0x36615cf…c049] = 0x12, 0x");
    }

    #[test]
    fn pointers_name_page_window_and_offset() {
        let text = pointer(FatPointer {
            offset: 4,
            page: 38,
            start: 0x20,
            length: 0x44,
        });
        assert_eq!(text, "page 38 [0x20..0x64) +0x4 len 0x44");
    }

    #[test]
    fn words_that_are_known_addresses_or_selectors_say_so() {
        assert_eq!(hint(0x800b.into()), Some("SystemContext"));
        assert_eq!(hint(2.into()), None);
        assert_eq!(
            hint(U256::from(0xdf9c_1589_u32) << 224),
            Some("account.executeTransaction")
        );
    }
}
