//! Calldata from a function's signature and arguments as text: the ABI encoding of Solidity contracts.

use std::fmt;

use eradbg_vm::keccak::keccak256;
use primitive_types::{H160, U256};
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor, value::SeqAccessDeserializer};

use super::text::Text;
use super::value;

/// Types inside types, at most.
const DEPTH_LIMIT: usize = 16;
/// Elements of an array type with a fixed length, at most.
const LENGTH_LIMIT: usize = 1 << 16;
const WORD_BYTES: usize = 32;

/// A function's signature, like `transfer(address,uint256)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Function<'a> {
    /// As it is written.
    pub(super) text: Text<'a>,
    /// Types of its parameters.
    pub(super) parameters: Vec<Type>,
}

/// The type of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Type {
    Address,
    Bool,
    /// Bits.
    Uint(usize),
    /// Bits.
    Int(usize),
    /// Bytes.
    FixedBytes(usize),
    Bytes,
    String,
    /// Length, where the type fixes it.
    Array(Box<Type>, Option<usize>),
    Tuple(Vec<Type>),
}

/// An argument: text, or a list for an array or tuple. Numbers and `true` and `false` may stand without quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Arg<'a> {
    Text(Text<'a>),
    List(Vec<Arg<'a>>),
}

/// What names in arguments stand for.
pub(super) trait Names {
    /// Address of an account or contract.
    fn address(&self, name: &str) -> Result<H160, String>;

    /// Hash of a contract's code.
    fn code_hash(&self, name: &str) -> Result<U256, String>;
}

/// An argument that does not fit its type; without an argument, too many or too few.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AbiError<'t, 'a> {
    /// The argument, where it is text.
    pub(super) argument: Option<&'t Text<'a>>,
    /// What is wrong.
    pub(super) problem: String,
}

type Encoded<'t, 'a> = Result<Vec<u8>, AbiError<'t, 'a>>;

impl<'a> Function<'a> {
    /// Reads a signature.
    pub(super) fn parse(text: Text<'a>) -> Result<Self, String> {
        let signature = text.as_str();
        let open = signature
            .find('(')
            .ok_or("expected a signature, like transfer(address,uint256)")?;
        let (name, list) = signature.split_at(open);
        if !name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_$".contains(&byte))
            || name.is_empty()
        {
            return Err(format!("\"{name}\" is no name of a function"));
        }
        match parse_type(list, 0)? {
            Type::Tuple(parameters) => Ok(Self { text, parameters }),
            _ => Err(format!(
                "\"{signature}\" does not end with its list of parameters"
            )),
        }
    }

    /// The first four bytes of the signature's hash.
    pub(super) fn selector(&self) -> [u8; 4] {
        let hash = keccak256(self.text.as_str().as_bytes());
        [hash[0], hash[1], hash[2], hash[3]]
    }

    /// Encodes arguments, without the selector.
    pub(super) fn encode<'t>(&self, args: &'t [Arg<'a>], names: &impl Names) -> Encoded<'t, 'a> {
        if args.len() != self.parameters.len() {
            let (expected, found) = (self.parameters.len(), args.len());
            return Err(AbiError {
                argument: None,
                problem: format!("{} takes {expected} arguments, found {found}", self.text.as_str()),
            });
        }
        encode_all(self.parameters.iter().zip(args), names)
    }
}

impl Type {
    /// Whether its encoding has no fixed length, so that an offset stands for it.
    fn is_dynamic(&self) -> bool {
        match self {
            Self::Bytes | Self::String | Self::Array(_, None) => true,
            Self::Array(element, Some(_)) => element.is_dynamic(),
            Self::Tuple(types) => types.iter().any(Self::is_dynamic),
            Self::Address | Self::Bool | Self::Uint(_) | Self::Int(_) | Self::FixedBytes(_) => false,
        }
    }

    fn encode<'t, 'a>(&self, arg: &'t Arg<'a>, names: &impl Names) -> Encoded<'t, 'a> {
        match (self, arg) {
            (Self::Array(element, length), Arg::List(args)) => {
                if length.is_some_and(|length| length != args.len()) {
                    return Err(self.mismatch(None, &format!("a list of {}", args.len())));
                }
                let elements = encode_all(args.iter().map(|arg| (&**element, arg)), names)?;
                let prefix = length.is_none().then(|| word(args.len().into()));
                Ok([prefix.unwrap_or_default(), elements].concat())
            }
            (Self::Tuple(types), Arg::List(args)) if types.len() == args.len() => {
                encode_all(types.iter().zip(args), names)
            }
            (Self::Array(..) | Self::Tuple(_), Arg::Text(text)) => {
                Err(self.mismatch(Some(text), &format!("\"{}\"", text.as_str())))
            }
            (_, Arg::List(args)) => Err(self.mismatch(None, &format!("a list of {}", args.len()))),
            (_, Arg::Text(text)) => self.encode_text(text, names),
        }
    }

    fn encode_text<'t, 'a>(&self, text: &'t Text<'a>, names: &impl Names) -> Encoded<'t, 'a> {
        let shown = text.as_str();
        let mismatch = || self.mismatch(Some(text), &format!("\"{shown}\""));
        let unknown = |problem| AbiError {
            argument: Some(text),
            problem,
        };
        match self {
            Self::Address => {
                let address = names.address(shown).map_err(unknown)?;
                Ok(word(U256::from_big_endian(address.as_bytes())))
            }
            Self::Bool => match shown {
                "true" => Ok(word(U256::one())),
                "false" => Ok(word(U256::zero())),
                _ => Err(mismatch()),
            },
            Self::Uint(bits) => {
                let number = value::number(shown).filter(|number| number.bits() <= *bits);
                number.map(word).ok_or_else(mismatch)
            }
            Self::Int(bits) => integer(shown, *bits).map(word).ok_or_else(mismatch),
            Self::FixedBytes(32) if shown.starts_with("hash(") => {
                let name = shown
                    .strip_prefix("hash(")
                    .and_then(|rest| rest.strip_suffix(')'));
                names
                    .code_hash(name.ok_or_else(mismatch)?)
                    .map(word)
                    .map_err(unknown)
            }
            Self::FixedBytes(length) => {
                let bytes = value::bytes(shown).filter(|bytes| bytes.len() == *length);
                bytes.map(padded).ok_or_else(mismatch)
            }
            Self::Bytes => value::bytes(shown)
                .map(|bytes| counted(&bytes))
                .ok_or_else(mismatch),
            Self::String => Ok(counted(shown.as_bytes())),
            Self::Array(..) | Self::Tuple(_) => Err(mismatch()),
        }
    }

    fn mismatch<'t, 'a>(&self, argument: Option<&'t Text<'a>>, found: &str) -> AbiError<'t, 'a> {
        AbiError {
            argument,
            problem: format!("expected {self}, found {found}"),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address => f.write_str("an address or the name of an account or contract"),
            Self::Bool => f.write_str("true or false"),
            Self::Uint(bits) => write!(f, "a number of at most {bits} bits"),
            Self::Int(bits) => write!(f, "a number of at most {bits} bits with its sign"),
            Self::FixedBytes(32) => f.write_str(
                "32 bytes, \"0x\" and 64 hex digits, or the hash of a contract's code, \"hash(name)\"",
            ),
            Self::FixedBytes(length) => write!(f, "{length} bytes, \"0x\" and {} hex digits", length * 2),
            Self::Bytes => f.write_str("bytes, \"0x\" and hex digits"),
            Self::String => f.write_str("a string"),
            Self::Array(_, None) => f.write_str("a list"),
            Self::Array(_, Some(length)) => write!(f, "a list of {length}"),
            Self::Tuple(types) => write!(f, "a list of {}, one for each member of the tuple", types.len()),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Function<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(Text::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Arg<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ArgVisitor;

        impl<'de> Visitor<'de> for ArgVisitor {
            type Value = Arg<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a string, number, true, false, or a list of these")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Arg<'de>, E> {
                super::text::TextVisitor.visit_borrowed_str(text).map(Arg::Text)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Arg<'de>, E> {
                Ok(Arg::Text(text.to_owned().into()))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Arg<'de>, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Arg<'de>, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_bool<E: Error>(self, set: bool) -> Result<Arg<'de>, E> {
                self.visit_str(&set.to_string())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Arg<'de>, A::Error> {
                Deserialize::deserialize(SeqAccessDeserializer::new(list)).map(Arg::List)
            }
        }

        deserializer.deserialize_any(ArgVisitor)
    }
}

/// Encodes values side by side: fixed parts and offsets first, then what the offsets point at.
fn encode_all<'t, 'a: 't, 'y>(
    values: impl Iterator<Item = (&'y Type, &'t Arg<'a>)>,
    names: &impl Names,
) -> Encoded<'t, 'a> {
    let parts = values
        .map(|(kind, arg)| Ok((kind.is_dynamic(), kind.encode(arg, names)?)))
        .collect::<Result<Vec<_>, _>>()?;
    let head_bytes: usize = parts
        .iter()
        .map(|(is_dynamic, bytes)| if *is_dynamic { WORD_BYTES } else { bytes.len() })
        .sum();
    let (mut head, mut tail) = (Vec::new(), Vec::new());
    for (is_dynamic, bytes) in parts {
        if is_dynamic {
            head.extend(word((head_bytes + tail.len()).into()));
            tail.extend(bytes);
        } else {
            head.extend(bytes);
        }
    }
    head.append(&mut tail);
    Ok(head)
}

/// Reads a type.
fn parse_type(text: &str, depth: usize) -> Result<Type, String> {
    let unknown = || format!("there is no type \"{text}\"");
    if depth > DEPTH_LIMIT {
        return Err(format!("types stand in each other more than {DEPTH_LIMIT} deep"));
    }
    if let Some(rest) = text.strip_suffix(']') {
        let (element, length) = rest.rsplit_once('[').ok_or_else(unknown)?;
        let length = match length {
            "" => None,
            digits => Some(
                digits
                    .parse()
                    .ok()
                    .filter(|length| (1..=LENGTH_LIMIT).contains(length))
                    .ok_or_else(unknown)?,
            ),
        };
        return Ok(Type::Array(Box::new(parse_type(element, depth + 1)?), length));
    }
    if let Some(list) = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        let types = split_list(list)?;
        let types = types.into_iter().map(|text| parse_type(text, depth + 1));
        return types.collect::<Result<_, _>>().map(Type::Tuple);
    }
    let size = |prefix: &str| text.strip_prefix(prefix).and_then(|digits| digits.parse().ok());
    let bits =
        |prefix| size(prefix).filter(|bits: &usize| bits.is_multiple_of(8) && (8..=256).contains(bits));
    match text {
        "address" => Ok(Type::Address),
        "bool" => Ok(Type::Bool),
        "bytes" => Ok(Type::Bytes),
        "string" => Ok(Type::String),
        // The selector is the hash of the text, in which types have their full names.
        "uint" | "int" => Err(format!("write {text}256 for {text}")),
        _ => None
            .or_else(|| bits("uint").map(Type::Uint))
            .or_else(|| bits("int").map(Type::Int))
            .or_else(|| {
                size("bytes")
                    .filter(|bytes| (1..=WORD_BYTES).contains(bytes))
                    .map(Type::FixedBytes)
            })
            .ok_or_else(unknown),
    }
}

/// Splits a list at the commas that stand in no parentheses of their own.
fn split_list(list: &str) -> Result<Vec<&str>, String> {
    if list.is_empty() {
        return Ok(Vec::new());
    }
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0_usize);
    for (index, byte) in list.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => {
                depth = depth
                    .checked_sub(1)
                    .ok_or("there is a ) without its (".to_owned())?;
            }
            b',' if depth == 0 => {
                parts.push(&list[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&list[start..]);
    Ok(parts)
}

/// Reads a number with a sign into two's complement.
fn integer(text: &str, bits: usize) -> Option<U256> {
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let magnitude = value::number(digits)?;
    let limit = U256::one() << (bits - 1);
    if is_negative {
        (magnitude <= limit).then(|| (!magnitude).overflowing_add(U256::one()).0)
    } else {
        (magnitude < limit).then_some(magnitude)
    }
}

fn word(number: U256) -> Vec<u8> {
    let mut bytes = vec![0; WORD_BYTES];
    number.to_big_endian(&mut bytes);
    bytes
}

/// Fills up the last word with zeros.
fn padded(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(bytes.len().next_multiple_of(WORD_BYTES), 0);
    bytes
}

/// Length, then content.
fn counted(bytes: &[u8]) -> Vec<u8> {
    [word(bytes.len().into()), padded(bytes.to_vec())].concat()
}

#[cfg(test)]
mod tests;
