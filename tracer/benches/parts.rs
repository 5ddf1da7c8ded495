//! What the parts of a recording cost by themselves: columns of logs and rows, pages of keyframes, envelopes, the store.
//!
//! `cargo bench -p eradbg-tracer --bench parts`, on a real batch where the vectors are, on eradbg's own otherwise. A harness
//! of its own, since keyframes are captured in the course of a run; medians of [`RUNS`] runs.

#[path = "../tests/support.rs"]
mod support;

use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use eradbg_tracer::drive::{Session, Sink};
use eradbg_tracer::keyframe::{Captured, Keyframe};
use eradbg_tracer::ledger::Rows;
use eradbg_tracer::log::{ChunkHeader, ChunkLog, LogWriter};
use eradbg_tracer::source::Script;
use eradbg_tracer::store::database::Database;
use eradbg_tracer::store::disk::disk_bytes;
use eradbg_tracer::store::envelope::{self, Kind};
use eradbg_tracer::store::tree::{Content, Tree};
use eradbg_vm::observer::Marks;
use eradbg_vm::{Answer, Execution, Observer};
use support::{Input, Random, mini_retried, record, vectors};

const RUNS: usize = 5;
const CHUNK_STEPS: u64 = 16_384;
/// Values that the stores take, and bytes of each.
const VALUES: u64 = 20_000;
const VALUE_BYTES: usize = 4 << 10;
/// Values that are made durable together: what a seal covers.
const SEAL: u64 = 160;

fn main() {
    let input = vectors(&["perf_transfers_250"]).pop();
    let input = input.unwrap_or_else(mini_retried);
    println!("Of {}:\n\n| part | ns | for each |\n|---|---|---|", input.name);
    print_parts(&input);
    println!("\n{VALUES} values of {VALUE_BYTES} bytes, synced once at the end:\n");
    println!("| store | time / plain file | bytes / plain file |\n|---|---|---|");
    print_stores();
}

/// Gathers what a recorder hands over, chunk by chunk.
#[derive(Debug, Default)]
struct Gatherer {
    position: u64,
    next_chunk: u64,
    answers: Vec<Vec<Answer>>,
    keyframes: Vec<Captured>,
    capturing: Duration,
}

impl Observer for Gatherer {
    const WATCHES: bool = false;

    fn pause_after(&self) -> u64 {
        self.next_chunk - self.position
    }

    fn pause(&mut self, marks: Marks<'_>) -> ControlFlow<()> {
        if self.pause_after() == 0 {
            let start = Instant::now();
            self.keyframes.push(Captured::new(marks));
            self.capturing += start.elapsed();
            self.next_chunk = self.position + CHUNK_STEPS;
            self.answers.push(Vec::new());
        }
        ControlFlow::Continue(())
    }

    fn after_step(&mut self, execution: &Execution) {
        self.position = execution.steps();
    }

    fn answered(&mut self, answer: &Answer) {
        if let Some(answers) = self.answers.last_mut() {
            answers.push(*answer);
        }
    }
}

impl Sink for Gatherer {
    type Observer = Self;

    fn observer(&mut self) -> &mut Self {
        self
    }
}

fn print_parts(input: &Input) {
    let gather = || {
        let mut session = Session::new(input.batch.clone(), Script::default(), Gatherer::default());
        session.drive(&input.config).expect("the batch runs");
        session.into_parts().0
    };
    let mut capturing: Vec<Duration> = (1..RUNS).map(|_| gather().capturing).collect();
    let gathered = gather();
    capturing.push(gathered.capturing);
    let steps = gathered.position as f64;
    let keyframes: Vec<Vec<u8>> = gathered.keyframes.iter().map(Captured::encode).collect();
    let pages: usize = gathered
        .keyframes
        .iter()
        .map(|keyframe| keyframe.versions().len())
        .sum();
    let line = |what: &str, time: Duration, count: f64, unit: &str| {
        println!("| {what} | {:.2} | {unit} |", time.as_nanos() as f64 / count);
    };
    line(
        "keyframes: capture",
        median(capturing),
        pages as f64,
        "changed page",
    );
    let encoding = timed(|| {
        gathered
            .keyframes
            .iter()
            .map(|keyframe| keyframe.encode().len())
            .sum()
    });
    line("keyframes: encode", encoding, pages as f64, "changed page");
    let decoding = timed(|| {
        let decoded = keyframes
            .iter()
            .map(|bytes| Keyframe::decode(bytes).expect("it was encoded"));
        decoded.map(|keyframe| keyframe.pages.len()).sum()
    });
    line("keyframes: decode", decoding, pages as f64, "changed page");

    let header = ChunkHeader {
        first_step: 0,
        steps: CHUNK_STEPS as u32,
        digest: 0,
        after_rollback: false,
    };
    let write = |answers: &Vec<Answer>| {
        let mut log = LogWriter::default();
        for answer in answers {
            log.answer(answer);
        }
        log.encode(0, &header)
    };
    let logs: Vec<Vec<u8>> = gathered.answers.iter().map(write).collect();
    let encoding = timed(|| gathered.answers.iter().map(|answers| write(answers).len()).sum());
    line("logs: encode", encoding, steps, "step");
    let decoding = timed(|| {
        let decoded = logs
            .iter()
            .map(|bytes| ChunkLog::decode(bytes).expect("it was encoded"));
        decoded.map(|log| log.end() as usize).sum()
    });
    line("logs: decode", decoding, steps, "step");

    let recorded = record(input, CHUNK_STEPS as u32);
    let chunks = 0..recorded.recording.chunks();
    let rows: Vec<Rows> = chunks
        .map(|chunk| recorded.recording.all_rows(chunk).expect("it was just recorded"))
        .collect();
    let encoded: Vec<_> = rows.iter().map(Rows::encode).collect();
    let encoding = timed(|| rows.iter().map(|rows| rows.encode().len()).sum());
    line("rows: encode", encoding, steps, "step");
    let decoding = timed(|| {
        let decoded = encoded.iter().map(|[(_, ledger), (_, overview)]| {
            let mut rows = Rows::default();
            rows.decode_ledger(ledger).expect("it was encoded");
            rows.decode_overview(overview).expect("it was encoded");
            rows.calls.len()
        });
        decoded.sum()
    });
    line("rows: decode", decoding, steps, "step");

    let values: Vec<&[u8]> = encoded
        .iter()
        .flatten()
        .map(|(_, bytes)| &bytes[..])
        .chain(keyframes.iter().map(|bytes| &bytes[..]))
        .chain(logs.iter().map(|bytes| &bytes[..]))
        .collect();
    let pack = |value: &&[u8]| envelope::pack(Kind::Log, b"key", value);
    let packed: Vec<Vec<u8>> = values.iter().map(pack).collect();
    let packing = timed(|| values.iter().map(|value| pack(value).len()).sum());
    line("envelopes of these: pack", packing, steps, "step");
    let unpacking = timed(|| {
        let unpacked = packed
            .iter()
            .map(|value| envelope::unpack(Kind::Log, b"key", value).expect("it was packed"));
        unpacked.map(|value| value.len()).sum()
    });
    line("envelopes of these: unpack", unpacking, steps, "step");
}

/// A way to store values.
type Store = fn(&Path);

fn print_stores() {
    let stores: [(&str, Store); 4] = [
        ("plain file", fill_file),
        ("sled, as it is set up here", fill_sled),
        ("redb", fill_redb),
        ("fjall", fill_fjall),
    ];
    let measured = stores.map(|(name, fill)| {
        let mut bytes = 0;
        let times = (0..RUNS).map(|_| {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let start = Instant::now();
            fill(folder.path());
            let took = start.elapsed();
            bytes = disk_bytes(folder.path());
            took
        });
        (name, median(times.collect()), bytes)
    });
    let (_, file_time, file_bytes) = measured[0];
    for (name, time, bytes) in measured {
        let time = time.as_secs_f64() / file_time.as_secs_f64();
        let bytes = bytes as f64 / file_bytes as f64;
        println!("| {name} | {time:.1} | {bytes:.2} |");
    }
}

/// A key and a value that does not compress.
fn values() -> impl Iterator<Item = (u64, Vec<u8>)> {
    let mut random = Random(1);
    (0..VALUES).map(move |index| {
        let words = (0..VALUE_BYTES / 8).flat_map(|_| random.below(u64::MAX).to_le_bytes());
        (index, words.collect())
    })
}

fn fill_file(folder: &Path) {
    let file = File::create(folder.join("file")).expect("a new file");
    let mut file = BufWriter::new(file);
    for (key, value) in values() {
        let written = file
            .write_all(&key.to_be_bytes())
            .and_then(|()| file.write_all(&value));
        written.expect("it is written");
    }
    let file = file.into_inner().expect("it is written");
    file.sync_all().expect("it is written");
}

fn fill_sled(folder: &Path) {
    let database = Database::create(&folder.join("sled"), Content::Recording).expect("a new database");
    for (key, value) in values() {
        let written = database.put_raw(Tree::Log, &key.to_be_bytes(), value);
        written.expect("it is written");
        if key % SEAL == 0 {
            database.flush().expect("it is written");
        }
    }
    database.flush().expect("it is written");
    database.close().expect("it is written");
}

fn fill_redb(folder: &Path) {
    const TABLE: redb::TableDefinition<'_, u64, &[u8]> = redb::TableDefinition::new("values");
    let database = redb::Database::create(folder.join("redb")).expect("a new database");
    let mut values = values().peekable();
    while values.peek().is_some() {
        let mut transaction = database.begin_write().expect("nobody else writes");
        transaction
            .set_durability(redb::Durability::None)
            .expect("it is new");
        {
            let mut table = transaction.open_table(TABLE).expect("it is ours");
            for (key, value) in values.by_ref().take(SEAL as usize) {
                table.insert(key, &value[..]).expect("it is written");
            }
        }
        transaction.commit().expect("it is written");
    }
    database
        .begin_write()
        .expect("nobody else writes")
        .commit()
        .expect("it is written");
}

fn fill_fjall(folder: &Path) {
    let keyspace = fjall::Config::new(folder.join("fjall"))
        .open()
        .expect("a new database");
    let partition = keyspace
        .open_partition("values", fjall::PartitionCreateOptions::default())
        .expect("a new tree");
    for (key, value) in values() {
        partition.insert(key.to_be_bytes(), value).expect("it is written");
        if key % SEAL == 0 {
            keyspace
                .persist(fjall::PersistMode::Buffer)
                .expect("it is written");
        }
    }
    keyspace
        .persist(fjall::PersistMode::SyncAll)
        .expect("it is written");
}

/// Median time of some work, whose result is only there to be needed.
fn timed(work: impl Fn() -> usize) -> Duration {
    let times = (0..RUNS).map(|_| {
        let start = Instant::now();
        black_box(work());
        start.elapsed()
    });
    median(times.collect())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
