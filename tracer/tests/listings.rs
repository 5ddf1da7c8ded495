//! Source texts that a recording keeps beside the code.

mod support;

use eradbg_fixtures::mini_batch;
use eradbg_tracer::Recording;
use eradbg_tracer::listing::Listing;
use eradbg_tracer::source::Script;
use eradbg_tracer::source::assembly::assemble;
use eradbg_tracer::source::run::RunConfig;
use eradbg_tracer::store::settings::sled_config;
use eradbg_tracer::verify::{Findings, verify};
use std::ops::ControlFlow;
use std::path::Path;
use support::{Input, record_with};

const TEXT: &str = "; says yes\n.text\nmain:\n    add 1, r0, r1 ; yes\n\n    ret.ok r0\n";

fn input() -> Input {
    Input {
        name: "mini".to_owned(),
        batch: mini_batch(2),
        script: Script::default(),
        config: RunConfig::default(),
    }
}

/// A listing of the text under its own hash, and the same one under that of the batch's bootloader.
fn listings(input: &Input) -> [Listing; 2] {
    let assembled = assemble(TEXT).expect("the text is a program");
    let listing = Listing {
        hash: assembled.hash,
        name: "yes.asm".to_owned(),
        text: TEXT.to_owned(),
        lines: assembled.lines,
    };
    let bootloader = Listing {
        hash: input.batch.system.bootloader.hash,
        name: "bootloader.asm".to_owned(),
        ..listing.clone()
    };
    [listing, bootloader]
}

fn check(recording: &Recording) -> Findings {
    verify(recording, |_| ControlFlow::Continue(()))
}

fn with_trees<T>(recording: &Path, change: impl FnOnce(&sled::Db) -> T) -> T {
    let database = sled_config(recording).open().expect("nobody else has it open");
    let result = change(&database);
    database.flush().expect("it is writable");
    result
}

#[test]
fn a_recording_gives_back_the_listings_that_it_was_made_with() {
    let input = input();
    let listings = listings(&input);
    let recorded = record_with(&input, 1_000, &listings);
    for listing in &listings {
        let found = recorded.recording.listing(listing.hash).unwrap().unwrap();
        assert_eq!(*found, *listing);
        assert_eq!(found.lines[&0], 4);
    }
    let default_account = input.batch.system.default_account.hash;
    assert_eq!(recorded.recording.listing(default_account).unwrap(), None);
    assert!(check(&recorded.recording).broken.is_empty());
}

#[test]
fn a_damaged_listing_costs_only_itself() {
    let input = input();
    let listings = listings(&input);
    let recorded = record_with(&input, 1_000, &listings);
    let path = recorded.recording.path().to_owned();
    drop(recorded.recording);
    with_trees(&path, |database| {
        let tree = database.open_tree("source").unwrap();
        let mut key = [0; 32];
        listings[1].hash.to_big_endian(&mut key);
        let mut value = tree.get(key).unwrap().unwrap().to_vec();
        value[9] ^= 1;
        tree.insert(key, value).unwrap();
        tree.insert(b"no hash", b"no source").unwrap();
    });
    let recording = Recording::open(&path).unwrap();
    let problem = recording.listing(listings[1].hash).unwrap_err().to_string();
    assert!(
        problem.contains("source of code") && problem.contains("checksum"),
        "{problem}"
    );
    assert!(recording.listing(listings[0].hash).unwrap().is_some());
    let findings = check(&recording);
    assert_eq!(findings.steps, recording.steps());
    assert_eq!(findings.broken.len(), 2, "{findings:?}");
    assert!(findings.broken.contains(&problem));
}

#[test]
fn a_recording_without_the_tree_has_no_listings() {
    let input = input();
    let recorded = record_with(&input, 1_000, &listings(&input));
    let path = recorded.recording.path().to_owned();
    drop(recorded.recording);
    with_trees(&path, |database| {
        assert!(database.drop_tree("source").unwrap());
    });
    let recording = Recording::open(&path).unwrap();
    assert_eq!(
        recording.listing(input.batch.system.bootloader.hash).unwrap(),
        None
    );
    assert!(check(&recording).broken.is_empty());
}
