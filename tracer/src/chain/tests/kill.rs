//! A process that commits in a loop is killed at random moments: what is left is the state before or after a commit.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{FIRST, advance, expected, open};
use crate::chain::ChainState;
use crate::store::key;
use crate::store::tree::Tree;

/// Names the state to the process that commits.
const STATE: &str = "ERADBG_TEST_STATE";
const KILLS: u32 = 30;
/// A kill comes so many microseconds after the first commit at most.
const LATEST_MICROS: u64 = 60_000;
const SEED: u64 = 0x5eed_0e4a_dbb9_0003;
/// Comes before the number of each batch that was committed.
const COMMITTED: &str = "committed ";

/// No test by itself: the process that [`a_killed_commit_leaves_the_state_before_or_after_it`] kills.
#[test]
#[ignore = "runs until it is killed"]
fn commits_until_it_is_killed() {
    let Some(path) = std::env::var_os(STATE) else {
        return;
    };
    let mut state = open(Path::new(&path));
    loop {
        advance(&mut state);
        let number = state.head().expect("a batch was committed").batch.number;
        println!("\n{COMMITTED}{number}");
    }
}

#[test]
fn a_killed_commit_leaves_the_state_before_or_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut path = folder.path().join("state 0");
    let mut random = SEED;
    let mut in_between = 0;
    for kill in 0..KILLS {
        // Ever longer states take ever longer to check.
        if kill % 10 == 0 {
            path = folder.path().join(format!("state {kill}"));
        }
        let mut child = start(&path);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut acknowledged = FIRST;
        let mut note = |line: &str| {
            if let Some(number) = line.strip_prefix(COMMITTED) {
                acknowledged = number.parse().unwrap();
            }
        };
        for line in lines.by_ref() {
            let line = line.unwrap();
            note(&line);
            if line.starts_with(COMMITTED) {
                break;
            }
        }
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        std::thread::sleep(Duration::from_micros(random % LATEST_MICROS));
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().code(), None, "it ended by itself");
        lines.map_while(Result::ok).for_each(|line| note(&line));

        let state = open(&path);
        let number = state.head().unwrap().batch.number;
        assert!(
            number == acknowledged || number == acknowledged + 1,
            "kill {kill} of seed {SEED:#x}: batch {number} after {acknowledged} was committed"
        );
        // Slots, code and head are all of this batch.
        assert!(
            state.contents() == &expected(number),
            "kill {kill} of seed {SEED:#x}: the state is not that after batch {number}"
        );
        in_between += u32::from(has_leftover(&state) || number > acknowledged);
    }
    assert!(in_between > 0, "no process was killed in the midst of a commit");
}

/// Whether there are pieces of a commit that does not count.
fn has_leftover(state: &ChainState) -> bool {
    let next = key::commit(state.commits);
    let keys = state.database.keys(Tree::Batch).unwrap();
    keys.iter().any(|key| key.starts_with(&next))
}

fn start(path: &Path) -> Child {
    let module = module_path!().split_once("::").unwrap().1;
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture"])
        .arg(format!("{module}::commits_until_it_is_killed"))
        .env(STATE, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}
