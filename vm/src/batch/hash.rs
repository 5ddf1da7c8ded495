//! Transaction hashes, by type: canonical encoding (L1), signed bytes (Ethereum types), EIP-712 (ZKsync's own).

use primitive_types::{H256, U256};
use rlp::{Rlp, RlpStream};

use super::transaction::{Transaction, tx_type};
use crate::bytecode::words_to_bytes;
use crate::keccak::keccak256;

const EIP_712_DOMAIN_TYPE: &str = "EIP712Domain(string name,string version,uint256 chainId)";
const EIP_712_TRANSACTION_TYPE: &str = "Transaction(uint256 txType,uint256 from,uint256 to,uint256 gasLimit,\
    uint256 gasPerPubdataByteLimit,uint256 maxFeePerGas,uint256 maxPriorityFeePerGas,uint256 paymaster,uint256 nonce,\
    uint256 value,bytes data,bytes32[] factoryDeps,bytes paymasterInput)";

/// The last byte of an Ethereum signature is this plus the parity of the point's y coordinate.
const SIGNATURE_V_BASE: u8 = 27;
/// In a legacy transaction that covers the chain id, v is this plus the parity plus twice the id (EIP-155).
const EIP_155_V_BASE: u64 = 35;

impl Transaction {
    /// Computes the transaction's hash on the chain with this id.
    ///
    /// - L1 and upgrade: keccak256 of the full encoding.
    /// - Type 113: keccak256 of the EIP-712 digest and the keccak256 of the signature.
    /// - Types 0, 1 and 2: keccak256 of the signed bytes; where these are unknown, they are put together from the
    ///   fields as the contract `BootloaderUtilities` does, so that the chain's own hash results. (zksync-era's
    ///   operator then takes any legacy transaction to cover the chain id.)
    ///
    /// # Panics
    ///
    /// As [`Self::encode`].
    pub fn hash(&self, chain_id: u64) -> H256 {
        match self.tx_type {
            tx_type::PRIORITY | tx_type::UPGRADE => keccak256(&words_to_bytes(&self.encode())),
            tx_type::EIP_712 => {
                let digest = self.eip_712_digest(chain_id);
                let signature = keccak256(&self.signature);
                keccak256(&[digest.0, signature.0].concat())
            }
            _ => match &self.signed_bytes {
                Some(bytes) => keccak256(bytes),
                None => keccak256(&self.ethereum_signed_bytes(chain_id)),
            },
        }
    }

    /// Computes the digest that the signature of an L2 transaction on the chain with this id covers. A legacy transaction
    /// covers the chain id when its reserved word 0 says so.
    ///
    /// # Panics
    ///
    /// As [`Self::encode`].
    pub fn signing_digest(&self, chain_id: u64) -> H256 {
        match (self.tx_type, self.reserved[0].is_zero()) {
            (tx_type::EIP_712, _) => self.eip_712_digest(chain_id),
            // EIP-155: chain id, 0, 0 in place of the signature.
            (tx_type::LEGACY, false) => {
                keccak256(&self.ethereum_bytes(chain_id, &[chain_id, 0, 0].map(U256::from)))
            }
            _ => keccak256(&self.ethereum_bytes(chain_id, &[])),
        }
    }

    /// Returns the digest that the signature of a type 113 transaction covers.
    fn eip_712_digest(&self, chain_id: u64) -> H256 {
        let hashed = |bytes: &[u8]| U256::from_big_endian(keccak256(bytes).as_bytes());
        let domain = [
            hashed(EIP_712_DOMAIN_TYPE.as_bytes()),
            hashed(b"zkSync"),
            hashed(b"2"),
            U256::from(chain_id),
        ];
        let mut transaction = vec![hashed(EIP_712_TRANSACTION_TYPE.as_bytes())];
        transaction.extend(self.fixed_fields());
        transaction.extend([
            hashed(&self.data),
            hashed(&words_to_bytes(&self.factory_dep_hashes())),
            hashed(&self.paymaster_input),
        ]);
        let domain_hash = keccak256(&words_to_bytes(&domain));
        let struct_hash = keccak256(&words_to_bytes(&transaction));
        keccak256(
            &[
                b"\x19\x01".as_slice(),
                domain_hash.as_bytes(),
                struct_hash.as_bytes(),
            ]
            .concat(),
        )
    }

    /// Returns the signed form of a type 0, 1 or 2 transaction, its type byte included.
    fn ethereum_signed_bytes(&self, chain_id: u64) -> Vec<u8> {
        let [r, s, v] = self.ethereum_signature(chain_id);
        self.ethereum_bytes(chain_id, &[v, r, s])
    }

    /// Returns the encoding of a type 0, 1 or 2 transaction with these numbers at its end.
    fn ethereum_bytes(&self, chain_id: u64, end: &[U256]) -> Vec<u8> {
        let mut list = RlpStream::new();
        list.begin_unbounded_list();
        if self.tx_type != tx_type::LEGACY {
            append_number(&mut list, chain_id.into());
        }
        append_number(&mut list, self.nonce);
        if self.tx_type == tx_type::EIP_1559 {
            append_number(&mut list, self.max_priority_fee_per_gas);
        }
        append_number(&mut list, self.max_fee_per_gas);
        append_number(&mut list, self.gas_limit);
        list.append(&self.to.as_ref().map_or(&[][..], |to| to.as_bytes()));
        append_number(&mut list, self.value);
        list.append(&self.data);
        if self.tx_type != tx_type::LEGACY {
            // Access lists are not supported on ZKsync, they are always empty.
            list.begin_list(0);
        }
        for &number in end {
            append_number(&mut list, number);
        }
        list.finalize_unbounded_list();

        let type_byte = if self.tx_type == tx_type::LEGACY {
            vec![]
        } else {
            vec![self.tx_type]
        };
        [type_byte, list.out().to_vec()].concat()
    }

    /// Returns r, s and v of an Ethereum signature, v in the form that the type has on the wire. Missing bytes count as
    /// zeros: no account accepts such a signature, but the transaction still has a hash.
    fn ethereum_signature(&self, chain_id: u64) -> [U256; 3] {
        let mut bytes = [0; 65];
        let length = self.signature.len().min(bytes.len());
        bytes[..length].copy_from_slice(&self.signature[..length]);
        let parity = bytes[64].saturating_sub(SIGNATURE_V_BASE);
        let v = if self.tx_type != tx_type::LEGACY {
            U256::from(parity)
        } else if self.reserved[0].is_zero() {
            U256::from(bytes[64])
        } else {
            U256::from(chain_id) * 2 + EIP_155_V_BASE + parity
        };
        [
            U256::from_big_endian(&bytes[..32]),
            U256::from_big_endian(&bytes[32..64]),
            v,
        ]
    }
}

/// Returns the chain id that the signature of a legacy transaction covers (EIP-155); `None` if it covers none or the
/// bytes are not a legacy transaction.
pub fn signed_chain_id(signed_bytes: &[u8]) -> Option<u64> {
    const V_INDEX: usize = 6;
    // An RLP list; typed transactions start with their small type byte.
    if *signed_bytes.first()? < 0xc0 {
        return None;
    }
    let v: u64 = Rlp::new(signed_bytes).val_at(V_INDEX).ok()?;
    v.checked_sub(EIP_155_V_BASE).map(|rest| rest / 2)
}

/// Appends a number in RLP's form: big-endian without leading zeros.
fn append_number(list: &mut RlpStream, number: U256) {
    let bytes = words_to_bytes(&[number]);
    list.append(&&bytes[number.leading_zeros() as usize / 8..]);
}

#[cfg(test)]
mod tests {
    use primitive_types::H160;

    use super::*;

    fn hex_bytes(digits: &str) -> Vec<u8> {
        hex::decode(digits).unwrap()
    }

    /// The signed transaction of EIP-155's own example.
    const EIP_155_EXAMPLE: &str = "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a7640000\
        8025a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3\
        dc64214b297fb1966a3b6d83";

    fn eip_155_example() -> Transaction {
        let r_and_s = "28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276\
            67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83";
        Transaction {
            nonce: 9.into(),
            max_fee_per_gas: 20_000_000_000_u64.into(),
            gas_limit: 21_000.into(),
            to: Some(H160::repeat_byte(0x35)),
            value: U256::exp10(18),
            signature: [hex_bytes(r_and_s), vec![27]].concat(),
            reserved: [1, 0, 0, 0].map(U256::from),
            ..Transaction::default()
        }
    }

    #[test]
    fn legacy_transaction_is_put_together_as_it_was_signed() {
        let signed_bytes = hex_bytes(EIP_155_EXAMPLE);
        let tx = eip_155_example();
        assert_eq!(tx.ethereum_signed_bytes(1), signed_bytes);
        assert_eq!(tx.hash(1), keccak256(&signed_bytes));
    }

    #[test]
    fn signing_digest_of_a_legacy_transaction_is_that_of_the_published_example() {
        let digest = "daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53";
        assert_eq!(hex::encode(eip_155_example().signing_digest(1)), digest);
    }

    #[test]
    fn legacy_transaction_without_chain_id_keeps_its_v() {
        let without = Transaction {
            reserved: [U256::zero(); 4],
            ..eip_155_example()
        };
        let signed_bytes = without.ethereum_signed_bytes(1);
        assert_eq!(Rlp::new(&signed_bytes).val_at::<u64>(6), Ok(27));
        assert_eq!(signed_chain_id(&signed_bytes), None);
    }

    #[test]
    fn typed_transactions_carry_chain_id_access_list_and_parity() {
        let tx = |tx_type| Transaction {
            tx_type,
            nonce: 1.into(),
            max_priority_fee_per_gas: 0x77.into(),
            max_fee_per_gas: 0x78.into(),
            gas_limit: 0x100.into(),
            to: None,
            value: U256::zero(),
            data: vec![0xfe, 0xff],
            signature: [[0; 31].as_slice(), &[0x2a], &[0; 30], &[0x2b, 0x2c], &[28]].concat(),
            ..Transaction::default()
        };
        let eip_1559 = "02d4 82010e 01 77 78 820100 80 80 82feff c0 01 2a 822b2c".replace(' ', "");
        let eip_2930 = "01d3 82010e 01 78 820100 80 80 82feff c0 01 2a 822b2c".replace(' ', "");
        assert_eq!(
            hex::encode(tx(tx_type::EIP_1559).ethereum_signed_bytes(270)),
            eip_1559
        );
        assert_eq!(
            hex::encode(tx(tx_type::EIP_2930).ethereum_signed_bytes(270)),
            eip_2930
        );
    }

    #[test]
    fn signed_bytes_decide_the_hash_of_ethereum_types() {
        let tx = Transaction {
            signed_bytes: Some(vec![1, 2, 3]),
            ..eip_155_example()
        };
        assert_eq!(tx.hash(1), keccak256(&[1, 2, 3]));
    }

    #[test]
    fn short_signature_still_gives_a_hash() {
        let tx = Transaction {
            signature: vec![],
            ..eip_155_example()
        };
        assert_ne!(tx.hash(1), eip_155_example().hash(1));
    }

    #[test]
    fn chain_id_is_read_from_signed_legacy_bytes_only() {
        let legacy = hex_bytes(EIP_155_EXAMPLE);
        assert_eq!(signed_chain_id(&legacy), Some(1));
        assert_eq!(signed_chain_id(&[&[2], &legacy[..]].concat()), None);
        for length in 0..legacy.len() {
            signed_chain_id(&legacy[..length]);
        }
        assert_eq!(signed_chain_id(&legacy[..10]), None);
    }

    #[test]
    fn eip_712_type_hashes_are_the_published_ones() {
        let domain = "c2f8787176b8ac6bf7215b4adcc1e069bf4ab82d9ab1df05a57a91d425935b6e";
        let transaction = "848e1bfa1ac4e3576b728bda6721b215c70a7799a5b4866282a71bab954baac8";
        assert_eq!(hex::encode(keccak256(EIP_712_DOMAIN_TYPE.as_bytes())), domain);
        assert_eq!(
            hex::encode(keccak256(EIP_712_TRANSACTION_TYPE.as_bytes())),
            transaction
        );
    }

    #[test]
    fn eip_712_hash_covers_signed_fields_and_signature() {
        let tx = Transaction {
            tx_type: tx_type::EIP_712,
            ..eip_155_example()
        };
        let hash = tx.hash(270);
        assert_ne!(tx.hash(271), hash);
        let changes: [fn(&mut Transaction); 13] = [
            |tx| tx.from = H160::repeat_byte(1),
            |tx| tx.to = None,
            |tx| tx.gas_limit += 1.into(),
            |tx| tx.gas_per_pubdata_limit += 1.into(),
            |tx| tx.max_fee_per_gas += 1.into(),
            |tx| tx.max_priority_fee_per_gas += 1.into(),
            |tx| tx.paymaster = H160::repeat_byte(1),
            |tx| tx.nonce += 1.into(),
            |tx| tx.value += 1.into(),
            |tx| tx.data.push(0),
            |tx| tx.factory_deps.push(vec![0; 32]),
            |tx| tx.paymaster_input.push(0),
            |tx| tx.signature.push(0),
        ];
        for (index, change) in changes.iter().enumerate() {
            let mut changed = tx.clone();
            change(&mut changed);
            assert_ne!(changed.hash(270), hash, "change {index}");
        }
    }

    #[test]
    fn l1_hash_is_that_of_the_full_encoding() {
        for tx_type in [tx_type::PRIORITY, tx_type::UPGRADE] {
            let tx = Transaction {
                tx_type,
                signature: vec![],
                data: vec![1; 40],
                ..eip_155_example()
            };
            assert_eq!(tx.hash(270), keccak256(&words_to_bytes(&tx.encode())));
            assert_eq!(words_to_bytes(&tx.encode()).len() % 32, 0);
        }
    }
}
