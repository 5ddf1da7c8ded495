//! Modular exponentiation of 256-bit numbers.

use num_bigint::BigUint;
use primitive_types::U256;

use super::bytes;

/// Returns `base ^ exponent mod modulus`; 0 for a zero modulus, and `0 ^ 0 = 1` below any modulus above 1 (EIP-198).
pub(super) fn power([base, exponent, modulus]: [U256; 3]) -> U256 {
    if modulus.is_zero() {
        return U256::zero();
    }
    let [base, exponent, modulus] =
        [base, exponent, modulus].map(|word| BigUint::from_bytes_be(&bytes(word)));
    U256::from_big_endian(&base.modpow(&exponent, &modulus).to_bytes_be())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::precompile::tests::hex;

    fn check(base: u64, exponent: u64, modulus: u64, expected: u64) {
        let actual = power([base, exponent, modulus].map(U256::from));
        assert_eq!(actual, U256::from(expected), "{base}^{exponent} mod {modulus}");
    }

    #[test]
    fn small_powers() {
        check(8, 9, 10, 8);
        check(2, 10, 1000, 24);
        check(12, 1, 5, 2);
        check(4, 2, 16, 0);
    }

    #[test]
    fn zero_and_one_in_each_place() {
        check(3, 5, 0, 0);
        check(0, 0, 0, 0);
        check(3, 5, 1, 0);
        check(3, 0, 1, 0);
        check(1, 9, 1, 0);
        check(3, 0, 7, 1);
        check(0, 0, 7, 1);
        check(0, 5, 7, 0);
        check(1, 5, 7, 1);
    }

    #[test]
    fn fermat_holds_at_full_width() {
        let prime = hex("fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f");
        assert_eq!(power([U256::MAX, prime - 1, prime]), U256::one());
        assert_eq!(power([prime - 1, U256::MAX, prime]), prime - 1);
        assert_eq!(
            power([U256::from(2), U256::from(255), U256::MAX]),
            U256::one() << 255
        );
    }
}
