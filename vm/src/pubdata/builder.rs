//! The byte strings that the operator builds when a batch closes: the input of `L1Messenger`, with its place in the
//! bootloader's heap, and the data for the settlement layer.

use primitive_types::{H160, H256, U256};

use super::log_tree::logs_root;
use super::state_diff::{StateDiff, StateDiffError, compressed_section};
use crate::bytecode::{BytecodeError, bytes_to_words, hash_bytecode, words_to_bytes};
use crate::events::L2ToL1Log;
use crate::keccak::{keccak256, keccak256_concat};
use crate::protocol::{ProtocolVersion, PubdataFormat};

/// Number of slots of the pubdata area in the bootloader's heap, in protocol versions 24 and later.
pub const PUBDATA_SLOTS: usize = 1_360_000;

/// Selector of `validatePubdata(bytes32,bytes32,bytes32,bytes32,bytes)` of the DA validators on L2.
const VALIDATE_PUBDATA: [u8; 4] = [0x89, 0xf9, 0xa0, 0x72];

/// What a batch publishes, collected over the whole batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PubdataInput {
    /// User logs in order of emission.
    pub user_logs: Vec<L2ToL1Log>,
    /// Messages to L1 in order of emission.
    pub messages: Vec<Vec<u8>>,
    /// Bytecodes to publish uncompressed, in order of the requests.
    pub bytecodes: Vec<Vec<u8>>,
    /// Changed slots in order of address and key, without those of `L1Messenger`.
    pub state_diffs: Vec<StateDiff>,
}

/// How much of the pubdata leaves the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PubdataBuilder {
    /// All of it (rollup, or a DA layer).
    Full,
    /// Only a hash (no DA); from protocol version 26.
    Hashed,
}

/// Who judges the pubdata on L2. Versions before 26 have neither and ignore it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DaTarget {
    /// Address of the L2 DA validator: versions 26 to 30.
    Validator(H160),
    /// Number of the commitment scheme: from version 31.
    CommitmentScheme(u8),
}

/// Words for the bootloader's pubdata area.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PubdataWords {
    /// Slot of the first word, counted from the start of the area. The bootloader fills the slots before it.
    pub first_slot: usize,
    /// The words.
    pub words: Vec<U256>,
}

/// Why pubdata cannot be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PubdataError {
    /// A state diff does not fit the format.
    #[error(transparent)]
    StateDiff(#[from] StateDiffError),
    /// A bytecode to publish is not EraVM code.
    #[error(transparent)]
    Bytecode(#[from] BytecodeError),
    /// Hashed pubdata does not exist in this version.
    #[error("{0} has no hashed pubdata")]
    NoHashedPubdata(ProtocolVersion),
    /// The version wants the other kind of DA target.
    #[error("{target:?} is no DA target of {version}")]
    WrongDaTarget {
        /// What was given.
        target: DaTarget,
        /// The protocol version.
        version: ProtocolVersion,
    },
    /// The words do not fit the bootloader's pubdata area.
    #[error("pubdata takes {0} slots of the bootloader's heap, more than {PUBDATA_SLOTS}")]
    TooLarge(usize),
}

/// Returns the words that hold the [operator input](operator_input) in the bootloader's heap, and their place.
///
/// Versions 24 and 25: after two slots, the input as ABI `bytes` without its offset. From 26: after one slot,
/// `abi.encode(target, bytes input)`.
///
/// Source: `matter-labs/zksync-era`, `core/lib/multivm/src/versions/vm_latest/bootloader/utils.rs`.
///
/// # Errors
///
/// When the operator input cannot be built, `target` is not of the version's kind, or the area is too small.
pub fn bootloader_words(
    input: &PubdataInput,
    builder: PubdataBuilder,
    target: DaTarget,
    version: ProtocolVersion,
) -> Result<PubdataWords, PubdataError> {
    let operator_input = operator_input(input, builder, version)?;
    let (first_slot, mut words) = match version.protocol().pubdata {
        PubdataFormat::Plain => (2, Vec::new()),
        PubdataFormat::DaValidator | PubdataFormat::CommitmentScheme => {
            (1, vec![target_word(target, version)?, 0x40.into()])
        }
    };
    words.push(operator_input.len().into());
    words.extend(bytes_to_words(&operator_input));

    let slots = first_slot + words.len();
    if slots > PUBDATA_SLOTS {
        return Err(PubdataError::TooLarge(slots));
    }
    Ok(PubdataWords { first_slot, words })
}

/// Returns the bytes that `L1Messenger` checks.
///
/// Versions 24 and 25: the settlement pubdata, the number of state diffs (4 bytes), the padded records. From 26: a call
/// of `validatePubdata` with the chained log hash, the root of the logs, the chained message hash, the chained
/// bytecode hash, and as `bytes` the same data, or the section of logs alone for hashed pubdata.
///
/// # Errors
///
/// When a state diff or bytecode does not fit the format, or hashed pubdata is asked of version 24 or 25.
pub fn operator_input(
    input: &PubdataInput,
    builder: PubdataBuilder,
    version: ProtocolVersion,
) -> Result<Vec<u8>, PubdataError> {
    let is_plain = version.protocol().pubdata == PubdataFormat::Plain;
    let data = match builder {
        PubdataBuilder::Full => full_pubdata_with_records(input)?,
        PubdataBuilder::Hashed if is_plain => return Err(PubdataError::NoHashedPubdata(version)),
        PubdataBuilder::Hashed => logs_section(&input.user_logs),
    };
    if is_plain {
        return Ok(data);
    }

    let mut call = VALIDATE_PUBDATA.to_vec();
    call.extend(chained_log_hash(&input.user_logs).0);
    call.extend(logs_root(&input.user_logs).0);
    call.extend(chained_message_hash(&input.messages).0);
    call.extend(chained_bytecode_hash(&input.bytecodes)?.0);
    call.extend(words_to_bytes(&[0xa0.into(), data.len().into()]));
    call.extend(words_to_bytes(&bytes_to_words(&data)));
    Ok(call)
}

/// Returns what the settlement layer gets: the full pubdata, or the hash of all padded state diff records.
///
/// # Errors
///
/// When a state diff does not fit the format.
pub fn settlement_pubdata(input: &PubdataInput, builder: PubdataBuilder) -> Result<Vec<u8>, PubdataError> {
    match builder {
        PubdataBuilder::Full => full_pubdata(input),
        PubdataBuilder::Hashed => Ok(keccak256(&padded_records(&input.state_diffs)).0.to_vec()),
    }
}

fn target_word(target: DaTarget, version: ProtocolVersion) -> Result<U256, PubdataError> {
    match (target, version.protocol().pubdata) {
        (DaTarget::Validator(address), PubdataFormat::DaValidator) => {
            Ok(U256::from_big_endian(address.as_bytes()))
        }
        (DaTarget::CommitmentScheme(number), PubdataFormat::CommitmentScheme) => Ok(number.into()),
        _ => Err(PubdataError::WrongDaTarget { target, version }),
    }
}

fn full_pubdata_with_records(input: &PubdataInput) -> Result<Vec<u8>, PubdataError> {
    let mut data = full_pubdata(input)?;
    data.extend(count(input.state_diffs.len()));
    data.extend(padded_records(&input.state_diffs));
    Ok(data)
}

/// Logs, messages, bytecodes and compressed state diffs, each section with its count.
fn full_pubdata(input: &PubdataInput) -> Result<Vec<u8>, PubdataError> {
    let mut pubdata = logs_section(&input.user_logs);
    for strings in [&input.messages, &input.bytecodes] {
        pubdata.extend(count(strings.len()));
        for string in strings {
            pubdata.extend(count(string.len()));
            pubdata.extend(string);
        }
    }
    pubdata.extend(compressed_section(&input.state_diffs)?);
    Ok(pubdata)
}

fn logs_section(logs: &[L2ToL1Log]) -> Vec<u8> {
    let mut section = count(logs.len()).to_vec();
    section.extend(logs.iter().flat_map(L2ToL1Log::to_bytes));
    section
}

fn padded_records(diffs: &[StateDiff]) -> Vec<u8> {
    diffs.iter().flat_map(StateDiff::padded_record).collect()
}

/// A number of items or bytes as published; memory ends long before 2^32 of either.
fn count(number: usize) -> [u8; 4] {
    (number as u32).to_be_bytes()
}

fn chained_log_hash(logs: &[L2ToL1Log]) -> H256 {
    chained_hash(logs.iter().map(|log| keccak256(&log.to_bytes())))
}

fn chained_message_hash(messages: &[Vec<u8>]) -> H256 {
    chained_hash(messages.iter().map(|message| keccak256(message)))
}

fn chained_bytecode_hash(bytecodes: &[Vec<u8>]) -> Result<H256, BytecodeError> {
    let hashes = bytecodes
        .iter()
        .map(|code| hash_bytecode(code))
        .collect::<Result<Vec<U256>, _>>()?;
    Ok(chained_hash(hashes.into_iter().map(|hash| {
        let mut bytes = [0; 32];
        hash.to_big_endian(&mut bytes);
        H256(bytes)
    })))
}

/// Starts at zero; each item replaces the hash with that of the hash so far and the item's.
fn chained_hash(items: impl Iterator<Item = H256>) -> H256 {
    items.fold(H256::zero(), keccak256_concat)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Vectors: `matter-labs/zksync-era`, `core/lib/multivm/src/pubdata_builders/tests.rs`. Its derived keys are made up.

    const LOG: &str = "00000000\
        0000000000000000000000000000000000008001\
        0000000000000000000000000000000000000000000000000000000000000001\
        0000000000000000000000000000000000000000000000000000000000000080";
    const STATE_DIFFS: &str = "0100002a040001\
        000000000000000000000000000000000000000000000000000000000000007e090e\
        0000000c0901";
    const RECORDS: [&str; 2] = [
        "0000000000000000000000000000000000008002\
        000000000000000000000000000000000000000000000000000000000000009b\
        000000000000000000000000000000000000000000000000000000000000007d\
        000000000000000c\
        000000000000000000000000000000000000000000000000000000000000000b\
        000000000000000000000000000000000000000000000000000000000000000c",
        "0000000000000000000000000000000000008002\
        000000000000000000000000000000000000000000000000000000000000009c\
        000000000000000000000000000000000000000000000000000000000000007e\
        0000000000000000\
        0000000000000000000000000000000000000000000000000000000000000000\
        000000000000000000000000000000000000000000000000000000000000000e",
    ];
    const HEADER: &str = "89f9a072\
        33e608561d90f7c4e7bcea24d718e425a6bd6c8eefb48a334366143694c75fae\
        278944d856d68e33bbd32937cb3a1ea35cbf7d6eeeb1150f500dd0d64d0efe42\
        0d6dafe5897eab2fc27b2e47af303397ed285ace146d836d042717b0a3dc4b28\
        a603a33b28ce1d5c52c593a46a15a99f1afa1c1d92715284288958fd54a93de7\
        00000000000000000000000000000000000000000000000000000000000000a0";

    fn golden_input() -> PubdataInput {
        let contract = H160::from_low_u64_be(0x8002);
        let diff = |key: u64, derived_key: u64, enumeration_index, initial: u64, new: u64| StateDiff {
            address: contract,
            key: key.into(),
            derived_key: H256::from_low_u64_be(derived_key),
            enumeration_index,
            initial_value: initial.into(),
            final_value: new.into(),
        };
        PubdataInput {
            user_logs: vec![L2ToL1Log {
                shard_id: 0,
                is_service: false,
                tx_number: 0,
                address: H160::from_low_u64_be(0x8001),
                key: 1.into(),
                value: 128.into(),
            }],
            messages: vec![vec![0xde, 0xad, 0xbe, 0xef]],
            bytecodes: vec![bytecode()],
            state_diffs: vec![diff(155, 125, 12, 11, 12), diff(156, 126, 0, 0, 14)],
        }
    }

    fn version(number: u16) -> ProtocolVersion {
        ProtocolVersion::new(number).unwrap()
    }

    fn bytecode() -> Vec<u8> {
        [[0xbb; 32], [0xaa; 32], [0xbb; 32]].concat()
    }

    fn golden_pubdata() -> String {
        let bytecode = hex::encode(bytecode());
        format!("00000001{LOG}0000000100000004deadbeef0000000100000060{bytecode}{STATE_DIFFS}")
    }

    fn golden_data() -> String {
        let padding = "00".repeat(116);
        let [first, second] = RECORDS;
        format!("{}00000002{first}{padding}{second}{padding}", golden_pubdata())
    }

    #[test]
    fn settlement_pubdata_has_all_sections_when_full_and_one_hash_when_hashed() {
        let full = settlement_pubdata(&golden_input(), PubdataBuilder::Full).unwrap();
        assert_eq!(full.len(), 255);
        assert_eq!(hex::encode(full), golden_pubdata());

        let hashed = settlement_pubdata(&golden_input(), PubdataBuilder::Hashed).unwrap();
        assert_eq!(
            hex::encode(hashed),
            "fa96e2436e6fb4d668f5a06681a7c53fcb199b2747ee624ee52a13e85aac5f1e"
        );
    }

    #[test]
    fn operator_input_before_the_gateway_is_pubdata_and_records() {
        for number in [24, 25] {
            let bytes = operator_input(&golden_input(), PubdataBuilder::Full, version(number)).unwrap();
            assert_eq!(bytes.len(), 803);
            assert_eq!(hex::encode(bytes), golden_data());
        }
    }

    #[test]
    fn operator_input_from_the_gateway_on_is_a_call_of_the_validator() {
        for number in 26..=31 {
            let input = |builder| operator_input(&golden_input(), builder, version(number)).unwrap();
            let full = input(PubdataBuilder::Full);
            assert_eq!(full.len(), 1028);
            assert_eq!(
                hex::encode(full),
                format!("{HEADER}{:064x}{}{}", 803, golden_data(), "00".repeat(29))
            );

            let hashed = input(PubdataBuilder::Hashed);
            assert_eq!(hashed.len(), 292);
            let logs = format!("00000001{LOG}{}", "00".repeat(4));
            assert_eq!(hex::encode(hashed), format!("{HEADER}{:064x}{logs}", 92));
        }
    }

    #[test]
    fn bootloader_words_leave_two_slots_free_before_the_gateway() {
        let target = DaTarget::Validator(H160::zero());
        for number in [24, 25] {
            let PubdataWords { first_slot, words } =
                bootloader_words(&golden_input(), PubdataBuilder::Full, target, version(number)).unwrap();
            assert_eq!(first_slot, 2);
            assert_eq!(words[0], 803.into());
            assert_eq!(
                hex::encode(words_to_bytes(&words[1..])),
                golden_data() + &"00".repeat(29)
            );
        }
    }

    #[test]
    fn bootloader_words_name_the_target_of_the_version() {
        let validator = DaTarget::Validator(H160::repeat_byte(0xda));
        let scheme = DaTarget::CommitmentScheme(3);
        let words = |version, builder, target| {
            bootloader_words(&golden_input(), builder, target, version)
                .map(|PubdataWords { first_slot, words }| (first_slot, words[..3].to_vec(), words.len()))
        };
        let validator_word = U256::from_big_endian(&[0xda; 20]);
        for number in 26..=31 {
            let (right, wrong, word) = if number < 31 {
                (validator, scheme, validator_word)
            } else {
                (scheme, validator, 3.into())
            };
            let version = version(number);
            for (builder, bytes) in [(PubdataBuilder::Full, 1028), (PubdataBuilder::Hashed, 292)] {
                let head = vec![word, 0x40.into(), bytes.into()];
                let expected = (1, head, 3 + usize::div_ceil(bytes, 32));
                assert_eq!(words(version, builder, right), Ok(expected));
            }
            assert_eq!(
                words(version, PubdataBuilder::Full, wrong),
                Err(PubdataError::WrongDaTarget {
                    target: wrong,
                    version
                })
            );
        }
    }

    #[test]
    fn pubdata_that_fills_the_area_exactly_still_fits() {
        // In version 25 two slots, the length, then 4 + 4 + 4 + len + 4 + 7 + 4 bytes of data.
        let message = |bytes| PubdataInput {
            messages: vec![vec![1; bytes]],
            ..PubdataInput::default()
        };
        let largest = (PUBDATA_SLOTS - 3) * 32 - 27;
        let target = DaTarget::Validator(H160::zero());
        let words = |bytes| bootloader_words(&message(bytes), PubdataBuilder::Full, target, version(25));

        assert_eq!(words(largest).unwrap().words.len(), PUBDATA_SLOTS - 2);
        assert_eq!(words(largest + 1), Err(PubdataError::TooLarge(PUBDATA_SLOTS + 1)));
    }

    #[test]
    fn what_has_no_form_is_refused() {
        let input = golden_input();
        let hashed = operator_input(&input, PubdataBuilder::Hashed, version(25));
        assert_eq!(hashed, Err(PubdataError::NoHashedPubdata(version(25))));

        let even = PubdataInput {
            bytecodes: vec![vec![0; 64]],
            ..input
        };
        let error = operator_input(&even, PubdataBuilder::Full, version(26));
        assert_eq!(error, Err(BytecodeError::EvenWords(2).into()));
    }
}
