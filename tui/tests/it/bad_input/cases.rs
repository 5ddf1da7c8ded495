//! The table: what is bad, what is run on it, and what must be said.

use std::fs;
use std::path::Path;

use eradbg_tracer::store::key;
use eradbg_tracer::store::tree::Tree;

use super::CHUNK;
use super::damage::{
    change_first_code, change_last_digit, edit_json, edit_manifest, edit_text, flip, flip_first,
    make_directory, remove, remove_all_code, remove_key, write_gzip, write_missing_slot,
};
use crate::support::with_database;

/// Hashes of bytecodes start with this byte.
const CODE_HASH_VERSION: u8 = 1;
const BOOTLOADER_HASH: &str = "/system_env/base_system_smart_contracts/bootloader/hash";

/// Something bad. All paths are in a folder with `good.json`, its recording `good`, a copy `r` of it, and `good.batch`,
/// the export of its results.
pub(super) struct Case {
    pub(super) name: &'static str,
    /// Makes the bad thing.
    pub(super) prepare: fn(&Path),
    /// Command lines; each must fail.
    pub(super) lines: &'static [&'static str],
    /// Parts of each message.
    pub(super) says: &'static [&'static str],
    pub(super) kept: Kept,
}

/// What must be readable afterwards.
#[derive(Clone, Copy)]
pub(super) enum Kept {
    /// Nothing was recorded.
    Nothing,
    /// The recording `good`, unchanged.
    Good,
    /// The results, and in `r` all chunks but the damaged one.
    OtherChunks,
    /// In `out` all transactions before the last, and nothing is broken.
    UntilLast,
}

/// Dumps and run files.
pub(super) fn input_cases() -> Vec<Case> {
    let case = |name, prepare, says| Case {
        name,
        prepare,
        lines: &["record bad.json -o out", "record bad.json --no-trace"],
        says,
        kept: Kept::Nothing,
    };
    vec![
        case(
            "a dump cut in half",
            |at| edit_text(at, |text| text[..text.len() / 2].to_owned()),
            &["bad.json:", "the JSON ends too early, the file is truncated"],
        ),
        case(
            "a gzip stream cut in half",
            |at| write_gzip(at, |bytes| bytes.truncate(bytes.len() / 2)),
            &["bad.json: the gzip stream ends too early"],
        ),
        case(
            "a gzip stream with other bytes",
            |at| write_gzip(at, |bytes| bytes[100..200].fill(0xff)),
            &["bad.json: the gzip stream is damaged"],
        ),
        case(
            "an empty dump",
            |at| edit_text(at, |_| String::new()),
            &["bad.json: is empty, expected a VM dump"],
        ),
        case(
            "no JSON",
            |at| edit_text(at, |_| "hello".to_owned()),
            &["bad.json: expected a VM dump", "\"hello\""],
        ),
        case(
            "JSON of no dump",
            |at| edit_text(at, |_| "{}".to_owned()),
            &["bad.json:1:2:", "l1_batch_env"],
        ),
        case(
            "a number for text",
            |at| edit_json(at, "/system_env/version", |v| *v = 29.into()),
            &[
                "bad.json:",
                "system_env.version: ",
                "expected the name of a protocol version",
            ],
        ),
        case(
            "text for a list",
            |at| edit_json(at, "/l2_blocks/1/txs", |v| *v = "x".into()),
            &["bad.json:", "l2_blocks[1].txs: "],
        ),
        case(
            "an old version",
            |at| edit_json(at, "/system_env/version", |v| *v = "Version18".into()),
            &[
                "bad.json:",
                "system_env.version: ",
                "Version18 is not supported, expected Version24 to Version31",
            ],
        ),
        case(
            "code of another hash",
            |at| edit_json(at, "/storage/factory_deps", change_first_code),
            &["bad.json: storage.factory_deps.0x01"],
        ),
        case(
            "a bootloader of another hash",
            |at| edit_json(at, BOOTLOADER_HASH, change_last_digit),
            &["bad.json: system_env.base_system_smart_contracts.bootloader"],
        ),
        Case {
            lines: &["record bad.json -o out"],
            kept: Kept::UntilLast,
            ..case(
                "a missing slot",
                write_missing_slot,
                &[
                    "bad.json: transaction 4 (0x",
                    "has no storage slot 0x67 of 0x0000000000000000000000000000000000010001",
                    "What was recorded until then is in out",
                ],
            )
        },
        Case {
            lines: &["record bad.json -o out"],
            ..case(
                "missing code",
                |at| edit_json(at, "/storage/factory_deps", remove_all_code),
                &["bad.json: transaction 0 (0x", "has no bytecode"],
            )
        },
        case("no file", |_| {}, &["bad.json: no such file"]),
        case(
            "a directory for a dump",
            |at| make_directory(at, "bad.json"),
            &["bad.json: is a directory"],
        ),
        Case {
            lines: &["record good.json --run bad.json -o out"],
            ..case(
                "an unknown option",
                |at| edit_text(at, |_| "{\"drive\": 1}".to_owned()),
                &["bad.json:1:", "drive"],
            )
        },
    ]
}

/// Recordings.
pub(super) fn recording_cases() -> Vec<Case> {
    const ALL: &[&str] = &["info r", "verify r", "export r batch", "export r steps", "open r"];
    let unreadable = |name, prepare, says| Case {
        name,
        prepare,
        lines: ALL,
        says,
        kept: Kept::Good,
    };
    let damaged = |name, prepare, lines, says| Case {
        name,
        prepare,
        lines,
        says,
        kept: Kept::OtherChunks,
    };
    vec![
        unreadable(
            "no recording at all",
            |at| remove(at, "r"),
            &["r: No such file or directory"],
        ),
        unreadable(
            "an empty directory",
            |at| {
                remove(at, "r");
                make_directory(at, "r");
            },
            &["r: is no recording"],
        ),
        unreadable(
            "a file for a recording",
            |at| {
                remove(at, "r");
                fs::write(at.join("r"), "x").expect("the folder is writable");
            },
            &["r: is no recording: it is a file"],
        ),
        unreadable(
            "a database of something else",
            |at| {
                remove(at, "r");
                with_database(&at.join("r"), |database| drop(database.insert("a", "b")));
            },
            &["r: is no recording"],
        ),
        unreadable(
            "a newer format",
            |at| edit_manifest(at, "format", 99),
            &["r: ", "format 99", "reads up to 1"],
        ),
        Case {
            lines: &["verify r", "export r steps", "open r"],
            ..unreadable(
                "another machine",
                |at| edit_manifest(at, "machine", 99),
                &["r: ", "machine revision 99"],
            )
        },
        unreadable(
            "a changed manifest",
            |at| flip(at, Tree::Meta, key::MANIFEST),
            &["r: meta/manifest: "],
        ),
        damaged(
            "a changed seal",
            |at| flip(at, Tree::Meta, key::SEAL),
            &["verify r"],
            &["r: meta/seal: "],
        ),
        Case {
            kept: Kept::Good,
            ..damaged(
                "a changed end",
                |at| flip(at, Tree::Meta, key::END),
                &["verify r", "export r batch"],
                &["r: meta/end: "],
            )
        },
        damaged(
            "a changed log",
            |at| flip(at, Tree::Log, &key::chunk(CHUNK)),
            &["verify r", "export r steps"],
            &["r: log of chunk 5 (steps ", "bytes were changed"],
        ),
        damaged(
            "a missing log",
            |at| remove_key(at, Tree::Log, &key::chunk(CHUNK)),
            &["verify r", "export r steps"],
            &["r: log of chunk 5 (steps ", "it is missing"],
        ),
        damaged(
            "a changed keyframe",
            |at| flip(at, Tree::Keyframe, &key::chunk(CHUNK)),
            &["verify r"],
            &["r: keyframe of chunk 5 (steps "],
        ),
        damaged(
            "a changed and a missing keyframe",
            |at| {
                flip(at, Tree::Keyframe, &key::chunk(CHUNK));
                remove_key(at, Tree::Keyframe, &key::chunk(CHUNK + 1));
            },
            &["verify r"],
            &[
                "r: keyframe of chunk 5 (steps ",
                "r: keyframe of chunk 6 (steps 384 to 448): it is missing",
            ],
        ),
        damaged(
            "changed rows",
            |at| flip(at, Tree::Ledger, &key::chunk(CHUNK)),
            &["verify r"],
            &["r: rows of chunk 5 "],
        ),
        damaged(
            "changed rows of the overview",
            |at| flip(at, Tree::Overview, &key::chunk(CHUNK)),
            &["verify r", "info r"],
            &["r: rows of chunk 5 "],
        ),
        Case {
            kept: Kept::Good,
            ..damaged(
                "a changed report",
                |at| flip(at, Tree::Report, &key::reports(0)),
                &["verify r", "export r batch"],
                &["r: reports 00000000: "],
            )
        },
        Case {
            kept: Kept::Good,
            ..damaged(
                "missing reports",
                |at| remove_key(at, Tree::Report, &key::reports(0)),
                &["verify r"],
                &["r: reports: there are 0 of 5 transactions"],
            )
        },
        Case {
            kept: Kept::Good,
            ..damaged(
                "changed code",
                |at| flip_first(at, Tree::Code, CODE_HASH_VERSION),
                &["verify r"],
                &["r: code 0x01"],
            )
        },
        unreadable(
            "a cut database",
            |at| {
                let file = fs::File::options()
                    .write(true)
                    .open(at.join("r/db"))
                    .expect("sled keeps all in this file");
                file.set_len(1000).expect("the file is writable");
            },
            &["r: "],
        ),
        unreadable(
            "an overwritten database",
            |at| {
                let file = at.join("r/db");
                let length = fs::metadata(&file).expect("sled keeps all in this file").len();
                fs::write(file, vec![0xa5; length as usize]).expect("the file is writable");
            },
            &["r: "],
        ),
    ]
}

/// Places to write to, and terminals.
pub(super) fn output_cases() -> Vec<Case> {
    let case = |name, lines, says| Case {
        name,
        prepare: |_| {},
        lines,
        says,
        kept: Kept::Good,
    };
    vec![
        case(
            "a taken folder",
            &["record good.json -o good", "record good.json -o good/db"],
            &[": already exists"],
        ),
        case(
            "a folder below a file",
            &["record good.json -o good.json/out"],
            &["good.json/out: ", "Not a directory"],
        ),
        case(
            "a file below a file",
            &["export good batch -o good.json/x"],
            &["good.json/x: ", "Not a directory"],
        ),
        case(
            "no terminal",
            &["open good", "debug good.json -o out"],
            &["needs a terminal"],
        ),
        case(
            "a position of nothing",
            &["open good --at tx:9", "open good --at tx:9/fail"],
            &["--at tx:9", "5 transactions"],
        ),
    ]
}
