//! Nothing but a test target: see `tests/programs.rs`.
