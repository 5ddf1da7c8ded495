//! How sled is set up.

use std::path::Path;

/// Bytes of cache that sled may use. It keeps a leaf for each of 256 shards at least, and a viewer has caches of its own.
const CACHE_BYTES: u64 = 8 << 20;
/// Bytes of a segment, by which sled's log grows. What is larger than a quarter of one is a file of its own, and many such
/// files are slow to make.
const SEGMENT_BYTES: usize = 256 << 10;

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
