//! The demo: what the program shows when nothing is given to it.

use std::fs;
use std::path::Path;

use eradbg_fixtures::embedded::SCENARIOS;

use crate::support::{Ended, eradbg};

/// Runs the binary with a cache folder of its own, where `folder` may be anything.
fn with_cache(folder: &Path, cache: &Path, args: &[&str]) -> Ended {
    let mut command = eradbg(folder);
    command
        .args(args)
        .env("XDG_CACHE_HOME", cache)
        .env("HOME", folder);
    command.output().expect("the binary starts").into()
}

fn with_own_cache(folder: &Path, args: &[&str]) -> Ended {
    with_cache(folder, &folder.join("cache"), args)
}

#[test]
fn without_a_command_and_a_terminal_the_demo_is_summed_up() {
    let folder = tempfile::tempdir().expect("there is room");
    let summary = with_own_cache(folder.path(), &[]).ok();
    assert!(summary.contains("\ncomplete         yes\n"), "{summary}");
    let statuses: Vec<&str> = summary
        .lines()
        .filter(|line| line.starts_with("tx "))
        .map(|line| line.split_whitespace().nth(2).expect("a status"))
        .collect();
    assert!(statuses.len() >= 12, "{summary}");
    for status in ["ok", "REVERTED", "HALTED"] {
        assert!(statuses.contains(&status), "{summary}");
    }
    // The second time it is there already: the same recording.
    assert_eq!(with_own_cache(folder.path(), &[]).ok(), summary);
    assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 1);
}

#[test]
fn the_list_tells_what_each_scenario_shows() {
    let folder = tempfile::tempdir().expect("there is room");
    let list = with_own_cache(folder.path(), &["demo", "--list"]).ok();
    for (line, scenario) in list.lines().zip(SCENARIOS) {
        let (name, about) = line.split_once("  ").expect("name and description");
        assert_eq!(name, scenario.name);
        assert!(
            about.trim().ends_with('.') && about.len() > 20,
            "{name} starts with a sentence about it: {about}"
        );
    }
    assert_eq!(list.lines().count(), SCENARIOS.len());
}

#[test]
fn each_scenario_opens_by_its_name() {
    let folder = tempfile::tempdir().expect("there is room");
    for scenario in SCENARIOS {
        let summary = with_own_cache(folder.path(), &["demo", scenario.name]).ok();
        assert!(summary.contains("(scenario, "), "{}: {summary}", scenario.name);
    }
}

#[test]
fn an_unknown_scenario_is_refused_with_the_names_of_all() {
    let folder = tempfile::tempdir().expect("there is room");
    let ended = with_own_cache(folder.path(), &["demo", "nothing"]);
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert!(
        ended.stderr.contains("there is no scenario \"nothing\"") && ended.stderr.contains("guest_panics"),
        "{ended:#?}"
    );
}

#[test]
fn a_cache_that_cannot_be_used_is_done_without() {
    let folder = tempfile::tempdir().expect("there is room");
    let file = folder.path().join("file");
    fs::write(&file, "no folder").expect("the folder is writable");
    let summary = with_cache(folder.path(), &file, &["demo", "transfer"]).ok();
    assert!(summary.contains("\ncomplete         yes\n"), "{summary}");
    assert_eq!(fs::read_to_string(&file).expect("it is there"), "no folder");
}
