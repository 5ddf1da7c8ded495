//! Runs the peer along a recording and says where the two differ.

use std::fmt;

use eradbg_tracer::Recording;
use eradbg_tracer::ledger::OperatorRow;
use eradbg_tracer::report::{BatchReport, RunReport};
use eradbg_vm::U256;
use eradbg_vm::batch::BatchInput;
use eradbg_vm::bootloader::Hook;
use serde_json::{Value, json};

use crate::machine::{Machine, Stop};
use crate::transcript::{AtHook, Transcript};

/// Bits of a fat pointer that hold its page, which each machine numbers in its own way.
const PAGE_BITS: U256 = U256([0xffff_ffff << 32, 0, 0, 0]);

/// Something in which the peer and the recording differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mismatch {
    /// Where: which hook of which transaction, or which report.
    pub(crate) place: String,
    /// What.
    pub(crate) field: String,
    /// What the recording says.
    pub(crate) recorded: String,
    /// What the peer has.
    pub(crate) peer: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            place,
            field,
            recorded,
            peer,
        } = self;
        write!(
            f,
            "{place}: {field}: the recording says {recorded}, zksync_vm2 {peer}"
        )
    }
}

/// Runs a batch on `zksync_vm2` with the operator's part taken from a recording; where the two differ.
pub(crate) fn compare(input: &BatchInput, recording: &Recording) -> Vec<Mismatch> {
    compare_with(input, recording, &Transcript::of(recording))
}

/// The same, with another transcript than the recording's own.
pub(crate) fn compare_with(
    input: &BatchInput,
    recording: &Recording,
    transcript: &Transcript,
) -> Vec<Mismatch> {
    let mut comparison = Comparison {
        machine: Machine::new(input, recording),
        transcript,
        position: 0,
        transaction: None,
        hooks: 0,
        report: None,
        mismatches: Vec::new(),
    };
    // After another hook than the recorded one nothing that follows means anything.
    if comparison.follow_rows().is_some() {
        comparison.finish();
    }
    comparison.mismatches
}

struct Comparison<'a> {
    machine: Machine,
    transcript: &'a Transcript,
    /// Steps of the recording that the peer has made too.
    position: u64,
    /// The transaction that was started last.
    transaction: Option<u32>,
    /// Hooks of the batch so far.
    hooks: usize,
    /// What the peer has to say about the transaction, once its run is over.
    report: Option<RunReport>,
    mismatches: Vec<Mismatch>,
}

impl Comparison<'_> {
    /// Does what each row says; `None` when the peer stops elsewhere than the recording.
    fn follow_rows(&mut self) -> Option<()> {
        for row in &self.transcript.rows {
            if row.step > self.position {
                self.advance(
                    row.step,
                    match row.row {
                        OperatorRow::Hook { id, .. } => Stop::Hook(id),
                        _ => Stop::End,
                    },
                )?;
            }
            match row.row {
                OperatorRow::Hook { id, parameters } => self.compare_hook(id, parameters),
                OperatorRow::Write { slot, new, .. } => self.machine.write(slot, new),
                OperatorRow::Snapshot => self.machine.make_snapshot(),
                OperatorRow::SnapshotDropped => {
                    self.take_transaction();
                    self.machine.drop_snapshot();
                }
                OperatorRow::RolledBack => {
                    self.take_transaction();
                    self.machine.roll_back();
                }
                OperatorRow::TransactionStarted { index, .. } => self.transaction = Some(index),
                OperatorRow::TransactionDone { index } => self.compare_transaction(index),
            }
        }
        Some(())
    }

    /// Runs on after the last row, and compares what is only known at the end.
    fn finish(&mut self) {
        if self.transcript.steps > self.position && self.advance(self.transcript.steps, Stop::End).is_none() {
            return;
        }
        if let Some(recorded) = &self.transcript.batch {
            self.compare_batch(recorded);
        } else if self.machine.has_run()
            && let Some(index) = self.transaction
        {
            // Rows about a rollback behind the last step are not recorded.
            self.compare_transaction(index);
        }
    }

    fn advance(&mut self, position: u64, expected: Stop) -> Option<()> {
        self.position = position;
        let stop = self.machine.advance();
        if stop == expected {
            return Some(());
        }
        let place = format!("{} (step {position})", self.place());
        self.expect_equal(&place, "stop", format!("{expected:?}"), format!("{stop:?}"));
        None
    }

    fn compare_hook(&mut self, id: u32, recorded: [U256; 3]) {
        let hook = Hook::new(id).expect("a recording has hooks of its protocol version");
        let place = format!("{}, {}", self.place(), hook.name());
        let parameters = self.machine.hook_parameters();
        // Further parameters are left over from hooks before. What a message logs may be a pointer.
        for (index, name) in hook.parameters().iter().enumerate() {
            let is_pointer = name.ends_with("pointer") || hook == Hook::DebugLog;
            let mask = if is_pointer { !PAGE_BITS } else { U256::MAX };
            let hex = |word: U256| format!("{:#x}", word & mask);
            self.expect_equal(&place, name, hex(recorded[index]), hex(parameters[index]));
        }
        let AtHook { ergs, pubdata } = self.transcript.at_hooks[self.hooks];
        let (peer_ergs, peer_pubdata) = (self.machine.ergs(), self.machine.pubdata());
        self.expect_equal(&place, "ergs", ergs.to_string(), peer_ergs.to_string());
        self.expect_equal(&place, "pubdata", pubdata.to_string(), peer_pubdata.to_string());
        self.hooks += 1;
    }

    /// Takes the result before a rollback makes it go.
    fn take_transaction(&mut self) {
        if self.machine.has_run() {
            self.report = Some(RunReport::new(self.machine.take_transaction()));
        }
    }

    fn compare_transaction(&mut self, index: u32) {
        self.take_transaction();
        let place = format!("transaction {index}");
        let recorded = self
            .transcript
            .transactions
            .iter()
            .find(|report| report.index == index as usize);
        match (recorded, self.report.take()) {
            (Some(recorded), Some(peer)) => self.compare_run(&place, &recorded.run, peer),
            (recorded, peer) => {
                let [recorded, peer] = [recorded.is_some(), peer.is_some()].map(|it| it.to_string());
                self.expect_equal(&place, "has a result", recorded, peer);
            }
        }
    }

    fn compare_batch(&mut self, recorded: &BatchReport) {
        let peer = BatchReport::new(&self.machine.take_batch());
        self.compare_run("end of the batch", &recorded.block_tip, peer.block_tip);
        self.compare_values(
            "batch",
            "final_execution_state",
            &json!(recorded.final_execution_state),
            &json!(peer.final_execution_state),
        );
        self.compare_values(
            "batch",
            "state_diffs",
            &json!(recorded.state_diffs),
            &json!(peer.state_diffs),
        );
    }

    /// Compares what the machine made of a run; the rest is the operator's.
    fn compare_run(&mut self, place: &str, recorded: &RunReport, peer: RunReport) {
        let peer = RunReport {
            first_step: recorded.first_step,
            cycles_used: recorded.cycles_used,
            operator_suggested_refund: recorded.operator_suggested_refund,
            new_known_factory_deps: recorded.new_known_factory_deps.clone(),
            ..peer
        };
        let peer = if recorded.result["reason"]["halt"] == "FailedToPublishCompressedBytecodes" {
            // The operator's own verdict on a run that may have gone well.
            RunReport {
                result: recorded.result.clone(),
                ..peer
            }
        } else {
            peer
        };
        self.compare_values(place, "", &json!(recorded), &json!(peer));
    }

    /// Of two lists, names the first element that differs.
    fn compare_values(&mut self, place: &str, field: &str, recorded: &Value, peer: &Value) {
        match (recorded, peer) {
            (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => {
                for (name, recorded) in a {
                    let field = if field.is_empty() {
                        name.clone()
                    } else {
                        format!("{field}.{name}")
                    };
                    self.compare_values(place, &field, recorded, &b[name]);
                }
            }
            (Value::Array(a), Value::Array(b)) => {
                if let Some(index) = a.iter().zip(b).position(|(a, b)| a != b) {
                    self.compare_values(place, &format!("{field}[{index}]"), &a[index], &b[index]);
                }
                let [a, b] = [a, b].map(|list| list.len().to_string());
                self.expect_equal(place, &format!("length of {field}"), a, b);
            }
            _ => self.expect_equal(place, field, recorded.to_string(), peer.to_string()),
        }
    }

    fn expect_equal(&mut self, place: &str, field: &str, recorded: String, peer: String) {
        if recorded != peer {
            self.mismatches.push(Mismatch {
                place: place.to_owned(),
                field: field.to_owned(),
                recorded,
                peer,
            });
        }
    }

    fn place(&self) -> String {
        let transaction = self
            .transaction
            .map_or("before the first transaction".to_owned(), |index| {
                format!("transaction {index}")
            });
        format!("{transaction}, hook {} of the batch", self.hooks)
    }
}
