//! What the bootloader does to publish a transaction's bytecodes before it executes the transaction's own call.

use std::ops::Range;

use eradbg_vm::H160;
use eradbg_vm::storage::{BOOTLOADER, KNOWN_CODES_STORAGE, system_address};

use crate::analysis::frames::Frames;
use crate::analysis::phase::Phase;
use crate::error::Result;
use crate::recording::Recording;

/// The system contract that publishes compressed bytecodes.
const COMPRESSOR: H160 = system_address(0x800e);

/// Tells preparation and execution apart, which the hooks do not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Preparation {
    /// The position from which on the transaction's own call is executed, when bytecodes are published before.
    pub(super) end: Option<u64>,
}

impl Preparation {
    /// That of an attempt at a transaction, by its steps. The recording's overview is loaded.
    ///
    /// # Errors
    /// When rows are damaged.
    pub(super) fn of(recording: &Recording, attempt: Range<u64>) -> Result<Self> {
        let frames = Frames::of(recording, attempt)?;
        let spans = frames.spans();
        let prepares = |at: &usize| {
            let by_bootloader = frames.around(*at).all(|outer| spans[outer].this == BOOTLOADER);
            by_bootloader
                && [KNOWN_CODES_STORAGE, COMPRESSOR].contains(&spans[*at].this)
                && Phase::at(recording, spans[*at].entered_at) == Phase::Execution
        };
        let last = (0..spans.len())
            .filter(prepares)
            .filter_map(|at| spans[at].exit)
            .next_back();
        Ok(Self {
            end: last.map(|exit| exit.step + 1),
        })
    }

    /// The name of what begins at a position in a phase.
    pub(super) fn name(self, phase: Phase, position: u64) -> &'static str {
        match phase {
            Phase::Execution if self.end.is_some_and(|end| position < end) => "preparation",
            phase => phase.name(),
        }
    }
}
