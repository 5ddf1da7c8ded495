//! Random programs on our machine and the official one.
//!
//! `ERADBG_RANDOM_PROGRAMS` says how many (1,000 without it) and `ERADBG_RANDOM_SEED` where to start, so that a failure
//! can be run again alone: its message names the seed.

mod dice;
mod program;
mod values;

use std::collections::BTreeSet;
use std::panic::{self, AssertUnwindSafe};

use eradbg_vm::observer::{FrameEnd, Step};
use eradbg_vm::{Execution, Observer, Opcode, PanicCause, U256};

use crate::lab::{Lab, USER};
use crate::official::{self, Verdict};
use dice::Dice;
use program::Words;
use values::Values;

/// Steps after which a program is left alone: most of those that get there run in a loop.
const STEPS: u64 = 400;

/// Addresses that programs call: user contracts, kernel contracts with and without a meaning to the machine.
const CONTRACTS: [u64; 16] = [
    USER,
    USER + 1,
    USER + 2,
    0x8001,
    0x8009,
    0x800b,
    0x8012,
    0x9000,
    0x8010,
    1,
    2,
    5,
    6,
    7,
    8,
    0x100,
];

/// Addresses whose code hash is none that can be called as it is.
const ODD_ADDRESSES: [u64; 8] = [
    USER + 16,
    USER + 17,
    USER + 18,
    USER + 19,
    0xa000,
    0xa001,
    0xa002,
    0xa003,
];

/// What programs got to.
#[derive(Debug, Default)]
struct Seen {
    panics: BTreeSet<PanicCause>,
    executed: BTreeSet<Opcode>,
    depth: u32,
}

impl Observer for Seen {
    fn before_step(&mut self, _: &Execution, step: Step<'_>) {
        if !step.skipped {
            self.executed.insert(step.instruction.opcode);
        }
    }

    fn frame_entered(&mut self, execution: &Execution, _: bool) {
        self.depth = self.depth.max(execution.depth());
    }

    fn frame_leaving(&mut self, _: &Execution, end: FrameEnd) {
        self.panics.extend(end.cause);
    }
}

#[test]
fn random_programs_run_as_on_the_official_vm() {
    let number =
        |name: &str, otherwise| std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"));
    let count: u64 = number("ERADBG_RANDOM_PROGRAMS", 1000);
    let first: u64 = number("ERADBG_RANDOM_SEED", 0);
    let (mut steps, mut aborted) = (0, 0);
    let mut seen = Seen::default();
    for seed in first..first + count {
        let run = panic::catch_unwind(AssertUnwindSafe(|| run(seed, &mut seen)));
        match run.unwrap_or_else(|_| panic!("the machines differ: ERADBG_RANDOM_SEED={seed}")) {
            Verdict::Agreed(agreed) => steps += agreed,
            Verdict::Aborted(agreed, _) => {
                steps += agreed;
                aborted += 1;
            }
        }
    }
    eprintln!("{count} programs, {steps} steps alike; the official VM aborted {aborted} times");
    // A few programs, run again, need not get anywhere.
    if count >= 1000 {
        assert!(steps > 20 * count, "programs are too short to mean much");
        let missing = Opcode::ALL
            .iter()
            .filter(|&opcode| !seen.executed.contains(opcode));
        assert_eq!(missing.collect::<Vec<_>>(), [&Opcode::Invalid]);
        assert!(seen.panics.len() > 20, "few causes of panics: {:?}", seen.panics);
        assert!(seen.depth > 5, "calls are not nested");
        assert!(10 * aborted < count, "programs break off too often");
    }
}

fn run(seed: u64, seen: &mut Seen) -> Verdict {
    let mut dice = Dice::new(seed);
    let mut lab = Lab::new();
    lab.ergs = *dice.one_of(&[u32::MAX, 80_000_000, 1_000_000, 100_000, 40_000, 20_000, 8000]);
    lab.settings.unpaid_growth_raises_bound = dice.chance(4);
    lab.settings.ec_precompiles = !dice.chance(4);
    let mut hashes = Vec::new();
    let often = CONTRACTS.into_iter().cycle().take(3 * CONTRACTS.len());
    let addresses: Vec<u64> = often.chain(ODD_ADDRESSES).collect();
    let add = |lab: Lab, dice: &mut Dice, hashes: &mut Vec<U256>| {
        let words = Words::of(dice, values(&addresses, hashes));
        let (lab, hash) = lab.code_of_words(words);
        hashes.push(hash);
        (lab, hash)
    };
    for address in CONTRACTS {
        let (with_code, hash) = add(lab, &mut dice, &mut hashes);
        lab = with_code.code_hash(address, hash);
    }
    let (with_code, account) = add(lab, &mut dice, &mut hashes);
    let (with_code, emulator) = add(with_code, &mut dice, &mut hashes);
    lab = with_code;
    (lab.settings.default_account, lab.settings.evm_emulator) = (account, emulator);
    // Under construction, EVM code in both states, an unknown version: for users and for the kernel.
    let marks = [0x0101, 0x0200, 0x0201, 0x0300];
    for (address, mark) in ODD_ADDRESSES.into_iter().zip(marks.into_iter().cycle()) {
        let mut hash = hashes[0];
        hash.0[3] = hash.0[3] & 0x0000_ffff_ffff_ffff | mark << 48;
        lab = lab.code_hash(address, hash);
    }
    let root = Words::of(&mut dice, values(&addresses, &hashes));
    official::compare(&lab, &root, STEPS, seen)
}

fn values<'a>(addresses: &'a [u64], hashes: &'a [U256]) -> Values<'a> {
    Values { addresses, hashes }
}
