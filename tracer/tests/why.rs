//! What is told of transactions that failed.

#![allow(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

mod support;

use eradbg_tracer::analysis::phase::Phase;
use eradbg_tracer::analysis::pubdata::pubdata;
use eradbg_tracer::analysis::why::Why;
use eradbg_tracer::ledger::TxStatus;
use eradbg_tracer::{Recording, Timeline};
use support::{record, record_as_far_as_it_goes, scenario, vectors};

fn why(recording: &Recording, tx: u32) -> Why {
    Why::of(recording, tx).unwrap()
}

/// Name of the cause, and how many frames lead to it.
fn cause(recording: &Recording, tx: u32) -> (&'static str, usize) {
    let why = why(recording, tx);
    (why.cause.map_or("none", |cause| cause.name), why.path.len())
}

#[test]
fn each_guest_panic_is_named_with_the_operand_that_broke_the_rule_and_its_last_writer() {
    let recorded = scenario("guest_panics");
    let causes: Vec<_> = (1..7).map(|tx| cause(&recorded.recording, tx)).collect();
    assert_eq!(
        causes,
        [
            ("explicit", 2),
            ("kernel_only", 2),
            ("static_violation", 3),
            ("not_a_pointer", 2),
            ("ret_foreign_pointer", 2),
            ("invalid_opcode", 2)
        ]
    );
    let broken = why(&recorded.recording, 4).cause.unwrap();
    let operand = broken.operand.unwrap();
    assert_eq!((&operand.place[..], operand.is_pointer), ("r3", false));
    assert_eq!(operand.written_at, Some(broken.step - 1));
}

#[test]
fn a_revert_is_followed_to_the_contract_that_decided_it() {
    let recorded = scenario("demo");
    let told = why(&recorded.recording, 4);
    assert_eq!(told.status, "revert");
    let functions: Vec<_> = told.path.iter().map(|failed| failed.function.clone()).collect();
    assert_eq!(
        functions,
        ["executeTransaction", "transfer"].map(|name| Some(name.to_owned()))
    );
    assert_eq!(told.path[1].reason, "\"Insufficient balance\"");
    assert!(told.path[0].passes_on && !told.path[1].passes_on);
    let custom = scenario("revert_with_custom_error");
    let told = why(&custom.recording, 0);
    assert!(
        told.path[1].reason.starts_with("Unauthorized(0x") && told.verdict == told.path[1].reason,
        "{told:?}"
    );
}

#[test]
fn a_halt_is_followed_from_the_bootloaders_code_to_the_contract_that_refused() {
    let recorded = scenario("wrong_nonce");
    let told = why(&recorded.recording, 0);
    let (first, last) = (&told.path[0], told.path.last().unwrap());
    assert_eq!(first.name, "bootloader");
    assert!(
        first.reason.ends_with("Incorrect nonce (ValidationFailed)"),
        "{}",
        first.reason
    );
    assert_eq!(
        (&last.name[..], &last.reason[..]),
        ("NonceHolder", "\"Incorrect nonce\"")
    );
    assert_eq!(told.phase.name(), "account validation");
    // The batch's first transaction was taken back, which the bootloader's own frame survived.
    let later = why(&recorded.recording, 2);
    let last = later.path.last().unwrap();
    assert_eq!(
        (&last.name[..], &last.reason[..]),
        ("NonceHolder", "\"Nonce is used already\"")
    );
}

#[test]
fn what_the_bootloader_checks_after_validation_is_validation_and_what_the_account_pays_is_payment() {
    for name in ["wrong_nonce", "wrong_signature", "unaffordable_fee"] {
        let told = why(&scenario(name).recording, 0);
        assert_eq!(told.phase.name(), "account validation", "{name}");
    }
    let recorded = scenario("transfer");
    let recording = &recorded.recording;
    let mut phases = Vec::new();
    for hook in recording.hooks() {
        if recording.transaction_number_at(hook.step) == Some(0) {
            phases.push(Phase::at(recording, hook.step).name());
        }
    }
    phases.dedup();
    assert_eq!(
        phases,
        [
            "account validation",
            "payment",
            "execution",
            "refund",
            "transaction end"
        ]
    );
}

#[test]
fn who_used_the_ergs_is_told_with_what_the_63_64_rule_withheld() {
    let recorded = scenario("execution_out_of_gas");
    let told = why(&recorded.recording, 0);
    assert_eq!(told.cause.as_ref().unwrap().name, "out_of_ergs");
    let [outer, inner] = &told.ergs[..] else {
        panic!("two far frames: {:?}", told.ergs)
    };
    assert_eq!(outer.users[0].step, inner.entered_at);
    for ergs in [outer, inner] {
        assert_eq!(
            u64::from(ergs.got),
            ergs.itself + ergs.below + u64::from(ergs.back)
        );
        assert_eq!(ergs.available - ergs.withheld, ergs.available / 64 * 63);
        assert_eq!(ergs.got, ergs.available - ergs.withheld, "all was asked for");
    }
}

#[test]
fn a_success_that_the_bootloader_takes_back_for_its_pubdata_is_told_apart() {
    let recorded = scenario("unaffordable_pubdata");
    let remark = why(&recorded.recording, 0).remark.unwrap();
    assert!(
        remark.contains("call succeeded") && remark.contains("pubdata"),
        "{remark}"
    );
}

#[test]
fn real_transactions_that_run_out_of_gas_are_told_apart() {
    for input in vectors(&["out_of_gas_execution"]) {
        let recorded = record(&input, 16_384);
        let recording = &recorded.recording;
        // An endless loop: the account's call, and below it the contract.
        let endless = why(recording, 0);
        let last = endless.path.last().unwrap();
        assert_eq!(
            (endless.cause.unwrap().name, last.is_near),
            ("out_of_ergs", false)
        );
        // With the bootloader's near call around both.
        assert_eq!((endless.remark, endless.ergs.len()), (None, 3));
        for frame in &endless.ergs {
            let used = frame.itself + frame.below + u64::from(frame.back);
            assert_eq!(u64::from(frame.got), used, "{frame:?}");
        }
        // A deployment whose code would have to be published.
        let remark = why(recording, 1).remark.unwrap();
        assert!(remark.starts_with("nothing that was called failed"), "{remark}");
    }
}

#[test]
fn who_used_the_ergs_is_told_of_near_calls_too() {
    let told = why(&scenario("validation_out_of_gas").recording, 0);
    let near: Vec<_> = told
        .ergs
        .iter()
        .map(|frame| (&frame.name[..], frame.got))
        .collect();
    assert_eq!(near.last(), Some(&("bootloader (near call)", 1)));
    let around = &told.ergs[told.ergs.len() - 2];
    let users: Vec<_> = around.users.iter().map(|user| &user.name[..]).collect();
    assert_eq!(users, ["BootloaderUtilities", "SystemContext"]);
    assert_eq!(
        u64::from(around.got),
        around.itself + around.below + u64::from(around.back)
    );
}

#[test]
fn a_success_lists_the_failures_that_it_swallowed() {
    let recorded = scenario("out_of_ergs_in_a_nested_call");
    let told = why(&recorded.recording, 0);
    assert_eq!(
        (told.status, told.path.len(), told.swallowed.len()),
        ("success", 0, 1)
    );
    assert_eq!(told.swallowed[0][0].kind, "panic");
}

#[test]
fn a_transaction_that_the_operator_refuses_has_no_path() {
    let recorded = scenario("rejected_without_published_code");
    let told = why(&recorded.recording, 0);
    assert_eq!((told.status, told.path.len()), ("halt", 0));
    assert!(told.remark.unwrap().contains("operator"));
}

#[test]
fn a_number_without_transaction_is_refused_with_how_many_there_are() {
    let recorded = scenario("transfer");
    let error = Why::of(&recorded.recording, 7).unwrap_err().to_string();
    assert!(error.contains("there is no transaction 7"), "{error}");
}

#[test]
fn every_failure_of_every_scenario_has_a_cause_below_nested_frames_within_the_transaction() {
    for embedded in eradbg_fixtures::embedded::SCENARIOS {
        let recorded = scenario(embedded.name);
        let recording = &recorded.recording;
        recording.load_overview();
        for row in recording.transactions() {
            let told = why(recording, row.index);
            let at = format!("{} tx {}", embedded.name, row.index);
            let steps = row.first_step..row.first_step + row.steps;
            assert!(
                told.lines()
                    .iter()
                    .filter_map(|line| line.step)
                    .all(|step| step < recording.steps()),
                "{at}"
            );
            for pair in told.path.windows(2) {
                assert!(
                    pair[0].entered_at < pair[1].entered_at && pair[1].step < pair[0].step,
                    "{at}"
                );
            }
            assert!(
                told.path.iter().all(|failed| steps.contains(&failed.step)),
                "{at}"
            );
            if row.status == TxStatus::Reverted {
                assert!(!told.path.is_empty(), "{at}: {told:?}");
            }
            assert_eq!(told.cause.is_some(), !told.path.is_empty(), "{at}");
            if row.status == TxStatus::Halted {
                assert_ne!(told.path.is_empty(), told.remark.is_none(), "{at}: {told:?}");
            }
        }
    }
}

#[test]
fn pubdata_that_is_not_paid_for_leads_to_the_write_and_to_where_it_was_noticed() {
    let recorded = scenario("unaffordable_pubdata");
    recorded.recording.load_overview();
    let row = &recorded.recording.transactions()[0];
    let steps = row.first_step..row.first_step + row.steps;
    let why_unpaid = why(&recorded.recording, 0);
    assert_eq!(why_unpaid.cause.unwrap().name, "pubdata_unpaid");
    let unpaid = why_unpaid.unpaid.unwrap();
    assert!(unpaid.bytes > unpaid.limit && unpaid.limit > 0, "{unpaid:?}");
    let mut total_at = Vec::new();
    pubdata::<eradbg_tracer::Error>(&recorded.recording, steps, &mut |row| {
        total_at.push((row.step, i64::from(row.total)));
        Ok(())
    })
    .unwrap();
    let crossed_at = unpaid.crossed_at.unwrap();
    let at = total_at.iter().position(|&(step, _)| step == crossed_at).unwrap();
    assert!(
        total_at[at - 1].1 <= unpaid.limit && total_at[at].1 > unpaid.limit,
        "{unpaid:?}"
    );
    assert!(crossed_at < unpaid.noticed_at);
    // One that fails for another reason has paid.
    assert_eq!(why(&scenario("demo").recording, 4).unpaid, None);
}

#[test]
fn a_custom_error_has_its_name_wherever_the_explanation_tells_it() {
    for input in vectors(&["rejected_bad_nonce_and_signature"]) {
        let recorded = record_as_far_as_it_goes(&input, 16_384);
        let told = why(&recorded.recording, 1);
        let ends = [&told.path[0], told.path.last().unwrap()].map(|failed| &failed.reason);
        for text in ends.into_iter().chain([&told.verdict]) {
            assert!(text.contains("NonceAlreadyUsed(account: 0x"), "{text}");
        }
    }
}

#[test]
fn heap_that_cannot_be_paid_is_told_with_its_price_and_what_was_left() {
    let recorded = scenario("heap_growth");
    let cause = why(&recorded.recording, 1).cause.unwrap();
    assert_eq!(cause.name, "unpaid_growth");
    let (_, numbers) = cause.text.split_once(": it costs ").unwrap();
    let (cost, left) = numbers.split_once(", and ").unwrap();
    let number = |text: &str| text.replace(',', "").parse::<u64>().unwrap();
    let left = number(left.strip_suffix(" are left").unwrap());
    assert!(number(cost) > left, "{}", cause.text);
    // The step burns what is left of the frame's ergs after the instruction's own price.
    let mut timeline = Timeline::new(recorded.recording.clone()).unwrap();
    timeline.seek(cause.step).unwrap();
    let (held, price) = (
        timeline.execution().frame().ergs,
        timeline.execution().next_instruction().ergs,
    );
    assert_eq!(left, u64::from(held - price));
}
