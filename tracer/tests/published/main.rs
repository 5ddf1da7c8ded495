//! Batches of each protocol version on its published bootloader, with real contracts: the bootloader reads what the
//! operator writes, and tells what the version's row says.

#![allow(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

mod base;
#[path = "../support/real_base.rs"]
mod real_base;
mod releases;
mod seen;

use std::collections::BTreeSet;
use std::path::Path;

use base::Messenger;
use eradbg_tracer::source::run::PubdataBuilder;
use eradbg_tracer::source::{self, Loaded};
use eradbg_vm::batch::InteropRoot;
use eradbg_vm::bootloader::{Hook, Layout};
use eradbg_vm::bytecode::{bytes_to_words, hash_bytecode, words_to_bytes};
use eradbg_vm::keccak::keccak256;
use eradbg_vm::protocol::{Interop, ProtocolVersion, PubdataFormat};
use eradbg_vm::pubdata::state_diff::derived_key;
use eradbg_vm::storage::{KNOWN_CODES_STORAGE, L1_MESSENGER, SYSTEM_CONTEXT};
use eradbg_vm::{H160, H256, U256};
use seen::{Seen, run, run_and_close};

/// Blocks of which the second has the timestamp of the first, where that is allowed.
const BLOCKS: &str = r#"
    (timestamp: 1_700_000_005, steps: [
        Upgrade(from: "alice", to: "bob", mint: 0, expect: Success),
        Transfer(from: "alice", to: "bob", value: "1 ether", expect: Success),
        Transfer(from: "alice", to: "bob", nonce: 77, expect: Rejected("")),
        Call(from: "alice", to: "KnownCodesStorage", function: "nonsense()", expect: Reverted("")),
    ]),
    (timestamp: SECOND, steps: [
        Priority(from: "0x1111111111111111111111111111111111111111", to: "bob", value: 0, expect: Success),
        Transfer(from: "alice", to: "bob", value: 1, type: Eip1559, expect: Success),
    ]),
"#;

fn version(number: u16) -> ProtocolVersion {
    ProtocolVersion::new(number).unwrap()
}

/// A scenario on the system of a version; `None`, and a line that says so, where it is not at hand.
fn load(version: ProtocolVersion, folder: &Path, batch: &str, blocks: &str) -> Option<(Loaded, Messenger)> {
    let messenger = base::write(&folder.join("base"), version)?;
    Some((load_from(version, folder, batch, blocks), messenger))
}

/// The same on a system that is in its folder already.
fn load_from(version: ProtocolVersion, folder: &Path, batch: &str, blocks: &str) -> Loaded {
    let text = format!(
        r#"(
            base: "base",
            chain: (protocol_version: {}, operator: "carol"),
            batch: ({batch}),
            accounts: {{ "alice": Rich(0), "bob": Rich(1), "carol": Rich(2) }},
            blocks: [{blocks}],
        )"#,
        version.number()
    );
    let path = folder.join("scenario.ron");
    std::fs::write(&path, text).unwrap();
    source::load(&path, None).unwrap_or_else(|error| panic!("{version}: {error}"))
}

fn mixed_batch(version: ProtocolVersion, folder: &Path) -> Option<(Loaded, Messenger)> {
    let second = 1_700_000_005 + u64::from(!version.protocol().timestamps_may_repeat);
    load(
        version,
        folder,
        "",
        &BLOCKS.replace("SECOND", &second.to_string()),
    )
}

fn key_of(version: ProtocolVersion, name: &str) -> Option<u64> {
    let mut logs = version.protocol().system_logs.iter();
    logs.find(|(_, known)| *known == name).map(|(key, _)| *key)
}

fn hash_word(hash: H256) -> U256 {
    U256::from_big_endian(hash.as_bytes())
}

/// keccak256 of words.
fn keccak(words: &[U256]) -> U256 {
    hash_word(keccak256(&words_to_bytes(words)))
}

#[test]
fn the_places_of_the_heap_stand_in_the_bootloaders_own_code() {
    for version in ProtocolVersion::all() {
        let Some(code) = base::bootloader(version) else {
            continue;
        };
        let constants: BTreeSet<U256> = bytes_to_words(&code).into_iter().collect();
        let layout = Layout::of(version);
        let mut places = vec![
            layout.compressed_bytecodes,
            layout.priority_operations,
            layout.priority_operations + 1,
            layout.pubdata,
            layout.descriptions,
            layout.encodings,
            layout.hook_parameters,
            layout.hook_parameters + 1,
            layout.hook_parameters + 2,
            layout.hook,
            layout.results,
        ];
        if version.number() < 26 {
            // Later ones add these up from what fits into an instruction.
            places.extend([layout.overheads, layout.trusted_gas_limits, layout.l2_blocks]);
        }
        if let Some(interop) = layout.interop {
            places.extend([
                interop.processing,
                interop.processing + 1,
                interop.processing + 2,
                interop.roots_hash,
                interop.status_hash,
            ]);
        }
        places.extend(
            layout
                .settlement_layer
                .into_iter()
                .flat_map(|slot| [slot, slot + 1]),
        );
        for slot in places {
            assert!(
                constants.contains(&(slot * 32).into()),
                "{version} does not name slot {slot}, {}",
                layout.name(slot)
            );
        }
    }
}

#[test]
fn a_batch_closes_on_the_bootloader_of_its_version() {
    for version in ProtocolVersion::all() {
        let folder = tempfile::tempdir().unwrap();
        let Some((mut loaded, messenger)) = mixed_batch(version, folder.path()) else {
            continue;
        };
        let previous = H256::repeat_byte(0x5a);
        loaded.input.batch.previous_batch_hash = Some(previous);
        let seen = run_and_close(loaded);
        check_hooks(&seen);
        check_logs(version, messenger, previous, &seen);
        check_publishing(version, &seen);
    }
}

/// The hooks of a batch whose third transaction is rejected.
fn check_hooks(seen: &Seen) {
    let count = |hook: Hook| seen.hooks.iter().filter(|&&id| id == hook as u32).count();
    assert_eq!(count(Hook::TxHasEnded), 5);
    assert_eq!(count(Hook::AskOperatorForRefund), 5);
    assert_eq!(count(Hook::NotifyAboutRefund), 5);
    assert_eq!(count(Hook::ValidationStepEnded), 3);
    let tip = seen.hooks.iter().rev().map(|&id| Hook::new(id).unwrap());
    let tip: Vec<_> = tip.filter(|&hook| hook != Hook::DebugLog).take(2).collect();
    assert_eq!(tip, [Hook::PubdataRequested, Hook::FinalBatchInfo]);
}

fn check_logs(version: ProtocolVersion, messenger: Messenger, previous: H256, seen: &Seen) {
    let keys: BTreeSet<u64> = seen.logs.iter().map(|log| log.key.as_u64()).collect();
    let mut known: BTreeSet<u64> = version
        .protocol()
        .system_logs
        .iter()
        .map(|(key, _)| *key)
        .collect();
    if messenger == Messenger::Anything {
        for name in [
            "root of the logs",
            "output of the DA validator",
            "DA commitment scheme",
        ] {
            known.remove(&key_of(version, name).unwrap());
        }
    }
    assert_eq!(keys, known, "{version}");

    let value = |name| seen.log(key_of(version, name)?);
    let hash = |index: usize| U256::from_big_endian(seen.transactions[index].tx_hash.as_bytes());
    assert_eq!(value("previous batch hash"), Some(hash_word(previous)));
    assert_eq!(value("upgrade transaction"), Some(hash(0)), "{version}");
    let last_block = 1_700_000_006 + u64::from(!version.protocol().timestamps_may_repeat);
    let times = (U256::from(1_700_000_000) << 128) + last_block;
    let name = "timestamps of batch and last L2 block";
    assert_eq!(value(name), Some(times), "{version}");
    let operations = keccak(&[hash_word(keccak256(&[])), hash(4)]);
    assert_eq!(value("hash of the priority operations"), Some(operations));
    if version.number() < 31 {
        assert_eq!(value("number of L1 transactions"), Some(1.into()));
    } else {
        let numbers = value("numbers of L2 and L1 transactions").unwrap();
        assert_eq!(numbers, (U256::from(3) << 128) + 1, "{version}");
        assert_eq!(value("settlement layer"), Some(1.into()));
    }
    if version.number() >= 29 {
        let status = [(0, 1), (1, 1), (3, 0), (4, 1), (5, 1)];
        let hashed = status.into_iter().fold(U256::zero(), |hashed, (index, status)| {
            let mut bytes = words_to_bytes(&[hash(index)]);
            bytes.push(status);
            keccak(&[hashed, hash_word(keccak256(&bytes))])
        });
        assert_eq!(
            value("hash of the transactions' status"),
            Some(hashed),
            "{version}"
        );
        assert_eq!(value("hash of the interop roots"), Some(U256::zero()));
    }
}

/// `L1Messenger` gets what the operator wrote, behind what the bootloader puts before it.
fn check_publishing(version: ProtocolVersion, seen: &Seen) {
    let calldata = seen.calls_of(L1_MESSENGER).next_back().unwrap();
    let layout = Layout::of(version);
    let area = layout.pubdata as u32..layout.descriptions as u32;
    let written: Vec<U256> = seen.words.range(area).map(|(_, &word)| word).collect();
    let (head, length_at) = match version.protocol().pubdata {
        PubdataFormat::Plain => (vec![U256::from(0x20)], 0),
        PubdataFormat::DaValidator | PubdataFormat::CommitmentScheme => (vec![], 2),
    };
    let length = (head.len() + length_at + 1) * 32 + written[length_at].as_usize();
    let expected = words_to_bytes(&[head, written].concat());
    assert!(expected.len() - length < 32);
    assert_eq!(calldata[4..], expected[..length], "{version}");
}

#[test]
fn hashed_pubdata_is_accepted_from_the_gateway_on() {
    for version in ProtocolVersion::all().filter(|version| version.number() >= 26) {
        let folder = tempfile::tempdir().unwrap();
        let Some((mut loaded, _)) = mixed_batch(version, folder.path()) else {
            continue;
        };
        loaded.run.pubdata_builder = PubdataBuilder::Hashed;
        let seen = run_and_close(loaded);
        check_publishing(version, &seen);
        assert_eq!(seen.batch.unwrap().pubdata_input.len(), 2 + 64, "{version}");
    }
}

#[test]
fn roots_of_other_chains_are_handed_on_and_hashed_in_the_order_of_the_blocks() {
    let storage = H160::from_low_u64_be(0x1_0008);
    let selector = &keccak256(b"addInteropRoot(uint256,uint256,bytes32[])").0[..4];
    for version in ProtocolVersion::all() {
        let folder = tempfile::tempdir().unwrap();
        let Some((mut loaded, _)) = mixed_batch(version, folder.path()) else {
            continue;
        };
        let root = |number: u64| InteropRoot {
            chain_id: 500 + number,
            block_number: 70 + number as u32,
            sides: vec![H256::from_low_u64_be(900 + number)],
        };
        loaded.input.blocks[0].env.interop_roots = vec![root(0), root(1)];
        loaded.input.batch.first_l2_block = loaded.input.blocks[0].env.clone();
        loaded.input.blocks[1].env.interop_roots = vec![root(2)];
        let seen = run_and_close(loaded);
        let mut calls: Vec<&[u8]> = seen.calls_of(storage).collect();
        if version.protocol().interop == Interop::None {
            assert!(calls.is_empty(), "{version}");
            continue;
        }
        // A rejected transaction is run again from the snapshot before it, which holds all of these.
        calls.dedup();
        let mut hashed = U256::zero();
        let words = |number: u64| [500 + number, 70 + number].map(U256::from);
        for (number, call) in (0..).zip(&calls) {
            let [chain, block] = words(number);
            let side = U256::from(900 + number);
            let arguments = words_to_bytes(&[chain, block, 0x60.into(), 1.into(), side]);
            assert_eq!((&call[..4], &call[4..]), (selector, &arguments[..]), "{version}");
            hashed = keccak(&[hashed, chain, block, side]);
        }
        assert_eq!(calls.len(), 3, "{version}");
        let key = key_of(version, "hash of the interop roots").unwrap();
        assert_eq!(seen.log(key), Some(hashed), "{version}");
    }
}

#[test]
fn the_settlement_layer_and_the_interop_fee_are_handed_on_from_version_31_on() {
    let selector = &keccak256(b"setSettlementLayerChainId(uint256)").0[..4];
    for version in ProtocolVersion::all() {
        let folder = tempfile::tempdir().unwrap();
        let Some((mut loaded, _)) = mixed_batch(version, folder.path()) else {
            continue;
        };
        loaded.input.batch.settlement_layer_chain_id = 506;
        loaded.input.batch.interop_fee = 1_234.into();
        let seen = run_and_close(loaded);
        let chains: Vec<&[u8]> = seen
            .calls_of(SYSTEM_CONTEXT)
            .filter_map(|call| call.strip_prefix(selector))
            .collect();
        let fee = words_to_bytes(&[1_234.into()]);
        let fees = seen
            .calls
            .iter()
            .filter(|(_, call)| call.get(4..) == Some(&fee))
            .count();
        if version.number() < 31 {
            assert_eq!((chains.len(), fees), (0, 0), "{version}");
        } else {
            assert!(
                chains
                    .iter()
                    .all(|chain| **chain == words_to_bytes(&[506.into()]))
            );
            assert!(!chains.is_empty() && fees > 0, "{version}");
            let key = key_of(version, "settlement layer").unwrap();
            assert_eq!(seen.log(key), Some(506.into()));
        }
    }
}

#[test]
fn prices_above_the_caps_of_version_24_are_accepted_from_version_25_on() {
    for (batch, error) in [
        ("fair_pubdata_price: 1_000_000_000_000_001", "pubdata price"),
        ("fair_l2_gas_price: 10_000_000_000_001", "gas price"),
    ] {
        for version in ProtocolVersion::all() {
            let folder = tempfile::tempdir().unwrap();
            let blocks = r#"(steps: [Transfer(from: "alice", to: "bob", value: 1)])"#;
            let Some((loaded, _)) = load(version, folder.path(), batch, blocks) else {
                continue;
            };
            let seen = run(loaded);
            let result = &seen.transactions[0].run.result;
            let is_capped = result["status"] == "halt";
            assert_eq!(is_capped, version.number() == 24, "{version}: {error}: {result}");
        }
    }
}

#[test]
fn only_version_24_brings_an_older_system_context_up_to_date_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let system_context = |version: ProtocolVersion| {
        let folder = folder.path().join(version.to_string());
        base::write(&folder, version)?;
        Some(base::contract(&folder, "SystemContext"))
    };
    let Some(wanted) = system_context(version(24)) else {
        return;
    };
    let mut others = ProtocolVersion::all().filter_map(system_context);
    let Some(other) = others.find(|code| *code != wanted) else {
        eprintln!("NOT RUN: all versions have the same SystemContext");
        return;
    };
    let wanted_hash = hash_bytecode(&wanted).unwrap();
    for version in [version(24), version(25)] {
        let folder = tempfile::tempdir().unwrap();
        base::write(&folder.path().join("base"), version).unwrap();
        base::replace(&folder.path().join("base"), "SystemContext", &other);
        let blocks = r#"(steps: [Transfer(from: "alice", to: "bob", value: 1, expect: Success)])"#;
        let mut loaded = load_from(version, folder.path(), "", blocks);
        let mark = derived_key(KNOWN_CODES_STORAGE, wanted_hash);
        let storage = &mut loaded.input.storage;
        storage.slots.insert(mark, Some((U256::one(), 1_000_000)));
        storage.factory_deps.insert(wanted_hash, wanted.clone());
        let diffs = run_and_close(loaded).batch.unwrap().state_diffs;
        let word = |bytes: &[u8]| U256::from_big_endian(bytes);
        let of_context = word(SYSTEM_CONTEXT.as_bytes());
        let changed = diffs
            .iter()
            .find(|diff| word(&diff.0[18..]) == 0x8002.into() && word(diff.1.as_bytes()) == of_context);
        let now = changed.map(|diff| word(diff.5.as_bytes()));
        let expected = (version.number() == 24).then_some(wanted_hash);
        assert_eq!(now, expected, "{version}");
    }
}
