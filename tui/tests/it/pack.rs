//! A recording as one file: read like a directory, by several at once, and never wrong when bytes of it change.

use std::fs;

use eradbg_tracer::Recording;
use eradbg_tracer::replay::replay_chunk;

use crate::support::{contents, run_line, write_mini};

/// A recording `r`, and `r.eradbg` made of it.
fn packed() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write_mini(folder.path(), "mini.json", 3);
    run_line(folder.path(), "record mini.json -o r --chunk-steps 500").ok();
    run_line(folder.path(), "pack r r.eradbg").ok();
    folder
}

#[test]
fn a_packed_recording_is_read_like_the_directory_and_is_smaller() {
    let folder = packed();
    let path = folder.path();
    for command in ["export # steps", "export # batch", "verify #"] {
        let of = |recording| run_line(path, &command.replace('#', recording)).ok();
        assert_eq!(of("r"), of("r.eradbg"), "{command}");
    }
    let [directory, file] = ["r", "r.eradbg"].map(|name| {
        let recording = Recording::open(&path.join(name)).expect("it opens");
        assert!(recording.is_complete());
        recording.disk_bytes()
    });
    assert!(file * 2 < directory, "{file} of {directory} bytes");
}

#[test]
fn unpacking_gives_the_same_values_back() {
    let folder = packed();
    let path = folder.path();
    run_line(path, "unpack r.eradbg back").ok();
    assert_eq!(contents(&path.join("back")), contents(&path.join("r")));
    let verified = run_line(path, "verify back").ok();
    assert!(verified.contains("all is well"), "{verified}");
}

#[test]
fn several_readers_have_a_packed_recording_open_at_once() {
    let folder = packed();
    let path = folder.path();
    let open = Recording::open(&path.join("r.eradbg")).expect("it opens");
    run_line(path, "verify r.eradbg").ok();
    assert!(open.keyframe(0).is_ok());
    // A directory has one reader.
    let open = Recording::open(&path.join("r")).expect("it opens");
    let refused = run_line(path, "verify r");
    assert!(
        refused.stderr.contains("another process has this open"),
        "{refused:?}"
    );
    drop(open);
}

#[test]
fn nothing_that_exists_is_written_over_and_a_packed_recording_is_not_packed_again() {
    let folder = packed();
    let path = folder.path();
    for (line, message) in [
        ("pack r r.eradbg", "r.eradbg: already exists"),
        ("pack r mini.json", "mini.json: already exists"),
        ("unpack r.eradbg r", "r: already exists"),
        ("pack r.eradbg again.eradbg", "r.eradbg: it is packed already"),
        (
            "pack mini.json x.eradbg",
            "mini.json: is no recording: it is a file",
        ),
        ("unpack mini.json x", "mini.json: is no recording: it is a file"),
    ] {
        let refused = run_line(path, line);
        assert_eq!(refused.code, Some(1), "{line}");
        assert!(refused.stderr.contains(message), "{line}: {}", refused.stderr);
    }
    assert!(!path.join("x").exists() && !path.join("x.eradbg").exists());
    run_line(path, "verify r.eradbg").ok();
}

#[test]
fn a_changed_byte_or_a_cut_gives_an_error_or_what_was_recorded() {
    let folder = packed();
    let path = folder.path();
    let good = fs::read(path.join("r.eradbg")).expect("it is readable");
    let expected = everything(&path.join("r.eradbg")).expect("it is whole");
    let damaged = path.join("damaged.eradbg");
    let mut refused = 0;
    let mut check = |bytes: &[u8], what: &str| {
        fs::write(&damaged, bytes).expect("the folder is writable");
        match everything(&damaged) {
            // Source text and reports are not part of what is compared.
            Ok(found) => assert!(found == expected, "{what}: wrong data"),
            Err(_) => refused += 1,
        }
    };
    let step = good.len() / 150;
    for at in (0..good.len()).step_by(step.max(1)) {
        let mut bytes = good.clone();
        bytes[at] ^= 0x41;
        check(&bytes, &format!("byte {at}"));
        check(&good[..at], &format!("cut at {at}"));
    }
    for at in good.len() - 30..good.len() {
        let mut bytes = good.clone();
        bytes[at] = !bytes[at];
        check(&bytes, &format!("byte {at}"));
    }
    assert!(refused > 200, "only {refused} of the damaged files were refused");
}

/// The state at the end of each chunk, as registers tell.
fn everything(path: &std::path::Path) -> Result<Vec<[eradbg_vm::Value; 16]>, eradbg_tracer::Error> {
    let recording = Recording::open(path)?;
    if !recording.is_complete() {
        return Err(recording.damaged("end".to_owned(), "it is not complete".to_owned()));
    }
    recording.load_overview();
    let mut ends = Vec::new();
    for chunk in 0..recording.chunks() {
        let mut execution = recording.state_at_chunk(chunk)?;
        replay_chunk(&recording, chunk, &recording.log(chunk)?, &mut execution, &mut ())?;
        ends.push(execution.registers());
    }
    Ok(ends)
}
