//! What lasts for many chunks: pages that far frames keep alive, and near frames that wait in them.
//!
//! These lists grow and shrink at their ends only, and a batch has a version of each for every chunk. An entry knows the one
//! before it, so a version is its last entry, and versions share what they have in common.

use std::ops::Range;

use eradbg_vm::execution::{FrameLists, Growth, Lives};
use eradbg_vm::frame::NearFrame;

/// The lists at the start of each chunk.
#[derive(Debug, Default, Clone)]
pub(super) struct Lasting {
    kept: Lists<u32>,
    waiting: Lists<NearFrame>,
    /// Where the far frames of each chunk are among all of them.
    chunks: Vec<Range<u32>>,
    /// The lists of each far frame of each chunk, outermost first.
    far_frames: Vec<FarFrame>,
}

/// Pages that a far frame keeps alive, and near frames that wait in it.
#[derive(Debug, Default, Clone, Copy)]
struct FarFrame {
    kept: Version,
    waiting: Version,
}

/// Entries of all versions, each with the one before it.
#[derive(Debug, Clone)]
struct Lists<T>(Vec<(T, u32)>);

/// A version of a list: its first and last entry, and how many there are.
#[derive(Debug, Default, Clone, Copy)]
struct Version {
    first: u32,
    last: u32,
    length: u32,
}

impl Lasting {
    /// Adds the next chunk.
    pub(super) fn add(&mut self, lives: &Lives) {
        let before = self.chunks.last().cloned().unwrap_or_default();
        let first = self.far_frames.len() as u32;
        for (at, FrameLists { kept, waiting }) in (before.start..).zip(&lives.frames) {
            let known = before.contains(&at).then(|| self.far_frames[at as usize]);
            let mut frame = known.unwrap_or_default();
            self.kept.change(&mut frame.kept, kept);
            self.waiting.change(&mut frame.waiting, waiting);
            self.far_frames.push(frame);
        }
        self.chunks.push(first..self.far_frames.len() as u32);
    }

    /// How many pages a far frame keeps alive at the start of a chunk.
    pub(super) fn kept_count(&self, chunk: u32, frame: usize) -> usize {
        let frame = self.far_frames(chunk).get(frame);
        frame.map_or(0, |frame| frame.kept.length as usize)
    }

    /// Pages that a far frame keeps alive at the start of a chunk, oldest first.
    pub(super) fn kept(&self, chunk: u32, frame: usize) -> Vec<u32> {
        let frame = self.far_frames(chunk).get(frame);
        frame.map_or_else(Vec::new, |frame| self.kept.list(frame.kept))
    }

    /// Near frames that wait in each far frame at the start of a chunk, outermost first.
    pub(super) fn waiting(&self, chunk: u32) -> impl Iterator<Item = Vec<NearFrame>> {
        let frames = self.far_frames(chunk).iter();
        frames.map(|frame| self.waiting.list(frame.waiting))
    }

    /// The outermost frame that waits in each far frame at the start of a chunk: the far frame itself.
    pub(super) fn outermost(&self, chunk: u32) -> impl Iterator<Item = Option<NearFrame>> {
        let frames = self.far_frames(chunk).iter();
        frames.map(|FarFrame { waiting, .. }| {
            (waiting.length > 0).then(|| self.waiting.0[waiting.first as usize].0)
        })
    }

    fn far_frames(&self, chunk: u32) -> &[FarFrame] {
        let Range { start, end } = self.chunks.get(chunk as usize).cloned().unwrap_or_default();
        &self.far_frames[start as usize..end as usize]
    }
}

impl<T: Copy> Lists<T> {
    /// Leaves the first entries, and adds others.
    fn change(&mut self, version: &mut Version, growth: &Growth<T>) {
        while version.length > growth.inherited {
            version.last = self.0[version.last as usize].1;
            version.length -= 1;
        }
        for &entry in &growth.added {
            self.0.push((entry, version.last));
            version.last = self.0.len() as u32 - 1;
            if version.length == 0 {
                version.first = version.last;
            }
            version.length += 1;
        }
    }

    fn list(&self, version: Version) -> Vec<T> {
        let mut at = version.last;
        let mut list: Vec<T> = (0..version.length)
            .map(|_| {
                let (entry, before) = self.0[at as usize];
                at = before;
                entry
            })
            .collect();
        list.reverse();
        list
    }
}

impl<T> Default for Lists<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(pc: u16) -> NearFrame {
        NearFrame {
            pc,
            sp: 0,
            exception_handler: 0,
            ergs: 0,
            entered_at: 0,
        }
    }

    /// Of each far frame: how many pages it still keeps, and those that it keeps besides; the same of near frames that wait.
    type Frame<'a> = ((u32, &'a [u32]), (u32, &'a [u16]));

    fn lives(frames: &[Frame<'_>]) -> Lives {
        let frames = frames.iter().map(|&((kept, pages), (waiting, pcs))| FrameLists {
            kept: Growth {
                inherited: kept,
                added: pages.to_vec(),
            },
            waiting: Growth {
                inherited: waiting,
                added: pcs.iter().map(|&pc| near(pc)).collect(),
            },
        });
        Lives {
            frames: frames.collect(),
            ..Lives::default()
        }
    }

    #[test]
    fn each_chunk_has_its_own_version_of_the_lists() {
        let mut lasting = Lasting::default();
        lasting.add(&lives(&[
            ((0, &[1, 2, 3]), (0, &[10, 11])),
            ((0, &[7, 8]), (0, &[])),
        ]));
        lasting.add(&lives(&[((1, &[4]), (1, &[12, 13]))]));
        lasting.add(&lives(&[((2, &[]), (3, &[])), ((0, &[9]), (0, &[20]))]));
        lasting.add(&lives(&[((2, &[5]), (3, &[])), ((1, &[]), (1, &[]))]));
        let kept = |frame| [0, 1, 2, 3, 4].map(|chunk| lasting.kept(chunk, frame));
        assert_eq!(
            kept(0),
            [vec![1, 2, 3], vec![1, 4], vec![1, 4], vec![1, 4, 5], vec![]]
        );
        assert_eq!(kept(1), [vec![7, 8], vec![], vec![9], vec![9], vec![]]);
        let counts = [0, 1, 2, 3, 4].map(|chunk| [0, 1].map(|frame| lasting.kept_count(chunk, frame)));
        assert_eq!(counts, [[3, 2], [2, 0], [2, 1], [3, 1], [0, 0]]);
        let waiting = [0, 1, 2, 4].map(|chunk| {
            let frames = lasting.waiting(chunk);
            let frames = frames.map(|frames| frames.iter().map(|frame| frame.pc).collect::<Vec<_>>());
            frames.collect::<Vec<_>>()
        });
        assert_eq!(waiting[0], [vec![10, 11], vec![]]);
        assert_eq!(waiting[1], [vec![10, 12, 13]]);
        assert_eq!(waiting[2], [vec![10, 12, 13], vec![20]]);
        assert_eq!(waiting[3], [[0; 0]; 0]);
        let outermost: Vec<_> = lasting
            .outermost(2)
            .map(|frame| frame.map(|frame| frame.pc))
            .collect();
        assert_eq!(outermost, [Some(10), Some(20)]);
    }
}
