//! Where names of contracts come from: the artifacts that the command line names, else those of a configuration file.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use eradbg_tracer::Recording;
use eradbg_tracer::symbols::artifacts::Artifacts;
use etcetera::BaseStrategy;
use serde::Deserialize;

use crate::cli::NameArgs;

/// The configuration of a project: in its folder, or one below.
const PROJECT_FILE: &str = "eradbg.ron";
/// The configuration of a user, in the folder for those.
const USER_FILE: &str = "eradbg/config.ron";

/// What a configuration file may set.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// Artifacts, by paths that start from the file's folder.
    artifacts: Vec<PathBuf>,
}

impl NameArgs {
    /// Opens a recording with its names, and says on standard error what is wrong with them.
    pub(crate) fn open(&self, path: &Path) -> Result<Recording> {
        let recording = Recording::open(path)?;
        self.give_names(&recording)?;
        for note in recording.notes_on_names()? {
            eprintln!("eradbg: {note}");
        }
        Ok(recording)
    }

    /// Gives a recording its names. Folders of a configuration may not be there yet.
    pub(crate) fn give_names(&self, recording: &Recording) -> Result<()> {
        let mut paths = self.artifacts.clone();
        if paths.is_empty() {
            paths = configured(
                &std::env::current_dir().unwrap_or_default(),
                user_file().as_deref(),
            )?;
            paths.retain(|path| {
                let exists = path.exists();
                if !exists {
                    eprintln!(
                        "eradbg: {}: not there; the configuration names it",
                        path.display()
                    );
                }
                exists
            });
        }
        if !paths.is_empty() {
            recording.use_artifacts(Artifacts::read(&paths).context("artifacts")?);
        }
        Ok(())
    }
}

fn user_file() -> Option<PathBuf> {
    let strategy = etcetera::choose_base_strategy().ok()?;
    Some(strategy.config_dir().join(USER_FILE))
}

/// The artifacts of the first configuration file that exists: of a folder, of those above it, of the user.
fn configured(folder: &Path, user_file: Option<&Path>) -> Result<Vec<PathBuf>> {
    let project = folder.ancestors().map(|folder| folder.join(PROJECT_FILE));
    let mut files = project.chain(user_file.map(Path::to_owned));
    let Some(file) = files.find(|file| file.is_file()) else {
        return Ok(Vec::new());
    };
    let folder = file.parent().unwrap_or(Path::new(""));
    let config = read(&file)?;
    Ok(config.artifacts.iter().map(|path| folder.join(path)).collect())
}

fn read(file: &Path) -> Result<Config> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    ron::from_str(&text).map_err(|error| {
        let place = error.span.start;
        anyhow!("{}:{}:{}: {}", file.display(), place.line, place.col, error.code)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_configuration_counts_and_paths_start_from_it() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("src/deep");
        fs::create_dir_all(&inner).unwrap();
        let user = folder.path().join("user.ron");
        fs::write(&user, "(artifacts: [\"/everywhere\"])").unwrap();
        assert_eq!(configured(&inner, None).unwrap(), Vec::<PathBuf>::new());
        assert_eq!(
            configured(&inner, Some(&user)).unwrap(),
            [PathBuf::from("/everywhere")]
        );
        fs::write(
            folder.path().join(PROJECT_FILE),
            "(artifacts: [\"zkout\", \"/b\"])",
        )
        .unwrap();
        let expected = [folder.path().join("zkout"), PathBuf::from("/b")];
        assert_eq!(configured(&inner, Some(&user)).unwrap(), expected);
        fs::write(folder.path().join("src").join(PROJECT_FILE), "()").unwrap();
        assert!(configured(&inner, Some(&user)).unwrap().is_empty());
    }

    #[test]
    fn a_broken_configuration_names_the_file_and_the_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(PROJECT_FILE);
        for (text, place) in [
            ("(\n    artefacts: [],\n)", ":2:"),
            ("(artifacts: 7)", ":1:12:"),
            ("(artifacts: [7])", ":1:14:"),
        ] {
            fs::write(&file, text).unwrap();
            let error = format!("{:#}", read(&file).unwrap_err());
            assert!(
                error.starts_with(&format!("{}{place}", file.display())),
                "{error}"
            );
        }
    }
}
