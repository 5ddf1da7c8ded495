//! Recordings, read only.

mod extent;
mod fates;
mod index;
mod keyframes;
mod lasting;
mod listings;
mod memory;
mod names;
mod overview;
mod pages;
mod part;
mod places;
mod reports;
mod sizes;
mod slots;
mod states;
mod used;

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use eradbg_vm::bootloader::Layout;
use eradbg_vm::protocol::{Protocol, ProtocolVersion, Revision};
use eradbg_vm::{MACHINE_REVISION, Program, U256};

use crate::error::{Error, Result};
use crate::index::Summary;
use crate::keyframe::Keyframe;
use crate::ledger::{LEDGER, OVERVIEW, Row, Rows, RowsValue, Timed};
use crate::listing::Listing;
use crate::log::ChunkLog;
use crate::manifest::{End, Manifest, Seal};
use crate::store::codec::{Decoder, Malformed};
use crate::store::database::Database;
use crate::store::disk::disk_bytes;
use crate::store::envelope::Kind;
use crate::store::pack::Progress;
use crate::store::shelf::Shelf;
use crate::store::tree::Tree;
use crate::store::{key, pack};
use extent::{read_end, read_manifest, read_meta, scan};
use keyframes::KeyframeCache;
use names::Names;
use overview::{OperatorRows, Overview};
use states::States;

pub(crate) use extent::Extent;
pub(crate) use keyframes::FarFrame;

pub use crate::ledger::{FailureRow, TransactionRow, TxStatus};
pub use crate::manifest::EndKind;
pub use fates::Fate;
pub use overview::{HookRow, UndoneRange};
pub(crate) use pages::born_ids;
pub use pages::{PageIndex, PageVersionAt};
pub use part::{NoPart, Part};
pub use sizes::PartSize;
pub use slots::SlotIndex;
pub use used::StateUsed;

/// A recording. Opening never changes what was recorded; clones share it.
#[derive(Debug, Clone)]
pub struct Recording(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    database: Shelf,
    manifest: Manifest,
    version: ProtocolVersion,
    layout: Layout,
    extent: Extent,
    /// Whether rows after the last chunk are those of the run's end, and not of a chunk that was never finished.
    has_tail: bool,
    /// What was read before, of parts that never change.
    read: Arc<AlreadyRead>,
    /// Keyframes that cannot be read, made again.
    keyframes_made_again: Mutex<BTreeMap<u32, Arc<Keyframe>>>,
    /// Summaries that cannot be read, made again.
    groups_made_again: Mutex<BTreeMap<u32, Arc<Vec<Summary>>>>,
    /// Summaries that were read last, the newest at the end.
    recent_groups: Mutex<Vec<(u32, Arc<Vec<Summary>>)>>,
    pages: OnceLock<Arc<PageIndex>>,
    slots: OnceLock<SlotIndex>,
    states: Mutex<States>,
    overview: OnceLock<Overview>,
}

/// Parts of a recording that were read before.
#[derive(Debug, Default)]
struct AlreadyRead {
    programs: Mutex<BTreeMap<U256, Arc<Program>>>,
    listings: Mutex<BTreeMap<U256, Option<Arc<Listing>>>>,
    names: Names,
    keyframes: Mutex<KeyframeCache>,
    /// Operator rows of the chunk that was asked for last.
    operator_rows: Mutex<Option<OperatorRows>>,
}

impl Recording {
    /// Opens a recording. One that was not finished is opened as far as it goes.
    ///
    /// # Errors
    /// When it is no recording, is newer than this program, another process holds it, or its start is damaged.
    pub fn open(path: &Path) -> Result<Self> {
        let database = Shelf::open(path)?;
        let manifest = read_manifest(&database)?;
        let (extent, has_tail) = match read_end(&database) {
            Ok(Some(end)) => {
                let End {
                    seal,
                    first_steps,
                    kind,
                } = end;
                let extent = Extent {
                    seal,
                    first_steps,
                    kind,
                };
                (extent, true)
            }
            unended => {
                let (first_steps, seal) = scan(&database)?;
                // A damaged end hides how the run ended, not what was recorded.
                let kind = unended
                    .err()
                    .map_or(EndKind::Unknown, |error| EndKind::Stopped(error.to_string()));
                let extent = Extent {
                    seal,
                    first_steps,
                    kind,
                };
                (extent, false)
            }
        };
        Self::new(database, manifest, extent, has_tail, None)
    }

    /// A recording that this process writes, as far as it is sealed. `before` is the same at an earlier time.
    pub(crate) fn of_live(
        database: Database,
        manifest: Manifest,
        extent: Extent,
        before: Option<&Self>,
    ) -> Result<Self> {
        let has_tail = !matches!(extent.kind, EndKind::Recording | EndKind::Unknown);
        let recording = Self::new(Shelf::Directory(database), manifest, extent, has_tail, before)?;
        recording.load_overview();
        Ok(recording)
    }

    fn new(
        database: Shelf,
        manifest: Manifest,
        extent: Extent,
        has_tail: bool,
        before: Option<&Self>,
    ) -> Result<Self> {
        let version = ProtocolVersion::new(manifest.protocol_version)
            .map_err(|error| database.damaged("meta/manifest".to_owned(), error.to_string()))?;
        let read = before.map(|before| Arc::clone(&before.0.read));
        let states = before.map(|before| lock(&before.0.states).clone());
        Ok(Self(Arc::new(Inner {
            database,
            manifest,
            version,
            layout: Layout::of(version),
            extent,
            has_tail,
            read: read.unwrap_or_default(),
            keyframes_made_again: Mutex::default(),
            groups_made_again: Mutex::default(),
            recent_groups: Mutex::default(),
            pages: OnceLock::new(),
            slots: OnceLock::new(),
            states: Mutex::new(states.unwrap_or_default()),
            overview: OnceLock::new(),
        })))
    }

    /// The directory, or packed file.
    pub fn path(&self) -> &Path {
        self.0.database.path()
    }

    /// What it is about.
    pub fn manifest(&self) -> &Manifest {
        &self.0.manifest
    }

    /// Places in the bootloader's heap.
    pub fn layout(&self) -> &Layout {
        &self.0.layout
    }

    /// How the run ended.
    pub fn end(&self) -> &EndKind {
        &self.0.extent.kind
    }

    /// Whether this process is still writing it.
    pub fn is_live(&self) -> bool {
        self.0.extent.kind == EndKind::Recording
    }

    /// Whether everything that was asked for was recorded.
    pub fn is_complete(&self) -> bool {
        self.0.extent.kind == EndKind::Finished
    }

    /// Steps; positions run from 0 to this number.
    pub fn steps(&self) -> u64 {
        self.0.extent.seal.steps
    }

    /// Chunks.
    pub fn chunks(&self) -> u32 {
        self.0.extent.first_steps.len() as u32
    }

    /// How many blocks of rows there are of each kind: one for each chunk, and one for what came after the last.
    pub fn row_blocks(&self) -> u32 {
        self.chunks() + u32::from(self.0.has_tail)
    }

    /// Checksum of the last chunk.
    pub fn chain(&self) -> u64 {
        self.0.extent.seal.chain
    }

    /// First step of a chunk; the number of steps for the chunk after the last.
    pub fn first_step(&self, chunk: u32) -> u64 {
        let first_steps = &self.0.extent.first_steps;
        first_steps.get(chunk as usize).copied().unwrap_or(self.steps())
    }

    /// The chunk that a position belongs to: the last one that starts at or before it.
    pub fn chunk_of(&self, position: u64) -> u32 {
        self.0
            .extent
            .first_steps
            .partition_point(|&first| first <= position)
            .saturating_sub(1) as u32
    }

    /// Bytes that it takes on disk.
    pub fn disk_bytes(&self) -> u64 {
        disk_bytes(self.path())
    }

    /// Writes it into one new file; `progress` gets the bytes done and all bytes, and may stop it.
    ///
    /// # Errors
    /// When it is a packed file already, the new file exists, or something cannot be read or written.
    pub fn pack(&self, file: &Path, progress: Progress<'_>) -> Result<ControlFlow<()>> {
        match &self.0.database {
            Shelf::Directory(database) => pack::write(database, file, progress),
            Shelf::File(_) => Err(Error::Packed {
                path: self.path().to_owned(),
            }),
        }
    }

    /// An error about a place in this recording.
    pub fn damaged(&self, place: String, why: String) -> Error {
        self.0.database.damaged(place, why)
    }

    /// What its protocol version is like.
    pub fn protocol(&self) -> &'static Protocol {
        self.0.version.protocol()
    }

    /// Refuses to step a recording of a machine with other semantics.
    ///
    /// # Errors
    /// When it was made by another machine, or with a revision that is not known.
    pub fn check_machine(&self) -> Result<()> {
        let found = self.manifest().machine;
        if found != MACHINE_REVISION {
            return Err(Error::OtherMachine {
                path: self.path().to_owned(),
                found,
                known: MACHINE_REVISION,
                sha256: self.manifest().input_sha256.clone(),
            });
        }
        let revision = self.manifest().revision.parse::<Revision>();
        revision.map(drop).map_err(|revision| Error::OtherRevision {
            path: self.path().to_owned(),
            revision,
        })
    }

    /// Checks what says how far the recording goes.
    ///
    /// # Errors
    /// When it is damaged: opening does without it.
    pub fn check_meta(&self) -> Result<()> {
        read_meta(&self.0.database, Kind::Seal, key::SEAL, Seal::decode)?;
        read_end(&self.0.database).map(drop)
    }

    /// Code by hash.
    ///
    /// # Errors
    /// When it is missing or damaged.
    pub fn program(&self, hash: U256) -> Result<Arc<Program>> {
        if hash.is_zero() {
            return Ok(Program::empty());
        }
        if let Some(program) = lock(&self.0.read.programs).get(&hash) {
            return Ok(Arc::clone(program));
        }
        let place = || format!("code {hash:#066x}");
        let bytes = self.read(Tree::Code, Kind::Code, &key::code(hash), place)?;
        let code = Decoder::new(&bytes)
            .blob()
            .map_err(|error| self.damaged(place(), error.to_string()))?;
        let program = Program::new(hash, eradbg_vm::bytecode::bytes_to_words(code));
        lock(&self.0.read.programs).insert(hash, Arc::clone(&program));
        Ok(program)
    }

    /// The log of a chunk.
    ///
    /// # Errors
    /// When it is missing or damaged.
    pub fn log(&self, chunk: u32) -> Result<ChunkLog> {
        self.log_with_checksum(chunk).map(|(log, _)| log)
    }

    /// The log of a chunk, with the checksum by which the next chunk names it.
    ///
    /// # Errors
    /// When it is missing or damaged.
    pub fn log_with_checksum(&self, chunk: u32) -> Result<(ChunkLog, u64)> {
        let place = || self.place("log", chunk);
        let found = self
            .0
            .database
            .get(Tree::Log, Kind::Log, &key::chunk(chunk), place)?;
        let (bytes, checksum) = found.ok_or_else(|| self.damaged(place(), "it is missing".to_owned()))?;
        let log = ChunkLog::decode(&bytes).map_err(|error| self.damaged(place(), error.to_string()))?;
        let expected = (self.first_step(chunk), self.first_step(chunk + 1));
        if (log.first_step, log.end()) == expected {
            Ok((log, checksum))
        } else {
            Err(self.damaged(
                place(),
                format!("it holds steps {} to {}", log.first_step, log.end()),
            ))
        }
    }

    /// The blocks of rows in which those about some steps stand: a row at the edge of a chunk may stand in the block before
    /// it, and after the last chunk in the one that follows.
    pub(crate) fn blocks_of(&self, steps: &Range<u64>) -> Range<u32> {
        let end = self.chunk_of(steps.end).saturating_add(2);
        self.chunk_of(steps.start).saturating_sub(1)..end.min(self.row_blocks())
    }

    /// Rows of one kind in a chunk.
    ///
    /// # Errors
    /// When they are missing or damaged.
    pub fn rows<R: Row>(&self, chunk: u32) -> Result<Vec<Timed<R>>> {
        let (value, _) = R::KIND.place();
        self.read_rows(value, chunk, Rows::decode_kind::<R>)
    }

    /// All rows of a chunk.
    ///
    /// # Errors
    /// When they are missing or damaged.
    pub fn all_rows(&self, chunk: u32) -> Result<Rows> {
        let mut rows = self.overview_rows(chunk)?;
        self.read_rows(LEDGER, chunk, |bytes| rows.decode_ledger(bytes))?;
        Ok(rows)
    }

    /// The rows of a chunk about the chain's state and far calls.
    fn ledger_rows(&self, chunk: u32) -> Result<Rows> {
        let mut rows = Rows::default();
        self.read_rows(LEDGER, chunk, |bytes| rows.decode_ledger(bytes))?;
        Ok(rows)
    }

    /// The rows of a chunk that overviews are made of.
    fn overview_rows(&self, chunk: u32) -> Result<Rows> {
        let mut rows = Rows::default();
        self.read_rows(OVERVIEW, chunk, |bytes| rows.decode_overview(bytes))?;
        Ok(rows)
    }

    fn read_rows<T>(
        &self,
        (tree, kind): RowsValue,
        chunk: u32,
        decode: impl FnOnce(&[u8]) -> Result<T, Malformed>,
    ) -> Result<T> {
        let place = || self.place("rows", chunk);
        let bytes = self.read(tree, kind, &key::chunk(chunk), place)?;
        decode(&bytes).map_err(|error| self.damaged(place(), error.to_string()))
    }

    fn read(&self, tree: Tree, kind: Kind, key: &[u8], place: impl Fn() -> String) -> Result<Vec<u8>> {
        let found = self.0.database.get(tree, kind, key, &place)?;
        found
            .map(|(bytes, _)| bytes)
            .ok_or_else(|| self.damaged(place(), "it is missing".to_owned()))
    }

    /// Tells of a page that this thread could not read since its last call.
    ///
    /// # Errors
    /// What was wrong with the first such page.
    pub fn check_pages(&self) -> Result<()> {
        memory::take_failure().map_or(Ok(()), Err)
    }

    fn place(&self, what: &str, chunk: u32) -> String {
        format!(
            "{what} of chunk {chunk} (steps {} to {})",
            self.first_step(chunk),
            self.first_step(chunk + 1)
        )
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // A cache is good whatever happened to the thread that held it.
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
