//! What each chunk did, in short: so that questions about the whole run look at the few chunks that matter.
//!
//! A [`Summary`] says which pages its keyframe holds, what code it executed, which slots it touched and what its rows are
//! about. Summaries of [`GROUP_CHUNKS`] chunks are one value, written when the group is full; those of chunks that have
//! none yet are made again from the recording.

mod code;
mod group;
mod instructions;
mod touched;

pub use code::{CHANGED, CodeAt, Executed, ExecutedCode, Path};
pub use group::{decode_group, encode_group};
pub use instructions::{Instructions, PcSet};
pub use touched::{SlotTouch, Topic, Topics, Touched, slot_id};

use eradbg_vm::execution::Lives;

use crate::keyframe::{Keyframe, PageKey};

/// Chunks whose summaries are stored in one value.
pub const GROUP_CHUNKS: u32 = 64;

/// What a chunk did, and what its keyframe holds. What cannot be told, since something is damaged, is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// The first page id that was not given at its start.
    pub next_page: u32,
    /// Pages that its keyframe holds: those written in the chunk before, in order.
    pub versions: Vec<Version>,
    /// Memories that came to life and died since the keyframe before.
    pub lives: Lives,
    /// What it executed.
    pub path: Option<Path>,
    /// What its rows are about.
    pub touched: Option<Touched>,
}

/// A page in a keyframe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// The page.
    pub page: PageKey,
    /// Words written since the keyframe before.
    pub written: u32,
}

impl Summary {
    /// What a keyframe says of its chunk.
    pub fn of_keyframe(keyframe: &Keyframe) -> Self {
        let versions = keyframe.pages.iter().map(|version| Version {
            page: version.key(),
            written: version.written,
        });
        Self {
            next_page: keyframe.globals.next_page,
            versions: versions.collect(),
            lives: keyframe.lives.clone(),
            path: None,
            touched: None,
        }
    }
}
