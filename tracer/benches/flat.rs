//! What each of 5,000 transactions of one batch costs, first to last, as a plot: `cargo bench -p eradbg-tracer --bench flat`.
//!
//! Transfers on the embedded bootloader, run as `record --no-trace` runs them, a snapshot before each and all. The
//! transactions are the same, so whatever grows with the batch shows.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use eradbg_tracer::drive::{Session, Sink};
use eradbg_tracer::source;
use eradbg_vm::Observer;

const TRANSACTIONS: usize = 5_000;
/// Transactions in a row of the plot.
const ROW: usize = 250;
/// Runs, of which each transaction's best counts: the machine has other things to do.
const RUNS: usize = 5;
/// Width of the longest bar.
const WIDTH: f64 = 60.0;

/// When transactions ended.
struct Clock {
    started: Instant,
    took: Vec<Duration>,
}

impl Observer for Clock {
    const WATCHES: bool = false;
}

impl Sink for Clock {
    type Observer = Self;

    fn observer(&mut self) -> &mut Self {
        self
    }

    fn transaction_started(&mut self, _: usize, _: u32, _: u64) {
        self.started = Instant::now();
    }

    fn transaction_ended(&mut self, _: usize) {
        self.took.push(self.started.elapsed());
    }
}

fn main() {
    let path = std::env::temp_dir().join(format!("eradbg-flat-{}.ron", std::process::id()));
    std::fs::write(&path, transfers()).expect("the temporary folder can be written to");
    let mut best = vec![Duration::MAX; TRANSACTIONS];
    for _ in 0..RUNS {
        for (best, took) in best.iter_mut().zip(run(&path)) {
            *best = took.min(*best);
        }
    }
    std::fs::remove_file(&path).expect("the file was written");

    let rows: Vec<f64> = best.chunks(ROW).map(median).collect();
    let longest = rows.iter().copied().fold(0.0, f64::max);
    println!("transactions   µs each (median of {ROW}, best of {RUNS} runs)");
    for (index, &micros) in rows.iter().enumerate() {
        let bar = "█".repeat((micros / longest * WIDTH).round() as usize);
        println!(
            "{:5}..{:5} {micros:7.1} {bar}",
            index * ROW + 1,
            (index + 1) * ROW
        );
    }
    println!("last row / first row: {:.2}", rows[rows.len() - 1] / rows[0]);
}

fn transfers() -> String {
    let mut text = String::from(r#"(accounts: {"alice": Rich(0), "bob": Rich(1)}, blocks: ["#);
    // Blocks of a hundred: a batch of one block would be no batch of a chain.
    for block in 0..TRANSACTIONS / 100 {
        text.push_str("(steps: [");
        for value in 1..=100 {
            let _ = write!(
                text,
                r#"Transfer(from: "alice", to: "bob", value: {}),"#,
                block * 100 + value
            );
        }
        text.push_str("]),");
    }
    text.push_str("])");
    text
}

fn run(path: &std::path::Path) -> Vec<Duration> {
    let loaded = source::load(path, None).unwrap_or_else(|error| panic!("{error}"));
    let clock = Clock {
        started: Instant::now(),
        took: Vec::new(),
    };
    let mut session = Session::new(loaded.input, loaded.script, clock);
    session.drive(&loaded.run).expect("the batch runs");
    let (clock, _) = session.into_parts();
    assert_eq!(clock.took.len(), TRANSACTIONS);
    clock.took
}

fn median(took: &[Duration]) -> f64 {
    let mut micros: Vec<f64> = took.iter().map(|took| took.as_secs_f64() * 1e6).collect();
    micros.sort_unstable_by(f64::total_cmp);
    micros[micros.len() / 2]
}
