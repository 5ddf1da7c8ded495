//! Multiplication of a point of bn254 by a scalar (EIP-196).

use primitive_types::U256;
use zksync_pairing::bn256::{Fr, FrRepr};
use zksync_pairing::ff::PrimeField;
use zksync_pairing::{CurveAffine, CurveProjective};

use super::bn254::{coordinates, point};

/// Returns the coordinates of `scalar` * (x, y), where any scalar counts modulo the group order; `None` when (x, y)
/// is not a point.
pub(super) fn multiply([x, y, scalar]: [U256; 3]) -> Option<[U256; 2]> {
    let reduced = scalar % U256(Fr::char().0);
    let product = point(x, y)?.mul(FrRepr(reduced.0));
    Some(coordinates(product.into_affine()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::precompile::bn254::tests::{field_modulus, group_order};
    use crate::precompile::ecadd::add;

    const INFINITY: Option<[U256; 2]> = Some([U256::zero(); 2]);

    fn times(scalar: U256) -> Option<[U256; 2]> {
        multiply([U256::from(1), U256::from(2), scalar])
    }

    #[test]
    fn multiples_are_repeated_sums() {
        let mut sum = [U256::zero(); 2];
        for scalar in 0..10 {
            assert_eq!(times(U256::from(scalar)), Some(sum), "{scalar}");
            sum = add([sum[0], sum[1], U256::from(1), U256::from(2)]).unwrap();
        }
    }

    #[test]
    fn zero_and_the_group_order_give_infinity() {
        assert_eq!(times(U256::zero()), INFINITY);
        assert_eq!(times(group_order()), INFINITY);
        assert_eq!(times(group_order() * 5), INFINITY);
    }

    #[test]
    fn scalars_count_modulo_the_group_order() {
        assert_eq!(times(group_order() + 7), times(U256::from(7)));
        assert_eq!(times(U256::MAX), times(U256::MAX % group_order()));
        assert_eq!(
            times(group_order() - 1),
            Some([U256::from(1), field_modulus() - 2])
        );
    }

    #[test]
    fn infinity_stays_infinity() {
        assert_eq!(multiply([U256::zero(), U256::zero(), U256::MAX]), INFINITY);
    }

    #[test]
    fn point_must_be_on_the_curve_even_for_scalar_zero() {
        assert_eq!(multiply([1, 3, 0].map(U256::from)), None);
        assert_eq!(multiply([field_modulus(), U256::zero(), U256::zero()]), None);
    }
}
