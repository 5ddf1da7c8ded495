//! Speed of plain execution, recording and seeking on the large vectors.
//!
//! `cargo bench -p eradbg-tracer --bench recording` (needs the vectors). A harness of its own, since seeks are judged by
//! percentiles and recording by its ratio to plain execution in the same run; medians of [`RUNS`] runs.

#[path = "../tests/support.rs"]
mod support;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use eradbg_tracer::Timeline;
use eradbg_tracer::drive::Session;
use eradbg_tracer::source::Script;
use eradbg_tracer::timeline::Direction;
use support::{Input, Recorded, record, vectors};

const RUNS: usize = 7;
const SEEKS: usize = 3_000;

fn main() {
    let inputs = vectors(&["mixed_batch_a", "perf_transfers_250", "perf_loop_80m_gas"]);
    println!("| input | steps | plain, M steps/s | record / plain | B/step on disk |");
    println!("|---|---|---|---|---|");
    let mut recordings = Vec::new();
    for input in &inputs {
        let (mut plain, mut recorded) = (Vec::new(), Vec::new());
        let mut steps = 0;
        for _ in 0..RUNS {
            let mut session = Session::new(input.batch.clone(), Script::default(), ());
            let start = Instant::now();
            session.drive(&input.config).expect("the vector runs");
            plain.push(start.elapsed());
            steps = session.into_parts().1.execution.steps();
            recorded.push(time_recording(input));
        }
        let (plain, recorded) = (median(plain), median(recorded));
        let result = record(input, 16_384);
        let per_step = result.recording.disk_bytes() as f64 / steps as f64;
        let speed = steps as f64 / plain.as_secs_f64() / 1e6;
        let ratio = recorded.as_secs_f64() / plain.as_secs_f64();
        println!(
            "| {} | {steps} | {speed:.1} | {ratio:.2} | {per_step:.2} |",
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
}

/// Time of a recorded run until the recording is closed.
fn time_recording(input: &Input) -> Duration {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let manifest = support::manifest(input, 16_384);
    let control = Arc::new(eradbg_tracer::recorder::Control::new(Arc::default()));
    let path = folder.path().join("recording");
    let recorder =
        eradbg_tracer::recorder::Recorder::create(&path, &manifest, &[], control).expect("a new recording");
    let mut session = Session::new(input.batch.clone(), Script::default(), recorder);
    let start = Instant::now();
    session.drive(&input.config).expect("the vector runs");
    let (recorder, machine) = session.into_parts();
    recorder
        .finish(&machine.execution, eradbg_tracer::manifest::EndKind::Finished)
        .expect("it is written");
    start.elapsed()
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
