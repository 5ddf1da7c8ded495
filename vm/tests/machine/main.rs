//! What programs see of the machine: small ones, assembled on the spot, run by the real machine.

mod arithmetic;
mod calls;
mod differences;
mod ends;
mod differences;
