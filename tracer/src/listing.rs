//! Source text of code: what a contract was assembled from, with the line of each instruction.

use std::collections::BTreeMap;

use eradbg_vm::U256;

/// The source of one piece of code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Versioned bytecode hash of the code.
    pub hash: U256,
    /// Name of the file, without folders: `token.asm`.
    pub name: String,
    /// The text.
    pub text: String,
    /// Line, from 1, by program counter.
    pub lines: BTreeMap<u16, u32>,
}
