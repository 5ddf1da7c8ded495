//! Where a contract's variables stand in its storage, as solc lays them out.
//!
//! Source: <https://docs.soliditylang.org/en/latest/internals/layout_in_storage.html>.

use std::collections::{BTreeMap, HashMap};

use eradbg_vm::keccak::keccak256;
use eradbg_vm::{H160, U256, value};
use serde::{Deserialize, Deserializer};

use crate::symbols;

/// Elements of an array that are looked for, at most: no array that a batch fills is longer.
const MOST_ELEMENTS: u64 = 1 << 32;
/// Mappings and arrays in each other that are looked into.
const MOST_LEVELS: usize = 8;
/// Bytes of a slot.
const SLOT_BYTES: u64 = 32;

/// The variables of a contract.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Layout {
    #[serde(default)]
    storage: Vec<Variable>,
    #[serde(default, deserialize_with = "or_none")]
    types: HashMap<String, Type>,
}

#[derive(Debug, Clone, Deserialize)]
struct Variable {
    label: String,
    offset: u64,
    #[serde(deserialize_with = "decimal")]
    slot: U256,
    #[serde(rename = "type")]
    of_type: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Type {
    encoding: Encoding,
    label: String,
    #[serde(deserialize_with = "decimal")]
    number_of_bytes: U256,
    /// Of a mapping.
    key: Option<String>,
    /// Of a mapping.
    value: Option<String>,
    /// Of an array.
    base: Option<String>,
    /// Of a struct.
    #[serde(default)]
    members: Vec<Variable>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Encoding {
    Inplace,
    Mapping,
    DynamicArray,
    Bytes,
}

/// What was hashed to places of storage, by the hash.
pub type Preimages = BTreeMap<U256, Box<[u8]>>;

/// A variable, or a part of one, that stands in a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The variable with keys, indices and members: `balances[0x…]`.
    pub path: String,
    /// Its type, as Solidity spells it.
    pub of_type: String,
    /// Bytes of the slot below it.
    offset: u64,
    bytes: u64,
    encoding: Encoding,
}

/// A variable on the way to a slot.
struct Place<'a> {
    path: String,
    of_type: &'a Type,
    offset: u64,
}

impl Layout {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.storage.is_empty()
    }

    /// The variables that stand in a slot; none where it is not known whose it is.
    pub fn parts(&self, slot: U256, preimages: &Preimages) -> Vec<Part> {
        let part = |place: Place<'_>| {
            let is_length = place.of_type.encoding == Encoding::DynamicArray;
            Part {
                path: if is_length {
                    format!("{}.length", place.path)
                } else {
                    place.path
                },
                of_type: if is_length {
                    "uint256".to_owned()
                } else {
                    place.of_type.label.clone()
                },
                offset: place.offset.min(SLOT_BYTES - 1),
                bytes: place.of_type.number_of_bytes.low_u64().min(SLOT_BYTES),
                encoding: place.of_type.encoding,
            }
        };
        self.places(slot, preimages, 0).into_iter().map(part).collect()
    }

    /// What stands in a slot: variables of the contract, or what they lead to by hashes.
    fn places(&self, slot: U256, preimages: &Preimages, level: usize) -> Vec<Place<'_>> {
        let mut search = Search::new(self, slot);
        for variable in &self.storage {
            search.variable(variable, U256::zero(), "");
        }
        if search.found.is_empty() && level < MOST_LEVELS {
            self.search_behind_hashes(&mut search, preimages, level);
        }
        search.found
    }

    fn search_behind_hashes<'a>(&'a self, search: &mut Search<'a>, preimages: &Preimages, level: usize) {
        let last = preimages.range(..=search.slot).next_back();
        if let Some((&hash, preimage)) = last
            && let Some((key, base)) = preimage.split_last_chunk::<32>()
        {
            for place in self.places(U256::from_big_endian(base), preimages, level + 1) {
                let Place { path, of_type, .. } = place;
                if key.is_empty() {
                    search.elements(of_type, &path, hash);
                } else if of_type.encoding == Encoding::Mapping {
                    let path = format!("{path}[{}]", self.key(of_type, key));
                    search.inside(of_type.value.as_ref(), hash, path, 0);
                }
            }
        }
        if !search.found.is_empty() {
            return;
        }
        // The compiler hashes the places of arrays that it knows itself.
        for variable in &self.storage {
            if let Some(of_type) = self.types.get(&variable.of_type) {
                let hash = keccak256(&value::word_to_bytes(variable.slot));
                search.elements(of_type, &variable.label, U256::from_big_endian(&hash.0));
            }
        }
    }

    /// The key of a mapping, as people write it.
    fn key(&self, mapping: &Type, key: &[u8]) -> String {
        let of_type = mapping.key.as_ref().and_then(|name| self.types.get(name));
        match of_type {
            Some(of_type) if of_type.encoding == Encoding::Inplace && key.len() == 32 => {
                word_text(&of_type.label, U256::from_big_endian(key))
            }
            _ => match std::str::from_utf8(key) {
                Ok(text) if !text.contains('\0') => format!("{text:?}"),
                _ => format!("0x{}", hex::encode(key)),
            },
        }
    }
}

/// A search for what stands in a slot.
struct Search<'a> {
    layout: &'a Layout,
    slot: U256,
    found: Vec<Place<'a>>,
    /// Structs and arrays that it is in.
    depth: usize,
}

impl<'a> Search<'a> {
    fn new(layout: &'a Layout, slot: U256) -> Self {
        Self {
            layout,
            slot,
            found: Vec::new(),
            depth: 0,
        }
    }

    /// Looks into a variable or member of what starts at `base`.
    fn variable(&mut self, variable: &'a Variable, base: U256, path: &str) {
        let path = match path {
            "" => variable.label.clone(),
            path => format!("{path}.{}", variable.label),
        };
        let start = base.overflowing_add(variable.slot).0;
        self.inside(Some(&variable.of_type), start, path, variable.offset);
    }

    /// Looks into a value that starts at the slot `start`, `offset` bytes above its lowest one.
    fn inside(&mut self, of_type: Option<&'a String>, start: U256, path: String, offset: u64) {
        let Some(of_type) = of_type.and_then(|name| self.layout.types.get(name)) else {
            return;
        };
        let is_here = self.slot.overflowing_sub(start).0 < of_type.slots();
        if !is_here || self.depth == MOST_LEVELS {
            return;
        }
        self.depth += 1;
        if !of_type.members.is_empty() {
            for member in &of_type.members {
                self.variable(member, start, &path);
            }
        } else if let (Encoding::Inplace, Some(base)) = (of_type.encoding, &of_type.base) {
            self.element(base, &path, start);
        } else {
            self.found.push(Place {
                path,
                of_type,
                offset,
            });
        }
        self.depth -= 1;
    }

    /// Looks into the elements of an array, or the bytes, whose content starts at `start`.
    fn elements(&mut self, of_type: &'a Type, path: &str, start: U256) {
        let at = self.slot.overflowing_sub(start).0;
        if at >= MOST_ELEMENTS.into() {
            return;
        }
        match (of_type.encoding, &of_type.base) {
            (Encoding::DynamicArray, Some(base)) => self.element(base, path, start),
            (Encoding::Bytes, _) => self.found.push(Place {
                path: format!("{path}[{}..]", at * SLOT_BYTES),
                of_type,
                offset: 0,
            }),
            _ => {}
        }
    }

    /// Looks into the elements of a type, of which the first one starts at `start`.
    fn element(&mut self, base: &'a String, path: &str, start: U256) {
        let Some(element) = self.layout.types.get(base) else {
            return;
        };
        let at = self.slot.overflowing_sub(start).0;
        // Elements share slots when two or more fit into one.
        let bytes = element.number_of_bytes.max(U256::one());
        if bytes > (SLOT_BYTES / 2).into() {
            let index = at / element.slots();
            let first = start.overflowing_add(index * element.slots()).0;
            self.inside(Some(base), first, format!("{path}[{index}]"), 0);
            return;
        }
        let bytes = bytes.low_u64();
        let in_a_slot = SLOT_BYTES / bytes;
        for number in 0..in_a_slot {
            let path = format!(
                "{path}[{}]",
                at.saturating_mul(in_a_slot.into()).saturating_add(number.into())
            );
            self.inside(Some(base), self.slot, path, number * bytes);
        }
    }
}

impl Type {
    fn slots(&self) -> U256 {
        self.number_of_bytes.saturating_add((SLOT_BYTES - 1).into()) / SLOT_BYTES
    }
}

impl Part {
    /// What it is in a slot's value.
    pub fn value(&self, slot: U256) -> String {
        let is_inside = self.path.ends_with("..]");
        match self.encoding {
            Encoding::Bytes if is_inside => format!("{slot:#066x}"),
            Encoding::Bytes => short_bytes(&self.of_type, slot),
            Encoding::DynamicArray => slot.to_string(),
            Encoding::Mapping | Encoding::Inplace => {
                let word = (slot >> (self.offset * 8)) & mask(self.bytes as u32 * 8);
                word_text(&self.of_type, word)
            }
        }
    }
}

/// A value of a type of one word at most, aligned to the right unless it is an array of bytes that came as a key.
fn word_text(of_type: &str, word: U256) -> String {
    let bits = |prefix: &str| {
        of_type
            .strip_prefix(prefix)
            .and_then(|bits| bits.parse::<u32>().ok())
    };
    if of_type == "bool" {
        return if word.is_zero() { "false" } else { "true" }.to_owned();
    }
    if of_type.starts_with("address") || of_type.starts_with("contract ") {
        let address: H160 = value::address_of(word);
        return symbols::address_name(address).map_or_else(|| format!("{address:#x}"), str::to_owned);
    }
    if let Some(bits) = bits("int").filter(|&bits| (1..=256).contains(&bits)) {
        return if word.bit(bits as usize - 1) {
            format!("-{}", (!word + 1) & mask(bits))
        } else {
            word.to_string()
        };
    }
    if bits("uint").is_some() || of_type.starts_with("enum ") {
        return word.to_string();
    }
    format!("{word:#x}")
}

/// The lowest bits of a word.
fn mask(bits: u32) -> U256 {
    U256::MAX >> (256 - bits.min(256))
}

/// Bytes or text whose slot has the content itself, or the length of what stands elsewhere.
fn short_bytes(of_type: &str, slot: U256) -> String {
    if slot.bit(0) {
        return format!("{} bytes", (slot - 1) / 2);
    }
    let bytes = value::word_to_bytes(slot);
    let content = &bytes[..(usize::from(bytes[31]) / 2).min(31)];
    match std::str::from_utf8(content) {
        Ok(text) if of_type == "string" => format!("{text:?}"),
        _ => format!("0x{}", hex::encode(content)),
    }
}

fn decimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<U256, D::Error> {
    let text = String::deserialize(deserializer)?;
    U256::from_dec_str(&text).map_err(|_| serde::de::Error::custom(format!("`{text}` is no decimal number")))
}

fn or_none<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn variable(label: &str, slot: u64, offset: u64, of_type: &str) -> serde_json::Value {
        json!({"label": label, "slot": slot.to_string(), "offset": offset, "type": of_type})
    }

    fn inplace(label: &str, bytes: u64) -> serde_json::Value {
        json!({"encoding": "inplace", "label": label, "numberOfBytes": bytes.to_string()})
    }

    /// What solc 0.8 gives for
    /// ```solidity
    /// struct Point { uint128 x; int64 y; bool isSet; uint256 z; }
    /// address owner; bool paused; int16 level;
    /// string name; uint256[] prices; uint64[5] small;
    /// mapping(string => Point[]) paths; mapping(uint256 => mapping(bytes4 => bool)) flags;
    /// ```
    fn layout() -> Layout {
        let storage = json!([
            variable("owner", 0, 0, "t_address"),
            variable("paused", 0, 20, "t_bool"),
            variable("level", 0, 21, "t_int16"),
            variable("name", 1, 0, "t_string"),
            variable("prices", 2, 0, "t_prices"),
            variable("small", 3, 0, "t_small"),
            variable("paths", 5, 0, "t_paths"),
            variable("flags", 6, 0, "t_flags"),
        ]);
        let mapping = |key: &str, value: &str| json!({"encoding": "mapping", "label": "mapping", "numberOfBytes": "32", "key": key, "value": value});
        let list = |base: &str| json!({"encoding": "dynamic_array", "label": "list", "numberOfBytes": "32", "base": base});
        let point = json!({"encoding": "inplace", "label": "struct Point", "numberOfBytes": "64", "members": [
            variable("x", 0, 0, "t_uint128"), variable("y", 0, 16, "t_int64"), variable("isSet", 0, 24, "t_bool"),
            variable("z", 1, 0, "t_uint256"),
        ]});
        let types = json!({
            "t_address": inplace("address", 20), "t_bool": inplace("bool", 1), "t_int16": inplace("int16", 2),
            "t_int64": inplace("int64", 8), "t_uint64": inplace("uint64", 8), "t_uint128": inplace("uint128", 16),
            "t_uint256": inplace("uint256", 32), "t_bytes4": inplace("bytes4", 4),
            "t_string": {"encoding": "bytes", "label": "string", "numberOfBytes": "32"},
            "t_prices": list("t_uint256"), "t_points": list("t_point"), "t_point": point,
            "t_small": {"encoding": "inplace", "label": "uint64[5]", "numberOfBytes": "64", "base": "t_uint64"},
            "t_paths": mapping("t_string", "t_points"), "t_flags": mapping("t_uint256", "t_inner"),
            "t_inner": mapping("t_bytes4", "t_bool"),
        });
        serde_json::from_value(json!({"storage": storage, "types": types})).unwrap()
    }

    fn hash(preimages: &mut Preimages, key: &[u8], slot: U256) -> U256 {
        let preimage = [key, &value::word_to_bytes(slot)].concat();
        let hash = U256::from_big_endian(&keccak256(&preimage).0);
        preimages.insert(hash, preimage.into());
        hash
    }

    fn paths(slot: U256, preimages: &Preimages) -> Vec<String> {
        let parts = layout().parts(slot, preimages);
        parts.into_iter().map(|part| part.path).collect()
    }

    #[test]
    fn variables_that_share_a_slot_each_have_their_bytes_of_it() {
        let parts = layout().parts(U256::zero(), &Preimages::new());
        let word = (U256::from(0xfffe) << 168) | (U256::one() << 160) | U256::from(0x8001);
        let told: Vec<_> = parts
            .iter()
            .map(|part| (&part.path[..], part.value(word)))
            .collect();
        let expected = [("owner", "bootloader"), ("paused", "true"), ("level", "-2")];
        assert_eq!(told, expected.map(|(path, value)| (path, value.to_owned())));
        let small = paths(4.into(), &Preimages::new());
        assert_eq!(small[0], "small[4]");
        let first = layout().parts(3.into(), &Preimages::new());
        assert_eq!(
            (&first[2].path[..], &first[2].value(U256::from(9) << 128)[..]),
            ("small[2]", "9")
        );
    }

    #[test]
    fn text_stands_in_its_slot_when_it_is_short_and_behind_its_hash_else() {
        let part = &layout().parts(1.into(), &Preimages::new())[0];
        let mut short = [0; 32];
        short[..2].copy_from_slice(b"hi");
        short[31] = 4;
        assert_eq!(part.value(U256::from_big_endian(&short)), "\"hi\"");
        assert_eq!(part.value(U256::from(2 * 40 + 1)), "40 bytes");
        let content = U256::from_big_endian(&keccak256(&value::word_to_bytes(1.into())).0);
        assert_eq!(paths(content + 1, &Preimages::new()), ["name[32..]"]);
    }

    #[test]
    fn elements_members_and_keys_lead_to_a_slot() {
        let mut preimages = Preimages::new();
        let prices = U256::from_big_endian(&keccak256(&value::word_to_bytes(2.into())).0);
        assert_eq!(paths(2.into(), &preimages), ["prices.length"]);
        assert_eq!(paths(prices + 7, &preimages), ["prices[7]"]);
        // paths["a"][1]: the list's length is behind one hash, its elements of two slots behind another.
        let list = hash(&mut preimages, b"a", 5.into());
        let elements = hash(&mut preimages, b"", list);
        assert_eq!(paths(list, &preimages), ["paths[\"a\"].length"]);
        let members = ["x", "y", "isSet"].map(|member| format!("paths[\"a\"][1].{member}"));
        assert_eq!(paths(elements + 2, &preimages), members);
        assert_eq!(paths(elements + 3, &preimages), ["paths[\"a\"][1].z"]);
        let inner = hash(&mut preimages, &value::word_to_bytes(8.into()), 6.into());
        let selector = U256::from(0x1234_5678) << 224;
        let flag = hash(&mut preimages, &value::word_to_bytes(selector), inner);
        assert_eq!(paths(flag, &preimages), [format!("flags[8][{selector:#x}]")]);
        // Nobody hashed this.
        assert_eq!(paths(flag - 1, &preimages), [""; 0]);
    }

    #[test]
    fn numbers_below_zero_have_their_sign() {
        assert_eq!(word_text("int256", U256::MAX), "-1");
        assert_eq!(word_text("int8", 0x80.into()), "-128");
        assert_eq!(
            word_text("int256", U256::one() << 255),
            format!("-{}", U256::one() << 255)
        );
        assert_eq!(word_text("uint8", 0x80.into()), "128");
    }
}
