//! Random programs on eradbg's machine and on `zksync_vm2`, compared after each instruction.
//!
//! [`generate`] makes a [`case`] of decisions, [`lockstep`] runs it on both machines, [`compare`] says what they must
//! agree on, [`exclusions`] lists where the pinned version of the peer is known to deviate from the rules, [`minimise`]
//! makes a case that differs small.

pub mod before;
pub mod case;
pub mod choices;
pub mod compare;
pub mod exclusions;
pub mod generate;
pub mod lockstep;
pub mod minimise;
pub mod pages;
pub mod peer;
pub mod repairs;
pub mod report;
pub mod statistics;
pub mod trace;
pub mod translate;
