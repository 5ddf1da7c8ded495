//! Releases of the official VMs whose instructions differ: one row each.
//!
//! Sources: `zk_evm` 0.153.8 and 0.153.12 (`src/vm_state/cycle.rs`, `src/opcodes/execution/ret.rs`), `zksync_vm2` 0.5.0
//! (`src/heap.rs`).

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::page_ids::PageNumbering;

/// The release of an official VM that decides what instructions do where releases differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Revision {
    /// What runs on the chain.
    #[default]
    ZkEvm0_153_8,
    /// Clears what an instruction could have written as its second output, and lets an explicit panic pay for
    /// returndata past the end of memory. `zksync_vm2` does both from 0.6 on.
    ZkEvm0_153_12,
    /// The first with the page ids of `zksync_vm2` up to 0.5, whose traces kernel programs can be compared with.
    Vm2_0_5PageIds,
}

/// A revision that is not known.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("revision {name:?} is not known, expected one of {}", Revision::names())]
pub struct UnknownRevision {
    /// The name as it was given.
    pub name: String,
}

/// A revision's row.
struct Row {
    revision: Revision,
    name: &'static str,
    clears_unwritten_dst1: bool,
    explicit_panic_pays_overflow: bool,
    pages: PageNumbering,
}

/// In the order of [`Revision`].
const REVISIONS: [Row; 3] = [
    Row {
        revision: Revision::ZkEvm0_153_8,
        name: "zk_evm-0.153.8",
        clears_unwritten_dst1: false,
        explicit_panic_pays_overflow: false,
        pages: PageNumbering::ByFrame,
    },
    Row {
        revision: Revision::ZkEvm0_153_12,
        name: "zk_evm-0.153.12",
        clears_unwritten_dst1: true,
        explicit_panic_pays_overflow: true,
        pages: PageNumbering::ByFrame,
    },
    Row {
        revision: Revision::Vm2_0_5PageIds,
        name: "vm2-0.5-page-ids",
        clears_unwritten_dst1: false,
        explicit_panic_pays_overflow: false,
        pages: PageNumbering::OneByOne,
    },
];

impl Revision {
    /// Every revision.
    pub fn all() -> impl Iterator<Item = Self> {
        REVISIONS.iter().map(|row| row.revision)
    }

    /// Its name: the crate and its version.
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// Its place in the list, by which a recording names it.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The revision at a place in the list.
    pub fn from_number(number: u8) -> Option<Self> {
        REVISIONS.get(number as usize).map(|row| row.revision)
    }

    /// Whether an executed instruction that does not write its second output clears that register.
    pub const fn clears_unwritten_dst1(self) -> bool {
        self.row().clears_unwritten_dst1
    }

    /// Whether an explicit panic of a far frame takes src0 for returndata, and pays for its growth when its end is past
    /// that of memory.
    pub const fn explicit_panic_pays_overflow(self) -> bool {
        self.row().explicit_panic_pays_overflow
    }

    /// How memories are numbered.
    pub const fn pages(self) -> PageNumbering {
        self.row().pages
    }

    fn names() -> String {
        Self::all().map(Self::name).collect::<Vec<_>>().join(", ")
    }

    const fn row(self) -> &'static Row {
        &REVISIONS[self as usize]
    }
}

impl FromStr for Revision {
    type Err = UnknownRevision;

    fn from_str(name: &str) -> Result<Self, UnknownRevision> {
        let unknown = || UnknownRevision {
            name: name.to_owned(),
        };
        Self::all()
            .find(|revision| revision.name() == name)
            .ok_or_else(unknown)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_found_by_its_name_and_by_its_number() {
        for revision in Revision::all() {
            assert_eq!(revision.name().parse(), Ok(revision));
            assert_eq!(Revision::from_number(revision.number()), Some(revision));
        }
        assert_eq!(Revision::from_number(3), None);
        assert_eq!(
            "zk_evm-0.153.9".parse::<Revision>().unwrap_err().to_string(),
            "revision \"zk_evm-0.153.9\" is not known, expected one of zk_evm-0.153.8, zk_evm-0.153.12, \
             vm2-0.5-page-ids"
        );
    }

    #[test]
    fn what_runs_on_the_chain_is_the_default() {
        assert_eq!(Revision::default().name(), "zk_evm-0.153.8");
    }
}
