//! What a batch publishes, byte by byte: logs, messages, bytecodes, state diffs, each with its place.
//!
//! Source of the layout: `matter-labs/zksync-era` `core/lib/multivm/src/pubdata_builders/full_builder.rs`; of a compressed
//! bytecode's: `core/lib/multivm/src/utils/bytecode.rs`.

use std::collections::HashMap;

use eradbg_vm::keccak::keccak256;
use eradbg_vm::storage::{L1_MESSENGER, StorageKey};
use eradbg_vm::value::{word_of, word_to_bytes};
use eradbg_vm::{H160, H256, U256};
use serde::Serialize;

use crate::analysis::walk::walk;
use crate::error::{Error, Result};
use crate::ledger::StateRow;
use crate::numbers::grouped;
use crate::recording::Recording;
use crate::report::{BatchReport, StateDiffReport};
use crate::symbols::topic_name;
use crate::timeline::Timeline;

/// Events of `L1Messenger`: one for each log, message and bytecode that is published uncompressed.
const LOG_EVENT: &str = "L1Messenger.L2ToL1LogSent";
const MESSAGE_EVENT: &str = "L1Messenger.L1MessageSent";
const BYTECODE_EVENT: &str = "L1Messenger.BytecodeL1PublicationRequested";
/// Address of `Compressor`, whose messages are compressed bytecodes.
const COMPRESSOR: u64 = 0x800e;
/// Bytes of a log.
const LOG_BYTES: usize = 88;
/// Bytes of an initial write's key, and of a repeated one's index.
const KEY_BYTES: usize = 32;
const INDEX_BYTES: usize = 4;
/// Bytes of a dictionary's entry in a compressed bytecode, of which each index stands for one.
const CHUNK_BYTES: usize = 8;

/// A piece of the published bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Piece {
    /// `log`, `message`, `bytecode`, `initial write`, `repeated write`, `header` or `hash`.
    pub kind: &'static str,
    /// Its first byte.
    pub offset: usize,
    /// Its length in bytes, that of its own length included.
    pub bytes: usize,
    /// The step that wrote it last, or emitted it; `None` where that is not known, or no single one did.
    pub step: Option<u64>,
    /// What it says.
    pub text: String,
}

/// What a batch publishes, and what it was charged for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Published {
    /// The pieces, from the first byte to the last.
    pub pieces: Vec<Piece>,
    /// Bytes of all of them.
    pub bytes: usize,
    /// Bytes that the machine had counted at the end of the recording.
    pub counted: i32,
}

impl Published {
    /// What the batch of a recording publishes; `None` when it was not closed.
    ///
    /// # Errors
    /// When the recording is damaged.
    pub fn of(recording: &Recording) -> Result<Option<Self>> {
        recording.load_overview();
        let Some(report) = recording.batch_report()? else {
            return Ok(None);
        };
        let mut end = Timeline::new(recording.clone())?;
        end.seek(recording.steps())?;
        Ok(Some(Self {
            pieces: pieces(recording, &Steps::of(recording)?, &report).unwrap_or_else(|| vec![hash(&report)]),
            bytes: report.pubdata_input.len(),
            counted: end.state().pubdata,
        }))
    }

    /// Bytes of the pieces of a kind.
    pub fn bytes_of(&self, kind: &str) -> usize {
        let of_kind = self.pieces.iter().filter(|piece| piece.kind == kind);
        of_kind.map(|piece| piece.bytes).sum()
    }
}

/// The steps that what is published comes from.
struct Steps {
    /// The last write of each slot that nothing undid.
    writes: HashMap<StorageKey, u64>,
    /// Events of `L1Messenger` that nothing undid, by their names, in order: each log, message and bytecode is one.
    emitted: HashMap<&'static str, Vec<u64>>,
}

impl Steps {
    fn of(recording: &Recording) -> Result<Self> {
        let mut steps = Self {
            writes: HashMap::new(),
            emitted: HashMap::new(),
        };
        let messenger = word_of(L1_MESSENGER);
        let mut started = None;
        walk::<StateRow, Error>(recording, 0..u64::MAX, &mut |told| {
            if told.fate.undone_at.is_some() {
                return Ok(());
            }
            let step = told.row.step;
            match &told.row.row {
                StateRow::Storage(access) if access.new.is_some() => {
                    steps.writes.insert(access.key, step);
                }
                // The first piece names the contract that emits, the second one begins with the first topic.
                StateRow::Event(event) if event.is_first => {
                    started = (event.value == messenger).then_some(step);
                }
                StateRow::Event(event) => {
                    let topic = H256(word_to_bytes(event.key));
                    if let Some((step, name)) = started.take().zip(topic_name(topic)) {
                        steps.emitted.entry(name).or_default().push(step);
                    }
                }
                _ => {}
            }
            Ok(())
        })?;
        Ok(steps)
    }

    /// The step of the event of a name and number.
    fn of_event(&self, name: &str, number: usize) -> Option<u64> {
        self.emitted.get(name)?.get(number).copied()
    }
}

/// Reads bytes from the front.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(taken)
    }

    /// A number of up to four bytes.
    fn number(&mut self, bytes: usize) -> Option<usize> {
        let taken = self.take(bytes)?;
        Some(
            taken
                .iter()
                .fold(0, |number, &byte| number << 8 | usize::from(byte)),
        )
    }
}

/// The pieces of what is published in full; `None` for bytes of another form.
fn pieces(recording: &Recording, steps: &Steps, report: &BatchReport) -> Option<Vec<Piece>> {
    let mut reader = Reader {
        bytes: &report.pubdata_input,
        at: 0,
    };
    let mut pieces = Vec::new();
    let header = |pieces: &mut Vec<Piece>, offset, end, text: String| {
        pieces.push(Piece {
            kind: "header",
            offset,
            bytes: end - offset,
            text,
            step: None,
        });
    };
    let logs = reader.number(4)?;
    header(&mut pieces, 0, reader.at, format!("{} logs", grouped(logs)));
    // The machine numbers the transactions that are part of the batch; others count here too.
    let rows = recording.transactions().iter();
    let in_batch: Vec<_> = rows.filter(|row| !row.rolled_back).collect();
    // Who sent a message is told by the log with its hash.
    let mut senders: HashMap<H256, H160> = HashMap::new();
    for number in 0..logs {
        let offset = reader.at;
        let log = reader.take(LOG_BYTES)?;
        let (sender, key, value) = (H160::from_slice(&log[4..24]), &log[24..56], &log[56..88]);
        senders.insert(H256::from_slice(value), H160::from_slice(&key[12..]));
        let tx = in_batch.get(usize::from(u16::from_be_bytes([log[2], log[3]])));
        let tx = tx.map_or_else(|| "-".to_owned(), |row| row.index.to_string());
        let text = format!(
            "tx {tx}: {} 0x{} -> 0x{}",
            recording.address_text(sender),
            hex::encode(key),
            hex::encode(value)
        );
        let bytes = reader.at - offset;
        pieces.push(Piece {
            kind: "log",
            offset,
            bytes,
            step: steps.of_event(LOG_EVENT, number),
            text,
        });
    }
    let strings = [
        ("message", "messages", MESSAGE_EVENT),
        ("bytecode", "uncompressed bytecodes", BYTECODE_EVENT),
    ];
    for (kind, title, event) in strings {
        let offset = reader.at;
        let count = reader.number(4)?;
        header(
            &mut pieces,
            offset,
            reader.at,
            format!("{} {title}", grouped(count)),
        );
        for number in 0..count {
            let offset = reader.at;
            let length = reader.number(4)?;
            let string = reader.take(length)?;
            let text = if kind == "message" {
                message(recording, string, &senders)
            } else {
                format!("code of {} bytes", grouped(length))
            };
            let bytes = reader.at - offset;
            pieces.push(Piece {
                kind,
                offset,
                bytes,
                step: steps.of_event(event, number),
                text,
            });
        }
    }
    diffs(recording, steps, &mut reader, &report.state_diffs, &mut pieces)?;
    (reader.at == reader.bytes.len()).then_some(pieces)
}

/// The section of state diffs: its header, initial writes, repeated ones.
fn diffs(
    recording: &Recording,
    steps: &Steps,
    reader: &mut Reader<'_>,
    diffs: &[StateDiffReport],
    pieces: &mut Vec<Piece>,
) -> Option<()> {
    let offset = reader.at;
    let version = reader.number(1)?;
    let length = reader.number(3)?;
    let index_bytes = reader.number(1)?;
    let end = reader.at + length;
    let initial = reader.number(2)?;
    let text = format!(
        "state diffs, compression {version}, {} bytes, {index_bytes} for an index, {} initial writes",
        grouped(length),
        grouped(initial)
    );
    pieces.push(Piece {
        kind: "header",
        offset,
        bytes: reader.at - offset,
        step: None,
        text,
    });
    // The report has them by slot; published are those of new slots first.
    let (new, known): (Vec<_>, Vec<_>) = diffs.iter().partition(|diff| diff.3 == 0);
    let mut named = new.into_iter().chain(known);
    let mut written = 0;
    while reader.at < end {
        let offset = reader.at;
        let (kind, name_bytes) = if written < initial {
            ("initial write", KEY_BYTES)
        } else {
            ("repeated write", INDEX_BYTES)
        };
        written += 1;
        reader.take(name_bytes)?;
        let meta = reader.number(1)?;
        let operation = ["raw", "add", "sub", "transform"].get(meta & 7)?;
        reader.take(if meta == 0 { 32 } else { meta >> 3 })?;
        let StateDiffReport(address, key, .., before, after) = named.next()?;
        let word = |hash: H256| U256::from_big_endian(hash.as_bytes());
        let slot = StorageKey {
            address: *address,
            key: word(*key),
        };
        let text = format!(
            "{} {} -> {}, {operation}",
            recording.slot_text(slot),
            recording.value_text(slot, word(*before)),
            recording.value_text(slot, word(*after))
        );
        let bytes = reader.at - offset;
        pieces.push(Piece {
            kind,
            offset,
            bytes,
            step: steps.writes.get(&slot).copied(),
            text,
        });
    }
    named.next().is_none().then_some(())
}

/// Who sent a message, and how well a bytecode in it is compressed.
fn message(recording: &Recording, string: &[u8], senders: &HashMap<H256, H160>) -> String {
    let sender = senders.get(&keccak256(string));
    let from = sender.map_or_else(
        || "unknown sender".to_owned(),
        |&sender| recording.address_text(sender),
    );
    let original = (sender == Some(&H160::from_low_u64_be(COMPRESSOR)))
        .then(|| original_length(string))
        .flatten();
    match original {
        Some(original) => format!(
            "{from}: code of {} bytes, compressed to {} ({} %)",
            grouped(original),
            grouped(string.len()),
            string.len() * 100 / original.max(1)
        ),
        None => format!("{from}: {} bytes", grouped(string.len())),
    }
}

/// Length of a bytecode that is compressed with a dictionary: each index of two bytes stands for a chunk.
fn original_length(compressed: &[u8]) -> Option<usize> {
    let entries = usize::from(u16::from_be_bytes(*compressed.first_chunk()?));
    let indices = compressed.len().checked_sub(2 + entries * CHUNK_BYTES)?;
    Some(indices / 2 * CHUNK_BYTES)
}

/// Where only a hash of the state diffs is published.
fn hash(report: &BatchReport) -> Piece {
    Piece {
        kind: "hash",
        offset: 0,
        bytes: report.pubdata_input.len(),
        step: None,
        text: format!(
            "hash of all state diffs: 0x{}",
            hex::encode(&report.pubdata_input)
        ),
    }
}
