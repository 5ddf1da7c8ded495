//! How sled is set up.

use std::path::Path;

/// Bytes of cache that sled may use.
const CACHE_BYTES: u64 = 64 << 20;
/// Bytes of a segment, by which sled uses its log again. What is larger than a quarter of it is a file of its own, which goes
/// when it is replaced; of a segment at least half is kept before it is used again. Leaves of the trees are 10 to 30 KB and each is
/// written three times: in segments of sled's 512 KB the log is twice as long as what it holds, with these it holds little.
const SEGMENT_BYTES: usize = 32 << 10;

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
