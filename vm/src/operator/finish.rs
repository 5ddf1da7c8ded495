//! The end of a batch: pubdata, and what the node keeps of it.

use std::collections::BTreeMap;

use primitive_types::U256;

use crate::bytecode::words_to_bytes;
use crate::events::{self, Event, L2ToL1Log};
use crate::observer::Observer;
use crate::operator::result::{ExecutionResult, RunResult};
use crate::operator::{OperatorError, OperatorVm, RunMode};
use crate::pubdata::builder::{self, DaTarget, PubdataBuilder, PubdataInput};
use crate::pubdata::state_diff::StateDiff;
use crate::state::StorageChange;
use crate::storage::{L1_MESSENGER, Storage};

/// How pubdata is built, and for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PubdataTarget {
    /// How much is published.
    pub builder: PubdataBuilder,
    /// Who judges it.
    pub da: DaTarget,
}

/// A closed batch. Of one that the bootloader rejected there are no events, logs and changes, since a bootloader that fails
/// undoes them; refunds, costs and code that was asked for stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchResult {
    /// The run that closed it, or the one that failed.
    pub tip: RunResult,
    /// Events of the whole batch.
    pub events: Vec<Event>,
    /// Slots whose value differs from the one before the batch.
    pub storage_changes: Vec<StorageChange>,
    /// Hashes of code that was asked for, in order.
    pub used_contract_hashes: Vec<U256>,
    /// L2->L1 logs of the system.
    pub system_l2_to_l1_logs: Vec<L2ToL1Log>,
    /// L2->L1 logs of users.
    pub user_l2_to_l1_logs: Vec<L2ToL1Log>,
    /// Ergs refunded of each storage access.
    pub storage_refunds: Vec<u32>,
    /// Pubdata delta of each access.
    pub pubdata_costs: Vec<i32>,
    /// What the settlement layer gets; empty when the bootloader did not get as far as asking for it.
    pub pubdata: Vec<u8>,
    /// State diffs that the pubdata was made from.
    pub state_diffs: Vec<StateDiff>,
    /// Words with which the batch can be run again.
    pub bootloader_memory: BTreeMap<u32, U256>,
}

impl<S: Storage> OperatorVm<S> {
    /// Runs what is left and closes the batch.
    ///
    /// # Errors
    /// When input is missing, the pubdata cannot be built, or the bootloader has ended before: a transaction that halted
    /// is to be rolled back first.
    pub fn finish_batch<O: Observer>(
        &mut self,
        target: PubdataTarget,
        observer: &mut O,
    ) -> Result<BatchResult, OperatorError> {
        let tip = self.run(RunMode::Batch(target), observer)?;
        let (pubdata, state_diffs) = match self.pubdata.take() {
            Some(input) => (
                builder::settlement_pubdata(&input, target.builder)?,
                input.state_diffs,
            ),
            None => (Vec::new(), Vec::new()),
        };
        let state = &self.inner.state;
        let mut used_contract_hashes: Vec<U256> = state.decommitted_hashes().keys().copied().collect();
        used_contract_hashes.sort_unstable();
        let mut result = BatchResult {
            tip,
            events: Vec::new(),
            storage_changes: Vec::new(),
            used_contract_hashes,
            system_l2_to_l1_logs: Vec::new(),
            user_l2_to_l1_logs: Vec::new(),
            storage_refunds: state.refunds().to_vec(),
            pubdata_costs: state.pubdata_costs().to_vec(),
            pubdata,
            state_diffs,
            bootloader_memory: self.bootloader_state.replay_memory(),
        };
        if matches!(result.tip.result, ExecutionResult::Success(_)) {
            result.events = events::merge_events(state.events());
            result.user_l2_to_l1_logs = events::user_l2_to_l1_logs(&result.events);
            result.system_l2_to_l1_logs = state.l2_to_l1_logs().to_vec();
            result.storage_changes = state.changes();
        }
        Ok(result)
    }

    /// Puts the pubdata of the batch into the bootloader's heap.
    pub(super) fn give_pubdata<O: Observer>(
        &mut self,
        target: PubdataTarget,
        observer: &mut O,
    ) -> Result<(), OperatorError> {
        let input = self.pubdata_input()?;
        let built = builder::bootloader_words(&input, target.builder, target.da, self.system.version)?;
        let first = self.bootloader_state.layout().pubdata + built.first_slot;
        let words: Vec<(u32, U256)> = (first as u32..).zip(built.words).collect();
        self.bootloader_state.note_written(&words);
        self.write_words(&words, observer);
        self.pubdata = Some(input);
        Ok(())
    }

    fn pubdata_input(&self) -> Result<PubdataInput, OperatorError> {
        let state = &self.inner.state;
        let events = events::merge_events(state.events());
        let bytecodes = events::bytecode_publication_requests(&events)
            .into_iter()
            .map(|hash| {
                let program = self
                    .inner
                    .programs
                    .get(hash)
                    .ok_or(OperatorError::UnknownPublishedBytecode(hash))?;
                Ok(words_to_bytes(program.words()))
            });
        let changes = state
            .changes()
            .into_iter()
            .filter(|change| change.key.address != L1_MESSENGER);
        let state_diffs = changes.map(
            |StorageChange {
                 key, before, after, ..
             }| {
                let index = self.storage.enumeration_index(&key).unwrap_or(0);
                StateDiff::new(key.address, key.key, index, before, after)
            },
        );
        Ok(PubdataInput {
            user_logs: events::user_l2_to_l1_logs(&events),
            messages: events::l1_messages(&events),
            bytecodes: bytecodes.collect::<Result<_, OperatorError>>()?,
            state_diffs: state_diffs.collect(),
        })
    }
}
