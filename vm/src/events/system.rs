//! Events of system contracts that tell the operator what happened: logs, messages, code and deployments.
//!
//! An event whose data does not have the declared form is not that event, so it is passed over.

use primitive_types::{H160, H256, U256};

use super::{Event, L2ToL1Log};
use crate::keccak::keccak256;
use crate::storage::{CONTRACT_DEPLOYER, KNOWN_CODES_STORAGE, L1_MESSENGER};

const L2_TO_L1_LOG_SENT: &str = "L2ToL1LogSent((uint8,bool,uint16,address,bytes32,bytes32))";
const L1_MESSAGE_SENT: &str = "L1MessageSent(address,bytes32,bytes)";
const BYTECODE_PUBLICATION_REQUESTED: &str = "BytecodeL1PublicationRequested(bytes32)";
const MARKED_AS_KNOWN: &str = "MarkedAsKnown(bytes32,bool)";
const CONTRACT_DEPLOYED: &str = "ContractDeployed(address,bytes32,address)";

/// A contract created by `ContractDeployer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deployment {
    /// Who deployed it.
    pub deployer: H160,
    /// Versioned hash of its code.
    pub code_hash: U256,
    /// Where it is.
    pub address: H160,
}

/// Returns the user L2->L1 logs that `L1Messenger` announced.
///
/// Source: `matter-labs/zksync-era`, `core/lib/multivm/src/utils/events.rs`.
pub fn user_l2_to_l1_logs(events: &[Event]) -> Vec<L2ToL1Log> {
    emitted(events, L1_MESSENGER, L2_TO_L1_LOG_SENT)
        .filter_map(|event| decode_log(&event.data))
        .collect()
}

/// Returns the messages to L1 in full, as `L1Messenger` announced them.
///
/// Source: `matter-labs/zksync-era`, `core/lib/vm_interface/src/types/outputs/execution_result.rs`, as for the
/// following functions.
pub fn l1_messages(events: &[Event]) -> Vec<Vec<u8>> {
    emitted(events, L1_MESSENGER, L1_MESSAGE_SENT)
        .filter(|event| event.topics.len() == 3)
        .filter_map(|event| decode_bytes(&event.data))
        .collect()
}

/// Returns the hashes of the bytecodes that `L1Messenger` was asked to publish uncompressed.
pub fn bytecode_publication_requests(events: &[Event]) -> Vec<U256> {
    emitted(events, L1_MESSENGER, BYTECODE_PUBLICATION_REQUESTED)
        .filter_map(|event| word_at(&event.data, 0))
        .collect()
}

/// Returns the hashes of the bytecodes that became known, published or not.
pub fn bytecodes_marked_as_known(events: &[Event]) -> Vec<U256> {
    emitted(events, KNOWN_CODES_STORAGE, MARKED_AS_KNOWN)
        .filter(|event| event.topics.len() == 3)
        .map(|event| number(event.topics[1]))
        .collect()
}

/// Returns the contracts that were deployed, system contracts included.
pub fn deployments(events: &[Event]) -> Vec<Deployment> {
    emitted(events, CONTRACT_DEPLOYER, CONTRACT_DEPLOYED)
        .filter(|event| event.topics.len() == 4)
        .map(|event| Deployment {
            deployer: event.topics[1].into(),
            code_hash: number(event.topics[2]),
            address: event.topics[3].into(),
        })
        .collect()
}

fn emitted<'a>(events: &'a [Event], emitter: H160, signature: &str) -> impl Iterator<Item = &'a Event> {
    let topic = keccak256(signature.as_bytes());
    events
        .iter()
        .filter(move |event| event.address == emitter && event.topics.first() == Some(&topic))
}

/// Reads the six ABI words of the log structure.
fn decode_log(data: &[u8]) -> Option<L2ToL1Log> {
    Some(L2ToL1Log {
        shard_id: word_at(data, 0)?.low_u32() as u8,
        is_service: !word_at(data, 1)?.is_zero(),
        tx_number: word_at(data, 2)?.low_u32() as u16,
        address: H256::from_slice(data.get(96..128)?).into(),
        key: word_at(data, 4)?,
        value: word_at(data, 5)?,
    })
}

/// Reads the ABI encoding of one `bytes`: the offset of its length word, there the length, then the bytes.
fn decode_bytes(data: &[u8]) -> Option<Vec<u8>> {
    let offset = usize::try_from(word_at(data, 0)?).ok()?;
    let tail = data.get(offset..)?;
    let length = usize::try_from(word_at(tail, 0)?).ok()?;
    Some(tail[32..].get(..length)?.to_vec())
}

fn word_at(data: &[u8], index: usize) -> Option<U256> {
    data.get(index * 32..(index + 1) * 32).map(U256::from_big_endian)
}

fn number(word: H256) -> U256 {
    U256::from_big_endian(word.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(address: H160, topics: &[H256], data: &[u8]) -> Event {
        Event {
            tx_number: 0,
            address,
            topics: topics.to_vec(),
            data: data.to_vec(),
        }
    }

    fn word(value: u64) -> H256 {
        H256::from_low_u64_be(value)
    }

    fn words(values: &[u64]) -> Vec<u8> {
        values.iter().flat_map(|value| word(*value).0).collect()
    }

    #[test]
    fn signatures_hash_to_the_topics_of_the_deployed_contracts() {
        for (signature, topic) in [
            (
                L2_TO_L1_LOG_SENT,
                "27fe8c0b49f49507b9d4fe5968c9f49edfe5c9df277d433a07a0717ede97638d",
            ),
            (
                L1_MESSAGE_SENT,
                "3a36e47291f4201faf137fab081d92295bce2d53be2c6ca68ba82c7faa9ce241",
            ),
            (
                BYTECODE_PUBLICATION_REQUESTED,
                "480d3c9f727b5e5c1203d4c61fb185d37f08e6b2dc5e9bbf98591b1a7addf57c",
            ),
            (
                MARKED_AS_KNOWN,
                "c94722ff13eacf53547c4741dab5228353a05938ffcdd5d4a2d533ae0e618287",
            ),
            (
                CONTRACT_DEPLOYED,
                "290afdae231a3fc0bbae8b1af63698b0a1d79b21ad17df0342dfb952fe74f8e5",
            ),
        ] {
            assert_eq!(hex::encode(keccak256(signature.as_bytes())), topic, "{signature}");
        }
    }

    #[test]
    fn logs_are_read_from_the_messenger_alone() {
        let topics = [keccak256(L2_TO_L1_LOG_SENT.as_bytes())];
        let data = words(&[0, 1, 5, 0x8004, 11, 19]);
        let logs = user_l2_to_l1_logs(&[
            event(CONTRACT_DEPLOYER, &topics, &data),
            event(L1_MESSENGER, &topics, &data),
        ]);

        let expected = L2ToL1Log {
            shard_id: 0,
            is_service: true,
            tx_number: 5,
            address: KNOWN_CODES_STORAGE,
            key: 11.into(),
            value: 19.into(),
        };
        assert_eq!(logs, [expected]);
    }

    #[test]
    fn messages_are_cut_to_their_length() {
        let topics = [keccak256(L1_MESSAGE_SENT.as_bytes()), word(1), word(2)];
        let data = [words(&[32, 3]), b"abc".to_vec(), vec![0; 29]].concat();
        assert_eq!(l1_messages(&[event(L1_MESSENGER, &topics, &data)]), [b"abc"]);
    }

    #[test]
    fn messages_that_reach_past_the_data_are_passed_over() {
        let topics = [keccak256(L1_MESSAGE_SENT.as_bytes()), word(1), word(2)];
        for data in [
            words(&[32, 33, 0]),
            words(&[96, 1, 0]),
            words(&[u64::MAX, 1]),
            words(&[32]),
            vec![],
        ] {
            assert!(l1_messages(&[event(L1_MESSENGER, &topics, &data)]).is_empty());
        }
    }

    #[test]
    fn code_events_give_their_hashes() {
        let requested = event(
            L1_MESSENGER,
            &[keccak256(BYTECODE_PUBLICATION_REQUESTED.as_bytes())],
            &words(&[1_438_284_388]),
        );
        let known = event(
            KNOWN_CODES_STORAGE,
            &[keccak256(MARKED_AS_KNOWN.as_bytes()), word(7), word(0)],
            &[],
        );
        let events = [requested, known];
        assert_eq!(
            bytecode_publication_requests(&events),
            [U256::from(1_438_284_388)]
        );
        assert_eq!(bytecodes_marked_as_known(&events), [U256::from(7)]);
    }

    #[test]
    fn deployments_name_deployer_code_and_address() {
        let topics = [keccak256(CONTRACT_DEPLOYED.as_bytes()), word(1), word(2), word(3)];
        let expected = Deployment {
            deployer: H160::from_low_u64_be(1),
            code_hash: 2.into(),
            address: H160::from_low_u64_be(3),
        };
        assert_eq!(deployments(&[event(CONTRACT_DEPLOYER, &topics, &[])]), [expected]);
    }
}
