//! Where a batch begins: what it is told of its chain and of the batch before, as far as a scenario leaves it open.

use eradbg_vm::protocol::ProtocolVersion;
use primitive_types::H256;

use super::format::Chain;
use super::text::File;
use crate::chain::Head;
use crate::source::error::InputError;

const CHAIN_ID: u64 = 270;
/// The version whose heap layout and hooks eradbg's own bootloader has.
pub(super) const OWN_VERSION: u16 = 29;
pub(super) const TIMESTAMP: u64 = 1_700_000_000;

/// What follows from where the chain stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) chain_id: u64,
    pub(super) version: ProtocolVersion,
    /// Number of the batch.
    pub(super) batch: u32,
    pub(super) previous_batch_hash: Option<H256>,
    /// Time of the batch and of its first block, in seconds since 1970.
    pub(super) timestamp: u64,
    /// Number of the first block.
    pub(super) block: u32,
    /// `None` when the hash follows from the block's number.
    pub(super) previous_block_hash: Option<H256>,
}

impl Origin {
    /// The batch after a head; without one, the first.
    ///
    /// # Errors
    /// When the scenario says that it is of another chain or protocol version.
    pub(super) fn new(file: File, chain: &Chain, head: Option<&Head>) -> Result<Self, InputError> {
        let given = chain.protocol_version.map(|version| version.0);
        let Some(head) = head else {
            let own = ProtocolVersion::new(OWN_VERSION).expect("the own version is supported");
            return Ok(Self {
                chain_id: chain.id.unwrap_or(CHAIN_ID),
                version: given.unwrap_or(own),
                batch: 1,
                previous_batch_hash: None,
                timestamp: TIMESTAMP,
                block: 1,
                previous_block_hash: None,
            });
        };
        let differs = |field: &str, found: String, expected: String| InputError::Inconsistent {
            file: file.path.to_owned(),
            at: format!("chain.{field}"),
            problem: format!("is {found}, expected {expected} as in the state that the batch continues"),
        };
        if let Some(id) = chain.id.filter(|&id| id != head.chain_id) {
            return Err(differs("id", id.to_string(), head.chain_id.to_string()));
        }
        if let Some(version) = given.filter(|&version| version != head.version) {
            let (found, expected) = (version.to_string(), head.version.to_string());
            return Err(differs("protocol_version", found, expected));
        }
        Ok(Self {
            chain_id: head.chain_id,
            version: head.version,
            batch: head.batch.number.saturating_add(1),
            previous_batch_hash: Some(head.batch.hash),
            timestamp: head
                .batch
                .timestamp
                .max(head.l2_block.timestamp)
                .saturating_add(1),
            block: head.l2_block.number.saturating_add(1),
            previous_block_hash: Some(head.l2_block.hash),
        })
    }
}
