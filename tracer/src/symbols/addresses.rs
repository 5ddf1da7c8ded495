//! Addresses of system contracts and precompiles.
//!
//! Source: `matter-labs/zksync-era` `core/lib/constants/src/contracts.rs`, `matter-labs/era-contracts`
//! `system-contracts/contracts/Constants.sol`.

/// Names by address, in order.
pub(super) const NAMES: &[(u32, &str)] = &[
    (0x0001, "ecrecover"),
    (0x0002, "sha256"),
    (0x0004, "identity"),
    (0x0005, "modexp"),
    (0x0006, "ecadd"),
    (0x0007, "ecmul"),
    (0x0008, "ecpairing"),
    (0x0100, "secp256r1verify"),
    (0x8001, "bootloader"),
    (0x8002, "AccountCodeStorage"),
    (0x8003, "NonceHolder"),
    (0x8004, "KnownCodesStorage"),
    (0x8005, "ImmutableSimulator"),
    (0x8006, "ContractDeployer"),
    (0x8007, "ForceDeployer"),
    (0x8008, "L1Messenger"),
    (0x8009, "MsgValueSimulator"),
    (0x800a, "L2BaseToken"),
    (0x800b, "SystemContext"),
    (0x800c, "BootloaderUtilities"),
    (0x800d, "EventWriter"),
    (0x800e, "Compressor"),
    (0x800f, "ComplexUpgrader"),
    (0x8010, "Keccak256"),
    (0x8011, "PubdataChunkPublisher"),
    (0x8012, "CodeOracle"),
    (0x8013, "EvmGasManager"),
    (0x8014, "EvmPredeploysManager"),
    (0x8015, "EvmHashesStorage"),
    (0x10000, "Create2Factory"),
    (0x10002, "Bridgehub"),
    (0x10003, "AssetRouter"),
    (0x10004, "NativeTokenVault"),
    (0x10005, "MessageRoot"),
    (0x10008, "L2InteropRootStorage"),
    (0x1000a, "ChainAssetHandler"),
];
