//! The real bootloader with words of the operator that are wrong, each with the error that it has for them, or that are
//! other good ones.

use std::collections::BTreeMap;

use eradbg_tracer::chain::{ChainState, ClosedBatch, stand_in_hash};
use eradbg_tracer::drive::{DriveEnd, Session};
use eradbg_tracer::source::Loaded;
use eradbg_vm::bootloader::Layout;
use eradbg_vm::storage::StorageKey;
use eradbg_vm::{EraVm, U256};

use crate::real::RealContracts;
use crate::words::{change_words, end_with, layout, run, writes};

/// Words in the encoding of a transaction.
const TX_TYPE: usize = 1;
const FROM: usize = 2;
const GAS_LIMIT: usize = 4;
const RESERVED: usize = 11;
const DATA_OFFSET: usize = 15;

/// Changes a word.
type Change = Box<dyn Fn(U256) -> U256>;

fn set(value: impl Into<U256>) -> Change {
    let value = value.into();
    Box::new(move |_| value)
}

fn add(value: u64) -> Change {
    Box::new(move |word| word + value)
}

fn subtract(value: u64) -> Change {
    Box::new(move |word| word - value)
}

/// Changes words, each by itself, and compares how the bootloader ends.
fn check(loaded: &Loaded, cases: Vec<(usize, Change, &str)>) {
    let layout = layout(loaded);
    let good = writes(loaded).words;
    let mut problems = Vec::new();
    for (index, (slot, change, expected)) in cases.into_iter().enumerate() {
        let mut words = good.clone();
        change_words(&mut words, slot, change);
        let (_, end) = run(loaded, &words);
        if !end.contains(expected) {
            problems.push(format!(
                "case {index}, {}: expected {expected}, found {end}",
                layout.name(slot)
            ));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Where the encoding of a transaction starts.
fn encoding(loaded: &Loaded, index: usize) -> usize {
    let layout = layout(loaded);
    let slot = layout.descriptions + 2 * index + 1;
    let words = writes(loaded).words;
    let (.., offset) = words
        .iter()
        .find(|(_, written, _)| *written == slot as u32)
        .unwrap();
    offset.as_usize() / 32
}

#[test]
fn wrong_words_about_l2_blocks_end_the_real_bootloader() {
    let Some(contracts) = RealContracts::new() else {
        return;
    };
    let loaded = contracts.load("blocks");
    let block = |index: usize| layout(&loaded).l2_blocks + 4 * index;
    let [number, timestamp, hash, virtual_blocks] = [0, 1, 2, 3];
    let zero = U256::zero;
    // The errors are those of SystemContext (`system-contracts/contracts/SystemContractErrors.sol`).
    check(
        &loaded,
        vec![
            // The first block: L2BlockNumberZero, PreviousL2BlockHashIsIncorrect, L2BlockAndBatchTimestampMismatch,
            // NoVirtualBlocks.
            (block(0) + number, set(zero()), "0x543f4c07"),
            (block(0) + number, set(2), "0x702a599f"),
            (block(0) + timestamp, subtract(1), "0x5e9ad9b0"),
            (block(0) + hash, add(1), "0x702a599f"),
            (block(0) + virtual_blocks, set(zero()), "0xdcdfb0da"),
            // The same block: InvalidNewL2BlockNumber, IncorrectSameL2BlockTimestamp, IncorrectSameL2BlockPrevBlockHash,
            // IncorrectVirtualBlockInsideMiniblock; if it is said to be another one, IncorrectL2BlockHash.
            (block(1) + number, set(zero()), "0x8c13f15d"),
            (block(1) + number, set(2), "0xdf841e81"),
            (block(1) + number, set(3), "0x8c13f15d"),
            (block(1) + timestamp, add(1), "0xf34da52d"),
            (block(1) + timestamp, subtract(1), "0xf34da52d"),
            (block(1) + hash, add(1), "0x5822b85d"),
            (block(1) + virtual_blocks, set(1), "0x6d391091"),
            // The next block, whose time is that of the block before: NonMonotonicL2BlockTimestamp.
            (block(2) + number, set(1), "0x5822b85d"),
            (block(2) + number, set(3), "0x8c13f15d"),
            (block(2) + timestamp, subtract(1), "0x35dbda93"),
            (block(2) + hash, add(1), "0xdf841e81"),
            // The block without transactions at the end.
            (block(4) + number, add(1), "0x8c13f15d"),
            (block(4) + timestamp, subtract(3), "0x35dbda93"),
            (block(4) + hash, add(1), "0xdf841e81"),
        ],
    );
}

#[test]
fn wrong_words_about_the_batch_end_the_real_bootloader() {
    let Some(contracts) = RealContracts::new() else {
        return;
    };
    let loaded = contracts.load("blocks");
    let huge = U256::one() << 64;
    let [time, number, pubdata_price, gas_price, base_fee] = [2, 3, 4, 5, 6];
    // TimestampsShouldBeIncremental, ProvidedBatchNumberIsNotCorrect.
    check(
        &loaded,
        vec![
            (time, set(U256::zero()), "0x09c63320"),
            (time, add(1), "0x5e9ad9b0"),
            (number, add(1), "0x33cb1485"),
            (number, set(U256::zero()), "0x33cb1485"),
            (pubdata_price, set(huge), "Fair pubdata price too high"),
            (gas_price, set(huge), "L2 fair gas price too high"),
            (gas_price, add(1), "baseFee inconsistent"),
            (base_fee, add(1), "baseFee inconsistent"),
        ],
    );
}

#[test]
fn the_batch_after_another_one_follows_it_on_the_real_bootloader() {
    let Some(contracts) = RealContracts::new() else {
        return;
    };
    let first = contracts.load("blocks");
    let folder = tempfile::tempdir().unwrap();
    let mut state = ChainState::open(folder.path()).unwrap();
    let start = first.start.clone().unwrap();
    let mut session = Session::new(first.input, first.script, ());
    assert_eq!(session.drive(&first.run), Ok(DriveEnd::Finished));
    let closed = ClosedBatch::of(&session, stand_in_hash(&session)).unwrap();
    state.commit(&start, &closed).unwrap();
    let loaded = contracts.load_after("blocks_after", state.contents());
    let block = layout(&loaded).l2_blocks;
    let last_block = loaded.input.batch.first_l2_block.number - 1;
    let last_time = loaded.input.batch.timestamp - 1;
    assert_eq!(end_with(&loaded, block, |word| word), "finished");
    // TimestampsShouldBeIncremental, InconsistentNewBatchTimestamp, ProvidedBatchNumberIsNotCorrect,
    // CannotReuseL2BlockNumberFromPreviousBatch, InvalidNewL2BlockNumber, IncorrectL2BlockHash.
    check(
        &loaded,
        vec![
            (2, set(1_700_000_000), "0x09c63320"),
            (2, set(last_time - 1), "0x159a6f2e"),
            (3, subtract(1), "0x33cb1485"),
            (block, set(last_block), "0x141d6142"),
            (block, add(1), "0x8c13f15d"),
            (block + 1, set(last_time - 1), "0x5e9ad9b0"),
            (block + 2, add(1), "0xdf841e81"),
            (block + 3, set(U256::zero()), "0xdcdfb0da"),
        ],
    );
}

#[test]
fn wrong_words_about_a_transaction_end_the_real_bootloader() {
    let Some(contracts) = RealContracts::new() else {
        return;
    };
    let loaded = contracts.load("blocks");
    let layout = layout(&loaded);
    let [l1, eip712, eip1559] = [0, 1, 2].map(|index| encoding(&loaded, index));
    let wide = |bits: usize| -> Change { Box::new(move |word| word + (U256::one() << bits)) };
    check(
        &loaded,
        vec![
            (layout.descriptions + 1, add(32), "Tx data offset is incorrect"),
            (layout.descriptions + 5, add(32), "Tx data offset is incorrect"),
            (l1, set(64), "Encoding offset"),
            (l1 + FROM, wide(160), "Encoding from"),
            (l1 + 3, wide(160), "Encoding to"),
            (l1 + GAS_LIMIT, wide(64), "Encoding gasLimit"),
            (l1 + 5, wide(32), "Encoding gasPerPubdataByteLimit"),
            (l1 + 6, wide(128), "Encoding maxFeePerGas"),
            (l1 + 7, wide(128), "Encoding maxPriorityFeePerGas"),
            (l1 + 8, wide(160), "Encoding paymaster"),
            (l1 + DATA_OFFSET, add(32), "Encoding data"),
            (l1 + DATA_OFFSET + 1, add(32), "Encoding signature"),
            (l1 + DATA_OFFSET + 2, add(32), "Encoding factoryDeps"),
            (l1 + DATA_OFFSET + 3, add(32), "Encoding paymasterInput"),
            (l1 + DATA_OFFSET + 4, add(32), "Encoding reservedDynamic"),
            // Behind the four bytes of calldata.
            (l1 + DATA_OFFSET + 6, add(1), "bad bytes encoding"),
            (l1 + TX_TYPE, set(3), "Unknown tx type"),
            (l1 + TX_TYPE, set(253), "Unknown tx type"),
            (eip712 + TX_TYPE, set(254), "Protocol upgrade tx not first"),
            (eip712 + RESERVED, set(1), "reserved0 non zero"),
            (eip712 + RESERVED + 2, set(1), "reserved2 non zero"),
            (eip712 + RESERVED + 3, set(1), "reserved3 non zero"),
            (eip1559 + RESERVED, set(1), "reserved0 non zero"),
            (eip1559 + RESERVED + 2, set(1), "reserved2 non zero"),
            (eip1559 + RESERVED + 3, set(1), "reserved3 non zero"),
            (eip1559 + TX_TYPE, set(1), "EIP1559 params wrong"),
            // What was signed is another transaction.
            (eip1559 + 10, set(1), "signature"),
            (
                layout.overheads + 1,
                set(1_000_000_000),
                "Overhead higher than gasLimit",
            ),
            (
                layout.overheads + 1,
                set(1_000_000),
                "Operator's overhead too high",
            ),
            (layout.refunds, set(10_000_001), "L1: refundGas > gasLimit"),
            (layout.refunds + 1, set(90_000_001), "refundInGas > gasLimit"),
            (
                layout.interop.unwrap().roots_per_block,
                set(U256::zero()),
                "error code: 34",
            ),
        ],
    );
}

#[test]
fn wrong_interop_roots_end_the_real_bootloader() {
    let Some(contracts) = RealContracts::new() else {
        return;
    };
    let loaded = contracts.load("blocks");
    let good = writes(&loaded).words;
    let interop = layout(&loaded).interop.unwrap();
    let end = |roots: u64, root: [u64; 4]| {
        let mut words = good.clone();
        change_words(&mut words, interop.roots_per_block, set(roots + 1));
        let root = root.into_iter().enumerate();
        words.extend(root.map(|(index, word)| (0, (interop.roots + index) as u32, word.into())));
        run(&loaded, &words).1
    };
    // Block, chain, its block, number of sides.
    assert!(end(1, [2, 271, 5, 1]).contains("error code: 36"), "another block");
    assert!(end(1, [1, 271, 5, 0]).contains("error code: 37"), "no sides");
    assert_eq!(end(1, [1, 271, 5, 1]), "finished");
    assert!(
        end(2, [1, 271, 5, 1]).contains("error code: 36"),
        "the second root is absent"
    );
    // Sides are put after the 132 bytes before them, up to byte 1,248.
    assert_eq!(end(1, [1, 271, 5, 35]), "finished");
    assert!(end(1, [1, 271, 5, 36]).contains("error code: 33"), "many sides");
    // A batch has at most 100 roots.
    let many = |count: usize| {
        let mut words = good.clone();
        change_words(&mut words, interop.roots_per_block, set(count as u64 + 1));
        for root in 0..count {
            let first = (interop.roots + 5 * root) as u32;
            words.extend((0..5).map(|index| (0, first + index, U256::one())));
        }
        run(&loaded, &words).1
    };
    assert_eq!(many(100), "finished");
    assert!(many(101).contains("error code: 35"));
}

#[test]
fn wrong_pubdata_ends_the_real_bootloader() {
    let Some(contracts) = RealContracts::new() else {
        return;
    };
    let loaded = contracts.load("blocks");
    let pubdata = layout(&loaded).pubdata;
    // After selector, validator, offset and length of the operator's input: its selector, then the chained hash of logs,
    // the root, the chained hashes of messages and bytecodes, the offset and length of the data, the number of logs.
    check(
        &loaded,
        vec![
            (pubdata + 2, set(32), "offset"),
            (pubdata + 4, add(1), "0x7f7b0cf7"),
            (pubdata + 5, add(1), "0x7f7b0cf7"),
            (pubdata + 6, add(1), "0x7f7b0cf7"),
            (pubdata + 7, add(1), "0x7f7b0cf7"),
            (pubdata + 8, add(1), "0x7f7b0cf7"),
            (pubdata + 10, add(1), "0x7f7b0cf7"),
        ],
    );
}

#[test]
fn refunds_may_be_known_beforehand_on_the_real_bootloader() {
    let Some(contracts) = RealContracts::new() else {
        return;
    };
    let loaded = contracts.load("blocks");
    let layout = layout(&loaded);
    let words = writes(&loaded).words;
    let (computed, end) = run(&loaded, &words);
    assert_eq!(end, "finished");
    let is_refund = |slot: u32| (layout.refunds..layout.overheads).contains(&(slot as usize));
    // All refunds at once at the start, as when the batch is proved; the zeros that were there until then are not written.
    let beforehand = |change: u64| -> Vec<(usize, u32, U256)> {
        let refund = |&(hooks, slot, word): &(usize, u32, U256)| match is_refund(slot) {
            true if word.is_zero() => None,
            true => Some((0, slot, word + change)),
            false => Some((hooks, slot, word)),
        };
        words.iter().filter_map(refund).collect()
    };
    let (known, end) = run(&loaded, &beforehand(0));
    assert_eq!(end, "finished");
    assert_eq!(effects(&known), effects(&computed));
    assert_eq!(known.execution.frame().ergs, computed.execution.frame().ergs);
    // Another refund changes balances, not their number; the pubdata that the operator had made is still good.
    let (other, end) = run(&loaded, &beforehand(1_000));
    assert_eq!(end, "finished");
    assert_ne!(effects(&other), effects(&computed));
    assert_eq!(other.state.events().len(), computed.state.events().len());
    let keys = |vm: &EraVm| -> Vec<StorageKey> { vm.state.storage_changes().keys().copied().collect() };
    assert_eq!(keys(&other), keys(&computed));
    // Without the operator's word it is what the bootloader proposes.
    let proposed: Vec<_> = words
        .iter()
        .filter(|(_, slot, _)| !is_refund(*slot))
        .copied()
        .collect();
    let (proposed, end) = run(&loaded, &proposed);
    assert_eq!(end, "finished");
    assert_eq!(keys(&proposed), keys(&computed));
}

#[test]
fn gas_that_the_operator_trusts_above_80_million_can_be_used_on_the_real_bootloader() {
    let Some(contracts) = RealContracts::new() else {
        return;
    };
    let loaded = contracts.load("trusted_gas");
    let slot = layout(&loaded).trusted_gas_limits;
    let words = writes(&loaded).words;
    let ergs_with = |trusted: u64| {
        let mut words = words.clone();
        change_words(&mut words, slot, set(trusted));
        let before_refund = words.len();
        words.retain(|(_, slot, _)| {
            !(layout(&loaded).refunds..layout(&loaded).overheads).contains(&(*slot as usize))
        });
        assert!(words.len() < before_refund);
        let (vm, end) = run(&loaded, &words);
        assert_eq!(end, "finished");
        vm.execution.frame().ergs
    };
    let used = |trusted: u64| u64::from(u32::MAX - ergs_with(trusted));
    let at_least = used(80_000_000);
    // Every transaction has 80 million, however little it is trusted; and no more than its limit of 100 million.
    assert_eq!(used(0), at_least);
    assert!(used(95_000_000) > at_least + 14_000_000);
    assert!(used(100_000_000) > at_least + 19_000_000);
    assert_eq!(used(4_000_000_000), used(100_000_000));
}

/// What a batch did: changed slots, events and logs.
fn effects(vm: &EraVm) -> (BTreeMap<StorageKey, U256>, String) {
    let logs = format!("{:?} {:?}", vm.state.events(), vm.state.l2_to_l1_logs());
    (vm.state.storage_changes().clone(), logs)
}

#[test]
fn places_that_are_used_here_are_those_of_the_layout() {
    let Some(contracts) = RealContracts::new() else {
        return;
    };
    let loaded = contracts.load("blocks");
    let layout: Layout = layout(&loaded);
    assert_eq!(encoding(&loaded, 0), layout.encodings);
    // TX_GAS_LIMIT_OFFSET: four words into the encoding.
    let words = writes(&loaded).words;
    let limits = [10_000_000u64, 90_000_000, 10_000_000];
    for (index, limit) in limits.into_iter().enumerate() {
        let slot = (encoding(&loaded, index) + GAS_LIMIT) as u32;
        let found = words.iter().find(|(_, written, _)| *written == slot).unwrap();
        assert_eq!(found.2, limit.into());
    }
}
