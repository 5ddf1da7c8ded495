//! Expressions in `.cell` and `.equ`: numbers, names, words of the ABI, hashes of signatures.
//!
//! `+ - * << |` apply from left to right.

use std::collections::BTreeMap;

use eradbg_vm::bootloader::{Hook, Layout};
use eradbg_vm::keccak::keccak256;
use eradbg_vm::protocol::ProtocolVersion;
use primitive_types::U256;

/// Protocol version whose heap layout `heap(...)` speaks of.
const LAYOUT_VERSION: u16 = 29;
/// Where the parts of an ABI word stand.
const START_SHIFT: usize = 64;
const LENGTH_SHIFT: usize = 96;
const ERGS_SHIFT: usize = 192;
const MODE_SHIFT: usize = 224;
const CONSTRUCTOR_SHIFT: usize = 240;
const SYSTEM_SHIFT: usize = 248;

/// Evaluates an expression with the names defined so far.
pub(super) fn evaluate(text: &str, names: &BTreeMap<String, U256>) -> Result<U256, String> {
    let mut parser = Parser { rest: text, names };
    let value = parser.expression()?;
    match parser.peek() {
        None => Ok(value),
        Some(_) => Err(format!("cannot read \"{}\"", parser.rest.trim())),
    }
}

struct Parser<'a> {
    rest: &'a str,
    names: &'a BTreeMap<String, U256>,
}

impl<'a> Parser<'a> {
    fn expression(&mut self) -> Result<U256, String> {
        let mut value = self.term()?;
        loop {
            value = if self.take("<<") {
                let bits = self.term()?;
                value << bits.min(256.into()).as_usize()
            } else if self.take("|") {
                value | self.term()?
            } else if self.take("+") {
                value.overflowing_add(self.term()?).0
            } else if self.take("-") {
                value.overflowing_sub(self.term()?).0
            } else if self.take("*") {
                value.overflowing_mul(self.term()?).0
            } else {
                return Ok(value);
            };
        }
    }

    fn term(&mut self) -> Result<U256, String> {
        match self.peek() {
            None => Err("expected a number, a name or a function".to_owned()),
            Some('-') => {
                self.take("-");
                Ok(U256::zero().overflowing_sub(self.term()?).0)
            }
            Some('(') => {
                self.take("(");
                let value = self.expression()?;
                self.expect(")")?;
                Ok(value)
            }
            Some(digit) if digit.is_ascii_digit() => self.number(),
            Some(letter) if letter.is_alphabetic() || letter == '_' => self.name(),
            Some(_) => Err(format!("cannot read \"{}\"", self.rest.trim())),
        }
    }

    fn number(&mut self) -> Result<U256, String> {
        let word = self.word();
        number(word).ok_or_else(|| format!("{word} is no number of at most 256 bits"))
    }

    fn name(&mut self) -> Result<U256, String> {
        let name = self.word();
        if !self.take("(") {
            let known = self.names.get(name);
            return known
                .copied()
                .ok_or_else(|| format!("{name} is not defined above: .equ {name}, VALUE"));
        }
        let value = self.function(name)?;
        self.expect(")")?;
        Ok(value)
    }

    fn function(&mut self, name: &str) -> Result<U256, String> {
        match name {
            // The four bytes of a function as a number.
            "selector" => Ok(hash_of(self.string()?) >> 224),
            "keccak" => Ok(hash_of(self.string()?)),
            // At most 32 bytes, at the left.
            "text" => {
                let text = self.string()?;
                let length = text.len();
                if length > 32 {
                    return Err(format!("\"{text}\" has {length} bytes, a word has 32"));
                }
                Ok(U256::from_big_endian(text.as_bytes()) << (256 - 8 * length.max(1)))
            }
            // Byte address of a place in the bootloader's heap.
            "heap" => {
                let place = self.string()?;
                heap_slot(place)
                    .map(|slot| U256::from(slot * 32))
                    .ok_or_else(|| format!("the bootloader's heap has no place \"{place}\""))
            }
            "hook" => {
                let hook = self.string()?;
                let found = Hook::ALL.iter().find(|known| format!("{known:?}") == hook);
                found
                    .map(|&hook| U256::from(hook as u32))
                    .ok_or_else(|| format!("there is no hook \"{hook}\""))
            }
            "ret" => self.slice(),
            // All ergs: what is too much is cut to 63/64 of what is left.
            "call" => Ok(self.slice()? | ergs(u32::MAX)),
            "system_call" => Ok(self.slice()? | ergs(u32::MAX) | flag(SYSTEM_SHIFT)),
            "constructor_call" => {
                Ok(self.slice()? | ergs(u32::MAX) | flag(SYSTEM_SHIFT) | flag(CONSTRUCTOR_SHIFT))
            }
            "forward" => Ok(flag(MODE_SHIFT)),
            "forward_call" => Ok(flag(MODE_SHIFT) | ergs(u32::MAX)),
            "system_forward_call" => Ok(flag(MODE_SHIFT) | ergs(u32::MAX) | flag(SYSTEM_SHIFT)),
            _ => Err(format!("there is no function {name}")),
        }
    }

    /// `start, length` of a slice of the heap.
    fn slice(&mut self) -> Result<U256, String> {
        let start = self.expression()?;
        self.expect(",")?;
        let length = self.expression()?;
        let limit = U256::from(u32::MAX);
        if start > limit || length > limit {
            return Err("start and length of a slice have 32 bits".to_owned());
        }
        Ok(start << START_SHIFT | length << LENGTH_SHIFT)
    }

    fn string(&mut self) -> Result<&'a str, String> {
        self.expect("\"")?;
        let end = self.rest.find('"').ok_or("a text ends with \"")?;
        let text = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        Ok(text)
    }

    fn word(&mut self) -> &'a str {
        let end = self
            .rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    fn take(&mut self, token: &str) -> bool {
        self.rest = self.rest.trim_start();
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        if self.take(token) {
            Ok(())
        } else {
            Err(format!("expected {token} before \"{}\"", self.rest.trim()))
        }
    }
}

/// A decimal number, or a hexadecimal one after `0x`; `_` may separate digits.
pub(super) fn number(text: &str) -> Option<U256> {
    let text = text.replace('_', "");
    match text.strip_prefix("0x") {
        Some(digits) if !digits.is_empty() && digits.len() <= 64 => U256::from_str_radix(digits, 16).ok(),
        Some(_) => None,
        None => U256::from_dec_str(&text).ok(),
    }
}

fn hash_of(text: &str) -> U256 {
    U256::from_big_endian(keccak256(text.as_bytes()).as_bytes())
}

fn flag(shift: usize) -> U256 {
    U256::one() << shift
}

fn ergs(ergs: u32) -> U256 {
    U256::from(ergs) << ERGS_SHIFT
}

fn heap_slot(place: &str) -> Option<usize> {
    let version = ProtocolVersion::new(LAYOUT_VERSION).expect("it is a supported version");
    let layout = Layout::of(version);
    let interop = layout.interop?;
    Some(match place {
        "refunds" => layout.refunds,
        "overheads" => layout.overheads,
        "trusted gas limits" => layout.trusted_gas_limits,
        "L2 blocks" => layout.l2_blocks,
        "interop roots per block" => interop.roots_per_block,
        "interop roots" => interop.roots,
        "compressed bytecodes" => layout.compressed_bytecodes,
        "priority operations" => layout.priority_operations,
        "pubdata" => layout.pubdata,
        "descriptions" => layout.descriptions,
        "encodings" => layout.encodings,
        "hook parameters" => layout.hook_parameters,
        "hook" => layout.hook,
        "results" => layout.results,
        _ => return None,
    })
}
