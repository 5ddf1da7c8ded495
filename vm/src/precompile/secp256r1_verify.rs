//! Check of a P-256 (secp256r1) signature, as RIP-7212 has it.

use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::{EncodedPoint, FieldBytes};
use primitive_types::U256;

use super::bytes;

/// Tells whether (r, s) signs `digest` under the key (x, y). A high s is accepted.
///
/// `None` when r or s is outside 1..n, or (x, y) is not a point of the curve.
pub(super) fn verify([digest, r, s, x, y]: [U256; 5]) -> Option<bool> {
    let signature = Signature::from_scalars(bytes(r), bytes(s)).ok()?;
    let [x, y] = [x, y].map(|coordinate| FieldBytes::from(bytes(coordinate)));
    let key = VerifyingKey::from_encoded_point(&EncodedPoint::from_affine_coordinates(&x, &y, false)).ok()?;
    Some(key.verify_prehash(&bytes(digest), &signature).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::precompile::tests::hex;
    use p256::ecdsa::SigningKey;
    use p256::ecdsa::signature::hazmat::PrehashSigner;

    /// RFC 6979, section A.2.5: SHA-256, message "sample".
    fn signed() -> [U256; 5] {
        [
            hex("af2bdbe1aa9b6ec1e2ade1d694f41fc71a831d0268e9891562113d8a62add1bf"),
            hex("efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"),
            hex("f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"),
            hex("60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"),
            hex("7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"),
        ]
    }

    fn order() -> U256 {
        hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551")
    }

    fn field_modulus() -> U256 {
        hex("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff")
    }

    #[test]
    fn genuine_signature_matches_with_either_s() {
        let [digest, r, s, x, y] = signed();
        assert_eq!(verify(signed()), Some(true));
        assert_eq!(verify([digest, r, order() - s, x, y]), Some(true));
    }

    #[test]
    fn usable_signature_of_another_digest_does_not_match() {
        let [digest, r, s, x, y] = signed();
        assert_eq!(verify([digest + 1, r, s, x, y]), Some(false));
        assert_eq!(verify([digest, r, s, x, field_modulus() - y]), Some(false));
    }

    #[test]
    fn r_and_s_lie_between_zero_and_the_order() {
        let [digest, r, s, x, y] = signed();
        for outside in [U256::zero(), order(), U256::MAX] {
            assert_eq!(verify([digest, outside, s, x, y]), None, "r = {outside:#x}");
            assert_eq!(verify([digest, r, outside, x, y]), None, "s = {outside:#x}");
        }
        assert_eq!(verify([digest, r, order() - 1, x, y]), Some(false));
    }

    #[test]
    fn key_must_be_a_point_with_reduced_coordinates() {
        let [digest, r, s, x, y] = signed();
        assert_eq!(verify([digest, r, s, x, y + 1]), None);
        assert_eq!(verify([digest, r, s, U256::zero(), U256::zero()]), None);
        assert_eq!(verify([digest, r, s, field_modulus(), y]), None);
    }

    #[test]
    fn digest_counts_modulo_the_order() {
        let small = U256::from(3);
        let signer = SigningKey::from_slice(&[0x11; 32]).unwrap();
        let signature: Signature = signer.sign_prehash(&bytes(small)).unwrap();
        let key = signer.verifying_key().to_encoded_point(false);
        let [r, s] = [signature.r(), signature.s()].map(|part| U256::from_big_endian(&part.to_bytes()));
        let [x, y] = [key.x(), key.y()].map(|part| U256::from_big_endian(part.unwrap()));
        assert_eq!(verify([small, r, s, x, y]), Some(true));
        assert_eq!(verify([order() + small, r, s, x, y]), Some(true));
    }
}
