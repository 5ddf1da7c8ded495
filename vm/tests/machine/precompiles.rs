//! Precompiles at the edges of their inputs: each call runs on the official VM as well, and both must write the same.

use eradbg_fixtures::Assembler;
use eradbg_fixtures::abi::FarCallAbi;
use eradbg_fixtures::assembler::{In, Out, op};
use eradbg_vm::{Opcode, U256};

use crate::lab::{Lab, caller};
use crate::official::{self, Verdict};

/// Word where outputs go.
const OUTPUT: u64 = 100;

/// Points of the two groups that are paired.
type Pair = ([U256; 2], [U256; 4]);

fn word(text: &str) -> U256 {
    U256::from_str_radix(text, 16).expect("hexadecimal digits")
}

/// Modulus of the field of bn254.
fn field() -> U256 {
    word("30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47")
}

/// Order of the group of bn254.
fn group() -> U256 {
    word("30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001")
}

/// Calls a precompile on words from index 0 on; the words that it wrote, or ones that it left alone.
fn call(address: u64, input: &[U256], abi_low: U256) -> Vec<U256> {
    let mut a = Assembler::new();
    for (index, &word) in (0..).zip(input) {
        a.load(1, word);
        a.push(op(Opcode::HeapWrite).src0(In::Imm(index * 32)).src1(1));
    }
    let untouched = U256::MAX - 1;
    a.load(1, untouched);
    for index in 0..3 {
        let at = (OUTPUT + index) as u16 * 32;
        a.push(op(Opcode::HeapWrite).src0(In::Imm(at)).src1(1));
    }
    a.load(1, abi_low | U256([0, OUTPUT, 0, 0]));
    a.push(op(Opcode::Precompile).src0(In::Reg(1)).dst0(Out::Reg(2)));
    for index in 0..3 {
        let at = (OUTPUT + index) as u16 * 32;
        a.push(
            op(Opcode::HeapRead)
                .src0(In::Imm(at))
                .dst0(Out::Reg(3 + index as u8)),
        );
    }
    a.ret(Opcode::RetOk, 0);
    let abi = FarCallAbi {
        ergs: 1_000_000,
        ..FarCallAbi::default()
    };
    let lab = Lab::new().contract(address, &a);
    let root = caller(address, abi);
    let verdict = official::compare(&lab, &root.words(), 1000, &mut ());
    assert!(matches!(verdict, Verdict::Agreed(_)), "{verdict:?}");
    let outcome = lab.run(&root);
    let execution = outcome.first().1;
    let written = (3..6).map(|register| execution.register(register).word);
    written.filter(|&word| word != untouched).collect()
}

/// Calls a precompile that reads a fixed number of words.
fn fixed(address: u64, input: &[U256]) -> Vec<U256> {
    call(address, input, U256::zero())
}

/// Points of bn254 and pairs of words that are none.
fn points() -> Vec<[U256; 2]> {
    let doubled = [
        word("030644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd3"),
        word("15ed738c0e0a7c92e7845f96b2ae9c0a68a6a449e3538fc7ff3ebf7a5a18a2c4"),
    ];
    let small = |x: u64, y: u64| [x, y].map(U256::from);
    vec![
        small(0, 0),
        small(1, 2),
        [1.into(), field() - 2],
        doubled,
        // Off the curve, or not below the modulus.
        small(0, 1),
        small(1, 3),
        [field(), 0.into()],
        [U256::one() + field(), 2.into()],
        [1.into(), U256::from(2) + field()],
        [U256::MAX; 2],
    ]
}

#[test]
fn sums_of_points_on_and_off_the_curve() {
    let mut failed = 0;
    for p in points() {
        for q in points() {
            let output = fixed(6, &[p, q].concat());
            assert_eq!(output.len(), 3);
            failed += u32::from(output == [U256::zero(); 3]);
        }
    }
    // Of ten points four are on the curve.
    assert_eq!(failed, 100 - 16);
}

#[test]
fn multiples_of_points_by_scalars_around_the_order() {
    for p in points() {
        for scalar in [
            U256::zero(),
            U256::one(),
            2.into(),
            group() - 1,
            group(),
            group() + 1,
            field(),
            U256::one() << 255,
            U256::MAX,
        ] {
            assert_eq!(fixed(7, &[p[0], p[1], scalar]).len(), 3);
        }
    }
}

#[test]
fn pairings_of_no_pair_of_infinity_and_outside_the_subgroup() {
    let generator = [
        "198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2",
        "1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed",
        "090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b",
        "12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa",
    ]
    .map(word);
    let outside = [
        "2d81dbc969f72bc0454ff8b04735b717b725fee98a2fcbcdcf6c5b51b1dff33f",
        "075239888fc8448ab781e2a8bb85eb556469474cd707d4b913bee28679920eb6",
        "1ef1c268b7c4c78959f099a043ecd5e537fe3069ac9197235f16162372848cba",
        "209cfadc22f7e80d399d1886f1c53898521a34c62918ed802305f32b4070a3c4",
    ]
    .map(word);
    let infinity = [U256::zero(); 4];
    let swapped = [generator[1], generator[0], generator[3], generator[2]];
    let unreduced = [generator[0] + field(), generator[1], generator[2], generator[3]];
    let [zero, one, minus_one] = [points()[0], points()[1], points()[2]];
    let off_curve = points()[5];
    let yes = [1, 1].map(U256::from);
    let no = [1, 0].map(U256::from);
    let wrong = [0, 0].map(U256::from);
    let pairings: [(&[Pair], [U256; 2]); 12] = [
        (&[], yes),
        (&[(zero, infinity)], yes),
        (&[(one, infinity)], yes),
        (&[(zero, generator)], yes),
        (&[(one, generator)], no),
        (&[(one, generator), (minus_one, generator)], yes),
        (&[(one, generator), (one, generator)], no),
        (&[(one, outside)], wrong),
        (&[(zero, outside)], wrong),
        (&[(one, swapped)], wrong),
        (&[(zero, unreduced)], wrong),
        (&[(one, generator), (off_curve, infinity)], wrong),
    ];
    for (pairs, expected) in pairings {
        let input: Vec<U256> = pairs
            .iter()
            .flat_map(|(p, q)| p.iter().chain(q))
            .copied()
            .collect();
        let output = call(8, &input, U256([0, 0, 0, pairs.len() as u64]));
        assert_eq!(output, expected, "{pairs:x?}");
    }
}

#[test]
fn powers_with_zeros_and_ones_everywhere() {
    let bases = [0, 1, 2, 3, 7].map(U256::from);
    for base in bases.into_iter().chain([U256::MAX]) {
        for exponent in [U256::zero(), U256::one(), 2.into(), 7.into(), U256::MAX] {
            for modulus in [
                U256::zero(),
                U256::one(),
                2.into(),
                7.into(),
                U256::one() << 255,
                U256::MAX,
            ] {
                assert_eq!(fixed(5, &[base, exponent, modulus]).len(), 1);
            }
        }
    }
}

#[test]
fn signatures_at_the_edges_of_their_ranges() {
    let order = word("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
    let modulus = word("fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f");
    let digest = word("456e9aea5e197a1f1af7a3e85a3212fa4049a3ba34c2289b4c860fc0b0c64ef3");
    let r = word("9242685bf161793cc25603c231bc2f568eb630ea16aa137d2664ac8038825608");
    let s = word("4f8ae3bd7535248d0bd448298cc2e2071e56992d0774dc340c368ae950852ada");
    let generator_x = word("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798");
    let one = U256::one();
    let mut recovered = 0;
    for digest in [digest, U256::zero(), order, U256::MAX, 5.into()] {
        // Of v only the low byte counts.
        for v in [0, 1, 0x1_0000] {
            for r in [
                r,
                U256::zero(),
                one,
                5.into(),
                generator_x,
                order - 1,
                order,
                modulus - order,
            ] {
                for s in [
                    s,
                    U256::zero(),
                    one,
                    5.into(),
                    order - s,
                    order - 1,
                    order,
                    U256::MAX,
                ] {
                    let output = fixed(1, &[digest, v.into(), r, s]);
                    assert_eq!(output.len(), 2);
                    recovered += u32::from(output[0] == one);
                }
            }
        }
    }
    assert!(recovered > 100, "only {recovered} signatures were usable");
}

#[test]
fn p256_signatures_at_the_edges_of_their_ranges() {
    let order = word("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
    let modulus = word("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff");
    let digest = word("af2bdbe1aa9b6ec1e2ade1d694f41fc71a831d0268e9891562113d8a62add1bf");
    let r = word("efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716");
    let s = word("f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8");
    let x = word("60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6");
    let y = word("7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299");
    let one = U256::one();
    let (mut usable, mut valid) = (0, 0);
    for digest in [digest, digest + 1, U256::zero(), U256::MAX] {
        for r in [r, U256::zero(), one, order - 1, order] {
            for s in [s, order - s, U256::zero(), order, U256::MAX] {
                for (x, y) in [
                    (x, y),
                    (x, modulus - y),
                    (x, y + 1),
                    (U256::zero(), U256::zero()),
                    (x, U256::MAX),
                    (modulus, y),
                ] {
                    let output = fixed(0x100, &[digest, r, s, x, y]);
                    assert_eq!(output.len(), 2);
                    usable += u32::from(output[0] == one);
                    valid += u32::from(output[1] == one);
                }
            }
        }
    }
    // Two points, three values of r and two of s are usable with every digest; a low and a high s are valid.
    assert_eq!((usable, valid), (4 * 2 * 3 * 2, 2));
}

#[test]
fn hashes_of_lengths_around_blocks_and_of_nothing() {
    let input: Vec<U256> = (1..14).map(|n| U256::MAX / n).collect();
    for offset in [0, 1, 31, 32, 33] {
        for length in [0, 1, 31, 32, 33, 135, 136, 137, 271, 272, 273] {
            let output = call(0x8010, &input, U256([offset | length << 32, 0, 0, 0]));
            assert_eq!(output.len(), 1, "{length} bytes from {offset}");
        }
    }
    for offset in [0, 1, 5] {
        for rounds in 0..4 {
            // The input length means nothing here.
            let output = call(2, &input, U256([offset | 7 << 32, 0, 0, rounds]));
            assert_eq!(
                output.len(),
                usize::from(rounds > 0),
                "{rounds} rounds from {offset}"
            );
        }
    }
}

#[test]
fn input_behind_what_was_written_is_zero() {
    let zeros = |count: usize| vec![U256::zero(); count];
    for (address, words) in [(1, 4), (5, 3), (6, 4), (7, 3), (0x100, 5)] {
        let far = U256([(1 << 27) - 2, 0, 0, 0]);
        assert_eq!(
            call(address, &[U256::MAX], far),
            fixed(address, &zeros(words)),
            "{address:#x}"
        );
    }
    // Keccak-256 counts bytes: from the last one that 32 bits can name, it reads on.
    let beyond = call(
        0x8010,
        &[U256::MAX],
        U256([u64::from(u32::MAX) | 40 << 32, 0, 0, 0]),
    );
    assert_eq!(
        beyond,
        call(0x8010, &[0.into(), 0.into()], U256([40 << 32, 0, 0, 0]))
    );
}

#[test]
fn the_stated_output_length_means_nothing() {
    let stated = U256([0, 0xffff_ffff << 32, 0, 0]);
    let input = [1, 2, 1, 2].map(U256::from);
    assert_eq!(call(6, &input, stated), fixed(6, &input));
}
