//! Commits, refusals, and what is left after damage and kills.

mod damage;
mod kill;
mod mini;

use std::path::Path;

use eradbg_vm::U256;
use eradbg_vm::protocol::ProtocolVersion;
use eradbg_vm::state::StorageChange;
use eradbg_vm::storage::{L1_MESSENGER, StorageKey, system_address};
use primitive_types::H256;

use super::{ChainState, ClosedBatch, Contents, Slot, Tip};

/// First batch of the made-up chain.
const FIRST: u32 = 1;
/// Slots that each of its batches writes.
const SHARED_SLOTS: u64 = 200;
/// Bytes of the code that each batch brings: many pieces.
const CODE_BYTES: usize = 20 << 10;

fn shared(slot: u64) -> StorageKey {
    StorageKey {
        address: system_address(0x1000),
        key: slot.into(),
    }
}

/// The slot that only this batch writes.
fn own(batch: u32) -> StorageKey {
    StorageKey {
        address: system_address(0x2000),
        key: batch.into(),
    }
}

fn tip(number: u32) -> Tip {
    Tip {
        number,
        timestamp: 1_700_000_000 + u64::from(number),
        hash: H256::from_low_u64_be(u64::from(number) << 8),
    }
}

fn slot(value: u64, index: u64) -> Slot {
    Slot {
        value: value.into(),
        index,
    }
}

/// Code whose bytes do not shrink and tell the batch.
fn code_of(batch: u32) -> (U256, Vec<u8>) {
    let mut state = u64::from(batch) + 1;
    let bytes = std::iter::repeat_with(|| {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        (state >> 56) as u8
    });
    (batch.into(), bytes.take(CODE_BYTES).collect())
}

/// What batch `number` makes of a state: its number in all shared slots, a slot of its own, and code.
fn next_batch(start: &Contents, number: u32) -> ClosedBatch {
    let slots = (0..SHARED_SLOTS).map(shared).chain([own(number)]);
    let changes = slots.map(|key| change(start, key, number.into()));
    ClosedBatch {
        chain_id: 270,
        version: ProtocolVersion::new(29).unwrap(),
        batch: tip(number),
        l2_block: tip(10 * number),
        changes: changes.collect(),
        code: vec![code_of(number)],
    }
}

fn change(start: &Contents, key: StorageKey, after: u64) -> StorageChange {
    let before = start.slots.get(&key).copied().unwrap_or(slot(0, 0));
    StorageChange {
        key,
        before: before.value,
        after: after.into(),
        is_write_initial: before.index == 0,
    }
}

/// Commits the next batch.
fn advance(state: &mut ChainState) {
    let start = state.contents().clone();
    let number = start.head.map_or(FIRST, |head| head.batch.number + 1);
    state.commit(&start, &next_batch(&start, number)).unwrap();
}

/// What the state after `batches` batches must be.
fn expected(batches: u32) -> Contents {
    let mut contents = Contents::default();
    for number in FIRST..=batches {
        let batch = next_batch(&contents, number);
        contents = super::commit::apply(&contents, &batch).0;
    }
    contents
}

fn open(path: &Path) -> ChainState {
    ChainState::open(path).unwrap()
}

fn refusal(result: Result<(), crate::Error>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn a_commit_is_there_after_reopening_and_the_next_one_continues_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/state");
    let mut state = open(&path);
    assert_eq!((state.head(), state.contents()), (None, &Contents::default()));
    advance(&mut state);
    drop(state);

    let mut state = open(&path);
    assert_eq!(state.contents(), &expected(1));
    assert_eq!(state.head().unwrap().batch, tip(1));
    advance(&mut state);
    advance(&mut state);
    drop(state);

    let state = open(&path);
    assert_eq!(state.contents(), &expected(3));
    // The first batch numbers what it writes in order of address and key, a later one only what is new.
    let slots = &state.contents().slots;
    assert_eq!(slots[&shared(0)], slot(3, 1));
    assert_eq!(slots[&shared(SHARED_SLOTS - 1)], slot(3, SHARED_SLOTS));
    assert_eq!(slots[&own(1)], slot(1, SHARED_SLOTS + 1));
    assert_eq!(slots[&own(3)], slot(3, SHARED_SLOTS + 3));
    assert_eq!(state.head().unwrap().next_index, SHARED_SLOTS + 4);
    assert_eq!(state.contents().code.len(), 3);
}

#[test]
fn what_was_set_up_before_a_batch_is_committed_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut state = open(folder.path());
    let mut start = state.contents().clone();
    start.set_up(&[(shared(0), 5.into()), (own(100), 6.into())].into());
    start.code.insert(7.into(), vec![7; 32]);
    state.commit(&start, &next_batch(&start, 1)).unwrap();
    // A later batch may bring more.
    let mut start = state.contents().clone();
    start.set_up(&[(own(101), 8.into())].into());
    state.commit(&start, &next_batch(&start, 2)).unwrap();
    drop(state);

    let state = open(folder.path());
    let contents = state.contents();
    assert_eq!(contents.slots[&shared(0)], slot(2, 1));
    assert_eq!(contents.slots[&own(100)], slot(6, 2));
    assert_eq!(contents.slots[&own(101)], slot(8, contents.next_index() - 2));
    assert_eq!(contents.slots[&own(2)].index, contents.next_index() - 1);
    assert_eq!(contents.code[&7.into()], vec![7; 32]);
    assert_eq!(contents.head.unwrap().next_index, contents.next_index());
}

#[test]
fn a_zeroed_slot_keeps_its_index_and_slots_of_l1_messenger_get_none() {
    let folder = tempfile::tempdir().unwrap();
    let mut state = open(folder.path());
    advance(&mut state);
    let start = state.contents().clone();
    let messenger = StorageKey {
        address: L1_MESSENGER,
        key: 1.into(),
    };
    let mut batch = next_batch(&start, 2);
    batch.changes = vec![
        change(&start, own(2), 2),
        change(&start, messenger, 9),
        change(&start, own(1), 0),
    ];
    state.commit(&start, &batch).unwrap();
    drop(state);

    let state = open(folder.path());
    let slots = &state.contents().slots;
    assert_eq!(slots[&own(1)], slot(0, SHARED_SLOTS + 1));
    assert_eq!(slots[&own(2)], slot(2, SHARED_SLOTS + 2));
    assert_eq!(slots[&messenger], slot(9, 0));
}

#[test]
fn a_batch_that_does_not_continue_the_state_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut state = open(folder.path());
    let empty = state.contents().clone();
    advance(&mut state);
    let start = state.contents().clone();
    let good = next_batch(&start, 2);

    let moved = refusal(state.commit(&empty, &next_batch(&empty, 1)));
    assert!(
        moved.contains("the batch before it is no batch, expected batch 1 (0x"),
        "{moved}"
    );
    let mut wrong = start.clone();
    wrong.slots.remove(&shared(3));
    let absent = refusal(state.commit(&wrong, &good));
    assert!(absent.contains("slot 0x3 of 0x0000"), "{absent}");

    let mut refused = |change: &dyn Fn(&mut ClosedBatch), says: &str| {
        let mut batch = good.clone();
        change(&mut batch);
        let message = refusal(state.commit(&start, &batch));
        let names_folder = message.starts_with(&*folder.path().to_string_lossy());
        assert!(
            names_folder && message.contains(says),
            "expected {says}: {message}"
        );
    };
    refused(&|b| b.chain_id = 271, "its chain id is 271, expected 270");
    let version = ProtocolVersion::new(30).unwrap();
    refused(
        &|b| b.version = version,
        "its protocol version is Version30, expected Version29",
    );
    refused(&|b| b.batch.number = 3, "its number is 3, expected 2");
    refused(
        &|b| b.l2_block.number = 10,
        "its last L2 block is 10, expected one after 10",
    );
    refused(
        &|b| b.changes[4].before = 7.into(),
        "slot 0x4 of 0x0000000000000000000000000000000000001000 is 0x7 before the batch, \
         with an enumeration index, expected 0x1 before",
    );
    refused(
        &|b| b.changes[4].is_write_initial = true,
        "is 0x1 before the batch, without an enumeration index, expected 0x1 before the batch, with an",
    );

    assert_eq!(state.contents(), &start);
    drop(state);
    let mut state = open(folder.path());
    assert_eq!(state.contents(), &start);
    state.commit(&start, &good).unwrap();
    assert_eq!(state.contents(), &expected(2));
}

#[test]
fn a_second_owner_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let _state = open(folder.path());
    let error = ChainState::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("another process has this open"), "{error}");
}
