//! Near and far frames as one list.

use eradbg_vm::{Execution, Frame, NearFrame};

/// A near or far frame of the call stack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FrameRow<'a> {
    /// The far frame that it is, or lies in.
    pub far: &'a Frame,
    /// Its own program counter, stack pointer, ergs.
    pub current: NearFrame,
    /// Whether it is a near frame.
    pub is_near: bool,
    /// Far frames below it.
    pub far_depth: usize,
    /// Near frames of the same far frame below it.
    pub near_depth: usize,
}

/// The frame `index` frames above the outermost.
pub(crate) fn from_outermost(execution: &Execution, index: usize) -> Option<FrameRow<'_>> {
    let mut left = index;
    for (far_depth, far) in execution.frames().enumerate() {
        let count = far.waiting.len() + 1;
        if left < count {
            let current = far.waiting.get(left).copied().unwrap_or_else(|| far.current());
            return Some(FrameRow {
                far,
                current,
                is_near: left > 0,
                far_depth,
                near_depth: left,
            });
        }
        left -= count;
    }
    None
}

/// The frame `index` frames below the innermost.
pub(crate) fn from_innermost(execution: &Execution, index: usize) -> Option<FrameRow<'_>> {
    from_outermost(execution, (execution.depth() as usize).checked_sub(index + 1)?)
}
