//! What steps did that neither their code, as it was loaded, nor their chunk's log tells.

use std::collections::{BTreeMap, BTreeSet};

use eradbg_tracer::Recording;
use eradbg_tracer::ledger::OperatorRow;
use eradbg_tracer::query::{Effect, Found, Query, Search};
use eradbg_tracer::timeline::Direction;
use eradbg_vm::{Opcode, U256, Value};

use crate::support::{Input, Recorded, record, small_inputs};
use crate::walk::walk;
use crate::{NEVER, all};

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
