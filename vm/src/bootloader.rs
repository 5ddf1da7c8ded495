//! The bootloader as the operator sees it: a heap with fixed places, hooks, and what was pushed so far.

pub mod hook;
pub mod l2_block;
pub mod layout;
pub mod state;

pub use hook::Hook;
pub use layout::Layout;
pub use state::BootloaderState;
