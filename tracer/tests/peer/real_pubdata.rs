//! What a batch publishes on the real contracts, read with a decoder that is not the encoder's: every part is what the
//! batch's results say.

use eradbg_tracer::drive::{self, DriveEnd, Reports};
use eradbg_tracer::report::{BatchReport, EventReport, StateDiffReport};
use eradbg_tracer::source::Loaded;
use eradbg_vm::keccak::keccak256;
use eradbg_vm::{H160, U256};

use crate::real::RealContracts;

/// Reads bytes from their start.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    fn number(&mut self, bytes: usize) -> usize {
        U256::from_big_endian(self.take(bytes)).as_usize()
    }

    fn list(&mut self) -> Vec<&'a [u8]> {
        let count = self.number(4);
        let item = |reader: &mut Self| {
            let length = reader.number(4);
            reader.take(length)
        };
        (0..count).map(|_| item(self)).collect()
    }

    /// The value after a change.
    fn value(&mut self, initial: U256) -> U256 {
        let metadata = self.number(1);
        if metadata == 0 {
            return U256::from_big_endian(self.take(32));
        }
        let operand = U256::from_big_endian(self.take(metadata >> 3));
        match metadata & 7 {
            1 => initial.overflowing_add(operand).0,
            2 => initial.overflowing_sub(operand).0,
            3 => operand,
            other => panic!("operation {other}"),
        }
    }
}

fn run(loaded: Loaded) -> Reports {
    let (driven, reports) = drive::run(loaded.input, loaded.script, &loaded.run);
    assert_eq!(driven.end, Ok(DriveEnd::Finished));
    reports
}

fn word(bytes: impl AsRef<[u8]>) -> U256 {
    U256::from_big_endian(bytes.as_ref())
}

/// Events of a contract below 2^16 with a topic, in the whole batch.
fn events<'a>(batch: &'a BatchReport, address: u64, topic: &str) -> Vec<&'a EventReport> {
    let topic = keccak256(topic.as_bytes());
    let is_it = |event: &&EventReport| {
        event.address == H160::from_low_u64_be(address) && event.topics.first() == Some(&topic)
    };
    let events = &batch.final_execution_state.events;
    events.iter().filter(is_it).collect()
}

/// Values of system logs by key, in order.
fn system_logs(batch: &BatchReport) -> Vec<(u64, U256)> {
    let logs = batch.final_execution_state.system_logs.iter();
    logs.map(|log| (word(log.key).as_u64(), word(log.value)))
        .collect()
}

#[test]
fn pubdata_in_full_holds_logs_messages_code_and_state_diffs() {
    let Some(contracts) = RealContracts::new() else {
        return;
    };
    for name in ["pubdata", "pubdata_uncompressed_code"] {
        let batch = run(contracts.load(name)).batch.unwrap();
        let mut reader = Reader(&batch.pubdata_input);
        let logs = &batch.final_execution_state.user_l2_to_l1_logs;
        assert_eq!(reader.number(4), logs.len());
        for log in logs {
            let found = reader.take(88);
            assert_eq!(&found[2..4], &log.tx.to_be_bytes());
            assert_eq!(&found[4..24], log.sender.as_bytes());
            assert_eq!(&found[24..56], log.key.as_bytes());
            assert_eq!(&found[56..], log.value.as_bytes());
        }
        // The messages are in the events that announce them, behind offset and length; so are compressed bytecodes.
        let messages: Vec<Vec<u8>> = events(&batch, 0x8008, "L1MessageSent(address,bytes32,bytes)")
            .iter()
            .map(|event| {
                let length = word(&event.data[32..64]).as_usize();
                event.data[64..64 + length].to_vec()
            })
            .collect();
        assert_eq!(reader.list(), messages);
        let published = events(&batch, 0x8008, "BytecodeL1PublicationRequested(bytes32)");
        let codes = reader.list();
        assert_eq!(codes.len(), published.len());
        assert_eq!(codes.is_empty(), name == "pubdata");
        for (code, event) in codes.iter().zip(published) {
            let hash = eradbg_vm::bytecode::hash_bytecode(code).unwrap();
            assert_eq!(word(&event.data), hash);
        }
        check_state_diffs(reader, &batch);
    }
}

/// Reads the compressed state diffs, of which nothing may be left over.
fn check_state_diffs(mut reader: Reader, batch: &BatchReport) {
    assert_eq!(reader.number(1), 1, "version");
    let length = reader.number(3);
    assert_eq!(reader.number(1), 4, "bytes of an index");
    assert_eq!(length, reader.0.len());
    let (first, repeated): (Vec<_>, Vec<_>) = batch.state_diffs.iter().partition(|diff| diff.3 == 0);
    assert_eq!(reader.number(2), first.len());
    for &StateDiffReport(_, _, derived_key, _, before, after) in first {
        assert_eq!(reader.take(32), derived_key.as_bytes());
        assert_eq!(reader.value(word(before)), word(after));
    }
    for &StateDiffReport(_, _, _, index, before, after) in repeated {
        assert_eq!(reader.number(4) as u64, index);
        assert_eq!(reader.value(word(before)), word(after));
    }
    assert!(reader.0.is_empty());
    let places: Vec<_> = batch.state_diffs.iter().map(|diff| (diff.0, diff.1)).collect();
    assert!(places.is_sorted());
    assert!(
        places
            .iter()
            .all(|&(address, _)| address != H160::from_low_u64_be(0x8008))
    );
}

#[test]
fn pubdata_that_is_kept_elsewhere_is_the_hash_of_all_state_diffs() {
    let Some(contracts) = RealContracts::new() else {
        return;
    };
    let batch = run(contracts.load("pubdata_hashed")).batch.unwrap();
    let mut records = Vec::new();
    for StateDiffReport(address, key, derived_key, index, before, after) in &batch.state_diffs {
        let start = records.len();
        records.extend(address.as_bytes());
        records.extend(key.as_bytes());
        records.extend(derived_key.as_bytes());
        records.extend(index.to_be_bytes());
        records.extend(before.as_bytes());
        records.extend(after.as_bytes());
        records.resize(start + 272, 0);
    }
    assert_eq!(batch.pubdata_input, keccak256(&records).as_bytes());
}

#[test]
fn the_validator_of_pubdata_is_named_and_its_answer_logged() {
    let Some(contracts) = RealContracts::new() else {
        return;
    };
    let batch = run(contracts.load("pubdata")).batch.unwrap();
    let logs = system_logs(&batch);
    let value = |key: u64| logs.iter().find(|log| log.0 == key).unwrap().1;
    assert_eq!(
        value(6),
        "0x1212121212121212121212121212121212121212".parse().unwrap()
    );
    // It answers how many bytes it was given: five words, the pubdata, the number of state diffs, and the diffs.
    let data = batch.pubdata_input.len() + 4 + 272 * batch.state_diffs.len();
    assert_eq!(value(5).as_usize(), 4 + 32 * 6 + data.next_multiple_of(32));
}

#[test]
fn system_logs_are_those_of_the_version_in_the_order_of_their_making() {
    let Some(contracts) = RealContracts::new() else {
        return;
    };
    let reports = run(contracts.load("blocks"));
    let batch = reports.batch.as_ref().unwrap();
    let logs = system_logs(batch);
    let keys: Vec<u64> = logs.iter().map(|log| log.0).collect();
    assert_eq!(keys, [4, 1, 2, 3, 8, 7, 0, 6, 5]);
    let value = |key: u64| logs.iter().find(|log| log.0 == key).unwrap().1;
    let hash = |parts: &[&[u8]]| keccak256(&parts.concat()).0.to_vec();
    let transactions = &reports.transactions;
    // One transaction from L1, the first.
    let priority = hash(&[&hash(&[]), transactions[0].tx_hash.as_bytes()]);
    assert_eq!(value(2), word(priority));
    assert_eq!(value(3), U256::one());
    // All have succeeded.
    let status = transactions.iter().fold(vec![0; 32], |before, tx| {
        hash(&[&before, &hash(&[tx.tx_hash.as_bytes(), &[1]])])
    });
    assert_eq!(value(8), word(status));
    // Times of the batch and of the block without transactions at its end; nothing came before the batch.
    assert_eq!(value(1), (U256::from(1_700_000_000) << 128) + 1_700_000_011);
    assert_eq!(
        (value(4), value(7), value(6)),
        (U256::zero(), U256::zero(), U256::zero())
    );
    let upgraded = run(contracts.load("upgrades")).batch.unwrap();
    let keys: Vec<u64> = system_logs(&upgraded).iter().map(|log| log.0).collect();
    assert_eq!(keys, [4, 9, 1, 2, 3, 8, 7, 0, 6, 5]);
}
