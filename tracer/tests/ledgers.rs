//! Ledgers whose sums are those of the batch.

#![allow(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

mod support;

use eradbg_tracer::analysis::answer::{Question, Topic};
use eradbg_tracer::analysis::calls::calls;
use eradbg_tracer::analysis::hooks::hooks;
use eradbg_tracer::analysis::pubdata::{counter, pubdata};
use eradbg_tracer::analysis::published::Published;
use eradbg_tracer::analysis::refunds::refunds;
use eradbg_tracer::analysis::rollbacks::rollbacks;
use eradbg_tracer::report::BatchReport;
use eradbg_tracer::{Recording, Timeline};
use eradbg_vm::U256;
use support::{all_vectors, record, record_as_far_as_it_goes, scenario, vectors};

/// Every step there may be.
const ALL: std::ops::Range<u64> = 0..u64::MAX;

/// Rows of a ledger.
fn rows<T>(
    ledger: impl FnOnce(&mut dyn FnMut(T) -> Result<(), eradbg_tracer::Error>) -> Result<(), eradbg_tracer::Error>,
) -> Vec<T> {
    let mut rows = Vec::new();
    ledger(&mut |row| {
        rows.push(row);
        Ok(())
    })
    .unwrap();
    rows
}

/// Pieces of the published bytes follow each other without a gap, and there are as many as the batch reports.
fn pieces_make_up_what_is_published(name: &str, recording: &Recording, report: &BatchReport) {
    let published = Published::of(recording).unwrap().unwrap();
    let mut end = 0;
    for piece in &published.pieces {
        assert_eq!(piece.offset, end, "{name}: {piece:?}");
        end += piece.bytes;
    }
    assert_eq!(end, report.pubdata_input.len(), "{name}");
    let count = |kind: &str| published.pieces.iter().filter(|piece| piece.kind == kind).count();
    if count("hash") == 0 {
        let logs = report.final_execution_state.user_l2_to_l1_logs.len();
        assert_eq!(count("log"), logs, "{name}");
        let writes = count("initial write") + count("repeated write");
        assert_eq!(writes, report.state_diffs.len(), "{name}");
    } else {
        assert_eq!((published.pieces.len(), end), (1, 32), "{name}");
    }
}

/// The ledgers of a recording give what its batch reports.
fn ledgers_agree_with_the_report(name: &str, recording: &Recording) {
    let Some(report) = recording.batch_report().unwrap() else {
        return;
    };
    let state = &report.final_execution_state;
    let refunds = rows(|each| refunds(recording, ALL, each));
    let kept = refunds
        .iter()
        .filter(|row| matches!(row.kind, "read" | "write") && row.keeps_warm);
    let kept: Vec<u32> = kept.map(|row| row.refund).collect();
    assert_eq!(kept, state.storage_refunds, "{name}");
    let sum: i64 = kept.into_iter().map(i64::from).sum();
    assert_eq!(refunds.last().map_or(0, |row| row.total), sum, "{name}");
    for row in refunds.iter().filter(|row| row.refund > 0) {
        let fits = match row.kind {
            "code" | "decommit" => row.refund == row.price && row.before == "loaded",
            _ => row.refund < row.price && row.before != "cold",
        };
        assert!(fits && !row.rule.is_empty(), "{name}: {row:?}");
    }

    let writes = rows(|each| pubdata(recording, ALL, each));
    let of_rolled_back = |step: u64| {
        let mut ranges = recording.undone().iter();
        ranges.any(|range| (range.first_step..range.end_step).contains(&step))
    };
    // Reads and transient accesses cost nothing.
    let costs = state.pubdata_costs.iter().copied().filter(|&cost| cost != 0);
    let deltas = writes
        .iter()
        .filter(|row| row.kind == "write" && row.delta != 0 && !of_rolled_back(row.step));
    assert!(deltas.map(|row| row.delta).eq(costs), "{name}");
    let mut timeline = Timeline::new(recording.clone()).unwrap();
    for row in recording.transactions() {
        timeline.seek(row.first_step).unwrap();
        assert_eq!(
            counter(recording, row.first_step).unwrap(),
            timeline.state().pubdata,
            "{name}"
        );
    }
    timeline.seek(recording.steps()).unwrap();
    let at_end = timeline.state().pubdata;
    assert_eq!(writes.last().map_or(0, |row| row.total), at_end, "{name}");
    for row in writes.iter().filter(|row| row.kind == "write") {
        assert_eq!(row.delta, row.price as i32 - row.paid as i32, "{name}: {row:?}");
    }

    let calls = rows(|each| calls(recording, each));
    for call in &calls {
        assert!(
            call.returned.is_none_or(|back| back <= call.ergs),
            "{name}: {call:?}"
        );
    }
    pieces_make_up_what_is_published(name, recording, &report);
    let hooks = rows(|each| hooks(recording, ALL, each));
    assert_eq!(hooks.len(), recording.hooks().len(), "{name}");
    let undone = rows(|each| rollbacks(recording, ALL, each));
    let inner = recording
        .failures()
        .iter()
        .filter(|failure| !recording.ends_with(failure));
    let mut causes: Vec<_> = undone.iter().map(|row| (row.step, row.kind, row.since)).collect();
    causes.dedup();
    assert_eq!(causes.len(), inner.count() + recording.undone().len(), "{name}");
    // What a frame leaves behind is what the other ledgers say that its steps did.
    for row in undone.iter().filter(|row| row.survives && row.what == "refunds") {
        let of_frame = refunds
            .iter()
            .filter(|it| (row.since..row.step).contains(&it.step));
        let ergs: u64 = of_frame
            .filter(|it| matches!(it.kind, "read" | "write"))
            .map(|it| u64::from(it.refund))
            .sum();
        assert_eq!(row.ergs, Some(ergs), "{name}: {row:?}");
    }
    // What was restored is what the first undone write of the slot found.
    for row in undone
        .iter()
        .filter(|row| row.values > 0 && row.kind != "operator")
    {
        let Some(slot) = row.slot else { continue };
        let (address, key) = (format!("{:#x}", slot.address), format!("{:#066x}", slot.key));
        let mut writes = writes
            .iter()
            .filter(|it| it.kind == "write" && (it.address == address && it.slot == key));
        let first =
            writes.find(|it| (row.since..row.step).contains(&it.step) && it.undone_at == Some(row.step));
        let old = first.map(|it| it.old.parse::<U256>().unwrap());
        let restored = row.to.as_ref().map(|to| to.parse::<U256>().unwrap());
        assert_eq!(restored, old, "{name}: {row:?}");
    }
}

#[test]
fn ledgers_of_every_scenario_agree_with_its_batch() {
    for embedded in eradbg_fixtures::embedded::SCENARIOS {
        ledgers_agree_with_the_report(embedded.name, &scenario(embedded.name).recording);
    }
}

#[test]
fn ledgers_of_every_vector_agree_with_its_batch() {
    for input in all_vectors() {
        let recorded = record_as_far_as_it_goes(&input, 16_384);
        ledgers_agree_with_the_report(&input.name, &recorded.recording);
    }
}

#[test]
fn a_write_that_a_frame_undoes_says_when_and_stays_warm() {
    let recorded = scenario("unaffordable_pubdata");
    let writes = rows(|each| pubdata(&recorded.recording, ALL, each));
    let undone = writes.iter().find(|row| row.kind == "undone").unwrap();
    let write = writes
        .iter()
        .find(|row| row.delta != 0 && row.undone_at == Some(undone.step))
        .unwrap();
    assert_eq!(write.delta, -undone.delta);
    let accesses = rows(|each| refunds(&recorded.recording, ALL, each));
    let access = accesses.iter().find(|row| row.step == write.step).unwrap();
    assert!(access.keeps_warm && access.undone_at == Some(undone.step));
}

#[test]
fn a_transaction_that_ends_below_zero_is_said_to_be_charged_for_no_pubdata() {
    let recorded = scenario("negative_pubdata");
    let first_line = |tx: u32| {
        let question = Question::new(Topic::Pubdata, tx);
        let answer = question.answer(&recorded.recording).unwrap();
        answer.lines[0].text.clone()
    };
    assert_eq!(first_line(0), "the transaction adds");
    assert!(first_line(1).contains("less than nothing: it is charged for none"));
}

#[test]
fn what_a_transaction_did_survives_the_halt_and_rollback_of_a_later_one() {
    let recorded = scenario("demo");
    let writes = rows(|each| pubdata(&recorded.recording, ALL, each));
    let of = |tx| {
        writes
            .iter()
            .filter(move |row| row.kind == "write" && row.tx == Some(tx))
    };
    // Transaction 7 halts, and the bootloader's own frame with it.
    assert!(of(0).count() > 0 && of(0).all(|row| row.undone_at.is_none()));
    assert!(of(7).count() > 0 && of(7).all(|row| row.undone_at.is_some()));
    assert!(of(8).any(|row| row.undone_at.is_none()));
}

#[test]
fn a_hook_has_its_parameters_and_the_operators_answer() {
    let recorded = scenario("transfer");
    let hooks = rows(|each| hooks(&recorded.recording, ALL, each));
    let asked = hooks
        .iter()
        .find(|hook| hook.name == "AskOperatorForRefund")
        .unwrap();
    assert!(asked.parameters.starts_with("proposed refund=0x"), "{asked:?}");
    assert!(asked.answer.starts_with("operator refund 0=0x"), "{asked:?}");
    assert_eq!(asked.tx, Some(0));
}

#[test]
fn each_published_log_message_and_slot_leads_to_the_step_that_it_comes_from() {
    for input in vectors(&[
        "l2_to_l1_messages",
        "l1_priority_success",
        "deploy_and_call_counter",
    ]) {
        let recorded = record(&input, 16_384);
        published_steps(&input.name, &recorded.recording);
    }
    published_steps("demo", &scenario("demo").recording);
}

fn published_steps(name: &str, recording: &Recording) {
    let Some(published) = Published::of(recording).unwrap() else {
        return;
    };
    let mut timeline = Timeline::new(recording.clone()).unwrap();
    for piece in &published.pieces {
        if matches!(piece.kind, "header" | "hash") {
            continue;
        }
        let step = piece
            .step
            .unwrap_or_else(|| panic!("{name}: {piece:?} has no step"));
        timeline.seek(step).unwrap();
        let opcode = timeline.execution().next_instruction().opcode.name();
        let expected = if piece.kind.ends_with("write") {
            "sstore"
        } else {
            "event"
        };
        assert_eq!(opcode, expected, "{name}: {piece:?}");
        if piece.kind == "log" {
            let tx = recording.transaction_at(step).unwrap();
            assert!(piece.text.starts_with(&format!("tx {tx}: ")), "{name}: {piece:?}");
        }
    }
}

#[test]
fn a_call_that_cannot_start_has_no_calldata() {
    let recorded = scenario("guest_panics");
    let calls = rows(|each| calls(&recorded.recording, each));
    let unpaid = calls
        .iter()
        .find(|call| call.cause == "call_unpaid_growth")
        .unwrap();
    assert!(unpaid.input.is_empty() && unpaid.selector.is_none());
}

#[test]
fn refunds_of_a_transaction_count_from_it_when_a_rollback_reaches_further_back() {
    let recorded = scenario("taken_back_by_the_operator");
    let recording = &recorded.recording;
    // The operator takes back two transactions at the end of the second.
    let row = recording.transaction(2).unwrap();
    let of_second = rows(|each| refunds(recording, row.first_step..row.first_step + row.steps, each));
    let rollback = of_second.iter().find(|row| row.kind == "rollback").unwrap();
    let first = recording.transaction(1).unwrap().first_step;
    let before = rows(|each| refunds(recording, first..row.first_step, each));
    assert_eq!(rollback.total, -before.last().unwrap().total);
}

/// What the first line of a transaction's pubdata says, and the sum of its groups.
fn sum_and_groups(recording: &Recording, tx: u32, view: usize) -> (i64, i64) {
    let question = Question {
        view,
        ..Question::new(Topic::Pubdata, tx)
    };
    let answer = question.answer(recording).unwrap();
    let numbers = |columns: &str| -> Vec<i64> {
        let numbers = columns.split_whitespace();
        numbers
            .map(|number| number.replace(',', "").parse().unwrap())
            .collect()
    };
    let top = answer.lines.iter().filter(|line| line.indent == 0);
    let top: Vec<_> = top.map(|line| numbers(&line.columns)).collect();
    let groups = top[1..].iter().filter(|numbers| numbers.len() == 1);
    (top[0][0], groups.map(|numbers| numbers[0]).sum())
}

#[test]
fn slots_and_contracts_make_up_the_pubdata_of_their_transaction() {
    let scenarios = eradbg_fixtures::embedded::SCENARIOS;
    let recorded = scenarios
        .iter()
        .map(|embedded| (embedded.name.to_owned(), scenario(embedded.name)));
    let inputs = all_vectors();
    let of_vectors = inputs
        .iter()
        .map(|input| (input.name.clone(), record_as_far_as_it_goes(input, 16_384)));
    for (name, recorded) in recorded.chain(of_vectors) {
        recorded.recording.load_overview();
        for row in recorded.recording.transactions() {
            for view in [1, 2] {
                let (sum, groups) = sum_and_groups(&recorded.recording, row.index, view);
                assert_eq!(sum, groups, "{name} tx {} view {view}", row.index);
            }
        }
    }
}

#[test]
fn slots_are_named_by_the_transaction_that_has_them_after_a_rejection_too() {
    let recorded = scenario("demo");
    let recording = &recorded.recording;
    let hooks = rows(|each| hooks::<eradbg_tracer::Error>(recording, ALL, each));
    for hook in hooks.iter().filter(|hook| hook.name == "AskOperatorForRefund") {
        let expected = format!("operator refund {}=", hook.tx.unwrap());
        assert!(hook.answer.starts_with(&expected), "{hook:?}");
    }
    let closing = hooks.iter().find(|hook| hook.name == "FinalBatchInfo").unwrap();
    assert!(
        closing.answer.contains("L2 block of transaction end.0="),
        "{closing:?}"
    );
    // Transaction 7 is rejected, and 8 takes its place.
    let place = recording.layout().refunds + 7;
    let name_in = |tx: u32| {
        let position = recording.transaction(tx).unwrap().first_step + 1;
        recording.slot_name(place, position)
    };
    assert_eq!(
        [7, 8, 14].map(name_in),
        ["operator refund 7", "operator refund 8", "operator refund 8"]
    );
}
