//! Pairing check over pairs of points of bn254 (EIP-197).

use primitive_types::U256;
use zksync_pairing::bn256::{
    Bn256, FROBENIUS_COEFF_FQ6_C1, Fq2, Fq12, FrRepr, G1Affine, G2Affine, XI_TO_Q_MINUS_1_OVER_2,
};
use zksync_pairing::ff::Field;
use zksync_pairing::{CurveAffine, Engine};

use super::bn254::{field_element, point};

/// Words of a pair: x and y of the point of G1; x and y of the point of G2, each imaginary part first.
pub(super) const WORDS_PER_PAIR: usize = 6;

/// Pairs that share the squarings of a Miller loop. Bounds the memory for prepared points, about 20 KB a pair.
const PAIRS_PER_LOOP: usize = 16;

/// 6u^2 for the parameter u = 4965661367192848881 from which the curve is made.
const SIX_U_SQUARED: FrRepr = FrRepr([0xf83e_9682_e87c_fd46, 0x6f4d_8248_eeb8_59fb, 0, 0]);

/// Tells whether the product of the pairings of all pairs is one, as it is for no pairs.
///
/// `None` when a coordinate is not below the field's modulus, a point is off its curve, or a point of the second kind
/// is outside the subgroup G2; infinity, all coordinates zero, is a point of both kinds.
///
/// # Panics
/// When `input` is not a whole count of pairs.
pub(super) fn product_is_one(input: &[U256]) -> Option<bool> {
    let (pairs, rest) = input.as_chunks::<WORDS_PER_PAIR>();
    assert!(rest.is_empty(), "the input is made of whole pairs");
    let mut product = Fq12::one();
    for pairs in pairs.chunks(PAIRS_PER_LOOP) {
        let points = pairs.iter().map(decode).collect::<Option<Vec<_>>>()?;
        let prepared: Vec<_> = points.iter().map(|(p, q)| (p.prepare(), q.prepare())).collect();
        let references: Vec<_> = prepared.iter().map(|(p, q)| (p, q)).collect();
        product.mul_assign(&Bn256::miller_loop(&references));
    }
    let pairing =
        Bn256::final_exponentiation(&product).expect("a Miller loop over points of G1 and G2 is not zero");
    Some(pairing == Fq12::one())
}

fn decode(
    &[x, y, x_imaginary, x_real, y_imaginary, y_real]: &[U256; WORDS_PER_PAIR],
) -> Option<(G1Affine, G2Affine)> {
    let p = point(x, y)?;
    let x = Fq2 {
        c0: field_element(x_real)?,
        c1: field_element(x_imaginary)?,
    };
    let y = Fq2 {
        c0: field_element(y_real)?,
        c1: field_element(y_imaginary)?,
    };
    let q = G2Affine::from_xy_checked(x, y).ok()?;
    is_in_subgroup(q).then_some((p, q))
}

/// The twist has points outside G2. Those inside are the ones that the untwist-Frobenius-twist endomorphism multiplies
/// by 6u^2, u being the curve's parameter: a test with half the doublings of a multiplication by the group order.
fn is_in_subgroup(q: G2Affine) -> bool {
    let multiple = q.mul(SIX_U_SQUARED);
    let (mut x, mut y) = q.into_xy_unchecked();
    x.conjugate();
    x.mul_assign(&FROBENIUS_COEFF_FQ6_C1[1]);
    y.conjugate();
    y.mul_assign(&XI_TO_Q_MINUS_1_OVER_2);
    multiple == G2Affine::from_xy_unchecked(x, y).into_projective()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::precompile::bn254::tests::{field_modulus, group_order};
    use crate::precompile::ecmul::multiply;
    use crate::precompile::tests::hex;
    use zksync_pairing::ff::PrimeField;

    const INFINITY: [U256; 4] = [U256::zero(); 4];

    fn g1(scalar: U256) -> [U256; 2] {
        multiply([U256::from(1), U256::from(2), scalar]).unwrap()
    }

    /// The generator of EIP-197.
    fn g2() -> [U256; 4] {
        [
            hex("198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2"),
            hex("1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed"),
            hex("090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b"),
            hex("12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa"),
        ]
    }

    /// A point of the twist outside G2: the first one found by counting x up.
    fn outside_g2() -> [U256; 4] {
        let mut x = Fq2::one();
        loop {
            if let Some(point) = G2Affine::get_point_from_x(x, false) {
                let (x, y) = point.into_xy_unchecked();
                return [x.c1, x.c0, y.c1, y.c0].map(|part| U256(part.into_repr().0));
            }
            x.add_assign(&Fq2::one());
        }
    }

    fn check(pairs: &[([U256; 2], [U256; 4])], expected: Option<bool>) {
        let input: Vec<U256> = pairs
            .iter()
            .flat_map(|(p, q)| p.iter().chain(q))
            .copied()
            .collect();
        assert_eq!(product_is_one(&input), expected);
    }

    #[test]
    fn empty_product_is_one() {
        check(&[], Some(true));
    }

    #[test]
    fn opposite_points_cancel() {
        let minus_one = group_order() - 1;
        check(&[(g1(U256::one()), g2()), (g1(minus_one), g2())], Some(true));
        check(&[(g1(U256::one()), g2()), (g1(U256::one()), g2())], Some(false));
        check(&[(g1(U256::one()), g2())], Some(false));
    }

    #[test]
    fn scalars_add_up_over_several_loops() {
        let count = 2 * PAIRS_PER_LOOP as u64 + 1;
        let mut pairs: Vec<_> = (1..=count).map(|scalar| (g1(U256::from(scalar)), g2())).collect();
        check(&pairs, Some(false));
        pairs.push((g1(group_order() - count * (count + 1) / 2), g2()));
        check(&pairs, Some(true));
    }

    #[test]
    fn infinity_on_either_side_pairs_to_one() {
        check(&[(g1(U256::zero()), INFINITY)], Some(true));
        check(&[(g1(U256::zero()), g2())], Some(true));
        check(&[(g1(U256::one()), INFINITY)], Some(true));
        check(
            &[(g1(U256::one()), g2()), (g1(U256::zero()), INFINITY)],
            Some(false),
        );
    }

    #[test]
    fn every_pair_is_checked_even_beside_infinity() {
        let off_curve = [1, 3].map(U256::from);
        let [x_imaginary, x_real, y_imaginary, y_real] = g2();
        let unreduced = [x_imaginary, x_real + field_modulus(), y_imaginary, y_real];
        let real_part_first = [x_real, x_imaginary, y_real, y_imaginary];
        check(&[(off_curve, INFINITY)], None);
        check(&[(g1(U256::zero()), unreduced)], None);
        check(&[(g1(U256::zero()), real_part_first)], None);
        check(&[(g1(U256::one()), g2()), (off_curve, g2())], None);
    }

    #[test]
    fn twist_points_outside_the_subgroup_are_refused() {
        check(&[(g1(U256::one()), outside_g2())], None);
        check(&[(g1(U256::zero()), outside_g2())], None);
    }
}
