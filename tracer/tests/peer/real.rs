//! Scenarios on the real bootloader and system contracts: each ends as it says, and in each `zksync_vm2` agrees.
//!
//! The scenarios are the files `tracer/tests/real/*.ron`. They need contracts from the vectors, and are not run where
//! these are not. Assembly beside them is theirs; that of the embedded system contracts is in the folder `system`.

use std::fs;
use std::path::{Path, PathBuf};

use eradbg_fixtures::embedded::SCENARIOS;
use eradbg_tracer::chain::Contents;
use eradbg_tracer::report::RunReport;
use eradbg_tracer::source::{self, Loaded, scenario};
use eradbg_vm::batch::SystemCode;
use eradbg_vm::bytecode::{bytes_to_words, hash_bytecode};
use eradbg_vm::pubdata::state_diff::derived_key;
use eradbg_vm::storage::ACCOUNT_CODE_STORAGE;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::compare::compare;
use crate::real_base;
use crate::support::{Input, record};

/// A folder with the scenarios and everything that they name.
pub(crate) struct RealContracts {
    folder: TempDir,
}

/// Versions whose contracts the vectors have, with the folders for them.
const BASES: [(u16, &str); 3] = [(29, "zkout"), (28, "zkout28"), (26, "zkout26")];

/// How scenarios name the first of them.
const BASE: &str = "base: \"zkout\",";

/// Precompiles that no vector has the contracts of: those of eradbg stand in.
const MISSING: [(u64, &str); 5] = [
    (0x05, "Modexp"),
    (0x06, "EcAdd"),
    (0x07, "EcMul"),
    (0x08, "EcPairing"),
    (0x100, "P256Verify"),
];

/// Embedded scenarios that end otherwise on the real contracts, with the reason.
const OTHER_ENDS: [(&str, &str); 10] = [
    ("accounts_with_their_own_rules", OTHER_GAS),
    ("contracts_that_deploy", NO_IMMUTABLES),
    ("demo", NO_IMMUTABLES),
    ("deploy", NO_IMMUTABLES),
    ("deploy_uncompressed", NO_IMMUTABLES),
    ("deploy_with_salt", NO_IMMUTABLES),
    ("priority_deploy", NO_IMMUTABLES),
    ("rejected_without_published_code", OTHER_GAS),
    ("retried_without_compression", OTHER_GAS),
    ("transaction_types", "the real bootloader knows all of them"),
];
const OTHER_GAS: &str = "its gas limits are measured for the embedded bootloader";
const NO_IMMUTABLES: &str =
    "the samples' constructors do not return the list of immutables that the real deployer reads";

impl RealContracts {
    /// The contracts of each version, in folders that scenarios name as their base; `None`, and a line that says so, where
    /// there are no vectors.
    pub(crate) fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        for (version, base) in BASES {
            if !real_base::write(&folder.path().join(base), version) {
                return None;
            }
        }
        write_missing(&folder.path().join(BASES[0].1));
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real");
        copy(&tests, folder.path());
        copy(
            &tests.join("../../../fixtures/asm/system"),
            &folder.path().join("system"),
        );
        Some(Self { folder })
    }

    /// Loads a scenario by its name.
    pub(crate) fn load(&self, name: &str) -> Loaded {
        let path = self.folder.path().join(name).with_extension("ron");
        source::load(&path, None).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Loads a scenario with another base.
    fn load_with(&self, name: &str, base: &str) -> Loaded {
        let path = self.folder.path().join(name).with_extension("ron");
        let text = fs::read_to_string(path).unwrap();
        assert_eq!(text.matches(BASE).count(), 1, "{name}");
        let name = format!("{name} {base}").replace(|it: char| !it.is_alphanumeric(), "_");
        self.load_text(&name, &text.replace(BASE, base))
    }

    /// The words of a bootloader for simulations, by the name of its artifact.
    pub(crate) fn bootloader(&self, base: &str, name: &str) -> SystemCode {
        let path = self
            .folder
            .path()
            .join(base)
            .join(format!("{name}.yul/Bootloader.json"));
        let artifact: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let code = hex::decode(artifact["bytecode"]["object"].as_str().unwrap()).unwrap();
        SystemCode {
            hash: hash_bytecode(&code).unwrap(),
            words: bytes_to_words(&code),
        }
    }

    /// Loads a scenario that goes on with a chain.
    pub(crate) fn load_after(&self, name: &str, before: &Contents) -> Loaded {
        let path = self.folder.path().join(name).with_extension("ron");
        source::load(&path, Some(before)).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Loads the text of a scenario.
    pub(crate) fn load_text(&self, name: &str, text: &str) -> Loaded {
        fs::write(self.folder.path().join(name).with_extension("ron"), text).unwrap();
        self.load(name)
    }

    /// Loads the text of a scenario without a base.
    fn load_on_base(&self, name: &str, text: &str) -> Loaded {
        let (comment, rest) = text
            .split_once("\n(\n")
            .expect("a comment comes before the scenario");
        self.load_text(name, &format!("{comment}\n(\n{BASE}\n{rest}"))
    }
}

#[test]
fn scenarios_on_real_contracts_end_as_they_say() {
    let Some(contracts) = RealContracts::new() else {
        return;
    };
    let problems: Vec<String> = names()
        .iter()
        .flat_map(|name| problems(contracts.load(name)))
        .collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Scenarios that end alike on the contracts of versions before 29, with the first of them.
const ALIKE: [(&str, u16); 7] = [
    ("bytecodes_unpaid", 26),
    ("deployments", 28),
    ("gas_limits", 26),
    ("l1_transactions", 26),
    ("paymasters", 26),
    ("senders", 26),
    ("transfers", 26),
];

#[test]
fn scenarios_on_the_contracts_of_earlier_versions_end_as_they_say() {
    let Some(contracts) = RealContracts::new() else {
        return;
    };
    let mut problems = Vec::new();
    for (version, base) in &BASES[1..] {
        for (name, _) in ALIKE.iter().filter(|(_, first)| first <= version) {
            let loaded = contracts.load_with(
                name,
                &format!("base: \"{base}\", chain: (protocol_version: {version}),"),
            );
            problems.extend(self::problems(loaded));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn precompiles_for_signatures_are_as_exact_on_the_real_contracts() {
    let Some(contracts) = RealContracts::new() else {
        return;
    };
    // Those of version 26 are in the vectors, both of them.
    let name = "precompiles_of_signatures";
    let embedded = SCENARIOS.iter().find(|scenario| scenario.name == name).unwrap();
    let base = "base: \"zkout26\", chain: (protocol_version: 26),";
    let text = embedded.text.replacen("\n(\n", &format!("\n(\n{base}\n"), 1);
    assert_eq!(problems(contracts.load_text(name, &text)), [""; 0]);
}

#[test]
fn embedded_scenarios_end_alike_on_the_real_contracts() {
    let Some(contracts) = RealContracts::new() else {
        return;
    };
    let mut problems = Vec::new();
    for embedded in SCENARIOS {
        let name = embedded.name;
        if OTHER_ENDS.iter().any(|(other, _)| *other == name) {
            continue;
        }
        let own = ends(scenario::embedded(name).unwrap());
        let real = ends(contracts.load_on_base(name, embedded.text));
        if own != real {
            problems.push(format!("{name}: {own:?}, on the real contracts {real:?}"));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// What does not come out as the scenario says, or as `zksync_vm2` has it.
pub(crate) fn problems(loaded: Loaded) -> Vec<String> {
    let name = loaded.name.clone();
    let expectations = loaded.expectations.clone();
    let config = loaded.run;
    let input = Input::of(loaded, config);
    let recorded = record(&input, 16_384);
    let reports = recorded.recording.reports().unwrap();
    let unmet = expectations
        .iter()
        .enumerate()
        .filter_map(|(index, expectation)| {
            let report = reports.iter().find(|report| report.index == index);
            let difference = expectation.difference(report)?;
            Some(format!("{name}, transaction {index}: {difference}"))
        });
    let other = compare(&input.batch, &recorded.recording);
    let other = other.iter().map(|mismatch| format!("{name}, {mismatch}"));
    unmet.chain(other).collect()
}

/// Writes the artifacts of contracts that the vectors do not have.
fn write_missing(folder: &Path) {
    let storage = scenario::embedded("precompiles").unwrap().input.storage;
    for (address, name) in MISSING {
        let slot = derived_key(ACCOUNT_CODE_STORAGE, address.into());
        let (hash, _) = storage.slots[&slot].expect("the embedded contracts are deployed");
        let artifact = json!({"bytecode": {"object": hex::encode(&storage.factory_deps[&hash])}});
        let path = folder.join(format!("{name}.yul/{name}.json"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, artifact.to_string()).unwrap();
    }
}

/// How transactions ended: with which output if they succeeded.
fn ends(loaded: Loaded) -> Vec<String> {
    let config = loaded.run;
    let recorded = record(&Input::of(loaded, config), 16_384);
    let reports = recorded.recording.reports().unwrap();
    reports.iter().map(|report| end(&report.run)).collect()
}

fn end(run: &RunReport) -> String {
    let output = run.result["output"].to_string();
    // What the real default account returns of a good execution: empty bytes, encoded.
    let empty = format!("\"0x{:064x}{:064x}\"", 32, 0);
    format!("{} {}", run.status(), output.replace(&empty, "\"0x\""))
}

/// All scenarios, by name.
fn names() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real");
    let mut names: Vec<String> = files(&folder)
        .iter()
        .filter(|path| path.extension().is_some_and(|ending| ending == "ron"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for path in files(from) {
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.is_file()).collect()
}
