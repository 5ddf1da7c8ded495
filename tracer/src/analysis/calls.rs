//! Far calls in the order in which they were made.

use eradbg_vm::CallKind;
use eradbg_vm::outcome::RetKind;
use serde::Serialize;

use crate::analysis::frames::Frames;
use crate::error::Result;
use crate::recording::Recording;

/// A far call.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct FarCall {
    /// The step that made it.
    pub step: u64,
    /// The step that left the callee; `None` where the recording ends in it, or the operator rolled back in it.
    pub left_at: Option<u64>,
    /// The transaction that it belongs to, counted from 0.
    pub tx: Option<u32>,
    /// Far calls around it.
    pub depth: u32,
    /// The step of the call around it.
    pub within: Option<u64>,
    /// `normal`, `delegate` or `mimic`.
    pub kind: &'static str,
    /// Address whose storage the callee works on.
    pub this: String,
    /// Address that its code belongs to.
    pub code: String,
    /// Ergs that it got.
    pub ergs: u32,
    /// Ergs that it gave back.
    pub returned: Option<u32>,
    /// `ok`, `revert`, `panic`; nothing where it did not end.
    pub end: &'static str,
    /// Why it panicked: the short name of the cause.
    pub cause: &'static str,
}

/// Hands on all far calls in order of time.
///
/// # Errors
/// When rows are damaged, and what `each` says.
pub fn calls<E: From<crate::Error>>(
    recording: &Recording,
    each: &mut dyn FnMut(FarCall) -> Result<(), E>,
) -> Result<(), E> {
    recording.load_overview();
    let frames = Frames::of(recording, 0..recording.steps())?;
    let spans = frames.spans();
    for (at, span) in spans.iter().enumerate() {
        let Some(entry) = span.entry else { continue };
        let around = |&outer: &usize| spans[outer].entry.is_some();
        let exit = span.exit;
        let tx = recording.transaction_at(span.entered_at);
        each(FarCall {
            step: span.entered_at,
            left_at: exit.map(|exit| exit.step),
            tx: tx.map(|at| recording.transactions()[at].index),
            depth: frames.around(at).filter(around).count() as u32,
            within: frames
                .around(at)
                .find(around)
                .map(|outer| spans[outer].entered_at),
            kind: match entry.kind {
                CallKind::Normal => "normal",
                CallKind::Delegate => "delegate",
                CallKind::Mimic => "mimic",
            },
            this: format!("{:#x}", span.this),
            code: format!("{:#x}", entry.code_address),
            ergs: entry.ergs,
            returned: exit.and_then(|exit| exit.ergs),
            end: match exit.map(|exit| exit.kind) {
                Some(RetKind::Ok) => "ok",
                Some(RetKind::Revert) => "revert",
                Some(RetKind::Panic) => "panic",
                None => "",
            },
            cause: exit
                .and_then(|exit| exit.cause)
                .map_or("", eradbg_vm::PanicCause::name),
        })?;
    }
    Ok(())
}
