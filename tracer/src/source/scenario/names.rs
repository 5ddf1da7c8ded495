//! Who and what a scenario names: accounts and contracts with their addresses, keys and code.

use std::collections::BTreeMap;

use eradbg_fixtures::embedded;
use eradbg_vm::keccak::keccak256;
use eradbg_vm::value::word_of;
use k256::ecdsa::SigningKey;
use primitive_types::{H160, U256};

use super::abi::{Arg, Names};
use super::base;
use super::code::Code;
use super::format::{self, Account, Scenario};
use super::genesis::{Genesis, OtherCode, mapping_slot};
use super::text::{File, Text};
use super::value::{self, Number};
use super::wallet;
use crate::source::error::InputError;
use crate::symbols;

/// A well-known wallet has a million of the base token: ten to this, in wei.
const RICH_BALANCE_DECIMALS: usize = 24;
/// How derived addresses of contracts begin.
const DERIVED_PREFIX: [u8; 2] = [0xc0, 0xde];

/// All names of a scenario. Those of system contracts are known besides.
#[derive(Debug, Default)]
pub(super) struct Directory {
    entries: BTreeMap<String, Entry>,
    /// Addresses of contracts that transactions have deployed so far.
    pub(super) deployed: BTreeMap<String, H160>,
}

/// What a name stands for.
#[derive(Debug)]
struct Entry {
    /// `None` for a contract that is not there from the start.
    address: Option<H160>,
    key: Option<SigningKey>,
    code: Option<Code>,
}

impl Directory {
    /// Reads accounts and contracts, and puts into the state those that are not there yet.
    ///
    /// # Errors
    /// When a name is taken twice, or the code of a contract cannot be had or is not the one in the state.
    pub(super) fn new(file: File, scenario: &Scenario, genesis: &mut Genesis) -> Result<Self, InputError> {
        let mut directory = Self::default();
        for (name, account) in &scenario.accounts.0 {
            directory.add_account(file, name, account, genesis)?;
        }
        for (name, contract) in &scenario.contracts.0 {
            directory.add_contract(file, name, contract, genesis)?;
        }
        for (name, contract) in &scenario.contracts.0 {
            directory.fill_storage(file, name, contract, genesis)?;
        }
        Ok(directory)
    }

    /// The code that a contract is deployed with.
    pub(super) fn code(&self, name: &str) -> Result<&Code, String> {
        match self.entries.get(name) {
            Some(Entry { code: Some(code), .. }) => Ok(code),
            Some(_) => Err(format!("\"{name}\" is an account, expected a contract")),
            None => Err(format!(
                "there is no contract \"{name}\"{}",
                self.suggestion(|entry| entry.code.is_some())
            )),
        }
    }

    /// The key of an account.
    pub(super) fn key(&self, name: &str) -> Option<&SigningKey> {
        self.entries.get(name)?.key.as_ref()
    }

    /// All code with its source.
    pub(super) fn into_codes(self) -> impl Iterator<Item = Code> {
        self.entries.into_values().filter_map(|entry| entry.code)
    }

    fn add_account(
        &mut self,
        file: File,
        name: &Text,
        account: &Account,
        genesis: &mut Genesis,
    ) -> Result<(), InputError> {
        let given = |balance: &Option<Number>| balance.map_or(U256::zero(), |balance| balance.0);
        let (address, key, balance) = match account {
            Account::Rich(index) => {
                let key = wallet::rich_key(*index).ok_or_else(|| {
                    let last = wallet::RICH_WALLETS - 1;
                    let problem = format!("there is no wallet {index}, expected 0 to {last}");
                    file.error(name, format_args!("accounts.{}", name.as_str()), problem)
                })?;
                let balance = U256::exp10(RICH_BALANCE_DECIMALS);
                (wallet::address_of(&key), Some(key), balance)
            }
            Account::Wallet { key, balance } => {
                (wallet::address_of(&key.0), Some(key.0.clone()), given(balance))
            }
            Account::Address { at, balance } => (at.0, None, given(balance)),
        };
        genesis.mint(address, balance);
        let entry = Entry {
            address: Some(address),
            key,
            code: None,
        };
        self.add(file, "accounts", name, entry)
    }

    fn add_contract(
        &mut self,
        file: File,
        name: &Text,
        contract: &format::Contract,
        genesis: &mut Genesis,
    ) -> Result<(), InputError> {
        let code = load_code(file, name, &contract.code)?;
        let at = |field: &str| format!("contracts.{}.{field}", name.as_str());
        let address = contract.deployed.then(|| {
            contract
                .address
                .map_or_else(|| derived_address(name.as_str()), |address| address.0)
        });
        if let Some(address) = address {
            genesis.deploy(address, &code).map_err(|OtherCode(found)| {
                let problem = format!(
                    "the state has other code at {address:#x}, with hash {found:#066x}, expected {:#066x}",
                    code.hash
                );
                file.error(name, at("code"), problem)
            })?;
            let balance = contract.balance.map(|balance| balance.0);
            genesis.mint(address, balance.unwrap_or_default());
            if contract.is_account && genesis.is_vacant(address) {
                genesis.register_account(address);
            }
            for bytes in &code.dependencies {
                let dependency = Code::from_bytes(bytes.clone());
                genesis.know(&dependency.expect("dependencies were read as valid code"));
            }
        } else if let Some(field) = field_of_deployed(contract) {
            let problem = "only a contract that is there from the start has this, and `deployed` is false";
            return Err(file.error(name, at(field), problem));
        }
        let entry = Entry {
            address,
            key: None,
            code: Some(code),
        };
        self.add(file, "contracts", name, entry)
    }

    fn fill_storage(
        &self,
        file: File,
        name: &Text,
        contract: &format::Contract,
        genesis: &mut Genesis,
    ) -> Result<(), InputError> {
        let Some(address) = self.entries.get(name.as_str()).and_then(|entry| entry.address) else {
            return Ok(());
        };
        for (key, value) in &contract.storage.0 {
            let at = || format!("contracts.{}.storage.{}", name.as_str(), key.as_str());
            let slot = self
                .slot(key.as_str())
                .map_err(|problem| file.error(key, at(), problem))?;
            let Arg::Text(value) = value else {
                return Err(file.error(key, at(), "expected one value, found a list"));
            };
            let word = self
                .word(value.as_str())
                .map_err(|problem| file.error(value, at(), problem))?;
            if genesis.is_vacant(address) {
                genesis.set(address, slot, word);
            }
        }
        Ok(())
    }

    /// Reads a slot: a number, or a place in a mapping as `1[alice]`.
    fn slot(&self, text: &str) -> Result<U256, String> {
        let Some((outer, key)) = text.strip_suffix(']').and_then(|rest| rest.rsplit_once('[')) else {
            return value::number(text).ok_or_else(|| {
                format!("expected a slot, like \"3\", \"0x3\" or \"3[alice]\", found \"{text}\"")
            });
        };
        Ok(mapping_slot(self.word(key)?, self.slot(outer)?))
    }

    /// Reads a word: a number, or an address by name.
    fn word(&self, text: &str) -> Result<U256, String> {
        match value::number(text) {
            Some(number) => Ok(number),
            None => self.address(text).map(word_of),
        }
    }

    fn add(&mut self, file: File, group: &str, name: &Text, entry: Entry) -> Result<(), InputError> {
        let at = || format!("{group}.{}", name.as_str());
        let text = name.as_str();
        let is_name = text
            .chars()
            .all(|character| character.is_alphanumeric() || "_-. ".contains(character));
        if text.is_empty() || !is_name || text.starts_with("0x") {
            let problem = "a name has letters, digits, `_`, `-`, `.` or spaces, and does not begin with 0x";
            return Err(file.error(name, at(), problem));
        }
        if self.entries.contains_key(text) || symbols::address_of_name(text).is_some() {
            let problem = format!("the name \"{text}\" is taken");
            return Err(file.error(name, at(), problem));
        }
        self.entries.insert(text.to_owned(), entry);
        Ok(())
    }

    /// The names that would have been possible, for an error.
    fn suggestion(&self, fits: impl Fn(&Entry) -> bool) -> String {
        let names: Vec<String> = self
            .entries
            .iter()
            .filter(|(_, entry)| fits(entry))
            .map(|(name, _)| format!("\"{name}\""))
            .collect();
        if names.is_empty() {
            String::new()
        } else {
            format!("; there are {}", names.join(", "))
        }
    }
}

impl Names for Directory {
    fn address(&self, name: &str) -> Result<H160, String> {
        if name.starts_with("0x") {
            return value::address(name)
                .ok_or_else(|| format!("expected an address, \"0x\" and 40 hex digits, found \"{name}\""));
        }
        match self.entries.get(name) {
            Some(entry) => entry
                .address
                .or_else(|| self.deployed.get(name).copied())
                .ok_or_else(|| format!("the contract \"{name}\" is not deployed yet")),
            None => symbols::address_of_name(name).ok_or_else(|| {
                format!(
                    "there is no account or contract \"{name}\"{}",
                    self.suggestion(|_| true)
                )
            }),
        }
    }

    fn code_hash(&self, name: &str) -> Result<U256, String> {
        self.code(name).map(|code| code.hash)
    }
}

/// The first field that makes sense for a deployed contract only.
fn field_of_deployed(contract: &format::Contract) -> Option<&'static str> {
    let given = [
        ("address", contract.address.is_some()),
        ("is_account", contract.is_account),
        ("storage", !contract.storage.0.is_empty()),
        ("balance", contract.balance.is_some()),
    ];
    let found = given.into_iter().find(|(_, is_given)| *is_given);
    found.map(|(field, _)| field)
}

/// Gets the code of a contract from where the scenario says.
fn load_code(file: File, name: &Text, source: &format::Code) -> Result<Code, InputError> {
    let at = || format!("contracts.{}.code", name.as_str());
    let path = |place: &Text| {
        let folder = file
            .folder
            .ok_or_else(|| file.error(place, at(), "an embedded scenario has no files beside it"))?;
        Ok(folder.join(place.as_str()))
    };
    let (place, code) = match source {
        format::Code::Bytecode(bytes) => {
            return Code::from_bytes(bytes.0.clone()).map_err(|error| file.error(name, at(), error));
        }
        format::Code::Sample(sample) => {
            return sample_code(sample.as_str())
                .unwrap_or_else(|problem| Err(file.error(sample, at(), problem)));
        }
        format::Code::Assembly(place) => (place, Code::from_assembly(&path(place)?)),
        format::Code::Artifact(place) => (place, Code::from_artifact(&path(place)?)),
    };
    code.map_err(|error| match error {
        // What is wrong is what the scenario says, not what is in the other file.
        InputError::Missing { .. } | InputError::Directory { .. } | InputError::Unreadable { .. } => {
            file.error(place, at(), error)
        }
        error => error,
    })
}

/// Assembles a sample, if there is one of this name.
fn sample_code(name: &str) -> Result<Result<Code, InputError>, String> {
    let found = embedded::SAMPLES.iter().find(|source| source.name == name);
    let names = || {
        let names: Vec<&str> = embedded::SAMPLES.iter().map(|source| source.name).collect();
        format!("there is no sample \"{name}\"; there are {}", names.join(", "))
    };
    found.map(base::assemble).ok_or_else(names)
}

/// A readable address for a contract: `0xc0de`, zeros, and the end of the name's hash.
fn derived_address(name: &str) -> H160 {
    let mut address = [0; 20];
    address[..2].copy_from_slice(&DERIVED_PREFIX);
    address[16..].copy_from_slice(&keccak256(name.as_bytes()).as_bytes()[28..]);
    H160(address)
}
