//! Where values come from.

#![allow(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

mod support;

use std::sync::atomic::AtomicBool;

use eradbg_tracer::analysis::origin::{End, Link, origin};
use eradbg_tracer::query::{Hit, Place, PlacePattern, Query, Search, parse_place};
use eradbg_tracer::timeline::Direction;
use eradbg_tracer::{Recording, Timeline};
use eradbg_vm::value::is_kernel;
use support::{Recorded, mini_retried, record, scenario, vectors};

fn way(recording: &Recording, position: u64, place: &PlacePattern) -> Vec<Link> {
    let stop = AtomicBool::new(false);
    origin(recording, position, place, &stop).unwrap().unwrap()
}

fn way_of(recording: &Recording, position: u64, place: &str) -> Vec<Link> {
    way(recording, position, &parse_place(place).unwrap())
}

/// All steps that match a query.
fn hits(recording: &Recording, query: &str) -> Vec<Hit> {
    let query = Query::new(query).unwrap();
    let search = Search::new(recording, [query.expr()], Direction::Forward).unwrap();
    let mut hits = Vec::new();
    search.all(&AtomicBool::new(false), &mut |_| {}, &mut |hit| {
        hits.push(hit);
        true
    });
    hits
}

/// The steps at which a transaction wrote a storage slot of a contract that is no system contract.
fn writes(recording: &Recording, tx: u32) -> Vec<u64> {
    let hits = hits(recording, &format!("tx = {tx} and opcode sstore"));
    let by_users = hits
        .iter()
        .filter(|hit| hit.site.is_some_and(|site| !is_kernel(site.this)));
    by_users.map(|hit| hit.step).collect()
}

fn ends(links: &[Link]) -> Vec<End> {
    links.iter().filter_map(|link| link.end).collect()
}

#[test]
fn an_amount_is_followed_through_calldata_of_two_contracts_to_its_bytes_of_the_transaction() {
    let demo = scenario("demo");
    // The second write of a transfer is the receiver's balance: old balance plus amount.
    let write = writes(&demo.recording, 2)[1];
    let links = way_of(&demo.recording, write, "r2");
    assert_eq!(links[0].value.as_deref(), Some("0xfa"));
    let of_transaction: Vec<_> = links
        .iter()
        .filter(|link| link.end == Some(End::Transaction))
        .collect();
    assert!(
        of_transaction
            .iter()
            .all(|link| link.by.starts_with("transaction 2: data, bytes "))
    );
    let last_bytes = of_transaction
        .iter()
        .find(|link| link.value.as_deref() == Some("0x000000fa"));
    assert!(
        last_bytes
            .unwrap()
            .by
            .starts_with("transaction 2: data, bytes 64 to 68 "),
        "{links:#?}"
    );
    assert!(
        ends(&links).contains(&End::Storage),
        "the old balance is from before the batch"
    );
}

#[test]
fn a_balance_is_followed_through_storage_to_the_transactions_that_made_it() {
    let demo = scenario("demo");
    let write = writes(&demo.recording, 3)[1];
    let links = way_of(&demo.recording, write, "r2");
    let told = |text: &str| links.iter().any(|link| link.by.starts_with(text));
    assert!(
        told("transaction 3: data") && told("transaction 2: data"),
        "{links:#?}"
    );
    let earlier = writes(&demo.recording, 2)[1];
    assert!(links.iter().any(|link| link.step == Some(earlier)));
}

#[test]
fn the_key_of_a_mapping_is_followed_through_its_hash() {
    let demo = scenario("demo");
    let write = writes(&demo.recording, 2)[1];
    let links = way_of(&demo.recording, write, "r1");
    assert!(links.iter().any(|link| link.by.starts_with("precompile")));
    let constant = links.iter().find(|link| link.end == Some(End::Constant)).unwrap();
    assert_eq!(constant.value.as_deref(), Some("0x2"), "the slot of the mapping");
    assert!(
        ends(&links).contains(&End::Transaction),
        "the account is an argument"
    );
}

#[test]
fn words_of_the_operator_are_called_by_what_they_are() {
    let demo = scenario("demo");
    let mut timeline = Timeline::new(demo.recording.clone()).unwrap();
    timeline.seek(0).unwrap();
    let page = eradbg_vm::page_ids::heap_page(timeline.execution().frame().base_page);
    let price = way_of(&demo.recording, 100, &format!("heap {page} 0xa0"));
    assert_eq!(price.len(), 1);
    assert_eq!(price[0].end, Some(End::Operator));
    assert_eq!(price[0].by, "the operator: fair L2 gas price (slot 5)");
    let refund = demo.recording.transactions()[1].first_step;
    let layout = demo.recording.layout();
    let at = demo.recording.steps();
    let place = format!("heap {page} {:#x}", (layout.refunds + 1) * 32);
    let written = way_of(&demo.recording, at, &place);
    assert_eq!(
        written[0].by,
        format!("the operator: operator refund 1 (slot {})", layout.refunds + 1)
    );
    assert!(written[0].step > Some(refund));
}

#[test]
fn what_a_failed_frame_or_the_operator_took_back_leads_to_what_was_there_before() {
    let recorded = record(&mini_retried(), 4_096);
    let recording = &recorded.recording;
    recording.load_overview();
    let mut seen = 0;
    for position in [recording.steps(), recording.steps() / 2] {
        for slot in ["storage 0x10002 1", "storage 0x10001 3", "storage 0x10001 1"] {
            let links = way_of(recording, position, slot);
            assert!(
                ends(&links).iter().all(|&end| end != End::TooFar),
                "{slot}: {links:#?}"
            );
            for pair in links.windows(2) {
                if pair[0].by == "given back by a rollback" {
                    seen += 1;
                    // What comes next stood there before the frame began that failed.
                    assert!(pair[1].step < pair[0].step, "{links:#?}");
                    let (given, before) = (&pair[0].value, &pair[1].value);
                    assert!(before.is_none() || given == before, "{links:#?}");
                }
            }
        }
    }
    assert!(seen > 0, "nothing was given back");
}

#[test]
fn what_the_operator_pushed_after_a_rollback_is_not_taken_for_what_was_there_before() {
    let demo = scenario("demo");
    let recording = &demo.recording;
    // Transaction 7 is rejected, and transaction 8 takes its place in the bootloader's heap.
    let rows = recording.transactions();
    assert!(rows[7].rolled_back && rows[8].first_step == rows[7].first_step + rows[7].steps);
    let mut timeline = Timeline::new(recording.clone()).unwrap();
    timeline.seek(rows[8].first_step).unwrap();
    let machine = timeline.execution();
    let (page, layout) = (machine.bootloader_heap_page(), recording.layout());
    let description = layout.descriptions + 2 * 7;
    let place = machine
        .bootloader_heap()
        .read_word((description as u32 + 1) * 32)
        .low_u64();
    let nonce = place + 32 * 9;
    let links = way_of(
        recording,
        rows[8].first_step + 10,
        &format!("heap {page} {nonce:#x}"),
    );
    assert!(links[0].by.starts_with("transaction 8: nonce"), "{links:#?}");
    let word = machine.bootloader_heap().read_word(nonce as u32);
    assert_eq!(links[0].value, Some(format!("{word:#x}")));
}

#[test]
fn memory_that_nobody_wrote_is_zero_and_ranges_are_told_word_by_word() {
    let demo = scenario("demo");
    let mut timeline = Timeline::new(demo.recording.clone()).unwrap();
    timeline.seek(0).unwrap();
    let page = timeline.execution().bootloader_heap_page();
    let prices = way_of(&demo.recording, 0, &format!("heap {page} 0x80..0xe0"));
    let told: Vec<_> = prices.iter().map(|link| &link.by[..]).collect();
    assert_eq!(
        told,
        [
            "the operator: fair pubdata price (slot 4)",
            "the operator: fair L2 gas price (slot 5)",
            "the operator: expected base fee (slot 6)"
        ]
    );
    assert!(prices.iter().all(|link| link.value.is_some()));
    let unwritten = way_of(
        &demo.recording,
        0,
        &format!("heap {page} {:#x}", demo.recording.layout().refunds * 32),
    );
    assert_eq!(ends(&unwritten), [End::Constant], "{unwritten:#?}");
}

#[test]
fn transient_slots_are_followed_until_a_transaction_clears_them() {
    let recorded = scenario("transient_storage");
    let recording = &recorded.recording;
    let loads = hits(recording, "opcode tload");
    assert!(!loads.is_empty());
    let mut wrote = 0;
    for hit in loads {
        let (step, register) = (hit.step, hit.site.unwrap().instruction.dst0);
        let links = way_of(recording, step + 1, &format!("r{register}"));
        assert_eq!(links[0].step, Some(step));
        assert!(links[1].place.starts_with("transient "), "{links:#?}");
        wrote += usize::from(links[1].by.starts_with("tstore"));
    }
    assert!(wrote > 0, "no value came from a tstore");
}

/// Checks that instructions that only move a value are followed to the same value.
fn check_moves(name: &str, links: &[Link]) -> usize {
    const MOVES: [&str; 9] = [
        "sload", "sstore", "tload", "tstore", "st.1 ", "st.2 ", "ld.1 ", "ld.2 ", "ld ",
    ];
    let mut moves = 0;
    for pair in links.windows(2) {
        let (to, from) = (&pair[0], &pair[1]);
        let is_move = MOVES.iter().any(|mnemonic| to.by.starts_with(mnemonic)) && to.end.is_none();
        // Of bytes of two words each has its own writer.
        let is_whole = !to.place.contains("..") && !from.place.contains("..") && to.level == from.level;
        if let (true, true, Some(moved), Some(found)) = (is_move, is_whole, &to.value, &from.value) {
            assert_eq!(moved, found, "{name}: {to:#?} {from:#?}");
            moves += 1;
        }
    }
    moves
}

/// Follows registers and stack slots at many positions, and checks each writer that is told: right after it, the place has the
/// value, and where a value is only moved it stays the same.
fn check(name: &str, recorded: &Recorded, positions: u64) {
    let recording = &recorded.recording;
    recording.load_overview();
    let mut timeline = Timeline::new(recording.clone()).unwrap();
    let (mut links_checked, mut moves) = (0, 0);
    for number in 0..positions {
        let position = recording.steps() * number / positions + 1;
        timeline.seek(position).unwrap();
        for register in [1, 2, 3, 7] {
            let links = way(recording, position, &PlacePattern::Register(Some(register)));
            timeline.seek(position).unwrap();
            let here = timeline.execution().register(register).word;
            if let Some(value) = links[0].value.as_deref().filter(|_| links[0].step.is_some()) {
                assert_eq!(value, format!("{here:#x}"), "{name}: r{register} at {position}");
            }
            moves += check_moves(name, &links);
            let last = links.last().unwrap();
            assert!(
                last.end.is_some(),
                "{name}: the way of r{register} at {position} has no end: {last:?}"
            );
            for link in links.iter().filter(|link| !link.place.is_empty()) {
                // Whoever wants to ask about it can.
                let spelt =
                    parse_place(&link.place).unwrap_or_else(|error| panic!("{name}: {link:?}: {error}"));
                assert_eq!(
                    Some(spelt),
                    link.at.map(|place| PlacePattern::of(&place)),
                    "{name}: {link:?}"
                );
            }
            for link in links.iter().take(12) {
                let Some((step, Place::Register(index))) = link.step.zip(link.at) else {
                    continue;
                };
                // After a rollback by the operator the register has another value.
                if recording.undone().iter().any(|range| range.end_step == step + 1) {
                    continue;
                }
                timeline.seek(step + 1).unwrap();
                let word = timeline.execution().register(index).word;
                assert_eq!(
                    link.value.as_deref(),
                    Some(&format!("{word:#x}")[..]),
                    "{name}: {link:?}"
                );
                links_checked += 1;
            }
        }
    }
    assert!(links_checked > positions, "{name}: only {links_checked} links");
    assert!(moves > 0, "{name}: no value was only moved");
}

#[test]
fn each_writer_on_a_way_wrote_what_it_is_told_to_have_written() {
    for name in [
        "demo",
        "guest_panics",
        "precompiles",
        "contracts_that_deploy",
        "taken_back_by_the_operator",
    ] {
        check(name, &scenario(name), 24);
    }
    check("mini", &record(&mini_retried(), 4_096), 24);
    for input in vectors(&[
        "eth_call",
        "isa_user_mode",
        "revert_with_reason",
        "transient_storage",
    ]) {
        check(&input.name, &record(&input, 16_384), 12);
    }
}

#[test]
fn a_place_that_is_many_is_refused_and_a_stopped_way_says_that_it_goes_on() {
    let demo = scenario("demo");
    let stop = AtomicBool::new(false);
    for many in ["register", "stack", "heap 2050", "storage NonceHolder"] {
        let place = parse_place(many).unwrap();
        assert!(
            origin(&demo.recording, 100, &place, &stop).unwrap().is_none(),
            "{many}"
        );
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let place = parse_place("r1").unwrap();
    let links = origin(&demo.recording, 1000, &place, &stop).unwrap().unwrap();
    assert_eq!(ends(&links), [End::TooFar]);
}
