//! Who used the ergs that ran out.

use eradbg_vm::PanicCause;
use serde::Serialize;

use super::Told;
use crate::analysis::{after, before};
use crate::error::Result;

/// Calls of a frame that are listed, those that used most.
const MOST_USERS: usize = 5;

/// Where the ergs of a frame went until it failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErgsOf {
    /// The step that entered it.
    pub entered_at: u64,
    /// Its contract.
    pub name: String,
    /// Ergs that the caller asked to pass on; `u32::MAX` for all that it could.
    pub asked: u32,
    /// Ergs that the caller had when all else about the call was paid.
    pub available: u32,
    /// A 64th of these, which no far call may pass on.
    pub withheld: u32,
    /// Ergs that it got, extra ones for a call with value included.
    pub got: u32,
    /// Ergs used by its far calls, less what they gave back.
    pub below: u64,
    /// Ergs that it gave back all the same.
    pub back: u32,
    /// Ergs that it used itself, its near calls among it, or that were burnt when it panicked.
    pub itself: u64,
    /// Its far calls that used most.
    pub users: Vec<ErgsUser>,
}

/// A call that used ergs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErgsUser {
    /// The step that made it.
    pub step: u64,
    /// Its contract.
    pub name: String,
    /// Ergs used.
    pub ergs: u32,
}

/// Whether a panic is for want of ergs.
pub(super) const fn is_lack(cause: PanicCause) -> bool {
    matches!(
        cause,
        PanicCause::OutOfErgs
            | PanicCause::UnpaidGrowth
            | PanicCause::CallUnpaidGrowth
            | PanicCause::CallUnpaidDecommit
            | PanicCause::CallUnpaidExtra
            | PanicCause::RetUnpaidGrowth
    )
}

impl Told<'_> {
    /// The frames of a path whose calls are in the stretch.
    pub(super) fn ergs(&self, path: &[usize]) -> Result<Vec<ErgsOf>> {
        let called_here = |at: &&usize| {
            let span = &self.frames.spans()[**at];
            span.entry.is_some() || span.is_near && self.steps.contains(&span.entered_at)
        };
        path.iter()
            .filter(called_here)
            .map(|&at| self.ergs_of(at))
            .collect()
    }

    fn ergs_of(&self, at: usize) -> Result<ErgsOf> {
        let span = &self.frames.spans()[at];
        let mut users: Vec<ErgsUser> = self.frames.children(at).filter_map(|at| self.user(at)).collect();
        let below: u64 = users.iter().map(|user| u64::from(user.ergs)).sum();
        users.sort_by_key(|user| std::cmp::Reverse(user.ergs));
        users.truncate(MOST_USERS);
        let caller = before(self.recording, span.entered_at)?;
        let called = after(self.recording, span.entered_at)?;
        let got = span.entry.map_or(called.frame().ergs, |entry| entry.ergs);
        let abi = caller.register(caller.next_instruction().src0).word;
        let (asked, kept) = if span.is_near {
            // To ask for none is to ask for all.
            let all_at_zero = |asked| if asked == 0 { u32::MAX } else { asked };
            let waiting = called.frame().waiting.last();
            (all_at_zero(abi.low_u32()), waiting.map_or(0, |near| near.ergs))
        } else {
            let waiting = called.callers().last();
            (abi.0[3] as u32, waiting.map_or(0, |frame| frame.ergs))
        };
        let available = kept.saturating_add(got.min(asked));
        let back = match span.exit {
            // What its caller has more than when it called.
            Some(exit) if span.is_near => {
                let later = after(self.recording, exit.step)?;
                later.frame().ergs.saturating_sub(kept)
            }
            exit => exit.and_then(|exit| exit.ergs).unwrap_or(0),
        };
        let near = if span.is_near { " (near call)" } else { "" };
        Ok(ErgsOf {
            entered_at: span.entered_at,
            name: format!("{}{near}", self.name(span)),
            asked,
            available,
            withheld: if span.is_near {
                0
            } else {
                available - available / 64 * 63
            },
            got,
            below,
            back,
            itself: u64::from(got.saturating_sub(back)).saturating_sub(below),
            users,
        })
    }

    fn user(&self, at: usize) -> Option<ErgsUser> {
        let span = &self.frames.spans()[at];
        let back = span.exit.and_then(|exit| exit.ergs).unwrap_or(0);
        Some(ErgsUser {
            step: span.entered_at,
            name: self.name(span),
            ergs: span.entry?.ergs.saturating_sub(back),
        })
    }
}
