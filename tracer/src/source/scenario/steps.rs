//! Steps of a scenario into transactions, what the operator does between them, and what is expected.

use std::collections::BTreeMap;

use eradbg_vm::batch::Transaction;
use primitive_types::{H160, U256};

use super::deployment::{create_address, create2_address};
use super::expectation::Expectation;
use super::format::{self, Expect, Step, StepKind, TransactionKind};
use super::names::Directory;
use super::nonces;
use super::text::File;
use super::transaction::{Maker, Parameters, Place};
use crate::chain::Contents;
use crate::source::Script;
use crate::source::error::InputError;

/// Turns steps into transactions, one after the other.
#[derive(Debug)]
pub(super) struct Steps<'s> {
    file: File<'s>,
    pub(super) directory: Directory,
    parameters: Parameters,
    /// What counters go on from.
    start: &'s Contents,
    counters: Counters,
    /// Counters at the snapshot that is held.
    held: Option<(Counters, usize)>,
    /// Transactions so far.
    count: usize,
    pub(super) script: Script,
    pub(super) expectations: Vec<Expectation>,
}

/// What the next transaction of each sender needs, for those who have sent any in this batch. A transaction that is rejected leaves them alone.
#[derive(Debug, Clone, Default)]
pub(super) struct Counters {
    pub(super) nonces: BTreeMap<H160, U256>,
    pub(super) priority_operations: U256,
    /// Contracts that a sender has created without a salt.
    created: BTreeMap<H160, u64>,
    /// Addresses of contracts that were deployed.
    deployed: BTreeMap<String, H160>,
}

type Result<T> = std::result::Result<T, InputError>;

impl<'s> Steps<'s> {
    /// No step so far.
    pub(super) fn new(
        file: File<'s>,
        directory: Directory,
        parameters: Parameters,
        start: &'s Contents,
    ) -> Self {
        Self {
            file,
            directory,
            parameters,
            start,
            counters: Counters::default(),
            held: None,
            count: 0,
            script: Script::default(),
            expectations: Vec::new(),
        }
    }

    /// Turns the steps of a block into transactions.
    pub(super) fn add_block(&mut self, index: usize, steps: &[Step]) -> Result<Vec<Transaction>> {
        let mut transactions = Vec::new();
        let mut snapshot = None;
        for (step_index, step) in steps.iter().enumerate() {
            let at = format!("blocks[{index}].steps[{step_index}].{}", step.name.as_str());
            let place = Place {
                file: self.file,
                at: &at,
                name: &step.name,
            };
            match &step.kind {
                StepKind::Transaction(kind, fields) => {
                    transactions.push(self.add_transaction(place, *kind, fields)?);
                }
                StepKind::Snapshot => {
                    self.hold(place)?;
                    snapshot = Some(step);
                }
                StepKind::RollBack => {
                    let counters = self.resolve(place)?;
                    self.restore(counters);
                    self.script.rollbacks.insert(self.count - 1);
                }
                StepKind::Release => {
                    self.resolve(place)?;
                    self.script.releases.insert(self.count - 1);
                }
            }
        }
        match (self.held.is_some(), snapshot) {
            (true, Some(step)) => {
                let problem = "this snapshot is neither rolled back nor released in its block";
                Err(self
                    .file
                    .error(&step.name, format_args!("blocks[{index}]"), problem))
            }
            _ => Ok(transactions),
        }
    }

    fn hold(&mut self, place: Place) -> Result<()> {
        if self.held.is_some() {
            return Err(place.wrong("a snapshot is held already, expected RollBack or Release before"));
        }
        self.held = Some((self.counters.clone(), self.count));
        self.script.snapshots.insert(self.count);
        Ok(())
    }

    fn resolve(&mut self, place: Place) -> Result<Counters> {
        match self.held.take() {
            Some((counters, count)) if count < self.count => Ok(counters),
            Some(_) => Err(place.wrong("there is no transaction since the snapshot")),
            None => Err(place.wrong("there is no snapshot, expected the step Snapshot before")),
        }
    }

    fn restore(&mut self, counters: Counters) {
        self.directory.deployed.clone_from(&counters.deployed);
        self.counters = counters;
    }

    fn add_transaction(
        &mut self,
        place: Place,
        kind: TransactionKind,
        fields: &format::Transaction,
    ) -> Result<Transaction> {
        let maker = Maker {
            directory: &self.directory,
            parameters: self.parameters,
            start: self.start,
            counters: &self.counters,
        };
        let transaction = maker.make(place, kind, fields)?;
        self.count_transaction(kind, fields, &transaction);
        self.count += 1;
        self.expectations.push(Expectation {
            outcome: fields.expect.clone(),
            checks: fields.checks.clone(),
        });
        Ok(transaction)
    }

    /// Moves the counters on as the transaction will, if it does what is expected of it.
    fn count_transaction(
        &mut self,
        kind: TransactionKind,
        fields: &format::Transaction,
        transaction: &Transaction,
    ) {
        let from = transaction.from;
        match (&fields.expect, &self.held) {
            (Some(Expect::Rejected(_)), Some((counters, _))) => return self.restore(counters.clone()),
            (Some(Expect::Rejected(_)), None) => return,
            _ => {}
        }
        match kind {
            TransactionKind::Upgrade => {}
            TransactionKind::Priority => self.counters.priority_operations = next(transaction.nonce),
            TransactionKind::Transfer | TransactionKind::Call | TransactionKind::Deploy => {
                self.counters.nonces.insert(from, next(transaction.nonce));
            }
        }
        let reverts = matches!(fields.expect, Some(Expect::Reverted(_)));
        if let (TransactionKind::Deploy, Some(contract), false) = (kind, &fields.contract, reverts) {
            let address = if fields.salt.is_some() {
                create2_address(transaction)
            } else {
                let created = &mut self.counters.created;
                let number = created
                    .entry(from)
                    .or_insert_with(|| nonces::deployments(self.start, from));
                *number += 1;
                create_address(from, *number - 1)
            };
            let name = contract.as_str().to_owned();
            self.counters.deployed.insert(name.clone(), address);
            self.directory.deployed.insert(name, address);
        }
    }
}

fn next(nonce: U256) -> U256 {
    nonce.saturating_add(U256::one())
}
