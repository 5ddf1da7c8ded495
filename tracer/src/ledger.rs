//! Ledgers: rows about what happened to the chain's state, about calls and failures, and about the operator.
//!
//! Rows of one kind and chunk make a block. Questions about them need no replay.

mod call;
mod operator;
mod rows;
mod state;
mod transaction;

pub use call::{CallRow, FailureRow};
pub(crate) use call::{call_kind, panic_cause};
pub use operator::OperatorRow;
pub use rows::{LEDGER, OVERVIEW, Rows, RowsValue};
pub use state::StateRow;
pub use transaction::{TransactionRow, TxStatus};

use crate::store::codec::{Decoder, Encoder, Malformed};

/// Kinds of ledgers. The number is the place of its section in a chunk's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum LedgerKind {
    /// [`StateRow`].
    State = 0,
    /// [`CallRow`].
    Call = 1,
    /// [`FailureRow`].
    Failure = 2,
    /// [`OperatorRow`].
    Operator = 3,
    /// [`TransactionRow`].
    Transaction = 4,
}

/// A row of a ledger.
pub trait Row: Sized {
    /// The ledger that it belongs to.
    const KIND: LedgerKind;

    /// Writes the row.
    fn encode(&self, e: &mut Encoder);

    /// Reads a row.
    ///
    /// # Errors
    /// When the bytes are no row of this kind.
    fn decode(d: &mut Decoder<'_>) -> Result<Self, Malformed>;
}

/// A row with its time: the step in which it happened, or the position between steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timed<R> {
    /// Step or position.
    pub step: u64,
    /// The row.
    pub row: R,
}

/// The bytes of a block; none when it has no rows.
fn encode_block<R: Row>(rows: &[Timed<R>]) -> Vec<u8> {
    let mut e = Encoder::default();
    if !rows.is_empty() {
        e.number(rows.len() as u64);
    }
    let mut last = 0;
    for row in rows {
        e.number(row.step - last);
        last = row.step;
    }
    for row in rows {
        row.row.encode(&mut e);
    }
    e.into_bytes()
}

/// Reads a block.
fn decode_block<R: Row>(bytes: &[u8]) -> Result<Vec<Timed<R>>, Malformed> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let mut d = Decoder::new(bytes);
    let count = d.count()?;
    let mut step = 0u64;
    let mut steps = Vec::with_capacity(count);
    for _ in 0..count {
        step = step.checked_add(d.number()?).ok_or(Malformed)?;
        steps.push(step);
    }
    let rows = steps
        .into_iter()
        .map(|step| {
            Ok(Timed {
                step,
                row: R::decode(&mut d)?,
            })
        })
        .collect::<Result<_, _>>()?;
    if d.is_empty() { Ok(rows) } else { Err(Malformed) }
}
