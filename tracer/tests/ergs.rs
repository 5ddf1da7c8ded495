//! Accounts of ergs whose sums are those of the machine.

#![allow(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

mod support;

use std::ops::Range;

use eradbg_tracer::analysis::ergs::{FrameErgs, of_part};
use eradbg_tracer::analysis::refunds::refunds;
use eradbg_tracer::analysis::sheet::{Entry, sheet};
use eradbg_tracer::analysis::used::{Transactions, ergs_used, measured};
use eradbg_tracer::ledger::{TransactionRow, TxStatus};
use eradbg_tracer::recording::Part;
use eradbg_tracer::{Recording, Timeline, source};
use eradbg_vm::Execution;
use support::{Input, all_vectors, record_as_far_as_it_goes, scenario};

/// Ergs of all frames on the call stack.
fn held(execution: &Execution) -> u64 {
    let parts = execution
        .frames()
        .flat_map(|frame| frame.waiting.iter().copied().chain([frame.current()]));
    parts.map(|part| u64::from(part.ergs)).sum()
}

/// Accounts of frames close, and all of them together make up what the machine has less after the stretch.
fn stretch_closes(at: &str, timeline: &mut Timeline, steps: Range<u64>, accounts: &[FrameErgs]) {
    for account in accounts {
        let expenses = account.opcodes + account.growth + account.decommits + account.precompiles;
        assert_eq!(
            account.itself,
            expenses + account.burnt - account.refunds,
            "{at}: {account:?}"
        );
        if let (Some(returned), Some(passed)) = (account.returned, account.passed) {
            let spent = account.itself + account.below + u64::from(returned);
            assert_eq!(u64::from(account.got), spent, "{at}: {account:?}");
            assert_eq!(account.got, passed + account.extra, "{at}: {account:?}");
        }
        if let (Some(asked), Some(allowed), Some(passed)) = (account.asked, account.allowed, account.passed) {
            let wanted = if account.kind == "near" && asked == 0 {
                allowed
            } else {
                asked
            };
            assert_eq!(passed, wanted.min(allowed), "{at}: {account:?}");
        }
    }
    timeline.seek(steps.start).unwrap();
    let before = held(timeline.execution());
    // The state at the end of a stretch that is rolled back is the one after the rollback.
    if accounts
        .iter()
        .any(|account| account.rolled_back_at == Some(steps.end))
    {
        return;
    }
    timeline.seek(steps.end).unwrap();
    let used: u64 = accounts.iter().map(|account| account.itself).sum();
    assert_eq!(before - held(timeline.execution()), used, "{at}: {steps:?}");
}

fn accounts_close(name: &str, recording: &Recording) {
    let mut timeline = Timeline::new(recording.clone()).unwrap();
    for row in recording.transactions() {
        let at = format!("{name} tx {}", row.index);
        let stretches = of_part(recording, row.index.into()).unwrap();
        let attempt = row.rerun_at.unwrap_or(row.first_step);
        let mut used = 0;
        for (stretch, accounts) in stretches {
            let steps = stretch.steps;
            if steps.start >= attempt {
                used += accounts.iter().map(|account| account.itself).sum::<u64>();
            }
            stretch_closes(&at, &mut timeline, steps, &accounts);
        }
        // Where a batch runs in one go nobody measures its transactions.
        if row.gas_used > 0 && matches!(row.status, TxStatus::Success | TxStatus::Reverted) {
            assert_eq!(used, u64::from(row.gas_used), "{at}");
        }
    }
    let (mut of_frames, mut code_of_frames) = (0, 0);
    eradbg_tracer::analysis::ergs::ergs::<eradbg_tracer::Error>(recording, &mut |account| {
        if account.rolled_back_at.is_none() {
            of_frames += account.refunds as i64;
        }
        code_of_frames += account.decommits;
        Ok(())
    })
    .unwrap();
    let (mut at_end, mut code) = (0, 0);
    refunds::<eradbg_tracer::Error>(recording, 0..u64::MAX, &mut |row| {
        at_end = row.total;
        if matches!(row.kind, "code" | "decommit") {
            code += u64::from(row.price - row.refund);
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(of_frames, at_end, "{name}");
    assert_eq!(code_of_frames, code, "{name}");
}

/// What the parts of a batch used makes up what the machine has less and the counter has more; and the steps show what the
/// operator measured.
fn parts_close(name: &str, recording: &Recording) {
    let mut timeline = Timeline::new(recording.clone()).unwrap();
    let rows = recording.transactions();
    let attempts: Vec<_> = rows.iter().map(TransactionRow::attempt).collect();
    let measured = measured(recording, &attempts).unwrap();
    for (row, measured) in rows.iter().zip(measured).filter(|(row, _)| row.is_measured()) {
        // A failed validation is measured by the operator where it stops, inside of the account's frames.
        if row.status != TxStatus::Halted {
            assert_eq!(
                measured,
                (row.gas_used.into(), row.pubdata),
                "{name} tx {}",
                row.index
            );
        }
    }
    let Transactions { used, problems } = Transactions::of(recording);
    assert!(problems.is_empty(), "{name}: {problems:?}");
    let (mut ergs, mut pubdata) = (0, 0);
    for (_, used) in rows.iter().zip(&used).filter(|(row, _)| !row.rolled_back) {
        ergs += used.ergs.unwrap();
        pubdata += used.state.unwrap().pubdata;
    }
    if let Ok(end) = recording.steps_of(Part::BatchEnd) {
        ergs += ergs_used(recording, std::slice::from_ref(&end)).unwrap()[0];
        pubdata += recording.state_used(&[end]).unwrap()[0].pubdata;
    }
    // A machine that the operator goes back from at the very end stays where it was.
    if recording
        .undone()
        .last()
        .is_some_and(|undone| undone.end_step == recording.steps())
    {
        return;
    }
    let at_first = held(timeline.execution());
    timeline.seek(recording.steps()).unwrap();
    assert_eq!(ergs, at_first - held(timeline.execution()), "{name}");
    assert_eq!(pubdata, i64::from(timeline.state().pubdata), "{name}");
}

#[test]
fn the_transactions_after_one_that_ends_a_run_of_all_have_no_steps() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("halts.ron");
    let text = r#"(
        run: (driver: "batch"),
        accounts: {"alice": Rich(0), "bob": Rich(1)},
        blocks: [(steps: [
            Transfer(from: "alice", to: "bob", value: 1),
            Transfer(from: "alice", to: "bob", value: 1, nonce: 7),
            Transfer(from: "bob", to: "alice", value: 1),
            Transfer(from: "bob", to: "alice", value: 1),
        ])],
    )"#;
    std::fs::write(&path, text).unwrap();
    let loaded = source::load(&path, None).unwrap();
    let run = loaded.run;
    let recorded = record_as_far_as_it_goes(&Input::of(loaded, run), 1_024);
    let recording = &recorded.recording;
    recording.load_overview();
    parts_close("halts", recording);
    let rows = recording.transactions();
    let ends: Vec<_> = rows.iter().map(|row| row.attempt().end).collect();
    assert!(ends[0] < recording.steps());
    assert_eq!(ends[1..], [recording.steps(); 3]);
    assert!(rows[0].steps > 0 && rows[1].steps > 0, "{rows:?}");
    assert_eq!([rows[2].steps, rows[3].steps], [0, 0]);
    assert_eq!(recording.transaction_number_at(recording.steps()), Some(1));
}

#[test]
fn what_publishing_bytecodes_takes_is_told_apart_from_the_execution() {
    for (name, publishes) in [("deploy", true), ("transfer", false)] {
        let recorded = scenario(name);
        let sheet = sheet(&recorded.recording, 0).unwrap();
        let preparation = sheet.iter().find(|entry| entry.name == "preparation");
        assert_eq!(preparation.is_some(), publishes, "{name}");
        let execution = sheet.iter().find(|entry| entry.name == "execution").unwrap();
        if let Some(preparation) = preparation {
            assert!(
                preparation.value > 0 && preparation.step < execution.step,
                "{preparation:?} {execution:?}"
            );
        }
    }
}

/// A number of a sheet.
fn number(sheet: &[Entry], name: &str) -> Option<i128> {
    sheet
        .iter()
        .find(|entry| entry.name == name)
        .map(|entry| entry.value)
}

/// The sheets give what the machine and the operator reckoned.
fn sheets_agree(name: &str, recording: &Recording) {
    for report in recording.reports().unwrap() {
        let row = recording.transaction(report.index as u32).unwrap();
        let sheet = sheet(recording, row.index).unwrap();
        let at = format!("{name} tx {}: {sheet:#?}", row.index);
        if row.gas_used == 0 {
            // The batch runs in one go.
            continue;
        }
        if row.status != TxStatus::Halted {
            assert_eq!(number(&sheet, "all of it"), Some(row.gas_used.into()), "{at}");
        }
        let Some(formula) = number(&sheet, "operator's formula") else {
            assert_eq!(report.run.operator_suggested_refund, 0, "{at}");
            continue;
        };
        assert_eq!(formula, report.run.operator_suggested_refund.into(), "{at}");
        assert_eq!(number(&sheet, "written by the operator"), Some(formula), "{at}");
        assert_eq!(
            number(&sheet, "bytes published"),
            Some(row.pubdata.into()),
            "{at}"
        );
        if let Some(others) = number(&sheet, "ergs that it does not count") {
            let pays = number(&sheet, "overhead").unwrap() + number(&sheet, "intrinsic").unwrap();
            // The first transaction has the start of the batch too.
            let most = if row.index == 0 { pays + 5_000 } else { pays };
            assert!((0..=most).contains(&others), "{at}");
        } else {
            assert_eq!(number(&sheet, "proposed by the bootloader"), Some(0), "{at}");
        }
        if let Some(paid) = number(&sheet, "paid back") {
            let proposed = number(&sheet, "proposed by the bootloader").unwrap();
            assert_eq!(paid, row.gas_refunded.into(), "{at}");
            assert_eq!(paid, formula.max(proposed), "{at}");
        }
    }
}

#[test]
fn sheets_of_every_scenario_agree_with_machine_and_operator() {
    for embedded in eradbg_fixtures::embedded::SCENARIOS {
        sheets_agree(embedded.name, &scenario(embedded.name).recording);
    }
}

#[test]
fn sheets_of_every_vector_agree_with_machine_and_operator() {
    for input in all_vectors() {
        let recorded = record_as_far_as_it_goes(&input, 16_384);
        sheets_agree(&input.name, &recorded.recording);
    }
}

#[test]
fn accounts_of_every_scenario_close() {
    for embedded in eradbg_fixtures::embedded::SCENARIOS {
        let recorded = scenario(embedded.name);
        accounts_close(embedded.name, &recorded.recording);
        parts_close(embedded.name, &recorded.recording);
    }
}

#[test]
fn accounts_of_every_vector_close() {
    for input in all_vectors() {
        let recorded = record_as_far_as_it_goes(&input, 16_384);
        accounts_close(&input.name, &recorded.recording);
        parts_close(&input.name, &recorded.recording);
    }
}
