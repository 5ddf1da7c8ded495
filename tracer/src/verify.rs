//! Checks a recording: every checksum and the chain, and that each chunk replays to what was recorded after it.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use eradbg_vm::observer::{FrameEnd, Step};
use eradbg_vm::{Execution, Observer};
use rayon::prelude::*;

use crate::error::Error;
use crate::keyframe::PageContent;
use crate::ledger::{CallRow, CodeRow, CodeRows, FailureRow, FrameRows, OperatorRow, StateRow};
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
    let (checked, stop) = (AtomicU32::new(0), AtomicBool::new(false));
    let links: Vec<Option<Link>> = (0..recording.chunks())
        .into_par_iter()
        .map(|chunk| {
            if stop.load(Ordering::Relaxed) {
                return None;
            }
            let link = Link::of(recording, chunk);
            if progress(checked.fetch_add(1, Ordering::Relaxed) + 1).is_break() {
                stop.store(true, Ordering::Relaxed);
            }
            Some(link)
        })
        .collect();
    findings.was_stopped = links.iter().any(Option::is_none);
    findings.check_chain(recording, &links);
    if findings.was_stopped {
        return findings;
    }
    let others = [
        recording.check_meta().err(),
        recording
            .row_blocks()
            .checked_sub(1)
            .and_then(|last| check_rows(recording, last).err()),
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
struct Link {
    /// What it says the chunk before is, and its own checksum; `None` when its log cannot be read.
    checksums: Option<(u64, u64)>,
    /// What else is wrong with it.
    broken: Option<Error>,
}

impl Link {
    fn of(recording: &Recording, chunk: u32) -> Self {
        match recording.log_with_checksum(chunk) {
            Ok((log, checksum)) => Self {
                checksums: Some((log.previous, checksum)),
                broken: check_chunk(recording, chunk, &log).err(),
            },
            Err(error) => Self {
                checksums: None,
                broken: Some(error),
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
            self.broken.extend(broken.iter().map(ToString::to_string));
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

/// Checks one chunk by itself: its rows, and that it leads to the next.
fn check_chunk(recording: &Recording, chunk: u32, log: &ChunkLog) -> Result<(), Error> {
    recording.rows::<StateRow>(chunk)?;
    recording.rows::<OperatorRow>(chunk)?;
    let calls = recording.rows::<CallRow>(chunk)?;
    let failures = recording.rows::<FailureRow>(chunk)?;
    let code = recording.rows::<CodeRow>(chunk)?;
    let mut execution = recording.state_at_chunk(chunk)?;
    let mut again = Again::default();
    again
        .code
        .enter(execution.steps(), execution.frame().code_address);
    replay_chunk(recording, chunk, log, &mut execution, &mut again)?;
    if digest(&execution) != log.digest {
        return Err(recording.damaged(
            place(recording, chunk),
            "replaying it ends in another state than was recorded".to_owned(),
        ));
    }
    if again.frames.calls.rows() != calls || again.frames.failures.rows() != failures {
        return Err(recording.damaged(
            place(recording, chunk),
            "replaying it calls and fails elsewhere than its rows say".to_owned(),
        ));
    }
    // Recordings made before there were such rows have none.
    if !code.is_empty() && code != again.code.take() {
        return Err(recording.damaged(
            place(recording, chunk),
            "replaying it executes other code than its rows say".to_owned(),
        ));
    }
    let follows = chunk + 1 < recording.chunks() && !recording.log(chunk + 1)?.after_rollback;
    if follows {
        compare_with_next(recording, chunk, &execution)?;
    }
    recording.check_pages()
}

/// Gathers the rows of a chunk once more.
#[derive(Default)]
struct Again {
    step: u64,
    frames: FrameRows,
    code: CodeRows,
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
        self.code.entered(self.step, execution, is_near);
    }

    #[inline(never)]
    fn frame_leaving(&mut self, execution: &Execution, end: FrameEnd) {
        self.frames.leaving(self.step, execution, end);
        self.code.leaving(self.step, execution, end);
    }
}

/// Reads all rows of a block.
fn check_rows(recording: &Recording, chunk: u32) -> Result<(), Error> {
    recording.rows::<StateRow>(chunk)?;
    recording.rows::<CallRow>(chunk)?;
    recording.rows::<FailureRow>(chunk)?;
    recording.rows::<OperatorRow>(chunk)?;
    recording.rows::<CodeRow>(chunk)?;
    Ok(())
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
