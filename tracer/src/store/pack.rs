//! One file that holds what a database holds: to hand a recording over, and to read it in place.
//!
//! `magic | values, one behind the other | directory | its length (8 bytes, little-endian) | magic`
//!
//! Values are the envelopes of the database, byte for byte, so each has its checksum. The directory is an envelope too:
//! trees by name, with the keys of each in order and the lengths of their values. Nothing writes to a finished file, so
//! several processes may read one.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::error::{Error, Result};
use crate::store::codec::{Decoder, Encoder, Malformed};
use crate::store::database::Database;
use crate::store::envelope::{self, Kind};
use crate::store::tree::{Content, Tree};

const MAGIC: [u8; 8] = *b"eradbg\0\x01";
/// Key by which the directory's checksum knows what it is.
const DIRECTORY: &[u8] = b"directory";
/// The end of the file: length of the directory, magic.
const TAIL_BYTES: u64 = 16;

/// A packed recording, open for reading.
#[derive(Debug)]
pub struct Pack {
    path: PathBuf,
    file: Mutex<File>,
    trees: BTreeMap<String, BTreeMap<Vec<u8>, Place>>,
}

/// Where a value lies in the file.
#[derive(Debug, Clone, Copy)]
struct Place {
    offset: u64,
    length: u64,
}

impl Pack {
    /// Opens a file.
    ///
    /// # Errors
    /// When it is no packed recording, was cut, or its directory is damaged.
    pub fn open(path: &Path) -> Result<Self> {
        let io = |error| Error::Io {
            path: path.to_owned(),
            error,
        };
        let mut file = File::open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let mut magic = [0; 8];
        let is_ours = length >= MAGIC.len() as u64 && {
            file.read_exact(&mut magic).map_err(io)?;
            magic == MAGIC
        };
        if !is_ours {
            return Err(Error::NotARecording {
                path: path.to_owned(),
                why: "is no recording: it is a file, and not a packed one".to_owned(),
            });
        }
        let damaged = |why: &str| Error::Damaged {
            path: path.to_owned(),
            place: "directory".to_owned(),
            why: why.to_owned(),
        };
        let cut = || damaged("the file is not whole: its end is missing");
        let end = length.checked_sub(TAIL_BYTES).ok_or_else(cut)?;
        let tail = read_at(&mut file, end, TAIL_BYTES).map_err(io)?;
        let (directory_length, tail) = tail.split_first_chunk().ok_or_else(cut)?;
        let values_end = end.checked_sub(u64::from_le_bytes(*directory_length));
        let start = values_end
            .filter(|&start| tail == MAGIC && start >= MAGIC.len() as u64)
            .ok_or_else(cut)?;
        let packed = read_at(&mut file, start, end - start).map_err(io)?;
        let directory = envelope::unpack(Kind::Directory, DIRECTORY, &packed)
            .map_err(|error| damaged(&error.to_string()))?;
        let trees = decode_directory(&directory, start).map_err(|error| damaged(&error.to_string()))?;
        Ok(Self {
            path: path.to_owned(),
            file: Mutex::new(file),
            trees,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The value of a key, packed; `None` when there is none.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn raw(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let Some(place) = self.trees.get(tree.name()).and_then(|keys| keys.get(key)) else {
            return Ok(None);
        };
        // Each read says where it starts, so a thread that panicked has left nothing behind.
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        read_at(&mut file, place.offset, place.length)
            .map(Some)
            .map_err(|error| Error::Io {
                path: self.path.clone(),
                error,
            })
    }

    /// Whether a tree has a key.
    pub fn contains(&self, tree: Tree, key: &[u8]) -> bool {
        self.trees
            .get(tree.name())
            .is_some_and(|keys| keys.contains_key(key))
    }

    /// Keys of a tree, in order, with the bytes that each value takes packed.
    pub fn sizes(&self, tree: Tree) -> Vec<(Vec<u8>, u64)> {
        let keys = self.trees.get(tree.name()).into_iter().flatten();
        keys.map(|(key, place)| (key.clone(), place.length)).collect()
    }

    /// Puts everything into a database in a new directory; `progress` gets the bytes done and all bytes, and may stop it.
    ///
    /// # Errors
    /// When something cannot be read, is damaged, or cannot be written.
    pub fn unpack(&self, path: &Path, progress: Progress<'_>) -> Result<ControlFlow<()>> {
        let database = Database::create(path, Content::Recording)?;
        let all = self.trees.values().flat_map(BTreeMap::values);
        let total = all.map(|place| place.length).sum();
        let mut done = 0;
        // The manifest comes last: without it a directory is no recording.
        for &tree in Content::Recording.trees().iter().rev() {
            for (key, length) in self.sizes(tree) {
                if progress(done, total).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                let value = self.raw(tree, &key)?.unwrap_or_default();
                database.put_raw(tree, &key, value)?;
                done += length;
            }
        }
        database.flush()?;
        database.sync()?;
        drop(database);
        // sled writes the snapshot of its page table when a database is opened: the next open is then quick.
        drop(Database::open(path, Content::Recording)?);
        Ok(ControlFlow::Continue(()))
    }
}

/// Is told bytes done and all bytes, and says whether to go on.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64) -> ControlFlow<()>;

/// Writes what a database holds into a new file. When it is stopped or fails, the file is removed.
///
/// # Errors
/// When the file exists, something cannot be read, or the file cannot be written.
pub fn write(database: &Database, path: &Path, progress: Progress<'_>) -> Result<ControlFlow<()>> {
    let io = |error: std::io::Error| {
        let path = path.to_owned();
        if error.kind() == std::io::ErrorKind::AlreadyExists {
            Error::Exists { path }
        } else {
            Error::Io { path, error }
        }
    };
    let file = File::create_new(path).map_err(io)?;
    let result = write_values(database, file, &io, progress);
    if !matches!(result, Ok(ControlFlow::Continue(()))) {
        std::fs::remove_file(path).map_err(io)?;
    }
    result
}

fn write_values(
    database: &Database,
    file: File,
    io: &dyn Fn(std::io::Error) -> Error,
    progress: Progress<'_>,
) -> Result<ControlFlow<()>> {
    let trees = Content::Recording.trees();
    let mut sizes = Vec::new();
    for &tree in trees {
        sizes.push((tree, database.sizes(tree)?));
    }
    let total = sizes
        .iter()
        .flat_map(|(_, sizes)| sizes)
        .map(|(_, bytes)| bytes)
        .sum();
    let mut out = BufWriter::with_capacity(1 << 16, file);
    out.write_all(&MAGIC).map_err(io)?;
    let mut directory = Encoder::default();
    directory.number(sizes.len() as u64);
    let mut done = 0;
    for (tree, sizes) in &sizes {
        directory.blob(tree.name().as_bytes());
        directory.number(sizes.len() as u64);
        for (key, length) in sizes {
            if progress(done, total).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            let value = database.raw(*tree, key)?.unwrap_or_default();
            directory.blob(key);
            directory.number(value.len() as u64);
            out.write_all(&value).map_err(io)?;
            done += length;
        }
    }
    let directory = envelope::pack(Kind::Directory, DIRECTORY, directory.bytes());
    out.write_all(&directory).map_err(io)?;
    out.write_all(&(directory.len() as u64).to_le_bytes())
        .map_err(io)?;
    out.write_all(&MAGIC).map_err(io)?;
    let file = out.into_inner().map_err(|error| io(error.into_error()))?;
    file.sync_all().map_err(io)?;
    Ok(ControlFlow::Continue(()))
}

/// Reads a directory; values fill the file from the magic up to `end`.
fn decode_directory(bytes: &[u8], end: u64) -> Result<BTreeMap<String, BTreeMap<Vec<u8>, Place>>, Malformed> {
    let mut d = Decoder::new(bytes);
    let mut offset = MAGIC.len() as u64;
    let mut trees = BTreeMap::new();
    for _ in 0..d.count()? {
        let name = String::from_utf8(d.blob()?.to_vec()).map_err(|_| Malformed)?;
        let mut places = BTreeMap::new();
        for _ in 0..d.count()? {
            let key = d.blob()?.to_vec();
            let length = d.number()?;
            places.insert(key, Place { offset, length });
            offset = offset
                .checked_add(length)
                .filter(|&next| next <= end)
                .ok_or(Malformed)?;
        }
        trees.insert(name, places);
    }
    if d.is_empty() && offset == end {
        Ok(trees)
    } else {
        Err(Malformed)
    }
}

fn read_at(file: &mut File, offset: u64, length: u64) -> std::io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    Read::by_ref(file).take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length {
        Ok(bytes)
    } else {
        Err(std::io::ErrorKind::UnexpectedEof.into())
    }
}
