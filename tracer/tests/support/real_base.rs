//! A folder of compiled system contracts, put together from the reference vectors: what each of their dumps holds of the
//! real bootloaders and contracts of a protocol version.

#![allow(
    clippy::unwrap_used,
    reason = "a failure here is a failure of the test or benchmark"
)]

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use eradbg_tracer::source;
use eradbg_vm::U256;
use eradbg_vm::batch::ExecutionMode;
use eradbg_vm::bytecode::words_to_bytes;
use eradbg_vm::pubdata::state_diff::derived_key;
use eradbg_vm::storage::ACCOUNT_CODE_STORAGE;
use serde_json::json;

/// Contracts by address, named as their artifacts are. Their order is that of the addresses.
const CONTRACTS: &[(u64, &str)] = &[
    (0x0001, "Ecrecover.yul/Ecrecover"),
    (0x0002, "SHA256.yul/SHA256"),
    (0x0004, "Identity.yul/Identity"),
    (0x0006, "EcAdd.yul/EcAdd"),
    (0x0007, "EcMul.yul/EcMul"),
    (0x0008, "EcPairing.yul/EcPairing"),
    (0x0100, "P256Verify.yul/P256Verify"),
    (0x8001, "EmptyContract.sol/EmptyContract"),
    (0x8002, "AccountCodeStorage.sol/AccountCodeStorage"),
    (0x8003, "NonceHolder.sol/NonceHolder"),
    (0x8004, "KnownCodesStorage.sol/KnownCodesStorage"),
    (0x8005, "ImmutableSimulator.sol/ImmutableSimulator"),
    (0x8006, "ContractDeployer.sol/ContractDeployer"),
    (0x8008, "L1Messenger.sol/L1Messenger"),
    (0x8009, "MsgValueSimulator.sol/MsgValueSimulator"),
    (0x800a, "L2BaseToken.sol/L2BaseToken"),
    (0x800b, "SystemContext.sol/SystemContext"),
    (0x800c, "BootloaderUtilities.sol/BootloaderUtilities"),
    (0x800d, "EventWriter.yul/EventWriter"),
    (0x800e, "Compressor.sol/Compressor"),
    (0x8010, "Keccak256.yul/Keccak256"),
    (0x8012, "CodeOracle.yul/CodeOracle"),
    (0x8013, "EvmGasManager.yul/EvmGasManager"),
    (0x8015, "EvmHashesStorage.sol/EvmHashesStorage"),
    (0x1_0005, "L2MessageRoot.sol/L2MessageRoot"),
];

/// Writes the artifacts of a version into `folder`; `false`, and a line that says so, where there are no vectors.
pub(crate) fn write(folder: &Path, version: u16) -> bool {
    let root = std::env::var_os("ERADBG_VECTORS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors")),
        PathBuf::from,
    );
    let Ok(entries) = std::fs::read_dir(&root) else {
        println!("NOT RUN: no vectors at {}", root.display());
        return false;
    };
    let dumps = entries.flat_map(|entry| {
        let folder = entry.unwrap().path();
        ["dump.json", "dump.json.gz"].map(|name| folder.join(name))
    });
    let mut found = BTreeMap::new();
    for dump in dumps.filter(|path| path.is_file()) {
        collect(&dump, version, &mut found);
    }
    for (name, code) in &found {
        let path = folder.join(format!("{name}.json"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let artifact = json!({"bytecode": {"object": hex::encode(code)}});
        std::fs::write(path, artifact.to_string()).unwrap();
    }
    true
}

/// Adds what a dump of the version has.
fn collect(dump: &Path, version: u16, found: &mut BTreeMap<&'static str, Vec<u8>>) {
    let input = source::load(dump, None).unwrap().input;
    if input.system.version.number() != version {
        return;
    }
    // Simulations have a bootloader of their own. Batches with high numbers are those of a chain, compiled by others.
    let mode = input.system.execution_mode;
    let bootloader = match mode {
        ExecutionMode::VerifyExecute => "proved_batch.yul/Bootloader",
        ExecutionMode::EstimateFee => "fee_estimate.yul/Bootloader",
        ExecutionMode::EthCall => "playground_batch.yul/Bootloader",
    };
    let is_ours = input.batch.number == 1;
    let system = &input.system;
    let codes = [
        (
            bootloader,
            Some(&system.bootloader),
            is_ours || mode != ExecutionMode::VerifyExecute,
        ),
        (
            "DefaultAccount.sol/DefaultAccount",
            Some(&system.default_account),
            is_ours,
        ),
        (
            "EvmEmulator.yul/EvmEmulator",
            system.evm_emulator.as_ref(),
            is_ours,
        ),
    ];
    for (name, code, is_taken) in codes {
        if let Some(code) = code.filter(|_| is_taken) {
            found.insert(name, words_to_bytes(&code.words));
        }
    }
    let codes: &HashMap<U256, Vec<u8>> = &input.storage.factory_deps;
    for &(address, name) in CONTRACTS {
        let slot = derived_key(ACCOUNT_CODE_STORAGE, address.into());
        let hash = input.storage.slots.get(&slot).copied().flatten();
        if let Some(code) = hash.and_then(|(hash, _)| codes.get(&hash)) {
            found.insert(name, code.clone());
        }
    }
}
