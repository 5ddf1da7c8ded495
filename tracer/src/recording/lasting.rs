//! What lasts for many chunks: pages that the root frame keeps alive, and near frames that wait.
//!
//! These lists grow and shrink at their ends only, and a batch has a version of each for every chunk. An entry knows the one
//! before it, so a version is its last entry, and versions share what they have in common.

use std::ops::Range;

use eradbg_vm::execution::{Lives, Waiting};
use eradbg_vm::frame::NearFrame;

/// The lists at the start of each chunk.
#[derive(Debug, Default, Clone)]
pub(super) struct Lasting {
    kept: Lists<u32>,
    waiting: Lists<NearFrame>,
    /// Of each chunk: its pages, and where its far frames are among the versions.
    chunks: Vec<(Version, Range<u32>)>,
    /// Near frames that wait in each far frame of each chunk, outermost first.
    far_frames: Vec<Version>,
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
        let (mut kept, frames) = self.chunks.last().cloned().unwrap_or_default();
        self.kept.change(&mut kept, lives.inherited, &lives.kept);
        let first = self.far_frames.len() as u32;
        for (at, Waiting { inherited, added }) in (frames.start..).zip(&lives.waiting) {
            let before = frames.contains(&at).then(|| self.far_frames[at as usize]);
            let mut version = before.unwrap_or_default();
            self.waiting.change(&mut version, *inherited, added);
            self.far_frames.push(version);
        }
        self.chunks.push((kept, first..self.far_frames.len() as u32));
    }

    /// How many pages the root frame keeps alive at the start of a chunk.
    pub(super) fn kept_count(&self, chunk: u32) -> usize {
        self.chunk(chunk).0.length as usize
    }

    /// Pages that the root frame keeps alive at the start of a chunk, oldest first.
    pub(super) fn kept(&self, chunk: u32) -> Vec<u32> {
        self.kept.list(self.chunk(chunk).0)
    }

    /// Near frames that wait in each far frame at the start of a chunk, outermost first.
    pub(super) fn waiting(&self, chunk: u32) -> impl Iterator<Item = Vec<NearFrame>> {
        let frames = self.far_frames(chunk).iter();
        frames.map(|&version| self.waiting.list(version))
    }

    /// The outermost frame that waits in each far frame at the start of a chunk: the far frame itself.
    pub(super) fn outermost(&self, chunk: u32) -> impl Iterator<Item = Option<NearFrame>> {
        let frames = self.far_frames(chunk).iter();
        frames.map(|version| (version.length > 0).then(|| self.waiting.0[version.first as usize].0))
    }

    fn far_frames(&self, chunk: u32) -> &[Version] {
        let (_, Range { start, end }) = self.chunk(chunk);
        &self.far_frames[start as usize..end as usize]
    }

    fn chunk(&self, chunk: u32) -> (Version, Range<u32>) {
        self.chunks.get(chunk as usize).cloned().unwrap_or_default()
    }
}

impl<T: Copy> Lists<T> {
    /// Leaves the first `inherited` entries, and adds others.
    fn change(&mut self, version: &mut Version, inherited: u32, added: &[T]) {
        while version.length > inherited {
            version.last = self.0[version.last as usize].1;
            version.length -= 1;
        }
        for &entry in added {
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

    fn lives(inherited: u32, kept: &[u32], waiting: &[(u32, &[u16])]) -> Lives {
        let waiting = waiting.iter().map(|&(inherited, added)| Waiting {
            inherited,
            added: added.iter().map(|&pc| near(pc)).collect(),
        });
        Lives {
            inherited,
            kept: kept.to_vec(),
            waiting: waiting.collect(),
            ..Lives::default()
        }
    }

    #[test]
    fn each_chunk_has_its_own_version_of_the_lists() {
        let mut lasting = Lasting::default();
        lasting.add(&lives(0, &[1, 2, 3], &[(0, &[10, 11]), (0, &[])]));
        lasting.add(&lives(1, &[4], &[(1, &[12, 13])]));
        lasting.add(&lives(2, &[], &[(3, &[]), (0, &[20])]));
        let kept = [0, 1, 2, 3].map(|chunk| lasting.kept(chunk));
        assert_eq!(kept, [vec![1, 2, 3], vec![1, 4], vec![1, 4], Vec::new()]);
        assert_eq!([0, 1, 2, 3].map(|chunk| lasting.kept_count(chunk)), [3, 2, 2, 0]);
        let waiting = [0, 1, 2, 3].map(|chunk| {
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
