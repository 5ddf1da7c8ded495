//! The commands on good inputs: what they write, and how they end.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Stdio;

use eradbg_tracer::store::tree::{Content, Tree};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Values, contents, eradbg, run, run_line, vector, write_mini};

/// A folder with the small batch in `mini.json`: of its six transactions the third reverts and the fourth halts.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("there is room");
    write_mini(folder.path(), "mini.json", 6);
    folder
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("it is JSON")
}

/// Number of lines of a steps export after its header.
fn rows(csv: &str) -> u64 {
    csv.lines().count() as u64 - 1
}

#[test]
fn record_prints_a_line_for_each_transaction_and_a_summary() {
    let folder = folder();
    let printed = run_line(folder.path(), "record mini.json -o r").ok();
    let lines: Vec<_> = printed.lines().collect();
    let statuses: Vec<_> = lines[..6]
        .iter()
        .map(|line| line.split_whitespace().nth(2).expect("a status"))
        .collect();
    assert_eq!(statuses, ["ok", "ok", "REVERTED", "HALTED", "ok", "ok"]);
    assert!(lines[2].ends_with("  nope"), "{printed}");
    assert!(
        lines.len() == 7 && lines[6].starts_with("r: 6 transactions, "),
        "{printed}"
    );
}

#[test]
fn info_and_exports_of_a_recording_agree() {
    let folder = folder();
    let path = folder.path();
    run_line(path, "record mini.json -o r").ok();
    let info = json(&run_line(path, "info r --json").ok());
    assert_eq!(
        (&info["complete"], &info["end"], &info["path"]),
        (&json!(true), &json!("yes"), &json!("r"))
    );
    assert_eq!(info["manifest"]["name"], "mini");
    let sized = json(&run_line(path, "info r --json --sizes").ok());
    let bytes_of = |part: &str| {
        let parts = sized["sizes"].as_array().expect("a list");
        let found = parts.iter().find(|entry| entry["part"] == part);
        found.and_then(|entry| entry["bytes"].as_u64()).expect(part)
    };
    assert!(bytes_of("keyframes") > 1_000 && bytes_of("rows") > 100);
    let table = run_line(path, "info r --sizes").ok();
    let all = table
        .lines()
        .find(|line| line.starts_with("all parts"))
        .expect("the sum");
    assert!(all.split_whitespace().count() == 4, "{all}");
    let text = run_line(path, "info r").ok();
    assert!(text.contains("\ncomplete         yes\n"), "{text}");

    let steps = run_line(path, "export r steps").ok();
    assert!(steps.starts_with("step,address,code_address,pc,opcode,ergs,sp,flags,frames,registers\n"));
    assert_eq!(info["steps"], rows(&steps));
    let batch = json(&run_line(path, "export r batch").ok());
    let (results, listed) = (
        batch["txs"].as_array().expect("a list"),
        info["transactions"].as_array().expect("a list"),
    );
    assert_eq!((results.len(), listed.len()), (6, 6));
    for (result, row) in results.iter().zip(listed) {
        assert_eq!(
            (&result["cycles_used"], &result["gas_used"]),
            (&row["steps"], &row["gas_used"])
        );
        assert_eq!(
            (&result["index"], &result["rolled_back"]),
            (&row["index"], &row["rolled_back"])
        );
    }
    assert!(
        batch["finish_batch"].is_object(),
        "a batch of the chain is closed"
    );
}

#[test]
fn verify_says_that_all_is_well() {
    let folder = folder();
    run_line(folder.path(), "record mini.json -o r --chunk-steps 100").ok();
    let printed = run_line(folder.path(), "verify r").ok();
    assert!(
        printed.trim_end().ends_with("steps checked: all is well"),
        "{printed}"
    );
}

#[test]
fn exports_to_a_file_equal_exports_to_standard_output() {
    let folder = folder();
    let path = folder.path();
    run_line(path, "record mini.json -o r").ok();
    for (kind, format) in [("batch", "json"), ("steps", "csv")] {
        let printed = run_line(path, &format!("export r {kind}")).ok();
        let quiet = run_line(path, &format!("export r {kind} --format {format} -o {kind}.out"));
        assert_eq!(
            (quiet.code, quiet.stdout.as_str(), quiet.stderr.as_str()),
            (Some(0), "", "")
        );
        assert_eq!(
            fs::read_to_string(path.join(format!("{kind}.out"))).expect("it was written"),
            printed
        );
    }
}

#[test]
fn recordings_of_one_input_differ_only_in_the_time_of_their_making() {
    let folder = folder();
    let path = folder.path();
    run_line(path, "record mini.json -o a --chunk-steps 100").ok();
    run_line(path, "record mini.json -o b --chunk-steps 100").ok();
    let (a, b) = (contents(&path.join("a")), contents(&path.join("b")));
    assert_eq!(a.1, b.1);
    let keys = |of: &(Values, Value)| of.0.keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&a), keys(&b));
    let differing: Vec<_> =
        a.0.iter()
            .filter(|(key, value)| b.0[*key] != **value)
            .map(|(key, _)| key)
            .collect();
    assert!(differing.is_empty(), "{differing:?}");
    // A dump brings no source along.
    let trees = Content::Recording.trees().iter();
    for &tree in trees.filter(|tree| **tree != Tree::Source) {
        assert!(
            a.0.keys().any(|(name, _)| *name == tree.name()),
            "{} is not compared",
            Tree::name(tree)
        );
    }
}

#[test]
fn exports_do_not_depend_on_the_length_of_chunks() {
    let folder = folder();
    check_chunk_lengths(folder.path(), Path::new("mini.json"));
}

#[test]
fn exports_of_a_real_contract_call_do_not_depend_on_the_length_of_chunks() {
    let Some(dump) = vector("eth_call") else { return };
    let folder = folder();
    check_chunk_lengths(folder.path(), &dump);
    let info = json(&run_line(folder.path(), "info r64 --json").ok());
    assert_eq!(
        (&info["steps"], &info["chunks"]),
        (&json!(2065), &json!(2065u32.div_ceil(64)))
    );
}

fn check_chunk_lengths(folder: &Path, dump: &Path) {
    let dump = dump.to_str().expect("the path is UTF-8");
    run(folder, ["record", dump, "-o", "r"]).ok();
    let exports = ["batch", "steps"].map(|kind| run_line(folder, &format!("export r {kind}")).ok());
    for steps in ["64", "1000"] {
        let name = format!("r{steps}");
        run(folder, ["record", dump, "-o", &name, "--chunk-steps", steps]).ok();
        for (kind, expected) in ["batch", "steps"].iter().zip(&exports) {
            let found = run_line(folder, &format!("export {name} {kind}")).ok();
            assert!(found == *expected, "{kind} with chunks of {steps} steps differ");
        }
    }
}

#[test]
fn recordings_get_free_names_and_never_overwrite() {
    let folder = folder();
    let path = folder.path();
    for expected in ["mini", "mini-2", "mini-3"] {
        let printed = run_line(path, "record mini.json").ok();
        assert!(
            printed.contains(&format!("\nrecordings/{expected}: ")),
            "{printed}"
        );
        run_line(path, &format!("verify recordings/{expected}")).ok();
    }
    let before = contents(&path.join("recordings/mini"));
    let refused = run_line(path, "record mini.json -o recordings/mini");
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("recordings/mini: already exists"),
        "{}",
        refused.stderr
    );
    assert!(
        before == contents(&path.join("recordings/mini")),
        "the recording has changed"
    );
}

#[test]
fn without_a_trace_nothing_is_written_and_the_steps_are_the_same() {
    let folder = folder();
    let path = folder.path();
    let printed = run_line(path, "record mini.json --no-trace").ok();
    let files = fs::read_dir(path).expect("the folder is readable").count();
    assert_eq!(files, 1, "only the dump is there");
    run_line(path, "record mini.json -o r").ok();
    let info = json(&run_line(path, "info r --json").ok());
    let steps = info["steps"].as_u64().expect("steps are counted");
    let grouped = format!("{},{:03} steps", steps / 1000, steps % 1000);
    assert!(
        printed.starts_with("6 transactions, ") && printed.contains(&grouped),
        "{printed}"
    );
}

#[test]
fn a_transaction_that_fails_is_a_result_and_a_wrong_command_line_is_not() {
    let folder = folder();
    let path = folder.path();
    run_line(path, "record mini.json -o r").ok();
    for line in [
        "nonsense",
        "record",
        "record mini.json --chunk-steps 0",
        "record mini.json --no-trace -o x",
        "export r nothing",
        "export r batch --format csv",
        "export r steps --format json",
        "info r --unknown",
    ] {
        let ended = run_line(path, line);
        assert_eq!(ended.code, Some(2), "`eradbg {line}`: {ended:#?}");
        assert!(
            !ended.stderr.is_empty() && ended.stdout.is_empty(),
            "`eradbg {line}`: {ended:#?}"
        );
    }
}

#[test]
fn the_help_of_each_command_has_an_example() {
    let folder = folder();
    for command in ["debug", "record", "open", "info", "export", "verify"] {
        let help = run_line(folder.path(), &format!("{command} --help")).ok();
        assert!(
            help.contains(&format!("  eradbg {command} ")) && help.contains("Example"),
            "{help}"
        );
    }
}

#[test]
fn a_reader_that_has_seen_enough_ends_an_export_quietly() {
    let folder = folder();
    let path = folder.path();
    write_mini(path, "many.json", 300);
    run_line(path, "record many.json -o r").ok();
    for kind in ["steps", "batch"] {
        let mut child = eradbg(path)
            .args(["export", "r", kind])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut start = [0; 10];
        child
            .stdout
            .take()
            .expect("it is piped")
            .read_exact(&mut start)
            .expect("the export is long");
        let output = child.wait_with_output().expect("the process is ours");
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            (output.status.code(), &*message),
            (Some(0), ""),
            "export of {kind}"
        );
    }
}

#[test]
fn pipes_get_no_escape_codes() {
    let folder = folder();
    let path = folder.path();
    for line in [
        "record mini.json -o r",
        "info r",
        "verify r",
        "export r batch",
        "--help",
        "export --help",
        "nonsense",
    ] {
        let ended = run_line(path, line);
        assert!(
            !format!("{}{}", ended.stdout, ended.stderr).contains('\u{1b}'),
            "`eradbg {line}`: {ended:#?}"
        );
    }
}

#[test]
fn a_batch_that_cannot_be_closed_keeps_its_transactions() {
    let Some(dump) = vector("perf_loop_80m_gas") else {
        return;
    };
    let folder = folder();
    let path = folder.path();
    let dump = dump.to_str().expect("the path is UTF-8");
    let ended = run(path, ["record", dump, "-o", "r"]);
    assert!(
        ended.code == Some(0) && ended.stderr.contains("cannot be closed"),
        "{ended:#?}"
    );
    let info = json(&run_line(path, "info r --json").ok());
    assert_eq!(info["transactions"].as_array().map(Vec::len), Some(1), "{info:#}");
    run_line(path, "verify r").ok();
}

#[test]
fn a_dump_that_lacks_what_its_transaction_reads_fails_and_keeps_the_steps_until_then() {
    let Some(dump) = vector("real_validation_adjacent_storage_slots") else {
        return;
    };
    let folder = folder();
    let path = folder.path();
    let dump = dump.to_str().expect("the path is UTF-8");
    let ended = run(path, ["record", dump, "-o", "r"]);
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    for part in [
        "transaction 0 (0x",
        "has no storage slot 0x",
        "until then is in r",
    ] {
        assert!(ended.stderr.contains(part), "no `{part}` in {ended:#?}");
    }
    let verified = run_line(path, "verify r").ok();
    assert!(
        verified.contains("all is well, but the recording is not complete"),
        "{verified}"
    );
}
