//! What the last step changed, by place, so that every pane can mark it.

use std::collections::HashMap;

use eradbg_tracer::delta::{Change, FrameChange};
use eradbg_vm::{Flags, Value};

use crate::text::signed;

/// Changes of the last step, found by their place.
#[derive(Debug)]
pub(super) struct Changed {
    registers: [Option<Value>; 16],
    stack: HashMap<u16, Value>,
    writes: Vec<(u32, u32)>,
    flags: Option<Flags>,
}

impl Changed {
    /// Sorts changes by place; the bootloader's heap has that page id.
    pub(super) fn new(all: &[Change], bootloader_heap: u32) -> Self {
        let mut changed = Self {
            registers: [None; 16],
            stack: HashMap::new(),
            writes: Vec::new(),
            flags: None,
        };
        for change in all {
            match change {
                Change::Register { index, old, .. } => {
                    changed.registers[usize::from(*index & 15)].get_or_insert(*old);
                }
                Change::Stack { slot, old, .. } => {
                    changed.stack.entry(*slot).or_insert(*old);
                }
                Change::Memory { page, offset, .. } => changed.writes.push((*page, *offset)),
                Change::OperatorWrite { slot, .. } => {
                    changed.writes.push((bootloader_heap, slot * 32));
                }
                Change::Globals { old, new } if old.flags != new.flags => changed.flags = Some(old.flags),
                _ => {}
            }
        }
        changed
    }

    /// A register's value before the last step, when that wrote it.
    pub(super) fn register(&self, index: u8) -> Option<Value> {
        self.registers[usize::from(index & 15)]
    }

    /// A stack slot's value before the last step, when that wrote it.
    pub(super) fn stack(&self, slot: u16) -> Option<Value> {
        self.stack.get(&slot).copied()
    }

    /// The flags before the last step, when that changed them.
    pub(super) fn flags(&self) -> Option<Flags> {
        self.flags
    }

    /// Whether the last step wrote a byte of a page.
    pub(super) fn byte(&self, page: u32, offset: u32) -> bool {
        self.writes
            .iter()
            .any(|&(other, start)| other == page && offset.wrapping_sub(start) < 32)
    }
}

/// What became of the ergs in the last step: a difference while the frame is the same, else a word for the other frame.
pub(super) fn ergs_change(changes: &[Change]) -> Option<String> {
    let change = changes.iter().find_map(|change| match change {
        Change::Frame(change) => Some(change),
        _ => None,
    })?;
    Some(match change {
        FrameChange::Stays { old, new } => signed(i64::from(new.near.ergs) - i64::from(old.near.ergs)),
        FrameChange::NearCall { .. } | FrameChange::FarCall { .. } => "frame entered".to_owned(),
        FrameChange::NearReturn { .. } | FrameChange::FarReturn { .. } => "frame left".to_owned(),
    })
}
