//! Recordings of 100 thousand to 100 million steps: what writing, opening, seeking and searching them takes.
//!
//! `cargo bench -p eradbg-tracer --bench scale` prints tables and a plot; `-- loop 1M 100M` measures only these. Three
//! kinds: a loop of arithmetic, stack and heap, the same under ten thousand near calls, and transfers on the real
//! bootloader and contracts (on eradbg's own where the vectors are not). Each measurement is a process of its own, so that
//! its memory is its own too. `-- answers transfers 10M DIR` records into DIR if need be, and asks each question twice.

mod answers;
mod input;
#[path = "../../tests/support/real_base.rs"]
mod real_base;
#[path = "../../tests/support.rs"]
mod support;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use eradbg_tracer::delta::Change;
use eradbg_tracer::drive;
use eradbg_tracer::index::{Executed, PcSet};
use eradbg_tracer::ledger::StateRow;
use eradbg_tracer::numbers::parse_count;
use eradbg_tracer::query::{Found, Origin, PlacePattern, Query, Search};
use eradbg_tracer::recorder::{Control, Recorder};
use eradbg_tracer::store::database::Database;
use eradbg_tracer::store::key;
use eradbg_tracer::store::tree::{Content, Tree};
use eradbg_tracer::timeline::Direction;
use eradbg_tracer::verify::verify;
use eradbg_tracer::{Recording, Timeline};
use eradbg_vm::Execution;
use support::Random;

const LENGTHS: [&str; 4] = ["100k", "1M", "10M", "100M"];
/// Runs of which medians are taken.
const RUNS: usize = 5;
const SEEKS: usize = 3_000;
/// Edges of chunks that are crossed.
const EDGES: usize = 400;
const QUESTIONS: usize = 400;
/// Width of the longest bar.
const WIDTH: f64 = 40.0;

/// A name, and what is plotted under it.
type Plot = (&'static str, fn(&Measured) -> f64);

/// What a process measured, by name.
type Measured = BTreeMap<String, f64>;

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    if let [
        mode @ ("plain" | "record" | "view" | "killed" | "answers"),
        kind,
        length,
        folder,
    ] = arguments.iter().map(String::as_str).collect::<Vec<_>>()[..]
    {
        let length = parse_count(length).expect("a length");
        let measured = match mode {
            "plain" => plain(kind, length, Path::new(folder)),
            "record" => record(kind, length, Path::new(folder)),
            "killed" => killed(Path::new(folder)),
            "answers" => answers::answers(kind, length, Path::new(folder)),
            _ => view(Path::new(folder)),
        };
        println!("{}", serde_json::to_string(&measured).expect("plain data"));
        return;
    }
    let kinds = ["loop", "deep", "transfers"];
    let wanted = |list: &[&str]| -> Vec<String> {
        let named = |word: &&str| arguments.iter().any(|argument| argument == word);
        let none = !arguments.iter().any(|argument| list.contains(&&argument[..]));
        list.iter()
            .filter(|word| none || named(word))
            .map(ToString::to_string)
            .collect()
    };
    for kind in wanted(&kinds) {
        let mut all = Vec::new();
        for length in wanted(&LENGTHS) {
            all.push(measure(&kind, &length));
        }
        print_tables(&kind, &all);
    }
}

/// Measures one length of one kind, each measurement in a process of its own: medians of [`RUNS`] runs where the machine
/// runs, plain and recorded in turn.
fn measure(kind: &str, length: &str) -> Measured {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let process = |mode: &str| -> Measured {
        let program = std::env::current_exe().expect("the program's own path");
        let output = Command::new(program)
            .args([mode, kind, length])
            .arg(folder.path())
            .output()
            .expect("the program starts again");
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().last().unwrap_or_default();
        let measured: Measured = serde_json::from_str(line)
            .unwrap_or_else(|_| panic!("{mode}: {}", String::from_utf8_lossy(&output.stderr)));
        let named = measured.into_iter();
        named
            .map(|(name, value)| (format!("{mode}.{name}"), value))
            .collect()
    };
    let mut runs: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for _ in 0..RUNS {
        // The last recording stays for whoever reads it.
        let _ = std::fs::remove_dir_all(recording_in(folder.path()));
        for (name, value) in process("plain").into_iter().chain(process("record")) {
            runs.entry(name).or_default().push(value);
        }
    }
    let medians = runs.into_iter().map(|(name, mut values)| {
        values.sort_unstable_by(f64::total_cmp);
        (name, values[values.len() / 2])
    });
    let measured = medians.chain(process("view")).chain(process("killed")).collect();
    eprintln!("{kind} {length} is measured");
    measured
}

fn plain(kind: &str, length: u64, folder: &Path) -> Measured {
    let input = input::input(kind, length, folder);
    let start = Instant::now();
    let (driven, _) = drive::run(input.batch, input.script, &input.config);
    assert!(driven.end.is_ok(), "{:?}", driven.end);
    let took = start.elapsed();
    let steps = driven.machine.execution.steps() as f64;
    measured([
        ("seconds", took.as_secs_f64()),
        ("steps", steps),
        ("peak MB", peak_megabytes()),
    ])
}

fn record(kind: &str, length: u64, folder: &Path) -> Measured {
    let input = input::input(kind, length, folder);
    let manifest = support::manifest(&input, 16_384);
    let control = Arc::new(Control::new(Arc::default()));
    let start = Instant::now();
    let path = recording_in(folder);
    let recorder = Recorder::create(&path, &manifest, &[], control).expect("a new recording");
    let driven = drive::record(input.batch, input.script, &input.config, recorder).expect("it is written");
    assert!(driven.end.is_ok(), "{:?}", driven.end);
    measured([
        ("seconds", start.elapsed().as_secs_f64()),
        ("peak MB", peak_megabytes()),
    ])
}

fn recording_in(folder: &Path) -> PathBuf {
    folder.join("recording")
}

fn view(folder: &Path) -> Measured {
    let start = Instant::now();
    let recording = Recording::open(&recording_in(folder)).expect("it was recorded");
    let open = start.elapsed();
    let steps = recording.steps();
    let start = Instant::now();
    let mut timeline = Timeline::new(recording.clone()).expect("it can be stepped");
    timeline.seek(steps / 2).expect("a good recording");
    let first_seek = start.elapsed();

    let mut random = Random(1);
    let (mut seeks, mut states) = (Vec::new(), Vec::new());
    for _ in 0..SEEKS {
        let target = random.below(steps + 1);
        let start = Instant::now();
        timeline.seek(target).expect("a good recording");
        look(timeline.execution());
        seeks.push(start.elapsed());
        black_box(timeline.state());
        states.push(start.elapsed());
    }
    let (seeks, states) = (Sorted::new(seeks), Sorted::new(states));
    let memory = resident_megabytes();
    let edges = edges(&recording, &mut timeline, &mut random);
    let origins = origins(&recording, &mut timeline, &mut random);
    let slots = slot_origins(&recording, &mut random);

    let query = unreached(&recording);
    let search = Search::new(&recording, [query.expr()], Direction::Forward).expect("it can be searched");
    let start = Instant::now();
    let found = search
        .first(&AtomicBool::new(false), &mut |_| {})
        .expect("a good recording");
    assert_eq!(found, Found::Nothing);
    let never = start.elapsed();
    let start = Instant::now();
    let check = || verify(&recording, |_| ControlFlow::Continue(()));
    let findings = check();
    assert_eq!(findings.broken, Vec::<String>::new());
    let verified = start.elapsed();
    let one_core = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let start = Instant::now();
    one_core.expect("one thread").install(check);
    let verified_alone = start.elapsed();
    measured([
        ("open ms", millis(open)),
        ("first seek ms", millis(first_seek)),
        ("seek p50 ms", seeks.at(50)),
        ("seek p99 ms", seeks.at(99)),
        ("state p50 ms", states.at(50)),
        ("state p99 ms", states.at(99)),
        ("edge p50 ms", edges.at(50)),
        ("edge p99 ms", edges.at(99)),
        ("last writer p50 ms", origins.at(50)),
        ("last writer p99 ms", origins.at(99)),
        ("slot writer p50 ms", slots.at(50)),
        ("slot writer p99 ms", slots.at(99)),
        ("never ms", millis(never)),
        ("verify seconds", verified.as_secs_f64()),
        ("verify alone seconds", verified_alone.as_secs_f64()),
        ("MB after seeks", memory),
        ("MB at the end", resident_megabytes()),
        ("bytes", recording.disk_bytes() as f64),
    ])
}

/// Looks at registers and frames, at the page of the stack that is in use, and at the first 4 KiB of the heap.
fn look(execution: &Execution) {
    black_box(execution.registers());
    black_box(execution.frames().map(|frame| frame.ergs).sum::<u32>());
    let frame = execution.frame();
    for slot in frame.sp.saturating_sub(32)..frame.sp {
        black_box(frame.stack.read(slot));
    }
    let mut bytes = [0; 4096];
    execution.heaps().at(frame.heap).read_bytes(0, &mut bytes);
    black_box(bytes);
}

/// A breakpoint that is never hit, amid instructions that were executed.
fn unreached(recording: &Recording) -> Query {
    let mut executed: BTreeMap<_, BTreeMap<u16, u64>> = BTreeMap::new();
    let groups = (0..recording.groups()).map(|group| recording.group(group));
    for path in groups.flat_map(|group| group.iter().filter_map(|it| it.path.clone()).collect::<Vec<_>>()) {
        for Executed { code, instructions } in path.code {
            let of_code = executed.entry(code).or_default();
            for &(number, bits) in instructions.words() {
                *of_code.entry(number).or_default() |= bits;
            }
        }
    }
    let holes = executed.iter().flat_map(|(code, words)| {
        let holes = words.iter().filter(|&(_, &bits)| bits != u64::MAX);
        holes.map(|(&number, &bits)| {
            (
                bits.count_ones(),
                code.address,
                number * PcSet::WORD + bits.trailing_ones() as u16,
            )
        })
    });
    let (_, address, pc) = holes.max().expect("no code is executed as a whole");
    Query::new(&format!("pc = {pc} and address {address:#x}")).expect("a query")
}

/// Time of single steps from one chunk into another, forward and backward in turn.
fn edges(recording: &Recording, timeline: &mut Timeline, random: &mut Random) -> Sorted {
    let between = u64::from(recording.chunks()) - 1;
    let took = (0..EDGES).map(|at| {
        let edge = recording.first_step(1 + random.below(between) as u32);
        let (from, direction) = match at % 2 {
            0 => (edge, Direction::Forward),
            _ => (edge + 1, Direction::Backward),
        };
        timeline.seek(from).expect("a good recording");
        let start = Instant::now();
        timeline.step(direction, 1).expect("a good recording");
        start.elapsed()
    });
    Sorted::new(took.collect())
}

/// Opens a recording that was never finished: it has no end mark.
fn killed(folder: &Path) -> Measured {
    let path = recording_in(folder);
    let database = Database::open(&path, Content::Recording).expect("it was recorded");
    database
        .remove(Tree::Meta, key::END)
        .expect("it can be written to");
    drop(database);
    let start = Instant::now();
    let recording = Recording::open(&path).expect("it goes as far as it goes");
    let open = start.elapsed();
    assert!(!recording.is_complete() && recording.steps() > 0);
    measured([("open ms", millis(open))])
}

/// Time of asking for the last writer of registers, stack slots and heap words, from some later step.
fn origins(recording: &Recording, timeline: &mut Timeline, random: &mut Random) -> Sorted {
    let steps = recording.steps();
    let mut took = Vec::new();
    while took.len() < QUESTIONS {
        let step = random.below(steps - 1);
        timeline.seek(step + 1).expect("a good recording");
        let frame = timeline.execution().frame().far_entered_at();
        let place = timeline.last_changes().iter().find_map(|change| match *change {
            Change::Register { index, .. } => Some(PlacePattern::Register(Some(index))),
            Change::Stack { slot, .. } => Some(PlacePattern::Stack {
                frame: Some(frame),
                slot: Some(slot),
            }),
            Change::Memory { page, offset, .. } => Some(PlacePattern::Heap {
                page: Some(page),
                bytes: Some(u64::from(offset)..u64::from(offset) + 32),
            }),
            _ => None,
        });
        let Some(place) = place else { continue };
        let later = step + 1 + random.below((steps - step).min(1_000_000));
        took.push(time_of_origin(recording, later, &place));
    }
    Sorted::new(took)
}

fn slot_origins(recording: &Recording, random: &mut Random) -> Sorted {
    let mut took = Vec::new();
    for _ in 0..QUESTIONS * 4 {
        let chunk = random.below(recording.chunks().into()) as u32;
        let rows = recording.rows::<StateRow>(chunk).expect("a good recording");
        let key = rows.iter().find_map(|row| match &row.row {
            StateRow::Storage(access) if access.new.is_some() => Some(access.key),
            _ => None,
        });
        let Some(key) = key else { continue };
        let first = recording.first_step(chunk + 1);
        let later = first + random.below(recording.steps() - first + 1);
        let place = PlacePattern::Storage {
            address: Some(key.address),
            slot: Some(key.key),
        };
        took.push(time_of_origin(recording, later, &place));
    }
    Sorted::new(took)
}

fn time_of_origin(recording: &Recording, position: u64, place: &PlacePattern) -> Duration {
    let start = Instant::now();
    let found = Origin::LastWrite
        .find(recording, position, place, &AtomicBool::new(false), &mut |_| {})
        .expect("a good recording");
    let took = start.elapsed();
    assert!(matches!(found, Found::Hit(_)), "{place} at {position}");
    took
}

fn print_tables(kind: &str, all: &[Measured]) {
    println!("\n### {kind}\n");
    println!(
        "| steps | plain, M steps/s | record / plain | recorder, MB | B/step | open | open, killed | first seek | seek p50 / p99 | with VMState p50 / p99 | across an edge p50 / p99 | last writer p50 / p99 | slot writer p50 / p99 | never hit | verify, M steps/s: all cores / one | viewer, MB |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    for measured in all {
        let of = |name: &str| measured.get(name).copied().unwrap_or(f64::NAN);
        let steps = of("plain.steps");
        println!(
            "| {:.1} M | {:.1} | {:.2} | {:+.0} | {:.2} | {:.1} ms | {:.1} ms | {:.1} ms | {:.2} / {:.2} ms | {:.2} / {:.2} ms | {:.2} / {:.2} ms | {:.2} / {:.2} ms | {:.2} / {:.2} ms | {:.1} ms | {:.1} / {:.1} | {:.0} |",
            steps / 1e6,
            steps / of("plain.seconds") / 1e6,
            of("record.seconds") / of("plain.seconds"),
            of("record.peak MB") - of("plain.peak MB"),
            of("view.bytes") / steps,
            of("view.open ms"),
            of("killed.open ms"),
            of("view.first seek ms"),
            of("view.seek p50 ms"),
            of("view.seek p99 ms"),
            of("view.state p50 ms"),
            of("view.state p99 ms"),
            of("view.edge p50 ms"),
            of("view.edge p99 ms"),
            of("view.last writer p50 ms"),
            of("view.last writer p99 ms"),
            of("view.slot writer p50 ms"),
            of("view.slot writer p99 ms"),
            of("view.never ms"),
            steps / of("view.verify seconds") / 1e6,
            steps / of("view.verify alone seconds") / 1e6,
            of("view.MB after seeks"),
        );
    }
    println!("\n```");
    let plots: [Plot; 3] = [
        ("seek p99, ms", |it| it["view.seek p99 ms"]),
        ("viewer, MB", |it| it["view.MB after seeks"]),
        ("bytes per step", |it| it["view.bytes"] / it["plain.steps"]),
    ];
    for (name, value) in plots {
        let greatest = all.iter().map(value).fold(0.0, f64::max);
        println!("{name}");
        for measured in all {
            let bar = "█".repeat((value(measured) / greatest * WIDTH).round() as usize);
            println!(
                "{:9.1} M {:8.2} {bar}",
                measured["plain.steps"] / 1e6,
                value(measured)
            );
        }
    }
    println!("```");
}

fn measured<const N: usize>(values: [(&str, f64); N]) -> Measured {
    values
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Times in order.
struct Sorted(Vec<Duration>);

impl Sorted {
    fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// A percentile in milliseconds; none of nothing.
    fn at(&self, percent: usize) -> f64 {
        self.0
            .get(self.0.len() * percent / 100)
            .map_or(0.0, |time| millis(*time))
    }
}

/// Greatest resident memory so far; 0 where the system does not say.
fn peak_megabytes() -> f64 {
    status_megabytes("VmHWM:")
}

fn resident_megabytes() -> f64 {
    status_megabytes("VmRSS:")
}

fn status_megabytes(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok())
        .map_or(0.0, |kilobytes| kilobytes / 1024.0)
}
