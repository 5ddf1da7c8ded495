//! What a recording says, `zksync_vm2` says too.
//!
//! The official fast VM runs the same bytecode over the same storage. At each hook it is given the words that the
//! recording says the operator wrote, and it takes and restores snapshots where the recording says so. Ergs, pubdata,
//! refunds, pubdata costs, results, events, logs and storage must then be the recording's.
//!
//! This says nothing about the operator, whose words are taken over, nor about prices of pubdata, which both sides get
//! from the same function. It covers the subset on which both official VMs agree: no static memory, no precompile call
//! with too few ergs, no use of page ids as numbers, no validation that the operator cuts off.

#![allow(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

mod chain;
mod compare;
mod machine;
mod real;
#[path = "../support/real_base.rs"]
mod real_base;
mod real_limits;
mod real_modes;
mod real_pubdata;
mod real_rules;
mod real_words;
#[path = "../support.rs"]
mod support;
mod transcript;
#[path = "../support/words.rs"]
mod words;

use std::sync::Arc;

use eradbg_fixtures::embedded::SCENARIOS;
use eradbg_fixtures::mini_batch;
use eradbg_tracer::Recording;
use eradbg_tracer::drive::Sink;
use eradbg_tracer::ledger::OperatorRow;
use eradbg_tracer::manifest::EndKind;
use eradbg_tracer::recorder::{Control, Recorder};
use eradbg_tracer::recording::TxStatus;
use eradbg_tracer::report::{BatchReport, ExecutionState, TransactionReport};
use eradbg_tracer::source::run::{Driver, FinishBatch, RunConfig, UnpublishedBytecodes};
use eradbg_tracer::source::{Script, scenario};
use eradbg_vm::batch::BatchInput;
use eradbg_vm::bytecode::{hash_bytecode, words_to_bytes};
use eradbg_vm::operator::{OperatorVm, PubdataTarget, RunMode};
use eradbg_vm::pubdata::builder::{DaTarget, PubdataBuilder};
use eradbg_vm::storage::SnapshotStorage;
use eradbg_vm::{H160, Instruction, Opcode, U256};

use compare::{Mismatch, compare, compare_with};
use support::{Input, manifest, record, vectors};
use transcript::Transcript;

/// Scenarios in which the official VMs differ from each other: `zksync_vm2` looks up the code hash of a far call into
/// another shard, `vm_latest` does not.
const OTHER_RULES: [&str; 2] = ["guest_panics", "guest_panics_of_the_kernel"];

/// The instruction word of a no-op.
const NOP: u64 = 1;

#[test]
fn the_mini_batch_is_the_same_on_the_official_fast_vm() {
    check(&mini(6));
}

#[test]
fn embedded_scenarios_are_the_same_on_the_official_fast_vm() {
    let same = SCENARIOS
        .iter()
        .filter(|scenario| !OTHER_RULES.contains(&scenario.name));
    for embedded in same {
        let loaded = scenario::embedded(embedded.name).unwrap();
        let config = loaded.run;
        check(&Input::of(loaded, config));
    }
}

#[test]
fn transactions_run_in_one_go_are_the_same_on_the_official_fast_vm() {
    let mut input = mini(3);
    input.config.driver = Driver::Batch;
    check(&input);
    let recorded = record(&input, 1_000);
    let transactions = recorded.recording.transactions();
    let statuses: Vec<TxStatus> = transactions.iter().map(|row| row.status).collect();
    assert_eq!(
        statuses,
        [TxStatus::Success, TxStatus::Success, TxStatus::Reverted]
    );
    for pair in transactions.windows(2) {
        assert_eq!(pair[1].first_step, pair[0].first_step + pair[0].steps);
    }
}

#[test]
fn a_batch_left_open_after_a_rejected_transaction_is_the_same_on_the_official_fast_vm() {
    let mut input = mini(4);
    input.config.finish_batch = FinishBatch::No;
    let recorded = record(&input, 1_000);
    let rejected = &recorded.recording.transactions()[3];
    assert_eq!(rejected.status, TxStatus::Halted);
    let undone = recorded.recording.undone();
    assert_eq!(undone.len(), 1);
    assert_eq!(
        (undone[0].first_step, undone[0].end_step),
        (rejected.first_step, recorded.recording.steps())
    );
    check(&input);
}

#[test]
fn transactions_that_a_held_snapshot_takes_back_are_the_same_on_the_official_fast_vm() {
    let input = mini(3);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recording");
    let control = Arc::new(Control::new(Arc::default()));
    let mut sink = Recorder::create(&path, &manifest(&input, 1_000), &[], control).unwrap();
    let storage = SnapshotStorage::new(input.batch.storage.clone());
    let (batch, system) = (input.batch.batch.clone(), input.batch.system.clone());
    let mut operator = OperatorVm::new(batch, system, storage, &mut sink);
    let transactions: Vec<_> = input.batch.transactions().collect();
    for (index, transaction) in [0, 1, 2, 0]
        .map(|index| transactions[index])
        .into_iter()
        .enumerate()
    {
        match index {
            1 => operator.make_snapshot(&mut sink),
            3 => operator.roll_back(&mut sink),
            _ => {}
        }
        sink.transaction_started(index, 0, operator.machine().execution.steps());
        operator.push_transaction(transaction, true, &mut sink).unwrap();
        let run = operator.run(RunMode::OneTransaction, &mut sink).unwrap();
        let report = TransactionReport::new(run, None, false);
        sink.transaction_ended(index);
        sink.transaction_done(TransactionReport { index, ..report });
    }
    let target = PubdataTarget {
        builder: PubdataBuilder::Full,
        da: DaTarget::Validator(H160::zero()),
    };
    let closed = operator.finish_batch(target, &mut sink).unwrap();
    sink.batch_done(BatchReport::new(&closed));
    sink.finish(&operator.machine().execution, EndKind::Finished)
        .unwrap();
    let recording = Recording::open(&path).unwrap();
    assert_eq!(Transcript::of(&recording).transactions.len(), 4);
    assert_eq!(compare(&input.batch, &recording), []);
}

#[test]
fn transactions_that_are_run_again_without_compression_are_the_same_on_the_official_fast_vm() {
    let mut inputs = vectors(&["out_of_gas_execution"]);
    inputs.push(mini(3));
    for mut input in inputs {
        input.config.unpublished_bytecodes = UnpublishedBytecodes::Retry;
        assert_eq!(record(&input, 16_384).recording.undone().len(), 1);
        check(&input);
    }
}

#[test]
fn real_batches_are_the_same_on_the_official_fast_vm() {
    for input in vectors(&[
        "eth_call",
        "real_validation_adjacent_storage_slots",
        "rejected_bad_nonce_and_signature",
        "mixed_batch_a",
        "evm_emulator_basic",
        "whole_batch_mode",
        "v26_mixed_batch",
    ]) {
        check(&input);
    }
}

#[test]
fn another_word_of_the_operator_shows_in_the_comparison() {
    let input = mini(2);
    let recorded = record(&input, 1_000);
    let mut transcript = Transcript::of(&recorded.recording);
    let refunds = recorded.recording.layout().refunds as u32;
    let refund = transcript.rows.iter_mut().find_map(|row| match &mut row.row {
        OperatorRow::Write { slot, new, .. } if *slot == refunds && !new.is_zero() => Some(new),
        _ => None,
    });
    *refund.unwrap() += U256::one();
    let found = compare_with(&input.batch, &recorded.recording, &transcript);
    assert!(names(&found, "NotifyAboutRefund", "refund"), "{found:?}");
    assert!(names(&found, "transaction 0", "gas_refunded"), "{found:?}");
    assert!(!names(&found, "transaction 1", ""), "{found:?}");
}

#[test]
fn another_number_in_a_report_or_at_a_hook_shows_in_the_comparison() {
    let input = mini(2);
    let recorded = record(&input, 1_000);
    let transcript = Transcript::of(&recorded.recording);
    let find = |change: &dyn Fn(&mut Transcript)| {
        let mut changed = transcript.clone();
        change(&mut changed);
        compare_with(&input.batch, &recorded.recording, &changed)
    };
    let expect_one = |found: &[Mismatch], place, field| {
        assert!(
            found.len() == 1 && names(found, place, field),
            "{field}: {found:?}"
        );
    };
    let found = find(&|it| it.at_hooks[3].ergs += 1);
    expect_one(&found, "hook 3 of the batch", "ergs");
    let found = find(&|it| it.at_hooks[5].pubdata -= 1);
    expect_one(&found, "hook 5 of the batch", "pubdata");
    let found = find(&|it| it.transactions[1].run.storage_changes.truncate(1));
    expect_one(&found, "transaction 1", "length of storage_changes");
    let changes: [(&str, Change); 6] = [
        ("storage_refunds", |it| {
            *it.storage_refunds.last_mut().unwrap() += 1;
        }),
        ("pubdata_costs", |it| {
            *it.pubdata_costs.last_mut().unwrap() += 1;
        }),
        ("used_contract_hashes", |it| it.used_contract_hashes.reverse()),
        ("events", |it| it.events.last_mut().unwrap().data.push(1)),
        ("system_logs", |it| it.system_logs.last_mut().unwrap().tx += 1),
        ("deduplicated_storage_logs", |it| {
            it.deduplicated_storage_logs.last_mut().unwrap().2.0[7] ^= 1;
        }),
    ];
    for (list, change) in changes {
        let found = find(&|it| {
            let state = &mut it.batch.as_mut().unwrap().final_execution_state;
            change(state);
        });
        expect_one(&found, "batch", list);
    }
}

/// Records an input and compares.
fn check(input: &Input) {
    let recorded = record(input, 16_384);
    let found = compare(&input.batch, &recorded.recording);
    let found: Vec<String> = found.iter().map(Mismatch::to_string).collect();
    assert!(found.is_empty(), "{}:\n{}", input.name, found.join("\n"));
}

fn names(found: &[Mismatch], place: &str, field: &str) -> bool {
    found
        .iter()
        .any(|it| it.place.contains(place) && it.field.contains(field))
}

/// Changes what a batch left.
type Change = fn(&mut ExecutionState);

/// The mini batch, without what `zksync_vm2` 0.5.0 does not have.
fn mini(transactions: usize) -> Input {
    Input {
        name: "mini".to_owned(),
        batch: without_static_memory(mini_batch(transactions)),
        script: Script::default(),
        config: RunConfig::default(),
    }
}

/// The batch with no-ops where its bootloader reads and writes static memory.
fn without_static_memory(mut batch: BatchInput) -> BatchInput {
    let bootloader = &mut batch.system.bootloader;
    let is_static = |word: u64| {
        let opcode = Instruction::decode(word).opcode;
        matches!(opcode, Opcode::StaticRead | Opcode::StaticWrite)
    };
    let found = bootloader
        .words
        .iter_mut()
        .flat_map(|word| &mut word.0)
        .filter(|word| is_static(**word));
    let found: Vec<&mut u64> = found.collect();
    assert_eq!(
        found.len(),
        2,
        "the bootloader writes static memory once and reads it once"
    );
    for word in found {
        *word = NOP;
    }
    bootloader.hash = hash_bytecode(&words_to_bytes(&bootloader.words)).unwrap();
    batch
}
