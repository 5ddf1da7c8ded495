//! Slots of storage and transient storage: which chunks touched which.

use crate::index::{GROUP_CHUNKS, SlotTouch};
use crate::recording::Recording;

/// Which chunks touched which slot.
#[derive(Debug, Default)]
pub struct SlotIndex {
    /// Slots by [`crate::index::slot_id`] with chunk and touch, ascending.
    touches: Vec<(u64, u32, SlotTouch)>,
    /// Chunks of which nothing is known, since their rows are damaged.
    unknown: Vec<u32>,
}

impl Recording {
    /// Which chunks touched which slot: read when it is first needed.
    pub fn slot_index(&self) -> &SlotIndex {
        if let Some(index) = self.0.slots.get() {
            return index;
        }
        // Making groups again takes all cores, so nobody may wait for it with a lock.
        let mut index = SlotIndex::default();
        for group in 0..self.groups() {
            for (chunk, summary) in (group * GROUP_CHUNKS..).zip(self.group(group).iter()) {
                match &summary.touched {
                    Some(touched) => {
                        let slots = touched.slots.iter();
                        index
                            .touches
                            .extend(slots.map(|&(slot, touch)| (slot, chunk, touch)));
                    }
                    None => index.unknown.push(chunk),
                }
            }
        }
        index
            .touches
            .sort_unstable_by_key(|&(slot, chunk, _)| (slot, chunk));
        self.0.slots.get_or_init(|| index)
    }
}

impl SlotIndex {
    /// Chunks that touched a slot so, in no order; two slots may share an id.
    pub fn chunks(&self, slot: u64, wanted: impl Fn(SlotTouch) -> bool) -> Vec<u32> {
        let start = self.touches.partition_point(|touch| touch.0 < slot);
        let of_slot = self.touches[start..].iter().take_while(|touch| touch.0 == slot);
        of_slot
            .filter(|touch| wanted(touch.2))
            .map(|touch| touch.1)
            .chain(self.unknown.iter().copied())
            .collect()
    }
}
