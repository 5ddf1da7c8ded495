//! How zksync-era's JSON spells addresses, hashes, numbers and bytes.

use eradbg_vm::protocol::ProtocolVersion;
use std::fmt;

use primitive_types::{H160, H256, U256};
use serde::de::{Deserialize, Deserializer, Error, IntoDeserializer, Unexpected, Visitor};

/// How much of a bad value is shown.
const SHOWN_CHARACTERS: usize = 40;
const VERSION_NAME: &str = "the name of a protocol version, like \"Version29\"";

/// An address: 40 hex digits.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Address(pub(super) H160);

/// A hash or storage key: 64 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Hash(pub(super) H256);

/// A number: up to 64 hex digits, usually without leading zeros.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Quantity(pub(super) U256);

/// Bytes: an even number of hex digits.
#[derive(Debug)]
pub(super) struct Bytes(pub(super) Vec<u8>);

/// A chain id: a JSON number, or a string with a decimal or hex number.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChainId(pub(super) u64);

/// A supported protocol version by its name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Version(pub(super) ProtocolVersion);

/// The number of any protocol version, supported or not, by its name.
#[derive(Debug, Clone, Copy)]
pub(super) struct VersionNumber(pub(super) u16);

impl Hash {
    /// Returns the hash as a number, first byte most significant.
    pub(super) fn word(self) -> U256 {
        U256::from_big_endian(self.0.as_bytes())
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_str(Text("20 bytes as 40 hex digits", fixed))
            .map(|bytes| Self(H160(bytes)))
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_str(Text("32 bytes as 64 hex digits", fixed))
            .map(|bytes| Self(H256(bytes)))
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_str(Text("a number of at most 64 hex digits", quantity))
            .map(Self)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = |text: &str| hex::decode(digits(text)).ok();
        deserializer
            .deserialize_str(Text("bytes as hex digits", bytes))
            .map(Self)
    }
}

impl<'de> Deserialize<'de> for ChainId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberOrText).map(Self)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = deserializer.deserialize_str(Text(VERSION_NAME, |name: &str| Some(name.to_owned())))?;
        ProtocolVersion::parse(&name).map(Self).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for VersionNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = |name: &str| {
            name.strip_prefix("Version")
                .and_then(|digits| digits.parse().ok())
        };
        deserializer.deserialize_str(Text(VERSION_NAME, number)).map(Self)
    }
}

/// Reads a variant of an enum by its name. serde's own error for a value that is no string does not say so.
pub(super) fn name<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    let name = deserializer.deserialize_str(Text("a name", |name: &str| Some(name.to_owned())))?;
    T::deserialize(name.into_deserializer())
}

/// A visitor of strings: what is expected, and how it is parsed.
struct Text<F>(&'static str, F);

impl<T, F: Fn(&str) -> Option<T>> Visitor<'_> for Text<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.1)(text).ok_or_else(|| E::invalid_value(Unexpected::Str(&shortened(text)), &self))
    }
}

struct NumberOrText;

impl Visitor<'_> for NumberOrText {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a chain id as a number or string")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<u64, E> {
        Ok(number)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
        let number = match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => text.parse(),
        };
        number.map_err(|_| E::invalid_value(Unexpected::Str(&shortened(text)), &self))
    }
}

fn digits(text: &str) -> &str {
    text.strip_prefix("0x").unwrap_or(text)
}

fn fixed<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex::decode_to_slice(digits(text), &mut bytes).ok()?;
    Some(bytes)
}

fn quantity(text: &str) -> Option<U256> {
    let digits = digits(text).as_bytes();
    let mut padded = [b'0'; 64];
    let start = padded.len().checked_sub(digits.len())?;
    padded[start..].copy_from_slice(digits);
    let mut bytes = [0; 32];
    hex::decode_to_slice(padded, &mut bytes).ok()?;
    Some(U256::from_big_endian(&bytes))
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}... ({} characters)", &text[..end], text.chars().count()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value<'a, T: Deserialize<'a>>(json: &'a str) -> T {
        serde_json::from_str(json).unwrap()
    }

    fn error<'a, T: Deserialize<'a> + fmt::Debug>(json: &'a str) -> String {
        let text = serde_json::from_str::<T>(json).unwrap_err().to_string();
        text.split(" at line").next().unwrap().to_owned()
    }

    #[test]
    fn quantities_may_have_odd_and_no_digits() {
        for (json, number) in [
            ("\"0xabc\"", 0xabc),
            ("\"0x0\"", 0),
            ("\"0x\"", 0),
            ("\"0x0012\"", 0x12),
        ] {
            assert_eq!(value::<Quantity>(json).0, number.into());
        }
        let full = format!("\"0x{}\"", "f".repeat(64));
        assert_eq!(value::<Quantity>(&full).0, U256::MAX);
    }

    #[test]
    fn prefix_and_case_do_not_matter() {
        assert_eq!(value::<Bytes>("\"0xABcd\"").0, [0xab, 0xcd]);
        assert_eq!(value::<Bytes>("\"abcd\"").0, [0xab, 0xcd]);
        assert!(value::<Bytes>("\"0x\"").0.is_empty());
    }

    #[test]
    fn bad_hex_says_what_was_expected_and_found() {
        assert_eq!(
            error::<Address>("\"0x12\""),
            "invalid value: string \"0x12\", expected 20 bytes as 40 hex digits"
        );
        assert_eq!(
            error::<Hash>(&format!("\"0x{}\"", "0".repeat(63))),
            format!(
                "invalid value: string \"0x{}... (65 characters)\", expected 32 bytes as 64 hex digits",
                "0".repeat(38)
            )
        );
        assert_eq!(
            error::<Hash>("7"),
            "invalid type: integer `7`, expected 32 bytes as 64 hex digits"
        );
        assert_eq!(
            error::<Bytes>("\"0x123\""),
            "invalid value: string \"0x123\", expected bytes as hex digits"
        );
        for bad in ["0xg", &"1".repeat(65), "-0x1", "0x 1"] {
            assert!(
                error::<Quantity>(&format!("\"{bad}\""))
                    .ends_with("expected a number of at most 64 hex digits")
            );
        }
    }

    #[test]
    fn chain_ids_are_numbers_or_strings() {
        for json in ["271", "\"271\"", "\"0x10f\""] {
            assert_eq!(value::<ChainId>(json).0, 271);
        }
        assert_eq!(
            error::<ChainId>("-1"),
            "invalid type: integer `-1`, expected a chain id as a number or string"
        );
    }

    #[test]
    fn versions_are_names() {
        assert_eq!(value::<Version>("\"Version26\"").0.number(), 26);
        assert_eq!(value::<VersionNumber>("\"Version18\"").0, 18);
        assert_eq!(
            error::<Version>("\"Version18\""),
            "protocol version Version18 is not supported, expected Version24 to Version31"
        );
        assert_eq!(
            error::<Version>("29"),
            "invalid type: integer `29`, expected the name of a protocol version, like \"Version29\""
        );
    }
}
