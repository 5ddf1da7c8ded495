//! Call trees in the form of the node's `debug_traceTransaction` with its `callTracer`.
//!
//! Source: `matter-labs/zksync-era` `core/lib/multivm/src/versions/vm_fast/tracers/calls.rs` (what a call is),
//! `core/lib/vm_interface/src/types/outputs/execution_result.rs` (`Call::new_high_level`, the call around all) and
//! `core/lib/types/src/api/mod.rs` (`DebugCall`, its JSON).

use std::io::{self, Write};

use eradbg_vm::operator::RevertReason;
use eradbg_vm::storage::{BOOTLOADER, CONTRACT_DEPLOYER};
use eradbg_vm::{H160, H256, U256};
use serde::Serialize;

use crate::analysis::calls::{Call, of_part};
use crate::analysis::encoded::Encoded;
use crate::error::Result;
use crate::export::steps::ExportError;
use crate::ledger::{TransactionRow, TxStatus};
use crate::recording::Recording;

/// A call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TracedCall {
    /// `call`, `delegateCall` or `create`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Who called.
    pub from: H160,
    /// Whose storage the callee works on.
    pub to: H160,
    /// Gas that it got.
    pub gas: U256,
    /// Gas that it did not give back.
    pub gas_used: U256,
    /// The value that went along.
    pub value: U256,
    /// Returndata of a success.
    #[serde(serialize_with = "impl_serde::serialize::serialize")]
    pub output: Vec<u8>,
    /// Calldata.
    #[serde(serialize_with = "impl_serde::serialize::serialize")]
    pub input: Vec<u8>,
    /// `Panic` for a panic.
    pub error: Option<String>,
    /// What a revert says.
    pub revert_reason: Option<String>,
    /// Whether calldata or returndata are cut; a node's have no such field, and none is written where they are whole.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_cut: bool,
    /// Calls that it made.
    pub calls: Vec<TracedCall>,
}

/// A transaction's tree, as a node traces a block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TracedTransaction {
    /// Its hash.
    pub tx_hash: H256,
    /// The call around all.
    pub result: TracedCall,
}

/// Writes the trees of all transactions that stay in the batch, as a JSON array.
///
/// # Errors
/// When the recording is damaged, or writing fails.
pub fn export(recording: &Recording, out: &mut dyn Write) -> Result<(), ExportError> {
    recording.load_overview();
    let stays = recording.transactions().iter().filter(|row| !row.rolled_back);
    let mut separator = "[\n";
    for row in stays {
        write!(out, "{separator}")?;
        separator = ",\n";
        serde_json::to_writer(&mut *out, &trace(recording, row)?).map_err(io::Error::from)?;
    }
    Ok(writeln!(
        out,
        "{}",
        if separator == "[\n" { "[]" } else { "\n]" }
    )?)
}

/// The tree of a transaction. The recording's overview is loaded.
///
/// # Errors
/// When the recording is damaged.
pub fn trace(recording: &Recording, row: &TransactionRow) -> Result<TracedTransaction> {
    let encoded = Encoded::of(recording, row)?;
    let gas = encoded.gas_limit();
    // The attempt that counts is the last stretch.
    let calls = of_part(recording, row.index.into())?.pop();
    let calls = calls.map_or_else(Vec::new, |(_, calls)| calls);
    let calls = tree(calls);
    // Where a batch ran in one go the operator has no reason, but the call that failed.
    let reason = || match &row.reason[..] {
        "" => calls.iter().rev().find_map(|call| call.revert_reason.clone()),
        reason => Some(reason.to_owned()),
    };
    let failed = row.status != TxStatus::Success;
    Ok(TracedTransaction {
        tx_hash: encoded.hash(recording, row)?,
        result: TracedCall {
            kind: "call",
            from: H160::zero(),
            to: BOOTLOADER,
            gas: gas.into(),
            gas_used: gas.saturating_sub(row.gas_refunded).into(),
            value: encoded.value(),
            output: Vec::new(),
            input: encoded.data(),
            error: None,
            is_cut: false,
            revert_reason: failed.then(reason).flatten(),
            calls,
        },
    })
}

/// Far calls below each other; near calls are left out.
fn tree(calls: Vec<Call>) -> Vec<TracedCall> {
    let parents: Vec<_> = calls.iter().map(|call| call.parent).collect();
    let is_far: Vec<_> = calls.iter().map(|call| call.kind != "near").collect();
    let callers: Vec<_> = calls.iter().map(|call| call.this).collect();
    let mut below: Vec<Vec<TracedCall>> = Vec::new();
    below.resize_with(calls.len(), Vec::new);
    let mut outermost = Vec::new();
    // Calls that a call made come after it, so their own lists are done before it.
    for (at, call) in calls.into_iter().enumerate().rev() {
        let mut inner = std::mem::take(&mut below[at]);
        let around =
            std::iter::successors(parents[at], |&parent| parents[parent]).find(|&outer| is_far[outer]);
        if !is_far[at] {
            // What is within a near call is its caller's.
            let list = parents[at].map_or(&mut outermost, |parent| &mut below[parent]);
            list.append(&mut inner);
            continue;
        }
        inner.reverse();
        // Its mimic calls are constructors.
        let by_deployer = around.is_some_and(|outer| callers[outer] == CONTRACT_DEPLOYER);
        let traced = traced(call, by_deployer, inner);
        parents[at]
            .map_or(&mut outermost, |parent| &mut below[parent])
            .push(traced);
    }
    outermost.reverse();
    outermost
}

fn traced(call: Call, by_deployer: bool, calls: Vec<TracedCall>) -> TracedCall {
    let reverted = call.end == "revert";
    TracedCall {
        is_cut: call.is_cut(),
        kind: match call.kind {
            "mimic" if by_deployer => "create",
            "delegate" => "delegateCall",
            _ => "call",
        },
        from: call.caller,
        to: call.this,
        gas: call.ergs.into(),
        gas_used: call.ergs.saturating_sub(call.returned.unwrap_or(0)).into(),
        value: call.value.into(),
        error: (call.end == "panic").then(|| "Panic".to_owned()),
        revert_reason: reverted.then(|| revert_reason(&call.output)),
        output: if call.end == "ok" { call.output } else { Vec::new() },
        input: if call.has_code && call.ergs > 0 {
            call.input
        } else {
            Vec::new()
        },
        calls,
    }
}

/// A revert in the node's words.
fn revert_reason(data: &[u8]) -> String {
    match RevertReason::parse(data) {
        _ if data.is_empty() => "Unknown revert reason".to_owned(),
        RevertReason::General { message, .. } => message,
        RevertReason::Unknown { selector, data } => format!(
            "Error function_selector = 0x{}, data = 0x{}",
            hex::encode(selector),
            hex::encode(data)
        ),
    }
}
