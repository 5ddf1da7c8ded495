//! Scenarios of a length: a loop, the same deep down in near calls, and transfers.

use std::fmt::Write as _;
use std::path::Path;

use eradbg_tracer::source;

use crate::real_base;
use crate::support::Input;

/// Steps of a transfer on the real bootloader, roughly.
const STEPS_PER_TRANSFER: u64 = 8_600;
/// Transactions that a batch has room for, roughly.
const MOST_TRANSFERS: u64 = 9_500;
/// Steps of a transaction of the loop.
const STEPS_PER_LOOP: u64 = 12_000_000;
/// Steps of a turn of the loop.
const STEPS_PER_TURN: u64 = 8;
/// The loop: its number of turns is the first argument. DOWN is replaced by what goes before the turns.
const LOOP: &str = "
.text
main:
    and! 1, r2, r0
    jump.ne @done
    nop stack+=[4]
    ptr.add.s 4, r1, r1
    ld r1, r3
    add 0, r0, r4
    add 64, r0, r6
DOWN
turn:
    add r4, r3, r4
    mul r4, r4, r5, r7
    xor r5, r7, stack[1]
    st.1 r6, r5
    ld.1 r6, r8
    add stack[1], r8, r4
    sub.s! 1, r3, r3
    jump.ne @turn
done:
    ret.ok r0
";

/// Ten thousand near calls, each in the one before.
const DOWN: &str = "
    add 10000, r0, r9
down:
    sub.s! 1, r9, r9
    jump.eq @turn
    call @down
    ret.ok r0
";

/// The input of a length.
pub(crate) fn input(kind: &str, length: u64, folder: &Path) -> Input {
    let text = match kind {
        "loop" => loops("", length, folder),
        "deep" => loops(DOWN, length, folder),
        _ => transfers(length, folder),
    };
    let path = folder.join("scale.ron");
    std::fs::write(&path, text).expect("the folder can be written to");
    let loaded = source::load(&path, None).unwrap_or_else(|error| panic!("{error}"));
    let run = loaded.run;
    Input::of(loaded, run)
}

/// A scenario of loops, each after the instructions of `down`.
fn loops(down: &str, length: u64, folder: &Path) -> String {
    let code = LOOP.replace("DOWN", down);
    std::fs::write(folder.join("loop.asm"), code).expect("the folder can be written to");
    let mut text = r#"(accounts: {"alice": Rich(0)}, contracts: {"loop": (code: Assembly("loop.asm"))}, blocks: [(steps: ["#.to_owned();
    let mut left = length;
    while left > 0 {
        let steps = left.min(STEPS_PER_LOOP);
        let turns = (steps / STEPS_PER_TURN).max(1);
        let _ = write!(
            text,
            r#"Call(from: "alice", to: "loop", function: "turn(uint256)", args: [{turns}], gas_limit: 75_000_000),"#
        );
        left -= steps;
    }
    text.push_str("])])");
    text
}

/// A scenario of transfers, on the real bootloader where the vectors are.
fn transfers(length: u64, folder: &Path) -> String {
    let mut text = String::from("(");
    if real_base::write(&folder.join("zkout"), 29) {
        text.push_str(r#"base: "zkout", "#);
    }
    text.push_str(r#"accounts: {"alice": Rich(0), "bob": Rich(1)}, blocks: ["#);
    let count = length.div_ceil(STEPS_PER_TRANSFER).min(MOST_TRANSFERS);
    for block in 0..count.div_ceil(100) {
        text.push_str("(steps: [");
        for value in block * 100..count.min(block * 100 + 100) {
            let value = value + 1;
            let _ = write!(text, r#"Transfer(from: "alice", to: "bob", value: {value}),"#);
        }
        text.push_str("]),");
    }
    text.push_str("])");
    text
}
