//! What programs see of the machine: small ones, assembled on the spot, run by the real machine.

mod arithmetic;
mod calls;
mod depth;
mod differences;
mod encodings;
mod ends;
mod far_calls;
mod far_failures;
mod kernel;
mod lab;
mod memory;
mod mini_batch;
mod official;
mod operands;
mod operator;
mod pointers;
mod precompiles;
mod predicates;
mod random;
mod returns;
mod revisions;
mod snapshots;
mod storage;
