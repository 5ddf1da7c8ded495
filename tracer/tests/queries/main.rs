//! Queries and questions about places give what walking through every step gives.

#![allow(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

#[path = "../support.rs"]
mod support;
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{ControlFlow, Range};
use std::sync::atomic::AtomicBool;

use eradbg_tracer::index::{GROUP_CHUNKS, Summary, Touched};
use eradbg_tracer::ledger::{CallRow, FailureRow, OperatorRow, StateRow};
use eradbg_tracer::query::{Effect, Found, Hit, Origin, Place, PlacePattern, Query, Search};
use eradbg_tracer::timeline::Direction;
use eradbg_tracer::verify::verify;
use eradbg_tracer::{Recording, Timeline};
use eradbg_vm::outcome::RetKind;
use eradbg_vm::state::Restored;
use eradbg_vm::{H160, Opcode, U256, Value};
use support::{Input, Random, Recorded, all_vectors, record, record_as_far_as_it_goes, small_inputs};
use walk::{Walked, walk, written};

static NEVER: AtomicBool = AtomicBool::new(false);

/// A query with what it means of a step that was walked.
type Case = (String, Box<dyn Fn(u64, &Walked) -> bool>);

#[test]
fn a_query_finds_the_steps_that_walking_finds() {
    let mut random = Random(1);
    for input in small_inputs() {
        for chunk_steps in [64, 5_000] {
            let Recorded {
                recording,
                folder: _folder,
                ..
            } = record(&input, chunk_steps);
            let walk = walk(&recording);
            let middle = &walk[walk.len() / 2];
            let (address, opcode) = (middle.address, middle.opcode);
            let cases: Vec<Case> = vec![
                case("opcode sstore", |_, step| step.opcode == Opcode::StorageWrite),
                case("opcode ret", |_, step| step.opcode.is_ret()),
                case(
                    &format!("opcode {} and address {address:#x}", opcode.name()),
                    move |_, step| step.opcode == opcode && step.address == address,
                ),
                case("pc in 10..100 and not kernel", |_, step| {
                    step.pc.is_some_and(|pc| (10..100).contains(&pc))
                        && step.address > H160::from_low_u64_be(0xffff)
                }),
                case("depth >= 4", |_, step| step.depth >= 4),
                case("ergs < 5000", |_, step| step.ergs < 5_000),
                case("write r5 and depth > 1", |_, step| {
                    step.writes.contains(&Place::Register(5)) && step.depth > 1
                }),
                case("write stack 1", |_, step| {
                    let is_it = |place: &Place| matches!(place, Place::Stack { slot: 1, .. });
                    step.writes.iter().any(is_it)
                }),
                case("write heap 10 0x0..0x1000", |_, step| {
                    let is_it = |place: &Place| match place {
                        Place::Memory { page: 10, offset, .. } => *offset < 0x1000,
                        _ => false,
                    };
                    step.writes.iter().any(is_it)
                }),
                case("write storage", |_, step| step.storage(|row| row.new.is_some())),
                case("read storage AccountCodeStorage", |_, step| {
                    step.storage(|row| row.new.is_none() && row.key.address == H160::from_low_u64_be(0x8002))
                }),
                case("refund > 0 and cold", |_, step| {
                    step.storage(|row| row.refund > 0 && !row.by_far_call)
                        && step.storage(|row| !row.was_read && !row.was_written)
                }),
                case("pubdata != 0", |_, step| {
                    step.storage(|row| row.new.is_some() && row.pubdata != 0)
                        || step
                            .rows
                            .iter()
                            .any(|row| matches!(row, StateRow::Pubdata(bytes) if *bytes != 0))
                }),
                case("restore storage or restore transient", |_, step| {
                    step.rows.iter().any(|row| {
                        matches!(
                            row,
                            StateRow::Restored(
                                Restored::Storage { .. } | Restored::Transient { .. } | Restored::TransientCleared(_)
                            )
                        ) && !matches!(row, StateRow::Restored(Restored::TransientCleared(slots)) if slots.is_empty())
                    })
                }),
                case("event", |_, step| {
                    step.rows.iter().any(|row| matches!(row, StateRow::Event(_)))
                }),
                case("revert", |_, step| {
                    step.failures.iter().any(|row| row.kind == RetKind::Revert)
                }),
                case("panic", |_, step| {
                    step.failures.iter().any(|row| row.kind == RetKind::Panic)
                }),
                case("call", |_, step| {
                    step.calls
                        .iter()
                        .any(|row| matches!(row, CallRow::Entered { .. }))
                }),
                case("return", |_, step| {
                    let mut calls = step.calls.iter();
                    calls.any(|row| {
                        matches!(
                            row,
                            CallRow::Left {
                                kind: RetKind::Ok,
                                ..
                            }
                        )
                    })
                }),
                case("hook", |_, step| step.hook.is_some()),
                case("hook TxHasEnded or hook PostResult", |_, step| {
                    matches!(step.hook, Some(4)) || step.hook == Some(hook_number("PostResult"))
                }),
                case("step < 100 or step >= 1500 and step < 1510", |at, _| {
                    at < 100 || (1_500..1_510).contains(&at)
                }),
            ];
            for (text, matches) in &cases {
                let expected: Vec<u64> = (0..)
                    .zip(&walk)
                    .filter(|(at, step)| matches(*at, step))
                    .map(|(at, _)| at)
                    .collect();
                let place = format!("{} {chunk_steps} {text}", input.name);
                assert_eq!(all(&recording, text, Direction::Forward), expected, "{place}");
                let mut backward = all(&recording, text, Direction::Backward);
                backward.reverse();
                assert_eq!(backward, expected, "{place} backward");
                for _ in 0..3 {
                    let start = random.below(recording.steps());
                    let range = start..start + random.below(recording.steps() - start) + 1;
                    let mut inside = expected.iter().copied().filter(|step| range.contains(step));
                    let (first, last) = (inside.next(), inside.next_back());
                    let found = |direction| first_of(&recording, text, direction, range.clone());
                    assert_eq!(found(Direction::Forward), first, "{place} {range:?}");
                    assert_eq!(found(Direction::Backward), last.or(first), "{place} {range:?}");
                }
            }
            // A frame's steps lie between the one that entered it and the one that leaves it.
            let entered = walk
                .iter()
                .flat_map(|step| &step.entered_at)
                .nth(walk.len() / 3)
                .copied()
                .unwrap_or(0);
            let expected: Vec<u64> = (0..)
                .zip(&walk)
                .filter(|(_, step)| step.entered_at.contains(&entered))
                .map(|(at, _)| at)
                .collect();
            assert_eq!(
                all(&recording, &format!("frame {entered}"), Direction::Forward),
                expected
            );
        }
    }
}

#[test]
fn undone_steps_are_those_of_failed_frames_and_of_rollbacks() {
    for input in small_inputs() {
        let Recorded {
            recording,
            folder: _folder,
            ..
        } = record(&input, 1_000);
        let walk = walk(&recording);
        let is_undone = |at: u64| {
            let in_failed = |row: &FailureRow| {
                // The root frame's effects stay: the operator takes them back if it wants.
                let is_root = row.entered_at == 0 && !row.is_near;
                !is_root && row.entered_at <= at && at < row.step
            };
            walk.iter().flat_map(|step| &step.failures).any(in_failed)
                || recording
                    .undone()
                    .iter()
                    .any(|range| (range.first_step..range.end_step).contains(&at))
        };
        let expected: Vec<u64> = (0..recording.steps()).filter(|&at| is_undone(at)).collect();
        assert_eq!(
            all(&recording, "undone", Direction::Forward),
            expected,
            "{}",
            input.name
        );
        let written = all(&recording, "write storage and undone", Direction::Forward);
        let expected: Vec<u64> = expected
            .into_iter()
            .filter(|&at| walk[at as usize].storage(|row| row.new.is_some()))
            .collect();
        assert_eq!(written, expected, "{}", input.name);
    }
}

#[test]
fn the_last_and_next_write_of_a_place_are_those_that_walking_finds() {
    for input in small_inputs() {
        for chunk_steps in [64, 5_000] {
            let Recorded {
                recording,
                folder: _folder,
                ..
            } = record(&input, chunk_steps);
            check_origins(&input, &recording, 0, 150);
        }
    }
}

#[test]
fn the_last_and_next_write_are_right_on_every_vector() {
    for input in all_vectors() {
        let Recorded {
            recording,
            folder: _folder,
            ..
        } = record_as_far_as_it_goes(&input, 16_384);
        check_origins(&input, &recording, recording.steps() / 2, 20);
    }
}

#[test]
fn a_read_is_followed_by_no_earlier_use_of_the_register() {
    for input in small_inputs() {
        let Recorded {
            recording,
            folder: _folder,
            ..
        } = record(&input, 1_000);
        let mut timeline = Timeline::new(recording.clone()).unwrap();
        let uses = |timeline: &Timeline, index: u8| {
            let step = timeline.next_step().unwrap();
            let i = step.instruction;
            let is_quiet = step.skipped || step.will_panic.is_some() || step.pc.is_none();
            // Of arithmetic it is plain what it reads.
            matches!(
                i.opcode,
                Opcode::Add | Opcode::Sub | Opcode::And | Opcode::Or | Opcode::Mul
            ) && !is_quiet
                && (i.src1 == index || i.src0 == index && i.source == eradbg_vm::isa::Source::Register)
        };
        for from in (0..recording.steps()).step_by(recording.steps() as usize / 40 + 1) {
            for index in 1..5 {
                let place = PlacePattern::Register(Some(index));
                let found = found(Origin::NextRead, &recording, from, &place);
                timeline.seek(from).unwrap();
                let walked = loop {
                    let here = timeline.position();
                    let is_gone = recording
                        .undone()
                        .iter()
                        .any(|range| from < range.end_step && range.end_step <= here);
                    if here >= recording.steps() || is_gone {
                        break None;
                    }
                    if uses(&timeline, index) {
                        break Some(timeline.position());
                    }
                    timeline.step(Direction::Forward, 1).unwrap();
                };
                // Other opcodes read registers as well, so the answer may come sooner, and never later.
                let found = found.map(|hit| hit.step);
                assert!(
                    walked.is_none() || found.is_some_and(|found| Some(found) <= walked),
                    "{} {from} r{index}: {found:?}, walking finds {walked:?}",
                    input.name
                );
            }
        }
    }
}

#[test]
fn words_that_the_operator_writes_after_a_rollback_are_found_with_the_step_before_it() {
    let mut count = 0;
    for input in small_inputs() {
        for chunk_steps in [64, 5_000] {
            let Recorded {
                recording,
                folder: _folder,
                ..
            } = record(&input, chunk_steps);
            let page = recording.state_at_chunk(0).unwrap().bootloader_heap_page();
            for (step, slot, word) in written_after_rollbacks(&recording) {
                let start = slot * 32;
                let text = format!("write heap {page} {start}..{}", start + 32);
                let is_told = |effect: &Effect| matches!(effect, Effect::Access(access) if access.new == Some(Value::integer(word)));
                let query = Query::new(&text).unwrap();
                let search = Search::new(&recording, [query.expr()], Direction::Forward).unwrap();
                let mut hits = Vec::new();
                search.all(&NEVER, &mut |_| {}, &mut |hit| {
                    hits.push(hit);
                    true
                });
                let context = format!("{} {text} at {step}", input.name);
                let hit = hits.iter().find(|hit| hit.step == step).expect(&context);
                assert!(hit.effects.iter().any(is_told), "{context}: {hit:?}");
                // The first one from there on, and the last one up to there.
                for (direction, range) in [
                    (Direction::Forward, step..recording.steps()),
                    (Direction::Backward, 0..step + 1),
                ] {
                    let search = Search::new(&recording, [query.expr()], direction).unwrap();
                    let found = search.within(vec![range]).first(&NEVER, &mut |_| {}).unwrap();
                    assert!(matches!(found, Found::Hit(hit) if hit.step == step), "{context}");
                }
                count += 1;
            }
        }
    }
    assert!(count > 0, "no input has such words");
}

/// A kernel contract that loads the code of two contracts to its heap, the second one over the first, and calls the first.
const OVERWRITING: &str = "
.rodata
CALL:
    .cell call(0, 0)
.text
main:
    ptr.add.s 4, r1, r1
    ld r1, r3
    ptr.add.s 32, r1, r1
    ld r1, r4
    ptr.add.s 32, r1, r1
    ld r1, r6
    add 30000, r0, r5
    decom r3, r5, r1
    decom r4, r5, r1
    add @CALL[0], r0, r1
    far_call r1, r6, @done
done:
    ret.ok r0
";

#[test]
fn code_that_changed_after_it_was_loaded_is_searched_as_it_was_when_it_ran() {
    let folder = tempfile::tempdir().unwrap();
    for (name, code) in [
        ("it.asm", OVERWRITING),
        ("first.asm", ".text\nmain:\n  xor r1, r1, r2\n  ret.ok r0\n"),
        ("second.asm", ".text\nmain:\n  ror r1, r1, r2\n  ret.ok r0\n"),
    ] {
        std::fs::write(folder.path().join(name), code).unwrap();
    }
    let path = folder.path().join("overwriting.ron");
    let text = r#"(
        accounts: {"alice": Rich(0)},
        contracts: {
            "it": (code: Assembly("it.asm"), address: "0x0000000000000000000000000000000000009000"),
            "first": (code: Assembly("first.asm")),
            "second": (code: Assembly("second.asm")),
        },
        blocks: [(steps: [Priority(from: "alice", to: "it", function: "run(bytes32,bytes32,address)",
            args: ["hash(first)", "hash(second)", "first"], mint: "1 ether", gas_limit: 20_000_000, expect: Success)])],
    )"#;
    std::fs::write(&path, text).unwrap();
    let loaded = eradbg_tracer::source::load(&path, None).unwrap();
    let run = loaded.run;
    let Recorded {
        recording,
        folder: _folder,
        ..
    } = record(&Input::of(loaded, run), 64);
    let walk = walk(&recording);
    let expected: Vec<u64> = (0..)
        .zip(&walk)
        .filter(|(_, step)| step.opcode == Opcode::Ror)
        .map(|(at, _)| at)
        .collect();
    assert!(
        !expected.is_empty(),
        "the second contract's code runs in the first one's place"
    );
    assert_eq!(all(&recording, "opcode ror", Direction::Forward), expected);
    assert_eq!(all(&recording, "opcode ror", Direction::Backward), {
        let mut backward = expected;
        backward.reverse();
        backward
    });
}

/// Steps after which the operator went back to its snapshot, with each word that it wrote then: its slot, and the last one.
fn written_after_rollbacks(recording: &Recording) -> BTreeSet<(u64, u32, U256)> {
    recording.load_overview();
    let mut words = BTreeMap::new();
    for block in 0..recording.row_blocks() {
        let mut is_after = None;
        for row in &*recording.rows::<OperatorRow>(block).unwrap() {
            match row.row {
                OperatorRow::RolledBack => is_after = Some(row.step),
                OperatorRow::Write { slot, new, .. } if is_after == Some(row.step) => {
                    words.insert((row.step - 1, slot), new);
                }
                _ => {}
            }
        }
    }
    words
        .into_iter()
        .map(|((step, slot), word)| (step, slot, word))
        .collect()
}

#[test]
fn a_search_that_is_stopped_says_so_and_one_with_a_limit_stops_itself() {
    let input = support::mini_retried();
    let Recorded {
        recording,
        folder: _folder,
        ..
    } = record(&input, 64);
    let query = Query::new("opcode add").unwrap();
    let search = Search::new(&recording, [query.expr()], Direction::Forward).unwrap();
    let stopped = search.all(&AtomicBool::new(true), &mut |_| {}, &mut |_| {
        panic!("nothing is searched")
    });
    assert!(stopped.was_stopped);
    let mut hits = Vec::new();
    let searched = search.all(&NEVER, &mut |_| {}, &mut |hit: Hit| {
        hits.push(hit.step);
        hits.len() < 3
    });
    assert!(searched.was_stopped && searched.damaged.is_empty());
    assert_eq!(hits, all(&recording, "opcode add", Direction::Forward)[..3]);
}

#[test]
fn summaries_are_stored_by_groups_and_are_those_that_are_made_again() {
    for input in small_inputs() {
        let Recorded {
            recording,
            folder: _folder,
            ..
        } = record(&input, 16);
        assert!(recording.groups() > 1, "{}", input.name);
        let findings = verify(&recording, |_| ControlFlow::Continue(()));
        assert_eq!(findings.broken, Vec::<String>::new(), "{}", input.name);
        for group in 0..recording.groups() {
            let stored = recording.stored_group(group).unwrap().unwrap();
            for (chunk, summary) in (group * GROUP_CHUNKS..).zip(&stored) {
                let rows = recording.all_rows(chunk).unwrap();
                assert_eq!(summary.touched, Some(Touched::by(&rows)));
                let keyframe = recording.keyframe(chunk).unwrap();
                let again = Summary {
                    path: summary.path.clone(),
                    touched: summary.touched.clone(),
                    ..Summary::of_keyframe(&keyframe)
                };
                assert_eq!(*summary, again);
            }
        }
    }
}

fn case(text: &str, matches: impl Fn(u64, &Walked) -> bool + 'static) -> Case {
    (text.to_owned(), Box::new(matches))
}

fn hook_number(name: &str) -> u32 {
    let mut hooks = eradbg_vm::bootloader::Hook::ALL.iter();
    *hooks.find(|hook| hook.name() == name).unwrap() as u32
}

/// Steps that match a query, in the order in which they are found.
fn all(recording: &Recording, text: &str, direction: Direction) -> Vec<u64> {
    let query = Query::new(text).unwrap();
    let search = Search::new(recording, [query.expr()], direction).unwrap();
    let mut steps = Vec::new();
    let searched = search.all(&NEVER, &mut |_| {}, &mut |hit| {
        steps.push(hit.step);
        true
    });
    assert!(
        !searched.was_stopped && searched.damaged.is_empty(),
        "{searched:?}"
    );
    steps
}

/// The first step of a range that matches, in a direction.
fn first_of(recording: &Recording, text: &str, direction: Direction, range: Range<u64>) -> Option<u64> {
    let query = Query::new(text).unwrap();
    let search = Search::new(recording, [query.expr()], direction).unwrap();
    match search.within(vec![range]).first(&NEVER, &mut |_| {}).unwrap() {
        Found::Hit(hit) => Some(hit.step),
        Found::Nothing => None,
        Found::Stopped => panic!("nobody stops it"),
    }
}

fn found(origin: Origin, recording: &Recording, position: u64, place: &PlacePattern) -> Option<Hit> {
    match origin
        .find(recording, position, place, &NEVER, &mut |_| {})
        .unwrap()
    {
        Found::Hit(hit) => Some(*hit),
        Found::Nothing => None,
        Found::Stopped => panic!("nobody stops it"),
    }
}

/// Steps of a large recording that are walked.
const WALKED: u64 = 60_000;

/// Asks about places that random steps from `start` on write, from random positions, and compares with what walking
/// finds.
fn check_origins(input: &Input, recording: &Recording, start: u64, questions: u64) {
    let mut timeline = Timeline::new(recording.clone()).unwrap();
    timeline.seek(start).unwrap();
    let mut writes: Vec<(u64, Place)> = Vec::new();
    let end = recording.steps().min(start + WALKED);
    for at in start..end {
        let execution = timeline.execution();
        let (frame, bootloader) = (
            execution.frame().far_entered_at(),
            execution.bootloader_heap_page(),
        );
        let flags = execution.flags();
        timeline.step(Direction::Forward, 1).unwrap();
        let places = written(timeline.last_changes(), frame, bootloader);
        writes.extend(places.into_iter().map(|place| (at, place)));
        if flags != timeline.execution().flags() {
            writes.push((at, Place::Flags));
        }
        for row in timeline.last_rows() {
            if let StateRow::NextTransaction(slots) | StateRow::Restored(Restored::TransientCleared(slots)) =
                row
            {
                let cleared = slots.iter().map(|(key, _)| (at, Place::Transient(*key)));
                writes.extend(cleared);
            }
        }
        let slots = timeline.last_rows().iter().filter_map(|row| match row {
            StateRow::Storage(access) if access.new.is_some() => Some(Place::Storage(access.key)),
            StateRow::Restored(Restored::Storage { key, .. }) => Some(Place::Storage(*key)),
            StateRow::Transient {
                key, new: Some(_), ..
            }
            | StateRow::Restored(Restored::Transient { key, .. }) => Some(Place::Transient(*key)),
            _ => None,
        });
        writes.extend(slots.map(|place| (at, place)));
    }
    let slots: Vec<_> = writes
        .iter()
        .filter(|(_, place)| matches!(place, Place::Storage(_) | Place::Transient(_)))
        .copied()
        .collect();
    let mut random = Random(7);
    let mut asked = 0;
    while asked < questions {
        let from_all = asked % 3 != 0 || slots.is_empty();
        let list = if from_all { &writes } else { &slots };
        let (at, place) = list[random.below(list.len() as u64) as usize];
        let position = at + random.below(end - at) + 1;
        asked += 1;
        // Flags are also set to what they were, which changes do not show.
        if place == Place::Flags {
            continue;
        }
        let pattern = pattern(&place);
        let is_taken_back = |step: u64| {
            !pattern.is_in_rows()
                && recording.undone().iter().any(|range| {
                    (range.first_step..range.end_step).contains(&step) && range.end_step <= position
                })
        };
        let last = writes
            .iter()
            .rev()
            .find(|(step, other)| *step < position && pattern.has(other) && !is_taken_back(*step));
        let context = format!("{} {pattern} at {position}", input.name);
        let hit = found(Origin::LastWrite, recording, position, &pattern);
        if let Some(hit) = &hit {
            let is_told =
                |effect: &Effect| matches!(effect, Effect::Access(access) if pattern.has(&access.place));
            assert!(hit.effects.iter().any(is_told), "{context}");
        }
        // What was walked may have been taken back, and what was before it is not known.
        if last.is_some() || start == 0 {
            assert_eq!(hit.map(|hit| hit.step), last.map(|(step, _)| *step), "{context}");
        }
        let next = writes
            .iter()
            .find(|(step, other)| *step >= position && pattern.has(other));
        let hit = found(Origin::NextWrite, recording, position, &pattern).map(|hit| hit.step);
        // Beyond a rollback the machine's past is another one, and what was not walked is not known.
        if recording.undone().is_empty() && (next.is_some() || end == recording.steps()) {
            assert_eq!(hit, next.map(|(step, _)| *step), "{context}");
        }
    }
}

fn pattern(place: &Place) -> PlacePattern {
    match *place {
        Place::Register(index) => PlacePattern::Register(Some(index)),
        Place::Flags => PlacePattern::Flag(None),
        Place::Stack { frame, slot } => PlacePattern::Stack {
            frame: Some(frame),
            slot: Some(slot),
        },
        Place::Memory { page, offset, .. } => PlacePattern::Heap {
            page: Some(page),
            bytes: Some(u64::from(offset)..u64::from(offset) + 32),
        },
        Place::Storage(key) => PlacePattern::Storage {
            address: Some(key.address),
            slot: Some(key.key),
        },
        Place::Transient(key) => PlacePattern::Transient {
            address: Some(key.address),
            slot: Some(key.key),
        },
    }
}
