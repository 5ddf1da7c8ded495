//! What the operator writes into the bootloader's heap, and how the machine is set, in each protocol version.

use std::collections::BTreeMap;

use eradbg_fixtures::{mini_batch, mini_batch_of};
use eradbg_vm::batch::{BatchInput, InteropRoot, L2BlockEnv};
use eradbg_vm::bootloader::state::{BootloaderState, Words};
use eradbg_vm::bytecode::compress::CompressedBytecode;
use eradbg_vm::execution::Settings;
use eradbg_vm::operator::{ExecutionResult, OperatorError, OperatorVm, PubdataTarget, RunMode};
use eradbg_vm::protocol::{ProtocolVersion, Revision};
use eradbg_vm::pubdata::builder::{DaTarget, PubdataBuilder, PubdataError};
use eradbg_vm::storage::SnapshotStorage;
use eradbg_vm::{H160, H256, U256};

fn input(version: ProtocolVersion) -> BatchInput {
    mini_batch_of(version, 3)
}

/// The bootloader's side of a batch at its start, with the words written for it.
fn start(input: &BatchInput) -> (BootloaderState, BTreeMap<u32, U256>) {
    let (state, words) = BootloaderState::new(&input.batch, input.system.clone());
    (state, words.into_iter().collect())
}

fn root(number: u64) -> InteropRoot {
    InteropRoot {
        chain_id: 500 + number,
        block_number: 70 + number as u32,
        sides: vec![H256::from_low_u64_be(900 + number)],
    }
}

/// The words of `words` from a slot on.
fn at<const N: usize>(words: &Words, slot: usize) -> [Option<u64>; N] {
    let words: BTreeMap<u32, U256> = words.iter().copied().collect();
    core::array::from_fn(|index| words.get(&((slot + index) as u32)).map(U256::as_u64))
}

#[test]
fn a_batch_starts_with_eight_words_and_two_more_with_a_settlement_layer() {
    for version in ProtocolVersion::all() {
        let mut input = input(version);
        input.batch.interop_fee = 77.into();
        input.batch.settlement_layer_chain_id = 9;
        let (_, words) = start(&input);
        let hash = U256::from_big_endian(&[0x11; 32]);
        let fee_account = U256::from_big_endian(&[0xfe; 20]);
        let time = 1_700_000_000u64.into();
        let mut expected: BTreeMap<u32, U256> = (0..)
            .zip([
                fee_account,
                hash,
                time,
                7.into(),
                1000.into(),
                100.into(),
                100.into(),
                1.into(),
            ])
            .collect();
        if version.number() >= 31 {
            expected.extend([(80_656, 9.into()), (80_657, 77.into())]);
        }
        assert_eq!(words, expected, "{version}");
    }
}

#[test]
fn without_the_hash_of_the_batch_before_no_new_batch_is_set() {
    for version in ProtocolVersion::all() {
        let mut input = input(version);
        input.batch.previous_batch_hash = None;
        let (_, words) = start(&input);
        assert_eq!((words[&1], words[&7]), (U256::zero(), U256::zero()), "{version}");
    }
}

#[test]
fn a_transaction_is_described_in_the_places_of_its_version() {
    for version in ProtocolVersion::all() {
        let input = input(version);
        let transactions: Vec<_> = input.transactions().collect();
        let (mut state, _) = start(&input);
        let layout = *state.layout();
        state.push_transaction(transactions[0], &[]).unwrap();
        let words = state.push_transaction(transactions[1], &[]).unwrap();
        let second = layout.encodings + transactions[0].encode().len();
        assert_eq!(
            at(&words, layout.descriptions + 2),
            [Some(1), Some(32 * second as u64)]
        );
        assert_eq!(at(&words, layout.refunds + 1), [Some(0)]);
        assert_eq!(at(&words, layout.overheads + 1), [Some(10_000)]);
        let limit = transactions[1].gas_limit.as_u64().min(80_000_000);
        assert_eq!(at(&words, layout.trusted_gas_limits + 1), [Some(limit)]);
        // The encoding starts with the offset of the one tuple that it is.
        assert_eq!(at(&words, second), [Some(0x20)]);
        assert_eq!(state.gas_limit_slot(1), second + 4);
        // The second transaction of a block creates no virtual block, and the first one's count of roots stays.
        assert_eq!(at(&words, layout.l2_blocks + 4), [Some(100), Some(1_700_000_000)]);
        assert_eq!(at(&words, layout.l2_blocks + 7), [Some(0)]);
        let first_slot = words.iter().map(|(slot, _)| *slot).min();
        assert_eq!(first_slot, Some(layout.refunds as u32 + 1), "{version}");
    }
}

#[test]
fn roots_of_other_chains_follow_one_another_over_the_blocks_of_a_batch() {
    for version in ProtocolVersion::all() {
        let mut input = input(version);
        input.batch.first_l2_block.interop_roots = vec![root(0), root(1)];
        let transactions: Vec<_> = input.transactions().cloned().collect();
        let (mut state, _) = start(&input);
        let first = state.push_transaction(&transactions[0], &[]).unwrap();
        let next = |state: &BootloaderState, roots| L2BlockEnv {
            number: state.last_block().env.number + 1,
            timestamp: state.last_block().env.timestamp + 1,
            prev_block_hash: state.last_block().hash(),
            max_virtual_blocks: 1,
            interop_roots: roots,
        };
        state.start_block(next(&state, vec![root(2)])).unwrap();
        let second = state.push_transaction(&transactions[1], &[]).unwrap();
        let last = state.push_transaction(&transactions[2], &[]).unwrap();
        let layout = *state.layout();
        let Some(interop) = layout.interop else {
            assert!(version.number() < 29);
            // Nothing stands between the L2 blocks' words and the encodings but description and limits.
            let blocks_end = (layout.l2_blocks + 4 * 10_001) as u32;
            for words in [first, second] {
                assert!(
                    words
                        .iter()
                        .all(|&(slot, _)| slot < blocks_end || slot >= layout.descriptions as u32)
                );
            }
            continue;
        };
        assert!(version.number() >= 29);
        let slots = [100, 500, 70, 1, 900, 100, 501, 71, 1, 901].map(Some);
        assert_eq!(at(&first, interop.roots), slots);
        assert_eq!(at(&first, interop.roots_per_block), [Some(3), None]);
        let slots = [101, 502, 72, 1, 902].map(Some);
        assert_eq!(at(&second, interop.roots + 2 * 5), slots);
        assert_eq!(at(&second, interop.roots_per_block), [None, Some(2)]);
        // Only the first transaction of a block brings its roots.
        assert_eq!(at(&last, interop.roots_per_block), [None, None]);
        // The block that ends the batch has none; the operator writes their number in the place of the last block's.
        let fictive = state.start_fictive_block();
        assert_eq!(at(&fictive, interop.roots_per_block), [None, Some(1), None]);
        assert_eq!(
            state.replay_memory()[&(interop.roots_per_block as u32 + 2)],
            U256::one()
        );
    }
}

#[test]
fn a_last_block_without_transactions_ends_the_batch_and_brings_no_roots() {
    for version in ProtocolVersion::all() {
        let mut input = input(version);
        let transaction = input.blocks[0].transactions[0].clone();
        input.batch.first_l2_block.interop_roots = vec![root(0)];
        let (mut state, _) = start(&input);
        state.push_transaction(&transaction, &[]).unwrap();
        let next = L2BlockEnv {
            number: state.last_block().env.number + 1,
            timestamp: state.last_block().env.timestamp + 5,
            prev_block_hash: state.last_block().hash(),
            max_virtual_blocks: 1,
            interop_roots: vec![root(1)],
        };
        state.start_block(next.clone()).unwrap();
        let layout = *state.layout();
        let words = state.start_fictive_block();
        let block = [next.number.into(), next.timestamp].map(Some);
        assert_eq!(at(&words, layout.l2_blocks + 4), block, "{version}");
        assert_eq!(at(&words, layout.l2_blocks + 7), [Some(1)]);
        let Some(interop) = layout.interop else { continue };
        assert_eq!(at(&words, interop.roots_per_block), [None, Some(1)], "{version}");
        assert_eq!(at(&words, interop.roots + 5), [None]);
    }
}

#[test]
fn a_rollback_gives_the_places_of_roots_back() {
    let mut input = mini_batch(3);
    let transactions: Vec<_> = input.transactions().cloned().collect();
    input.batch.first_l2_block.interop_roots = vec![root(0)];
    let (mut state, _) = start(&input);
    let snapshot = state.snapshot();
    let first = state.push_transaction(&transactions[0], &[]).unwrap();
    state.roll_back(snapshot);
    assert_eq!(state.push_transaction(&transactions[0], &[]).unwrap(), first);
}

#[test]
fn a_rollback_gives_the_places_of_transactions_and_compressed_bytecodes_back() {
    let input = mini_batch(3);
    let transactions: Vec<_> = input.transactions().cloned().collect();
    let code = CompressedBytecode {
        hash: 7.into(),
        original: vec![1; 32],
        compressed: vec![2; 64],
    };
    let (mut state, _) = start(&input);
    state
        .push_transaction(&transactions[0], std::slice::from_ref(&code))
        .unwrap();
    let before = state.clone();
    let snapshot = state.snapshot();
    let second = state
        .push_transaction(&transactions[1], std::slice::from_ref(&code))
        .unwrap();
    // The second code stands behind the pointer and the nine words of the first.
    let area = state.layout().compressed_bytecodes;
    assert_eq!(at(&second, area + 10), [Some(7)]);
    state.start_transaction();
    state.roll_back(snapshot);
    assert_eq!(state, before);
    // Without it, what comes next has its place.
    let third = state.push_transaction(&transactions[1], &[]).unwrap();
    assert_eq!(at(&third, area + 10), [None]);
    assert_eq!(state.current_transaction(), None);
    let next = state.push_transaction(&transactions[2], &[code]).unwrap();
    assert_eq!(at(&next, area + 10), [Some(7)]);
}

#[test]
fn the_machine_is_set_as_the_version_says() {
    for version in ProtocolVersion::all() {
        let mut system = input(version).system;
        system.revision = Revision::ZkEvm0_153_12;
        let settings = Settings::of(&system);
        assert_eq!(settings.unpaid_growth_raises_bound, version.number() < 27);
        assert_eq!(settings.ec_precompiles, version.number() >= 28);
        assert_eq!(settings.hook_offset, 1_983_749 * 32);
        assert_eq!(settings.revision, Revision::ZkEvm0_153_12);
        assert_eq!(settings.evm_emulator, system.default_account.hash);
    }
}

/// Runs the mini batch of a version, and closes it.
fn close(
    version: ProtocolVersion,
    target: PubdataTarget,
) -> Result<eradbg_vm::operator::BatchResult, OperatorError> {
    let input = input(version);
    let storage = SnapshotStorage::new(input.storage);
    let mut operator = OperatorVm::new(input.batch, input.system, storage, &mut ());
    for (index, block) in input.blocks.into_iter().enumerate() {
        if index > 0 {
            operator.start_l2_block(block.env)?;
        }
        for transaction in &block.transactions {
            operator.push_transaction(transaction, true, &mut ())?;
            operator.run(RunMode::OneTransaction, &mut ())?;
        }
    }
    operator.finish_batch(target, &mut ())
}

#[test]
fn a_batch_runs_and_closes_in_every_version() {
    let validator = DaTarget::Validator(H160::repeat_byte(0xda));
    let scheme = DaTarget::CommitmentScheme(3);
    let mut results = Vec::new();
    for version in ProtocolVersion::all() {
        let da = if version.number() < 31 { validator } else { scheme };
        let builder = PubdataBuilder::Full;
        let batch = close(version, PubdataTarget { builder, da }).unwrap();
        assert_eq!(batch.tip.result, ExecutionResult::Success(vec![]), "{version}");
        results.push((batch.storage_changes, batch.events, batch.pubdata));
    }
    assert!(results.iter().all(|result| *result == results[0]));
}

#[test]
fn a_batch_without_hashed_pubdata_or_with_the_wrong_target_does_not_close() {
    let version = |number| ProtocolVersion::new(number).unwrap();
    let hashed = PubdataTarget {
        builder: PubdataBuilder::Hashed,
        da: DaTarget::Validator(H160::zero()),
    };
    let error = |number| match close(version(number), hashed) {
        Err(OperatorError::Pubdata(error)) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(error(25), PubdataError::NoHashedPubdata(version(25)));
    assert_eq!(
        error(31).to_string(),
        "Validator(0x0000000000000000000000000000000000000000) is no DA target of Version31"
    );
}
