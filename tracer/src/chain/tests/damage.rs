//! Directories that are no state, or were one.

use std::fs;
use std::path::Path;

use super::{advance, expected, next_batch, open};
use crate::Recording;
use crate::chain::ChainState;
use crate::store::database::Database;
use crate::store::envelope::Kind;
use crate::store::key;
use crate::store::settings::sled_config;
use crate::store::tree::{Content, Tree};

const COMMITS: u32 = 4;

/// Name, tree, key, the new kind and value or `None` to remove it, and what opening then says.
type Damage<'a> = (&'a str, Tree, Vec<u8>, Option<(Kind, &'a [u8])>, &'a str);

fn make(path: &Path) {
    let mut state = open(path);
    for _ in 0..COMMITS {
        advance(&mut state);
    }
}

fn error(path: &Path) -> String {
    let message = ChainState::open(path).unwrap_err().to_string();
    assert!(message.starts_with(&*path.to_string_lossy()), "{message}");
    message
}

fn recording(path: &Path) {
    let database = Database::create(path, Content::Recording).unwrap();
    database
        .put(Tree::Meta, Kind::Manifest, key::MANIFEST, b"{}")
        .unwrap();
    database.flush().unwrap();
}

#[test]
fn a_state_and_a_recording_are_not_taken_for_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let (state, recorded) = (folder.path().join("state"), folder.path().join("recording"));
    make(&state);
    recording(&recorded);
    let message = error(&recorded);
    assert!(
        message.contains("is no state of a chain: it is a recording"),
        "{message}"
    );
    let message = Recording::open(&state).unwrap_err().to_string();
    assert!(
        message.contains("is no recording: it is the state of a chain"),
        "{message}"
    );
    assert_eq!(open(&state).contents(), &expected(COMMITS));
}

#[test]
fn a_foreign_directory_is_refused_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    assert!(error(&file).contains("it is a file"));
    let other = folder.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("notes.txt"), "x").unwrap();
    assert!(error(&other).contains("the directory has no database in it"));
    assert_eq!(fs::read_dir(&other).unwrap().count(), 1);

    for (name, tree, config) in [
        ("default", None, sled_config as fn(&Path) -> sled::Config),
        ("tree", Some("users"), sled_config),
        ("settings", None, |path| sled::Config::new().path(path)),
    ] {
        let path = folder.path().join(name);
        let db = config(&path).open().unwrap();
        match tree {
            None => db.insert("a", "b").map(drop).unwrap(),
            Some(tree) => drop(db.open_tree(tree).unwrap()),
        }
        db.flush().unwrap();
        drop(db);
        assert!(
            error(&path).contains("its database is of another program"),
            "{name}"
        );
    }
}

#[test]
fn an_unfinished_first_opening_is_a_new_state() {
    for settings in ["", "segment_size: 524288"] {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("blobs")).unwrap();
        fs::write(folder.path().join("conf"), settings).unwrap();
        let mut state = open(folder.path());
        assert_eq!(state.head(), None);
        advance(&mut state);
        drop(state);
        assert_eq!(open(folder.path()).contents(), &expected(1));
    }
}

#[test]
fn a_newer_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path());
    let database = Database::open(folder.path(), Content::State).unwrap();
    database
        .put(
            Tree::Meta,
            Kind::Manifest,
            key::STATE,
            br#"{"format":7,"new":true}"#,
        )
        .unwrap();
    database.flush().unwrap();
    drop(database);
    let message = error(folder.path());
    assert!(
        message.contains("it has format 7, this eradbg reads up to 1"),
        "{message}"
    );
}

#[test]
fn pieces_of_an_unfinished_commit_do_not_count_and_are_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path());
    let database = Database::open(folder.path(), Content::State).unwrap();
    for piece in 0..100 {
        database
            .put(Tree::Batch, Kind::Piece, &key::piece(COMMITS, piece), b"left")
            .unwrap();
    }
    database.flush().unwrap();
    drop(database);
    let mut state = open(folder.path());
    assert_eq!(state.contents(), &expected(COMMITS));
    advance(&mut state);
    drop(state);
    assert_eq!(open(folder.path()).contents(), &expected(COMMITS + 1));
}

#[test]
fn a_missing_changed_or_foreign_value_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let good = folder.path().join("good");
    make(&good);
    let value = |kind, key: &[u8]| {
        let database = Database::open(&good, Content::State).unwrap();
        database
            .get(Tree::Batch, kind, key, String::new)
            .unwrap()
            .unwrap()
            .0
    };
    let first_head = value(Kind::Head, &key::commit(0));
    let other_piece = value(Kind::Piece, &key::piece(1, 0));
    let damages: [Damage<'_>; 6] = [
        (
            "head",
            Tree::Batch,
            key::commit(2).into(),
            None,
            "batch/commit 2: it is missing",
        ),
        (
            "piece",
            Tree::Batch,
            key::piece(1, 3).into(),
            None,
            "batch/commit 1, piece 3: it is missing",
        ),
        (
            "manifest",
            Tree::Meta,
            key::STATE.into(),
            None,
            "meta/state: it is missing",
        ),
        (
            "an older head again",
            Tree::Batch,
            key::commit(3).into(),
            Some((Kind::Head, &first_head)),
            "batch/commit 3: it does not follow the commit before",
        ),
        (
            "a piece of another commit",
            Tree::Batch,
            key::piece(2, 0).into(),
            Some((Kind::Piece, &other_piece)),
            "batch/commit 2: its pieces are not those",
        ),
        (
            "a value of another kind",
            Tree::Batch,
            key::piece(2, 0).into(),
            Some((Kind::Head, &first_head)),
            "batch/commit 2, piece 0: the value is malformed",
        ),
    ];
    for (name, tree, key, new, says) in damages {
        let path = folder.path().join(name);
        make(&path);
        let db = sled_config(&path).open().unwrap();
        let tree = db.open_tree(tree.name()).unwrap();
        match new {
            None => tree.remove(&key).unwrap(),
            Some((kind, raw)) => {
                let packed = crate::store::envelope::pack(kind, &key, raw);
                tree.insert(&key, packed).unwrap()
            }
        };
        db.flush().unwrap();
        drop((tree, db));
        let message = error(&path);
        assert!(message.contains(says), "{name}: {message}");
    }
}

#[test]
fn no_commit_is_lost_silently_when_files_are_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let good = folder.path().join("good");
    make(&good);
    let whole = fs::read(good.join("db")).unwrap();
    let used = whole.iter().rposition(|&byte| byte != 0).unwrap() + 1;
    let mut refused = 0;
    for place in 0..24 {
        let at = used * place / 24;
        let mut overwritten = whole.clone();
        overwritten[at..(at + 512).min(used)].fill(0xa5);
        for (damage, bytes) in [("cut", &whole[..at]), ("overwritten", &overwritten)] {
            let bad = folder.path().join(format!("{damage} at {at}"));
            copy(&good, &bad);
            fs::write(bad.join("db"), bytes).unwrap();
            if let Ok(state) = ChainState::open(&bad) {
                // What was damaged was not in use any more.
                assert_eq!(state.contents(), &expected(COMMITS), "{damage} at {at}");
            } else {
                error(&bad);
                refused += 1;
            }
        }
    }
    assert!(refused > 24, "only {refused} of 48 damages were noticed");
}

#[test]
fn an_older_database_or_a_damaged_or_missing_note_of_the_commits_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (path, old) = (folder.path().join("state"), folder.path().join("old"));
    make(&path);
    copy(&path, &old);
    advance(&mut open(&path));
    let note = fs::read(path.join("committed")).unwrap();
    let refused = |note: Option<&[u8]>, says: &str| {
        let copied = folder.path().join("copied");
        let _ = fs::remove_dir_all(&copied);
        copy(&old, &copied);
        match note {
            Some(note) => fs::write(copied.join("committed"), note).unwrap(),
            None => fs::remove_file(copied.join("committed")).unwrap(),
        }
        let message = error(&copied);
        assert!(message.contains(says), "{message}");
    };
    refused(
        Some(&note),
        "batch/commit 4: it is missing, although it was committed",
    );
    refused(
        Some(br#"{"commits":2,"last":5}"#),
        "batch/commit 1: it is not the one that `committed` names",
    );
    refused(Some(b"{"), "committed: EOF while parsing");
    refused(None, "committed: the file is missing");
}

#[test]
fn a_commit_counts_before_it_is_noted() {
    let folder = tempfile::tempdir().unwrap();
    let mut state = open(folder.path());
    advance(&mut state);
    let note = fs::read(folder.path().join("committed")).unwrap();
    drop(state);
    fs::remove_file(folder.path().join("committed")).unwrap();
    let mut state = open(folder.path());
    advance(&mut state);
    drop(state);
    fs::write(folder.path().join("committed"), note).unwrap();
    assert_eq!(open(folder.path()).contents(), &expected(2));
}

#[test]
fn a_commit_that_could_not_be_noted_counts_and_ends_the_use_of_the_state() {
    let folder = tempfile::tempdir().unwrap();
    let mut state = open(folder.path());
    advance(&mut state);
    // A directory in its place keeps the note from being written.
    fs::create_dir(folder.path().join("committed.new")).unwrap();
    let start = state.contents().clone();
    let batch = next_batch(&start, 2);
    let message = state.commit(&start, &batch).unwrap_err().to_string();
    assert!(message.contains("committed"), "{message}");
    let message = state.commit(&start, &batch).unwrap_err().to_string();
    assert!(message.contains("open the state again"), "{message}");
    drop(state);
    assert_eq!(open(folder.path()).contents(), &expected(2));
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
