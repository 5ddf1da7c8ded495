//! What files take on disk.

use std::path::Path;

/// Bytes that a file takes on disk, or a directory with all below.
pub fn disk_bytes(path: &Path) -> u64 {
    if let Ok(metadata) = path.metadata()
        && metadata.is_file()
    {
        return allocated_bytes(&metadata);
    }
    let Ok(entries) = std::fs::read_dir(path) else {
        return 0;
    };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => disk_bytes(&entry.path()),
        Ok(metadata) => allocated_bytes(&metadata),
        Err(_) => 0,
    });
    sizes.sum()
}

#[cfg(unix)]
fn allocated_bytes(metadata: &std::fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    metadata.blocks() * 512
}

#[cfg(not(unix))]
fn allocated_bytes(metadata: &std::fs::Metadata) -> u64 {
    metadata.len()
}
