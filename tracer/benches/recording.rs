//! Speed of plain execution, recording and seeking on the large vectors, beside peers in the same run: `zksync_vm2` with a
//! tracer that counts instructions, and a plain file that takes the same values as the database.
//!
//! `cargo bench -p eradbg-tracer --bench recording` (needs the vectors). A harness of its own, since seeks are judged by
//! percentiles and recording by its ratio to plain execution in the same run; medians of [`RUNS`] runs.

#[path = "../../vm/benches/speed/batches.rs"]
#[allow(dead_code, reason = "shared with the benchmark of the machine")]
mod batches;
#[path = "../../vm/benches/speed/run.rs"]
#[allow(dead_code, reason = "shared with the benchmark of the machine")]
mod run;
#[path = "../tests/support.rs"]
mod support;
#[path = "../../vm/benches/speed/world.rs"]
#[allow(dead_code, reason = "shared with the benchmark of the machine")]
mod world;

use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use eradbg_tracer::Timeline;
use eradbg_tracer::drive::Session;
use eradbg_tracer::source::Script;
use eradbg_tracer::store::database::Database;
use eradbg_tracer::store::tree::{Content, Tree};
use eradbg_tracer::timeline::Direction;
use run::{Case, Peer};
use support::{Input, Recorded, record, vectors};
use zksync_vm2::interface::{GlobalStateInterface, OpcodeType, ShouldStop, Tracer};

const RUNS: usize = 7;
const SEEKS: usize = 3_000;

fn main() {
    let inputs = vectors(&["mixed_batch_a", "perf_transfers_250", "perf_loop_80m_gas"]);
    println!(
        "| input | steps | plain, M steps/s | record / plain | and closing | record / zksync_vm2 that counts | B/step on disk |"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut recordings = Vec::new();
    for input in &inputs {
        let mut times = [const { Vec::new() }; 4];
        let mut steps = 0;
        let case = batches::vector(&input.name).expect("it was loaded before");
        for _ in 0..RUNS {
            let mut session = Session::new(input.batch.clone(), Script::default(), ());
            let start = Instant::now();
            session.drive(&input.config).expect("the vector runs");
            let plain = start.elapsed();
            steps = session.into_parts().1.execution.steps();
            let (flushed, closed) = time_recording(input);
            let counted = time_counting(&case);
            for (times, time) in times.iter_mut().zip([plain, flushed, closed, counted]) {
                times.push(time);
            }
        }
        let [plain, flushed, closed, counted] = times.map(median);
        let result = record(input, 16_384);
        let per_step = result.recording.disk_bytes() as f64 / steps as f64;
        let speed = steps as f64 / plain.as_secs_f64() / 1e6;
        let over = |time: Duration, peer: Duration| time.as_secs_f64() / peer.as_secs_f64();
        let ratios = [over(flushed, plain), over(closed, plain), over(flushed, counted)];
        let [over_plain, and_closing, over_peer] = ratios;
        println!(
            "| {} | {steps} | {speed:.1} | {over_plain:.2} | {and_closing:.2} | {over_peer:.2} | {per_step:.2} |",
            input.name
        );
        recordings.push((input.name.clone(), result));
    }
    println!("\nresident memory after recording: {} MB", resident_megabytes());
    println!("\n| input | seek p50 | seek p99 | cold first seek | step forward | step back |");
    println!("|---|---|---|---|---|---|");
    for (name, result) in &recordings {
        print_seeks(name, result);
    }
    println!("\nresident memory after all seeks: {} MB", resident_megabytes());
    println!("\n| values of | bytes | database / file, time | database / file, bytes |");
    println!("|---|---|---|---|");
    for (name, result) in recordings {
        compare_with_file(&name, result);
    }
}

/// Counts instructions: the least that a tracer does.
#[derive(Debug, Default)]
struct Counting(u64);

impl Tracer for Counting {
    fn after_instruction<O: OpcodeType, S: GlobalStateInterface>(&mut self, _: &mut S) -> ShouldStop {
        self.0 += 1;
        ShouldStop::Continue
    }
}

/// Time of the official fast VM with a tracer, the machine only.
fn time_counting(case: &Case) -> Duration {
    let mut peer = Peer::new(case, Counting::default());
    let start = Instant::now();
    peer.run(case);
    let took = start.elapsed();
    black_box(peer);
    took
}

/// Writes the values of a recording into a new database, and into a plain file; each up to its last sync.
fn compare_with_file(name: &str, recorded: Recorded) {
    let Recorded {
        recording, folder, ..
    } = recorded;
    let path = recording.path().to_owned();
    drop(recording);
    let values = {
        let database = Database::open(&path, Content::Recording).expect("it was just recorded");
        let mut values = Vec::new();
        for &tree in Content::Recording.trees() {
            for key in database.keys(tree).expect("a good recording") {
                let value = database.raw(tree, &key).expect("a good recording");
                values.push((tree, key, value.expect("the key is there")));
            }
        }
        values
    };
    let bytes: usize = values.iter().map(|(_, key, value)| key.len() + value.len()).sum();
    let in_database: Vec<_> = (0..RUNS).map(|_| time_of_database(&values)).collect();
    let in_file: Vec<_> = (0..RUNS).map(|_| time_of_file(&values)).collect();
    let time = median(in_database).as_secs_f64() / median(in_file).as_secs_f64();
    let size = directory_bytes(&values) as f64 / bytes as f64;
    println!("| {name} | {bytes} | {time:.1} | {size:.2} |");
    drop(folder);
}

/// A tree, a key in it, and its value.
type Stored = (Tree, Vec<u8>, Vec<u8>);

fn time_of_database(values: &[Stored]) -> Duration {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let start = Instant::now();
    drop(fill(values, &folder.path().join("database")));
    start.elapsed()
}

fn fill(values: &[Stored], path: &std::path::Path) -> Database {
    let database = Database::create(path, Content::Recording).expect("a new database");
    for (tree, key, value) in values {
        database
            .put_raw(*tree, key, value.clone())
            .expect("it is written");
    }
    database.flush().expect("it is written");
    database.sync().expect("it is written");
    database
}

fn directory_bytes(values: &[Stored]) -> u64 {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("database");
    drop(fill(values, &path));
    eradbg_tracer::store::disk::disk_bytes(&path)
}

fn time_of_file(values: &[Stored]) -> Duration {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let start = Instant::now();
    let file = File::create(folder.path().join("file")).expect("a new file");
    let mut file = BufWriter::new(file);
    for (_, key, value) in values {
        for part in [key, value] {
            let length = (part.len() as u32).to_be_bytes();
            file.write_all(&length)
                .and_then(|()| file.write_all(part))
                .expect("it is written");
        }
    }
    let file = file.into_inner().expect("it is written");
    file.sync_all().expect("it is written");
    start.elapsed()
}

/// Time of a recorded run until the last flush, and until the recording is closed.
fn time_recording(input: &Input) -> (Duration, Duration) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let manifest = support::manifest(input, 16_384);
    let control = Arc::new(eradbg_tracer::recorder::Control::new(Arc::default()));
    let path = folder.path().join("recording");
    let start = Instant::now();
    let recorder =
        eradbg_tracer::recorder::Recorder::create(&path, &manifest, &[], control).expect("a new recording");
    let mut session = Session::new(input.batch.clone(), Script::default(), recorder);
    session.drive(&input.config).expect("the vector runs");
    let (recorder, machine) = session.into_parts();
    let live = recorder.live();
    let flushed = std::thread::scope(|scope| {
        let flushing = scope.spawn(|| {
            while !live.is_over() {
                std::thread::sleep(Duration::from_micros(20));
            }
            start.elapsed()
        });
        recorder
            .finish(&machine.execution, eradbg_tracer::manifest::EndKind::Finished)
            .expect("it is written");
        flushing.join().expect("it only waits")
    });
    drop(live);
    (flushed, start.elapsed())
}

fn print_seeks(name: &str, result: &Recorded) {
    let steps = result.recording.steps();
    let start = Instant::now();
    let mut timeline = Timeline::new(result.recording.clone()).expect("it can be stepped");
    timeline.seek(steps / 2).expect("a good recording");
    let cold = start.elapsed();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut seeks = Vec::new();
    for _ in 0..SEEKS {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let target = (random >> 16) % (steps + 1);
        let start = Instant::now();
        timeline.seek(target).expect("a good recording");
        black_box(timeline.execution().registers());
        seeks.push(start.elapsed());
    }
    seeks.sort_unstable();
    let (p50, p99) = (seeks[SEEKS / 2], seeks[SEEKS * 99 / 100]);
    let mut walk = |direction| {
        timeline.seek(steps / 2 + 5_000).expect("a good recording");
        let start = Instant::now();
        for _ in 0..1_000 {
            timeline.step(direction, 1).expect("a good recording");
        }
        start.elapsed() / 1_000
    };
    let (forward, back) = (walk(Direction::Forward), walk(Direction::Backward));
    println!("| {name} | {p50:.2?} | {p99:.2?} | {cold:.2?} | {forward:.2?} | {back:.2?} |");
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Resident memory now; 0 where the system does not say.
fn resident_megabytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok())
        .map_or(0, |kb| kb / 1024)
}
