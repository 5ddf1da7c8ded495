//! Decisions to cases.
//!
//! Programs are biased to mean something: operands are of the kind that an instruction wants, calls go to contracts that
//! exist, handlers land in the program. A share of all this is left to chance.

mod abi;
mod calls;
mod kernel;
mod memory;
mod variants;
mod writer;

use std::collections::BTreeMap;

use eradbg_vm::protocol::Revision;
use eradbg_vm::storage::{ACCOUNT_CODE_STORAGE, L2_BASE_TOKEN, SYSTEM_CONTEXT, system_address};
use eradbg_vm::value::{is_kernel, low16, word_of};
use eradbg_vm::{H160, StorageKey, U256};

use crate::case::{Case, Code};
use crate::choices::Choices;
use writer::{Kind, Writer};

pub use variants::{VARIANTS, is_generated};

/// Kernel addresses that contracts may get: precompiles, those that the machine treats in their own way, and others.
/// `CodeOracle` (0x8012) is left out: see `exclusions`.
const KERNEL: [u16; 22] = [
    0x0001, 0x0002, 0x0005, 0x0006, 0x0007, 0x0008, 0x0100, 0x8010, 0x8001, 0x8002, 0x8004, 0x8006, 0x8008,
    0x8009, 0x8009, 0x800a, 0x800b, 0x800d, 0x800d, 0x9000, 0xffff, 0x0003,
];

/// The bootloader's balance in `L2BaseToken`: a slot that costs nothing.
const FREE_SLOT: U256 = U256([
    0xc029_ffc0_61aa_e0da,
    0xe0ab_d373_cab1_bf4a,
    0x316a_84da_9cf4_aa6f,
    0x31b6_6141_c575_a054,
]);

/// What programs of a case can know of it.
struct Plan {
    addresses: Vec<H160>,
    /// Code hashes, with and without a construction mark, and words that only look like one.
    hashes: Vec<U256>,
    keys: Vec<U256>,
}

/// Makes a case.
pub fn case(choices: &mut Choices<'_>) -> Case {
    let kernel = 1 + choices.below(5);
    let user = 1 + choices.below(4);
    let mut addresses: Vec<H160> = (0..kernel)
        .map(|_| system_address(choices.pick(&KERNEL)))
        .collect();
    addresses.extend((0..user).map(|_| user_address(choices)));
    let code_count = 3 + kernel + user;
    let lengths: Vec<usize> = (0..code_count).map(|_| length(choices)).collect();
    let plan = plan(choices, addresses, code_count);

    let kinds = plan.addresses.iter().map(|&address| Kind::of(address));
    let kinds: Vec<Kind> = [Kind::User; 3].into_iter().chain(kinds).collect();
    let mut codes = BTreeMap::new();
    for (index, (&length, &kind)) in lengths.iter().zip(&kinds).enumerate() {
        let code = program(choices, &plan, kind, length);
        codes.insert(code_hash(index), code);
    }
    let root_length = 4 * (8 + choices.below(24));
    let root = program(choices, &plan, Kind::Root, root_length);
    Case {
        root,
        codes,
        slots: slots(choices, &plan),
        default_account: code_hash(0),
        evm_emulator: code_hash(1),
        ergs: ergs(choices),
        bounds: (bound(choices), bound(choices)),
        hook_offset: choices.pick(&[u32::MAX, u32::MAX, 64, 96, 1000]),
        max_steps: 200 + 100 * choices.below(8) as u64,
        revision: Revision::default(),
    }
}

fn user_address(choices: &mut Choices<'_>) -> H160 {
    match choices.below(4) {
        0 => H160::from_low_u64_be(0x1_0000),
        1 => H160::from_low_u64_be(0x1_0001 + choices.below(4) as u64),
        2 => H160::repeat_byte(0x10 + choices.below(16) as u8),
        _ => H160::from_low_u64_be(choices.u64() | 1 << 60),
    }
}

fn plan(choices: &mut Choices<'_>, addresses: Vec<H160>, code_count: usize) -> Plan {
    let mut hashes: Vec<U256> = (0..code_count).map(code_hash).collect();
    hashes.push(with_top(code_hash(1 + choices.below(code_count - 1)), 1, 1));
    hashes.push(with_top(code_hash(2), 2, 0));
    hashes.push(with_top(code_hash(2), 2, 1));
    let mut keys: Vec<U256> = [0, 1, 2, 7].map(U256::from).to_vec();
    keys.push(FREE_SLOT);
    keys.extend(addresses.iter().map(|&address| word_of(address)));
    Plan {
        addresses,
        hashes,
        keys,
    }
}

/// The hash of the n-th code: version 1, no construction mark, a length that decides the price, a number.
fn code_hash(index: usize) -> U256 {
    let length = 1 + 2 * (index as u64 * 7 % 40);
    U256([index as u64, 0xc0de, 0, 1 << 56 | length << 32])
}

/// A hash with another version byte and construction mark.
fn with_top(hash: U256, version: u8, mark: u8) -> U256 {
    let U256([a, b, c, d]) = hash;
    U256([
        a,
        b,
        c,
        d & 0xffff_ffff_ffff | u64::from(version) << 56 | u64::from(mark) << 48,
    ])
}

/// Instructions of a program; seldom all that a program counter can count, so that it wraps around.
fn length(choices: &mut Choices<'_>) -> usize {
    if choices.once_in(256) && choices.once_in(16) {
        return 1 << 16;
    }
    4 * (4 + choices.below(24))
}

fn program(choices: &mut Choices<'_>, plan: &Plan, kind: Kind, length: usize) -> Code {
    let mut writer = Writer::new(choices, plan, kind, length);
    if kind == Kind::Root {
        calls::main_loop(&mut writer);
    } else {
        for _ in 0..writer.choices.below(4) {
            writer.load_any();
        }
    }
    while !writer.is_full() {
        writer.skip_to_tail();
        idiom(&mut writer);
    }
    writer.finish()
}

/// A few instructions that mean something together, or one that is left to chance.
fn idiom(w: &mut Writer<'_, '_>) {
    match w.choices.below(24) {
        0..=9 => variants::any(w),
        10 => memory::heap(w),
        11 => memory::pointer(w),
        12 => memory::spill(w),
        13 => w.load_any(),
        14 => calls::near_call(w),
        15 | 16 => calls::far_call(w),
        17 => calls::ret(w),
        18 => kernel::storage(w),
        19 => calls::jump(w),
        20 => {
            let word = w.choices.u64();
            w.push_raw(word);
        }
        _ if w.kind.is_kernel() => kernel::any(w),
        21 => kernel::any(w),
        _ => variants::any(w),
    }
}

fn slots(choices: &mut Choices<'_>, plan: &Plan) -> BTreeMap<StorageKey, (U256, bool)> {
    let mut slots = BTreeMap::new();
    for (index, &address) in plan.addresses.iter().enumerate() {
        let hash = code_hash(index + 3);
        let hash = match choices.below(24) {
            0..=18 => hash,
            19 => with_top(hash, 1, 1),
            20 => with_top(hash, 2, 0),
            21 => with_top(hash, 2, 1),
            22 => U256::zero(),
            _ => with_top(hash, choices.pick(&[3, 0, 1]), choices.pick(&[0, 2, 255])),
        };
        let key = StorageKey {
            address: ACCOUNT_CODE_STORAGE,
            key: word_of(address),
        };
        slots.insert(key, (hash, choices.once_in(4)));
    }
    for _ in 0..choices.below(12) {
        let address = match choices.below(6) {
            0 => SYSTEM_CONTEXT,
            1 => L2_BASE_TOKEN,
            _ => choices.pick(&plan.addresses),
        };
        let key = StorageKey {
            address,
            key: choices.pick(&plan.keys),
        };
        let value = choices.word();
        let is_initial = value.is_zero() || choices.once_in(3);
        slots.entry(key).or_insert((value, is_initial));
    }
    slots
}

fn ergs(choices: &mut Choices<'_>) -> u32 {
    match choices.below(8) {
        0 => choices.below(3000) as u32,
        1 => choices.below(60_000) as u32,
        2..=5 => 100_000 + choices.below(2_000_000) as u32,
        _ => 8_000_000,
    }
}

fn bound(choices: &mut Choices<'_>) -> u32 {
    choices.pick(&[1 << 21, 1 << 21, 4096, 0, 1 << 22, 100])
}

impl Kind {
    fn of(address: H160) -> Self {
        if is_kernel(address) {
            Self::Kernel(low16(address))
        } else {
            Self::User
        }
    }
}
