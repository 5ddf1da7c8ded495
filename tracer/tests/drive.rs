//! What the batch executor does with a transaction besides keeping it: runs it again, rejects it, only validates it.

#![allow(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

mod support;

use std::ops::ControlFlow;

use eradbg_fixtures::{TransactionKind, mini_batch};
use eradbg_tracer::drive::{self, DriveEnd, DriveError, Reports, Session};
use eradbg_tracer::ledger::OperatorRow;
use eradbg_tracer::recording::TxStatus;
use eradbg_tracer::report::{BatchReport, TransactionReport};
use eradbg_tracer::source::Script;
use eradbg_tracer::source::run::{Driver, FinishBatch, OptionsError, RunConfig, UnpublishedBytecodes};
use eradbg_tracer::verify::verify;
use eradbg_vm::batch::BatchInput;
use eradbg_vm::bootloader::l2_block::BlockError;
use eradbg_vm::operator::OperatorError;
use serde_json::json;
use support::{Input, record, vectors};

fn drive(input: BatchInput, config: &RunConfig) -> (Reports, Result<DriveEnd, DriveError>) {
    // Hashes of blocks depend on which transactions stay.
    let script = Script {
        links_blocks: true,
        ..Script::default()
    };
    let (driven, reports) = drive::run(input, script, config);
    (reports, driven.end)
}

const fn with(unpublished_bytecodes: UnpublishedBytecodes) -> RunConfig {
    RunConfig {
        driver: Driver::OneTx,
        finish_batch: FinishBatch::Yes,
        bytecode_compression: true,
        unpublished_bytecodes,
        pubdata_builder: eradbg_tracer::source::run::PubdataBuilder::Full,
        l2_da_validator: eradbg_vm::H160::zero(),
        l2_da_commitment_scheme: None,
    }
}

/// The first transaction of this batch brings code along that never gets published.
fn unpublished() -> BatchInput {
    mini_batch(3)
}

/// Reports without the numbers of steps, which no rollback takes back.
fn without_steps(reports: Reports) -> (Vec<TransactionReport>, BatchReport) {
    let mut transactions = reports.transactions;
    for report in &mut transactions {
        report.run.first_step = 0;
        report.first_attempt = None;
    }
    let mut batch = reports.batch.unwrap();
    batch.block_tip.first_step = 0;
    (transactions, batch)
}

#[test]
fn by_default_a_transaction_with_unpublished_bytecodes_stays() {
    let (reports, end) = drive(unpublished(), &RunConfig::default());
    assert_eq!(end, Ok(DriveEnd::Finished));
    let first = &reports.transactions[0];
    assert_eq!(
        first.compressed_bytecodes,
        json!({"error": "Bytecode compression failed"})
    );
    assert!(!first.rolled_back && first.first_attempt.is_none());
}

#[test]
fn a_retried_transaction_leaves_the_batch_as_if_it_had_never_been_compressed() {
    let (retried, end) = drive(unpublished(), &with(UnpublishedBytecodes::Retry));
    assert_eq!(end, Ok(DriveEnd::Finished));
    let first = &retried.transactions[0];
    assert_eq!(first.compressed_bytecodes, json!([]));
    assert!(!first.rolled_back);
    let attempt = first.first_attempt.as_ref().unwrap();
    assert_eq!(first.run.first_step, attempt.first_step + attempt.cycles_used);
    assert!(retried.transactions[1].first_attempt.is_none());

    let uncompressed = RunConfig {
        bytecode_compression: false,
        ..RunConfig::default()
    };
    let (plain, _) = drive(unpublished(), &uncompressed);
    assert_eq!(without_steps(retried), without_steps(plain));
}

#[test]
fn a_rejected_transaction_leaves_the_batch_as_if_it_had_never_been_pushed() {
    let (rejected, end) = drive(unpublished(), &with(UnpublishedBytecodes::Reject));
    assert_eq!(end, Ok(DriveEnd::Finished));
    let first = &rejected.transactions[0];
    assert!(first.rolled_back);
    assert_eq!(
        first.run.result["reason"]["halt"],
        "FailedToPublishCompressedBytecodes"
    );
    let mut without = unpublished();
    without.blocks[0].transactions.remove(0);
    let (mut rejected, mut plain) = (rejected, drive(without, &RunConfig::default()).0);
    rejected.transactions.remove(0);
    for report in rejected.transactions.iter_mut().chain(&mut plain.transactions) {
        report.index = 0;
    }
    assert_eq!(without_steps(rejected), without_steps(plain));
}

#[test]
fn a_recording_has_both_attempts_and_what_the_operator_did_between_them() {
    let input = Input {
        name: "retried".to_owned(),
        batch: unpublished(),
        script: Script::default(),
        config: with(UnpublishedBytecodes::Retry),
    };
    for chunk_steps in [64, 16_384] {
        let recording = record(&input, chunk_steps).recording;
        let report = &recording.reports().unwrap()[0];
        let attempt = report.first_attempt.as_ref().unwrap();
        let row = &recording.transactions()[0];
        assert_eq!(row.status, TxStatus::Success);
        assert_eq!(
            (row.first_step, row.rerun_at),
            (attempt.first_step, Some(report.run.first_step))
        );
        assert_eq!(row.steps, attempt.cycles_used + report.run.cycles_used);
        let undone = recording.undone();
        assert_eq!(undone.len(), 1);
        assert_eq!(
            (undone[0].first_step, undone[0].end_step),
            (attempt.first_step, report.run.first_step)
        );

        let rows =
            (0..recording.row_blocks()).flat_map(|block| recording.rows::<OperatorRow>(block).unwrap());
        let first = rows
            .map(|row| row.row)
            .take_while(|row| *row != OperatorRow::TransactionDone { index: 0 });
        let acts = first.filter_map(|row| match row {
            OperatorRow::TransactionStarted { .. } => Some("start"),
            OperatorRow::Snapshot => Some("snapshot"),
            OperatorRow::RolledBack => Some("roll back"),
            OperatorRow::SnapshotDropped => Some("drop"),
            OperatorRow::Hook { id: 4, .. } => Some("end"),
            _ => None,
        });
        let expected = ["start", "snapshot", "end", "roll back", "snapshot", "end", "drop"];
        assert_eq!(acts.collect::<Vec<_>>(), expected);
        let findings = verify(&recording, |_| ControlFlow::Continue(()));
        assert_eq!(findings.broken, [""; 0]);
    }
}

#[test]
fn each_transaction_is_validated_as_if_it_were_the_only_one() {
    let config = RunConfig {
        driver: Driver::ValidateOnly,
        ..RunConfig::default()
    };
    let mut input = mini_batch(5);
    input.blocks.truncate(1);
    let halting = mini_batch(5).transactions().nth(3).unwrap().clone();
    assert_eq!(TransactionKind::of(3), TransactionKind::Halts);
    input.blocks[0].transactions.insert(1, halting);
    let alone = |index: usize| {
        let mut input = input.clone();
        let transaction = input.blocks[0].transactions.remove(index);
        input.blocks[0].transactions = vec![transaction];
        let reports = drive(input, &config).0;
        assert!(!reports.transactions[0].rolled_back);
        reports.transactions[0].run.clone()
    };
    let (reports, end) = drive(input.clone(), &config);
    assert_eq!(end, Ok(DriveEnd::Finished));
    assert!(reports.batch.is_none());
    let taken_back: Vec<bool> = reports
        .transactions
        .iter()
        .map(|report| report.rolled_back)
        .collect();
    assert_eq!(taken_back, [true, true, false]);
    for (index, report) in reports.transactions.iter().enumerate() {
        let mut run = report.run.clone();
        run.first_step = 0;
        assert_eq!(run, alone(index), "transaction {index}");
    }
}

#[test]
fn an_l2_block_of_which_nothing_stayed_is_followed_by_no_other() {
    let mut input = mini_batch(6);
    input.blocks[0].transactions = vec![mini_batch(4).transactions().nth(3).unwrap().clone()];
    let rejected = drive(input, &RunConfig::default()).1;
    let validate = RunConfig {
        driver: Driver::ValidateOnly,
        ..RunConfig::default()
    };
    let validated = drive(mini_batch(3), &validate).1;
    for end in [rejected, validated] {
        let expected = DriveError::Operator {
            place: "l2_blocks[1]".to_owned(),
            error: OperatorError::Block(BlockError::AfterEmpty { last: 100, next: 101 }),
        };
        assert_eq!(end, Err(expected));
    }
}

#[test]
fn options_that_contradict_each_other_run_nothing() {
    let config = RunConfig {
        driver: Driver::Batch,
        ..with(UnpublishedBytecodes::Retry)
    };
    let mut session = Session::new(mini_batch(1), Script::default(), ());
    let end = session.drive(&config);
    assert_eq!(
        end,
        Err(DriveError::Options(OptionsError::NoResults(Driver::Batch)))
    );
    assert_eq!(session.operator().machine().execution.steps(), 0);
}

#[test]
fn a_real_deployment_out_of_gas_is_retried_without_compression() {
    for input in vectors(&["out_of_gas_execution"]) {
        let config = RunConfig {
            finish_batch: FinishBatch::No,
            ..with(UnpublishedBytecodes::Retry)
        };
        let kept = drive(input.batch.clone(), &input.config).0;
        let retried = drive(input.batch, &config).0;
        let attempts: Vec<bool> = retried
            .transactions
            .iter()
            .map(|report| report.first_attempt.is_some())
            .collect();
        assert_eq!(attempts, [false, true, false]);
        let (kept, retried) = (&kept.transactions[1], &retried.transactions[1]);
        assert_eq!(retried.first_attempt.as_ref(), Some(&kept.run));
        assert_eq!(retried.run.status(), "revert");
        assert_eq!(retried.compressed_bytecodes, json!([]));
        assert_ne!(retried.run.cycles_used, kept.run.cycles_used);
    }
}

#[test]
fn a_real_eth_call_reverts_or_halts_by_the_bootloaders_code_and_leaves_no_logs() {
    for input in vectors(&["eth_call"]) {
        let result_of = |change: &dyn Fn(&mut BatchInput)| {
            let mut batch = input.batch.clone();
            change(&mut batch);
            let (reports, end) = drive(batch, &input.config);
            assert_eq!(end, Ok(DriveEnd::Finished));
            let report = reports.transactions[0].clone();
            assert!(report.run.events.is_empty() && report.run.storage_changes.is_empty());
            report
        };
        let reverted =
            result_of(&|batch| batch.blocks[0].transactions[0].data = vec![0xde, 0xad, 0xbe, 0xef]);
        assert_eq!((reverted.run.status(), reverted.rolled_back), ("revert", false));
        let halted = result_of(&|batch| batch.batch.first_l2_block.timestamp = 1);
        assert_eq!((halted.run.status(), halted.rolled_back), ("halt", true));
        assert_eq!(halted.run.result["reason"]["halt"], "FailedToSetL2Block");
    }
}
