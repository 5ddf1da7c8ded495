//! Memory that ended frames leave for new ones, so that a call allocates nothing that an earlier one has had.

use crate::frame::{Frame, NearFrame};
use crate::kept::KeptPages;
use crate::paged::Pool;
use crate::stack::{Stack, StackPage};

/// Frames of which something is kept.
const KEPT_FRAMES: usize = 1_024;

/// Empty stacks and lists with room in them, and pages of stacks. A copy starts with nothing in store.
#[derive(Debug, Default)]
pub(crate) struct Leftovers {
    stacks: Vec<Stack>,
    near_frames: Vec<Vec<NearFrame>>,
    page_lists: Vec<KeptPages>,
    /// Pages of stacks.
    pub(crate) stack_pages: Pool<StackPage>,
}

impl Leftovers {
    /// An empty stack.
    pub(crate) fn stack(&mut self) -> Stack {
        self.stacks.pop().unwrap_or_default()
    }

    /// An empty list of near frames.
    pub(crate) fn near_frames(&mut self) -> Vec<NearFrame> {
        self.near_frames.pop().unwrap_or_default()
    }

    /// An empty list of pages.
    pub(crate) fn page_list(&mut self) -> KeptPages {
        self.page_lists.pop().unwrap_or_default()
    }

    /// Takes what a frame that has ended no longer needs.
    pub(crate) fn take(&mut self, frame: Frame) {
        if self.stacks.len() >= KEPT_FRAMES {
            return;
        }
        let Frame {
            mut stack,
            mut waiting,
            mut kept_pages,
            ..
        } = frame;
        stack.recycle(&mut self.stack_pages);
        waiting.clear();
        kept_pages.clear();
        self.stacks.push(stack);
        self.near_frames.push(waiting);
        self.page_lists.push(kept_pages);
    }
}

impl Clone for Leftovers {
    fn clone(&self) -> Self {
        Self::default()
    }
}
