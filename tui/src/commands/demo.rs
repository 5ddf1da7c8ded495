//! `demo`, and `eradbg` without a command: scenarios that the program carries along.
//!
//! Their recordings lie in the user's cache folder, each in a folder whose name changes with whatever it is made of, and
//! are made when they are not there.

use std::fs;
use std::io::{IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use eradbg_fixtures::embedded::SCENARIOS;
use eradbg_tracer::recorder::{Control, DEFAULT_CHUNK_STEPS};
use eradbg_tracer::source::{Loaded, scenario};
use eradbg_tracer::store::FORMAT;
use eradbg_tracer::verify::verify;
use eradbg_tracer::{Error, Recording};
use eradbg_vm::MACHINE_REVISION;
use etcetera::BaseStrategy;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::Exit;
use crate::app;
use crate::cli::DemoArgs;
use crate::commands::{info, record};
use crate::tour::Tour;

/// Digits of the hash that names a recording's folder.
const FINGERPRINT_DIGITS: usize = 16;

/// Opens a scenario; without a terminal it prints the summary.
pub(crate) fn demo(args: &DemoArgs) -> Result<Exit> {
    if args.list {
        return list();
    }
    let (name, tour) = match &args.name {
        Some(name) => (name.as_str(), Tour::Off),
        None => (SCENARIOS[0].name, Tour::START),
    };
    let demo = Demo::open(scenario::embedded(name)?)?;
    args.names.give_names(&demo.recording)?;
    demo.recording.load_overview();
    if std::io::stdout().is_terminal() && std::io::stdin().is_terminal() {
        app::run(demo.recording.clone(), 0, tour)?;
    } else {
        info::print(&demo.recording)?;
    }
    Ok(Exit::Done)
}

/// Prints the names of all scenarios with what they show.
fn list() -> Result<Exit> {
    let mut out = std::io::stdout().lock();
    let width = SCENARIOS.iter().map(|scenario| scenario.name.len()).max();
    let width = width.unwrap_or(0);
    for scenario in SCENARIOS {
        let about = scenario.text.lines().next().unwrap_or_default();
        let about = about.trim_start_matches('/').trim();
        writeln!(out, "{:width$}  {about}", scenario.name)?;
    }
    Ok(Exit::Done)
}

/// The recording of a scenario.
struct Demo {
    recording: Recording,
    /// Holds a recording that is not kept.
    _folder: Option<TempDir>,
}

impl Demo {
    /// Opens the recording in the cache, after making it if need be. Where the cache cannot be used, or another process
    /// has the recording open, a new one is made that lasts as long as this value.
    fn open(loaded: Loaded) -> Result<Self> {
        let cached = cache_folder().and_then(|folder| open_cached(&folder, &loaded));
        if let Some(recording) = cached {
            return Ok(Self {
                recording,
                _folder: None,
            });
        }
        let folder = tempfile::tempdir().context("there is no room for a recording")?;
        let path = folder.path().join(&loaded.name);
        make(&path, loaded)?;
        Ok(Self {
            recording: Recording::open(&path)?,
            _folder: Some(folder),
        })
    }
}

fn cache_folder() -> Option<PathBuf> {
    let strategy = etcetera::choose_base_strategy().ok()?;
    Some(strategy.cache_dir().join("eradbg"))
}

/// The recording in the cache, made or made anew if need be; `None` when that is not possible.
fn open_cached(folder: &Path, loaded: &Loaded) -> Option<Recording> {
    let folder = folder.join(fingerprint(loaded));
    let path = folder.join(&loaded.name);
    match Recording::open(&path) {
        Ok(recording) if is_sound(&recording) => return Some(recording),
        Err(Error::Locked { .. }) => return None,
        Ok(_) | Err(_) => {}
    }
    // What is there is of no use: it was made here and can be made again.
    if path.exists() {
        fs::remove_dir_all(&path).ok()?;
    }
    // Another process that makes the same one must not find half of it.
    fs::create_dir_all(&folder).ok()?;
    let unfinished = tempfile::tempdir_in(&folder).ok()?;
    let made = unfinished.path().join(&loaded.name);
    make(&made, loaded.clone()).ok()?;
    fs::rename(&made, &path).ok()?;
    Recording::open(&path).ok()
}

/// Whether a recording holds all of a scenario, and every part of it can be read. Those that come along are short.
fn is_sound(recording: &Recording) -> bool {
    recording.is_complete() && verify(recording, |_| ControlFlow::Continue(())).broken.is_empty()
}

pub(crate) fn make(path: &Path, loaded: Loaded) -> Result<()> {
    let config = loaded.run;
    let control = Arc::new(Control::new(Arc::default()));
    record::write(path, loaded, &config, DEFAULT_CHUNK_STEPS, control)?.end?;
    Ok(())
}

/// A short text that differs when the recording would: of the scenario, the code it runs, and the program.
fn fingerprint(loaded: &Loaded) -> String {
    let mut hasher = Sha256::new();
    hasher.update(env!("CARGO_PKG_VERSION"));
    hasher.update(FORMAT.to_be_bytes());
    hasher.update(MACHINE_REVISION.to_be_bytes());
    hasher.update(loaded.sha256);
    for listing in &loaded.listings {
        hasher.update(&listing.text);
    }
    let mut digits = hex::encode(hasher.finalize());
    digits.truncate(FINGERPRINT_DIGITS);
    digits
}

#[cfg(test)]
mod tests {
    use eradbg_tracer::Timeline;
    use eradbg_tracer::store::database::Database;
    use eradbg_tracer::store::key;
    use eradbg_tracer::store::tree::{Content, Tree};
    use eradbg_vm::outcome::RetKind;

    use super::*;
    use crate::effect;
    use crate::model::Model;
    use crate::update::update;
    use crate::view::testing::screen;

    fn demo() -> Loaded {
        scenario::embedded(SCENARIOS[0].name).unwrap()
    }

    #[test]
    fn a_cached_recording_is_made_once_and_again_when_it_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let first = open_cached(folder.path(), &demo()).unwrap();
        let (path, made) = (first.path().to_owned(), first.manifest().created_unix);
        assert!(open_cached(folder.path(), &demo()).is_none(), "it is open here");
        drop(first);
        let again = open_cached(folder.path(), &demo()).unwrap();
        assert_eq!((again.path(), again.manifest().created_unix), (&*path, made));
        drop(again);
        let database = Database::open(&path, Content::Recording).unwrap();
        database.remove(Tree::Keyframe, &key::chunk(1)).unwrap();
        drop(database);
        assert!(is_sound(&open_cached(folder.path(), &demo()).unwrap()));
        fs::write(path.join("db"), "nonsense").unwrap();
        assert!(is_sound(&open_cached(folder.path(), &demo()).unwrap()));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn the_readme_shows_the_first_revert_of_the_demo() {
        let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
        // A packaged crate has no README beside it.
        let Ok(text) = fs::read_to_string(readme) else {
            return;
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("demo");
        make(&path, demo()).unwrap();
        let recording = Recording::open(&path).unwrap();
        recording.load_overview();
        let reverted = recording
            .failures()
            .iter()
            .find(|failure| failure.kind == RetKind::Revert);
        let step = reverted.unwrap().step;
        let mut timeline = Timeline::new(recording).unwrap();
        timeline.seek(step).unwrap();
        let mut model = Model::new((100, 32));
        update(&mut model, effect::arrived(&timeline, None));
        let screen = screen(&model, &timeline);
        assert!(
            text.contains(&format!("```\n{screen}```\n")),
            "the README's screen should be:\n{screen}"
        );
    }

    #[test]
    fn other_code_gives_another_name() {
        let mut other = demo();
        other.listings[0].text.push(' ');
        assert_ne!(fingerprint(&demo()), fingerprint(&other));
    }
}
