//! What `zksync_vm2` has done, in the words of the operator's results.

use std::collections::BTreeMap;

use eradbg_vm::bootloader::Hook;
use eradbg_vm::events::{self, EVENT_WRITER, L2ToL1Log, RawEvent};
use eradbg_vm::operator::{BatchResult, ExecutionResult, RevertReason, RunResult};
use eradbg_vm::pubdata::state_diff::StateDiff;
use eradbg_vm::state::StorageChange;
use eradbg_vm::storage::{L1_MESSENGER, StorageKey};
use eradbg_vm::{H160, U256};
use zksync_vm2::interface::{self, StateInterface};

use super::{Machine, Run};

impl Machine {
    /// What the run since the last call gave to its transaction. Fields that only the operator fills are empty.
    pub(crate) fn take_transaction(&mut self) -> RunResult {
        let run = self.run.take().expect("a transaction has run");
        let result = match (&run.end, &run.posted) {
            (Some(end), _) => end.clone(),
            (None, _) if run.last_hook == Some(Hook::ValidationStepEnded) => ExecutionResult::Success(vec![]),
            (None, Some(posted)) => posted.clone(),
            (None, None) => self.result_without_post(),
        };
        let keeps_logs = match result {
            ExecutionResult::Success(_) => true,
            ExecutionResult::Revert(_) => run.end.is_none(),
            ExecutionResult::Halt(_) => false,
        };
        self.transactions += 1;
        let mut collected = self.collect(&run, result);
        collected.pubdata_published = run.pubdata_published;
        collected.gas_refunded = run.gas_refunded;
        if !keeps_logs {
            collected.events.clear();
            collected.user_l2_to_l1_logs.clear();
            collected.system_l2_to_l1_logs.clear();
            collected.storage_changes.clear();
        }
        collected
    }

    /// What the run since the last call gave, which closed the batch, and the batch. What only the operator makes is
    /// empty.
    pub(crate) fn take_batch(&mut self) -> BatchResult {
        let run = self.run.take().expect("the end of the batch has run");
        let result = run.end.clone().expect("the bootloader has ended");
        let diff = self.vm.world_diff();
        let changes: Vec<_> = diff.get_storage_changes().map(storage_change).collect();
        let mut used_contract_hashes: Vec<U256> = diff.decommitted_hashes().collect();
        used_contract_hashes.sort_unstable();
        let events = merge(self.vm.events());
        let published = changes.iter().filter(|change| change.key.address != L1_MESSENGER);
        let state_diffs = published.map(|change| {
            let StorageKey { address, key } = change.key;
            let index = self.chain.enumeration_index(&change.key);
            StateDiff::new(address, key, index, change.before, change.after)
        });
        BatchResult {
            user_l2_to_l1_logs: events::user_l2_to_l1_logs(&events),
            events,
            used_contract_hashes,
            system_l2_to_l1_logs: self.vm.l2_to_l1_logs().map(log).collect(),
            storage_refunds: diff.storage_refunds().to_vec(),
            pubdata_costs: diff.pubdata_costs().to_vec(),
            pubdata: Vec::new(),
            state_diffs: state_diffs.collect(),
            bootloader_memory: BTreeMap::new(),
            storage_changes: changes,
            tip: self.collect(&run, result),
        }
    }

    fn collect(&mut self, run: &Run, result: ExecutionResult) -> RunResult {
        let gas_remaining = self.ergs();
        let diff = self.vm.world_diff();
        let events = merge(diff.events_after(&run.start).iter().copied());
        let changes = diff.get_storage_changes_after(&run.start).map(storage_change);
        RunResult {
            result,
            first_step: 0,
            steps: 0,
            gas_remaining,
            gas_used: run.ergs_before.saturating_sub(gas_remaining),
            pubdata_published: 0,
            gas_refunded: 0,
            operator_suggested_refund: 0,
            user_l2_to_l1_logs: events::user_l2_to_l1_logs(&events),
            events,
            system_l2_to_l1_logs: diff
                .l2_to_l1_logs_after(&run.start)
                .iter()
                .copied()
                .map(log)
                .collect(),
            storage_changes: changes.filter(|change| change.before != change.after).collect(),
            new_factory_deps: Vec::new(),
        }
    }

    /// The result of a transaction that ended without posting one.
    fn result_without_post(&self) -> ExecutionResult {
        if self.word(self.layout.results + self.transactions).is_zero() {
            let message = "Transaction reverted with empty reason. Possibly out of gas";
            ExecutionResult::Revert(RevertReason::message(message))
        } else {
            ExecutionResult::Success(Vec::new())
        }
    }
}

fn merge(parts: impl Iterator<Item = interface::Event>) -> Vec<events::Event> {
    // vm2 keeps no other events than those of the event writer.
    let parts = parts.map(|part| RawEvent {
        shard_id: part.shard_id,
        is_first: part.is_first,
        tx_number: part.tx_number,
        address: EVENT_WRITER,
        key: part.key,
        value: part.value,
    });
    events::merge_events(&parts.collect::<Vec<_>>())
}

fn log(log: interface::L2ToL1Log) -> L2ToL1Log {
    L2ToL1Log {
        shard_id: log.shard_id,
        is_service: log.is_service,
        tx_number: log.tx_number,
        address: log.address,
        key: log.key,
        value: log.value,
    }
}

fn storage_change(((address, key), change): ((H160, U256), zksync_vm2::StorageChange)) -> StorageChange {
    StorageChange {
        key: StorageKey { address, key },
        before: change.before,
        after: change.after,
        is_write_initial: change.is_initial,
    }
}
