//! Tests of the `eradbg` binary: what goes in by the command line, and what comes out.

mod answers;
mod bad_input;
mod commands;
mod demo;
mod environment;
mod kill;
mod names;
mod pack;
mod scenario;
mod state;
mod support;
