//! The one door through which the machine reaches the outside.
//!
//! Live, a host is [`VmState`](crate::VmState) over a [`Storage`](crate::Storage); on replay it is a cursor over the
//! answers that a recording holds. Nothing else may influence an [`Execution`].

use std::sync::Arc;

use primitive_types::U256;

use crate::events::{L2ToL1Log, RawEvent};
use crate::execution::Execution;
use crate::observer::Observer;
use crate::precompile;
use crate::program::Program;
use crate::storage::StorageKey;

/// Questions that the machine asks, and effects that it has on the chain's state.
///
/// Questions return answers that a recording logs in order ([`Answer`]). Effects change state that the machine never
/// sees directly; a replaying host ignores them. The observer is handed through for the details of both.
pub trait Host {
    /// What stops the run when a question has no answer: missing input live, a damaged log on replay.
    type Error;

    /// Reads a storage slot: its value, and the ergs refunded of the opcode's price.
    ///
    /// # Errors
    /// When the slot is not known.
    fn storage_read<O: Observer>(
        &mut self,
        key: StorageKey,
        observer: &mut O,
    ) -> Result<(U256, u32), Self::Error>;

    /// Writes a storage slot: the ergs refunded of the opcode's price.
    ///
    /// # Errors
    /// When the slot is not known.
    fn storage_write<O: Observer>(
        &mut self,
        key: StorageKey,
        value: U256,
        observer: &mut O,
    ) -> Result<u32, Self::Error>;

    /// Reads a slot of transient storage.
    ///
    /// # Errors
    /// On replay, when the log does not fit.
    fn transient_read<O: Observer>(&mut self, key: StorageKey, observer: &mut O)
    -> Result<U256, Self::Error>;

    /// Writes a slot of transient storage.
    fn transient_write<O: Observer>(&mut self, key: StorageKey, value: U256, observer: &mut O);

    /// The code hash that `AccountCodeStorage` holds for an address, as a far call reads it.
    ///
    /// # Errors
    /// When the slot is not known.
    fn code_hash<O: Observer>(&mut self, address: U256, observer: &mut O) -> Result<U256, Self::Error>;

    /// Announces that code will be decommitted if it can be paid for. The page where it lies when it was decommitted
    /// before in this batch, so that it is free; `None` when it is fresh.
    ///
    /// # Errors
    /// On replay, when the log does not fit.
    fn prepare_decommit<O: Observer>(
        &mut self,
        hash: U256,
        observer: &mut O,
    ) -> Result<Option<u32>, Self::Error>;

    /// Code that was prepared and paid for; `page` is where it lies from now on.
    ///
    /// # Errors
    /// When the code is not known.
    fn decommit<O: Observer>(
        &mut self,
        hash: U256,
        page: u32,
        observer: &mut O,
    ) -> Result<Arc<Program>, Self::Error>;

    /// Runs a precompile whose output a recording logs (all but the hash functions).
    ///
    /// # Errors
    /// On replay, when the log does not fit.
    fn precompile(
        &mut self,
        precompile: precompile::Precompile,
        input: &[U256],
    ) -> Result<precompile::Output, Self::Error>;

    /// Counter of pubdata bytes of the whole batch; a batch that frees more than it writes has a negative one.
    ///
    /// # Errors
    /// On replay, when the log does not fit.
    fn pubdata(&mut self) -> Result<i32, Self::Error>;

    /// Adds the pubdata that a precompile call declares.
    fn add_pubdata<O: Observer>(&mut self, bytes: i32, observer: &mut O);

    /// Appends one piece of an event.
    fn event<O: Observer>(&mut self, event: RawEvent, observer: &mut O);

    /// Appends an L2->L1 log.
    fn l2_to_l1_log<O: Observer>(&mut self, log: L2ToL1Log, observer: &mut O);

    /// A far call has entered its callee, which finds its calldata in r1.
    fn contract_called(&mut self, execution: &Execution) {
        let _ = execution;
    }

    /// Takes an internal snapshot: a near or far frame starts.
    fn enter_frame(&mut self);

    /// Ends the frame that started last, undoing its changes when it failed.
    fn leave_frame<O: Observer>(&mut self, undo: bool, observer: &mut O);

    /// Starts the next transaction: transient storage is cleared.
    fn next_transaction<O: Observer>(&mut self, observer: &mut O);
}

/// An answer as a recording logs it, in the order in which the machine asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// [`Host::storage_read`].
    StorageRead {
        /// Value of the slot.
        value: U256,
        /// Ergs refunded.
        refund: u32,
    },
    /// [`Host::storage_write`].
    StorageWrite {
        /// Ergs refunded.
        refund: u32,
    },
    /// [`Host::transient_read`].
    TransientRead {
        /// Value of the slot.
        value: U256,
    },
    /// [`Host::code_hash`].
    CodeHash {
        /// The hash with its construction mark.
        hash: U256,
    },
    /// [`Host::prepare_decommit`].
    Decommit {
        /// Page of the earlier decommit.
        known_page: Option<u32>,
    },
    /// [`Host::precompile`].
    Precompile {
        /// The words written.
        output: precompile::Output,
    },
    /// [`Host::pubdata`].
    Pubdata {
        /// The counter.
        bytes: i32,
    },
}
