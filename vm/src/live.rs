//! The live host: state and storage behind the machine's questions.

use std::sync::{Arc, LazyLock};

use hashbrown::{HashMap, HashSet};
use primitive_types::U256;

use crate::bytecode;
use crate::events::{L2ToL1Log, RawEvent};
use crate::execution::Execution;
use crate::frame::CallKind;
use crate::host::Host;
use crate::keccak::keccak256;
use crate::observer::Observer;
use crate::precompile::{Output, Precompile};
use crate::program::Program;
use crate::state::VmState;
use crate::storage::{CONTRACT_DEPLOYER, KNOWN_CODES_STORAGE, Missing, Storage, StorageKey};
use crate::value::FatPointer;

static PUBLISH_EVM_BYTECODE: LazyLock<[u8; 4]> = LazyLock::new(|| {
    let hash = keccak256(b"publishEVMBytecode(uint256,bytes)");
    [hash[0], hash[1], hash[2], hash[3]]
});

/// Answers the machine from the chain's storage and the batch's own changes.
#[derive(Debug)]
pub struct LiveHost<'a, S> {
    /// Changes of the batch.
    pub state: &'a mut VmState,
    /// The chain before the batch.
    pub storage: &'a mut S,
    /// Programs decoded so far, by hash, and code that transactions brought along.
    pub programs: &'a mut Programs,
}

/// Code that the batch itself knows: brought along by transactions, or decoded before.
#[derive(Debug, Clone, Default)]
pub struct Programs {
    known: HashMap<U256, Arc<Program>>,
    /// Hashes of EVM code that a contract published while the batch ran.
    published: HashSet<U256>,
}

impl Programs {
    /// Adds code under its hash.
    pub fn insert(&mut self, hash: U256, words: Vec<U256>) {
        self.known
            .entry(hash)
            .or_insert_with(|| Program::new(hash, words));
    }

    /// Code by hash.
    pub fn get(&self, hash: U256) -> Option<&Arc<Program>> {
        self.known.get(&hash)
    }

    /// Code that a contract published while the batch ran.
    pub fn published(&self, hash: U256) -> Option<&Arc<Program>> {
        self.published.contains(&hash).then(|| self.get(hash)).flatten()
    }

    fn publish(&mut self, length: u16, padded: &[u8]) {
        let hash = bytecode::hash_padded_evm_bytecode(length, padded);
        self.insert(hash, bytecode::bytes_to_words(padded));
        self.published.insert(hash);
    }

    fn load<S: Storage>(&mut self, hash: U256, storage: &mut S) -> Result<Arc<Program>, Missing> {
        if let Some(program) = self.known.get(&hash) {
            return Ok(Arc::clone(program));
        }
        let words = storage.decommit(hash)?.ok_or(Missing::Code(hash))?;
        self.insert(hash, words);
        Ok(Arc::clone(&self.known[&hash]))
    }
}

impl<S: Storage> Host for LiveHost<'_, S> {
    type Error = Missing;

    fn storage_read<O: Observer>(
        &mut self,
        key: StorageKey,
        observer: &mut O,
    ) -> Result<(U256, u32), Missing> {
        self.state.read(self.storage, key, observer)
    }

    fn storage_write<O: Observer>(
        &mut self,
        key: StorageKey,
        value: U256,
        observer: &mut O,
    ) -> Result<u32, Missing> {
        self.state.write(self.storage, key, value, observer)
    }

    fn transient_read<O: Observer>(&mut self, key: StorageKey, observer: &mut O) -> Result<U256, Missing> {
        Ok(self.state.transient_read(key, observer))
    }

    fn transient_write<O: Observer>(&mut self, key: StorageKey, value: U256, observer: &mut O) {
        self.state.transient_write(key, value, observer);
    }

    fn code_hash<O: Observer>(&mut self, address: U256, observer: &mut O) -> Result<U256, Missing> {
        self.state.read_code_hash(self.storage, address, observer)
    }

    fn prepare_decommit<O: Observer>(
        &mut self,
        hash: U256,
        observer: &mut O,
    ) -> Result<Option<u32>, Missing> {
        Ok(self.state.prepare_decommit(hash, observer))
    }

    fn decommit<O: Observer>(
        &mut self,
        hash: U256,
        page: u32,
        observer: &mut O,
    ) -> Result<Arc<Program>, Missing> {
        let program = self.programs.load(hash, self.storage)?;
        self.state.decommitted(hash, page, observer);
        Ok(program)
    }

    fn precompile(&mut self, precompile: Precompile, input: &[U256]) -> Result<Output, Missing> {
        Ok(precompile.compute(input))
    }

    fn pubdata(&mut self) -> Result<i32, Missing> {
        Ok(self.state.pubdata())
    }

    fn add_pubdata<O: Observer>(&mut self, bytes: i32, observer: &mut O) {
        self.state.add_pubdata(bytes, observer);
    }

    fn event<O: Observer>(&mut self, event: RawEvent, observer: &mut O) {
        observer.event(&event);
        self.state.events.push(event);
    }

    fn l2_to_l1_log<O: Observer>(&mut self, log: L2ToL1Log, observer: &mut O) {
        observer.l2_to_l1_log(&log);
        self.state.l2_to_l1_logs.push(log);
    }

    /// EVM code is deployed by handing it to `KnownCodesStorage`: from then on it can be called.
    ///
    /// Source: `matter-labs/zksync-era` `core/lib/multivm/src/versions/vm_latest/tracers/evm_deploy_tracer.rs`.
    fn contract_called(&mut self, execution: &Execution) {
        let frame = execution.frame();
        if frame.this != KNOWN_CODES_STORAGE
            || frame.caller != CONTRACT_DEPLOYER
            || frame.kind != CallKind::Normal
        {
            return;
        }
        let calldata = execution.read_pointer(FatPointer::from_word(execution.register(1).word));
        if let Some((length, code)) = published_code(&calldata) {
            self.programs.publish(length, code);
        }
    }

    fn enter_frame(&mut self) {
        self.state.enter_frame();
    }

    fn leave_frame<O: Observer>(&mut self, undo: bool, observer: &mut O) {
        self.state.leave_frame(undo, observer);
    }

    fn next_transaction<O: Observer>(&mut self, observer: &mut O) {
        self.state.clear_transient(observer);
    }
}

/// Length and padded code of a `publishEVMBytecode` call.
fn published_code(calldata: &[u8]) -> Option<(u16, &[u8])> {
    let arguments = calldata.strip_prefix(PUBLISH_EVM_BYTECODE.as_slice())?;
    let number = |bytes: &[u8]| u32::try_from(U256::from_big_endian(bytes.get(..32)?)).ok();
    let length = u16::try_from(number(arguments)?).ok()?;
    let bytes = arguments.get(number(arguments.get(32..)?)? as usize..)?;
    let code = bytes.get(32..)?.get(..number(bytes)? as usize)?;
    Some((length, code))
}
