//! Events as the machine emits them, and their assembly into events as a reader knows them.

mod system;

use primitive_types::{H160, H256, U256};

use crate::storage::system_address;

pub use system::{
    Deployment, bytecode_publication_requests, bytecodes_marked_as_known, deployments, l1_messages,
    user_l2_to_l1_logs,
};

/// Address of `EventWriter`, the only contract whose event opcodes count: all others emit through it.
pub const EVENT_WRITER: H160 = system_address(0x800d);

/// One execution of the event opcode: a part of an [`Event`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawEvent {
    /// Shard of the emitting frame; always 0 on the present chain.
    pub shard_id: u8,
    /// Whether this part starts an event.
    pub is_first: bool,
    /// Number of the transaction in the batch.
    pub tx_number: u16,
    /// The frame's `this` address.
    pub address: H160,
    /// In a first part the lengths (see [`merge_events`]), else the first chunk.
    pub key: U256,
    /// In a first part the emitter's address, else the second chunk.
    pub value: U256,
}

/// A log sent to L1, by the `to_l1` opcode (a system log) or through `L1Messenger` (a user log).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct L2ToL1Log {
    /// Shard of the sender; always 0 on the present chain.
    pub shard_id: u8,
    /// Whether the sender marked it as a service log.
    pub is_service: bool,
    /// Number of the transaction in the batch.
    pub tx_number: u16,
    /// The sender.
    pub address: H160,
    /// The key, whose meaning is the sender's.
    pub key: U256,
    /// The value, whose meaning is the sender's.
    pub value: U256,
}

impl L2ToL1Log {
    /// Length of [`to_bytes`](Self::to_bytes).
    pub const LENGTH: usize = 88;

    /// Returns the packed form that is published and hashed.
    ///
    /// Shard (1 byte), is service (1), transaction number (2), sender (20), key (32), value (32); big-endian.
    pub fn to_bytes(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[0] = self.shard_id;
        bytes[1] = self.is_service.into();
        bytes[2..4].copy_from_slice(&self.tx_number.to_be_bytes());
        bytes[4..24].copy_from_slice(self.address.as_bytes());
        self.key.to_big_endian(&mut bytes[24..56]);
        self.value.to_big_endian(&mut bytes[56..]);
        bytes
    }
}

/// An event in the form of an Ethereum log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Number of the transaction in the batch.
    pub tx_number: u16,
    /// The contract that emitted it.
    pub address: H160,
    /// Indexed words; the first is usually the hash of the event's signature.
    pub topics: Vec<H256>,
    /// What is not indexed.
    pub data: Vec<u8>,
}

/// Assembles the parts that `EventWriter` emitted into whole events, in order of emission.
///
/// The key of a first part holds the number of topics plus one in bits 0..32 and the length of the data in bits
/// 32..64; its value is the emitter. Each following part brings two chunks of 32 bytes, first the topics, then the
/// data, the last chunk cut to length. An event without all its parts is dropped, as is one interrupted by a part
/// of another transaction or shard.
///
/// Source: `matter-labs/zksync-era`, `core/lib/multivm/src/versions/vm_fast/events.rs`.
pub fn merge_events(raw: &[RawEvent]) -> Vec<Event> {
    let mut events = Vec::new();
    let mut current: Option<Partial> = None;
    for part in raw.iter().filter(|part| part.address == EVENT_WRITER) {
        if part.is_first {
            events.extend(current.take().and_then(Partial::finished));
            current = Partial::start(part);
            continue;
        }
        let Some(mut partial) = current.take() else {
            continue;
        };
        if (partial.shard_id, partial.event.tx_number) != (part.shard_id, part.tx_number) {
            continue;
        }
        partial.push(part.key);
        partial.push(part.value);
        if partial.is_complete() {
            events.push(partial.event);
        } else {
            current = Some(partial);
        }
    }
    events.extend(current.and_then(Partial::finished));
    events
}

/// An event of which some parts have been read.
struct Partial {
    shard_id: u8,
    topics_missing: u32,
    data_bytes_missing: usize,
    event: Event,
}

impl Partial {
    /// Reads the first part; `None` if it announces not even the emitter, which no `EventWriter` does.
    fn start(first: &RawEvent) -> Option<Self> {
        let lengths = first.key.low_u64();
        let emitter: H256 = word(first.value);
        Some(Self {
            shard_id: first.shard_id,
            topics_missing: (lengths as u32).checked_sub(1)?,
            data_bytes_missing: (lengths >> 32) as usize,
            event: Event {
                tx_number: first.tx_number,
                address: emitter.into(),
                topics: Vec::new(),
                data: Vec::new(),
            },
        })
    }

    fn push(&mut self, chunk: U256) {
        let chunk = word(chunk);
        if self.topics_missing > 0 {
            self.event.topics.push(chunk);
            self.topics_missing -= 1;
        } else {
            let used = self.data_bytes_missing.min(32);
            self.event.data.extend_from_slice(&chunk.as_bytes()[..used]);
            self.data_bytes_missing -= used;
        }
    }

    fn is_complete(&self) -> bool {
        self.topics_missing == 0 && self.data_bytes_missing == 0
    }

    fn finished(self) -> Option<Event> {
        self.is_complete().then_some(self.event)
    }
}

fn word(value: U256) -> H256 {
    let mut bytes = [0; 32];
    value.to_big_endian(&mut bytes);
    H256(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::L1_MESSENGER;

    const EMITTER: u64 = 0xabcd;

    fn part(is_first: bool, key: U256, value: U256) -> RawEvent {
        RawEvent {
            shard_id: 0,
            is_first,
            tx_number: 3,
            address: EVENT_WRITER,
            key,
            value,
        }
    }

    fn first(topics: u64, data_bytes: u64) -> RawEvent {
        part(
            true,
            U256::from((data_bytes << 32) | (topics + 1)),
            EMITTER.into(),
        )
    }

    fn chunks(a: u64, b: u64) -> RawEvent {
        part(false, a.into(), b.into())
    }

    fn topic(value: u64) -> H256 {
        H256::from_low_u64_be(value)
    }

    #[test]
    fn topics_come_before_data_and_the_last_chunk_is_cut() {
        let data = part(false, U256::MAX, U256::from(7) << 248);
        let events = merge_events(&[first(2, 33), chunks(1, 2), data]);

        let expected = Event {
            tx_number: 3,
            address: H160::from_low_u64_be(EMITTER),
            topics: vec![topic(1), topic(2)],
            data: [vec![0xff; 32], vec![7]].concat(),
        };
        assert_eq!(events, [expected]);
    }

    #[test]
    fn a_part_may_hold_the_last_topic_and_the_first_data() {
        let events = merge_events(&[first(1, 32), chunks(1, 2)]);
        assert_eq!(events[0].topics, [topic(1)]);
        assert_eq!(events[0].data, topic(2).as_bytes());
    }

    #[test]
    fn events_without_topics_and_data_are_whole_after_their_first_part() {
        assert_eq!(merge_events(&[first(0, 0), first(0, 0)]).len(), 2);
    }

    #[test]
    fn an_event_cut_short_by_the_next_is_dropped() {
        let events = merge_events(&[first(2, 32), chunks(1, 2), first(1, 0), chunks(9, 0), first(4, 0)]);
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].topics, [topic(9)]);
    }

    #[test]
    fn a_part_of_another_transaction_ends_the_event() {
        let stranger = RawEvent {
            tx_number: 4,
            ..chunks(1, 2)
        };
        assert_eq!(merge_events(&[first(2, 0), stranger, chunks(1, 2)]), []);
    }

    #[test]
    fn only_parts_of_the_event_writer_count() {
        let foreign = |raw| RawEvent {
            address: L1_MESSENGER,
            ..raw
        };
        let raw = [
            foreign(first(1, 0)),
            first(1, 0),
            foreign(chunks(1, 0)),
            chunks(2, 0),
        ];
        assert_eq!(merge_events(&raw).len(), 1);
        assert_eq!(merge_events(&raw)[0].topics, [topic(2)]);
    }

    #[test]
    fn higher_bits_of_the_lengths_are_ignored() {
        let mut start = first(1, 0);
        start.key |= U256::from(5) << 64;
        assert_eq!(merge_events(&[start, chunks(1, 0)]).len(), 1);
    }
}
