//! Checks a recording: every checksum and the chain, and that each chunk replays to what was recorded after it.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use eradbg_vm::observer::{FrameEnd, Step};
use eradbg_vm::{Execution, Observer};
use rayon::prelude::*;

use crate::error::Error;
use crate::index::{ExecutedCode, Summary, Touched};
use crate::keyframe::PageContent;
use crate::ledger::FrameRows;
use crate::log::{ChunkLog, digest};
use crate::recording::Recording;
use crate::replay::replay_chunk;

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// Chunks that were checked.
    pub chunks: u32,
    /// Steps that were replayed.
    pub steps: u64,
    /// What is broken, in order of chunks.
    pub broken: Vec<String>,
    /// Whether the check was stopped before the end.
    pub was_stopped: bool,
}

/// Checks a recording on all cores; `progress` gets the number of chunks that were checked so far, and may stop the
/// check.
pub fn verify(recording: &Recording, progress: impl Fn(u32) -> ControlFlow<()> + Sync) -> Findings {
    let mut findings = Findings::default();
    if let Err(error) = recording.check_machine() {
        findings.broken.push(error.to_string());
        return findings;
    }
    // Every chunk needs it, and it is made once.
    recording.page_index();
    let (checked, stop) = (AtomicU32::new(0), AtomicBool::new(false));
    let groups: Vec<_> = (0..recording.groups())
        .into_par_iter()
        .map(|group| {
            // Only a whole recording has all of them.
            let (stored, broken) = match recording.stored_group(group) {
                Ok(stored) => (stored.unwrap_or_default(), None),
                Err(error) => (Vec::new(), Some(error)),
            };
            let first = recording.group_chunks(group).start;
            let links: Vec<Option<Link>> = recording
                .group_chunks(group)
                .into_par_iter()
                .map(|chunk| {
                    if stop.load(Ordering::Relaxed) {
                        return None;
                    }
                    let link = Link::of(recording, chunk, stored.get((chunk - first) as usize));
                    if progress(checked.fetch_add(1, Ordering::Relaxed) + 1).is_break() {
                        stop.store(true, Ordering::Relaxed);
                    }
                    Some(link)
                })
                .collect();
            (links, broken)
        })
        .collect();
    let (links, broken): (Vec<_>, Vec<_>) = groups.into_iter().unzip();
    let links = links.concat();
    findings.was_stopped = links.iter().any(Option::is_none);
    findings.check_chain(recording, &links);
    findings
        .broken
        .extend(broken.iter().flatten().map(ToString::to_string));
    if findings.was_stopped {
        return findings;
    }
    let others = [
        recording.check_meta().err(),
        recording
            .row_blocks()
            .checked_sub(1)
            .and_then(|last| recording.all_rows(last).err()),
        recording.reports().err(),
        recording.batch_report().err(),
    ];
    let others = others.into_iter().flatten().chain(recording.broken_listings());
    findings.broken.extend(others.map(|error| error.to_string()));
    // One damaged keyframe is in the way of every chunk after it.
    let mut told = BTreeSet::new();
    findings.broken.retain(|line| told.insert(line.clone()));
    findings
}

/// A chunk as a link of the chain.
#[derive(Clone)]
struct Link {
    /// What it says the chunk before is, and its own checksum; `None` when its log cannot be read.
    checksums: Option<(u64, u64)>,
    /// What else is wrong with it.
    broken: Option<String>,
}

impl Link {
    fn of(recording: &Recording, chunk: u32, summary: Option<&Summary>) -> Self {
        match recording.log_with_checksum(chunk) {
            Ok((log, checksum)) => Self {
                checksums: Some((log.previous, checksum)),
                broken: check_chunk(recording, chunk, &log, summary)
                    .err()
                    .map(|error| error.to_string()),
            },
            Err(error) => Self {
                checksums: None,
                broken: Some(error.to_string()),
            },
        }
    }
}

impl Findings {
    /// Counts the chunks that were checked, and follows the chain through them.
    fn check_chain(&mut self, recording: &Recording, links: &[Option<Link>]) {
        let mut chain = Some(0);
        for (chunk, link) in (0..).zip(links) {
            let Some(Link { checksums, broken }) = link else {
                chain = None;
                continue;
            };
            self.chunks += 1;
            self.steps += recording.first_step(chunk + 1) - recording.first_step(chunk);
            // An unreadable chunk before leaves nothing to compare with.
            let follows = checksums.is_none_or(|(previous, _)| chain.is_none_or(|chain| chain == previous));
            if !follows {
                let why = "it does not follow the chunk before it".to_owned();
                self.broken
                    .push(recording.damaged(place(recording, chunk), why).to_string());
            }
            self.broken.extend(broken.clone());
            chain = checksums.map(|(_, own)| own);
        }
        if self.broken.is_empty() && chain.is_some_and(|chain| chain != recording.chain()) {
            let why = "the checksum of the last chunk is not the one that the recording ends with";
            self.broken
                .push(recording.damaged("chain".to_owned(), why.to_owned()).to_string());
        }
    }
}

fn place(recording: &Recording, chunk: u32) -> String {
    format!("chunk {chunk} (from step {})", recording.first_step(chunk))
}

/// Checks one chunk by itself: its rows and its summary, and that it leads to the next.
fn check_chunk(
    recording: &Recording,
    chunk: u32,
    log: &ChunkLog,
    summary: Option<&Summary>,
) -> Result<(), Error> {
    let rows = recording.all_rows(chunk)?;
    let mut execution = recording.state_at_chunk(chunk)?;
    let mut again = Again::default();
    again.code.start(&execution);
    replay_chunk(recording, chunk, log, &mut execution, &mut again)?;
    let differs = |why: &str| Err(recording.damaged(place(recording, chunk), why.to_owned()));
    if digest(&execution) != log.digest {
        return differs("replaying it ends in another state than was recorded");
    }
    if again.frames.calls.rows() != rows.calls || again.frames.failures.rows() != rows.failures {
        return differs("replaying it calls and fails elsewhere than its rows say");
    }
    if let Some(summary) = summary {
        let keyframe = recording.keyframe(chunk)?;
        let before = chunk.checked_sub(1).map(|before| recording.keyframe(before));
        let expected = Summary {
            path: Some(again.code.take()),
            touched: Some(Touched::by(&rows)),
            ..Summary::of_keyframe(&keyframe, before.transpose()?.as_deref())
        };
        if *summary != expected {
            return differs("the index says something else of it than the chunk itself");
        }
    }
    let follows = chunk + 1 < recording.chunks() && !recording.log(chunk + 1)?.after_rollback;
    if follows {
        compare_with_next(recording, chunk, &execution)?;
    }
    recording.check_pages()
}

/// Gathers the rows of a chunk about calls, and what it executes, once more.
#[derive(Default)]
struct Again {
    step: u64,
    frames: FrameRows,
    code: ExecutedCode,
}

impl Observer for Again {
    const WATCHES: bool = false;

    #[inline]
    fn before_step(&mut self, execution: &Execution, step: Step<'_>) {
        self.step = execution.steps();
        if let Some(pc) = step.pc {
            self.code.executes(pc);
        }
    }

    #[inline(never)]
    fn frame_entered(&mut self, execution: &Execution, is_near: bool) {
        self.frames.entered(self.step, execution, is_near);
        self.code.entered(execution, is_near);
    }

    #[inline(never)]
    fn frame_leaving(&mut self, execution: &Execution, end: FrameEnd) {
        self.frames.leaving(self.step, execution, end);
        self.code.leaving(execution, end);
    }
}

/// Compares the end of a chunk with the keyframe after it, pages included.
fn compare_with_next(recording: &Recording, chunk: u32, end: &Execution) -> Result<(), Error> {
    let keyframe = recording.keyframe(chunk + 1)?;
    let differs = |what: String| {
        let place = format!("keyframe of chunk {} (step {})", chunk + 1, keyframe.step);
        Err(recording.damaged(
            place,
            format!("{what} differs from the replay of the chunk before"),
        ))
    };
    if keyframe.registers != end.registers() || keyframe.globals != end.globals() {
        return differs("a register".to_owned());
    }
    let frames: Vec<_> = end
        .frames()
        .map(|frame| (frame.base_page, frame.current(), &frame.waiting))
        .collect();
    let stored: Vec<_> = keyframe
        .frames
        .iter()
        .map(|frame| (frame.base_page, frame.current(), &frame.waiting))
        .collect();
    if frames != stored {
        return differs("a frame".to_owned());
    }
    if keyframe.living != end.heaps().page_ids() {
        return differs("the list of living memories".to_owned());
    }
    for page in &keyframe.pages {
        let same = match &page.content {
            PageContent::Heap(content) => {
                end.heaps()
                    .get(page.space)
                    .and_then(|heap| heap.pages().page(page.index as usize))
                    == Some(content)
            }
            PageContent::Stack(content) => {
                let owner = end
                    .frames()
                    .find(|frame| eradbg_vm::page_ids::stack_page(frame.base_page) == page.space);
                owner.and_then(|frame| frame.stack.pages().page(page.index as usize)) == Some(content)
            }
        };
        if !same {
            return differs(format!("page {}.{}", page.space, page.index));
        }
    }
    Ok(())
}
