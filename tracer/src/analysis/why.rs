//! Why a transaction failed: from its verdict down to the first cause.

mod cause;
mod ergs;
mod lines;

use std::ops::Range;

use eradbg_vm::bootloader::Hook;
use eradbg_vm::operator::ExecutionResult;
use eradbg_vm::outcome::{End, RetKind};
use eradbg_vm::storage::BOOTLOADER;
use eradbg_vm::{FatPointer, H160, Opcode, PanicCause, value};
use serde::Serialize;

use crate::analysis::frames::{Frames, Span};
use crate::analysis::phase::Phase;
use crate::analysis::reason::reason;
use crate::analysis::unpaid::{Unpaid, unpaid};
use crate::analysis::{after, before};
use crate::error::Result;
use crate::ledger::{TransactionRow, TxStatus};
use crate::recording::Recording;

pub use cause::Cause;
pub use ergs::{ErgsOf, ErgsUser};

/// Failures beside the path that are listed, at most.
const MOST_SWALLOWED: usize = 50;

/// Why a transaction failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Why {
    /// Number of the transaction.
    pub tx: u32,
    /// How it went: `success`, `revert`, `halt`, `unfinished`.
    pub status: &'static str,
    /// The verdict in words; empty for a success.
    pub verdict: String,
    /// The step at which the bootloader had the verdict.
    pub verdict_at: u64,
    /// What the bootloader was about when the first cause came up.
    pub phase: Phase,
    /// Something that the frames do not tell.
    pub remark: Option<String>,
    /// The pubdata for which what was left of the gas did not pay, where the bootloader gave the transaction up for that.
    pub unpaid: Option<Unpaid>,
    /// Frames that failed one because of the other, outermost first.
    pub path: Vec<Failed>,
    /// What made the innermost of them fail.
    pub cause: Option<Cause>,
    /// Who used the ergs, when they ran out: the far frames of the path, outermost first.
    pub ergs: Vec<ErgsOf>,
    /// Other failures, which their callers did not pass on: each with those that it came from, outermost first.
    pub swallowed: Vec<Vec<Failed>>,
    /// How many failures that list leaves out.
    pub more_swallowed: usize,
    /// Whether the recording ends before the transaction does.
    pub is_incomplete: bool,
}

/// A frame that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// The step that left it.
    pub step: u64,
    /// The step that entered it.
    pub entered_at: u64,
    /// Address whose storage it worked on.
    pub address: String,
    /// Name of the contract, or its address cut short; with the code's when that is another's.
    pub name: String,
    /// The function that it was called for, when its selector is known.
    pub function: Option<String>,
    /// Whether it is a near frame.
    pub is_near: bool,
    /// `revert` or `panic`.
    pub kind: &'static str,
    /// What it returned, or why it panicked.
    pub reason: String,
    /// Whether it reverted with just what the next frame of the path returned.
    pub passes_on: bool,
}

impl Why {
    /// Explains a transaction.
    ///
    /// # Errors
    /// When there is no such transaction, the recording cannot be stepped, or a chunk that tells of it is damaged.
    pub fn of(recording: &Recording, tx: u32) -> Result<Self> {
        recording.check_machine()?;
        recording.load_overview();
        let row = recording.transaction(tx)?;
        let Range { start, end } = row.attempt();
        let end = end.min(recording.steps());
        let told = Told {
            recording,
            row,
            steps: start..end,
            frames: Frames::of(recording, start..end)?,
        };
        told.why()
    }

    /// The transaction that a question without a number is about: the first that failed, else the first in which something
    /// did. The recording's overview is loaded.
    pub fn first(recording: &Recording) -> Option<u32> {
        let rows = recording.transactions();
        let failed = rows
            .iter()
            .find(|row| matches!(row.status, TxStatus::Reverted | TxStatus::Halted));
        let uneasy = || {
            let failure = recording.failures().first()?;
            recording.transaction_at(failure.step).map(|at| &rows[at])
        };
        failed.or_else(uneasy).map(|row| row.index)
    }
}

/// What a recording tells of a transaction.
struct Told<'a> {
    recording: &'a Recording,
    row: &'a TransactionRow,
    steps: Range<u64>,
    frames: Frames,
}

impl Told<'_> {
    fn why(&self) -> Result<Why> {
        let path = self.outermost().map_or_else(Vec::new, |top| self.path_from(top));
        let listed = self.failures(&path)?;
        let others = self.swallowed(&path);
        let swallowed = others.iter().take(MOST_SWALLOWED);
        let swallowed = swallowed
            .map(|&at| self.failures(&self.path_from(at)))
            .collect::<Result<_>>()?;
        let innermost = path.last().map(|&at| &self.frames.spans()[at]);
        let cause = innermost
            .and_then(|span| span.exit)
            .map(|exit| self.cause(exit))
            .transpose()?;
        let unpaid = self
            .given_up_at(&path)?
            .map(|step| unpaid(self.recording, self.row.index, step, self.steps.clone()))
            .transpose()?;
        let cause = cause.map(|cause| match &unpaid {
            Some(unpaid) => cause.for_pubdata(unpaid),
            None => cause,
        });
        let ran_out = innermost.and_then(|span| span.exit).and_then(|exit| exit.cause);
        let ergs = if ran_out.is_some_and(ergs::is_lack) {
            self.ergs(&path)?
        } else {
            Vec::new()
        };
        let verdict_at = self.verdict_at(&path);
        let cause_step = cause.as_ref().map_or(verdict_at, |cause| cause.step);
        Ok(Why {
            tx: self.row.index,
            status: status(self.row.status),
            verdict: self.verdict(&listed),
            verdict_at,
            phase: Phase::at(self.recording, cause_step),
            remark: self.remark(&path)?,
            unpaid,
            path: listed,
            cause,
            ergs,
            swallowed,
            more_swallowed: others.len().saturating_sub(MOST_SWALLOWED),
            is_incomplete: self.row.status == TxStatus::Unfinished,
        })
    }

    /// The verdict in words: the operator's, or, where a batch ran in one go, what the outermost frame that failed says.
    fn verdict(&self, path: &[Failed]) -> String {
        let told = self.recording.reason_text(&self.row.reason);
        let is_wanted = told.is_empty() && self.row.status == TxStatus::Reverted;
        let of_frame = path.iter().find(|failed| is_wanted && !failed.reason.is_empty());
        of_frame.map_or(told, |failed| failed.reason.clone())
    }

    /// Where the bootloader had the verdict: the hook that tells the result, the failure of its own frame, or the end.
    fn verdict_at(&self, path: &[usize]) -> u64 {
        let halted_at = path.first().and_then(|&at| self.frames.spans()[at].exit);
        match self.row.status {
            TxStatus::Halted => halted_at.map_or(self.last_step(), |exit| exit.step),
            _ => self.result_at().unwrap_or(self.last_step()),
        }
    }

    fn last_step(&self) -> u64 {
        self.steps.end.saturating_sub(1).max(self.steps.start)
    }

    /// Position at which the bootloader tells the result.
    fn result_at(&self) -> Option<u64> {
        let hooks = self.recording.hooks();
        let first = hooks.partition_point(|hook| hook.step <= self.steps.start);
        let of_transaction = hooks[first..]
            .iter()
            .take_while(|hook| hook.step <= self.steps.end);
        of_transaction
            .filter(|hook| hook.hook == Hook::PostResult as u32)
            .map(|hook| hook.step)
            .last()
    }

    /// The outermost frame whose failure is the verdict.
    fn outermost(&self) -> Option<usize> {
        let spans = self.frames.spans();
        let mut failed = (0..spans.len()).filter(|&at| spans[at].failed());
        match self.row.status {
            TxStatus::Success | TxStatus::Unfinished => None,
            // The bootloader ends, unless it is the operator who refuses.
            TxStatus::Halted => failed.find(|&at| spans[at].is_root()),
            TxStatus::Reverted => {
                let until = self.result_at().unwrap_or(self.steps.end);
                let left_at = |at: usize| spans[at].exit.map_or(0, |exit| exit.step);
                // What a contract has called it may have caught; what fails right below the bootloader decides.
                let decides = |&at: &usize| {
                    let mut around = self.frames.around(at);
                    left_at(at) < until && around.all(|outer| spans[outer].this == BOOTLOADER)
                };
                failed.filter(decides).max_by_key(|&at| left_at(at))
            }
        }
    }

    /// The frames that failed one because of the other, from the outermost on.
    fn path_from(&self, top: usize) -> Vec<usize> {
        let spans = self.frames.spans();
        let left_at = |at: &usize| spans[*at].exit.map_or(u64::MAX, |exit| exit.step);
        let last_called = |&at: &usize| {
            let last = self.frames.children(at).max_by_key(left_at)?;
            spans[last].failed().then_some(last)
        };
        std::iter::successors(Some(top), last_called).collect()
    }

    /// Failures that were caught: their callers did not fail because of them.
    fn swallowed(&self, path: &[usize]) -> Vec<usize> {
        let spans = self.frames.spans();
        let is_top = |at: &usize| {
            let parent = spans[*at].parent;
            spans[*at].failed()
                && !parent.is_some_and(|parent| spans[parent].failed() && !path.contains(&parent))
        };
        let mut found: Vec<usize> = (0..spans.len())
            .filter(is_top)
            .filter(|at| !path.contains(at))
            .collect();
        found.sort_by_key(|&at| spans[at].exit.map(|exit| exit.step));
        found
    }

    fn failures(&self, path: &[usize]) -> Result<Vec<Failed>> {
        let data = path.iter().map(|&at| self.returndata(&self.frames.spans()[at]));
        let data = data.collect::<Result<Vec<_>>>()?;
        let mut failures = Vec::new();
        for (place, &at) in path.iter().enumerate() {
            let says_something = data[place].as_ref().is_some_and(|data| !data.is_empty());
            let passes_on = says_something && data.get(place + 1) == Some(&data[place]);
            failures.push(self.failed(at, passes_on)?);
        }
        Ok(failures)
    }

    fn failed(&self, at: usize, passes_on: bool) -> Result<Failed> {
        let span = &self.frames.spans()[at];
        let exit = span.exit.expect("a frame that failed has ended");
        let text = match (exit.cause, self.returndata(span)?) {
            (Some(_), _) if self.is_given_up(span)? => {
                "the bootloader gives the call up on purpose".to_owned()
            }
            (Some(cause), _) => cause.description().to_owned(),
            (None, Some(data)) if span.is_root() => self.recording.reason_text(&bootloader_reason(&data)),
            (None, Some(data)) => reason(
                &data,
                self.recording.decode_error(span.code_address(), &data).as_ref(),
            ),
            (None, None) => String::new(),
        };
        Ok(Failed {
            step: exit.step,
            entered_at: span.entered_at,
            address: format!("{:#x}", span.this),
            name: self.name(span),
            function: self.function(span)?,
            is_near: span.is_near,
            kind: exit.kind.name(),
            reason: text,
            passes_on,
        })
    }

    /// What a far frame reverted with.
    fn returndata(&self, span: &Span) -> Result<Option<Vec<u8>>> {
        let Some(exit) = span
            .exit
            .filter(|exit| exit.kind == RetKind::Revert && !span.is_near)
        else {
            return Ok(None);
        };
        let execution = after(self.recording, exit.step)?;
        if let Some(End::Reverted(data)) = execution.ended() {
            return Ok(Some(data.clone()));
        }
        let pointer = execution.register(1);
        Ok(pointer
            .is_pointer
            .then(|| execution.read_pointer(FatPointer::from_word(pointer.word))))
    }

    /// A frame's contract, and whose code it runs when that is another's.
    fn name(&self, span: &Span) -> String {
        let text = |address| self.recording.address_text(address);
        match span.code_address() {
            code if code != span.this => format!("{} on {}", text(code), text(span.this)),
            _ if span.this == H160::zero() => "bootloader".to_owned(),
            _ => text(span.this),
        }
    }

    /// The function that a far frame was called for.
    fn function(&self, span: &Span) -> Result<Option<String>> {
        if span.entry.is_none() {
            return Ok(None);
        }
        let execution = after(self.recording, span.entered_at)?;
        let pointer = execution.register(1);
        if !pointer.is_pointer {
            return Ok(None);
        }
        // A call that cannot start may leave a pointer to more memory than there is.
        let pointer = FatPointer::from_word(pointer.word);
        let selector = FatPointer {
            length: pointer.length.min(pointer.offset.saturating_add(4)),
            ..pointer
        };
        let data = execution.read_pointer(selector);
        let name = data
            .first_chunk()
            .and_then(|&selector| self.recording.function_name(span.code_address(), selector));
        Ok(name.map(|name| name.rsplit('.').next().unwrap_or(&name).to_owned()))
    }

    /// What the frames do not tell: the operator refused, or the bootloader itself decided.
    fn remark(&self, path: &[usize]) -> Result<Option<String>> {
        let remark = match *path {
            [] if self.row.status == TxStatus::Halted => {
                "the bootloader did not fail: the operator refused the transaction"
            }
            [only] if self.given_up_at(path)?.is_some() => {
                let spans = self.frames.spans();
                let has_called = |child: usize| !value::is_kernel(spans[child].this);
                if self.frames.children(only).any(has_called) {
                    "the transaction's call succeeded, and the bootloader reverted it later: what is left of the gas does not \
                     pay for the pubdata"
                } else {
                    "nothing that was called failed: the bootloader burnt what was left of the gas, which does not pay for the \
                     pubdata of what the transaction brings along"
                }
            }
            _ => return Ok(None),
        };
        Ok(Some(remark.to_owned()))
    }

    /// The step at which the bootloader gives a near call up on purpose, when that is all that failed.
    fn given_up_at(&self, path: &[usize]) -> Result<Option<u64>> {
        let [only] = *path else { return Ok(None) };
        let span = &self.frames.spans()[only];
        let is_given_up = self.is_given_up(span)?;
        Ok(span.exit.filter(|_| is_given_up).map(|exit| exit.step))
    }

    /// Whether the bootloader gives a near call up on purpose, as it does when pubdata is not paid for: it panics, or
    /// gives all ergs to a precompile call, so that the next step panics.
    ///
    /// Source: `nearCallPanic` in `matter-labs/era-contracts` `system-contracts/bootloader/bootloader.yul`.
    fn is_given_up(&self, span: &Span) -> Result<bool> {
        let Some(exit) = span.exit.filter(|_| span.is_near && span.this == BOOTLOADER) else {
            return Ok(false);
        };
        match exit.cause {
            Some(PanicCause::Explicit | PanicCause::InvalidOpcode) => Ok(true),
            Some(PanicCause::OutOfErgs) if exit.step > 0 => {
                let burning = before(self.recording, exit.step - 1)?.next_instruction();
                Ok(burning.opcode == Opcode::Precompile)
            }
            _ => Ok(false),
        }
    }
}

fn status(status: TxStatus) -> &'static str {
    match status {
        TxStatus::Success => "success",
        TxStatus::Reverted => "revert",
        TxStatus::Halted => "halt",
        TxStatus::Unfinished => "unfinished",
    }
}

/// What the bootloader ended with.
fn bootloader_reason(data: &[u8]) -> String {
    match ExecutionResult::of_bootloader_revert(data) {
        ExecutionResult::Halt(halt) => format!("{halt} ({})", halt.name()),
        ExecutionResult::Revert(reason) => reason.to_string(),
        ExecutionResult::Success(_) => String::new(),
    }
}
