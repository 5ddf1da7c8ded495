//! What hardhat keeps of whole runs of the compiler, beside its artifacts: storage layouts, which the artifacts lack.
//!
//! Source: the build info of `NomicFoundation/hardhat`, which `matter-labs/hardhat-zksync` writes too.

use std::collections::HashMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use eradbg_vm::U256;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::symbols::artifacts::code_hash;
use crate::symbols::layout::Layout;

/// Layouts by the names of the contracts and the hashes of their code.
pub(super) type Layouts = HashMap<(String, U256), Layout>;

#[derive(Deserialize)]
struct BuildInfo {
    /// Foundry writes files without.
    output: Option<Output>,
}

#[derive(Deserialize)]
struct Output {
    /// By source file and name.
    #[serde(default)]
    contracts: HashMap<String, HashMap<String, Compiled>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Compiled {
    #[serde(default)]
    storage_layout: Usable<Layout>,
    #[serde(default)]
    evm: Usable<Evm>,
}

/// What one contract has may be of no use without keeping that of the others from being read.
#[derive(Deserialize)]
#[serde(untagged)]
enum Usable<T> {
    Yes(T),
    No(IgnoredAny),
}

impl<T> Default for Usable<T> {
    fn default() -> Self {
        Self::No(IgnoredAny)
    }
}

#[derive(Deserialize)]
struct Evm {
    bytecode: Bytecode,
}

#[derive(Deserialize)]
struct Bytecode {
    object: String,
}

/// Adds the layouts that a file has of contracts with code.
///
/// # Errors
/// When the file cannot be read, or is no build info: what is wrong, and where.
pub(super) fn add_layouts(file: &Path, layouts: &mut Layouts) -> Result<(), String> {
    let opened = File::open(file).map_err(|error| error.to_string())?;
    let mut reader = serde_json::Deserializer::from_reader(BufReader::new(opened));
    let info: BuildInfo = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| format!("{}: {}", error.path(), error.inner()))?;
    let contracts = info.output.map(|output| output.contracts).unwrap_or_default();
    for (name, compiled) in contracts.into_values().flatten() {
        let (Usable::Yes(layout), Usable::Yes(evm)) = (compiled.storage_layout, compiled.evm) else {
            continue;
        };
        // What is not linked yet, or compiled for another machine, has no artifact that is of use either.
        if let Ok(Some(hash)) = code_hash(&evm.bytecode.object) {
            layouts.insert((name, hash), layout);
        }
    }
    Ok(())
}
