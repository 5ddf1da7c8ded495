//! Checks a recording: every checksum and the chain, and that each chunk replays to what was recorded after it.

mod chunk;
mod state;
mod transactions;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use rayon::prelude::*;

use crate::error::Error;
use crate::index::Summary;
use crate::recording::Recording;
use chunk::{Done, check_chunk};
use state::StateAgain;
use transactions::TransactionsAgain;

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
    if let Err(error) = recording.check_machine() {
        return Findings {
            broken: vec![error.to_string()],
            ..Findings::default()
        };
    }
    // Every chunk needs it, and it is made once.
    recording.page_index();
    let (checked, stop) = (AtomicU32::new(0), AtomicBool::new(false));
    let goes_on = || {
        if progress(checked.fetch_add(1, Ordering::Relaxed) + 1).is_break() {
            stop.store(true, Ordering::Relaxed);
        }
        !stop.load(Ordering::Relaxed)
    };
    let mut all = InOrder::new();
    let mut before: Option<(u32, Group)> = None;
    for group in 0..recording.groups() {
        // While the chunks of a group are replayed, the state goes on with those of the group before.
        let waiting = before.take();
        let (replayed, ()) = rayon::join(
            || Group::replay(recording, group, &goes_on),
            || {
                if let Some((group, replayed)) = waiting {
                    all.take(recording, group, replayed);
                }
            },
        );
        before = Some((group, replayed));
        if stop.load(Ordering::Relaxed) {
            break;
        }
    }
    if let Some((group, replayed)) = before {
        all.take(recording, group, replayed);
    }
    let mut findings = std::mem::take(&mut all.findings);
    findings.was_stopped = findings.chunks < recording.chunks();
    if findings.was_stopped {
        return findings;
    }
    let others = [
        all.chain_ends(recording).filter(|_| findings.broken.is_empty()),
        recording.check_meta().err(),
        all.check_tail(recording).err(),
        all.check_reports(recording).err(),
        recording.batch_report().err(),
    ];
    let others = others.into_iter().flatten().chain(recording.broken_listings());
    findings.broken.extend(others.map(|error| error.to_string()));
    // One damaged keyframe is in the way of every chunk after it.
    let mut told = BTreeSet::new();
    findings.broken.retain(|line| told.insert(line.clone()));
    findings
}

/// What replaying the chunks of a group gave; `None` for those that were not come to.
struct Group {
    links: Vec<Option<Link>>,
    /// Why its summaries cannot be read.
    broken: Option<Error>,
}

impl Group {
    fn replay(recording: &Recording, group: u32, goes_on: &(impl Fn() -> bool + Sync)) -> Self {
        // Only a whole recording has summaries of all chunks.
        let (stored, broken) = match recording.stored_group(group) {
            Ok(stored) => (stored.unwrap_or_default(), None),
            Err(error) => (Vec::new(), Some(error)),
        };
        let chunks = recording.group_chunks(group);
        let first = chunks.start;
        let links = chunks.into_par_iter().map(|chunk| {
            let summary = stored.get((chunk - first) as usize);
            goes_on().then(|| Link::of(recording, chunk, summary))
        });
        Self {
            links: links.collect(),
            broken,
        }
    }
}

/// Follows chunks in their order: the chain of their checksums, and the state of the chain that they work on.
#[derive(Debug)]
struct InOrder {
    findings: Findings,
    /// Checksum of the last chunk, if it is known.
    chain: Option<u64>,
    /// `None` after a chunk of which is not known what it did.
    state: Option<StateAgain>,
    /// `None` after rows that cannot be read or say something else.
    transactions: Option<TransactionsAgain>,
}

impl InOrder {
    fn new() -> Self {
        Self {
            findings: Findings::default(),
            chain: Some(0),
            state: Some(StateAgain::default()),
            transactions: Some(TransactionsAgain::default()),
        }
    }

    fn take(&mut self, recording: &Recording, group: u32, replayed: Group) {
        self.findings
            .broken
            .extend(replayed.broken.map(|error| error.to_string()));
        for (chunk, link) in recording.group_chunks(group).zip(replayed.links) {
            if let Some(link) = link {
                self.follow(recording, chunk, link);
            } else {
                (self.chain, self.state, self.transactions) = (None, None, None);
            }
        }
    }

    /// Counts a chunk, compares its link with the checksum of the chunk before, if that is known, and does again what it
    /// did to the chain's state.
    fn follow(&mut self, recording: &Recording, chunk: u32, link: Link) {
        let Link { checksums, done } = link;
        self.findings.chunks += 1;
        self.findings.steps += recording.first_step(chunk + 1) - recording.first_step(chunk);
        // An unreadable chunk before leaves nothing to compare with.
        let follows = checksums.is_none_or(|(previous, _)| self.chain.is_none_or(|chain| chain == previous));
        let mut broken = Vec::new();
        if !follows {
            broken.push("it does not follow the chunk before it".to_owned());
        }
        self.chain = checksums.map(|(_, own)| own);
        match done {
            Ok((deeds, rows)) => {
                let repeated = self.state.as_mut().map(|state| state.repeat(&deeds, &rows));
                if let Some(Err(why)) = repeated {
                    self.state = None;
                    broken.push(why);
                }
                let followed = self.transactions.as_mut().map(|all| all.follow(&rows));
                if let Some(Err(why)) = followed {
                    self.transactions = None;
                    broken.push(why);
                }
            }
            Err(why) => {
                (self.state, self.transactions) = (None, None);
                self.findings.broken.push(why);
            }
        }
        let broken = broken.into_iter();
        let broken = broken.map(|why| recording.damaged(chunk::place(recording, chunk), why).to_string());
        self.findings.broken.extend(broken);
    }

    /// What is wrong with the end of the chain.
    fn chain_ends(&self, recording: &Recording) -> Option<Error> {
        let why = "the checksum of the last chunk is not the one that the recording ends with";
        let differs = self.chain.is_some_and(|chain| chain != recording.chain());
        differs.then(|| recording.damaged("chain".to_owned(), why.to_owned()))
    }

    /// Checks the rows of what came after the last chunk.
    fn check_tail(&mut self, recording: &Recording) -> Result<(), Error> {
        if recording.row_blocks() > recording.chunks() {
            let rows = recording.all_rows(recording.chunks())?;
            let repeated = self
                .state
                .as_mut()
                .map_or(Ok(()), |state| state.repeat(&[], &rows));
            let followed = self.transactions.as_mut().map_or(Ok(()), |all| all.follow(&rows));
            let checked = repeated.and(followed);
            checked.map_err(|why| recording.damaged("rows after the last chunk".to_owned(), why))?;
        }
        Ok(())
    }

    /// Checks the reports of transactions.
    fn check_reports(&self, recording: &Recording) -> Result<(), Error> {
        let reports = recording.reports()?;
        let compared = self
            .transactions
            .as_ref()
            .map_or(Ok(()), |all| all.compare_with(&reports, recording.is_complete()));
        compared.map_err(|why| recording.damaged("reports".to_owned(), why))
    }
}

/// Checks a recording behind the thread that writes it.
#[derive(Debug)]
pub struct Behind(InOrder);

impl Default for Behind {
    fn default() -> Self {
        Self(InOrder::new())
    }
}

impl Behind {
    /// What was found so far.
    pub fn findings(&self) -> &Findings {
        &self.0.findings
    }

    /// Checks the chunks that are new in a later state of the recording. While it is being written, its last chunk
    /// waits for the one after it.
    pub fn check(&mut self, recording: &Recording) {
        let end = recording.chunks().saturating_sub(u32::from(recording.is_live()));
        for chunk in self.0.findings.chunks..end {
            let link = Link::of(recording, chunk, None);
            self.0.follow(recording, chunk, link);
        }
    }
}

/// A chunk as a link of the chain.
struct Link {
    /// What it says the chunk before is, and its own checksum; `None` when its log cannot be read.
    checksums: Option<(u64, u64)>,
    /// What it did, or what is wrong with it.
    done: Result<Done, String>,
}

impl Link {
    fn of(recording: &Recording, chunk: u32, summary: Option<&Summary>) -> Self {
        let (checksums, done) = match recording.log_with_checksum(chunk) {
            Ok((log, checksum)) => (
                Some((log.previous, checksum)),
                check_chunk(recording, chunk, &log, summary),
            ),
            Err(error) => (None, Err(error)),
        };
        Self {
            checksums,
            done: done.map_err(|error| error.to_string()),
        }
    }
}
