//! Recordings of EraVM batches: inputs, the driver, exports.

pub mod drive;
pub mod export;
pub mod report;
pub mod source;
