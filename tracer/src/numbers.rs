//! Numbers as people type and read them.

use std::fmt::Display;

/// A decimal number with a comma before every three digits.
pub fn grouped(number: impl Display) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The same of a number that may be negative.
pub fn signed(number: impl Into<i128>) -> String {
    let number = number.into();
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{}", grouped(number.unsigned_abs()))
}

/// Reads a count: decimal with optional `_`, `,` and a factor `k` or `M`, or hex with `0x`.
pub fn parse_count(text: &str) -> Option<u64> {
    let plain: String = text.chars().filter(|c| !matches!(c, '_' | ',')).collect();
    if let Some(digits) = plain.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok();
    }
    let (digits, factor) = match plain.chars().last()? {
        'k' | 'K' => (&plain[..plain.len() - 1], 1_000),
        'm' | 'M' => (&plain[..plain.len() - 1], 1_000_000),
        _ => (&plain[..], 1),
    };
    match digits.split_once('.') {
        None => digits.parse::<u64>().ok()?.checked_mul(factor),
        Some((whole, part)) if factor > 1 && part.len() <= 6 && !part.is_empty() => {
            let scale = 10_u64.pow(part.len() as u32);
            let digits: u64 = format!("{whole}{part}").parse().ok()?;
            Some(digits.checked_mul(factor)? / scale)
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_factors_separators_and_bases() {
        let read = |text: &str| parse_count(text);
        assert_eq!(read("1_200"), Some(1_200));
        assert_eq!(read("1,200"), Some(1_200));
        assert_eq!(read("120k"), Some(120_000));
        assert_eq!(read("1.5M"), Some(1_500_000));
        assert_eq!(read("0x1f3"), Some(0x1f3));
        for wrong in ["", "k", "1.5", "x", "0x", "-1", "99999999999999999999", "1.k"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
