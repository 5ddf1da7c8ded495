//! A recording while it is written: what is sealed so far can be read in the same process.
//!
//! sled lets one process at a time into a database. So whoever follows a recording shares the writer's handle, and reads
//! what was there at the last seal.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use crate::manifest::{EndKind, Manifest, Seal};
use crate::recording::{Extent, Recording};
use crate::store::database::Database;

/// A recording while it is written. Clones share it.
#[derive(Debug, Clone)]
pub struct Live(Arc<Shared>);

/// A recording while it is written, for whoever does not keep it from being let go.
#[derive(Debug)]
pub(super) struct WeakLive(Weak<Shared>);

#[derive(Debug)]
struct Shared {
    /// Not there before the writer has opened it.
    database: OnceLock<Database>,
    manifest: Manifest,
    sealed: Mutex<Extent>,
}

impl Live {
    pub(super) fn new(manifest: Manifest) -> Self {
        Self(Arc::new(Shared {
            database: OnceLock::new(),
            manifest,
            sealed: Mutex::new(Extent {
                kind: EndKind::Recording,
                ..Extent::default()
            }),
        }))
    }

    /// Whether nothing more will be sealed.
    pub fn is_over(&self) -> bool {
        self.sealed().kind != EndKind::Recording
    }

    /// What is sealed now, when that is more than `before` has, or the run has ended since.
    pub fn recording(&self, before: Option<&Recording>) -> Option<Recording> {
        let database = self.0.database.get()?;
        let sealed = self.sealed();
        let known = before.map_or((0, &EndKind::Recording), |it| (it.chunks(), it.end()));
        if (sealed.seal.chunks, &sealed.kind) == known {
            return None;
        }
        let extent = sealed.clone();
        drop(sealed);
        Recording::of_live(database.clone(), self.0.manifest.clone(), extent, before).ok()
    }

    /// Takes the database that it is written to.
    pub(super) fn opened(&self, database: &Database) {
        self.0.database.get_or_init(|| database.clone());
    }

    /// Notes that chunks were sealed.
    pub(super) fn seal(&self, seal: Seal, first_steps: &[u64]) {
        let mut sealed = self.sealed();
        let known = sealed.first_steps.len();
        sealed.first_steps.extend_from_slice(&first_steps[known..]);
        sealed.seal = seal;
    }

    /// Notes how the run has ended; [`EndKind::Unknown`] when that cannot be written.
    pub(super) fn end(&self, kind: EndKind) {
        self.sealed().kind = kind;
    }

    fn sealed(&self) -> std::sync::MutexGuard<'_, Extent> {
        self.0.sealed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, which may be gone.
    pub(super) fn downgrade(&self) -> WeakLive {
        WeakLive(Arc::downgrade(&self.0))
    }

    /// Lets go of it; whether nobody else has it.
    pub(super) fn let_go(self) -> bool {
        Arc::into_inner(self.0).is_some()
    }
}

impl WeakLive {
    /// Tells whoever follows it that no more can be written.
    pub(super) fn break_off(&self) {
        if let Some(shared) = self.0.upgrade() {
            Live(shared).end(EndKind::Unknown);
        }
    }
}
