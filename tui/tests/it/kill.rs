//! Recordings of a process that was killed or stopped: what was sealed stays readable.
//!
//! `ERADBG_KILLS` says how many processes are killed (default 20), `ERADBG_SEED` at which moments:
//! `ERADBG_KILLS=200 cargo test --release -p eradbg --test it kill -- --nocapture`.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use eradbg_tracer::manifest::Seal;
use eradbg_tracer::store::database::Database;
use eradbg_tracer::store::envelope::Kind;
use eradbg_tracer::store::key;
use eradbg_tracer::store::tree::{Content, Tree};
use serde_json::Value;

use crate::support::{copy, eradbg, run_line, wait_until_unlocked, write_mini};

/// Processes that are killed while they record, unless told otherwise.
const KILLS: u64 = 20;
const SEED: u64 = 0x5eed_0e4a_dbb9_0001;
/// Transactions of the batch that is recorded.
const TRANSACTIONS: usize = 5000;

/// What `info` says of a recording that was not ended.
const WAS_KILLED: &str = "no: its process was killed or could not write";

/// What a killed process left behind.
struct Left {
    seal: Seal,
    /// Whether it had written how the run ended.
    has_end: bool,
}

#[test]
fn a_killed_recording_opens_and_verifies_up_to_its_last_seal() {
    let folder = tempfile::tempdir().expect("there is room");
    let path = folder.path();
    let mut takes = write_long(path);
    let whole: Value = serde_json::from_str(&run_line(path, "info whole --json").ok()).expect("it is JSON");
    let total = whole["steps"].as_u64().expect("steps are counted");
    let (kills, seed) = (number("ERADBG_KILLS", KILLS), number("ERADBG_SEED", SEED));
    let mut random = seed;
    let (mut killed, mut sealed) = (0, 0);
    // Seconds of work that were lost, as far as the speed of the whole run tells.
    let mut lost = Vec::new();
    // Some processes end before they are killed.
    for number in 0..3 * kills {
        if killed == kills {
            break;
        }
        let name = format!("r{number}");
        let mut child = start(path, &name);
        let lived = takes.mul_f64(next(&mut random));
        std::thread::sleep(lived);
        child.kill().expect("the process is ours");
        let finished = child.wait().expect("the process is ours").code().is_some();
        if finished {
            // It is faster than the first one was.
            takes = takes.mul_f64(0.9);
        } else {
            killed += 1;
        }
        let moment = format!("kill {number} of seed {seed:#x}");

        let left = left_behind(path, &name);
        let info = run_line(path, &format!("info {name} --json"));
        let Some(Left { seal, has_end }) = left else {
            // Killed before it was a recording: there is nothing to lose, and that is said.
            let says_so = info.stderr.starts_with(&format!("eradbg: {name}: "));
            assert!(info.code == Some(1) && says_so, "{moment}: {info:#?}");
            continue;
        };
        let info: Value = serde_json::from_str(&info.ok()).expect("it is JSON");
        let chunks = info["chunks"].as_u64().expect("chunks are counted");
        let steps = info["steps"].as_u64().expect("steps are counted");
        assert!(
            chunks >= seal.chunks.into() && steps >= seal.steps,
            "{moment}: {seal:?}, but {info:#}"
        );
        let kept = takes.as_secs_f64() * steps as f64 / total as f64;
        lost.push((lived.as_secs_f64() - kept).max(0.0));
        let verify = run_line(path, &format!("verify {name}"));
        assert_eq!(verify.code, Some(0), "{moment}: {verify:#?}");
        if has_end {
            assert_ne!(info["end"], WAS_KILLED, "{moment}");
        } else {
            assert!(
                info["complete"] == false && info["end"] == WAS_KILLED,
                "{moment}: {info:#}"
            );
            assert!(verify.stdout.contains("not complete"), "{moment}: {verify:#?}");
            sealed += u32::from(seal.chunks > 0);
        }
        std::fs::remove_dir_all(path.join(&name)).expect("the folder is ours");
    }
    lost.sort_by(f64::total_cmp);
    println!(
        "{killed} kills of seed {seed:#x}, {sealed} after a seal; work lost: median {:.2} s, most {:.2} s",
        lost.get(lost.len() / 2).unwrap_or(&0.0),
        lost.last().unwrap_or(&0.0)
    );
    assert_eq!(killed, kills, "most processes ended before they were killed");
    assert!(sealed > 0, "no process was killed after a seal");
}

#[test]
fn ctrl_c_ends_with_130_and_leaves_a_readable_recording() {
    let folder = tempfile::tempdir().expect("there is room");
    let path = folder.path();
    let takes = write_long(path);
    let child = start(path, "stopped");
    std::thread::sleep(takes / 4);
    let pid = child.id().to_string();
    let sent = Command::new("kill")
        .args(["-INT", &pid])
        .status()
        .expect("there is a kill command");
    assert!(sent.success(), "the process still records");
    let output = child.wait_with_output().expect("the process is ours");
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{message}");
    assert!(
        message.contains("stopped; what was recorded until then is in stopped"),
        "{message}"
    );

    let info: Value = serde_json::from_str(&run_line(path, "info stopped --json").ok()).expect("it is JSON");
    assert!(
        info["complete"] == false && info["steps"].as_u64() > Some(0),
        "{info:#}"
    );
    assert_eq!(info["end"], "no: the user stopped it");
    assert!(run_line(path, "verify stopped").ok().contains("not complete"));
}

/// Writes a long batch; how long it takes to record it when nobody disturbs.
fn write_long(folder: &Path) -> Duration {
    write_mini(folder, "many.json", TRANSACTIONS);
    let started = Instant::now();
    let status = start(folder, "whole").wait().expect("the process is ours");
    assert!(status.success(), "the batch is good");
    started.elapsed()
}

fn start(folder: &Path, name: &str) -> Child {
    eradbg(folder)
        .args(["record", "many.json", "-o", name, "--chunk-steps", "1024"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts")
}

/// What a killed process left, `None` without a manifest. It is read from a copy, so that eradbg sees the files as they
/// were left.
fn left_behind(folder: &Path, name: &str) -> Option<Left> {
    if !folder.join(name).join("db").is_file() {
        return None;
    }
    let copied = folder.join("copied");
    copy(&folder.join(name), &copied);
    let database = Database::open(&copied, Content::Recording).expect("what a kill leaves is a database");
    let value = |kind, key: &[u8]| {
        let found = database.get(Tree::Meta, kind, key, || "meta".to_owned());
        found.expect("what was written is whole").map(|(value, _)| value)
    };
    let seal = value(Kind::Seal, key::SEAL).map(|bytes| Seal::decode(&bytes).expect("a seal is whole"));
    let left = value(Kind::Manifest, key::MANIFEST).map(|_| Left {
        seal: seal.unwrap_or_default(),
        has_end: value(Kind::End, key::END).is_some(),
    });
    drop(database);
    wait_until_unlocked(&copied);
    std::fs::remove_dir_all(&copied).expect("the folder is ours");
    left
}

/// A number that the environment may give.
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("it is a number"))
}

/// The next number of a xorshift generator, from 0 to 1.
fn next(state: &mut u64) -> f64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 11) as f64 / (1u64 << 53) as f64
}
