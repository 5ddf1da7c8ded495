//! Words as field elements and points of the curve bn254 (`alt_bn128`), in the encoding of EIP-196 and EIP-197.

use primitive_types::U256;
use zksync_pairing::CurveAffine;
use zksync_pairing::bn256::{Fq, FqRepr, G1Affine};
use zksync_pairing::ff::PrimeField;

/// Returns the field element of a word; `None` for a word that is not below the field's modulus.
pub(super) fn field_element(word: U256) -> Option<Fq> {
    Fq::from_repr(FqRepr(word.0)).ok()
}

/// Returns the point of G1 with these coordinates, two zeros being the point at infinity; `None` off the curve.
///
/// G1 is the whole curve, so there is no subgroup to check.
pub(super) fn point(x: U256, y: U256) -> Option<G1Affine> {
    G1Affine::from_xy_checked(field_element(x)?, field_element(y)?).ok()
}

/// Returns the coordinates of a point of G1, two zeros at infinity.
pub(super) fn coordinates(point: G1Affine) -> [U256; 2] {
    if point.is_zero() {
        return [U256::zero(); 2];
    }
    let (x, y) = point.into_xy_unchecked();
    [x, y].map(|coordinate| U256(coordinate.into_repr().0))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::precompile::tests::hex;

    /// Modulus of the coordinate field.
    pub(in crate::precompile) fn field_modulus() -> U256 {
        hex("30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47")
    }

    /// Order of G1 and G2.
    pub(in crate::precompile) fn group_order() -> U256 {
        hex("30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001")
    }

    #[test]
    fn coordinates_lie_below_the_modulus() {
        assert!(field_element(field_modulus() - 1).is_some());
        assert!(field_element(field_modulus()).is_none());
        assert!(field_element(U256::MAX).is_none());
        assert!(point(U256::from(1) + field_modulus(), U256::from(2)).is_none());
        assert!(point(U256::zero(), field_modulus()).is_none());
    }

    #[test]
    fn points_lie_on_the_curve_or_are_two_zeros() {
        assert!(point(U256::from(1), U256::from(2)).is_some());
        assert!(point(U256::from(1), field_modulus() - 2).is_some());
        assert!(point(U256::from(1), U256::from(3)).is_none());
        assert!(point(U256::from(0), U256::from(1)).is_none());
        assert!(point(U256::zero(), U256::zero()).is_some_and(|point| point.is_zero()));
    }

    #[test]
    fn coordinates_come_back() {
        for words in [[1, 2], [0, 0]].map(|words| words.map(U256::from)) {
            assert_eq!(point(words[0], words[1]).map(coordinates), Some(words));
        }
    }
}
