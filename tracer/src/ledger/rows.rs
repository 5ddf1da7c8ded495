//! All rows of a chunk: one value, with a section for each kind.
//!
//! Each chunk has such a value even when it has no rows: one that is missing is damage.

use crate::ledger::{CallRow, FailureRow, OperatorRow, Row, StateRow, Timed, TransactionRow};
use crate::ledger::{decode_block, encode_block};
use crate::store::codec::{Decoder, Encoder, Malformed};

/// All rows of a chunk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rows {
    /// About `VMState`.
    pub state: Vec<Timed<StateRow>>,
    /// About far calls.
    pub calls: Vec<Timed<CallRow>>,
    /// About failures.
    pub failures: Vec<Timed<FailureRow>>,
    /// About the operator.
    pub operator: Vec<Timed<OperatorRow>>,
    /// About transactions that are done.
    pub transactions: Vec<Timed<TransactionRow>>,
}

impl Rows {
    /// The bytes of the value.
    pub fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::default();
        e.blob(&encode_block(&self.state));
        e.blob(&encode_block(&self.calls));
        e.blob(&encode_block(&self.failures));
        e.blob(&encode_block(&self.operator));
        e.blob(&encode_block(&self.transactions));
        e.into_bytes()
    }

    /// Reads the value.
    ///
    /// # Errors
    /// When the bytes are no rows.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut d = Decoder::new(bytes);
        let rows = Self {
            state: decode_block(d.blob()?)?,
            calls: decode_block(d.blob()?)?,
            failures: decode_block(d.blob()?)?,
            operator: decode_block(d.blob()?)?,
            transactions: decode_block(d.blob()?)?,
        };
        if d.is_empty() { Ok(rows) } else { Err(Malformed) }
    }

    /// Reads the rows of one kind.
    ///
    /// # Errors
    /// When the bytes are no rows.
    pub fn decode_kind<R: Row>(bytes: &[u8]) -> Result<Vec<Timed<R>>, Malformed> {
        let mut d = Decoder::new(bytes);
        for _ in 0..R::KIND as u8 {
            d.blob()?;
        }
        decode_block(d.blob()?)
    }
}
