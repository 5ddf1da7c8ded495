//! How sled is set up.

use std::path::Path;

/// Bytes of cache that sled may use.
const CACHE_BYTES: u64 = 64 << 20;
/// Bytes of a segment, by which sled uses its log again. It keeps one until half of it is worthless, and values that grow old
/// together, a leaf of a tree, are some 20 KB: in segments of sled's 512 KB the log is twice as long as what it holds.
const SEGMENT_BYTES: usize = 64 << 10;

/// Settings of each database here. sled refuses one that was made with others, so whoever looks at one past
/// [`crate::store::database`] needs the same.
pub fn sled_config(path: &Path) -> sled::Config {
    sled::Config::new()
        .path(path)
        .cache_capacity(CACHE_BYTES)
        .segment_size(SEGMENT_BYTES)
        .flush_every_ms(None)
        .mode(sled::Mode::HighThroughput)
}
