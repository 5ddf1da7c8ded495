//! Checks a recording: every checksum and the chain, and that each chunk replays to what was recorded after it.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use crate::error::Error;
use crate::keyframe::PageContent;
use crate::ledger::{CallRow, FailureRow, OperatorRow, StateRow};
use crate::log::digest;
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

/// Checks a recording; `progress` gets the chunk that comes next, and may stop the check.
pub fn verify(recording: &Recording, mut progress: impl FnMut(u32) -> ControlFlow<()>) -> Findings {
    let mut findings = Findings::default();
    if let Err(error) = recording.check_machine() {
        findings.broken.push(error.to_string());
        return findings;
    }
    let mut chain = 0;
    for chunk in 0..recording.chunks() {
        if progress(chunk).is_break() {
            findings.was_stopped = true;
            return findings;
        }
        match verify_chunk(recording, chunk, chain) {
            Ok(checksum) => chain = checksum,
            Err(error) => {
                findings.broken.push(error.to_string());
                // The chain goes on from what this chunk should have been, if it can be read at all.
                chain = recording
                    .log_with_checksum(chunk)
                    .map_or(0, |(_, checksum)| checksum);
            }
        }
        findings.chunks += 1;
        findings.steps += recording.first_step(chunk + 1) - recording.first_step(chunk);
    }
    if findings.broken.is_empty() && chain != recording.chain() {
        let why = "the checksum of the last chunk is not the one that the recording ends with";
        findings
            .broken
            .push(recording.damaged("chain".to_owned(), why.to_owned()).to_string());
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

/// Checks one chunk; its checksum.
fn verify_chunk(recording: &Recording, chunk: u32, previous: u64) -> Result<u64, Error> {
    let place = || format!("chunk {chunk} (from step {})", recording.first_step(chunk));
    let (log, checksum) = recording.log_with_checksum(chunk)?;
    // An unreadable chunk before leaves nothing to compare with.
    if log.previous != previous && !(previous == 0 && chunk > 0) {
        return Err(recording.damaged(place(), "it does not follow the chunk before it".to_owned()));
    }
    check_rows(recording, chunk)?;
    let mut execution = recording.state_at_chunk(chunk)?;
    replay_chunk(recording, chunk, &log, &mut execution, &mut ())?;
    if digest(&execution) != log.digest {
        return Err(recording.damaged(
            place(),
            "replaying it ends in another state than was recorded".to_owned(),
        ));
    }
    let follows = chunk + 1 < recording.chunks() && !recording.log(chunk + 1)?.after_rollback;
    if follows {
        compare_with_next(recording, chunk, &execution)?;
    }
    recording.check_pages()?;
    Ok(checksum)
}

/// Reads the rows of a chunk, or of what came after the last one.
fn check_rows(recording: &Recording, chunk: u32) -> Result<(), Error> {
    recording.rows::<StateRow>(chunk)?;
    recording.rows::<CallRow>(chunk)?;
    recording.rows::<FailureRow>(chunk)?;
    recording.rows::<OperatorRow>(chunk)?;
    Ok(())
}

/// Compares the end of a chunk with the keyframe after it, pages included.
fn compare_with_next(recording: &Recording, chunk: u32, end: &eradbg_vm::Execution) -> Result<(), Error> {
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
