//! Keys: the well-known ones of local chains, addresses of keys, signatures.

use eradbg_vm::batch::Transaction;
use eradbg_vm::keccak::keccak256;
use k256::ecdsa::SigningKey;
use primitive_types::H160;

/// Number of well-known wallets.
pub(super) const RICH_WALLETS: usize = RICH_KEYS.len();

/// Private keys of the wallets that local ZKsync chains endow. They are public: never use them elsewhere.
///
/// Source: `matter-labs/anvil-zksync` `crates/config/src/constants.rs`, `LEGACY_RICH_WALLETS`.
const RICH_KEYS: [&str; 10] = [
    "7726827caac94a7f9e1b160f7ea819f172f7b6f9d2a97f992c38edeab82d4110",
    "ac1e735be8536c6534bb4f17f06f6afc73b2b5ba84ac2cfb12f7461b20c0bbe3",
    "d293c684d884d56f8d6abd64fc76757d3664904e309a0645baf8522ab6366d9e",
    "850683b40d4a740aa6e745f889a6fdc8327be76e122f5aba645a5b02d0248db8",
    "f12e28c0eb1ef4ff90478f6805b68d63737b7f33abfa091601140805da450d93",
    "e667e57a9b8aaa6709e51ff7d093f1c5b73b63f9987e4ab4aa9a5c699e024ee8",
    "28a574ab2de8a00364d5dd4b07c4f2f574ef7fcc2a86a197f65abaec836d1959",
    "74d8b3a188f7260f67698eb44da07397a298df5427df681ef68c45b34b61f998",
    "be79721778b48bcc679b78edac0ce48306a8578186ffcb9f2ee455ae6efeace1",
    "3eb15da85647edd9a1159a4a13b9e7c56877c4eb33f614546d4db06a51868b1c",
];

/// The key of a well-known wallet; `None` when there are not so many.
pub(super) fn rich_key(index: usize) -> Option<SigningKey> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(RICH_KEYS.get(index)?, &mut bytes).expect("the keys are 64 hex digits");
    Some(SigningKey::from_slice(&bytes).expect("the keys are in the field"))
}

/// The address of a key: the last 20 bytes of the keccak256 of its public point.
pub(super) fn address_of(key: &SigningKey) -> H160 {
    let point = key.verifying_key().to_encoded_point(false);
    let hash = keccak256(&point.as_bytes()[1..]);
    H160::from_slice(&hash.as_bytes()[12..])
}

/// Signs a transaction: r, s, and 27 or 28.
pub(super) fn sign(transaction: &Transaction, chain_id: u64, key: &SigningKey) -> Vec<u8> {
    let digest = transaction.signing_digest(chain_id);
    let (signature, recovery) = key
        .sign_prehash_recoverable(digest.as_bytes())
        .expect("a digest of 32 bytes can be signed");
    let mut bytes = signature.to_bytes().to_vec();
    bytes.push(27 + u8::from(recovery.is_y_odd()));
    bytes
}

#[cfg(test)]
mod tests {
    use eradbg_vm::batch::tx_type;
    use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};

    use super::*;

    #[test]
    fn well_known_keys_have_their_published_addresses() {
        let addresses = [
            "36615cf349d7f6344891b1e7ca7c72883f5dc049",
            "a61464658afeaf65cccaafd3a512b69a83b77618",
            "0d43eb5b8a47ba8900d84aa36656c92024e9772e",
            "a13c10c0d5bd6f79041b9835c63f91de35a15883",
            "8002cd98cfb563492a6fb3e7c8243b7b9ad4cc92",
            "4f9133d1d3f50011a6859807c837bdcb31aaab13",
            "bd29a1b981925b94eec5c4f1125af02a2ec4d1ca",
            "edb6f5b4aab3dd95c7806af42881ff12be7e9daa",
            "e706e60ab5dc512c36a4646d719b889f398cbbcb",
            "e90e12261ccb0f3f7976ae611a29e84a6a85f424",
        ];
        for (index, address) in addresses.into_iter().enumerate() {
            let key = rich_key(index).unwrap();
            assert_eq!(hex::encode(address_of(&key)), address, "wallet {index}");
        }
        assert!(rich_key(RICH_WALLETS).is_none());
    }

    #[test]
    fn the_signer_is_recovered_from_signatures_of_all_types() {
        let key = rich_key(0).unwrap();
        for tx_type in [
            tx_type::LEGACY,
            tx_type::EIP_2930,
            tx_type::EIP_1559,
            tx_type::EIP_712,
        ] {
            let transaction = Transaction {
                tx_type,
                from: address_of(&key),
                nonce: 3.into(),
                ..Transaction::default()
            };
            let bytes = sign(&transaction, 270, &key);
            let signature = Signature::from_slice(&bytes[..64]).unwrap();
            let id = RecoveryId::new(bytes[64] == 28, false);
            let digest = transaction.signing_digest(270);
            let signer = VerifyingKey::recover_from_prehash(digest.as_bytes(), &signature, id).unwrap();
            assert_eq!(&signer, key.verifying_key(), "type {tx_type}");
        }
    }
}
