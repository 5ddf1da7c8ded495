//! Time from the start of `eradbg` to its first frame, with and without a recording of the demo in the cache.
//!
//! The program gets a terminal from `script`, of util-linux.

#![allow(
    clippy::unwrap_used,
    reason = "a failure here is a failure of the measurement"
)]

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const RUNS: usize = 21;
/// What the first frame has in it.
const FRAME: &[u8] = b"tour 1/";

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let mut times: [Vec<Duration>; 2] = Default::default();
    for _ in 0..RUNS {
        std::fs::remove_dir_all(&cache).unwrap_or_default();
        for times in &mut times {
            times.push(first_frame(&cache));
        }
    }
    let [made, there] = times.map(|mut times| {
        times.sort_unstable();
        times[RUNS / 2]
    });
    println!("first frame, demo recorded before it: {made:.1?}");
    println!("first frame, demo recorded already:   {there:.1?}");
}

fn first_frame(cache: &Path) -> Duration {
    let start = Instant::now();
    // A new terminal has no size.
    let command = format!("stty cols 120 rows 40; exec {}", env!("CARGO_BIN_EXE_eradbg"));
    let mut child = Command::new("script")
        .args(["-qfc", &command, "/dev/null"])
        .env("XDG_CACHE_HOME", cache)
        .env("TERM", "xterm-256color")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = child.stdout.take().unwrap();
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    while !seen.windows(FRAME.len()).any(|part| part == FRAME) {
        let read = output.read(&mut buffer).unwrap();
        assert!(read > 0, "it ended: {}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&buffer[..read]);
    }
    let took = start.elapsed();
    child.stdin.take().unwrap().write_all(b"q").unwrap();
    std::io::copy(&mut output, &mut std::io::sink()).unwrap();
    child.wait().unwrap();
    took
}
