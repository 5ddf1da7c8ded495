//! Rows about the chain's state, made again.
//!
//! A replay says what the machine asked; the state that answers live does the same once more, with the values before the
//! batch that the rows state, and what it tells is compared with the rows.

use std::collections::HashMap;

use eradbg_vm::events::{L2ToL1Log, RawEvent};
use eradbg_vm::live::{LiveHost, Programs};
use eradbg_vm::observer::Question;
use eradbg_vm::state::{Decommit, Restored, StateSnapshot, StorageAccess};
use eradbg_vm::{Host, Missing, Observer, Storage, StorageKey, U256, VmState};

use crate::again::Deed;
use crate::ledger::{OperatorRow, Rows, StateRow, Timed};

/// The chain's state in the course of a run.
#[derive(Debug, Default)]
pub(super) struct StateAgain {
    state: VmState,
    storage: Before,
    programs: Programs,
    snapshot: Option<StateSnapshot>,
    told: Told,
}

/// Values before the batch, and whether a first write of the slot is initial.
#[derive(Debug, Default)]
struct Before(HashMap<StorageKey, (U256, bool)>);

/// Gathers rows as the recorder does.
#[derive(Debug, Default)]
struct Told {
    step: u64,
    rows: Vec<Timed<StateRow>>,
}

impl StateAgain {
    /// Does what the steps of a chunk did, each with its step, and what the operator did between them. `Err`: the first
    /// row that is another one than was recorded.
    pub(super) fn repeat(&mut self, deeds: &[(u64, Deed)], rows: &Rows) -> Result<(), String> {
        for row in &rows.state {
            if let StateRow::Storage(access) = &row.row {
                let before = (access.initial_value, access.is_initial);
                self.storage.0.entry(access.key).or_insert(before);
            }
        }
        let mut deeds = deeds.iter().peekable();
        for row in &rows.operator {
            while let Some((step, deed)) = deeds.next_if(|(step, _)| *step < row.step) {
                self.perform(*step, *deed);
            }
            self.operate(row);
        }
        for (step, deed) in deeds {
            self.perform(*step, *deed);
        }
        let told = std::mem::take(&mut self.told.rows);
        let differs = told.iter().zip(&rows.state).position(|(told, row)| told != row);
        match differs.or_else(|| (told.len() != rows.state.len()).then(|| told.len().min(rows.state.len()))) {
            None => Ok(()),
            Some(at) => {
                let step = rows
                    .state
                    .get(at)
                    .or_else(|| told.get(at))
                    .map_or(0, |row| row.step);
                Err(format!(
                    "its row {at} about the chain's state, of step {step}, is another one"
                ))
            }
        }
    }

    fn perform(&mut self, step: u64, deed: Deed) {
        self.told.step = step;
        let told = &mut self.told;
        let mut host = LiveHost {
            state: &mut self.state,
            storage: &mut self.storage,
            programs: &mut self.programs,
        };
        match deed {
            // What the state lacks shows as rows that are missing.
            Deed::Asks(question) => drop(ask(&mut host, question, told)),
            Deed::Enters => host.enter_frame(),
            Deed::Leaves(undoes) => host.leave_frame(undoes, told),
        }
    }

    fn operate(&mut self, row: &Timed<OperatorRow>) {
        match row.row {
            OperatorRow::Snapshot => self.snapshot = Some(self.state.snapshot()),
            OperatorRow::SnapshotDropped => {
                self.state.drop_snapshot();
                self.snapshot = None;
            }
            OperatorRow::RolledBack => {
                // What a rollback restores counts as an effect of the step before it.
                self.told.step = row.step.saturating_sub(1);
                if let Some(snapshot) = self.snapshot.take() {
                    self.state.roll_back(snapshot, &mut self.told);
                }
            }
            OperatorRow::Hook { .. }
            | OperatorRow::Write { .. }
            | OperatorRow::TransactionStarted { .. }
            | OperatorRow::TransactionDone { .. } => {}
        }
    }
}

fn ask(host: &mut LiveHost<'_, Before>, question: Question, told: &mut Told) -> Result<(), Missing> {
    match question {
        Question::StorageRead(key) => host.storage_read(key, told).map(drop),
        Question::StorageWrite(key, value) => host.storage_write(key, value, told).map(drop),
        Question::TransientRead(key) => host.transient_read(key, told).map(drop),
        Question::TransientWrite(key, value) => {
            host.transient_write(key, value, told);
            Ok(())
        }
        Question::CodeHash(address) => host.code_hash(address, told).map(drop),
        Question::PrepareDecommit(hash) => host.prepare_decommit(hash, told).map(drop),
        Question::Decommit(hash, page) => host.decommit(hash, page, told).map(drop),
        Question::Pubdata(bytes) => {
            host.add_pubdata(bytes, told);
            Ok(())
        }
        Question::Event(event) => {
            host.event(event, told);
            Ok(())
        }
        Question::L2ToL1Log(log) => {
            host.l2_to_l1_log(log, told);
            Ok(())
        }
        Question::NextTransaction => {
            host.next_transaction(told);
            Ok(())
        }
    }
}

impl Storage for Before {
    /// The state needs no code, only whether there is some.
    fn decommit(&mut self, _: U256) -> Result<Option<Vec<U256>>, Missing> {
        Ok(Some(Vec::new()))
    }

    fn storage_read(&mut self, key: &StorageKey) -> Result<Option<U256>, Missing> {
        let known = self.0.get(key).ok_or(Missing::Slot(*key))?;
        Ok(Some(known.0))
    }

    fn cost_of_writing_storage(&mut self, key: &StorageKey, value: U256) -> u32 {
        let initial = self.0.get(key).map_or(U256::zero(), |known| known.0);
        eradbg_vm::pubdata::state_diff::pubdata_cost_of_write(self.is_write_initial(key), initial, value)
    }

    fn enumeration_index(&self, key: &StorageKey) -> Option<u64> {
        self.0.get(key).filter(|known| !known.1).map(|_| 1)
    }
}

impl Told {
    fn row(&mut self, row: StateRow) {
        let step = self.step;
        self.rows.push(Timed { step, row });
    }
}

impl Observer for Told {
    const WATCHES: bool = false;

    fn storage_access(&mut self, access: &StorageAccess) {
        self.row(StateRow::Storage(*access));
    }

    fn transient_access(&mut self, key: StorageKey, old: U256, new: Option<U256>) {
        self.row(StateRow::Transient { key, old, new });
    }

    fn decommit(&mut self, decommit: &Decommit) {
        self.row(StateRow::Decommit(*decommit));
    }

    fn pubdata_added(&mut self, bytes: i32) {
        self.row(StateRow::Pubdata(bytes));
    }

    fn event(&mut self, event: &RawEvent) {
        self.row(StateRow::Event(*event));
    }

    fn l2_to_l1_log(&mut self, log: &L2ToL1Log) {
        self.row(StateRow::Log(*log));
    }

    fn restored(&mut self, restored: &Restored) {
        self.row(StateRow::Restored(restored.clone()));
    }

    fn next_transaction(&mut self, cleared: &[(StorageKey, U256)]) {
        self.row(StateRow::NextTransaction(cleared.to_vec()));
    }
}
