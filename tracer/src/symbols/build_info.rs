//! What hardhat keeps of whole runs of the compiler, beside its artifacts: storage layouts, which the artifacts lack.
//!
//! Source: the build info of `NomicFoundation/hardhat`, which `matter-labs/hardhat-zksync` writes too.

use std::collections::HashMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use eradbg_vm::U256;
use serde::Deserialize;

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
    storage_layout: Option<Layout>,
    evm: Option<Evm>,
}

#[derive(Deserialize)]
struct Evm {
    bytecode: Option<Bytecode>,
}

#[derive(Deserialize)]
struct Bytecode {
    object: Option<String>,
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
        let code = compiled.evm.and_then(|evm| evm.bytecode?.object);
        // What is not linked yet, or compiled for another machine, has no artifact that is of use either.
        let hash = code.and_then(|code| code_hash(&code).ok().flatten());
        if let (Some(layout), Some(hash)) = (compiled.storage_layout, hash) {
            layouts.insert((name, hash), layout);
        }
    }
    Ok(())
}
