//! Ten thousand frames that wait cost no keyframe anything, nor do thousands of pages that a frame keeps alive: each is told
//! once.

#![allow(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

mod support;

use std::ops::ControlFlow;

use eradbg_tracer::store::database::Database;
use eradbg_tracer::store::envelope::Kind;
use eradbg_tracer::store::key;
use eradbg_tracer::store::tree::{Content, Tree};
use eradbg_tracer::verify::verify;
use eradbg_tracer::{Recording, Timeline};
use support::{Recorded, contract, record};

/// Near calls itself as often as its first argument says, and goes round in the last of the calls.
const DEEP: &str = "
.text
main:
    and! 1, r2, r0
    jump.ne @done
    nop stack+=[4]
    ptr.add.s 4, r1, r1
    ld r1, r3
    call @down
done:
    ret.ok r0
down:
    sub.s! 1, r3, r3
    jump.eq @bottom
    call @down
    ret
bottom:
    add 30000, r0, r4
turn:
    sub.s! 1, r4, r4
    jump.ne @turn
    ret
";

/// Far calls itself as often as its first argument says, one call after the other. Each leaves it a page of returndata.
const KEEPING: &str = "
.text
main:
    and! 1, r2, r0
    jump.ne @done
    ptr.add.s 4, r1, r1
    ld r1, r3
    sub.s! 0, r3, r0
    jump.eq @done
    st.1 0, r3
turn:
    add 20000, r0, r1
    shl.s 192, r1, r1
    context.this r2
    far_call r1, r2, @done
    ld.1 0, r3
    sub.s! 1, r3, r3
    st.1 0, r3
    jump.ne @turn
done:
    ret.ok r0
";

const DEPTH: u64 = 10_000;
const CALLS: u64 = 2_000;
const CHUNK_STEPS: u32 = 4_096;

#[test]
fn keyframes_of_a_deep_call_stack_tell_only_of_frames_that_are_new() {
    let Recorded {
        recording, folder, ..
    } = record(&contract(DEEP, "dive", DEPTH), CHUNK_STEPS);
    let findings = verify(&recording, |_| ControlFlow::Continue(()));
    assert_eq!(findings.broken, Vec::<String>::new());

    let mut timeline = Timeline::new(recording.clone()).unwrap();
    let at_the_bottom: Vec<u32> = (1..recording.chunks())
        .filter(|&chunk| {
            let [before, here] = [chunk - 1, chunk].map(|chunk| {
                timeline.seek(recording.first_step(chunk)).unwrap();
                u64::from(timeline.execution().depth())
            });
            before == here && here > DEPTH
        })
        .collect();
    assert!(at_the_bottom.len() > 5, "{at_the_bottom:?}");

    drop(timeline);
    for (chunk, bytes) in keyframe_bytes(recording, &at_the_bottom) {
        assert!(bytes < 8_192, "the keyframe of chunk {chunk} has {bytes} bytes");
    }
    drop(folder);
}

#[test]
fn keyframes_of_a_frame_that_keeps_many_pages_tell_only_of_pages_that_are_new() {
    let input = contract(KEEPING, "keep", CALLS);
    let Recorded {
        recording, folder, ..
    } = record(&input, CHUNK_STEPS);
    let findings = verify(&recording, |_| ControlFlow::Continue(()));
    assert_eq!(findings.broken, Vec::<String>::new());

    let mut timeline = Timeline::new(recording.clone()).unwrap();
    let kept: Vec<(u32, usize)> = (1..recording.chunks())
        .map(|chunk| {
            timeline.seek(recording.first_step(chunk)).unwrap();
            let frames = timeline.execution().frames().skip(1);
            (
                chunk,
                frames.map(|frame| frame.kept_pages.len()).max().unwrap_or(0),
            )
        })
        .collect();
    let most = kept.iter().map(|&(_, kept)| kept).max();
    assert!(most > Some(CALLS as usize / 2), "{kept:?}");

    let in_the_loop: Vec<u32> = kept
        .iter()
        .filter(|&&(_, kept)| kept > 100)
        .map(|&(chunk, _)| chunk)
        .collect();
    drop(timeline);
    let sizes = keyframe_bytes(recording, &in_the_loop);
    let least = sizes.iter().map(|&(_, bytes)| bytes).min().unwrap();
    let greatest = sizes.iter().map(|&(_, bytes)| bytes).max().unwrap();
    assert!(greatest - least < CALLS as usize / 4, "{sizes:?}");
    drop(folder);
}

/// How many bytes the keyframes of some chunks have.
fn keyframe_bytes(recording: Recording, chunks: &[u32]) -> Vec<(u32, usize)> {
    let path = recording.path().to_owned();
    drop(recording);
    let database = Database::open(&path, Content::Recording).unwrap();
    let bytes = |&chunk: &u32| {
        let key = key::chunk(chunk);
        let found = database.get(Tree::Keyframe, Kind::Keyframe, &key, || chunk.to_string());
        let (bytes, _) = found.unwrap().unwrap();
        (chunk, bytes.len())
    };
    chunks.iter().map(bytes).collect()
}
