//! Names for addresses and selectors, so that a raw number never has to stand alone.

mod addresses;
mod selectors;

use eradbg_vm::H160;

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
    match (address_name(address), low_number(address)) {
        (Some(name), _) => name.to_owned(),
        (None, Some(number)) => format!("{number:#x}"),
        (None, None) => {
            let digits = format!("{address:x}");
            format!("0x{}…{}", &digits[..4], &digits[36..])
        }
    }
}

/// Returns the function that a four-byte selector names, as `function` or `Contract.function`.
pub fn selector_name(selector: [u8; 4]) -> Option<&'static str> {
    let number = u32::from_be_bytes(selector);
    let found = selectors::NAMES
        .binary_search_by_key(&number, |(number, _)| *number)
        .ok()?;
    Some(selectors::NAMES[found].1)
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
        assert_eq!(
            selector_name([0xdf, 0x9c, 0x15, 0x89]),
            Some("account.executeTransaction")
        );
        assert_eq!(selector_name([0; 4]), None);
    }

    #[test]
    fn the_tables_are_sorted_so_that_every_row_is_found() {
        assert!(addresses::NAMES.is_sorted_by(|a, b| a.0 < b.0));
        assert!(selectors::NAMES.is_sorted_by(|a, b| a.0 < b.0));
    }
}
