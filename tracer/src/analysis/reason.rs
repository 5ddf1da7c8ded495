//! Returndata of a failure, in words.

use eradbg_vm::U256;
use eradbg_vm::operator::RevertReason;

use crate::symbols::abi::Decoded;

/// The selector of `Panic(uint256)`.
const PANIC: [u8; 4] = [0x4e, 0x48, 0x7b, 0x71];
/// Bytes of returndata that are shown.
const SHOWN_BYTES: usize = 100;

/// What returndata says: `Error(string)`, a `Panic(uint256)` with its meaning, a custom error that is known, or the bytes.
pub fn reason(data: &[u8], custom: Option<&Decoded>) -> String {
    if let RevertReason::General { message, .. } = RevertReason::parse(data) {
        return format!("{message:?}");
    }
    let shown = hex::encode(&data[..data.len().min(SHOWN_BYTES)]);
    let more = if data.len() > SHOWN_BYTES { "…" } else { "" };
    match data.split_first_chunk::<4>() {
        None if data.is_empty() => "no returndata".to_owned(),
        None => format!("0x{shown}"),
        Some((&PANIC, code)) if code.len() == 32 => panic_reason(U256::from_big_endian(code)),
        Some(_) => match custom {
            Some(error) => error.to_string(),
            None => format!("custom error 0x{shown}{more}"),
        },
    }
}

/// Solidity's panic codes: <https://docs.soliditylang.org/en/latest/control-structures.html>.
fn panic_reason(code: U256) -> String {
    let meaning = match u64::try_from(code) {
        Ok(0x00) => "generic",
        Ok(0x01) => "an assertion does not hold",
        Ok(0x11) => "arithmetic overflow or underflow",
        Ok(0x12) => "division by zero",
        Ok(0x21) => "no value of the enum",
        Ok(0x22) => "a stored byte array is encoded badly",
        Ok(0x31) => "pop of an empty array",
        Ok(0x32) => "index out of bounds",
        Ok(0x41) => "too much memory",
        Ok(0x51) => "call of a function pointer that is zero",
        _ => "unknown code",
    };
    format!("Panic({code:#04x}): {meaning}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returndata_is_told_by_its_kind() {
        let word = |number: u64| -> [u8; 32] { eradbg_vm::value::word_to_bytes(number.into()) };
        let error = [
            &[0x08, 0xc3, 0x79, 0xa0][..],
            &word(32),
            &word(2),
            b"no",
            &[0; 30],
        ]
        .concat();
        let reason = |data: &[u8]| reason(data, None);
        assert_eq!(reason(&error), "\"no\"");
        let panic = |code| reason(&[&PANIC[..], &word(code)].concat());
        assert_eq!(panic(0x11), "Panic(0x11): arithmetic overflow or underflow");
        assert_eq!(panic(0x77), "Panic(0x77): unknown code");
        assert_eq!(reason(&[]), "no returndata");
        assert_eq!(reason(&[1, 2]), "0x0102");
        assert_eq!(reason(&[1, 2, 3, 4, 5]), "custom error 0x0102030405");
        assert!(reason(&[7; 200]).ends_with('…'));
        let error = Decoded {
            name: "Poor".to_owned(),
            fields: Vec::new(),
        };
        assert_eq!(super::reason(&[1, 2, 3, 4], Some(&error)), "Poor()");
    }
}
