//! Databases of recordings and of states, and packed recordings: trees, keys, envelopes. The one module that knows sled.

pub mod codec;
pub mod database;
pub mod disk;
pub mod envelope;
mod files;
pub mod key;
mod mend;
pub mod pack;
pub mod series;
pub mod settings;
pub mod shelf;
pub mod tree;

/// Layout of the bytes of a recording. A newer one is refused. A further tree is no new layout: programs that do not
/// know it leave it alone, and recordings without it have nothing in it.
pub const FORMAT: u32 = 1;
/// Layout of the bytes of a chain's state. A newer one is refused.
pub const STATE_FORMAT: u32 = 1;
