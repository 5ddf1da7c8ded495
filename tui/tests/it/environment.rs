//! What a system may do to a recording: no room left, a directory that goes away, two processes at once.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{eradbg, run_line, write_mini};

/// Transactions of the batch that is recorded: enough for some seconds.
const TRANSACTIONS: usize = 1500;

#[test]
fn without_room_recording_ends_with_an_error_and_what_is_sealed_stays() {
    let folder = tempfile::tempdir().expect("there is room");
    let path = folder.path();
    write_mini(path, "many.json", TRANSACTIONS);
    for (name, options) in [("full", ""), ("checked", "--check")] {
        // A limit on the size of files does to writes what a full disk does.
        let line = format!(
            "trap '' XFSZ; ulimit -f 1500; exec {} record many.json -o {name} --chunk-steps 1024 {options}",
            env!("CARGO_BIN_EXE_eradbg")
        );
        let ended = Command::new("sh")
            .args(["-c", &line])
            .current_dir(path)
            .output()
            .expect("there is a shell");
        let message = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{message}");
        assert!(
            message.starts_with(&format!("eradbg: {name}: ")) && message.contains("File too large"),
            "{message}"
        );
        assert!(
            message.contains(&format!("What was recorded until then is in {name}")),
            "{message}"
        );
        let info = run_line(path, &format!("info {name} --json")).ok();
        let info: Value = serde_json::from_str(&info).expect("it is JSON");
        assert!(
            info["complete"] == false && info["steps"].as_u64() > Some(0),
            "{info:#}"
        );
        let verified = run_line(path, &format!("verify {name}")).ok();
        assert!(verified.contains("all is well"), "{verified}");
    }
}

#[test]
fn a_directory_that_is_removed_ends_recording_with_an_error_that_names_it() {
    let folder = tempfile::tempdir().expect("there is room");
    let path = folder.path();
    write_mini(path, "many.json", TRANSACTIONS);
    let child = eradbg(path)
        .args(["record", "many.json", "-o", "gone", "--chunk-steps", "1024"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let started = Instant::now();
    while !path.join("gone/db").is_file() && started.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::fs::remove_dir_all(path.join("gone")).expect("the folder is ours");
    let ended = child.wait_with_output().expect("the process is ours");
    let message = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{message}");
    assert!(message.starts_with("eradbg: gone"), "{message}");
}

#[test]
fn a_recording_that_is_being_written_is_refused_to_others_and_not_harmed() {
    let folder = tempfile::tempdir().expect("there is room");
    let path = folder.path();
    write_mini(path, "many.json", TRANSACTIONS);
    let mut child = eradbg(path)
        .args(["record", "many.json", "-o", "r", "--chunk-steps", "1024"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    while !path.join("r/db").is_file() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let refused = run_line(path, "info r");
    let again = run_line(path, "record many.json -o r");
    assert!(child.wait().expect("the process is ours").success());
    // The first may have come when all was over, on a quick machine.
    let is_locked = refused.stderr.contains("another process has this open");
    assert!(is_locked || refused.code == Some(0), "{refused:#?}");
    assert!(
        again.code == Some(1) && again.stderr.contains("r: already exists"),
        "{again:#?}"
    );
    assert!(run_line(path, "verify r").ok().contains("all is well"));
}
