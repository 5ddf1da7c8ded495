//! What a batch publishes: the state diffs with their compression, and the byte strings built from them.
//!
//! Format: `matter-labs/zksync-era`, `core/lib/multivm/src/pubdata_builders` and
//! `core/lib/types/src/storage/writes`.

pub mod builder;
pub mod compression;
pub mod log_tree;
pub mod state_diff;
