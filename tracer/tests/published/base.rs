//! Systems put together of published bootloaders and contracts: a folder for the `base` of a scenario.
//!
//! `ERADBG_BOOTLOADERS` names a folder laid out as `etc/multivm_bootloaders` of `matter-labs/zksync-era`.
//! `ERADBG_SYSTEM_CONTRACTS` names a folder with the compiled contracts of a version in each of `v24`, `v25` and so on,
//! in any layout: `matter-labs/anvil-zksync` has them in `crates/core/src/deps/contracts`, for versions before 26 in
//! `src/deps/contracts` of older commits. Without it contracts are taken from the reference vectors, as far as these
//! have some that fit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use eradbg_fixtures::Assembler;
use eradbg_fixtures::abi::{Forward, ret_abi, slice};
use eradbg_vm::Opcode;
use eradbg_vm::bytecode::words_to_bytes;
use eradbg_vm::protocol::{Interop, ProtocolVersion, PubdataFormat};
use serde_json::{Value, json};

use crate::real_base;

/// Who takes the pubdata at the end of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Messenger {
    /// The real `L1Messenger`.
    Real,
    /// A contract that accepts everything, where no compiled `L1Messenger` of the version is at hand.
    Anything,
}

/// The folder of a version's bootloader.
fn release(version: ProtocolVersion) -> &'static str {
    match version.number() {
        24 => "vm_1_5_0_increased_memory",
        25 => "vm_protocol_defense",
        26 => "vm_gateway",
        27 => "vm_evm_emulator",
        28 => "vm_precompiles",
        29 | 30 => "vm_interop",
        _ => "vm_medium_interop",
    }
}

/// The code of a version's bootloader for batches; `None`, and a line that says so, where there is none.
pub(crate) fn bootloader(version: ProtocolVersion) -> Option<Vec<u8>> {
    bootloader_for(version, "proved_batch")
}

/// The code of a version's bootloader for something else.
pub(crate) fn bootloader_for(version: ProtocolVersion, purpose: &str) -> Option<Vec<u8>> {
    let Some(root) = std::env::var_os("ERADBG_BOOTLOADERS") else {
        eprintln!("NOT RUN on {version}: ERADBG_BOOTLOADERS does not say where published bootloaders are");
        return None;
    };
    let folder = PathBuf::from(root)
        .join(release(version))
        .join(format!("{purpose}.yul"));
    let names = ["Bootloader.zbin".to_owned(), format!("{purpose}.yul.zbin")];
    let found = names
        .iter()
        .find_map(|name| std::fs::read(folder.join(name)).ok());
    if found.is_none() {
        eprintln!(
            "NOT RUN on {version}: {} has none of {}",
            folder.display(),
            names.join(", ")
        );
    }
    found
}

/// Puts a version's bootloader and contracts into `folder`; `None`, and a line that says so, where some are missing.
pub(crate) fn write(folder: &Path, version: ProtocolVersion) -> Option<Messenger> {
    let bootloader = bootloader(version)?;
    let root = std::env::var_os("ERADBG_SYSTEM_CONTRACTS").map(PathBuf::from);
    // Contracts of version 29 do what the bootloaders after it ask of them, but for taking the pubdata.
    let number = version.number().min(29);
    let compiled = root.map(|root| root.join(format!("v{number}")));
    if let Some(compiled) = compiled.filter(|compiled| compiled.is_dir()) {
        copy(&compiled, folder);
    } else if number < 26 {
        eprintln!("NOT RUN on {version}: ERADBG_SYSTEM_CONTRACTS has no folder v{number}");
        return None;
    } else {
        // No vector has version 27, and those of 26 and 28 do not have all contracts that need not be called.
        let versions = [29, if number == 27 { 28 } else { number }];
        if !versions
            .into_iter()
            .all(|version| real_base::write(folder, version))
        {
            return None;
        }
        let _ = std::fs::remove_dir_all(folder.join("proved_batch.yul"));
    }
    put(folder, "proved_batch.yul/Bootloader.json", &bootloader);
    let roots = "L2InteropRootStorage";
    if version.protocol().interop != Interop::None && !folder.join(format!("{roots}.sol")).is_dir() {
        // No vector calls it.
        replace(folder, roots, &anything());
    }
    let selector = match version.protocol().pubdata {
        PubdataFormat::Plain => [0x62, 0x8b, 0x63, 0x6e],
        PubdataFormat::DaValidator => [0x86, 0xb7, 0xf8, 0x56],
        PubdataFormat::CommitmentScheme => [0x3b, 0xf3, 0x38, 0x6b],
    };
    if contract(folder, "L1Messenger")
        .windows(4)
        .any(|bytes| bytes == selector)
    {
        return Some(Messenger::Real);
    }
    replace(folder, "L1Messenger", &anything());
    Some(Messenger::Anything)
}

/// The code of a contract in a folder.
pub(crate) fn contract(folder: &Path, name: &str) -> Vec<u8> {
    artifact(&folder.join(format!("{name}.sol/{name}.json")))
}

/// Puts other code in a contract's place.
pub(crate) fn replace(folder: &Path, name: &str, code: &[u8]) {
    put(folder, &format!("{name}.sol/{name}.json"), code);
}

fn artifact(path: &Path) -> Vec<u8> {
    let json: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let text = json["bytecode"]["object"].as_str().or(json["bytecode"].as_str());
    let text = text.expect("an artifact has bytecode");
    hex::decode(text.trim_start_matches("0x")).unwrap()
}

fn put(folder: &Path, place: &str, code: &[u8]) {
    let path = folder.join(place);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let artifact = json!({"bytecode": {"object": hex::encode(code)}});
    std::fs::write(path, artifact.to_string()).unwrap();
}

/// Copies artifacts from anywhere below a folder to where a base has them, bootloaders apart.
fn copy(from: &Path, folder: &Path) {
    let mut files = BTreeMap::new();
    let mut folders = vec![from.to_owned()];
    while let Some(below) = folders.pop() {
        for entry in std::fs::read_dir(below).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path.file_name().unwrap().to_str().unwrap().to_owned(), path);
            }
        }
    }
    for (name, path) in files {
        if let Some(name) = name.strip_suffix(".yul.zbin") {
            put(
                folder,
                &format!("{name}.yul/{name}.json"),
                &std::fs::read(path).unwrap(),
            );
        } else if let Some(name) = name.strip_suffix(".json") {
            let language = if path.parent().unwrap().ends_with(format!("{name}.yul")) {
                "yul"
            } else {
                "sol"
            };
            put(
                folder,
                &format!("{name}.{language}/{name}.json"),
                &artifact(&path),
            );
        }
    }
    let _ = std::fs::remove_dir_all(folder.join("proved_batch.yul"));
    let _ = std::fs::remove_dir_all(folder.join("Bootloader.sol"));
}

/// Code that returns one word to whoever calls.
pub(crate) fn anything() -> Vec<u8> {
    let mut a = Assembler::new();
    a.load(1, ret_abi(Forward::Heap, slice(0, 32)));
    a.ret(Opcode::RetOk, 1);
    words_to_bytes(&a.words())
}
