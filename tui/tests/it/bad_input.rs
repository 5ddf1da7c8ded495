//! Bad inputs and recordings: each ends with a message that names file and place, and nothing recorded is lost.

mod cases;
mod damage;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use eradbg_tracer::Recording;
use eradbg_tracer::replay::replay_chunk;

use crate::support::{Ended, contents, copy, run_line, with_database, write_mini};
use cases::{Kept, input_cases, output_cases, recording_cases};

/// Transactions of the good dump; the last of them succeeds.
const TRANSACTIONS: usize = 5;
/// A chunk in the midst of the good recording.
const CHUNK: u32 = 5;

#[test]
fn everything_bad_ends_with_a_message_and_loses_nothing() {
    let base = tempfile::tempdir().expect("there is room");
    write_mini(base.path(), "good.json", TRANSACTIONS);
    run_line(base.path(), "record good.json -o good --chunk-steps 64").ok();
    run_line(base.path(), "export good batch -o good.batch").ok();
    copy(&base.path().join("good"), &base.path().join("r"));
    let mut wrong = String::new();
    for case in input_cases()
        .into_iter()
        .chain(recording_cases())
        .chain(output_cases())
    {
        let folder = tempfile::tempdir().expect("there is room");
        copy(base.path(), folder.path());
        (case.prepare)(folder.path());
        for line in case.lines {
            for problem in problems(&run_line(folder.path(), line), case.says) {
                writeln!(wrong, "{}: `eradbg {line}` {problem}", case.name).expect("strings take all");
            }
        }
        if let Err(problem) = check_kept(folder.path(), base.path(), case.kept) {
            writeln!(wrong, "{}: afterwards {problem}", case.name).expect("strings take all");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn damaged_database_files_give_an_error_or_what_was_recorded_before() {
    let folder = tempfile::tempdir().expect("there is room");
    let path = folder.path();
    write_mini(path, "good.json", TRANSACTIONS);
    run_line(path, "record good.json -o good --chunk-steps 16").ok();
    let steps = run_line(path, "export good steps").ok();
    let whole = fs::read(path.join("good/db")).expect("sled's log is in this file");
    let used = whole
        .iter()
        .rposition(|&byte| byte != 0)
        .expect("it is not empty")
        + 1;
    let mut wrong = String::new();
    for place in 0..24 {
        let at = used * place / 24;
        let overwritten: Vec<u8> = {
            let mut bytes = whole.clone();
            bytes[at..(at + 512).min(used)].fill(0xa5);
            bytes
        };
        for (damage, bytes) in [("cut", &whole[..at]), ("overwritten", &overwritten)] {
            let bad = path.join("bad");
            let _ = fs::remove_dir_all(&bad);
            copy(&path.join("good"), &bad);
            fs::write(bad.join("db"), bytes).expect("the folder is writable");
            for line in ["info bad", "verify bad", "export bad batch", "export bad steps"] {
                let ended = run_line(path, line);
                let is_wrong = match ended.code {
                    Some(0) => line.ends_with("steps") && !steps.starts_with(&ended.stdout),
                    _ => !problems(&ended, &["bad: "]).is_empty(),
                };
                if is_wrong {
                    let (code, message) = (ended.code, ended.stderr);
                    writeln!(
                        wrong,
                        "{damage} at {at}: `eradbg {line}` ended with {code:?}: {message}"
                    )
                    .expect("strings take all");
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn a_recording_that_another_process_holds_is_refused_and_stays_good() {
    let folder = tempfile::tempdir().expect("there is room");
    let path = folder.path();
    write_mini(path, "good.json", TRANSACTIONS);
    run_line(path, "record good.json -o good").ok();
    with_database(&path.join("good"), |_| {
        for line in ["info good", "verify good", "export good batch", "open good"] {
            let ended = run_line(path, line);
            let found = problems(&ended, &["good: another process has this open"]);
            assert!(found.is_empty(), "`eradbg {line}` {found:?}");
        }
    });
    run_line(path, "verify good").ok();
}

/// What is not as it should be about a run that was to fail.
fn problems(ended: &Ended, says: &[&str]) -> Vec<String> {
    let Ended { code, stdout, stderr } = ended;
    let mut problems = Vec::new();
    if *code != Some(1) {
        problems.push(format!("ended with {code:?}"));
    }
    if format!("{stdout}{stderr}").contains("panicked at") {
        problems.push("shows a Rust panic".to_owned());
    }
    let lines: Vec<_> = stderr.lines().collect();
    if !(1..=2).contains(&lines.len()) || !stderr.starts_with("eradbg: ") || lines.contains(&"") {
        problems.push(format!(
            "says {} lines: {}",
            lines.len(),
            stderr.chars().take(600).collect::<String>()
        ));
    }
    let missing = says.iter().filter(|part| !stderr.contains(*part));
    problems.extend(missing.map(|part| {
        format!(
            "does not say `{part}`, but: {}",
            stderr.chars().take(600).collect::<String>()
        )
    }));
    problems
}

fn check_kept(folder: &Path, base: &Path, kept: Kept) -> Result<(), String> {
    let recording = |name: &str| Recording::open(&folder.join(name)).map_err(|error| error.to_string());
    match kept {
        Kept::Nothing | Kept::Good if contents(&folder.join("good")) != contents(&base.join("good")) => {
            Err("the good recording has changed".to_owned())
        }
        Kept::Nothing | Kept::Good => Ok(()),
        Kept::OtherChunks => {
            let exported = run_line(folder, "export r batch");
            let good = fs::read_to_string(folder.join("good.batch")).expect("it was exported");
            if exported.stdout != good {
                return Err(format!("the results are not readable: {}", exported.stderr));
            }
            let recording = recording("r")?;
            let unreadable: Vec<_> = (0..recording.chunks())
                .filter(|&chunk| chunk != CHUNK)
                .filter_map(|chunk| replay(&recording, chunk).err())
                .collect();
            match &unreadable[..] {
                [] => Ok(()),
                [first, ..] => Err(format!(
                    "{} other chunks are not readable: {first}",
                    unreadable.len()
                )),
            }
        }
        Kept::UntilLast => {
            let verified = run_line(folder, "verify out");
            if verified.code != Some(0)
                || !verified
                    .stdout
                    .contains("all is well, but the recording is not complete")
            {
                return Err(format!("verify says {verified:?}"));
            }
            let reports = recording("out")?
                .reports()
                .map_err(|error| error.to_string())?
                .len();
            if reports == TRANSACTIONS - 1 {
                Ok(())
            } else {
                Err(format!("{reports} transactions are there"))
            }
        }
    }
}

fn replay(recording: &Recording, chunk: u32) -> Result<(), eradbg_tracer::Error> {
    let mut execution = recording.state_at_chunk(chunk)?;
    replay_chunk(recording, chunk, &recording.log(chunk)?, &mut execution, &mut ())
}
