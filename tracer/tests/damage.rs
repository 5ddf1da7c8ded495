//! Damaged recordings give a clear error or what was recorded: never a panic, never anything else.
//!
//! Files are changed, cut, emptied and removed; values are changed, exchanged and removed. `ERADBG_DAMAGE_CASES` says how
//! many cases to try (default 500), `ERADBG_SEED` with which seed, `ERADBG_CASE` tries a single one again:
//! `ERADBG_DAMAGE_CASES=10000 cargo test --release -p eradbg-tracer --test damage -- --nocapture`.

#![allow(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

mod support;

use std::fs;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use eradbg_tracer::analysis::answer::{Question, Topic};
use eradbg_tracer::query::{Query, Search};
use eradbg_tracer::recording::{TransactionRow, UndoneRange};
use eradbg_tracer::report::TransactionReport;
use eradbg_tracer::state_view::StateView;
use eradbg_tracer::store::database::Database;
use eradbg_tracer::store::key;
use eradbg_tracer::store::tree::{Content, Tree};
use eradbg_tracer::timeline::Direction;
use eradbg_tracer::verify::verify;
use eradbg_tracer::{Error, Recording, Timeline};
use eradbg_vm::frame::Frame;
use eradbg_vm::{Flags, Value};
use support::{Random, Recorded, mini_retried, record, scenario};

/// Positions that are compared.
const MOMENTS: u64 = 40;
/// Queries whose answers are compared: of rows, of code, and of memory.
const QUERIES: [&str; 3] = [
    "write storage",
    "opcode far_call or revert",
    "write heap 10 0x0..0x400",
];

/// What a good recording says.
struct Truth {
    steps: u64,
    moments: Vec<(u64, Moment)>,
    found: Vec<Vec<u64>>,
    reports: Vec<TransactionReport>,
    transactions: Vec<TransactionRow>,
}

/// The state at a position.
#[derive(Debug, PartialEq)]
struct Moment {
    registers: [Value; 16],
    flags: Flags,
    frames: Vec<(u16, u16, u32, u64)>,
    heap: Vec<u8>,
    state: StateView,
}

/// How a case ended.
#[derive(Debug, Default)]
struct Tally {
    unopened: u32,
    partly: u32,
    unharmed: u32,
}

#[test]
fn what_damaged_rows_do_not_tell_of_transactions_their_reports_do() {
    let Recorded {
        recording, folder, ..
    } = scenario("demo");
    let path = recording.path().to_owned();
    let good = recording.transactions().to_vec();
    let undone = recording.undone().to_vec();
    let blocks = recording.row_blocks();
    drop(recording);
    for block in 0..blocks {
        let database = Database::open(&path, Content::Recording).unwrap();
        let key = key::chunk(block);
        let Some(rows) = database.raw(Tree::Overview, &key).unwrap() else {
            continue;
        };
        database.remove(Tree::Overview, &key).unwrap();
        database.close().unwrap();
        let recording = Recording::open(&path).unwrap();
        recording.load_overview();
        assert_eq!(recording.transactions(), good, "block {block}");
        // Nothing is said to be undone that was not.
        for range in recording.undone() {
            let within = |known: &&UndoneRange| {
                known.first_step <= range.first_step && known.end_step == range.end_step
            };
            assert!(
                undone.iter().any(|known| within(&known)),
                "block {block}: {range:?}"
            );
        }
        let answer = Question::new(Topic::Transactions, 0).answer(&recording).unwrap();
        assert!(answer.title.contains("DAMAGED"), "{}", answer.title);
        let last = &answer.lines.last().unwrap().text;
        assert!(last.starts_with("not counted: "), "{last}");
        drop(recording);
        let database = Database::open(&path, Content::Recording).unwrap();
        database.put_raw(Tree::Overview, &key, rows).unwrap();
        database.close().unwrap();
    }
    drop(folder);
}

#[test]
fn damage_gives_a_clear_error_or_what_was_recorded() {
    let cases = number("ERADBG_DAMAGE_CASES", 500);
    let seed = number("ERADBG_SEED", 1);
    let Recorded {
        recording, folder, ..
    } = record(&mini_retried(), 100);
    let good = recording.path().to_owned();
    let truth = Truth::of(&recording).unwrap();
    drop(recording);
    let mut tally = Tally::default();
    let only = std::env::var("ERADBG_CASE")
        .ok()
        .map(|text| text.parse::<u64>().unwrap());
    let numbers = only.map_or(0..cases, |case| case..case + 1);
    for case in numbers {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ case);
        let damaged = folder.path().join("damaged");
        copy(&good, &damaged);
        let what = damage(&damaged, &mut random);
        let place = format!("case {case} of seed {seed}: {what}");
        let result = catch_unwind(AssertUnwindSafe(|| check(&damaged, &truth, &place, &mut tally)));
        assert!(result.is_ok(), "{place}");
        fs::remove_dir_all(&damaged).unwrap();
    }
    println!("{cases} cases of seed {seed}: {tally:?}");
    let is_enough = only.is_some() || tally.unopened > 0 && tally.partly > 0;
    assert!(is_enough, "too little was damaged: {tally:?}");
}

/// Checks that a damaged recording says nothing but what the good one says.
fn check(path: &Path, truth: &Truth, place: &str, tally: &mut Tally) {
    let recording = match Recording::open(path) {
        Ok(recording) => recording,
        Err(error) => {
            tally.unopened += 1;
            return is_clear(&error, path, place);
        }
    };
    assert!(recording.steps() <= truth.steps, "{place}");
    let is_whole = recording.is_complete() && recording.steps() == truth.steps;
    let findings = verify(&recording, |_| ControlFlow::Continue(()));
    let mut errors = 0;
    if let Err(error) = compare(&recording, truth, place, &mut errors) {
        errors += 1;
        is_clear(&error, path, place);
    }
    if errors == 0 && findings.broken.is_empty() && is_whole {
        tally.unharmed += 1;
    } else {
        tally.partly += 1;
        // What cannot be read is found by the check too.
        let says_so = !findings.broken.is_empty() || !recording.is_complete();
        assert!(says_so, "{place}: {errors} errors, and verify finds nothing");
    }
}

fn compare(recording: &Recording, truth: &Truth, place: &str, errors: &mut u32) -> Result<(), Error> {
    match recording.reports() {
        Ok(reports) => assert!(
            reports.iter().all(|report| truth.reports.contains(report)),
            "{place}: other reports"
        ),
        Err(error) => {
            *errors += 1;
            is_clear(&error, recording.path(), place);
        }
    }
    for (query, expected) in QUERIES.iter().zip(&truth.found) {
        let (found, was_damaged) = search(recording, query)?;
        assert!(
            found.iter().all(|step| expected.contains(step)),
            "{place}: {query}"
        );
        let reaches = |step: &&u64| **step < recording.steps();
        let all = expected.iter().filter(reaches).count() == found.len();
        // The end of a recording that was cut may lack what the operator did after it.
        assert!(
            all || was_damaged || !recording.is_complete(),
            "{place}: {query} misses steps"
        );
        *errors += u32::from(was_damaged);
    }
    recording.load_overview();
    for (row, expected) in recording.transactions().iter().zip(&truth.transactions) {
        let is_told = row.is_measured();
        assert!(!is_told || row == expected, "{place}: {row:?}");
        let is_lost = !recording.overview_problems().is_empty() || !recording.is_complete();
        assert!(is_told || is_lost, "{place}: {row:?}");
    }
    let mut timeline = Timeline::new(recording.clone())?;
    for (position, expected) in truth.moments.iter().filter(|(at, _)| *at <= recording.steps()) {
        match timeline.seek(*position) {
            Ok(()) => {
                let mut moment = Moment::of(&timeline);
                if let Some(error) = timeline.state_problem() {
                    *errors += 1;
                    is_clear(error, recording.path(), place);
                    moment.state = expected.state.clone();
                }
                // A page that cannot be read shows as zeros, and that is told.
                if let Err(error) = recording.check_pages() {
                    *errors += 1;
                    is_clear(&error, recording.path(), place);
                    continue;
                }
                // Rows after the last chunk that was kept are gone with the one after it.
                if *position == recording.steps() && !recording.is_complete() {
                    moment.state = expected.state.clone();
                }
                assert_eq!(moment, *expected, "{place}: wrong state at {position}");
            }
            Err(error) => {
                *errors += 1;
                is_clear(&error, recording.path(), place);
            }
        }
    }
    Ok(())
}

/// An error names the recording.
fn is_clear(error: &Error, path: &Path, place: &str) {
    let text = error.to_string();
    assert!(text.contains(&path.display().to_string()), "{place}: {text}");
}

fn search(recording: &Recording, text: &str) -> Result<(Vec<u64>, bool), Error> {
    let query = Query::new(text).unwrap();
    let search = Search::new(recording, [query.expr()], Direction::Forward)?;
    let mut steps = Vec::new();
    let searched = search.all(&AtomicBool::new(false), &mut |_| {}, &mut |hit| {
        steps.push(hit.step);
        true
    });
    Ok((steps, !searched.damaged.is_empty()))
}

impl Truth {
    fn of(recording: &Recording) -> Result<Self, Error> {
        let mut timeline = Timeline::new(recording.clone())?;
        let steps = recording.steps();
        let mut moments = Vec::new();
        for part in 0..=MOMENTS {
            let position = steps * part / MOMENTS;
            timeline.seek(position)?;
            moments.push((position, Moment::of(&timeline)));
        }
        let found = QUERIES
            .iter()
            .map(|query| search(recording, query).map(|(found, _)| found));
        Ok(Self {
            steps,
            moments,
            found: found.collect::<Result<_, _>>()?,
            reports: recording.reports()?,
            transactions: recording.transactions().to_vec(),
        })
    }
}

impl Moment {
    fn of(timeline: &Timeline) -> Self {
        let execution = timeline.execution();
        let frame = |frame: &Frame| (frame.pc, frame.sp, frame.ergs, frame.entered_at);
        let mut heap = vec![0; 2_048];
        execution
            .heaps()
            .at(execution.frame().heap)
            .read_bytes(0, &mut heap);
        Self {
            registers: execution.registers(),
            flags: execution.flags(),
            frames: execution.frames().map(frame).collect(),
            heap,
            state: timeline.state().clone(),
        }
    }
}

/// Damages a recording; what was done to it.
fn damage(path: &Path, random: &mut Random) -> String {
    if random.below(2) == 0 {
        damage_file(path, random)
    } else {
        damage_value(path, random)
    }
}

fn damage_file(path: &Path, random: &mut Random) -> String {
    let mut files = files(path);
    files.sort();
    let file = &files[random.below(files.len() as u64) as usize];
    let mut bytes = fs::read(file).unwrap();
    let name = file.strip_prefix(path).unwrap().display().to_string();
    let length = bytes.len() as u64;
    let at = random.below(length.max(1)) as usize;
    let kind = random.below(5);
    let what = match kind {
        0 if length > 0 => {
            bytes[at] ^= 1 << random.below(8);
            format!("bit of byte {at} of {name}")
        }
        1 if length > 0 => {
            let end = (at + 1 + random.below(4_096) as usize).min(bytes.len());
            bytes[at..end].fill(0);
            format!("bytes {at}..{end} of {name} zero")
        }
        2 if length > 0 => {
            let end = (at + 1 + random.below(64) as usize).min(bytes.len());
            bytes[at..end].fill_with(|| random.below(256) as u8);
            format!("bytes {at}..{end} of {name} random")
        }
        3 => {
            fs::remove_file(file).unwrap();
            return format!("{name} removed");
        }
        _ => {
            bytes.truncate(at);
            format!("{name} cut to {at} of {length} bytes")
        }
    };
    fs::write(file, bytes).unwrap();
    what
}

fn damage_value(path: &Path, random: &mut Random) -> String {
    let database = Database::open(path, Content::Recording).unwrap();
    let trees = Content::Recording.trees();
    let (tree, keys) = loop {
        let tree = trees[random.below(trees.len() as u64) as usize];
        let keys = database.keys(tree).unwrap();
        if !keys.is_empty() {
            break (tree, keys);
        }
    };
    let key = &keys[random.below(keys.len() as u64) as usize];
    let other = &keys[random.below(keys.len() as u64) as usize];
    let value = |key: &[u8]| database.raw(tree, key).unwrap().unwrap();
    let name = format!("{} {}", tree.name(), hex::encode(key));
    match random.below(4) {
        0 => {
            remove(&database, tree, key);
            format!("{name} removed")
        }
        1 => {
            let (one, two) = (value(key), value(other));
            database.put_raw(tree, key, two).unwrap();
            database.put_raw(tree, other, one).unwrap();
            format!("{name} and {} exchanged", hex::encode(other))
        }
        2 => {
            let mut bytes = value(key);
            bytes.truncate(random.below(bytes.len() as u64) as usize);
            database.put_raw(tree, key, bytes).unwrap();
            format!("{name} cut")
        }
        _ => {
            let mut bytes = value(key);
            let at = random.below(bytes.len() as u64) as usize;
            bytes[at] ^= 1 << random.below(8);
            database.put_raw(tree, key, bytes).unwrap();
            format!("a bit of {name}")
        }
    }
}

fn remove(database: &Database, tree: Tree, key: &[u8]) {
    database.remove(tree, key).unwrap();
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}
