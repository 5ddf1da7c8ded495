//! What compilers write about contracts: names, ABIs and storage layouts, found by the hash of the code.
//!
//! Read are the artifacts of foundry-zksync (`zkout`) and of hardhat (`artifacts-zk`).

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use eradbg_vm::U256;
use eradbg_vm::bytecode::hash_bytecode;
use rayon::prelude::*;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::error::Category;

use crate::error::{Error, Result};
use crate::symbols::abi::Abi;
use crate::symbols::build_info::{Layouts, add_layouts};
use crate::symbols::layout::Layout;

/// The folder that compilers keep beside artifacts, with the input and output of whole runs.
const BUILD_INFO: &str = "build-info";
/// A folder in which others keep theirs.
const OF_OTHERS: &str = "node_modules";
/// Broken artifacts that are named.
const SHOWN_PROBLEMS: usize = 5;
/// Folders in each other that are looked into.
const MOST_LEVELS: usize = 32;

/// A contract that a compiler wrote about.
#[derive(Debug, Clone)]
pub struct Contract {
    /// Its name.
    pub name: String,
    /// The file that tells of it.
    pub file: PathBuf,
    /// The hash of its code; `None` for interfaces and abstract contracts, which have none.
    pub hash: Option<U256>,
    /// Its functions, events and errors.
    pub abi: Abi,
    /// Its variables.
    pub layout: Layout,
}

/// Contracts that compilers wrote about.
#[derive(Debug, Clone, Default)]
pub struct Artifacts {
    /// All of them, by file.
    contracts: Vec<Arc<Contract>>,
    /// By the hash of the code: several where it is the same.
    by_hash: HashMap<U256, Vec<Arc<Contract>>>,
    problems: Vec<Problem>,
}

/// An artifact that is of no use, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// What is wrong, and where.
    pub why: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file.display(), self.why)
    }
}

impl Artifacts {
    /// Reads all artifacts in folders, or single ones. One that is broken is among the problems and does not keep the
    /// others from being read.
    ///
    /// # Errors
    /// When a path does not exist or cannot be read.
    pub fn read(paths: &[PathBuf]) -> Result<Self> {
        let mut files = Files::default();
        for path in paths {
            files.find(path, 0)?;
        }
        let [files, runs] = [files.artifacts, files.runs].map(|mut files| {
            files.sort();
            files.dedup();
            files
        });
        let read = files.par_iter().map(|file| (file, read(file)));
        let mut artifacts = Self::default();
        let mut contracts = Vec::new();
        for (file, outcome) in read.collect::<Vec<_>>() {
            let problem = |why| Problem {
                file: file.clone(),
                why,
            };
            match outcome {
                Ok(None) => {}
                Ok(Some(mut read)) => {
                    artifacts.problems.extend(read.unknown.take().map(problem));
                    contracts.push(read);
                }
                Err(why) => artifacts.problems.push(problem(why)),
            }
        }
        if contracts.iter().any(|read| read.has_layout_elsewhere) {
            artifacts.take_layouts(&runs, &mut contracts);
        }
        for Read { contract, .. } in contracts {
            artifacts.add(contract);
        }
        Ok(artifacts)
    }

    /// Gives contracts the layouts that files about whole runs of the compiler have of them.
    fn take_layouts(&mut self, runs: &[PathBuf], contracts: &mut [Read]) {
        let mut layouts = Layouts::new();
        for file in runs {
            let added = add_layouts(file, &mut layouts);
            self.problems.extend(added.err().map(|why| Problem {
                file: file.clone(),
                why,
            }));
        }
        for Read { contract, .. } in contracts.iter_mut().filter(|read| read.has_layout_elsewhere) {
            let layout = contract
                .hash
                .and_then(|hash| layouts.get(&(contract.name.clone(), hash)));
            contract.layout = layout.cloned().unwrap_or_default();
        }
    }

    fn add(&mut self, contract: Contract) {
        let contract = Arc::new(contract);
        if let Some(hash) = contract.hash {
            self.by_hash.entry(hash).or_default().push(Arc::clone(&contract));
        }
        self.contracts.push(contract);
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.contracts.is_empty()
    }

    /// All of them, by file.
    pub fn contracts(&self) -> &[Arc<Contract>] {
        &self.contracts
    }

    /// Whether some of them tell where their variables stand.
    pub fn have_layouts(&self) -> bool {
        self.contracts.iter().any(|contract| !contract.layout.is_empty())
    }

    /// The contract whose code has a hash; the first by file where there are several.
    pub fn of_code(&self, hash: U256) -> Option<&Arc<Contract>> {
        self.by_hash.get(&hash)?.first()
    }

    /// What could not be read.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// What a user should know about them: which are broken, and that none has code.
    pub fn notes_on_files(&self) -> Vec<String> {
        let shown = self.problems.iter().take(SHOWN_PROBLEMS);
        let mut notes: Vec<_> = shown.map(|problem| format!("not used: {problem}")).collect();
        if let more @ 1.. = self.problems.len().saturating_sub(SHOWN_PROBLEMS) {
            notes.push(format!("{more} more artifacts are not used, or not all of them"));
        }
        if self.by_hash.is_empty() {
            notes.push(
                "no artifact has EraVM code: name a folder such as zkout (foundry) or artifacts-zk (hardhat)"
                    .to_owned(),
            );
        }
        notes
    }

    /// What a user should know who uses them for a recording with this code: the same, code that has two names, and that
    /// nothing fits.
    pub fn notes(&self, code: &[U256]) -> Vec<String> {
        let mut notes = self.notes_on_files();
        let matched: Vec<_> = code.iter().filter_map(|hash| self.by_hash.get(hash)).collect();
        for same in &matched {
            let (first, others) = same.split_first().expect("a hash is listed with a contract");
            for other in others.iter().filter(|other| other.name != first.name) {
                notes.push(format!(
                    "{} and {} are the same code: it is called {} here",
                    first.file.display(),
                    other.file.display(),
                    first.name,
                ));
            }
        }
        if matched.is_empty() && !self.by_hash.is_empty() {
            notes.push(format!(
                "none of the {} contracts is in this recording, which has {} codes: were they compiled with the same \
                 compiler and settings?",
                self.by_hash.len(),
                code.len(),
            ));
        }
        notes
    }
}

/// Files in folders.
#[derive(Default)]
struct Files {
    /// Those that may be artifacts.
    artifacts: Vec<PathBuf>,
    /// Those about whole runs of the compiler.
    runs: Vec<PathBuf>,
}

impl Files {
    fn find(&mut self, path: &Path, level: usize) -> Result<()> {
        let refused = |error| Error::Io {
            path: path.to_owned(),
            error,
        };
        if !std::fs::metadata(path).map_err(refused)?.is_dir() {
            self.artifacts.push(path.to_owned());
            return Ok(());
        }
        let is_of_runs = path.ends_with(BUILD_INFO);
        for entry in std::fs::read_dir(path).map_err(refused)? {
            let entry = entry.map_err(refused)?;
            let (kind, path) = (entry.file_type().map_err(refused)?, entry.path());
            // Links are not followed into folders: they may lead back.
            if kind.is_dir() {
                if !is_of_runs && entry.file_name() != OF_OTHERS && level < MOST_LEVELS {
                    self.find(&path, level + 1)?;
                }
            } else if path.extension().is_some_and(|ending| ending == "json") {
                let files = if is_of_runs {
                    &mut self.runs
                } else {
                    &mut self.artifacts
                };
                files.push(path);
            }
        }
        Ok(())
    }
}

/// An artifact as it was read.
struct Read {
    contract: Contract,
    /// What of it is of no use.
    unknown: Option<String>,
    /// Whether it is of hardhat, which keeps layouts with the runs of the compiler.
    has_layout_elsewhere: bool,
}

/// What tells an artifact from other JSON.
#[derive(Deserialize)]
struct Shape {
    abi: Option<IgnoredAny>,
    bytecode: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Artifact {
    abi: Vec<Value>,
    bytecode: Bytecode,
    /// Of hardhat; foundry calls the file so.
    contract_name: Option<String>,
    /// Of foundry, when it is told to write it.
    storage_layout: Option<Layout>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "neither a string nor an object with a string `object`")]
enum Bytecode {
    /// Of hardhat.
    Text(String),
    /// Of foundry.
    Object { object: String },
}

/// Reads an artifact; `None` for JSON of another kind.
fn read(file: &Path) -> std::result::Result<Option<Read>, String> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    match serde_json::from_str::<Shape>(&text) {
        Ok(Shape {
            abi: Some(_),
            bytecode: Some(_),
        }) => {}
        Err(error) if error.classify() != Category::Data => return Err(format!("no JSON: {error}")),
        _ => return Ok(None),
    }
    let mut reader = serde_json::Deserializer::from_str(&text);
    let artifact: Artifact = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        format!("{path}: {}", error.into_inner())
    })?;
    let (Bytecode::Text(code) | Bytecode::Object { object: code }) = artifact.bytecode;
    let is_of_hardhat = artifact.contract_name.is_some();
    let has_layout = artifact.storage_layout.is_some();
    let name = artifact
        .contract_name
        .or_else(|| Some(file.file_stem()?.to_string_lossy().into_owned()));
    let (abi, unknown) = Abi::read(artifact.abi);
    let contract = Contract {
        name: name.unwrap_or_default(),
        file: file.to_owned(),
        hash: code_hash(&code)?,
        abi,
        layout: artifact.storage_layout.unwrap_or_default(),
    };
    Ok(Some(Read {
        has_layout_elsewhere: is_of_hardhat && !has_layout && contract.hash.is_some(),
        contract,
        unknown,
    }))
}

/// The hash of code in hex; `None` when there is none.
pub(super) fn code_hash(code: &str) -> std::result::Result<Option<U256>, String> {
    let digits = code.trim_start_matches("0x");
    if digits.is_empty() {
        return Ok(None);
    }
    let code = hex::decode(digits)
        .map_err(|error| format!("bytecode: {error} (is it linked with its libraries?)"))?;
    match hash_bytecode(&code) {
        Ok(hash) => Ok(Some(hash)),
        Err(error) => Err(format!("bytecode: {error} (was it compiled for EraVM?)")),
    }
}
