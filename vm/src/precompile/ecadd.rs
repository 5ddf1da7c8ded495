//! Addition of two points of bn254 (EIP-196).

use primitive_types::U256;
use zksync_pairing::{CurveAffine, CurveProjective};

use super::bn254::{coordinates, point};

/// Returns the coordinates of (x1, y1) + (x2, y2); `None` when either is not a point.
pub(super) fn add([x1, y1, x2, y2]: [U256; 4]) -> Option<[U256; 2]> {
    let mut sum = point(x1, y1)?.into_projective();
    sum.add_assign_mixed(&point(x2, y2)?);
    Some(coordinates(sum.into_affine()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::precompile::bn254::tests::field_modulus;
    use crate::precompile::tests::hex;

    const ZERO: [U256; 2] = [U256::zero(); 2];

    fn generator() -> [U256; 2] {
        [1, 2].map(U256::from)
    }

    fn doubled() -> [U256; 2] {
        [
            hex("030644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd3"),
            hex("15ed738c0e0a7c92e7845f96b2ae9c0a68a6a449e3538fc7ff3ebf7a5a18a2c4"),
        ]
    }

    fn sum([x1, y1]: [U256; 2], [x2, y2]: [U256; 2]) -> Option<[U256; 2]> {
        add([x1, y1, x2, y2])
    }

    #[test]
    fn equal_points_are_doubled() {
        assert_eq!(sum(generator(), generator()), Some(doubled()));
    }

    #[test]
    fn infinity_is_neutral() {
        assert_eq!(sum(ZERO, ZERO), Some(ZERO));
        assert_eq!(sum(ZERO, doubled()), Some(doubled()));
        assert_eq!(sum(doubled(), ZERO), Some(doubled()));
    }

    #[test]
    fn opposite_points_sum_to_infinity() {
        let [x, y] = doubled();
        assert_eq!(sum(doubled(), [x, field_modulus() - y]), Some(ZERO));
    }

    #[test]
    fn addition_is_commutative() {
        let tripled = sum(generator(), doubled());
        assert!(tripled.is_some_and(|point| point != ZERO));
        assert_eq!(tripled, sum(doubled(), generator()));
    }

    #[test]
    fn both_points_must_be_on_the_curve() {
        let off_curve = [1, 3].map(U256::from);
        assert_eq!(sum(off_curve, generator()), None);
        assert_eq!(sum(generator(), off_curve), None);
    }
}
