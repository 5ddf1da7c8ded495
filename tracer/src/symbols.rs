//! Names for addresses, functions, events, errors and slots, so that a raw number never has to stand alone.
//!
//! What is built in is here. [`artifacts`] adds what compilers know about contracts, and
//! [`Recording`](crate::recording::Recording) puts both together: it knows which code an address has.

pub mod abi;
mod addresses;
pub mod artifacts;
mod build_info;
pub mod layout;
mod signatures;

use std::collections::HashMap;
use std::sync::LazyLock;

use eradbg_vm::{H160, H256};

use abi::{Abi, Selector};

/// Digits of an address that stand for it, at its start and at its end.
const SHORT_DIGITS: usize = 4;

/// Returns the name of a system contract, precompile or the bootloader.
pub fn address_name(address: H160) -> Option<&'static str> {
    let number = low_number(address)?;
    let found = addresses::NAMES
        .binary_search_by_key(&number, |(number, _)| *number)
        .ok()?;
    Some(addresses::NAMES[found].1)
}

/// Returns the address of a system contract, precompile or the bootloader.
pub fn address_of_name(name: &str) -> Option<H160> {
    let (number, _) = addresses::NAMES.iter().find(|(_, other)| *other == name)?;
    Some(H160::from_low_u64_be((*number).into()))
}

/// Returns the name of an address, or its hex form: short numbers whole, others as `0x` with the first and last four
/// digits.
pub fn address_text(address: H160) -> String {
    address_name(address).map_or_else(|| format!("0x{}", short_digits(address)), str::to_owned)
}

/// The digits that stand for an address: those of a short number, else the first and last four.
pub(crate) fn short_digits(address: H160) -> String {
    if let Some(number) = low_number(address) {
        return format!("{number:x}");
    }
    let digits = format!("{address:x}");
    let (start, end) = (&digits[..SHORT_DIGITS], &digits[digits.len() - SHORT_DIGITS..]);
    format!("{start}…{end}")
}

/// Returns the function or error that a four-byte selector names, as `function` or `Contract.function`.
pub fn selector_name(selector: Selector) -> Option<&'static str> {
    BUILT_IN.selectors.get(&selector).map(|name| &name[..])
}

/// Returns the event that a first topic names, as `event` or `Contract.event`.
pub fn topic_name(topic: H256) -> Option<&'static str> {
    BUILT_IN.topics.get(&topic).map(|name| &name[..])
}

/// The ABI of a system contract.
pub(crate) fn system_abi(address: H160) -> Option<&'static Abi> {
    BUILT_IN.system.get(address_name(address)?)
}

/// Decodes by the first of the ABIs that contracts of any address may have.
pub(crate) fn by_common_abis<T>(decode: impl Fn(&'static Abi) -> Option<T>) -> Option<T> {
    BUILT_IN.common.iter().find_map(|(_, abi)| decode(abi))
}

/// What is built in, once it has been read.
static BUILT_IN: LazyLock<BuiltIn> = LazyLock::new(BuiltIn::read);

struct BuiltIn {
    system: HashMap<&'static str, Abi>,
    common: Vec<(&'static str, Abi)>,
    /// Functions and errors of all of them.
    selectors: HashMap<Selector, String>,
    /// Events of all of them.
    topics: HashMap<H256, String>,
}

impl BuiltIn {
    fn read() -> Self {
        let parse = |&(name, items): &signatures::Signatures| (name, Abi::parse(items, signatures::STRUCTS));
        let mut built_in = Self {
            system: HashMap::new(),
            common: signatures::COMMON.iter().map(parse).collect(),
            selectors: HashMap::new(),
            topics: HashMap::new(),
        };
        let system: Vec<_> = signatures::SYSTEM.iter().map(parse).collect();
        // A selector alone rather means what many contracts have.
        for (name, abi) in built_in.common.iter().chain(&system) {
            let named = |item: &str| {
                if name.is_empty() {
                    item.to_owned()
                } else {
                    format!("{name}.{item}")
                }
            };
            for (selector, function) in abi.functions() {
                built_in
                    .selectors
                    .entry(selector)
                    .or_insert_with(|| named(function));
            }
            for (selector, error) in abi.errors() {
                built_in
                    .selectors
                    .entry(selector)
                    .or_insert_with(|| named(&error));
            }
            for (topic, event) in abi.events() {
                built_in.topics.entry(topic).or_insert_with(|| named(event));
            }
        }
        built_in.system.extend(system);
        built_in
    }
}

/// The address as a number, when all but its low 32 bits are zero.
fn low_number(address: H160) -> Option<u32> {
    let (high, low) = address.0.split_at(16);
    high.iter()
        .all(|&byte| byte == 0)
        .then(|| u32::from_be_bytes([low[0], low[1], low[2], low[3]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_addresses_have_names_and_others_a_short_form() {
        let text = |number| address_text(H160::from_low_u64_be(number));
        assert_eq!(text(0x8001), "bootloader");
        assert_eq!(text(0x800b), "SystemContext");
        assert_eq!(text(0x9999), "0x9999");
        assert_eq!(address_text(H160([0xab; 20])), "0xabab…abab");
        assert_eq!(address_name(H160([0; 20])), None);
        assert_eq!(
            address_of_name("SystemContext"),
            Some(H160::from_low_u64_be(0x800b))
        );
        assert_eq!(address_of_name("SystemContexts"), None);
    }

    #[test]
    fn a_selector_names_its_function() {
        let known = [
            (0xdf9c_1589, "account.executeTransaction"),
            (0x202b_cce7, "account.validateTransaction"),
            (0xa28c_1aee, "account.prepareForPaymaster"),
            (0x038a_24bc, "paymaster.validateAndPayForPaymasterTransaction"),
            (0x817b_17f0, "paymaster.postTransaction"),
            (0x02fa_5779, "SystemContext.setNewBatch"),
            (0x06be_d036, "SystemContext.setL2Block"),
            (0x29f1_72ad, "SystemContext.unsafeOverrideBatch"),
            (0xa225_efcb, "SystemContext.setPubdataInfo"),
            (0x6006_d8b5, "Compressor.verifyCompressedStateDiffs"),
            (0xebe4_a3d7, "BootloaderUtilities.getTransactionHashes"),
            (0x3bf3_386b, "L1Messenger.publishPubdataAndClearState"),
            (0x86b7_f856, "L1Messenger.publishPubdataAndClearState"),
            (0x628b_636e, "L1Messenger.publishPubdataAndClearState"),
            (0x89f9_a072, "L2DAValidator.validatePubdata"),
            (0xfb62_00c6, "L2InteropRootStorage.addInteropRoot"),
            (0xa905_9cbb, "transfer"),
            (0x08c3_79a0, "Error(string)"),
            (0x03eb_8b54, "InsufficientFunds(uint256,uint256)"),
            (0x8e4a_23d6, "Unauthorized(address)"),
        ];
        for (selector, name) in known {
            assert_eq!(
                selector_name(u32::to_be_bytes(selector)),
                Some(name),
                "{selector:08x}"
            );
        }
        assert_eq!(selector_name([0; 4]), None);
    }

    #[test]
    fn members_of_structs_have_their_own_names() {
        let word = |number: u64| -> [u8; 32] { eradbg_vm::value::word_to_bytes(number.into()) };
        let set = eradbg_vm::keccak::keccak256(b"setImmutables(address,(uint256,bytes32)[])");
        let words = [0x8001, 64, 1, 5, 6].map(word).concat();
        let call = [&set.0[..4], &words].concat();
        let simulator = H160::from_low_u64_be(0x8005);
        let decoded = system_abi(simulator).unwrap().call(&call).unwrap().to_string();
        let value = format!("0x{:064x}", 6);
        assert_eq!(
            decoded,
            format!("setImmutables(of: bootloader, immutables: [(index: 5, value: {value})])")
        );
    }

    #[test]
    fn each_contract_with_built_in_functions_has_an_address() {
        for (name, _) in signatures::SYSTEM {
            assert!(address_of_name(name).is_some(), "{name}");
        }
    }

    #[test]
    fn the_table_of_addresses_is_sorted_so_that_every_row_is_found() {
        assert!(addresses::NAMES.is_sorted_by(|a, b| a.0 < b.0));
    }
}
