//! The results of a batch as one JSON object.

use serde_json::{Value, json};

use crate::report::{BatchReport, TransactionReport};

/// The object: `txs`, `finish_batch`, and `name`.
pub fn document(name: &str, transactions: &[TransactionReport], batch: Option<&BatchReport>) -> Value {
    json!({"name": name, "txs": transactions, "finish_batch": batch})
}
