//! The parts of a batch that questions are about.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::numbers::parse_count;
use crate::recording::Recording;

/// A part of a batch. The parts do not overlap, and make up the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// A transaction, by its number: its steps, those of a first attempt included.
    Transaction(u32),
    /// What comes after the last transaction: the bootloader closes the batch.
    BatchEnd,
}

impl Part {
    /// The number of the transaction.
    pub const fn transaction(self) -> Option<u32> {
        match self {
            Self::Transaction(number) => Some(number),
            Self::BatchEnd => None,
        }
    }
}

impl From<u32> for Part {
    fn from(number: u32) -> Self {
        Self::Transaction(number)
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transaction(number) => write!(f, "transaction {number}"),
            Self::BatchEnd => f.write_str("end of the batch"),
        }
    }
}

/// A text names no part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected the number of a transaction, counted from 0, or `end` for what comes after them")]
pub struct NoPart;

impl FromStr for Part {
    type Err = NoPart;

    fn from_str(text: &str) -> Result<Self, NoPart> {
        if text == "end" {
            return Ok(Self::BatchEnd);
        }
        let number = parse_count(text).and_then(|number| number.try_into().ok());
        number.map(Self::Transaction).ok_or(NoPart)
    }
}

impl Recording {
    /// The steps of a part. The overview is loaded.
    ///
    /// # Errors
    /// When there is no such transaction, or no step after the last one.
    pub fn steps_of(&self, part: Part) -> Result<Range<u64>> {
        match part {
            Part::Transaction(number) => {
                let row = self.transaction(number)?;
                Ok(row.first_step..(row.first_step + row.steps).min(self.steps()))
            }
            Part::BatchEnd => {
                let steps = self.after_transactions();
                if steps.is_empty() {
                    return Err(Error::NoBatchEnd {
                        path: self.path().to_owned(),
                    });
                }
                Ok(steps)
            }
        }
    }

    /// The part that a position lies in. The overview is loaded.
    pub fn part_at(&self, position: u64) -> Option<Part> {
        let after = self.after_transactions();
        if !after.is_empty() && position >= after.start {
            Some(Part::BatchEnd)
        } else {
            self.transaction_number_at(position).map(Part::Transaction)
        }
    }

    fn after_transactions(&self) -> Range<u64> {
        let last = self.transactions().last();
        let start = last.map_or(0, |row| row.first_step + row.steps);
        start.min(self.steps())..self.steps()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_named_by_a_number_or_as_the_end() {
        assert_eq!("3".parse(), Ok(Part::Transaction(3)));
        assert_eq!("end".parse(), Ok(Part::BatchEnd));
        for wrong in ["", "-1", "start", "4294967296"] {
            assert_eq!(wrong.parse::<Part>(), Err(NoPart), "{wrong}");
        }
    }
}
