//! The system that a scenario's batch runs on: bootloader, default account, system contracts. Either eradbg's own, or
//! those in a folder of compiled artifacts.

use std::path::{Path, PathBuf};

use eradbg_fixtures::embedded::{self, Embedded};
use primitive_types::H160;

use super::code::Code;
use crate::source::error::InputError;

/// Code that is there before any contract of the scenario.
#[derive(Debug)]
pub(super) struct Base {
    pub(super) bootloader: Code,
    pub(super) default_account: Code,
    pub(super) evm_emulator: Option<Code>,
    pub(super) contracts: Vec<(H160, Code)>,
}

/// Whether a batch can do without a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Always,
    Sometimes,
}

const BOOTLOADER: &[&str] = &["proved_batch", "Bootloader"];
const DEFAULT_ACCOUNT: &str = "DefaultAccount";
const EVM_EMULATOR: &str = "EvmEmulator";

/// System contracts by address, as `matter-labs/zksync-era` deploys them at genesis
/// (`core/lib/types/src/system_contracts.rs`); names from which version on differ are separated by a bar.
const CONTRACTS: &[(u64, &str, Need)] = {
    use Need::{Always, Sometimes};
    &[
        (0x0000, "EmptyContract", Sometimes),
        (0x0001, "Ecrecover", Always),
        (0x0002, "SHA256", Always),
        (0x0004, "Identity", Sometimes),
        (0x0005, "Modexp", Sometimes),
        (0x0006, "EcAdd", Sometimes),
        (0x0007, "EcMul", Sometimes),
        (0x0008, "EcPairing", Sometimes),
        (0x0100, "P256Verify", Sometimes),
        (0x8001, "EmptyContract", Always),
        (0x8002, "AccountCodeStorage", Always),
        (0x8003, "NonceHolder", Always),
        (0x8004, "KnownCodesStorage", Always),
        (0x8005, "ImmutableSimulator", Sometimes),
        (0x8006, "ContractDeployer", Always),
        (0x8008, "L1Messenger", Always),
        (0x8009, "MsgValueSimulator", Always),
        (0x800a, "L2BaseToken|L2BaseTokenEra", Always),
        (0x800b, "SystemContext", Always),
        (0x800c, "BootloaderUtilities", Always),
        (0x800d, "EventWriter", Always),
        (0x800e, "Compressor", Always),
        (0x800f, "ComplexUpgrader|L2ComplexUpgrader", Sometimes),
        (0x8010, "Keccak256", Always),
        (0x8011, "PubdataChunkPublisher", Sometimes),
        (0x8012, "CodeOracle", Sometimes),
        (0x8013, "EvmGasManager", Sometimes),
        (0x8014, "EvmPredeploysManager", Sometimes),
        (0x8015, "EvmHashesStorage", Sometimes),
        (0x1_0000, "Create2Factory", Sometimes),
        (0x1_0001, "L2GenesisUpgrade", Sometimes),
        (0x1_0002, "Bridgehub|L2Bridgehub", Sometimes),
        (0x1_0003, "L2AssetRouter", Sometimes),
        (0x1_0004, "L2NativeTokenVault", Sometimes),
        (0x1_0005, "MessageRoot|L2MessageRoot", Sometimes),
        (0x1_0006, "SloadContract", Sometimes),
        (0x1_0007, "L2WrappedBaseToken", Sometimes),
        (0x1_0008, "L2InteropRootStorage", Sometimes),
        (0x1_0009, "L2MessageVerification", Sometimes),
        (0x1_000a, "ChainAssetHandler|L2ChainAssetHandler", Sometimes),
        (0x1_000b, "UpgradeableBeaconDeployer", Sometimes),
    ]
};

impl Base {
    /// The system that eradbg brings along.
    pub(super) fn own() -> Result<Self, InputError> {
        let contracts = embedded::SYSTEM.iter().map(|(address, source)| {
            let address = H160::from_low_u64_be((*address).into());
            Ok((address, assemble(source)?))
        });
        Ok(Self {
            bootloader: assemble(&embedded::BOOTLOADER)?,
            default_account: assemble(&embedded::DEFAULT_ACCOUNT)?,
            evm_emulator: None,
            contracts: contracts.collect::<Result<_, _>>()?,
        })
    }

    /// The system in a folder that foundry-zksync wrote (`zkout` of era-contracts' `system-contracts`).
    ///
    /// # Errors
    /// When a contract that every batch needs is not there, as `missing` words it, or an artifact is bad.
    pub(super) fn load(folder: &Path, missing: impl Fn(String) -> InputError) -> Result<Self, InputError> {
        if !folder.is_dir() {
            return Err(missing(format!(
                "{} is no folder, expected compiled system contracts (zkout of era-contracts)",
                folder.display()
            )));
        }
        let needed = |found: Option<Code>, name: &str| {
            found.ok_or_else(|| {
                missing(format!(
                    "{name} is not in {}, expected one of {}",
                    folder.display(),
                    expected_places(name)
                ))
            })
        };
        let mut contracts = Vec::new();
        for &(address, names, need) in CONTRACTS {
            let names: Vec<&str> = names.split('|').collect();
            let found = find(folder, &names)?;
            let found = match need {
                Need::Always => Some(needed(found, names[0])?),
                Need::Sometimes => found,
            };
            contracts.extend(found.map(|code| (H160::from_low_u64_be(address), code)));
        }
        Ok(Self {
            bootloader: needed(find(folder, BOOTLOADER)?, BOOTLOADER[0])?,
            default_account: needed(find(folder, &[DEFAULT_ACCOUNT])?, DEFAULT_ACCOUNT)?,
            evm_emulator: find(folder, &[EVM_EMULATOR])?,
            contracts,
        })
    }
}

/// Assembles a text that eradbg brings along.
pub(super) fn assemble(source: &Embedded) -> Result<Code, InputError> {
    Code::assemble(Path::new(source.file), source.file, source.text)
}

/// Looks for a contract by its names.
fn find(folder: &Path, names: &[&str]) -> Result<Option<Code>, InputError> {
    let mut places = names.iter().flat_map(|name| places(name));
    let found = places
        .by_ref()
        .map(|place| folder.join(place))
        .find(|path| path.is_file());
    found
        .map(|path| {
            if path.extension().is_some_and(|ending| ending == "zbin") {
                Code::from_zbin(&path)
            } else {
                Code::from_artifact_alone(&path)
            }
        })
        .transpose()
}

/// Where the artifact of a contract may be, below the folder. Compilers have put Yul contracts into several places.
fn places(name: &str) -> Vec<PathBuf> {
    let yul = ["", "precompiles/", "bootloader/"];
    let mut places = vec![
        format!("{name}.sol/{name}.json"),
        format!("{name}.yul/{name}.json"),
        format!("{name}.yul/Bootloader.json"),
        format!("{name}.yul/Bootloader.zbin"),
        format!("{name}.yul/{name}.yul.zbin"),
        format!("{name}.yul.zbin"),
    ];
    places.extend(
        yul.iter()
            .map(|folder| format!("{name}.yul/contracts-preprocessed/{folder}{name}.yul.json")),
    );
    places.extend(
        yul[1..]
            .iter()
            .map(|folder| format!("{folder}{name}.yul/{name}.json")),
    );
    places.into_iter().map(PathBuf::from).collect()
}

fn expected_places(name: &str) -> String {
    let shown = places(name);
    let shown: Vec<String> = shown.iter().map(|place| place.display().to_string()).collect();
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(folder: &Path, place: &str, byte: u8) {
        let path = folder.join(place);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let artifact = format!("{{ \"bytecode\": \"0x{}\" }}", hex::encode([byte; 32]));
        std::fs::write(path, artifact).unwrap();
    }

    #[test]
    fn contracts_are_found_in_all_layouts_and_optional_ones_may_be_absent() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        for (index, (_, name, need)) in CONTRACTS.iter().enumerate() {
            if *need == Need::Always {
                let name = name.split('|').next_back().unwrap();
                put(folder, &format!("{name}.sol/{name}.json"), index as u8);
            }
        }
        put(folder, "DefaultAccount.sol/DefaultAccount.json", 100);
        let load = || {
            Base::load(folder, |problem| InputError::Inconsistent {
                file: folder.to_owned(),
                at: "base".to_owned(),
                problem,
            })
        };
        let error = load().unwrap_err().to_string();
        assert!(
            error.contains("proved_batch is not in ") && error.contains("proved_batch.yul/Bootloader.json"),
            "{error}"
        );
        for place in [
            "proved_batch.yul/Bootloader.json",
            "proved_batch.yul/contracts-preprocessed/bootloader/proved_batch.yul.json",
        ] {
            put(folder, place, 101);
            let base = load().unwrap();
            assert_eq!(base.bootloader.bytes, [101; 32]);
            assert_eq!(base.default_account.bytes, [100; 32]);
            assert!(base.evm_emulator.is_none());
            let needed = CONTRACTS.iter().filter(|(_, _, need)| *need == Need::Always);
            // The empty contract stands at the zero address too.
            assert_eq!(base.contracts.len(), needed.count() + 1);
            std::fs::remove_file(folder.join(place)).unwrap();
        }
    }
}
