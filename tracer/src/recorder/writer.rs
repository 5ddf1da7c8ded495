//! The thread that packs and stores what the recorder hands over.
//!
//! Order within a chunk: code, keyframe, ledgers, log; behind the last chunk of a group its summaries. sled keeps the
//! order, so what survives a kill is a prefix, and a chunk with a log is whole.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};
use eradbg_vm::{Program, U256};

use crate::error::{Error, Result};
use crate::index::{self, GROUP_CHUNKS, Path as CodePath, Summary, Touched};
use crate::keyframe::Captured;
use crate::ledger::Rows;
use crate::listing::Listing;
use crate::log::{ChunkHeader, LogWriter};
use crate::manifest::{End, EndKind, Manifest, Seal};
use crate::recorder::Live;
use crate::report::{BatchReport, TransactionReport};
use crate::store::codec::Encoder;
use crate::store::database::Database;
use crate::store::envelope::Kind;
use crate::store::key;
use crate::store::series::Series;
use crate::store::tree::{Content, Tree};

/// Messages that may wait to be written before the machine waits.
const QUEUE: usize = 64;
/// How long the writer sleeps when there is nothing to write. The machine does not wake it, which would take longer than
/// filling a chunk.
const NAP: Duration = Duration::from_micros(250);
/// Chunks between seals, when they come fast.
const CHUNKS_PER_SEAL: u32 = 16;
/// Least time between seals.
const SEAL_AFTER: Duration = Duration::from_millis(250);
/// Greatest time between seals.
const SEAL_AT_LATEST: Duration = Duration::from_secs(1);
/// Seals between syncs against a loss of power.
const SEALS_PER_SYNC: u32 = 10;

/// A chunk: filled by the recorder, stored by the writer, and given back for the room in it.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub(super) index: u32,
    pub(super) header: ChunkHeader,
    pub(super) keyframe: Captured,
    pub(super) log: LogWriter,
    /// Code that it runs and no chunk before ran.
    pub(super) code: Vec<Arc<Program>>,
    pub(super) rows: Rows,
    pub(super) path: CodePath,
}

impl Chunk {
    /// Empties it, and keeps the room.
    fn emptied(mut self) -> Self {
        self.keyframe.clear();
        self.log.clear();
        self.code.clear();
        self.rows.clear();
        self
    }
}

/// What the recorder hands over.
#[derive(Debug)]
pub(super) enum Message {
    Chunk(Box<Chunk>),
    /// What came after the last chunk: rows only.
    Tail(Box<Chunk>),
    /// A transaction is done.
    Transaction(Box<TransactionReport>),
    /// The batch was closed.
    Batch(Box<BatchReport>),
    End(EndKind),
}

/// The recorder's end of the writer thread.
#[derive(Debug)]
pub(super) struct Writer {
    sender: Sender<Message>,
    /// Messages that were stored. They are freed by the thread that made them: one that frees another's memory makes it wait.
    stored: Receiver<Message>,
    /// Chunks that may be filled again, those that were used last at the end.
    spare: Vec<Chunk>,
    live: Live,
    failed: Arc<AtomicBool>,
    thread: JoinHandle<Result<()>>,
}

impl Writer {
    /// The database is made by the thread, while the machine runs already.
    pub(super) fn start(path: &Path, manifest: &Manifest, listings: &[Listing]) -> Result<Self> {
        Database::claim(path)?;
        let (sender, receiver) = bounded(QUEUE);
        // There are those that wait, and the one that is stored.
        let (giving_back, stored) = bounded(QUEUE + 1);
        let live = Live::new(manifest.clone());
        let failed = Arc::new(AtomicBool::new(false));
        let thread = std::thread::Builder::new().name("write-recording".to_owned());
        let thread = thread.spawn({
            let (path, manifest, listings) = (path.to_owned(), manifest.clone(), listings.to_vec());
            let (live, failed) = (live.clone(), Arc::clone(&failed));
            move || {
                let following = live.downgrade();
                let storing = Storing::start(&path, &manifest, &listings, live);
                let result = storing.and_then(|storing| storing.run(&receiver, &giving_back));
                if result.is_err() {
                    failed.store(true, Ordering::Relaxed);
                    following.break_off();
                }
                // Keep taking messages, so that the recorder never waits for a writer that has given up.
                receiver.iter().for_each(drop);
                result
            }
        });
        let thread = thread.map_err(|error| Error::Io {
            path: path.to_owned(),
            error,
        })?;
        Ok(Self {
            sender,
            stored,
            spare: Vec::new(),
            live,
            failed,
            thread,
        })
    }

    pub(super) fn send(&mut self, message: Message) {
        for message in self.stored.try_iter() {
            if let Message::Chunk(chunk) = message {
                self.spare.push(chunk.emptied());
            }
        }
        // The thread takes messages until the sender is gone, whatever happens.
        let sent = self.sender.send(message);
        sent.expect("the writer thread lives as long as its sender");
    }

    /// An empty chunk.
    pub(super) fn chunk(&mut self) -> Box<Chunk> {
        self.spare.pop().map(Box::new).unwrap_or_default()
    }

    pub(super) fn live(&self) -> Live {
        self.live.clone()
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    pub(super) fn finish(mut self, end: EndKind) -> Result<()> {
        self.send(Message::End(end));
        drop(self.sender);
        drop(self.live);
        match self.thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

struct Storing {
    database: Database,
    series: Series,
    live: Live,
    seal: Seal,
    first_steps: Vec<u64>,
    /// Of the chunks of the group that is not full yet.
    summaries: Vec<Summary>,
    reports: Reports,
    sealed_chunks: u32,
    last_seal: Instant,
    seals: u32,
}

impl Storing {
    fn start(path: &Path, manifest: &Manifest, listings: &[Listing], live: Live) -> Result<Self> {
        let database = Database::open_or_create(path, Content::Recording)?;
        let json = serde_json::to_vec(manifest).expect("a manifest is plain data");
        database.put(Tree::Meta, Kind::Manifest, key::MANIFEST, &json)?;
        for listing in listings {
            let key = key::code(listing.hash);
            database.put(Tree::Source, Kind::Source, &key, &listing.encode())?;
        }
        database.flush()?;
        live.opened(&database);
        Ok(Self {
            database,
            series: Series::default(),
            live,
            seal: Seal::default(),
            first_steps: Vec::new(),
            summaries: Vec::new(),
            reports: Reports::default(),
            sealed_chunks: 0,
            last_seal: Instant::now(),
            seals: 0,
        })
    }

    fn run(mut self, receiver: &Receiver<Message>, giving_back: &Sender<Message>) -> Result<()> {
        loop {
            let mut message = match receiver.try_recv() {
                Ok(message) => message,
                Err(TryRecvError::Empty) => {
                    std::thread::sleep(NAP);
                    continue;
                }
                Err(TryRecvError::Disconnected) => return Ok(()),
            };
            match &mut message {
                Message::Chunk(chunk) => {
                    self.store(chunk)?;
                    self.seal_if_due()?;
                }
                Message::Tail(chunk) => self.store_rows(chunk.index, &chunk.rows)?,
                Message::Transaction(report) => self.add_report(report)?,
                Message::Batch(report) => self.store_batch(std::mem::take(report))?,
                Message::End(kind) => {
                    let kind = kind.clone();
                    return self.end(kind);
                }
            }
            // The recorder may have ended.
            let _ = giving_back.try_send(message);
        }
    }

    fn store(&mut self, chunk: &mut Chunk) -> Result<()> {
        for program in &chunk.code {
            self.database.put(
                Tree::Code,
                Kind::Code,
                &key::code(program.hash()),
                &code_bytes(program.words()),
            )?;
        }
        let key = key::chunk(chunk.index);
        self.put_next(Tree::Keyframe, Kind::Keyframe, key, &chunk.keyframe.encode())?;
        self.store_rows(chunk.index, &chunk.rows)?;
        let log = chunk.log.encode(self.seal.chain, &chunk.header);
        let chain = self.put_next(Tree::Log, Kind::Log, key, &log)?;
        self.seal = Seal {
            chunks: chunk.index + 1,
            steps: chunk.header.first_step + u64::from(chunk.header.steps),
            chain,
        };
        self.first_steps.push(chunk.header.first_step);
        self.summarize(chunk);
        if self.summaries.len() as u32 == GROUP_CHUNKS {
            self.store_summaries()?;
        }
        Ok(())
    }

    fn add_report(&mut self, report: &TransactionReport) -> Result<()> {
        let key = key::reports(report.index);
        if self.reports.key != key {
            self.store_reports()?;
            self.reports = Reports {
                key,
                ..Reports::default()
            };
        }
        self.reports.add(report);
        Ok(())
    }

    /// Stores the reports of the last group, which may grow until the next seal.
    fn store_reports(&mut self) -> Result<()> {
        if std::mem::take(&mut self.reports.has_grown) {
            let (key, json) = (self.reports.key, self.reports.list());
            self.put_next(Tree::Report, Kind::Report, key, &json)?;
        }
        Ok(())
    }

    fn store_batch(&self, report: BatchReport) -> Result<()> {
        self.database
            .put(
                Tree::Report,
                Kind::Report,
                &key::BATCH_REPORT,
                &report.into_bytes(),
            )
            .map(drop)
    }

    fn put_next(&mut self, tree: Tree, kind: Kind, key: [u8; 4], raw: &[u8]) -> Result<u64> {
        self.series.put(&self.database, tree, kind, key, raw)
    }

    fn store_rows(&mut self, chunk: u32, rows: &Rows) -> Result<()> {
        for ((tree, kind), bytes) in rows.encode() {
            self.put_next(tree, kind, key::chunk(chunk), &bytes)?;
        }
        Ok(())
    }

    fn summarize(&mut self, chunk: &mut Chunk) {
        self.summaries.push(Summary {
            next_page: chunk.keyframe.next_page(),
            versions: chunk.keyframe.versions(),
            lives: chunk.keyframe.lives().clone(),
            path: Some(std::mem::take(&mut chunk.path)),
            touched: Some(Touched::by(&chunk.rows)),
        });
    }

    /// Stores the summaries of the group that the last chunk belongs to.
    fn store_summaries(&mut self) -> Result<()> {
        let summaries = std::mem::take(&mut self.summaries);
        let Some(last) = self.seal.chunks.checked_sub(1).filter(|_| !summaries.is_empty()) else {
            return Ok(());
        };
        let (key, bytes) = (key::group(last / GROUP_CHUNKS), index::encode_group(&summaries));
        self.put_next(Tree::Index, Kind::Index, key, &bytes).map(drop)
    }

    fn seal_if_due(&mut self) -> Result<()> {
        let (new, waited) = (self.seal.chunks - self.sealed_chunks, self.last_seal.elapsed());
        if new >= CHUNKS_PER_SEAL && waited >= SEAL_AFTER || new > 0 && waited >= SEAL_AT_LATEST {
            self.put_seal()?;
            self.flush()?;
        }
        Ok(())
    }

    /// It is true once it can be read, since sled keeps the order.
    fn put_seal(&mut self) -> Result<()> {
        self.store_reports()?;
        let seal = self.seal.encode();
        self.database
            .put(Tree::Meta, Kind::Seal, key::SEAL, &seal)
            .map(drop)
    }

    /// Makes what is sealed survive, and tells those who follow.
    fn flush(&mut self) -> Result<()> {
        self.database.flush()?;
        self.live.seal(self.seal, &self.first_steps);
        self.seals += 1;
        if self.seals.is_multiple_of(SEALS_PER_SYNC) {
            self.database.sync()?;
        }
        self.sealed_chunks = self.seal.chunks;
        self.last_seal = Instant::now();
        Ok(())
    }

    fn end(mut self, kind: EndKind) -> Result<()> {
        self.store_summaries()?;
        self.put_seal()?;
        let end = End {
            seal: self.seal,
            first_steps: self.first_steps.clone(),
            kind: kind.clone(),
        };
        self.database
            .put(Tree::Meta, Kind::End, key::END, &end.encode())?;
        self.flush()?;
        self.live.end(kind);
        if self.live.let_go() {
            self.database.close()
        } else {
            // Whoever follows it goes on reading.
            self.database.sync()
        }
    }
}

/// Reports of the group of transactions that is not full yet, as JSON.
#[derive(Default)]
struct Reports {
    key: [u8; 4],
    /// One after the other, each behind a comma.
    json: Vec<u8>,
    /// Whether there are some that were not stored.
    has_grown: bool,
}

impl Reports {
    fn add(&mut self, report: &TransactionReport) {
        self.json.push(b',');
        serde_json::to_writer(&mut self.json, report).expect("a report is plain data");
        self.has_grown = true;
    }

    fn list(&self) -> Vec<u8> {
        [b"[", &self.json[1..], b"]"].concat()
    }
}

/// Code as it is stored: its words, 32 bytes each.
pub(crate) fn code_bytes(words: &[U256]) -> Vec<u8> {
    let mut e = Encoder::default();
    e.blob(&eradbg_vm::bytecode::words_to_bytes(words));
    e.into_bytes()
}
