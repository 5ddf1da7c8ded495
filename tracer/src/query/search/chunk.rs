//! Looks for steps of one chunk that match.
//!
//! All steps that match are found by watching each of them. For a single one the chunk is executed unwatched first, which
//! takes a third of the time, and shows which stretches may have it.

use std::ops::Range;

use crate::error::Result;
use crate::ledger::Rows;
use crate::query::access::Access;
use crate::query::expr::{Atom, Expr};
use crate::query::facts::{self, Effect, Facts, Gatherer, StepRows};
use crate::query::glimpse::Glimpses;
use crate::query::holds::{access_matches, holds};
use crate::query::search::{Hit, Search};
use crate::query::skip::Filter;
use crate::replay::Replay;
use crate::timeline::Direction;

/// Stretches that are watched one by one; where more may have the step, telling them apart takes longer.
const FEW_STRETCHES: usize = 4;

/// What is known of a chunk's steps besides what a replay shows.
struct Known {
    rows: Rows,
    /// What was done after the last step.
    after: Vec<Access>,
}

impl Search<'_> {
    /// Steps of a chunk that match, up to `most` of them, in the search's direction.
    pub(super) fn chunk(&self, chunk: u32, most: usize, filter: &Filter<'_>) -> Result<Vec<Hit>> {
        let steps = self.steps_of(chunk);
        let with_overview = self.needs.overview || !self.is_brief;
        let rows = || self.recording.rows_of_steps(chunk, with_overview);
        if !self.needs.replay {
            return self.in_rows(chunk, most, filter, rows()?);
        }
        let known = Known {
            rows: if self.needs.rows { rows()? } else { Rows::default() },
            after: self.written_after(chunk)?,
        };
        let mut hits = self.hits(most, filter);
        if most == 1 {
            self.watch_where_it_may_be(chunk, steps, &known, &mut hits)?;
        } else {
            let mut replay = Replay::new(self.recording, chunk)?;
            self.watch(&mut replay, steps, &known, &mut |facts| hits.judge(facts))?;
        }
        if !self.needs.rows && !self.is_brief && !hits.hits.is_empty() {
            let rows = rows()?;
            for hit in &mut hits.hits {
                hit.effects.extend(StepRows::of(&rows, hit.step).effects());
            }
        }
        Ok(self.in_direction(hits.hits))
    }

    /// What the operator wrote after the last step of a chunk, if it went back to its snapshot there and accesses are asked
    /// for.
    fn written_after(&self, chunk: u32) -> Result<Vec<Access>> {
        let end = self.recording.first_step(chunk + 1);
        let Some(last) = end.checked_sub(1) else {
            return Ok(Vec::new());
        };
        if !self.needs.accesses || !self.recording.rows_reach_beyond(chunk) || !self.counts(last) {
            return Ok(Vec::new());
        }
        let rows = self.recording.rows_of_steps(chunk, true)?;
        let page = self.recording.state_at_chunk(chunk)?.bootloader_heap_page();
        Ok(facts::written_after_rollback(&rows, last, page))
    }

    /// What matches by its rows alone.
    fn in_rows(&self, chunk: u32, most: usize, filter: &Filter<'_>, rows: Rows) -> Result<Vec<Hit>> {
        let mut hits = self.hits(most, filter);
        for step in facts::steps_with_rows(&rows) {
            hits.judge(&Facts {
                step,
                site: None,
                frames: &[],
                accesses: &[],
                rows: StepRows::of(&rows, step),
            });
        }
        let mut hits = hits.hits;
        if !self.is_brief && !hits.is_empty() {
            let mut found = hits.iter_mut().peekable();
            let mut replay = Replay::new(self.recording, chunk)?;
            let known = Known {
                rows,
                after: Vec::new(),
            };
            self.watch(&mut replay, self.steps_of(chunk), &known, &mut |facts| {
                if let Some(hit) = found.next_if(|hit| hit.step == facts.step) {
                    hit.site = facts.site.copied();
                }
            })?;
        }
        Ok(self.in_direction(hits))
    }

    /// Watches the stretches of a chunk that may have the first step that matches, in the search's direction.
    fn watch_where_it_may_be(
        &self,
        chunk: u32,
        steps: Range<u64>,
        known: &Known,
        hits: &mut Hits<'_, '_>,
    ) -> Result<()> {
        let end = steps.end;
        let mut glimpses = Glimpses::new(self.recording, chunk, steps, hits.filter.frames())?;
        let mut stretches = Vec::new();
        while let Some(glimpse) = glimpses.next()? {
            let has_more = glimpse.steps.end == end && !known.after.is_empty();
            if has_more || hits.filter.may_match_in(&glimpse) {
                stretches.push(glimpse.steps);
            }
        }
        if self.direction == Direction::Backward {
            stretches.reverse();
        }
        if stretches.len() > FEW_STRETCHES {
            // The first one has it as a rule.
            let others = stretches.split_off(1);
            let (one, other) = (&others[0], &others[others.len() - 1]);
            stretches.push(one.start.min(other.start)..one.end.max(other.end));
        }
        for stretch in stretches {
            let replay = glimpses.replay_from(stretch.start);
            self.watch(replay, stretch, known, &mut |facts| hits.judge(facts))?;
            if !hits.hits.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// Executes up to some steps, and then them, and hands on what is known of each.
    fn watch(
        &self,
        replay: &mut Replay,
        steps: Range<u64>,
        known: &Known,
        judge: &mut dyn FnMut(&Facts<'_>),
    ) -> Result<()> {
        if steps.is_empty() {
            return Ok(());
        }
        let rows = &known.rows;
        let ends_chunk = self.recording.chunk_of(steps.end) != self.recording.chunk_of(steps.start);
        let after = if ends_chunk { &known.after[..] } else { &[] };
        replay.run_to(steps.start, &mut ())?;
        let (reads, frames) = (self.needs.reads, &self.needs.frames);
        let start = replay.execution();
        if self.needs.accesses {
            let mut gatherer = Gatherer::<true, _>::new(rows, start, reads, frames, judge);
            replay.run_to(steps.end, &mut gatherer)?;
            gatherer.finish(after);
        } else {
            let mut gatherer = Gatherer::<false, _>::new(rows, start, reads, frames, judge);
            replay.run_to(steps.end, &mut gatherer)?;
            gatherer.finish(after);
        }
        Ok(())
    }

    fn hits<'s>(&'s self, most: usize, filter: &'s Filter<'s>) -> Hits<'s, 's> {
        Hits {
            search: self,
            filter,
            most,
            hits: Vec::new(),
        }
    }

    fn in_direction(&self, mut hits: Vec<Hit>) -> Vec<Hit> {
        if self.direction == Direction::Backward {
            hits.reverse();
        }
        hits
    }
}

/// Hits of a chunk, ascending.
struct Hits<'s, 'a> {
    search: &'s Search<'a>,
    filter: &'s Filter<'a>,
    most: usize,
    hits: Vec<Hit>,
}

impl Hits<'_, '_> {
    fn judge(&mut self, facts: &Facts<'_>) {
        let is_full = self.hits.len() >= self.most;
        if is_full && self.search.direction == Direction::Forward || !self.search.counts(facts.step) {
            return;
        }
        let mut exprs = self.search.exprs.iter();
        let Some(query) = exprs.position(|expr| holds(expr, facts, self.filter.times())) else {
            return;
        };
        if is_full {
            self.hits.remove(0);
        }
        self.hits.push(Hit {
            step: facts.step,
            query,
            site: facts.site.copied(),
            effects: self.effects(self.search.exprs[query], facts),
        });
    }

    /// What a step did, as far as a predicate asks.
    fn effects(&self, expr: &Expr, facts: &Facts<'_>) -> Vec<Effect> {
        let is_asked = |access: &Access| {
            expr.any(|atom| match atom {
                Atom::Access(test) => access_matches(test, access),
                _ => false,
            })
        };
        let accesses = facts.accesses.iter().copied();
        // Their rows tell more of them.
        let of_slots = facts.rows.accesses().filter(|_| self.search.is_brief);
        let asked = accesses.chain(of_slots).filter(is_asked).map(Effect::Access);
        let mut effects: Vec<_> = asked.collect();
        if !self.search.is_brief {
            effects.extend(facts.rows.effects());
        }
        effects
    }
}
