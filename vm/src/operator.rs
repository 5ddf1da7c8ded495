//! The operator: owns the machine and the chain's storage, fills the bootloader's heap, answers its hooks, takes
//! snapshots and collects results.

mod finish;
pub mod refund;
pub mod result;
mod run;

use primitive_types::{H256, U256};

pub use finish::{BatchResult, PubdataTarget};
pub use result::{ExecutionResult, Halt, RevertReason, RunResult};
pub use run::RunMode;

use crate::batch::{BatchEnv, L2BlockEnv, SystemEnv, Transaction};
use crate::bootloader::l2_block::BlockError;
use crate::bootloader::state::{BootloaderSnapshot, BootloaderState, PushError};
use crate::bytecode::{self, compress};
use crate::execution::Settings;
use crate::observer::Observer;
use crate::outcome::End;
use crate::program::Program;
use crate::pubdata::builder::{PubdataError, PubdataInput};
use crate::storage::{KNOWN_CODES_STORAGE, Missing, Storage, StorageKey};
use crate::vm::{EraVm, Snapshot};

/// The machine with its bootloader, over the chain's storage.
#[derive(Debug)]
pub struct OperatorVm<S> {
    inner: EraVm,
    /// Program counter after the hook that suspended the machine last.
    suspended_at: u16,
    bootloader_state: BootloaderState,
    storage: S,
    snapshot: Option<VmSnapshot>,
    batch: BatchEnv,
    system: SystemEnv,
    /// What the batch publishes, once the bootloader has asked for it.
    pubdata: Option<PubdataInput>,
}

#[derive(Debug)]
struct VmSnapshot {
    machine: Snapshot,
    bootloader: BootloaderSnapshot,
    suspended_at: u16,
}

/// Why the operator cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OperatorError {
    /// The input lacks something.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// An L2 block does not follow the one before.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// A transaction cannot be pushed.
    #[error(transparent)]
    Push(#[from] PushError),
    /// The pubdata cannot be built.
    #[error("the pubdata of the batch cannot be built: {0}")]
    Pubdata(#[from] PubdataError),
    /// The batch asks to publish code that nobody brought along.
    #[error("the batch publishes a bytecode with hash {0:#066x} that no transaction brought along")]
    UnknownPublishedBytecode(U256),
    /// The bootloader wrote a number that is no hook.
    #[error(
        "step {step}: the bootloader wrote {id} to the hook slot, which is no hook of this protocol version"
    )]
    UnknownHook {
        /// The number.
        id: u32,
        /// The step that wrote it.
        step: u64,
    },
    /// The bootloader asks about a transaction that was not started.
    #[error("step {step}: the bootloader asks for a refund, but no transaction runs")]
    NoTransaction {
        /// The step that asked.
        step: u64,
    },
    /// The observer stopped the run.
    #[error("the run was stopped")]
    Cancelled,
    /// The bootloader has returned, so nothing can run any more.
    #[error("the bootloader has ended already")]
    Ended,
}

/// What pushing a transaction gives back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// Hash of the transaction.
    pub hash: H256,
    /// Bytecodes that it publishes in compressed form.
    pub compressed: Vec<compress::CompressedBytecode>,
}

impl<S: Storage> OperatorVm<S> {
    /// A machine at the start of a batch, with the batch's parameters in the bootloader's heap.
    pub fn new<O: Observer>(batch: BatchEnv, system: SystemEnv, storage: S, observer: &mut O) -> Self {
        let (bootloader_state, words) = BootloaderState::new(&batch, system.clone());
        let bootloader = Program::new(system.bootloader.hash, system.bootloader.words.clone());
        let settings = Settings::of(&system);
        let mut inner = EraVm::new(bootloader, system.bootloader_gas_limit, settings);
        for code in [Some(&system.default_account), system.evm_emulator.as_ref()]
            .into_iter()
            .flatten()
        {
            inner.programs.insert(code.hash, code.words.clone());
        }
        let mut operator = Self {
            inner,
            suspended_at: 0,
            bootloader_state,
            storage,
            snapshot: None,
            batch,
            system,
            pubdata: None,
        };
        operator.write_words(&words, observer);
        operator
    }

    /// The machine.
    pub fn machine(&self) -> &EraVm {
        &self.inner
    }

    /// The machine, when nothing else is needed any more.
    pub fn into_machine(self) -> EraVm {
        self.inner
    }

    /// Parameters of the batch.
    pub fn batch(&self) -> &BatchEnv {
        &self.batch
    }

    /// The bootloader's side of the batch.
    pub fn bootloader_state(&self) -> &BootloaderState {
        &self.bootloader_state
    }

    /// Program counter after the hook that suspended the machine last.
    pub fn suspended_at(&self) -> u16 {
        self.suspended_at
    }

    /// Pushes a transaction after the ones before it.
    ///
    /// # Errors
    /// When the heap has no room for it, or storage does not say whether its code is known.
    pub fn push_transaction<O: Observer>(
        &mut self,
        transaction: &Transaction,
        with_compression: bool,
        observer: &mut O,
    ) -> Result<Pushed, OperatorError> {
        for code in &transaction.factory_deps {
            if let Ok(hash) = bytecode::hash_bytecode(code) {
                self.inner.programs.insert(hash, bytecode::bytes_to_words(code));
            }
        }
        let compressed = if with_compression && !transaction.is_l1() {
            self.compress(&transaction.factory_deps)?
        } else {
            Vec::new()
        };
        let words = self.bootloader_state.push_transaction(transaction, &compressed)?;
        self.write_words(&words, observer);
        let hash = self
            .bootloader_state
            .transaction_hash(self.bootloader_state.transaction_count() - 1);
        Ok(Pushed { hash, compressed })
    }

    /// Whether all of these bytecodes are marked as known by now. A bootloader that failed has undone the marks.
    ///
    /// # Errors
    /// When storage does not say.
    pub fn are_known(&mut self, bytecodes: &[compress::CompressedBytecode]) -> Result<bool, OperatorError> {
        let failed = matches!(
            self.inner.execution.ended(),
            Some(End::Reverted(_) | End::Panicked(_))
        );
        if failed {
            return Ok(bytecodes.is_empty());
        }
        for bytecode in bytecodes {
            if !self.is_known(bytecode.hash)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Starts an L2 block; transactions pushed from now on belong to it.
    ///
    /// # Errors
    /// When it does not follow the one before.
    pub fn start_l2_block(&mut self, block: L2BlockEnv) -> Result<(), OperatorError> {
        Ok(self.bootloader_state.start_block(block)?)
    }

    /// Takes an external snapshot of machine and bootloader state, in place of an earlier one. It holds until it is
    /// dropped, replaced or restored: what was run since, L2 blocks that were started included, can be taken back even
    /// when it succeeded.
    pub fn make_snapshot<O: Observer>(&mut self, observer: &mut O) {
        self.snapshot = Some(VmSnapshot {
            machine: self.inner.snapshot(observer),
            bootloader: self.bootloader_state.snapshot(),
            suspended_at: self.suspended_at,
        });
    }

    /// Forgets the snapshot.
    pub fn drop_snapshot<O: Observer>(&mut self, observer: &mut O) {
        if self.snapshot.take().is_some() {
            self.inner.drop_snapshot(observer);
        }
    }

    /// Restores the snapshot.
    ///
    /// # Panics
    /// When there is none.
    pub fn roll_back<O: Observer>(&mut self, observer: &mut O) {
        let snapshot = self.snapshot.take().expect("a rollback follows a snapshot");
        self.inner.roll_back(snapshot.machine, observer);
        self.bootloader_state.roll_back(snapshot.bootloader);
        self.suspended_at = snapshot.suspended_at;
        self.pubdata = None;
    }

    fn compress(
        &mut self,
        factory_deps: &[Vec<u8>],
    ) -> Result<Vec<compress::CompressedBytecode>, OperatorError> {
        let mut failure = None;
        let compressed = compress::compress_unknown(factory_deps, |hash| {
            self.is_known(hash).unwrap_or_else(|error| {
                failure.get_or_insert(error);
                true
            })
        });
        failure.map_or(Ok(compressed), Err)
    }

    fn is_known(&mut self, hash: U256) -> Result<bool, OperatorError> {
        let key = StorageKey {
            address: KNOWN_CODES_STORAGE,
            key: hash,
        };
        let marker = match self.inner.state.written_value(&key) {
            Some(marker) => marker,
            None => self.storage.storage_read(&key)?.unwrap_or_default(),
        };
        Ok(!marker.is_zero())
    }

    fn write_words<O: Observer>(&mut self, words: &[(u32, U256)], observer: &mut O) {
        for &(slot, word) in words {
            self.inner.execution.operator_write(slot, word, observer);
        }
    }
}
