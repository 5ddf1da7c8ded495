//! Operands that mean something: addresses, hashes, ABI words, numbers at the edges.

use eradbg_fixtures::abi::{FarCallAbi, Forward, ret_abi};
use eradbg_vm::{FatPointer, U256};

use super::dice::Dice;

/// Which memory a call or return can hand over.
pub(super) const FORWARDS: [Forward; 3] = [Forward::Heap, Forward::AuxHeap, Forward::Pointer];

/// What there is to name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Values<'a> {
    pub(super) addresses: &'a [u64],
    pub(super) hashes: &'a [U256],
}

impl Values<'_> {
    pub(super) fn offset(&self, dice: &mut Dice) -> U256 {
        let near = [0, 1, 31, 32, 33, 64, 4063, 4064, 4065, 57_344, 1 << 21];
        // Only the root has paid for the last bytes of its memory, and it need not become so large.
        let far = [u64::from(u32::MAX) - 31, u64::from(u32::MAX), 1 << 32];
        match dice.below(12) {
            0 => (*dice.one_of(&far)).into(),
            1 => self.word(dice),
            2 => dice.below(200_000).into(),
            _ => (*dice.one_of(&near)).into(),
        }
    }

    pub(super) fn word(&self, dice: &mut Dice) -> U256 {
        match dice.below(14) {
            0 => {
                let forward = *dice.one_of(&FORWARDS);
                Self::far_call_abi(dice, forward)
            }
            1 => Self::ret_abi(dice),
            2 => (*dice.one_of(self.addresses)).into(),
            3 => self.hash(dice),
            4 => U256([dice.number(), dice.number(), dice.number(), dice.number()]),
            5 => U256::from(dice.number()) << 128,
            6 => U256::from(dice.number()) << 192,
            7 => U256::MAX - dice.below(2),
            8 => U256::one() << 255,
            9 => U256::from(u64::from(u32::MAX) + dice.below(3)),
            10 => dice.below(1 << 20).into(),
            11 => dice.below(256).into(),
            _ => dice.below(5).into(),
        }
    }

    pub(super) fn hash(&self, dice: &mut Dice) -> U256 {
        if self.hashes.is_empty() {
            return U256::zero();
        }
        let mut hash = *dice.one_of(self.hashes);
        match dice.below(12) {
            0 => hash.0[3] |= 1 << 48,
            1 => hash.0[3] ^= 3 << 56,
            2 => hash = U256::zero(),
            _ => {}
        }
        hash
    }

    pub(super) fn slice(dice: &mut Dice) -> FatPointer {
        let starts = [0, 0, 1, 32, 4000, 4096, 57_344, 1 << 21, u32::MAX - 10];
        let lengths = [0, 1, 32, 64, 100, 4096, 10_000, 11, u32::MAX];
        let (start, length) = if dice.chance(3) {
            (*dice.one_of(&starts), *dice.one_of(&lengths))
        } else {
            (*dice.one_of(&starts[..5]), *dice.one_of(&lengths[..5]))
        };
        // The root could return all of its memory.
        let start = if length == u32::MAX { start.max(1) } else { start };
        FatPointer {
            offset: u32::from(dice.chance(8)),
            page: 0,
            start,
            length,
        }
    }

    pub(super) fn far_call_abi(dice: &mut Dice, forward: Forward) -> U256 {
        let abi = FarCallAbi {
            calldata: Self::slice(dice),
            ergs: *dice.one_of(&[
                0,
                4,
                300,
                2500,
                6000,
                20_000,
                300_000,
                u32::MAX,
                u32::MAX,
                u32::MAX,
            ]),
            forward,
            shard: u8::from(dice.chance(8)),
            constructor: dice.chance(6),
            system: dice.chance(3),
        };
        let mut word = abi.to_word();
        if dice.chance(16) {
            word.0[3] |= 7 << 32;
        }
        word
    }

    pub(super) fn ret_abi(dice: &mut Dice) -> U256 {
        let forward = *dice.one_of(&FORWARDS);
        let slice = Self::slice(dice);
        ret_abi(forward, slice)
    }

    pub(super) fn precompile_abi(dice: &mut Dice) -> U256 {
        let offsets = [0, 1, 31, 32, 100, (1 << 27) - 2, u64::from(u32::MAX)];
        let input = *dice.one_of(&offsets) | dice.below(300) << 32;
        let output = dice.below(8) | dice.below(4) << 32;
        let pages = [0, 0, 0, 1, 10, 11, 2050, 2051, 2058];
        let pages = *dice.one_of(&pages) | *dice.one_of(&pages) << 32;
        let counts = dice.below(3);
        U256([input, output, pages, counts])
    }

    pub(super) fn precompile_extra(dice: &mut Dice) -> U256 {
        let ergs = *dice.one_of(&[0, 0, 1, 100, 7000, u64::from(u32::MAX)]);
        let pubdata = *dice.one_of(&[0, 0, 5, 100_000]);
        U256::from(ergs | pubdata << 32)
    }
}
