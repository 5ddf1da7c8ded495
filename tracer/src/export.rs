//! Recordings as files for other programs.

pub mod batch;
pub mod calltracer;
pub mod steps;
pub mod table;
