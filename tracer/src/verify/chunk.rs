//! Checks one chunk by itself: its rows, its summary, and that it leads to the next keyframe.

use eradbg_vm::{Execution, U256};

use crate::again::{Again, Deed};
use crate::error::Error;
use crate::index::{Summary, Touched};
use crate::keyframe::PageContent;
use crate::ledger::{OperatorRow, Rows, Timed};
use crate::log::{ChunkLog, digest};
use crate::recording::Recording;
use crate::replay::replay_chunk;

/// Where a chunk is, for people.
pub(super) fn place(recording: &Recording, chunk: u32) -> String {
    format!("chunk {chunk} (from step {})", recording.first_step(chunk))
}

/// What a chunk did to the chain's state, and the rows that it was recorded with.
pub(super) type Done = (Vec<(u64, Deed)>, Rows);

/// Checks a chunk, and says what it did.
pub(super) fn check_chunk(
    recording: &Recording,
    chunk: u32,
    log: &ChunkLog,
    summary: Option<&Summary>,
) -> Result<Done, Error> {
    let rows = recording.all_rows(chunk)?;
    let mut execution = recording.state_at_chunk(chunk)?;
    execution.start_tracking();
    let mut again = Again::default();
    again.code.start(&execution);
    replay_chunk(recording, chunk, log, &mut execution, &mut again)?;
    let differs = |why: &str| Err(recording.damaged(place(recording, chunk), why.to_owned()));
    if digest(&execution) != log.digest {
        return differs("replaying it ends in another state than was recorded");
    }
    if again.rows.calls != rows.calls || again.rows.failures != rows.failures {
        return differs("replaying it calls and fails elsewhere than its rows say");
    }
    if operator_writes(log) != writes_of(&rows.operator, log) {
        return differs("the operator wrote something else than its rows say");
    }
    if let Some(summary) = summary {
        let keyframe = recording.keyframe(chunk)?;
        let expected = Summary {
            path: Some(again.code.take()),
            touched: Some(Touched::by(&rows)),
            ..Summary::of_keyframe(&keyframe)
        };
        if *summary != expected {
            return differs("the index says something else of it than the chunk itself");
        }
    }
    let follows = chunk + 1 < recording.chunks() && !recording.log(chunk + 1)?.after_rollback;
    if follows {
        compare_with_next(recording, chunk, &mut execution)?;
    }
    recording.check_pages()?;
    Ok((again.deeds, rows))
}

/// What the operator wrote, as the log says: position, slot, word.
fn operator_writes(log: &ChunkLog) -> Vec<(u64, u32, U256)> {
    let writes = log.operator.iter();
    writes
        .map(|write| (write.position, write.slot, write.word))
        .collect()
}

/// The same as rows say. What was written before the keyframe is part of it, and in no log.
fn writes_of(rows: &[Timed<OperatorRow>], log: &ChunkLog) -> Vec<(u64, u32, U256)> {
    let mut unlogged = rows.len();
    if let Some(first) = log.operator.first() {
        let same = |row: &Timed<OperatorRow>| {
            let (position, slot, word) = (first.position, first.slot, first.word);
            row.step == position
                && matches!(row.row, OperatorRow::Write { slot: of, new, .. } if (of, new) == (slot, word))
        };
        unlogged = rows.iter().position(same).unwrap_or(0);
    }
    let logged = rows[unlogged.min(rows.len())..].iter();
    let writes = logged.filter_map(|row| match row.row {
        OperatorRow::Write { slot, new, .. } => Some((row.step, slot, new)),
        _ => None,
    });
    writes.collect()
}

/// Compares the end of a chunk with the keyframe after it, pages included.
fn compare_with_next(recording: &Recording, chunk: u32, end: &mut Execution) -> Result<(), Error> {
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
        .map(|frame| (frame.base_page, frame.current()))
        .collect();
    let stored: Vec<_> = keyframe
        .frames
        .iter()
        .map(|frame| (frame.base_page, frame.current()))
        .collect();
    if frames != stored {
        return differs("a frame".to_owned());
    }
    if keyframe.lives != end.take_lives() {
        return differs("which memories live, or which frames wait,".to_owned());
    }
    for page in &keyframe.pages {
        let same = match page.content() {
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
