//! The embedded bootloader ends with the right failure code when the operator's words are wrong.

#![allow(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

#[path = "support/words.rs"]
mod words;

use eradbg_tracer::source::{Loaded, scenario};
use eradbg_vm::U256;

use words::{end_with, layout, run, writes};

/// Where pubdata starts in its area: after validator, offset, length, and the header of the operator's input.
const FIRST_BYTE: usize = 4 * 32 + 4 + 6 * 32;

fn load(name: &str) -> Loaded {
    scenario::embedded(name).unwrap()
}

#[test]
fn the_operators_own_words_let_the_batch_finish() {
    for name in ["transfer", "deploy", "l2_to_l1_message", "priority_success"] {
        assert_eq!(
            run(&load(name), &writes(&load(name)).words).1,
            "finished",
            "{name}"
        );
    }
}

#[test]
fn wrong_batch_information_ends_the_bootloader() {
    let huge = U256::one() << 64;
    let cases: [(usize, U256, &str); 7] = [
        (2, U256::zero(), "Batch timestamp is not greater"),
        (3, 9.into(), "Batch number is not the next"),
        (4, huge, "A fair price is too high"),
        (5, huge, "A fair price is too high"),
        (5, 5.into(), "Base fee is not the expected one"),
        (6, 7.into(), "Base fee is not the expected one"),
        (2, 1_800_000_000.into(), "Block starts before its batch"),
    ];
    for (slot, word, expected) in cases {
        let found = end_with(&load("transfer"), slot, |_| word);
        assert!(found.contains(expected), "slot {slot} := {word}: {found}");
    }
}

#[test]
fn wrong_words_about_a_transaction_end_the_bootloader() {
    let layout = layout(&load("transfer"));
    let interop = layout.interop.unwrap();
    let add = |number: u64| move |word: U256| word + number;
    let set = |number: u64| move |_: U256| U256::from(number);
    let check = |slot: usize, found: String, expected: &str| {
        assert!(
            found.contains(expected),
            "{}: expected {expected}, found {found}",
            layout.name(slot)
        );
    };
    for (slot, number, expected) in [
        (
            layout.descriptions + 1,
            32,
            "Assertion error: Transaction is at a wrong offset",
        ),
        (
            layout.encodings,
            32,
            "Assertion error: Transaction is encoded wrongly",
        ),
        (
            layout.encodings + 15,
            32,
            "Assertion error: Transaction is encoded wrongly",
        ),
        (
            layout.overheads,
            1_000_000,
            "Assertion error: Overhead is too high",
        ),
        (layout.l2_blocks, 1, "Previous L2 block hash differs"),
        (layout.l2_blocks + 2, 1, "Previous L2 block hash differs"),
        (
            layout.refunds,
            100_000_000,
            "Assertion error: Refund is above the gas limit",
        ),
    ] {
        check(slot, end_with(&load("transfer"), slot, add(number)), expected);
    }
    for (slot, number, expected) in [
        (layout.l2_blocks + 3, 0, "First block needs a virtual one"),
        (interop.roots_per_block, 0, "error code: 34"),
    ] {
        check(slot, end_with(&load("transfer"), slot, set(number)), expected);
    }
}

#[test]
fn fields_that_are_too_wide_end_the_bootloader() {
    let layout = layout(&load("transfer"));
    let bits = [160, 160, 64, 32, 128, 128, 160];
    for (field, bits) in (1..).zip(bits) {
        let found = end_with(&load("transfer"), layout.encodings + 1 + field, |word| {
            word + (U256::one() << bits)
        });
        assert!(
            found.contains("Transaction is encoded wrongly"),
            "field {field}: {found}"
        );
    }
}

#[test]
fn wrong_fields_of_a_transaction_end_the_bootloader() {
    let layout = layout(&load("transfer"));
    let (from, gas_limit, value) = (2, 4, 10);
    let cases = [
        (
            "transfer",
            from,
            U256::from(0x8007),
            "Sender is a system contract",
        ),
        (
            "priority_success",
            from,
            U256::from(0x8007),
            "Sender is a system contract",
        ),
        ("transfer", gas_limit, U256::zero(), "Overhead is too high"),
        (
            "priority_success",
            value,
            U256::MAX,
            "L1 deposit is below value + fee",
        ),
    ];
    for (name, word, new, expected) in cases {
        let found = end_with(&load(name), layout.encodings + word, |_| new);
        assert!(
            found.contains(expected),
            "{name}: expected {expected}, found {found}"
        );
    }
}

#[test]
fn wrong_pubdata_ends_the_bootloader() {
    let layout = layout(&load("l2_to_l1_message"));
    let changed = |words: usize| end_with(&load("l2_to_l1_message"), layout.pubdata + words, |word| word + 1);
    // Validator, offset, length; then selector, rolling hash of logs, root, messages, bytecodes, offset, length, data.
    assert!(
        changed(2).contains("Pubdata is at a wrong offset"),
        "{}",
        changed(2)
    );
    assert!(
        changed(4).contains("Logs are not those of the batch"),
        "{}",
        changed(4)
    );
    assert!(
        changed(6).contains("Messages differ from the batch"),
        "{}",
        changed(6)
    );
    assert!(
        changed(7).contains("Bytecodes differ from the batch"),
        "{}",
        changed(7)
    );
    // Everything between the count of logs and the diffs in full is checked.
    for word in 11..(FIRST_BYTE + writes(&load("l2_to_l1_message")).pubdata) / 32 {
        let found = changed(word);
        assert!(
            found.contains("Failed to publish pubdata"),
            "word {word}: {found}"
        );
    }
}

#[test]
fn compressed_code_that_is_not_the_original_fails_the_transaction() {
    let layout = layout(&load("deploy"));
    // Pointer, hash, place for the selector, two offsets, length of the original, then its first word.
    let original = (layout.compressed_bytecodes + 6) as u32;
    let good = writes(&load("deploy")).words;
    let mut bad = good.clone();
    let word = bad.iter_mut().find(|(_, slot, _)| *slot == original);
    word.unwrap().2 += U256::one();
    let other_end = "Failed to publish pubdata via L1Messenger for: Logs are not those of the batch";
    for (words, success, expected) in [(good, 1, "finished"), (bad, 0, other_end)] {
        let (vm, end) = run(&load("deploy"), &words);
        let result = vm
            .execution
            .bootloader_heap()
            .read_word(layout.results as u32 * 32);
        assert_eq!((result, end.as_str()), (U256::from(success), expected));
    }
}

#[test]
fn no_gas_limit_of_a_priority_transaction_ends_the_bootloader() {
    let layout = layout(&load("priority_with_value"));
    let good = writes(&load("priority_with_value")).words;
    let mut successes = 0;
    for limit in (178_000..420_000).step_by(500) {
        let mut words = good.clone();
        for (_, slot, word) in &mut words {
            if *slot == layout.encodings as u32 + 4 {
                *word = limit.into();
            } else if *slot == layout.refunds as u32 {
                *word = U256::zero();
            }
        }
        let (vm, end) = run(&load("priority_with_value"), &words);
        let result = vm
            .execution
            .bootloader_heap()
            .read_word(layout.results as u32 * 32);
        successes += result.as_u32();
        // The operator's last block follows on one with another hash of the transaction, or comes after as many hooks
        // as there were then: all went well until that block.
        assert!(end.contains("L2 block"), "{limit} gas: {end}");
    }
    assert!((1..480).contains(&successes), "{successes}");
}
