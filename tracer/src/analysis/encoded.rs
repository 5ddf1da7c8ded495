//! A transaction as the bootloader gets it: ABI-encoded in its heap.
//!
//! Source: `matter-labs/era-contracts` `system-contracts/contracts/libraries/TransactionHelper.sol` (`Transaction`).

use std::ops::Range;

use eradbg_vm::batch::tx_type;
use eradbg_vm::bootloader::layout::{CURRENT_HASH, DESCRIPTION_SLOTS, GAS_LIMIT_IN_TRANSACTION};
use eradbg_vm::keccak::keccak256;
use eradbg_vm::{Execution, H256, U256, value};

use crate::analysis::{after, before};
use crate::error::Result;
use crate::ledger::TransactionRow;
use crate::recording::Recording;

/// Types of transactions from the base layer.
const L1_TYPES: [u64; 2] = [tx_type::UPGRADE as u64, tx_type::PRIORITY as u64];
/// Places in an encoded transaction, as slots. The tuple begins after the word that says where it is.
const TUPLE: usize = 1;
const TYPE: usize = TUPLE;
const GAS_PER_PUBDATA_LIMIT: usize = TUPLE + 4;
const GAS_PRICE: usize = TUPLE + 5;
const VALUE: usize = TUPLE + 9;
const DATA: usize = TUPLE + 14;
/// The members of the tuple, in order.
const FIELDS: [&str; 19] = [
    "type",
    "from",
    "to",
    "gas limit",
    "gas per pubdata byte limit",
    "max fee per gas",
    "max priority fee per gas",
    "paymaster",
    "nonce",
    "value",
    "reserved 0",
    "reserved 1",
    "reserved 2",
    "reserved 3",
    "place of its data",
    "place of its signature",
    "place of its factory dependencies",
    "place of its paymaster input",
    "place of its reserved bytes",
];
/// Members of any length, by the slots that say where they are.
const DYNAMIC: [(usize, &str); 5] = [
    (DATA, "data"),
    (DATA + 1, "signature"),
    (DATA + 2, "factory dependencies"),
    (DATA + 3, "paymaster input"),
    (DATA + 4, "reserved bytes"),
];
/// Most bytes of data that are read; a transaction is far smaller.
const MOST_DATA: usize = 1 << 24;

/// A transaction in the bootloader's heap, when its run starts.
#[derive(Debug)]
pub(crate) struct Encoded {
    /// The first step of the attempt that counts.
    pub(crate) start: u64,
    /// Number of the transaction among those that the bootloader has.
    pub(crate) place: usize,
    machine: Execution,
    /// Its first slot.
    first: usize,
}

impl Encoded {
    /// The transaction of a row. The recording's overview is loaded.
    ///
    /// # Errors
    /// When the recording is damaged.
    pub(crate) fn of(recording: &Recording, row: &TransactionRow) -> Result<Self> {
        let start = row.attempt().start;
        let place = recording.place_of(row.index);
        let machine = before(recording, start)?;
        let description = recording.layout().descriptions + DESCRIPTION_SLOTS * place;
        let offset = word_of(&machine, description + 1).low_u64();
        Ok(Self {
            start,
            place,
            machine,
            first: (offset / 32) as usize,
        })
    }

    /// The transaction's hash: as the operator told it, or else, in a batch that ran in one go, as the bootloader has it.
    ///
    /// # Errors
    /// When the recording is damaged.
    pub(crate) fn hash(&self, recording: &Recording, row: &TransactionRow) -> Result<H256> {
        if row.is_measured() {
            return Ok(row.hash);
        }
        if self.is_of_l1() {
            return Ok(keccak256(&self.bytes()));
        }
        let last = row.attempt().end.saturating_sub(1);
        let word = word_of(&after(recording, last)?, CURRENT_HASH);
        Ok(H256(value::word_to_bytes(word)))
    }

    /// The whole encoding, which ends with its last member of any length.
    fn bytes(&self) -> Vec<u8> {
        let last = self.first + TUPLE + self.heap_word(self.first + DATA + 4).low_u32() as usize / 32;
        let length = self.heap_word(last).low_u32() as usize;
        let end = (last + 1) * 32 + length.next_multiple_of(32);
        let Some(byte) = byte_of(self.first).filter(|_| length <= MOST_DATA && end > self.first * 32) else {
            return Vec::new();
        };
        let mut bytes = vec![0; (end - self.first * 32).min(2 * MOST_DATA)];
        self.machine.bootloader_heap().read_bytes(byte, &mut bytes);
        bytes
    }

    /// A word of the bootloader's heap when the run starts.
    pub(crate) fn heap_word(&self, slot: usize) -> U256 {
        word_of(&self.machine, slot)
    }

    /// Whether it comes from the base layer.
    pub(crate) fn is_of_l1(&self) -> bool {
        L1_TYPES.contains(&self.heap_word(self.first + TYPE).low_u64())
    }

    /// Slot of the gas limit.
    pub(crate) fn gas_limit_slot(&self) -> usize {
        self.first + GAS_LIMIT_IN_TRANSACTION
    }

    /// Slot of the most gas that a byte of pubdata may cost.
    pub(crate) fn gas_per_pubdata_slot(&self) -> usize {
        self.first + GAS_PER_PUBDATA_LIMIT
    }

    /// Slot of the highest price of gas, which is what a transaction from the base layer pays.
    pub(crate) fn gas_price_slot(&self) -> usize {
        self.first + GAS_PRICE
    }

    /// The gas limit.
    pub(crate) fn gas_limit(&self) -> u64 {
        self.heap_word(self.gas_limit_slot()).low_u64()
    }

    /// The value, in wei.
    pub(crate) fn value(&self) -> U256 {
        self.heap_word(self.first + VALUE)
    }

    /// The calldata; empty where its place makes no sense.
    pub(crate) fn data(&self) -> Vec<u8> {
        let offset = self.heap_word(self.first + DATA).low_u32() as usize;
        let at = self.first + TUPLE + offset / 32;
        let length = self.heap_word(at).low_u32() as usize;
        let (Some(byte), true) = (byte_of(at + 1), length <= MOST_DATA) else {
            return Vec::new();
        };
        let mut data = vec![0; length];
        self.machine.bootloader_heap().read_bytes(byte, &mut data);
        data
    }
}

/// What bytes of the heap are in an encoded transaction whose first slot is `first`: a field, or a part of one of any length.
pub(crate) fn field(machine: &Execution, first: usize, bytes: Range<usize>) -> String {
    let slot = bytes.start / 32;
    let tuple = first + TUPLE;
    let Some(at) = slot.checked_sub(tuple) else {
        return "where it begins".to_owned();
    };
    if let Some(name) = FIELDS.get(at) {
        return (*name).to_owned();
    }
    // What is of any length stands behind, where the tuple says.
    let starts = DYNAMIC.map(|(place, name)| {
        (
            tuple + word_of(machine, first + place).low_u32() as usize / 32,
            name,
        )
    });
    let of = starts
        .into_iter()
        .filter(|(start, _)| *start <= slot)
        .max_by_key(|(start, _)| *start);
    match of {
        Some((start, name)) if start == slot => format!("length of its {name}"),
        Some((start, name)) => {
            let content = (start + 1) * 32;
            format!(
                "{name}, bytes {} to {}",
                bytes.start - content,
                bytes.end - content
            )
        }
        None => format!("word {at}"),
    }
}

/// Where a slot begins, if memory reaches as far.
fn byte_of(slot: usize) -> Option<u32> {
    u32::try_from(slot).ok()?.checked_mul(32)
}

/// A word of the bootloader's heap; zero beyond the end of memory.
pub(crate) fn word_of(machine: &Execution, slot: usize) -> U256 {
    match byte_of(slot) {
        Some(byte) => machine.bootloader_heap().read_word(byte),
        None => U256::zero(),
    }
}
