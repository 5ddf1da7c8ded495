//! EraVM, the virtual machine of ZKsync Era, with its operator and the bootloader interface.
//!
//! Three units, as in the system that this crate implements:
//! - the machine: [`Execution`] (registers, flags, frames, heaps) steps through code and asks a [`Host`] whatever
//!   it cannot compute itself; [`VmState`] holds the changes to what lives on the chain;
//! - the bootloader: a contract in the machine, with a heap that the operator fills ([`bootloader`]);
//! - the [`operator`]: pushes transactions, answers the bootloader's hooks, takes snapshots, collects results.
//!
//! Nothing here touches files, clocks or terminals. With the observer `()` the machine runs at full speed; any other
//! [`Observer`] sees each mutation and cannot change the run.

pub mod batch;
pub mod bootloader;
pub mod bytecode;
pub mod code_hash;
pub mod decode;
pub mod disasm;
pub mod edit;
pub mod events;
mod exec;
pub mod execution;
pub mod flags;
pub mod frame;
pub mod heap;
pub mod host;
pub mod isa;
pub mod keccak;
pub mod kept;
mod leftovers;
pub mod live;
pub mod observer;
pub mod operator;
pub mod outcome;
pub mod page_ids;
pub mod paged;
pub mod precompile;
pub mod program;
pub mod protocol;
pub mod pubdata;
pub mod stack;
pub mod state;
mod step;
pub mod storage;
pub mod value;
pub mod vm;

pub use decode::Instruction;
pub use execution::Execution;
pub use flags::Flags;
pub use frame::{CallKind, Frame, NearFrame};
pub use host::{Answer, Host};
pub use isa::Opcode;
pub use observer::Observer;
pub use outcome::{End, PanicCause};
pub use primitive_types::{H160, H256, U256};
pub use program::Program;
pub use state::VmState;
pub use storage::{Missing, Storage, StorageKey};
pub use value::{FatPointer, Value};
pub use vm::EraVm;

/// Number of the machine's semantics. A recording replays only on the number that made it, so every change of what an
/// instruction does in any [`Revision`](protocol::Revision) raises it.
pub const MACHINE_REVISION: u32 = 2;
