//! Names of what a recording holds: the built-in ones, and those that artifacts give to the code that runs in it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, OnceLock};

use eradbg_vm::code_hash::CodeHash;
use eradbg_vm::events::Event;
use eradbg_vm::keccak::keccak256;
use eradbg_vm::storage::{ACCOUNT_CODE_STORAGE, StorageKey, system_address};
use eradbg_vm::{Execution, FatPointer, H160, Observer, U256, value};

use super::{Recording, lock};
use crate::error::Result;
use crate::index::slot_id;
use crate::ledger::{CallRow, StateRow};
use crate::replay::Replay;
use crate::store::tree::Tree;
use crate::symbols::abi::{Abi, Decoded, Field, Selector};
use crate::symbols::artifacts::{Artifacts, Contract};
use crate::symbols::layout::{Part, Preimages};
use crate::symbols::{self, address_name};

/// The system contract that hashes.
const KECCAK256: H160 = system_address(0x8010);
/// Bytes that are hashed to a place in storage, at most: a key and the place of its mapping.
const LONGEST_PREIMAGE: usize = 512;
/// Chunks that are searched for what was hashed to a slot, from the first that touches it on.
const SEARCHED_CHUNKS: usize = 3;

/// What was found out about names.
#[derive(Debug, Default)]
pub(super) struct Names {
    artifacts: OnceLock<Artifacts>,
    contracts: Mutex<HashMap<H160, Option<Arc<Contract>>>>,
    slots: Mutex<HashMap<StorageKey, Arc<[Part]>>>,
    hashed: Mutex<Hashed>,
}

/// What was hashed in the chunks that were searched.
#[derive(Debug, Default)]
struct Hashed {
    searched: HashSet<u32>,
    preimages: Preimages,
}

impl Recording {
    /// Takes names from artifacts from now on; the first ones stay.
    pub fn use_artifacts(&self, artifacts: Artifacts) {
        self.0.read.names.artifacts.get_or_init(|| artifacts);
    }

    /// The artifacts that names are taken from.
    pub fn artifacts(&self) -> Option<&Artifacts> {
        let artifacts = self.0.read.names.artifacts.get();
        artifacts.filter(|artifacts| !artifacts.is_empty())
    }

    /// What a user should know about the artifacts: broken ones, code that has two names, and that nothing fits.
    ///
    /// # Errors
    /// When the list of codes cannot be read.
    pub fn notes_on_names(&self) -> Result<Vec<String>> {
        match self.0.read.names.artifacts.get() {
            // Code that fits may come while it goes on.
            Some(artifacts) if self.is_live() => Ok(artifacts.notes_on_files()),
            Some(artifacts) => Ok(artifacts.notes(&self.code_hashes()?)),
            None => Ok(Vec::new()),
        }
    }

    /// Hashes of all code that was loaded.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn code_hashes(&self) -> Result<Vec<U256>> {
        let keys = self.0.database.keys(Tree::Code)?;
        Ok(keys.iter().map(|key| U256::from_big_endian(key)).collect())
    }

    /// The hash of the code that an address has, as a far call looked it up or a deployment wrote it; `None` when none
    /// did.
    pub fn code_at(&self, address: H160) -> Option<U256> {
        let slot = StorageKey {
            address: ACCOUNT_CODE_STORAGE,
            key: value::word_of(address),
        };
        let mut chunks = self.slot_index().chunks(slot_id(false, slot), |_| true);
        chunks.sort_unstable();
        // Damaged rows name nothing; whoever asks for them is told.
        let rows = chunks
            .into_iter()
            .filter_map(|chunk| self.rows::<StateRow>(chunk).ok());
        rows.flatten().find_map(|row| match row.row {
            StateRow::Storage(access) if access.key == slot => {
                let hash = access.new.unwrap_or(access.old);
                CodeHash::parse(hash).map(CodeHash::normalized)
            }
            _ => None,
        })
    }

    /// What artifacts tell about the code of an address.
    pub fn contract_at(&self, address: H160) -> Option<Arc<Contract>> {
        let artifacts = self.artifacts()?;
        let names = &self.0.read.names;
        if let Some(known) = lock(&names.contracts).get(&address) {
            return known.clone();
        }
        let contract = self
            .code_at(address)
            .and_then(|hash| artifacts.of_code(hash))
            .cloned();
        // Of a recording that goes on, what is not known yet may be later.
        if contract.is_some() || !self.is_live() {
            lock(&names.contracts).insert(address, contract.clone());
        }
        contract
    }

    /// The name of an address, or a short form of it. Contracts that share a name are told apart by their addresses.
    pub fn address_text(&self, address: H160) -> String {
        match self.contract_at(address) {
            Some(contract) if address_name(address).is_none() => {
                format!("{}@{}", contract.name, symbols::short_digits(address))
            }
            _ => symbols::address_text(address),
        }
    }

    /// The name of an address, or all its digits.
    pub fn name_or_hex(&self, address: H160) -> String {
        if address_name(address).is_none() && self.contract_at(address).is_none() {
            return format!("{:#x}", value::word_of(address));
        }
        self.address_text(address)
    }

    /// The function that a selector means to the code of an address, as `function` or `Contract.function`.
    pub fn function_name(&self, code: H160, selector: Selector) -> Option<String> {
        let of = |contract: &Contract| {
            let function = contract.abi.function(selector)?;
            Some(format!("{}.{function}", contract.name))
        };
        let own = || of(&*self.contract_at(code)?);
        let system = || {
            let function = symbols::system_abi(code)?.function(selector)?;
            Some(format!("{}.{function}", address_name(code)?))
        };
        // A proxy has functions of other code.
        let any = || {
            self.artifacts()?
                .contracts()
                .iter()
                .find_map(|contract| of(contract))
        };
        let common = || symbols::selector_name(selector).map(str::to_owned);
        own().or_else(system).or_else(any).or_else(common)
    }

    /// Decodes calldata for the code of an address.
    pub fn decode_call(&self, code: H160, calldata: &[u8]) -> Option<Decoded> {
        self.decode(code, |abi| abi.call(calldata))
    }

    /// Decodes the arguments of the constructor that the code of an address has.
    pub fn decode_construction(&self, code: H160, calldata: &[u8]) -> Option<Decoded> {
        self.contract_at(code)?.abi.construction(calldata)
    }

    /// Decodes what a function of the code of an address returned.
    pub fn decode_result(&self, code: H160, selector: Selector, returndata: &[u8]) -> Option<Vec<Field>> {
        self.decode(code, |abi| abi.result(selector, returndata))
    }

    /// Decodes a custom error.
    pub fn decode_error(&self, code: H160, returndata: &[u8]) -> Option<Decoded> {
        self.decode(code, |abi| abi.error(returndata))
    }

    /// Why a transaction failed, with a custom error in it by its name.
    pub fn reason_text(&self, reason: &str) -> String {
        let told = || {
            let (before, rest) = reason.split_once("returndata 0x")?;
            let end = rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len());
            let (digits, after) = rest.split_at(end);
            let error = self.decode_error(H160::zero(), &hex::decode(digits).ok()?)?;
            Some(format!("{before}{error}{after}"))
        };
        told().unwrap_or_else(|| reason.to_owned())
    }

    /// Decodes an event.
    pub fn decode_event(&self, event: &Event) -> Option<Decoded> {
        self.decode(event.address, |abi| abi.event(&event.topics, &event.data))
    }

    /// Decodes by the ABI of an address's code, then by what is built in, then by any artifact: code is called by proxies,
    /// and errors and events come out of libraries.
    fn decode<T>(&self, code: H160, decode: impl Fn(&Abi) -> Option<T>) -> Option<T> {
        let own = || decode(&self.contract_at(code)?.abi);
        let system = || symbols::system_abi(code).and_then(&decode);
        let any = || {
            let contracts = self.artifacts()?.contracts();
            contracts.iter().find_map(|contract| decode(&contract.abi))
        };
        let common = || symbols::by_common_abis(&decode);
        own().or_else(system).or_else(any).or_else(common)
    }

    /// The variables that stand in a storage slot; none where that is not known.
    pub fn variables(&self, slot: StorageKey) -> Arc<[Part]> {
        if self.artifacts().is_none_or(|artifacts| !artifacts.have_layouts()) {
            return Arc::default();
        }
        let names = &self.0.read.names;
        if let Some(known) = lock(&names.slots).get(&slot) {
            return Arc::clone(known);
        }
        let found: Arc<[Part]> = self.find_variables(slot).into();
        // Of a recording that goes on, what is not known yet may be later.
        if !found.is_empty() || !self.is_live() {
            lock(&names.slots).insert(slot, Arc::clone(&found));
        }
        found
    }

    /// A slot as people write it: `Contract.variable`, or `Contract[slot]` where the variable is not known.
    pub fn slot_text(&self, slot: StorageKey) -> String {
        let contract = self.name_or_hex(slot.address);
        match &*self.variables(slot) {
            [] => format!("{contract}[{:#x}]", slot.key),
            [part] => format!("{contract}.{}", part.path),
            parts => {
                let paths: Vec<_> = parts.iter().map(|part| &part.path[..]).collect();
                format!("{contract}.({})", paths.join(", "))
            }
        }
    }

    /// A slot's value as people write it: those of its variables, or a number in hex.
    pub fn value_text(&self, slot: StorageKey, word: U256) -> String {
        match &*self.variables(slot) {
            [] => format!("{word:#x}"),
            [part] => part.value(word),
            parts => {
                let values: Vec<_> = parts.iter().map(|part| part.value(word)).collect();
                format!("({})", values.join(", "))
            }
        }
    }

    fn find_variables(&self, slot: StorageKey) -> Vec<Part> {
        let mut chunks = self.slot_index().chunks(slot_id(false, slot), |_| true);
        chunks.sort_unstable();
        chunks.truncate(SEARCHED_CHUNKS);
        // What was hashed to the slot, and who called, may stand at the end of the chunk before.
        let before: Vec<_> = chunks.iter().filter_map(|chunk| chunk.checked_sub(1)).collect();
        chunks.extend(before);
        chunks.sort_unstable();
        chunks.dedup();
        let mut contracts: Vec<_> = self.contract_at(slot.address).into_iter().collect();
        for &chunk in &chunks {
            contracts.extend(self.contracts_that_worked_on(slot.address, chunk));
        }
        contracts.retain(|contract| !contract.layout.is_empty());
        let find = |preimages: &Preimages| {
            let mut parts = contracts
                .iter()
                .map(|contract| contract.layout.parts(slot.key, preimages));
            parts.find(|parts| !parts.is_empty())
        };
        if contracts.is_empty() {
            return Vec::new();
        }
        if let Some(parts) = find(&Preimages::new()) {
            return parts;
        }
        let mut hashed = lock(&self.0.read.names.hashed);
        for chunk in chunks {
            if hashed.searched.insert(chunk) {
                self.find_preimages(chunk, &mut hashed.preimages);
            }
        }
        find(&hashed.preimages).unwrap_or_default()
    }

    /// Contracts whose code ran on the storage of an address in a chunk.
    fn contracts_that_worked_on(&self, address: H160, chunk: u32) -> Vec<Arc<Contract>> {
        let rows = self.rows::<CallRow>(chunk).unwrap_or_default();
        let code = rows.iter().filter_map(|row| match row.row {
            CallRow::Entered {
                this, code_address, ..
            } if this == address => Some(code_address),
            _ => None,
        });
        code.collect::<BTreeSet<_>>()
            .into_iter()
            .filter_map(|code| self.contract_at(code))
            .collect()
    }

    fn find_preimages(&self, chunk: u32, preimages: &mut Preimages) {
        // A chunk that cannot be executed again names nothing; whoever steps through it is told.
        let Ok(mut replay) = Replay::new(self, chunk) else {
            return;
        };
        let _ = replay.run_to(u64::MAX, &mut HashWatcher(preimages));
    }
}

/// Keeps what is hashed.
struct HashWatcher<'a>(&'a mut Preimages);

impl Observer for HashWatcher<'_> {
    const WATCHES: bool = false;
    const SPECIALIZES: bool = false;

    fn frame_entered(&mut self, execution: &Execution, is_near: bool) {
        if is_near || execution.frame().code_address != KECCAK256 {
            return;
        }
        let input = FatPointer::from_word(execution.register(1).word);
        if (32..=LONGEST_PREIMAGE as u32).contains(&input.length) {
            let input = execution.read_pointer(input);
            let hash = U256::from_big_endian(&keccak256(&input).0);
            self.0.insert(hash, input.into());
        }
    }
}
