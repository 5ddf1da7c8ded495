//! The database of a recording: trees, keys, envelopes. The one module that knows sled.

pub mod codec;
pub mod database;
pub mod envelope;
pub mod key;

/// Layout of the bytes of a recording. A newer one is refused. A further tree is no new layout: programs that do not
/// know it leave it alone, and recordings without it have nothing in it.
pub const FORMAT: u32 = 1;
