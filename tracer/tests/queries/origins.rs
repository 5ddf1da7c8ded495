//! Who wrote a place last, who writes it next and who reads it: what walking through every step gives.

use eradbg_tracer::ledger::StateRow;
use eradbg_tracer::query::{Effect, Found, Hit, Origin, Place, PlacePattern};
use eradbg_tracer::timeline::Direction;
use eradbg_tracer::{Recording, Timeline};
use eradbg_vm::Opcode;
use eradbg_vm::state::Restored;

use crate::NEVER;
use crate::support::{Input, Random, Recorded, all_vectors, record, record_as_far_as_it_goes, small_inputs};
use crate::walk::written;

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
