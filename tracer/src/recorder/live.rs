//! A recording while it is written: what is sealed so far can be read in the same process.
//!
//! sled lets one process at a time into a database. So whoever follows a recording shares the writer's handle, and reads
//! what was there at the last seal.

use std::sync::{Arc, Mutex, PoisonError};

use crate::manifest::{EndKind, Manifest, Seal};
use crate::recording::{Extent, Recording};
use crate::store::database::Database;

/// A recording while it is written. Clones share it.
#[derive(Debug, Clone)]
pub struct Live(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    database: Database,
    manifest: Manifest,
    sealed: Mutex<Extent>,
}

impl Live {
    pub(super) fn new(database: Database, manifest: Manifest) -> Self {
        Self(Arc::new(Shared {
            database,
            manifest,
            sealed: Mutex::new(Extent {
                kind: EndKind::Recording,
                ..Extent::default()
            }),
        }))
    }

    /// What is sealed now, when that is more than `before` has, or the run has ended since.
    pub fn recording(&self, before: Option<&Recording>) -> Option<Recording> {
        let sealed = self.sealed();
        let known = before.map_or((0, &EndKind::Recording), |it| (it.chunks(), it.end()));
        if (sealed.seal.chunks, &sealed.kind) == known {
            return None;
        }
        let extent = sealed.clone();
        drop(sealed);
        Recording::of_live(self.0.database.clone(), self.0.manifest.clone(), extent, before).ok()
    }

    /// Notes that chunks were sealed.
    pub(super) fn seal(&self, seal: Seal, first_steps: &[u64]) {
        let mut sealed = self.sealed();
        let known = sealed.first_steps.len();
        sealed.first_steps.extend_from_slice(&first_steps[known..]);
        sealed.seal = seal;
    }

    /// Notes that the run has ended.
    pub(super) fn end(&self, kind: EndKind) {
        self.sealed().kind = kind;
    }

    fn sealed(&self) -> std::sync::MutexGuard<'_, Extent> {
        self.0.sealed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go of it; whether nobody else has it.
    pub(super) fn let_go(self) -> bool {
        Arc::into_inner(self.0).is_some()
    }
}
