//! A batch that is full: how much the bootloader's heap holds, to the last slot, and what happens beyond.
//!
//! Sizes: `matter-labs/zksync-era` `core/lib/multivm/src/versions/vm_latest/constants.rs`.

use eradbg_fixtures::mini_batch_of;
use eradbg_vm::batch::{BatchInput, Transaction};
use eradbg_vm::bootloader::state::{BootloaderState, PushError, Words};
use eradbg_vm::bytecode::compress::CompressedBytecode;
use eradbg_vm::operator::{OperatorError, OperatorVm};
use eradbg_vm::protocol::ProtocolVersion;
use eradbg_vm::storage::SnapshotStorage;

/// Words of an encoding without any dynamic part.
const SHORTEST: usize = 25;

fn input(version: ProtocolVersion) -> BatchInput {
    mini_batch_of(version, 1)
}

fn start(version: ProtocolVersion) -> (BootloaderState, Transaction) {
    let input = input(version);
    let (state, _) = BootloaderState::new(&input.batch, input.system.clone());
    let shortest = Transaction {
        known_hash: input.blocks[0].transactions[0].known_hash,
        ..Transaction::default()
    };
    assert_eq!(shortest.encode().len(), SHORTEST);
    (state, shortest)
}

/// A transaction whose encoding takes so many words.
fn long(shortest: &Transaction, words: usize) -> Transaction {
    Transaction {
        data: vec![1; 32 * (words - SHORTEST)],
        ..shortest.clone()
    }
}

/// A bytecode whose call takes so many words: hash, selector, two offsets, two lengths, and the bytes.
fn bytecode(words: usize) -> CompressedBytecode {
    CompressedBytecode {
        hash: 7.into(),
        original: vec![1; 32],
        compressed: vec![2; 32 * (words - 7)],
    }
}

fn slots(words: &Words) -> Vec<usize> {
    words.iter().map(|(slot, _)| *slot as usize).collect()
}

#[test]
fn a_batch_holds_10_000_transactions() {
    for version in ProtocolVersion::all() {
        let (mut state, shortest) = start(version);
        let layout = *state.layout();
        let mut last = Words::new();
        for _ in 0..10_000 {
            last = state.push_transaction(&shortest, &[]).unwrap();
        }
        let first_free = layout.encodings + 10_000 * SHORTEST;
        assert!(slots(&last).iter().all(|slot| *slot < first_free), "{version}");
        // The last of each list is the last of its area.
        for area in [layout.overheads, layout.trusted_gas_limits, layout.l2_blocks] {
            assert!(slots(&last).contains(&(area - 1)), "{version}");
        }
        assert!(slots(&last).contains(&(layout.descriptions + 2 * 10_000 - 1)));
        let before = state.clone();
        assert_eq!(
            state.push_transaction(&shortest, &[]),
            Err(PushError::TooManyTransactions)
        );
        assert_eq!(state, before);
        // The block without transactions has a place behind them.
        let fictive = state.start_fictive_block();
        let block = layout.l2_blocks + 4 * 10_000;
        assert_eq!(slots(&fictive)[..4], [block, block + 1, block + 2, block + 3]);
        let end = layout
            .interop
            .map_or(layout.compressed_bytecodes, |it| it.processing);
        assert_eq!(block + 4, end, "{version}");
    }
}

#[test]
fn encodings_fill_their_area_to_the_last_slot_before_the_hook() {
    for version in ProtocolVersion::all() {
        let (mut state, shortest) = start(version);
        let layout = *state.layout();
        assert_eq!(layout.encodings + layout.encoding_slots, layout.hook_parameters);
        state.push_transaction(&shortest, &[]).unwrap();
        let rest = layout.encoding_slots - SHORTEST;
        let before = state.clone();
        assert_eq!(
            state.push_transaction(&long(&shortest, rest + 1), &[]),
            Err(PushError::EncodingTooLong {
                index: 1,
                needed: layout.encoding_slots + 1,
                available: layout.encoding_slots,
            }),
            "{version}"
        );
        assert_eq!(state, before);
        let words = state.push_transaction(&long(&shortest, rest), &[]).unwrap();
        assert!(slots(&words).contains(&(layout.hook_parameters - 1)), "{version}");
        assert!(matches!(
            state.push_transaction(&shortest, &[]),
            Err(PushError::EncodingTooLong { index: 2, .. })
        ));
    }
}

#[test]
fn compressed_bytecodes_fill_their_area_but_for_the_bootloaders_pointer() {
    for version in ProtocolVersion::all() {
        let (mut state, shortest) = start(version);
        let layout = *state.layout();
        let all = 196_608 - 1;
        state.push_transaction(&shortest, &[bytecode(100)]).unwrap();
        let before = state.clone();
        assert_eq!(
            state.push_transaction(&shortest, &[bytecode(50), bytecode(all - 150 + 1)]),
            Err(PushError::BytecodesTooLong { index: 1 }),
            "{version}"
        );
        assert_eq!(state, before);
        let words = state
            .push_transaction(&shortest, &[bytecode(50), bytecode(all - 150)])
            .unwrap();
        let area_end = layout.priority_operations;
        assert!(slots(&words).contains(&(area_end - 1)), "{version}");
        // A transaction without bytecodes needs no place there.
        state.push_transaction(&shortest, &[]).unwrap();
    }
}

#[test]
fn a_transaction_that_does_not_fit_can_be_left_out() {
    let version = ProtocolVersion::new(29).unwrap();
    let input = input(version);
    let storage = SnapshotStorage::new(input.storage.clone());
    let mut operator = OperatorVm::new(input.batch.clone(), input.system.clone(), storage, &mut ());
    let good = &input.blocks[0].transactions[0];
    let huge = Transaction {
        data: vec![1; 32 * operator.bootloader_state().layout().encoding_slots],
        ..good.clone()
    };
    let heap = operator.machine().execution.bootloader_heap().clone();
    assert!(matches!(
        operator.push_transaction(&huge, true, &mut ()),
        Err(OperatorError::Push(PushError::EncodingTooLong { index: 0, .. }))
    ));
    assert_eq!(operator.machine().execution.bootloader_heap(), &heap);
    operator.push_transaction(good, true, &mut ()).unwrap();
    assert_eq!(operator.bootloader_state().transaction_count(), 1);
}
