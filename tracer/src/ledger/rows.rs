//! All rows of a chunk: two values, each with a section for each of its kinds.
//!
//! Overviews are made of few rows, of all chunks: they are in a value of their own, a small one. Each chunk has both values
//! even when it has no rows: one that is missing is damage.

use eradbg_vm::Execution;
use eradbg_vm::observer::FrameEnd;
use eradbg_vm::outcome::RetKind;

use crate::ledger::{CallRow, FailureRow, LedgerKind, OperatorRow, Row, StateRow, Timed, TransactionRow};
use crate::ledger::{decode_block, encode_block};
use crate::store::codec::{Decoder, Encoder, Malformed};
use crate::store::envelope::Kind;
use crate::store::tree::Tree;

/// A value with rows of a chunk: its tree, and its kind.
pub type RowsValue = (Tree, Kind);

/// Rows about `VMState` and far calls.
pub const LEDGER: RowsValue = (Tree::Ledger, Kind::Ledger);
/// Rows that overviews are made of.
pub const OVERVIEW: RowsValue = (Tree::Overview, Kind::Overview);

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
    /// A step entered the frame that runs now.
    pub fn entered(&mut self, step: u64, execution: &Execution, is_near: bool) {
        if is_near {
            return;
        }
        let frame = execution.frame();
        let row = CallRow::Entered {
            kind: frame.kind,
            this: frame.this,
            code_address: frame.code_address,
            ergs: frame.ergs,
            depth: execution.depth(),
        };
        self.calls.push(Timed { step, row });
    }

    /// A step is about to leave the frame that runs.
    pub fn leaving(&mut self, step: u64, execution: &Execution, end: FrameEnd) {
        let frame = execution.frame();
        let entered_at = frame.entered_at;
        if !end.is_near {
            let row = CallRow::Left {
                entered_at,
                kind: end.kind,
                ergs: end.ergs_returned,
                depth: execution.depth(),
            };
            self.calls.push(Timed { step, row });
        }
        if end.kind != RetKind::Ok {
            let row = FailureRow {
                step,
                entered_at,
                is_near: end.is_near,
                kind: end.kind,
                cause: end.cause,
                address: frame.this,
            };
            self.failures.push(Timed { step, row });
        }
    }

    /// A step was abandoned: drops what it did.
    pub fn abandon(&mut self, step: u64) {
        cut(&mut self.state, step);
        cut(&mut self.calls, step);
        cut(&mut self.failures, step);
    }

    /// Drops all rows, and keeps the room for others.
    pub fn clear(&mut self) {
        self.state.clear();
        self.calls.clear();
        self.failures.clear();
        self.operator.clear();
        self.transactions.clear();
    }

    /// The bytes of its values, each with what it is.
    pub fn encode(&self) -> [(RowsValue, Vec<u8>); 2] {
        let mut ledger = Encoder::default();
        ledger.blob(&encode_block(&self.state));
        ledger.blob(&encode_block(&self.calls));
        let mut overview = Encoder::default();
        overview.blob(&encode_block(&self.failures));
        overview.blob(&encode_block(&self.operator));
        overview.blob(&encode_block(&self.transactions));
        [(LEDGER, ledger.into_bytes()), (OVERVIEW, overview.into_bytes())]
    }

    /// Reads rows about `VMState` and far calls.
    ///
    /// # Errors
    /// When the bytes are no such rows.
    pub fn decode_ledger(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        let mut d = Decoder::new(bytes);
        self.state = decode_block(d.blob()?)?;
        self.calls = decode_block(d.blob()?)?;
        if d.is_empty() { Ok(()) } else { Err(Malformed) }
    }

    /// Reads the rows that overviews are made of.
    ///
    /// # Errors
    /// When the bytes are no such rows.
    pub fn decode_overview(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        let mut d = Decoder::new(bytes);
        self.failures = decode_block(d.blob()?)?;
        self.operator = decode_block(d.blob()?)?;
        self.transactions = decode_block(d.blob()?)?;
        if d.is_empty() { Ok(()) } else { Err(Malformed) }
    }

    /// Reads the rows of one kind from the value that has them: see [`LedgerKind::place`].
    ///
    /// # Errors
    /// When the bytes are no rows.
    pub fn decode_kind<R: Row>(bytes: &[u8]) -> Result<Vec<Timed<R>>, Malformed> {
        let mut d = Decoder::new(bytes);
        let (_, before) = R::KIND.place();
        for _ in 0..before {
            d.blob()?;
        }
        decode_block(d.blob()?)
    }
}

/// Drops the rows from a step on.
fn cut<R>(rows: &mut Vec<Timed<R>>, step: u64) {
    rows.truncate(rows.partition_point(|row| row.step < step));
}

impl LedgerKind {
    /// The value that has its rows, and how many sections come before them.
    pub const fn place(self) -> (RowsValue, usize) {
        match self {
            Self::State => (LEDGER, 0),
            Self::Call => (LEDGER, 1),
            Self::Failure => (OVERVIEW, 0),
            Self::Operator => (OVERVIEW, 1),
            Self::Transaction => (OVERVIEW, 2),
        }
    }
}
