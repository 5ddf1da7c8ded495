//! Real batches, one after the other.

use std::collections::BTreeMap;
use std::path::Path;

use eradbg_fixtures::{mini_batch, mini_slots};
use eradbg_vm::batch::BatchInput;
use eradbg_vm::pubdata::state_diff::derived_key;
use eradbg_vm::storage::StorageKey;
use primitive_types::H256;

use super::open;
use crate::chain::{ClosedBatch, Contents, Head, Slot, Uncommittable};
use crate::drive::{DriveEnd, Session};
use crate::source::Script;
use crate::source::run::{Driver, FinishBatch, RunConfig};

/// Transactions of a batch in one L2 block.
const TRANSACTIONS: usize = 2;

/// What the mini batch starts from, as a chain.
fn genesis() -> Contents {
    let written = |(key, slot): (StorageKey, Option<_>)| {
        let (value, index) = slot?;
        Some((key, Slot { value, index }))
    };
    Contents {
        head: None,
        slots: mini_slots(TRANSACTIONS).into_iter().filter_map(written).collect(),
        code: mini_batch(TRANSACTIONS)
            .storage
            .factory_deps
            .into_iter()
            .collect(),
    }
}

/// The mini batch after a head, over the slots of a chain.
fn input(start: &Contents) -> BatchInput {
    let mut input = mini_batch(TRANSACTIONS);
    if let Some(Head { batch, l2_block, .. }) = start.head {
        input.batch.number = batch.number + 1;
        input.batch.timestamp = batch.timestamp + 100;
        input.batch.previous_batch_hash = Some(batch.hash);
        let first = &mut input.batch.first_l2_block;
        first.number = l2_block.number + 1;
        first.timestamp = input.batch.timestamp;
        first.prev_block_hash = l2_block.hash;
        input.blocks[0].env = first.clone();
    }
    input.storage = start.snapshot();
    for (key, _) in mini_slots(TRANSACTIONS) {
        let hashed = derived_key(key.address, key.key);
        input.storage.slots.entry(hashed).or_insert(None);
    }
    input
}

fn run(start: &Contents, config: &RunConfig) -> Session<()> {
    let mut session = Session::new(input(start), Script::default(), ());
    assert_eq!(session.drive(config).unwrap(), DriveEnd::Finished);
    session
}

/// Runs a batch from the state in a directory and commits it: its enumeration indices on L1, and the state after it.
fn record(path: &Path, first: &Contents) -> (BTreeMap<StorageKey, u64>, Contents) {
    let mut state = open(path);
    let start = match state.head() {
        Some(_) => state.contents().clone(),
        None => first.clone(),
    };
    let session = run(&start, &RunConfig::default());
    let diffs = &session.closed().unwrap().state_diffs;
    let diffs = diffs.iter().map(|diff| {
        let key = StorageKey {
            address: diff.address,
            key: diff.key,
        };
        (key, diff.enumeration_index)
    });
    let diffs = diffs.collect();
    let hash = H256::from_low_u64_be(start.next_index());
    state
        .commit(&start, &ClosedBatch::of(&session, hash).unwrap())
        .unwrap();
    let contents = state.contents().clone();
    drop(state);
    assert_eq!(open(path).contents(), &contents);
    (diffs, contents)
}

#[test]
fn a_second_batch_continues_on_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let genesis = genesis();
    let (diffs, first) = record(folder.path(), &genesis);
    let head = first.head.unwrap();
    let env = mini_batch(TRANSACTIONS).batch;
    assert_eq!(
        (head.chain_id, head.batch.number),
        (eradbg_fixtures::mini_batch::CHAIN_ID, env.number)
    );
    // The batch ends with an empty L2 block.
    assert_eq!(head.l2_block.number, env.first_l2_block.number + 1);

    let new: Vec<_> = diffs
        .iter()
        .filter(|(_, index)| **index == 0)
        .map(|(key, _)| *key)
        .collect();
    assert!(!new.is_empty() && new.len() < diffs.len(), "{diffs:?}");
    let given: Vec<u64> = new.iter().map(|key| first.slots[key].index).collect();
    let expected: Vec<u64> = (genesis.next_index()..).take(new.len()).collect();
    assert_eq!(given, expected);
    assert_eq!(head.next_index, genesis.next_index() + new.len() as u64);

    let (diffs, second) = record(folder.path(), &genesis);
    let head = second.head.unwrap();
    assert_eq!(
        (head.batch.number, head.l2_block.number),
        (env.number + 1, env.first_l2_block.number + 3)
    );
    // What the first batch wrote the second one writes again, now with an index.
    for key in new.iter().filter(|key| diffs.contains_key(key)) {
        assert_eq!(diffs[key], first.slots[key].index, "{key:?}");
    }
    assert!(new.iter().any(|key| diffs.contains_key(key)), "{diffs:?}");
    for (key, slot) in &first.slots {
        assert_eq!(second.slots[key].index, slot.index, "{key:?}");
    }
}

#[test]
fn a_batch_that_is_open_or_rejected_leaves_the_state_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let (_, first) = record(folder.path(), &genesis());
    let state = open(folder.path());
    let start = state.contents().clone();
    let config = RunConfig {
        finish_batch: FinishBatch::No,
        ..RunConfig::default()
    };
    let session = run(&start, &config);
    assert_eq!(ClosedBatch::of(&session, H256::zero()), Err(Uncommittable::Open));

    // All in one go, the fourth transaction's failed validation ends the bootloader.
    let config = RunConfig {
        driver: Driver::Batch,
        ..RunConfig::default()
    };
    let mut session = Session::new(mini_batch(4), Script::default(), ());
    session.drive(&config).unwrap();
    assert!(!session.operator().machine().state.storage_changes().is_empty());
    assert!(matches!(
        ClosedBatch::of(&session, H256::zero()),
        Err(Uncommittable::Rejected(_))
    ));
    drop(state);
    assert_eq!(open(folder.path()).contents(), &first);
}
