//! Recordings as files for other programs.

pub mod batch;
pub mod steps;
pub mod table;
