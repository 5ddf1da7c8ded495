//! Moves by meaning: over and out of calls, to the next call, transaction, hook, failure.

use crate::analysis::phase::Phase;
use crate::error::Result;
use crate::ledger::CallRow;
use crate::recording::Fate;
use crate::timeline::{Direction, Timeline};

/// What to jump to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jump {
    /// A far call that is about to be left or was just entered.
    Call,
    /// The same for near calls.
    NearCall,
    /// The start of a transaction.
    Transaction,
    /// The start of an L2 block's first transaction.
    L2Block,
    /// Right after a hook.
    Hook,
    /// A step that leaves a frame with a revert or panic.
    Failure,
    /// Where the operator rolled back.
    Rollback,
}

impl Timeline {
    /// Moves over a near or far call: forward to after its return, backward to before it.
    ///
    /// # Errors
    /// When a chunk on the way is damaged.
    pub fn over(&mut self, direction: Direction) -> Result<()> {
        let depth = self.execution.depth();
        self.step(direction, 1)?;
        match direction {
            Direction::Forward => self.while_deeper(depth),
            Direction::Backward if self.execution.depth() > depth => {
                // The frame that was stepped into backward: its entry is where the call was.
                while self.execution.depth() > depth && self.position > 0 {
                    self.seek(self.execution.frame().entered_at)?;
                }
                Ok(())
            }
            Direction::Backward => Ok(()),
        }
    }

    /// Moves out of the current frame: forward to after its return, backward to the step that entered it.
    ///
    /// # Errors
    /// When a chunk on the way is damaged.
    pub fn out(&mut self, direction: Direction) -> Result<()> {
        match direction {
            Direction::Backward => self.seek(self.execution.frame().entered_at),
            Direction::Forward => {
                let depth = self.execution.depth();
                self.while_deeper(depth - 1)
            }
        }
    }

    /// Jumps to the next (or last) thing of a kind. `false`: there is none, and the cursor stays.
    ///
    /// # Errors
    /// When a chunk on the way is damaged.
    pub fn jump(&mut self, to: Jump, direction: Direction) -> Result<bool> {
        let transactions = self.recording.transactions();
        let target = match to {
            Jump::Call => self.call_boundary(direction)?,
            Jump::NearCall => return self.near_call_boundary(direction),
            Jump::Hook => nearest(
                self.recording.hooks().iter().map(|hook| hook.step),
                self.position,
                direction,
            ),
            Jump::Failure => nearest(
                self.recording.failures().iter().map(|failure| failure.step),
                self.position,
                direction,
            ),
            Jump::Rollback => nearest(
                self.recording.undone().iter().map(|range| range.end_step),
                self.position,
                direction,
            ),
            Jump::Transaction => nearest(
                transactions.iter().map(|transaction| transaction.first_step),
                self.position,
                direction,
            ),
            Jump::L2Block => {
                let firsts = transactions
                    .chunk_by(|a, b| a.l2_block == b.l2_block)
                    .map(|block| block[0].first_step);
                nearest(firsts, self.position, direction)
            }
        };
        if let Some(target) = target {
            self.seek(target)?;
        }
        Ok(target.is_some())
    }

    /// Index of the transaction that the cursor is in.
    pub fn transaction(&self) -> Option<usize> {
        self.recording.transaction_at(self.position)
    }

    /// What the bootloader is about: told by the hooks before the cursor.
    pub fn phase(&self) -> Phase {
        Phase::at(&self.recording, self.position)
    }

    /// What becomes of what the next step does.
    pub fn fate(&self) -> Fate {
        self.recording.fate_of(self.position)
    }

    /// Steps forward until no deeper than `depth`, skipping far calls by their rows.
    fn while_deeper(&mut self, depth: u32) -> Result<()> {
        while self.execution.depth() > depth && self.position < self.recording.steps() {
            let far_base = self.execution.depth() - self.execution.frame().depth() + 1;
            // A far frame of which nothing stays can be left at once.
            let end = if far_base > depth {
                self.far_return(self.execution.frame().far_entered_at())?
            } else {
                None
            };
            match end {
                Some(step) if step >= self.position => self.seek(step + 1)?,
                _ => drop(self.step(Direction::Forward, 1)?),
            }
        }
        Ok(())
    }

    /// The step that leaves the far frame which a step entered.
    fn far_return(&self, entered: u64) -> Result<Option<u64>> {
        for chunk in self.recording.chunk_of(self.position)..self.recording.chunks() {
            let rows = self.recording.rows::<CallRow>(chunk)?;
            let found = rows.iter().find(|row| {
                row.step >= self.position
                    && matches!(row.row, CallRow::Left { entered_at, .. } if entered_at == entered)
            });
            // A near frame in the far one shares no entry with it, so the far frame's own entry is asked for.
            if let Some(row) = found {
                return Ok(Some(row.step));
            }
        }
        Ok(None)
    }

    /// The next or last position right after a far call or return.
    fn call_boundary(&self, direction: Direction) -> Result<Option<u64>> {
        let here = self.recording.chunk_of(self.position);
        match direction {
            Direction::Forward => {
                for chunk in here..self.recording.chunks() {
                    let rows = self.recording.rows::<CallRow>(chunk)?;
                    if let Some(row) = rows.iter().find(|row| row.step + 1 > self.position) {
                        return Ok(Some(row.step + 1));
                    }
                }
            }
            Direction::Backward => {
                for chunk in (0..=here).rev() {
                    let rows = self.recording.rows::<CallRow>(chunk)?;
                    if let Some(row) = rows.iter().rev().find(|row| row.step + 1 < self.position) {
                        return Ok(Some(row.step + 1));
                    }
                }
            }
        }
        Ok(None)
    }

    /// Steps to the next position at which another near frame runs.
    fn near_call_boundary(&mut self, direction: Direction) -> Result<bool> {
        let from = self.position;
        loop {
            let entered = self.execution.frame().entered_at;
            if self.step(direction, 1)? == 0 {
                self.seek(from)?;
                return Ok(false);
            }
            if self.execution.frame().entered_at != entered {
                return Ok(true);
            }
        }
    }
}

/// The nearest of ascending positions strictly after (or before) the cursor.
fn nearest(positions: impl DoubleEndedIterator<Item = u64>, from: u64, direction: Direction) -> Option<u64> {
    let mut positions = positions;
    match direction {
        Direction::Forward => positions.find(|&position| position > from),
        Direction::Backward => positions.rev().find(|&position| position < from),
    }
}
