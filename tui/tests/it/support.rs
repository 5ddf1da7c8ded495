//! What the tests share: running the binary, inputs, and recordings seen through sled.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use eradbg_tracer::store::envelope::{self, Kind};
use eradbg_tracer::store::key;
use eradbg_tracer::store::settings::sled_config;
use eradbg_tracer::store::tree::{Content, Tree};
use serde_json::Value;

/// Time after which a lock that is still held is an error.
const UNLOCKED_WITHIN: Duration = Duration::from_secs(10);

/// Values by tree and key.
pub(crate) type Values = BTreeMap<(&'static str, Vec<u8>), Vec<u8>>;

/// What a run of the binary left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// The standard output of a run that ended well.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self.stdout
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("the output is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("messages are UTF-8"),
        }
    }
}

/// The binary, in a folder, without a terminal.
pub(crate) fn eradbg(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eradbg"));
    command.current_dir(folder).stdin(Stdio::null());
    command
}

/// Runs the binary in a folder to its end.
pub(crate) fn run<S: AsRef<OsStr>>(folder: &Path, args: impl IntoIterator<Item = S>) -> Ended {
    eradbg(folder)
        .args(args)
        .output()
        .expect("the binary starts")
        .into()
}

/// Runs the binary with arguments that have no spaces in them.
pub(crate) fn run_line(folder: &Path, line: &str) -> Ended {
    run(folder, line.split(' '))
}

/// Writes the small batch as a dump.
pub(crate) fn write_mini(folder: &Path, name: &str, transactions: usize) {
    std::fs::write(folder.join(name), eradbg_fixtures::mini_dump(transactions))
        .expect("the folder is writable");
}

/// The dump of a reference vector; says so when it is not there.
pub(crate) fn vector(name: &str) -> Option<PathBuf> {
    let given = std::env::var_os("ERADBG_VECTORS").unwrap_or_else(|| "../shared/vectors".into());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(given)
        .join(name);
    let found = ["dump.json", "dump.json.gz"]
        .map(|file| folder.join(file))
        .into_iter()
        .find(|path| path.is_file());
    if found.is_none() {
        println!(
            "NOT RUN: the reference vector {name} is not in {}",
            folder.display()
        );
    }
    found
}

/// Opens the database of a recording and closes it again.
pub(crate) fn with_database<T>(recording: &Path, work: impl FnOnce(&sled::Db) -> T) -> T {
    let database = open_database(recording);
    let result = work(&database);
    database.flush().expect("the database is writable");
    drop(database);
    wait_until_unlocked(recording);
    result
}

/// Changes a tree of a recording.
pub(crate) fn with_tree<T>(recording: &Path, tree: Tree, work: impl FnOnce(&sled::Tree) -> T) -> T {
    with_database(recording, |database| {
        work(&database.open_tree(tree.name()).expect("the tree opens"))
    })
}

/// All keys and values of a recording. The manifest is unpacked and lacks the time of its making.
pub(crate) fn contents(recording: &Path) -> (Values, Value) {
    let mut values = Values::new();
    with_database(recording, |database| {
        for name in Content::Recording.trees().iter().map(|tree| tree.name()) {
            for entry in &database.open_tree(name).expect("the tree opens") {
                let (key, value) = entry.expect("the tree is readable");
                // Keys are put ahead of their values.
                if !value.is_empty() {
                    values.insert((name, key.to_vec()), value.to_vec());
                }
            }
        }
    });
    let packed = values
        .remove(&(Tree::Meta.name(), key::MANIFEST.to_vec()))
        .expect("there is a manifest");
    let json = envelope::unpack(Kind::Manifest, key::MANIFEST, &packed).expect("the manifest is whole");
    let mut manifest: Value = serde_json::from_slice(&json).expect("the manifest is JSON");
    let created = manifest
        .as_object_mut()
        .and_then(|fields| fields.remove("created_unix"));
    assert!(
        created.is_some_and(|created| created.is_u64()),
        "the manifest says when it was made"
    );
    (values, manifest)
}

/// Copies a folder and all below.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("the folder is writable");
    for entry in std::fs::read_dir(from).expect("the folder is readable") {
        let entry = entry.expect("the folder is readable");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("the file is readable");
        }
    }
}

/// sled's threads, and processes that are just being started beside, hold a lock a little longer than its owner.
fn open_database(recording: &Path) -> sled::Db {
    let deadline = Instant::now() + UNLOCKED_WITHIN;
    loop {
        match sled_config(recording).open() {
            Ok(database) => return database,
            Err(error) => assert!(Instant::now() < deadline, "{}: {error}", recording.display()),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until no process holds the database of a recording: sled locks this file.
pub(crate) fn wait_until_unlocked(recording: &Path) {
    let file = recording.join("db");
    let deadline = Instant::now() + UNLOCKED_WITHIN;
    loop {
        let status = Command::new("flock")
            .arg("--nonblock")
            .arg(&file)
            .arg("true")
            .status();
        if status.expect("util-linux is there").success() {
            return;
        }
        assert!(Instant::now() < deadline, "{}: it stays locked", file.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}
