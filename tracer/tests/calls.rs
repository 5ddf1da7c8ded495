//! Calls as a tree, and as a node traces them.

#![allow(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

mod support;

use eradbg_tracer::analysis::calls::{Call, calls};
use eradbg_tracer::export::calltracer::{TracedCall, trace};
use eradbg_tracer::source::run::Driver;
use eradbg_tracer::{Recording, Timeline};
use eradbg_vm::{FatPointer, H160, U256};
use support::{all_vectors, contract, record, record_as_far_as_it_goes, scenario, vectors};

fn all(recording: &Recording) -> Vec<Call> {
    let mut rows = Vec::new();
    calls::<eradbg_tracer::Error>(recording, &mut |call| {
        rows.push(call);
        Ok(())
    })
    .unwrap();
    rows
}

#[test]
fn calls_are_as_deep_as_the_machine_says_after_rollbacks_too() {
    for name in ["validation_out_of_gas", "taken_back_by_the_operator", "demo"] {
        let recorded = scenario(name);
        let mut timeline = Timeline::new(recorded.recording.clone()).unwrap();
        for call in all(&recorded.recording) {
            timeline.seek(call.step + 1).unwrap();
            let execution = timeline.execution();
            assert_eq!(call.depth + 2, execution.depth(), "{name}: {call:?}");
            let caller = execution.frame().waiting.last().copied();
            let caller = caller.unwrap_or_else(|| execution.callers().last().unwrap().current());
            assert_eq!(call.within.unwrap_or(0), caller.entered_at, "{name}: {call:?}");
        }
    }
}

#[test]
fn what_a_far_call_returns_is_what_its_caller_finds_in_r1() {
    let recorded = scenario("demo");
    let mut timeline = Timeline::new(recorded.recording.clone()).unwrap();
    let far = all(&recorded.recording)
        .into_iter()
        .filter(|call| call.kind != "near");
    let mut with_output = 0;
    for call in far {
        timeline.seek(call.step + 1).unwrap();
        let pointer = |timeline: &Timeline| FatPointer::from_word(timeline.execution().register(1).word);
        let input = timeline.execution().read_pointer(pointer(&timeline));
        assert_eq!(call.input, input, "{call:?}");
        let Some(left_at) = call.left_at else { continue };
        timeline.seek(left_at + 1).unwrap();
        let output = timeline.execution().read_pointer(pointer(&timeline));
        assert_eq!(call.output, output, "{call:?}");
        with_output += usize::from(!output.is_empty());
    }
    assert!(with_output > 20);
}

/// Callees of a tree in the order in which they were called.
fn callees(calls: &[TracedCall]) -> Vec<H160> {
    let of_each = calls
        .iter()
        .flat_map(|call| [vec![call.to], callees(&call.calls)].concat());
    of_each.collect()
}

/// Every far call of the attempt that counts is in the tree once, and gas is used by whoever got it.
fn trees_hold_all_far_calls(name: &str, recording: &Recording) {
    recording.load_overview();
    let all = all(recording);
    for row in recording.transactions() {
        let traced = trace(recording, row).unwrap();
        let start = row.rerun_at.unwrap_or(row.first_step);
        let end = (row.first_step + row.steps).min(recording.steps());
        let of_tx = |call: &&Call| (start..end).contains(&call.step) && call.kind != "near";
        let at = format!("{name} tx {}", row.index);
        let called: Vec<_> = all.iter().filter(of_tx).map(|call| call.this).collect();
        assert_eq!(callees(&traced.result.calls), called, "{at}");
        inner_calls_use_no_more(&at, &traced.result.calls);
    }
}

fn inner_calls_use_no_more(at: &str, calls: &[TracedCall]) {
    for call in calls {
        let below = call
            .calls
            .iter()
            .fold(U256::zero(), |sum, call| sum + call.gas_used);
        assert!(
            below <= call.gas_used && call.gas_used <= call.gas,
            "{at}: {call:?}"
        );
        inner_calls_use_no_more(at, &call.calls);
    }
}

#[test]
fn trees_of_every_scenario_hold_all_far_calls() {
    for embedded in eradbg_fixtures::embedded::SCENARIOS {
        trees_hold_all_far_calls(embedded.name, &scenario(embedded.name).recording);
    }
}

#[test]
fn trees_of_every_vector_hold_all_far_calls() {
    for input in all_vectors() {
        let recorded = record_as_far_as_it_goes(&input, 16_384);
        trees_hold_all_far_calls(&input.name, &recorded.recording);
    }
}

#[test]
fn a_tree_names_constructors_reverts_and_the_transactions_own_data() {
    let recorded = scenario("demo");
    let recording = &recorded.recording;
    recording.load_overview();
    let rows = recording.transactions();
    let reverted = trace(recording, &rows[4]).unwrap().result;
    assert_eq!(reverted.revert_reason.as_deref(), Some("Insufficient balance"));
    assert_eq!(reverted.gas, U256::from(10_000_000));
    assert_eq!(reverted.gas_used, U256::from(10_000_000 - rows[4].gas_refunded));
    assert_eq!(reverted.input[..4], [0xa9, 0x05, 0x9c, 0xbb]);
    let account = H160(rows_account(&reverted));
    assert!(
        reverted
            .calls
            .iter()
            .any(|call| call.to == account && call.revert_reason.is_some())
    );
    let created = rows
        .iter()
        .any(|row| has_create(&trace(recording, row).unwrap().result));
    assert!(created, "a transaction of the demo deploys a contract");
}

/// The account whose function `executeTransaction` was called.
fn rows_account(top: &TracedCall) -> [u8; 20] {
    let call = top
        .calls
        .iter()
        .find(|call| call.input.starts_with(&[0xdf, 0x9c, 0x15, 0x89]));
    call.expect("the account executes").to.0
}

fn has_create(call: &TracedCall) -> bool {
    call.kind == "create" || call.calls.iter().any(has_create)
}

/// Calls itself as often as its first argument says, with a MiB of its heap each time.
const GENEROUS: &str = "
.text
main:
    and! 1, r2, r0
    jump.ne @done
    ptr.add.s 4, r1, r1
    ld r1, r3
    sub.s! 0, r3, r0
    jump.eq @done
    add 1, r0, r4
    shl.s 116, r4, r4
    add 20000, r0, r1
    shl.s 192, r1, r1
    add r1, r4, r4
turn:
    add r4, r0, r1
    context.this r2
    st.1 100, r3
    st.1 200, r4
    far_call r1, r2, @done
    ld.1 100, r3
    ld.1 200, r4
    sub.s! 1, r3, r3
    jump.ne @turn
done:
    ret.ok r0
";

#[test]
fn calldata_is_cut_where_calls_have_more_than_memory_should_hold() {
    let recorded = record(&contract(GENEROUS, "give", 300), 16_384);
    let calls = all(&recorded.recording);
    let of_a_mib = calls.iter().filter(|call| call.input.len() == 1 << 20).count();
    assert!((200..=256).contains(&of_a_mib), "{of_a_mib}");
    let cut = calls.iter().filter(|call| call.is_cut());
    let cut: Vec<_> = cut.map(|call| (call.input.len(), call.input_bytes)).collect();
    assert_eq!(cut, vec![(1024, 1 << 20); 300 - of_a_mib]);
    let traced = trace(&recorded.recording, recorded.recording.transaction(0).unwrap()).unwrap();
    let text = serde_json::to_string(&traced).unwrap();
    assert_eq!(text.matches(r#""isCut":true"#).count(), cut.len());
    assert!(!text.contains(r#""isCut":false"#));
}

#[test]
fn a_batch_that_ran_in_one_go_is_traced_as_one_that_ran_one_by_one() {
    for mut input in vectors(&["whole_batch_mode"]) {
        let mut traced = [Driver::Batch, Driver::OneTx].into_iter().map(|driver| {
            input.config.driver = driver;
            let recorded = record_as_far_as_it_goes(&input, 16_384);
            recorded.recording.load_overview();
            let rows = recorded.recording.transactions().iter();
            rows.map(|row| {
                let traced = trace(&recorded.recording, row).unwrap();
                (traced.tx_hash, traced.result.revert_reason)
            })
            .collect::<Vec<_>>()
        });
        let in_one_go = traced.next().unwrap();
        assert_eq!(Some(&in_one_go), traced.next().as_ref());
        assert!(
            in_one_go.iter().any(|(_, reason)| reason.is_some()),
            "{in_one_go:?}"
        );
    }
}
