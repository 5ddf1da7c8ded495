//! ABIs: functions, events and errors by their selectors, and values that are encoded by them.

use std::collections::HashMap;
use std::fmt;

use alloy_dyn_abi::{DynSolType, DynSolValue, FunctionExt, JsonAbiExt, Specifier};
use alloy_json_abi::{AbiItem, Error, Event, Function, JsonAbi, Param};
use eradbg_vm::{H160, H256};
use serde_json::Value;

use crate::symbols;

/// Bits of the numbers that are counts or amounts; longer ones are rather addresses and hashes.
const MOST_DECIMAL_BITS: usize = 128;

/// What the calldata of a function starts with, or the returndata of a custom error.
pub type Selector = [u8; 4];

/// Functions, events and errors.
#[derive(Debug, Clone, Default)]
pub struct Abi {
    functions: HashMap<Selector, Function>,
    events: HashMap<H256, Vec<Event>>,
    errors: HashMap<Selector, Error>,
    constructor: Vec<Param>,
}

/// A function, event or error with its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// Its name, without contract.
    pub name: String,
    /// Its values.
    pub fields: Vec<Field>,
}

/// A decoded value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name; empty where it has none.
    pub name: String,
    /// Its text: numbers as decimals unless they are very long, bytes as hex.
    pub value: String,
}

impl Abi {
    /// Reads the items that a compiler wrote, and tells if some of them are of no use.
    pub(super) fn read(items: Vec<Value>) -> (Self, Option<String>) {
        let mut problems = Vec::new();
        let mut known = Vec::new();
        for (at, item) in items.into_iter().enumerate() {
            let params = params(&item);
            // Functions of libraries may take a place in storage, which no calldata has a type for.
            if params.iter().any(|param| param.of_type.ends_with(" storage")) {
                continue;
            }
            let strange = params.iter().find(|param| !param.is_known());
            let strange = strange.map(|param| format!("`{}` is no type", param.of_type));
            match (strange, serde_json::from_value::<AbiItem<'static>>(item)) {
                (None, Ok(item)) => known.push(item),
                (Some(why), _) => problems.push(format!("abi[{at}]: {why}")),
                (None, Err(error)) => problems.push(format!("abi[{at}]: {error}")),
            }
        }
        let others = match problems.len().saturating_sub(1) {
            0 => String::new(),
            more => format!(", and {more} more items"),
        };
        let problem = problems.first().map(|first| format!("{first}{others}"));
        (Self::new(known.into_iter().collect()), problem)
    }

    /// Takes over what a compiler wrote.
    fn new(abi: JsonAbi) -> Self {
        let constructor = abi.constructor.map(|constructor| constructor.inputs);
        let mut taken = Self {
            constructor: constructor.unwrap_or_default(),
            ..Self::default()
        };
        for function in abi.functions.into_values().flatten() {
            taken.functions.entry(function.selector().0).or_insert(function);
        }
        for event in abi
            .events
            .into_values()
            .flatten()
            .filter(|event| !event.anonymous)
        {
            let topic = H256(event.selector().0);
            taken.events.entry(topic).or_default().push(event);
        }
        for error in abi.errors.into_values().flatten() {
            taken.errors.entry(error.selector().0).or_insert(error);
        }
        taken
    }

    /// Reads items in Solidity's words, one on each line. `structs` have a name and members each.
    pub(super) fn parse(items: &str, structs: &[(&str, &str)]) -> Self {
        let members = structs.iter().map(|(_, members)| {
            let members = members.split(", ").map(|member| member.split_once(' '));
            members
                .collect::<Option<Vec<_>>>()
                .expect("a member has a type and a name")
        });
        let members: Vec<_> = members.collect();
        // Solidity's words for a tuple have no room for the names of its members.
        let mut items = items.to_owned();
        for ((name, _), members) in structs.iter().zip(&members) {
            let types: Vec<_> = members.iter().map(|(of_type, _)| *of_type).collect();
            items = items.replace(name, &format!("({})", types.join(",")));
        }
        let abi = JsonAbi::parse(items.lines().map(str::trim));
        let mut abi = abi.expect("the built-in signatures are well formed");
        let functions = abi.functions.values_mut().flatten();
        let params = functions.flat_map(|function| function.inputs.iter_mut().chain(&mut function.outputs));
        let tuples = params.map(|param| &mut param.components);
        let inputs = abi
            .events
            .values_mut()
            .flatten()
            .flat_map(|event| &mut event.inputs);
        for components in tuples.chain(inputs.map(|input| &mut input.components)) {
            let is_alike = |members: &&Vec<(&str, &str)>| {
                let types = members.iter().map(|(of_type, _)| *of_type);
                types.eq(components.iter().map(|component| &component.ty[..]))
            };
            if let Some(members) = members.iter().find(is_alike) {
                for (component, (_, name)) in components.iter_mut().zip(members) {
                    (*name).clone_into(&mut component.name);
                }
            }
        }
        Self::new(abi)
    }

    /// Name of a function.
    pub fn function(&self, selector: Selector) -> Option<&str> {
        Some(&self.functions.get(&selector)?.name)
    }

    /// Names of all functions with their selectors.
    pub(super) fn functions(&self) -> impl Iterator<Item = (Selector, &str)> {
        self.functions
            .iter()
            .map(|(&selector, function)| (selector, &function.name[..]))
    }

    /// Names of all errors with their selectors.
    pub(super) fn errors(&self) -> impl Iterator<Item = (Selector, String)> {
        self.errors
            .iter()
            .map(|(&selector, error)| (selector, error.signature()))
    }

    /// Names of all events with their first topics.
    pub(super) fn events(&self) -> impl Iterator<Item = (H256, &str)> {
        self.events
            .iter()
            .filter_map(|(&topic, events)| Some((topic, &events.first()?.name[..])))
    }

    /// Decodes calldata; `None` where no function fits.
    pub fn call(&self, calldata: &[u8]) -> Option<Decoded> {
        let (selector, arguments) = calldata.split_first_chunk()?;
        let function = self.functions.get(selector)?;
        let values = function.abi_decode_input(arguments).ok()?;
        Some(Decoded::new(&function.name, &function.inputs, &values))
    }

    /// Decodes what a function returned.
    pub fn result(&self, selector: Selector, returndata: &[u8]) -> Option<Vec<Field>> {
        let function = self.functions.get(&selector)?;
        let values = function.abi_decode_output(returndata).ok()?;
        Some(fields(&function.outputs, &values))
    }

    /// Decodes the arguments of a constructor.
    pub fn construction(&self, calldata: &[u8]) -> Option<Decoded> {
        let values = decode(&self.constructor, calldata)?;
        Some(Decoded::new("constructor", &self.constructor, &values))
    }

    /// Decodes the returndata of a custom error.
    pub fn error(&self, returndata: &[u8]) -> Option<Decoded> {
        let (selector, arguments) = returndata.split_first_chunk()?;
        let error = self.errors.get(selector)?;
        let values = error.abi_decode_input(arguments).ok()?;
        Some(Decoded::new(&error.name, &error.inputs, &values))
    }

    /// Decodes an event. Of events with the same signature, the one that has as many topics is meant.
    pub fn event(&self, topics: &[H256], data: &[u8]) -> Option<Decoded> {
        let mut events = self.events.get(topics.first()?)?.iter();
        events.find_map(|event| event_values(event, &topics[1..], data))
    }
}

/// The values of an event in the order of its parameters. Of those that are indexed and longer than a word, only the hash
/// is there.
fn event_values(event: &Event, topics: &[H256], data: &[u8]) -> Option<Decoded> {
    let is_indexed = event.inputs.iter().filter(|input| input.indexed).count();
    if is_indexed != topics.len() {
        return None;
    }
    let others: Vec<Param> = event
        .inputs
        .iter()
        .filter(|input| !input.indexed)
        .map(|input| Param {
            ty: input.ty.clone(),
            name: input.name.clone(),
            components: input.components.clone(),
            internal_type: None,
        })
        .collect();
    let mut in_data = fields(&others, &decode(&others, data)?).into_iter();
    let mut topics = topics.iter();
    let mut values = Vec::with_capacity(event.inputs.len());
    for input in &event.inputs {
        if !input.indexed {
            values.extend(in_data.next());
            continue;
        }
        let word = topics.next()?.0;
        let of_type = input.resolve().ok().filter(is_a_word);
        let decoded = of_type.and_then(|of_type| of_type.abi_decode(&word).ok());
        values.push(Field {
            name: input.name.clone(),
            value: decoded.map_or_else(
                || format!("hash 0x{}", hex::encode(word)),
                |value| text(&value, &input.components),
            ),
        });
    }
    Some(Decoded {
        name: event.name.clone(),
        fields: values,
    })
}

/// What a parameter, or a member of one, says of its type.
struct Typed<'a> {
    of_type: &'a str,
    /// As it stands in the source.
    internal: &'a str,
    has_members: bool,
}

impl Typed<'_> {
    /// Whether it is a type that can be decoded, or that of a library's function, which solc names as the source does.
    fn is_known(&self) -> bool {
        if let Some(rest) = self.of_type.strip_prefix("tuple") {
            let is_of_brackets = rest.chars().all(|letter| matches!(letter, '[' | ']' | '0'..='9'));
            return self.has_members && is_of_brackets && (rest.is_empty() || rest.starts_with('['));
        }
        let is_named = |kind| self.internal.starts_with(kind);
        DynSolType::parse(self.of_type).is_ok() || ["contract ", "enum ", "struct "].into_iter().any(is_named)
    }
}

/// The inputs and outputs of an item, or the members of a tuple, with their members.
fn params(of: &Value) -> Vec<Typed<'_>> {
    let lists = ["inputs", "outputs", "components"]
        .into_iter()
        .filter_map(|list| of[list].as_array());
    let mut found = Vec::new();
    for param in lists.flatten() {
        found.extend(param["type"].as_str().map(|of_type| Typed {
            of_type,
            internal: param["internalType"].as_str().unwrap_or_default(),
            has_members: param["components"].is_array(),
        }));
        found.extend(params(param));
    }
    found
}

/// Whether a topic has the value itself.
fn is_a_word(of_type: &DynSolType) -> bool {
    use DynSolType::{Address, Bool, FixedBytes, Function, Int, Uint};
    matches!(
        of_type,
        Address | Bool | FixedBytes(_) | Function | Int(_) | Uint(_)
    )
}

fn decode(params: &[Param], data: &[u8]) -> Option<Vec<DynSolValue>> {
    let types: Vec<_> = params
        .iter()
        .map(Specifier::resolve)
        .collect::<Result<_, _>>()
        .ok()?;
    match DynSolType::Tuple(types).abi_decode_params(data).ok()? {
        DynSolValue::Tuple(values) => Some(values),
        _ => None,
    }
}

fn fields(params: &[Param], values: &[DynSolValue]) -> Vec<Field> {
    let field = |(param, value): (&Param, &DynSolValue)| Field {
        name: param.name.clone(),
        value: text(value, &param.components),
    };
    params.iter().zip(values).map(field).collect()
}

/// A value as people write it. `components` are those of its struct.
fn text(value: &DynSolValue, components: &[Param]) -> String {
    let list = |values: &[DynSolValue]| {
        let texts: Vec<_> = values.iter().map(|value| text(value, components)).collect();
        format!("[{}]", texts.join(", "))
    };
    match value {
        DynSolValue::Bool(value) => value.to_string(),
        DynSolValue::Int(number, _) => number.to_string(),
        DynSolValue::Uint(number, _) if number.bit_len() > MOST_DECIMAL_BITS => format!("{number:#x}"),
        DynSolValue::Uint(number, _) => number.to_string(),
        DynSolValue::FixedBytes(word, length) => format!("0x{}", hex::encode(&word[..*length])),
        DynSolValue::Address(address) => {
            let address = H160(address.into_array());
            symbols::address_name(address).map_or_else(|| format!("{address:#x}"), str::to_owned)
        }
        DynSolValue::Function(pointer) => format!("0x{}", hex::encode(pointer)),
        DynSolValue::Bytes(bytes) => format!("0x{}", hex::encode(bytes)),
        DynSolValue::String(text) => format!("{text:?}"),
        DynSolValue::Array(values) | DynSolValue::FixedArray(values) => list(values),
        DynSolValue::Tuple(values) => {
            let fields: Vec<_> = fields(components, values).iter().map(Field::to_string).collect();
            format!("({})", fields.join(", "))
        }
    }
}

impl Decoded {
    fn new(name: &str, params: &[Param], values: &[DynSolValue]) -> Self {
        Self {
            name: name.to_owned(),
            fields: fields(params, values),
        }
    }
}

/// `name(field: value, field: value)`.
impl fmt::Display for Decoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields: Vec<_> = self.fields.iter().map(Field::to_string).collect();
        write!(f, "{}({})", self.name, fields.join(", "))
    }
}

/// `name: value`, or the value alone.
impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.name.is_empty() {
            write!(f, "{}: ", self.name)?;
        }
        f.write_str(&self.value)
    }
}
