//! Inputs of a recording: files that hold a batch, read into a [`BatchInput`], and files that say how to run it.

pub mod assembly;
mod error;
mod file;
pub mod run;
pub mod scenario;
mod vm_dump;
mod wire;

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use eradbg_vm::batch::BatchInput;
use sha2::{Digest, Sha256};

use crate::chain::Contents;
use crate::listing::Listing;

pub use self::error::InputError;
use self::run::RunConfig;
use self::scenario::Expectation;

/// The most bytes that an input may have, unpacked.
const SIZE_LIMIT: u64 = 4 << 30;

/// Name of files whose folder says what is in them.
const GENERIC_NAME: &str = "dump";

/// A batch and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The file's name without folder and endings; that of the folder when the file is just a `dump`: `x` for
    /// `x/dump.json.gz`.
    pub name: String,
    /// What kind of file it is.
    pub kind: InputKind,
    /// Size of the file, in bytes, as it lies on disk.
    pub size_bytes: u64,
    /// SHA-256 of the file, as it lies on disk.
    pub sha256: [u8; 32],
    /// The batch.
    pub input: BatchInput,
    /// What the operator does besides running one transaction after the other.
    pub script: Script,
    /// Assembly of contracts in the batch.
    pub listings: Vec<Listing>,
    /// How the file asks to be driven, when the user does not say it.
    pub run: RunConfig,
    /// What the chain has before the batch, so that the batch can be committed to it. A VM dump has only the slots that its
    /// transactions need, so this is `None`.
    pub start: Option<Contents>,
    /// What is expected of each transaction, in their order; empty when the file cannot say.
    pub expectations: Vec<Expectation>,
}

/// What the operator of a scenario does besides running one transaction after the other. A VM dump asks for nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Script {
    /// Whether the hash of the block before is to be computed when an L2 block starts, since the input cannot know which
    /// transactions will be rejected.
    pub links_blocks: bool,
    /// Transactions, counted in the batch, before which a snapshot is taken that holds until it is rolled back or
    /// released, in place of those for each transaction.
    pub snapshots: BTreeSet<usize>,
    /// Transactions after which everything since the snapshot is taken back.
    pub rollbacks: BTreeSet<usize>,
    /// Transactions after which the snapshot that was held is released.
    pub releases: BTreeSet<usize>,
}

/// The kinds of files that hold a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputKind {
    /// A `VmDump` of zksync-era as JSON, plain or gzipped.
    VmDump,
    /// A scenario in RON.
    Scenario,
}

impl fmt::Display for InputKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::VmDump => "VM dump",
            Self::Scenario => "scenario",
        })
    }
}

/// Reads a batch from a file: a scenario when its name ends in `.ron`, else a VM dump. A scenario may continue a chain
/// that has `before`.
///
/// # Errors
///
/// The file cannot be read, or is not a complete and consistent VM dump of a supported protocol version, or scenario. The
/// error names the file, the place in it, and what was expected there. A VM dump brings its own state, and cannot have
/// another one; a scenario must fit the one that it continues.
pub fn load(path: &Path, before: Option<&Contents>) -> Result<Loaded, InputError> {
    if path.extension().is_some_and(|ending| ending == "ron") {
        let bytes = file::read(path, scenario::EXPECTED, SIZE_LIMIT)?;
        let before = before.cloned().unwrap_or_default();
        return scenario::load(path, path.parent(), &name_of(path), &bytes, before);
    }
    if before.is_some() {
        return Err(InputError::OwnState {
            file: path.to_owned(),
        });
    }
    let bytes = file::read(path, vm_dump::EXPECTED, SIZE_LIMIT)?;
    let json = file::unpack(path, &bytes, SIZE_LIMIT)?;
    let input = vm_dump::parse(path, &json)?;
    Ok(Loaded {
        name: name_of(path),
        kind: InputKind::VmDump,
        size_bytes: bytes.len() as u64,
        sha256: Sha256::digest(&bytes).into(),
        input,
        script: Script::default(),
        listings: Vec::new(),
        run: RunConfig::default(),
        start: None,
        expectations: Vec::new(),
    })
}

fn name_of(path: &Path) -> String {
    let unpacked = if path.extension().is_some_and(|ending| ending == "gz") {
        path.with_extension("")
    } else {
        path.to_owned()
    };
    let own = unpacked.file_stem().unwrap_or_default();
    let folder = path.parent().and_then(Path::file_name);
    let name = match folder {
        Some(folder) if own == GENERIC_NAME => folder,
        _ => own,
    };
    name.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vm_dump_continues_no_chain() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dump.json");
        std::fs::write(&path, "{}").unwrap();
        let error = load(&path, Some(&Contents::default())).unwrap_err().to_string();
        assert!(
            error.ends_with(
                "dump.json: a VM dump brings its own state, expected a scenario (.ron) to continue a chain"
            ),
            "{error}"
        );
    }

    #[test]
    fn names_have_no_endings_and_a_dump_has_that_of_its_folder() {
        for (path, name) in [
            ("a/batch.json", "batch"),
            ("a/mixed_batch_a/dump.json.gz", "mixed_batch_a"),
            ("batch.v29/dump.json", "batch.v29"),
            ("dump.json.gz", "dump"),
            ("../dump.json", "dump"),
            ("/dump.json", "dump"),
            ("batch.v29.json", "batch.v29"),
            ("plain", "plain"),
            (".gz", ".gz"),
        ] {
            assert_eq!(name_of(Path::new(path)), name);
        }
    }
}
