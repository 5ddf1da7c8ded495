//! What a closed batch leaves to the chain.

use eradbg_vm::U256;
use eradbg_vm::bytecode::words_to_bytes;
use eradbg_vm::keccak::{keccak256, keccak256_concat};
use eradbg_vm::live::Programs;
use eradbg_vm::operator::ExecutionResult;
use eradbg_vm::protocol::ProtocolVersion;
use eradbg_vm::pubdata::state_diff::StateDiff;
use eradbg_vm::state::StorageChange;
use eradbg_vm::storage::KNOWN_CODES_STORAGE;
use primitive_types::H256;

use super::contents::Tip;
use crate::drive::{Session, Sink};

/// A closed batch, as far as the chain keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedBatch {
    /// The chain's id.
    pub chain_id: u64,
    /// Protocol version.
    pub version: ProtocolVersion,
    /// The batch.
    pub batch: Tip,
    /// Its last L2 block: the empty one that ends it.
    pub l2_block: Tip,
    /// Slots whose value differs from the one before the batch, ordered by address and key.
    pub changes: Vec<StorageChange>,
    /// Bytecodes that became known, by versioned hash.
    pub code: Vec<(U256, Vec<u8>)>,
}

/// Why a batch leaves nothing to the chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Uncommittable {
    /// It is still open.
    #[error("the batch was not closed")]
    Open,
    /// The bootloader did not accept it.
    #[error("the bootloader rejected the batch: {0}")]
    Rejected(String),
}

impl ClosedBatch {
    /// What the batch of a session leaves, when it was closed; `hash` is the batch's.
    ///
    /// Code counts as known when the batch has marked it in `KnownCodesStorage`, so code of transactions that were taken
    /// back or did not pay for it does not.
    ///
    /// # Errors
    /// When the batch is not closed, or was rejected by its bootloader.
    pub fn of<K: Sink>(session: &Session<K>, hash: H256) -> Result<Self, Uncommittable> {
        let result = session.closed().ok_or(Uncommittable::Open)?;
        match &result.tip.result {
            ExecutionResult::Success(_) => {}
            ExecutionResult::Revert(reason) => return Err(Uncommittable::Rejected(reason.to_string())),
            ExecutionResult::Halt(halt) => return Err(Uncommittable::Rejected(halt.to_string())),
        }
        let operator = session.operator();
        let batch = operator.batch();
        let block = operator.bootloader_state().last_block();
        Ok(Self {
            chain_id: session.system().chain_id,
            version: session.system().version,
            batch: Tip {
                number: batch.number,
                timestamp: batch.timestamp,
                hash,
            },
            l2_block: Tip {
                number: block.env.number,
                timestamp: block.env.timestamp,
                hash: block.hash(),
            },
            changes: result.storage_changes.clone(),
            code: known_code(&result.storage_changes, &operator.machine().programs),
        })
    }
}

/// What stands for the hash of a session's batch: keccak256 of its number, as a word, and of keccak256 of its padded
/// state diffs. Zero while it is open. The real hash covers roots of trees that only a whole node has.
pub fn stand_in_hash<K: Sink>(session: &Session<K>) -> H256 {
    let Some(result) = session.closed() else {
        return H256::zero();
    };
    let records = result.state_diffs.iter().map(StateDiff::padded_record);
    let records: Vec<u8> = records.flatten().collect();
    let number = H256::from_low_u64_be(session.operator().batch().number.into());
    keccak256_concat(number, keccak256(&records))
}

/// Code whose hash the changes mark as known, as far as the machine has it.
fn known_code(changes: &[StorageChange], programs: &Programs) -> Vec<(U256, Vec<u8>)> {
    let marked = changes
        .iter()
        .filter(|change| change.key.address == KNOWN_CODES_STORAGE && !change.after.is_zero());
    let code = marked.filter_map(|change| {
        let program = programs.get(change.key.key)?;
        Some((change.key.key, words_to_bytes(program.words())))
    });
    code.collect()
}

#[cfg(test)]
mod tests {
    use eradbg_vm::storage::{ACCOUNT_CODE_STORAGE, StorageKey};

    use super::*;

    #[test]
    fn only_code_marked_as_known_is_left() {
        let mut programs = Programs::default();
        for hash in 1..5 {
            programs.insert(hash.into(), vec![hash.into()]);
        }
        let change = |address, key: u64, after: u64| StorageChange {
            key: StorageKey {
                address,
                key: key.into(),
            },
            before: U256::zero(),
            after: after.into(),
            is_write_initial: true,
        };
        let changes = [
            change(ACCOUNT_CODE_STORAGE, 1, 1),
            change(KNOWN_CODES_STORAGE, 2, 1),
            change(KNOWN_CODES_STORAGE, 3, 0),
            change(KNOWN_CODES_STORAGE, 5, 1),
        ];
        let code = known_code(&changes, &programs);
        assert_eq!(code, [(2.into(), words_to_bytes(&[2.into()]))]);
    }
}
