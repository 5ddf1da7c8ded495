//! What differs between protocol versions: one row each. Everything else asks a row.
//!
//! Sources: `matter-labs/zksync-era` `core/lib/multivm/src/versions/vm_latest`, `core/lib/basic_types/src/protocol_version.rs`;
//! the bootloader and its contracts in `matter-labs/era-contracts`, one branch for each release.

mod revision;

use std::fmt;

use thiserror::Error;

pub use self::revision::{Revision, UnknownRevision};

/// A protocol version that is supported.
///
/// ```
/// use eradbg_vm::protocol::ProtocolVersion;
///
/// let version = ProtocolVersion::parse("Version29").unwrap();
/// assert_eq!(version.number(), 29);
/// assert!(ProtocolVersion::parse("Version18").is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProtocolVersion(u16);

/// What a protocol version is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protocol {
    /// Its number.
    pub number: u16,
    /// Most factory dependencies of a transaction. The bootloader keeps as many slots for them, so that everything
    /// behind them moves.
    pub factory_deps: usize,
    /// Whether L2 blocks import roots of other chains, and the bootloader hashes the status of each transaction.
    pub interop: Interop,
    /// Form of the pubdata that the operator hands to the bootloader.
    pub pubdata: PubdataFormat,
    /// Whether an L2 block may have the timestamp of the one before.
    pub timestamps_may_repeat: bool,
    /// Whether a heap bound is raised even when the growth could not be paid. Then, too, an access to static memory
    /// that is out of range burns all ergs.
    pub unpaid_growth_raises_bound: bool,
    /// Whether precompiles for modular powers and the curve bn254 exist.
    pub ec_precompiles: bool,
    /// What the L2->L1 logs of the system tell, by key.
    pub system_logs: &'static [SystemLog],
}

/// What the operator tells the bootloader about other chains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Interop {
    /// Nothing.
    None,
    /// Roots of other chains with each L2 block.
    Roots,
    /// Besides, the chain that the batch is committed to and the fee of interop calls.
    RootsAndSettlementLayer,
}

/// Form of the pubdata that the operator hands to the bootloader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PubdataFormat {
    /// Bytes that `L1Messenger` checks itself.
    Plain,
    /// A call of the DA validator, and the validator's address.
    DaValidator,
    /// A call of the DA validator, and the number of a commitment scheme.
    CommitmentScheme,
}

/// A key of the system's L2->L1 logs, and what the log's value is.
pub type SystemLog = (u64, &'static str);

/// A protocol version that is not supported or not one at all.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("protocol version {name} is not supported, expected {oldest} to {newest}",
    oldest = ProtocolVersion::OLDEST, newest = ProtocolVersion::NEWEST)]
pub struct UnsupportedVersion {
    /// The version as it was given.
    pub name: String,
}

/// Each version is written as what it changes of an earlier one.
const PROTOCOLS: [Protocol; 8] = [V24, V25, V26, V27, V28, V29, V30, V31];

const V24: Protocol = Protocol {
    number: 24,
    factory_deps: 32,
    interop: Interop::None,
    pubdata: PubdataFormat::Plain,
    timestamps_may_repeat: false,
    unpaid_growth_raises_bound: true,
    ec_precompiles: false,
    system_logs: &[
        (0, "root of the logs"),
        (1, "hash of the pubdata"),
        (2, "hash of the state diffs"),
        (3, "timestamps of batch and last L2 block"),
        (4, "previous batch hash"),
        (5, "hash of the priority operations"),
        (6, "number of L1 transactions"),
        (7, "hash of blob 1"),
        (8, "hash of blob 2"),
        (9, "hash of blob 3"),
        (10, "hash of blob 4"),
        (11, "hash of blob 5"),
        (12, "hash of blob 6"),
        (13, "upgrade transaction"),
    ],
};

/// Only the bootloader differs: it no longer upgrades `SystemContext`, and takes higher prices.
const V25: Protocol = Protocol { number: 25, ..V24 };

/// Gateway.
const V26: Protocol = Protocol {
    number: 26,
    factory_deps: 64,
    pubdata: PubdataFormat::DaValidator,
    system_logs: &[
        (0, "root of the logs"),
        (1, "timestamps of batch and last L2 block"),
        (2, "hash of the priority operations"),
        (3, "number of L1 transactions"),
        (4, "previous batch hash"),
        (5, "output of the DA validator"),
        (6, "DA validator"),
        (7, "upgrade transaction"),
    ],
    ..V25
};

/// EVM emulator.
const V27: Protocol = Protocol {
    number: 27,
    unpaid_growth_raises_bound: false,
    ..V26
};

/// Precompiles for modular powers and bn254.
const V28: Protocol = Protocol {
    number: 28,
    ec_precompiles: true,
    ..V27
};

/// Interop.
const V29: Protocol = Protocol {
    number: 29,
    interop: Interop::Roots,
    timestamps_may_repeat: true,
    system_logs: &[
        (0, "root of the logs"),
        (1, "timestamps of batch and last L2 block"),
        (2, "hash of the priority operations"),
        (3, "number of L1 transactions"),
        (4, "previous batch hash"),
        (5, "output of the DA validator"),
        (6, "DA validator"),
        (7, "hash of the interop roots"),
        (8, "hash of the transactions' status"),
        (9, "upgrade transaction"),
    ],
    ..V28
};

/// No chain with EraVM used this number; the official VM treats it as the one before.
const V30: Protocol = Protocol { number: 30, ..V29 };

/// Medium interop.
const V31: Protocol = Protocol {
    number: 31,
    interop: Interop::RootsAndSettlementLayer,
    pubdata: PubdataFormat::CommitmentScheme,
    system_logs: &[
        (0, "root of the logs"),
        (1, "timestamps of batch and last L2 block"),
        (2, "hash of the priority operations"),
        (3, "numbers of L2 and L1 transactions"),
        (4, "previous batch hash"),
        (5, "output of the DA validator"),
        (6, "DA commitment scheme"),
        (7, "hash of the interop roots"),
        (8, "hash of the transactions' status"),
        (9, "settlement layer"),
        (10, "upgrade transaction"),
    ],
    ..V30
};

impl ProtocolVersion {
    /// The oldest version supported.
    pub const OLDEST: Self = Self(PROTOCOLS[0].number);
    /// The newest version supported.
    pub const NEWEST: Self = Self(PROTOCOLS[PROTOCOLS.len() - 1].number);

    /// Every version that is supported, oldest first.
    pub fn all() -> impl Iterator<Item = Self> {
        PROTOCOLS.iter().map(|protocol| Self(protocol.number))
    }

    /// Returns the version with this number.
    ///
    /// # Errors
    ///
    /// The version is older than [`Self::OLDEST`] or newer than [`Self::NEWEST`].
    pub fn new(number: u16) -> Result<Self, UnsupportedVersion> {
        let version = Self(number);
        if (Self::OLDEST..=Self::NEWEST).contains(&version) {
            Ok(version)
        } else {
            Err(UnsupportedVersion {
                name: version.to_string(),
            })
        }
    }

    /// Returns the version with this name, as zksync-era spells it (`Version29`).
    ///
    /// # Errors
    ///
    /// The name is not that of a supported version.
    pub fn parse(name: &str) -> Result<Self, UnsupportedVersion> {
        let number = name
            .strip_prefix("Version")
            .and_then(|digits| digits.parse().ok());
        number
            .and_then(|number| Self::new(number).ok())
            .filter(|version| version.to_string() == name)
            .ok_or_else(|| UnsupportedVersion {
                name: name.to_owned(),
            })
    }

    /// Returns the minor version number, 29 for `Version29`.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// Returns what the version is like.
    pub const fn protocol(self) -> &'static Protocol {
        &PROTOCOLS[(self.0 - Self::OLDEST.0) as usize]
    }
}

impl fmt::Display for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Version{}", self.0)
    }
}

impl Protocol {
    /// Returns what the value of a system log with this key is; `None` when the version has no such log.
    pub fn system_log(&self, key: impl Into<primitive_types::U256>) -> Option<&'static str> {
        let key = key.into();
        let found = self.system_logs.iter().find(|(known, _)| key == (*known).into());
        found.map(|&(_, name)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protocol(number: u16) -> &'static Protocol {
        ProtocolVersion::new(number).unwrap().protocol()
    }

    #[test]
    fn versions_outside_the_supported_range_are_refused_by_name() {
        for (name, number) in [("Version24", 24), ("Version31", 31)] {
            assert_eq!(ProtocolVersion::parse(name).unwrap().number(), number);
        }
        for name in [
            "Version23",
            "Version32",
            "Version029",
            "Version+29",
            "29",
            "version29",
            "Version99999999",
            "",
        ] {
            assert_eq!(
                ProtocolVersion::parse(name),
                Err(UnsupportedVersion {
                    name: name.to_owned()
                })
            );
        }
        assert_eq!(
            ProtocolVersion::new(23).unwrap_err().to_string(),
            "protocol version Version23 is not supported, expected Version24 to Version31"
        );
    }

    #[test]
    fn each_version_has_its_own_row() {
        for version in ProtocolVersion::all() {
            assert_eq!(version.protocol().number, version.number());
        }
        assert_eq!(ProtocolVersion::all().count(), 8);
    }

    #[test]
    fn the_key_of_the_upgrade_log_moves_with_the_version() {
        let key = |number| {
            let logs = protocol(number).system_logs;
            logs.iter()
                .find(|(_, name)| *name == "upgrade transaction")
                .map(|(key, _)| *key)
        };
        let keys: Vec<_> = (24..=31).map(|number| key(number).unwrap()).collect();
        assert_eq!(keys, [13, 13, 7, 7, 7, 9, 9, 10]);
        assert_eq!(protocol(31).system_log(9), Some("settlement layer"));
        assert_eq!(protocol(29).system_log(10), None);
    }
}
