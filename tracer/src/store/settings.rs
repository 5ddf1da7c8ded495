//! How sled is set up.

use std::path::Path;

/// Bytes of cache that sled may use.
const CACHE_BYTES: u64 = 8 << 20;
/// Bytes of a segment, by which sled uses its log again. It keeps one until half of it is worthless: smaller ones than sled's
/// 512 KB keep less that is. What is larger than a quarter of one is a file of its own, and with segments of 32 KB that is nearly
/// every leaf of a tree, which takes a quarter less disk but makes and removes thousands of files.
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
