//! Which chunks and stretches may write a place.

use std::ops::Range;

use eradbg_vm::heap::PAGE_BYTES;
use eradbg_vm::page_ids::stack_page;
use eradbg_vm::paged::PAGE_WORDS;
use eradbg_vm::storage::StorageKey;

use crate::index::slot_id;
use crate::keyframe::PageKey;
use crate::query::access::PlacePattern;
use crate::query::expr::{AccessTest, Verb};
use crate::query::glimpse::Glimpse;
use crate::recording::{PageIndex, Recording};

/// Chunks that may do what a test of one memory or slot asks for, ascending; `None`: any.
pub(super) fn chunks(recording: &Recording, test: &AccessTest) -> Option<Vec<u32>> {
    let machine = || chunks_with_memory(recording, test).or_else(|| chunks_with_stack(recording, test));
    // Keyframes tell what was written, not what was read.
    let found = (test.verb != Verb::Read).then(machine).flatten();
    let mut chunks = found.or_else(|| chunks_with_slot(recording, test))?;
    chunks.sort_unstable();
    chunks.dedup();
    Some(chunks)
}

/// The far frame of which a test names a stack slot, by the step that entered it.
pub(super) fn frame(test: &AccessTest) -> Option<u64> {
    match test.place {
        PlacePattern::Stack { frame, slot: Some(_) } if test.verb != Verb::Read => frame,
        _ => None,
    }
}

/// Whether a stretch may do what a test asks for, by the words that it wrote.
pub(super) fn may_be_written(test: &AccessTest, glimpse: &Glimpse) -> bool {
    match test.place {
        _ if test.verb == Verb::Read => true,
        PlacePattern::Heap {
            page: Some(space),
            ref bytes,
        } => {
            // What was written to a memory that died is not known.
            let lives = &glimpse.lives;
            let is_edge =
                glimpse.ids.contains(&space) || lives.born.contains(&space) || lives.gone.contains(&space);
            let of_space = |page: PageKey| (page.0, page.1) == (space, false);
            is_edge
                || wrote(glimpse, |page| {
                    of_space(page).then(|| words_of_page(bytes.as_ref(), page.2))
                })
        }
        PlacePattern::Stack {
            frame: Some(entered_at),
            slot: Some(slot),
        } => {
            let [before, after] = glimpse.frames.each_ref().map(|frames| {
                let mut frames = frames.iter();
                frames.find(|frame| frame.entered_at == entered_at)
            });
            match (before, after) {
                _ if glimpse.steps.contains(&entered_at) => true,
                (None, _) => false,
                (Some(_), None) => true,
                (Some(_), Some(frame)) => {
                    let (of, word) = stack_word(frame.base_page, slot);
                    wrote(glimpse, |page| (page == of).then_some(word))
                }
            }
        }
        _ => true,
    }
}

/// Whether a stretch wrote one of the words of a page that are asked for.
fn wrote(glimpse: &Glimpse, words: impl Fn(PageKey) -> Option<u32>) -> bool {
    let mut written = glimpse.written.iter();
    written.any(|version| words(version.page).is_some_and(|words| version.written & words != 0))
}

/// The words of a page of memory that have some of these bytes; `None`: all.
fn words_of_page(bytes: Option<&Range<u64>>, index: u32) -> u32 {
    let Some(bytes) = bytes else { return u32::MAX };
    let first = u64::from(index) * PAGE_BYTES as u64;
    let word = |word: &u64| {
        let start = first + word * 32;
        start < bytes.end && bytes.start < start + 32
    };
    (0..PAGE_WORDS as u64)
        .filter(word)
        .fold(0, |words, word| words | 1 << word)
}

/// The index of the page that has a byte.
fn page_of(byte: u64) -> u32 {
    u32::try_from(byte / PAGE_BYTES as u64).unwrap_or(u32::MAX)
}

/// The page of a stack slot, and its word in it.
fn stack_word(base_page: u32, slot: u16) -> (PageKey, u32) {
    let slot = usize::from(slot);
    let page = (stack_page(base_page), true, (slot / PAGE_WORDS) as u32);
    (page, 1 << (slot % PAGE_WORDS))
}

/// Chunks that may write the memory of a test; `None`: any.
fn chunks_with_memory(recording: &Recording, test: &AccessTest) -> Option<Vec<u32>> {
    let PlacePattern::Heap {
        page: Some(space),
        bytes,
    } = &test.place
    else {
        return None;
    };
    let index = recording.page_index();
    let pages = bytes.as_ref().map_or(0..=u32::MAX, |bytes| {
        page_of(bytes.start)..=page_of(bytes.end.saturating_sub(1))
    });
    let written = index
        .pages_between(*space, pages)
        .flat_map(|page| chunks_that_write(index, page, words_of_page(bytes.as_ref(), page.2)));
    Some(index.edges(*space).chain(written).collect())
}

/// Chunks that may write the stack slot of a frame that a test names; `None`: any.
fn chunks_with_stack(recording: &Recording, test: &AccessTest) -> Option<Vec<u32>> {
    let PlacePattern::Stack {
        frame: Some(entered_at),
        slot: Some(slot),
    } = test.place
    else {
        return None;
    };
    let base_page = |chunk: u32| {
        let frames = recording.far_frames(chunk).ok()?;
        let frame = frames.into_iter().find(|frame| frame.entered_at == entered_at);
        Some(frame.map(|frame| frame.base_page))
    };
    // The last keyframe that has the frame: it ends in the chunk that follows. Nothing is known where one is damaged.
    // Frames live to the end or end soon, as a rule.
    let first = recording.chunk_of(entered_at);
    let (mut alive, mut over, mut page) = (first, recording.chunks(), None);
    let (mut probe, mut apart) = (over.saturating_sub(1), 1);
    while over.saturating_sub(alive) > 1 {
        match base_page(probe)? {
            Some(found) => (alive, page) = (probe, Some(found)),
            None => over = probe,
        }
        probe = alive + apart.min((over - alive) / 2);
        apart = apart.saturating_mul(4);
    }
    let mut chunks = vec![first, alive];
    if let Some(base) = page {
        let (page, word) = stack_word(base, slot);
        chunks.extend(chunks_that_write(recording.page_index(), page, word));
    }
    Some(chunks)
}

/// Chunks that do what a test asks for to a slot; `None`: the test names no slot.
fn chunks_with_slot(recording: &Recording, test: &AccessTest) -> Option<Vec<u32>> {
    let (is_transient, address, key) = match test.place {
        PlacePattern::Storage { address, slot } => (false, address?, slot?),
        PlacePattern::Transient { address, slot } => (true, address?, slot?),
        _ => return None,
    };
    let id = slot_id(is_transient, StorageKey { address, key });
    let mut chunks = recording.slot_index().chunks(id, |touch| match test.verb {
        Verb::Read => touch.read,
        Verb::Write => touch.written,
        Verb::Change => touch.written || touch.restored,
        Verb::Restore => touch.restored,
    });
    // What a rollback did stands in the block after it, and what the end brought in one that no chunk has.
    let before = chunks.iter().filter_map(|chunk| chunk.checked_sub(1));
    let before: Vec<u32> = before
        .filter(|&chunk| recording.rows_reach_beyond(chunk))
        .collect();
    chunks.extend(before);
    chunks.extend(recording.chunks().checked_sub(1));
    Some(chunks)
}

/// Chunks that wrote one of these words of a page: each keyframe tells of the chunk before it.
fn chunks_that_write(index: &PageIndex, page: PageKey, words: u32) -> impl Iterator<Item = u32> + '_ {
    let versions = index.versions(page).iter();
    let written = versions.filter(move |version| version.written & words != 0);
    written.map(|version| version.chunk.saturating_sub(1))
}
