//! Queries and questions about places give what walking through every step gives.

#![allow(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

mod missed;
mod origins;
#[path = "../support.rs"]
mod support;
mod walk;

use std::ops::{ControlFlow, Range};
use std::sync::atomic::AtomicBool;

use eradbg_tracer::Recording;
use eradbg_tracer::index::{GROUP_CHUNKS, Summary, Touched};
use eradbg_tracer::ledger::{CallRow, FailureRow, StateRow};
use eradbg_tracer::query::{Found, Hit, Place, Query, Search};
use eradbg_tracer::timeline::Direction;
use eradbg_tracer::verify::verify;
use eradbg_vm::outcome::RetKind;
use eradbg_vm::state::Restored;
use eradbg_vm::{H160, Opcode};
use support::{Random, Recorded, record, small_inputs};
use walk::{Walked, walk};

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
