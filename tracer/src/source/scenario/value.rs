//! Numbers, amounts, addresses, bytes and keys as scenarios spell them. What is wrong with one is said while parsing, so
//! the parser names its place.

use eradbg_vm::protocol::ProtocolVersion;
use std::fmt;

use k256::ecdsa::SigningKey;
use primitive_types::{H160, H256, U256};
use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

/// Units by name, with the power of ten of wei that each is.
const UNITS: [(&str, usize); 4] = [("wei", 0), ("gwei", 9), ("ether", 18), ("eth", 18)];

/// A number, in wei where it is an amount: `1_000`, `"0x1f"`, `"1.5 ether"`, `"3 gwei"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number(pub(super) U256);

/// An address: `"0x"` and 40 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Address(pub(super) H160);

/// A hash: `"0x"` and 64 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hash(pub(super) H256);

/// Bytes: `"0x"` and hex digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bytes(pub(super) Vec<u8>);

/// The number of a supported protocol version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version(pub(super) ProtocolVersion);

/// A private key: `"0x"` and 64 hex digits.
#[derive(Debug, Clone)]
pub(super) struct Key(pub(super) SigningKey);

/// Reads a number with an optional unit; `None` when it is none, or does not fit into 256 bits.
pub(super) fn number(text: &str) -> Option<U256> {
    let (digits, unit) = text.split_once(' ').unwrap_or((text, "wei"));
    let (_, decimals) = *UNITS.iter().find(|(name, _)| *name == unit.trim())?;
    let scale = U256::exp10(decimals);
    if let Some(hex) = digits.strip_prefix("0x") {
        let digits = hex.replace('_', "");
        let is_hex = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let number = is_hex.then(|| U256::from_str_radix(&digits, 16).ok()).flatten()?;
        return number.checked_mul(scale);
    }
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if fraction.len() > decimals || digits.ends_with('.') {
        return None;
    }
    let places = U256::exp10(decimals - fraction.len());
    let fraction = if fraction.is_empty() {
        U256::zero()
    } else {
        decimal(fraction)?.checked_mul(places)?
    };
    decimal(whole)?.checked_mul(scale)?.checked_add(fraction)
}

/// Reads an address.
pub(super) fn address(text: &str) -> Option<H160> {
    fixed(text).map(H160)
}

/// Reads bytes.
pub(super) fn bytes(text: &str) -> Option<Vec<u8>> {
    hex::decode(text.strip_prefix("0x")?).ok()
}

fn decimal(digits: &str) -> Option<U256> {
    let digits = digits.replace('_', "");
    let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| U256::from_dec_str(&digits).ok()).flatten()
}

fn fixed<const N: usize>(text: &str) -> Option<[u8; N]> {
    bytes(text)?.try_into().ok()
}

/// Takes strings that `parse` understands, and numbers where `takes_numbers`.
struct Parsed<T> {
    expected: &'static str,
    takes_numbers: bool,
    parse: fn(&str) -> Option<T>,
}

impl<T> Visitor<'_> for Parsed<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        if self.takes_numbers {
            self.visit_str(&number.to_string())
        } else {
            Err(E::invalid_type(Unexpected::Unsigned(number), &self))
        }
    }
}

macro_rules! parsed {
    ($($name:ident, $method:ident, $expected:literal, $takes_numbers:literal, $parse:expr;)*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let visitor = Parsed {
                    expected: $expected,
                    takes_numbers: $takes_numbers,
                    parse: $parse,
                };
                deserializer.$method(visitor).map(Self)
            }
        }
    )*};
}

parsed! {
    Number, deserialize_any, "a number, like 1_000, \"0x1f\" or \"1.5 ether\"", true, number;
    Address, deserialize_str, "an address, \"0x\" and 40 hex digits", false, address;
    Hash, deserialize_str, "a hash, \"0x\" and 64 hex digits", false, hash;
    Bytes, deserialize_str, "bytes, \"0x\" and hex digits", false, bytes;
    Key, deserialize_str, "a private key, \"0x\" and 64 hex digits", false, key;
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let version = ProtocolVersion::new(u16::deserialize(deserializer)?);
        version.map(Self).map_err(D::Error::custom)
    }
}

fn hash(text: &str) -> Option<H256> {
    fixed(text).map(H256)
}

fn key(text: &str) -> Option<SigningKey> {
    SigningKey::from_slice(&fixed::<32>(text)?).ok()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::source::file;

    #[test]
    fn numbers_have_units_fractions_and_two_bases() {
        let wei = |text| number(text).map(|number| number.to_string());
        for (text, expected) in [
            ("0", "0"),
            ("1_000", "1000"),
            ("0x1f", "31"),
            ("7 wei", "7"),
            ("1.5 gwei", "1500000000"),
            ("0.000000000000000001 ether", "1"),
            ("2 eth", "2000000000000000000"),
        ] {
            assert_eq!(wei(text).as_deref(), Some(expected), "{text}");
        }
        let too_large = format!("{} ether", U256::MAX);
        for bad in [
            "", " ", "-1", "1.5", "1. ether", ".5 ether", "1 pound", "0x", "0xg", "1e3", "1 000", &too_large,
        ] {
            assert_eq!(wei(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_bad_value_is_refused_with_its_place_and_field() {
        let error = |text: &str| {
            file::parse_ron::<Vec<Address>>(Path::new("f.ron"), text.as_bytes())
                .unwrap_err()
                .to_string()
        };
        let short = error("[\n  \"0x1234\"]");
        assert!(short.starts_with("f.ron:2:"), "{short}");
        assert!(short.contains(": [0]: "), "{short}");
        assert!(short.contains("an address, \"0x\" and 40 hex digits"), "{short}");
        let key = "[\"0x0000000000000000000000000000000000000000000000000000000000000000\"]";
        assert!(file::parse_ron::<Vec<Key>>(Path::new("f"), key.as_bytes()).is_err());
        assert!(file::parse_ron::<Vec<Number>>(Path::new("f"), b"[-1]").is_err());
        assert_eq!(
            file::parse_ron::<Vec<Number>>(Path::new("f"), b"[1_000, \"1 gwei\"]").unwrap(),
            [1_000, 1_000_000_000].map(|number: u64| Number(number.into()))
        );
    }
}
