//! Recovery of the Ethereum address that made a secp256k1 signature.

use primitive_types::U256;
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{Message, SECP256K1};
use sha3::{Digest, Keccak256};

use super::bytes;

/// Returns the address that signed `digest`.
///
/// `None` when r or s is outside 1..n, when no point has r as its x, or when the key would be the point at infinity.
/// Of v only the lowest byte counts. It selects the parity of the point's y; the calling contract lets only 0 and 1
/// pass, and other values, at which the official processor aborts, are refused here. A high s is accepted.
pub(super) fn recover([digest, v, r, s]: [U256; 4]) -> Option<U256> {
    let parity = match v.byte(0) {
        0 => RecoveryId::Zero,
        1 => RecoveryId::One,
        _ => return None,
    };
    let mut compact = [0; 64];
    compact[..32].copy_from_slice(&bytes(r));
    compact[32..].copy_from_slice(&bytes(s));
    let signature = RecoverableSignature::from_compact(&compact, parity).ok()?;
    let key = SECP256K1
        .recover_ecdsa(Message::from_digest(bytes(digest)), &signature)
        .ok()?;
    let hash = Keccak256::digest(&key.serialize_uncompressed()[1..]);
    Some(U256::from_big_endian(&hash[12..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::precompile::tests::hex;

    /// The same with the library of the official processor.
    fn recover_with_k256([digest, v, r, s]: [U256; 4]) -> Option<U256> {
        use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};
        let signature = Signature::from_scalars(bytes(r), bytes(s)).ok()?;
        let low = signature.normalize_s();
        let is_y_odd = (v == U256::one()) != low.is_some();
        let id = RecoveryId::new(is_y_odd, false);
        let key = VerifyingKey::recover_from_prehash(&bytes(digest), &low.unwrap_or(signature), id).ok()?;
        let hash = Keccak256::digest(&key.to_encoded_point(false).as_bytes()[1..]);
        Some(U256::from_big_endian(&hash[12..]))
    }

    #[test]
    fn random_words_recover_as_with_the_official_processors_library() {
        let word = |seed: u64| U256::from_big_endian(&Keccak256::digest(seed.to_be_bytes()));
        let mut recovered = 0;
        for seed in 0..300 {
            let words = [
                word(seed),
                U256::from(seed % 2),
                word(seed + 1_000),
                word(seed + 2_000),
            ];
            let address = recover(words);
            assert_eq!(address, recover_with_k256(words), "seed {seed}");
            recovered += usize::from(address.is_some());
        }
        // Every second word is the x of a point.
        assert!((100..200).contains(&recovered), "{recovered} recovered");
    }

    fn order() -> U256 {
        hex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")
    }

    fn signed() -> [U256; 4] {
        [
            hex("456e9aea5e197a1f1af7a3e85a3212fa4049a3ba34c2289b4c860fc0b0c64ef3"),
            U256::one(),
            hex("9242685bf161793cc25603c231bc2f568eb630ea16aa137d2664ac8038825608"),
            hex("4f8ae3bd7535248d0bd448298cc2e2071e56992d0774dc340c368ae950852ada"),
        ]
    }

    fn signer() -> U256 {
        hex("7156526fbd7a3c72969b54f64e42c10fbb768c8a")
    }

    #[test]
    fn recovers_the_signer() {
        assert_eq!(recover(signed()), Some(signer()));
    }

    #[test]
    fn high_s_with_the_other_parity_recovers_the_same_signer() {
        let [digest, _, r, s] = signed();
        assert_eq!(recover([digest, U256::zero(), r, order() - s]), Some(signer()));
    }

    #[test]
    fn other_parity_recovers_another_signer() {
        let [digest, _, r, s] = signed();
        let other = recover([digest, U256::zero(), r, s]);
        assert!(other.is_some_and(|address| address != signer()));
    }

    #[test]
    fn r_and_s_lie_between_zero_and_the_order() {
        let [digest, v, r, s] = signed();
        for outside in [U256::zero(), order(), order() + 1, U256::MAX] {
            assert_eq!(recover([digest, v, outside, s]), None, "r = {outside:#x}");
            assert_eq!(recover([digest, v, r, outside]), None, "s = {outside:#x}");
        }
        assert!(recover([digest, v, r, U256::one()]).is_some());
        assert!(recover([digest, v, r, order() - 1]).is_some());
    }

    #[test]
    fn only_the_low_byte_of_v_counts() {
        let [digest, _, r, s] = signed();
        assert_eq!(recover([digest, U256::from(0x1b01), r, s]), Some(signer()));
        assert_eq!(recover([digest, U256::from(2), r, s]), None);
        assert_eq!(recover([digest, U256::from(27), r, s]), None);
    }

    #[test]
    fn r_must_be_the_x_of_a_point() {
        let [digest, v, _, s] = signed();
        assert_eq!(recover([digest, v, U256::from(5), s]), None);
    }

    #[test]
    fn point_at_infinity_is_no_key() {
        let generator_x = hex("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798");
        let same = U256::from(5);
        assert_eq!(recover([same, U256::zero(), generator_x, same]), None);
        assert!(recover([same, U256::one(), generator_x, same]).is_some());
    }
}
