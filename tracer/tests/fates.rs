//! What becomes of what steps do: kept, undone with a frame that fails, or rolled back by the operator.

#![allow(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

mod support;

use eradbg_tracer::Timeline;
use eradbg_tracer::analysis::pubdata::pubdata;
use support::{Recorded, record, scenario, small_inputs};

#[test]
fn a_step_is_undone_where_the_first_frame_on_its_call_stack_fails_or_the_operator_rolls_back() {
    let (mut undone, mut rolled_back) = (0, 0);
    for input in small_inputs() {
        let Recorded {
            recording,
            folder: _folder,
            ..
        } = record(&input, 1_000);
        recording.load_overview();
        let mut timeline = Timeline::new(recording.clone()).unwrap();
        for step in 0..recording.steps() {
            timeline.seek(step).unwrap();
            let machine = timeline.execution();
            let frames = machine.frames();
            let on_stack: Vec<(u64, bool)> = frames
                .flat_map(|frame| {
                    let waiting = frame.waiting.iter().map(|near| near.entered_at);
                    let parts: Vec<u64> = waiting.chain([frame.current().entered_at]).collect();
                    parts
                        .into_iter()
                        .enumerate()
                        .map(|(at, entered_at)| (entered_at, at > 0))
                })
                .collect();
            let rollback = recording.rollback_of(step);
            let end = rollback.map_or(u64::MAX, |range| range.end_step);
            let failed_at = recording
                .failures()
                .iter()
                .filter(|failure| on_stack.contains(&(failure.entered_at, failure.is_near)))
                .filter(|failure| (step..end).contains(&failure.step) && !recording.ends_with(failure))
                // A failure that the operator took back undid nothing of what was before the snapshot.
                .filter(|failure| recording.rollback_of(failure.step) == rollback)
                .map(|failure| failure.step)
                .min();
            let fate = recording.fate_of(step);
            let expected = failed_at.or(rollback.map(|range| range.end_step));
            assert_eq!(fate.undone_at, expected, "{} step {step}", input.name);
            assert_eq!(fate.rolled_back, rollback.is_some(), "{} step {step}", input.name);
            undone += u32::from(failed_at.is_some());
            rolled_back += u32::from(fate.rolled_back);
        }
    }
    assert!(undone > 0 && rolled_back > 0, "{undone} {rolled_back}");
}

#[test]
fn a_moment_within_a_frame_that_fails_later_is_told_to_be_undone() {
    let recorded = scenario("unaffordable_pubdata");
    let recording = &recorded.recording;
    let mut writes = Vec::new();
    pubdata::<eradbg_tracer::Error>(recording, 0..u64::MAX, &mut |row| {
        writes.push(row);
        Ok(())
    })
    .unwrap();
    let write = writes
        .iter()
        .find(|row| row.kind == "write" && row.undone_at.is_some())
        .unwrap();
    let mut timeline = Timeline::new(recording.clone()).unwrap();
    timeline.seek(write.step).unwrap();
    assert_eq!(timeline.fate().undone_at, write.undone_at);
}
