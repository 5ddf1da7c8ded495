//! Stretches of steps that belong together, and watching them one after the other.

use std::ops::Range;

use eradbg_vm::{Execution, Observer};

use crate::error::Result;
use crate::recording::{Part, Recording};
use crate::replay::Replay;

/// Steps that belong to one transaction at most, and are rolled back as a whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// The steps.
    pub steps: Range<u64>,
    /// The transaction, counted from 0.
    pub tx: Option<u32>,
    /// Position at which the operator rolls them back.
    pub rolled_back_at: Option<u64>,
}

/// Cuts steps where a transaction begins or ends, and where the operator takes a snapshot that it rolls back to or does
/// so. The recording's overview is loaded.
fn stretches(recording: &Recording, steps: Range<u64>) -> Vec<Stretch> {
    let mut cuts = vec![steps.start, steps.end];
    for row in recording.transactions() {
        cuts.extend([row.first_step, row.first_step + row.steps]);
        cuts.extend(row.rerun_at);
    }
    for undone in recording.undone() {
        cuts.extend([undone.first_step, undone.end_step]);
    }
    cuts.retain(|cut| (steps.start..=steps.end).contains(cut));
    cuts.sort_unstable();
    cuts.dedup();
    let stretch = |pair: &[u64]| {
        let rollback = recording.rollback_of(pair[0]);
        Stretch {
            steps: pair[0]..pair[1],
            tx: recording.transaction_number_at(pair[0]),
            rolled_back_at: rollback.map(|range| range.end_step),
        }
    };
    cuts.windows(2).map(stretch).collect()
}

/// Makes rows of what happens in a stretch.
pub(super) trait Watcher: Observer + Sized {
    /// A row.
    type Row;

    /// At the start of a stretch.
    fn start(execution: &Execution) -> Self;

    /// The rows, once the stretch is over.
    fn rows(self, stretch: &Stretch) -> Vec<Self::Row>;
}

/// Hands on the rows of all stretches in order.
///
/// # Errors
/// When the recording is damaged, and what `each` says.
pub(super) fn watch_all<W: Watcher, E: From<crate::Error>>(
    recording: &Recording,
    each: &mut dyn FnMut(W::Row) -> Result<(), E>,
) -> Result<(), E> {
    recording.load_overview();
    let mut place = Place::new(recording);
    for stretch in stretches(recording, 0..recording.steps()) {
        place.watch::<W>(&stretch)?.into_iter().try_for_each(&mut *each)?;
    }
    Ok(())
}

/// The stretches of a part with their rows. The recording's overview is loaded.
///
/// # Errors
/// When there is no such part, or the recording is damaged.
pub(super) fn watch_part<W: Watcher>(
    recording: &Recording,
    part: Part,
) -> Result<Vec<(Stretch, Vec<W::Row>)>> {
    let mut place = Place::new(recording);
    stretches(recording, recording.steps_of(part)?)
        .into_iter()
        .map(|stretch| {
            let rows = place.watch::<W>(&stretch)?;
            Ok((stretch, rows))
        })
        .collect()
}

/// Where the last stretch ended: the next one goes on there.
#[derive(Debug)]
struct Place<'a> {
    recording: &'a Recording,
    last: Option<(u32, Replay)>,
}

impl<'a> Place<'a> {
    fn new(recording: &'a Recording) -> Self {
        Self {
            recording,
            last: None,
        }
    }

    fn watch<W: Watcher>(&mut self, stretch: &Stretch) -> Result<Vec<W::Row>> {
        let Range { start, end } = stretch.steps;
        let chunk = self.recording.chunk_of(start);
        let (mut chunk, mut replay) = match self.last.take() {
            Some((at, replay)) if at == chunk => (at, replay),
            _ => (chunk, Replay::new(self.recording, chunk)?),
        };
        replay.run_to(start, &mut ())?;
        let mut watcher = W::start(replay.execution());
        loop {
            replay.run_to(end, &mut watcher)?;
            if replay.execution().steps() >= end || chunk + 1 >= self.recording.chunks() {
                break;
            }
            chunk += 1;
            replay = Replay::new(self.recording, chunk)?;
        }
        self.last = Some((chunk, replay));
        Ok(watcher.rows(stretch))
    }
}
