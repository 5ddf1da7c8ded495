//! Ten thousand frames that wait cost no keyframe anything: each is told once.

#![allow(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

mod support;

use std::fs;
use std::ops::ControlFlow;

use eradbg_tracer::store::database::Database;
use eradbg_tracer::store::envelope::Kind;
use eradbg_tracer::store::key;
use eradbg_tracer::store::tree::{Content, Tree};
use eradbg_tracer::verify::verify;
use eradbg_tracer::{Timeline, source};
use support::{Input, Recorded, record};

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

const DEPTH: u64 = 10_000;
const CHUNK_STEPS: u32 = 4_096;

#[test]
fn keyframes_of_a_deep_call_stack_tell_only_of_frames_that_are_new() {
    let Recorded {
        recording, folder, ..
    } = record(&deep(), CHUNK_STEPS);
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

    let path = recording.path().to_owned();
    drop((timeline, recording));
    let database = Database::open(&path, Content::Recording).unwrap();
    for chunk in at_the_bottom {
        let key = key::chunk(chunk);
        let found = database.get(Tree::Keyframe, Kind::Keyframe, &key, || chunk.to_string());
        let (bytes, _) = found.unwrap().unwrap();
        assert!(
            bytes.len() < 8_192,
            "the keyframe of chunk {chunk} has {} bytes",
            bytes.len()
        );
    }
    drop(folder);
}

fn deep() -> Input {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("deep.asm"), DEEP).unwrap();
    let path = folder.path().join("deep.ron");
    let text = format!(
        r#"(
            accounts: {{"alice": Rich(0)}},
            contracts: {{"deep": (code: Assembly("deep.asm"))}},
            blocks: [(steps: [Call(from: "alice", to: "deep", function: "dive(uint256)", args: [{DEPTH}])])],
        )"#
    );
    fs::write(&path, text).unwrap();
    let loaded = source::load(&path, None).unwrap();
    let run = loaded.run;
    Input::of(loaded, run)
}
