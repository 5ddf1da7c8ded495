//! The rollback ledger: what failed frames and the operator took back, and what survived.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use eradbg_vm::U256;
use eradbg_vm::state::Restored;
use eradbg_vm::storage::StorageKey;
use serde::Serialize;

use crate::analysis::walk::walk;
use crate::error::Result;
use crate::ledger::StateRow;
use crate::query::EffectReport;
use crate::recording::Recording;

/// Something that a rollback restored, or that survived it; a rollback with neither has one row all the same.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct RollbackRow {
    /// The step that left the frame, or the last one that the operator took back.
    pub step: u64,
    /// The transaction that it belongs to, counted from 0.
    pub tx: Option<u32>,
    /// `revert` or `panic` of a frame, or `operator`.
    pub kind: &'static str,
    /// Why the frame panicked: the short name of the cause.
    pub cause: &'static str,
    /// Whose frame failed; empty for the operator.
    pub by: String,
    /// The first step that was undone.
    pub since: u64,
    /// How many steps of work were undone.
    pub steps: u64,
    /// Whether it survived; else it was restored.
    pub survives: bool,
    /// A place, or how many of what; empty for nothing. Of what survived: `warm` and a slot, `code` and its hash, `refunds`,
    /// `pubdata costs`.
    pub what: String,
    /// Of what survived: the step that left it behind first.
    pub left_by: Option<u64>,
    /// Value before the rollback.
    pub from: Option<String>,
    /// Value after it, which is also the one before the work that was undone.
    pub to: Option<String>,
    /// How many values of the place were undone.
    pub values: u32,
    /// Bytes of pubdata: those that it took back, as a difference, or those whose costs survive in the batch's list.
    pub pubdata: Option<i32>,
    /// Ergs of refunds that survive.
    pub ergs: Option<u64>,
    /// The slot.
    #[serde(skip)]
    pub slot: Option<StorageKey>,
}

/// Hands on the rollback ledger of some steps in order of time. What the operator takes back of them may reach beyond.
///
/// # Errors
/// When rows are damaged, and what `each` says.
pub fn rollbacks<E: From<crate::Error>>(
    recording: &Recording,
    steps: Range<u64>,
    each: &mut dyn FnMut(RollbackRow) -> Result<(), E>,
) -> Result<(), E> {
    recording.load_overview();
    let mut causes = causes(recording);
    causes.retain(|row| row.since < steps.end && steps.start <= row.step);
    let first = causes.iter().map(|row| row.since).min().unwrap_or_default();
    let end = causes.iter().map(|row| row.step + 1).max().unwrap_or_default();
    causes.sort_by_key(|row| std::cmp::Reverse(row.since));
    // Those that the walk is in.
    let mut open: Vec<Undone> = Vec::new();
    walk::<StateRow, E>(recording, first..end, &mut |told| {
        let step = told.row.step;
        while let Some(cause) = causes.pop_if(|cause| cause.since <= step) {
            open.push(Undone::new(cause));
        }
        close(&mut open, step, each)?;
        if let StateRow::Restored(what) = &told.row.row {
            let here = open.iter_mut().filter(|undone| undone.cause.step == step);
            // Where the operator rolls back after a step that fails a frame, rows do not tell which of the two restored.
            if let Some(undone) = here.min_by_key(|undone| undone.cause.kind == "operator") {
                undone.restore(what);
            }
        } else {
            for undone in &mut open {
                undone.see(step, &told.row.row);
            }
        }
        Ok(())
    })?;
    open.extend(causes.into_iter().rev().map(Undone::new));
    close(&mut open, u64::MAX, each)
}

/// Hands on the rows of the rollbacks that were before a step, in order of time.
fn close<E>(
    open: &mut Vec<Undone>,
    step: u64,
    each: &mut dyn FnMut(RollbackRow) -> Result<(), E>,
) -> Result<(), E> {
    if open.iter().all(|undone| undone.cause.step >= step) {
        return Ok(());
    }
    let mut over: Vec<_> = open.extract_if(.., |undone| undone.cause.step < step).collect();
    over.sort_by_key(|undone| undone.cause.step);
    over.into_iter().flat_map(Undone::rows).try_for_each(each)
}

/// A rollback while the rows before it are walked.
struct Undone {
    /// Without what it restored.
    cause: RollbackRow,
    restored: Vec<RollbackRow>,
    /// Where places stand in that list.
    known: HashMap<String, usize>,
    /// Slots that were accessed, each with the first step.
    warm: BTreeMap<StorageKey, u64>,
    /// Code that was loaded, by its hash.
    code: BTreeMap<U256, u64>,
    /// The first step with a refund, and ergs of all.
    refunds: Option<(u64, u64)>,
    /// The first step with a pubdata cost, and bytes of all.
    costs: Option<(u64, i32)>,
}

impl Undone {
    fn new(cause: RollbackRow) -> Self {
        Self {
            cause,
            restored: Vec::new(),
            known: HashMap::new(),
            warm: BTreeMap::new(),
            code: BTreeMap::new(),
            refunds: None,
            costs: None,
        }
    }

    /// Takes note of what survives a frame.
    fn see(&mut self, step: u64, row: &StateRow) {
        if self.cause.kind == "operator" || step >= self.cause.step {
            return;
        }
        match row {
            StateRow::Storage(access) => {
                self.warm.entry(access.key).or_insert(step);
                if access.refund > 0 {
                    self.refunds.get_or_insert((step, 0)).1 += u64::from(access.refund);
                }
                if access.pubdata != 0 {
                    self.costs.get_or_insert((step, 0)).1 += access.pubdata;
                }
            }
            StateRow::Decommit(decommit) if decommit.page.is_some() => {
                self.code.entry(decommit.hash).or_insert(step);
            }
            _ => {}
        }
    }

    /// Takes note of what was restored: of each slot what it had last, and what it had before all that was undone.
    fn restore(&mut self, what: &Restored) {
        let report = EffectReport::of_restored(what);
        let is_place = report.new.is_some();
        // The newest value comes first.
        if let Some(&at) = self.known.get(&report.at).filter(|_| is_place) {
            self.restored[at].to = report.new;
            self.restored[at].values += 1;
            return;
        }
        self.known.insert(report.at.clone(), self.restored.len());
        self.restored.push(RollbackRow {
            what: report.at,
            from: report.old,
            to: report.new,
            values: u32::from(is_place),
            pubdata: report.pubdata,
            slot: match what {
                Restored::Storage { key, .. } | Restored::ReadSlot(key) | Restored::WrittenSlot(key) => {
                    Some(*key)
                }
                _ => None,
            },
            ..self.cause.clone()
        });
    }

    fn rows(self) -> Vec<RollbackRow> {
        let row = |what: String, left_by| RollbackRow {
            survives: true,
            what,
            left_by: Some(left_by),
            ..self.cause.clone()
        };
        let mut rows = self.restored;
        rows.extend(self.warm.into_iter().map(|(key, step)| RollbackRow {
            slot: Some(key),
            ..row(format!("warm {:#x} {:#x}", key.address, key.key), step)
        }));
        rows.extend(
            self.code
                .into_iter()
                .map(|(hash, step)| row(format!("code {hash:#066x}"), step)),
        );
        rows.extend(self.refunds.map(|(step, ergs)| RollbackRow {
            ergs: Some(ergs),
            ..row("refunds".to_owned(), step)
        }));
        rows.extend(self.costs.map(|(step, bytes)| RollbackRow {
            pubdata: Some(bytes),
            ..row("pubdata costs".to_owned(), step)
        }));
        if rows.is_empty() {
            rows.push(self.cause);
        }
        rows
    }
}

/// Frames that failed, and rollbacks of the operator, each without what it restored.
fn causes(recording: &Recording) -> Vec<RollbackRow> {
    let tx = |step| recording.transaction_number_at(step);
    // What the outermost frame did is the operator's to take back.
    let inner = recording
        .failures()
        .iter()
        .filter(|failure| !recording.ends_with(failure));
    let frames = inner.map(|failure| RollbackRow {
        step: failure.step,
        tx: tx(failure.step),
        kind: if failure.cause.is_some() {
            "panic"
        } else {
            "revert"
        },
        cause: failure.cause.map_or("", eradbg_vm::PanicCause::name),
        by: format!("{:#x}", failure.address),
        since: failure.entered_at,
        steps: failure.step - failure.entered_at,
        ..RollbackRow::default()
    });
    let of_operator = recording.undone().iter().map(|range| {
        let step = range.end_step.saturating_sub(1);
        RollbackRow {
            step,
            tx: tx(step),
            kind: "operator",
            since: range.first_step,
            steps: range.end_step - range.first_step,
            ..RollbackRow::default()
        }
    });
    frames.chain(of_operator).collect()
}
