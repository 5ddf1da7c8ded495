//! The loop that runs the machine from hook to hook, with the operator's answer to each.
//!
//! Source: `matter-labs/zksync-era` `core/lib/multivm/src/versions/vm_latest/tracers` and `vm_fast/vm.rs`.

use primitive_types::U256;

use crate::bootloader::Hook;
use crate::bytecode::words_to_bytes;
use crate::events::{self, Event};
use crate::isa::Opcode;
use crate::keccak::keccak256;
use crate::observer::Observer;
use crate::operator::finish::PubdataTarget;
use crate::operator::refund::{RefundRequest, refund};
use crate::operator::result::{ExecutionResult, Halt, RevertReason, RunResult};
use crate::operator::{OperatorError, OperatorVm};
use crate::outcome::{End, Stop};
use crate::precompile::Precompile;
use crate::state::StateMark;
use crate::storage::Storage;
use crate::value::{FatPointer, low16};

/// How far to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunMode {
    /// The next transaction, to its end.
    OneTransaction,
    /// The next transaction, until it is valid and paid for.
    Validation,
    /// All pushed transactions, to the point where pubdata is needed.
    Bootloader,
    /// Everything to the end of the batch.
    Batch(PubdataTarget),
}

/// What a run gathers on its way.
struct Run {
    mode: RunMode,
    tracks_refunds: bool,
    pubdata_before: u32,
    pubdata_published: u32,
    gas_refunded: u64,
    suggested_refund: u64,
    posted: Option<ExecutionResult>,
    validation: ValidationMeter,
}

/// Ergs that validation may use: static prices of what it executes, and what priced precompiles take.
struct ValidationMeter {
    limit: u32,
    used: u32,
    is_on: bool,
}

/// What a hook leads to.
enum After {
    GoOn,
    Finish(ExecutionResult),
}

impl<S: Storage> OperatorVm<S> {
    /// Runs the machine as far as `mode` says.
    ///
    /// # Errors
    /// When input is missing, or the bootloader asks for something that cannot be answered.
    ///
    /// # Panics
    /// When a transaction is to run that was not pushed.
    pub fn run<O: Observer>(&mut self, mode: RunMode, observer: &mut O) -> Result<RunResult, OperatorError> {
        if self.inner.execution.ended().is_some() {
            return Err(OperatorError::Ended);
        }
        let one_transaction = matches!(mode, RunMode::OneTransaction | RunMode::Validation);
        if one_transaction {
            self.bootloader_state.start_transaction();
        }
        let mark = self.inner.state.mark();
        let first_step = self.inner.execution.steps();
        let gas_before = self.inner.execution.frame().ergs;
        let mut run = Run {
            mode,
            tracks_refunds: one_transaction,
            pubdata_before: self.inner.state.pubdata() as u32,
            pubdata_published: 0,
            gas_refunded: 0,
            suggested_refund: 0,
            posted: None,
            validation: ValidationMeter {
                limit: self.system.validation_gas_limit,
                used: 0,
                is_on: false,
            },
        };
        let (result, ended) = loop {
            match self.advance(&mut run.validation, observer)? {
                None => break (ExecutionResult::Halt(Halt::ValidationOutOfGas), false),
                Some(Stop::StepLimit) => {}
                Some(Stop::Cancelled) => return Err(OperatorError::Cancelled),
                Some(Stop::Ended(end)) => break (self.result_of_end(end), true),
                Some(Stop::Hook(id)) => {
                    self.suspended_at = self.inner.execution.frame().pc;
                    if let After::Finish(result) = self.answer(id, &mut run, observer)? {
                        break (result, false);
                    }
                }
            }
        };
        // What halted is taken back by the caller, and a bootloader that failed has undone everything.
        let keeps_logs = match &result {
            ExecutionResult::Success(_) => true,
            ExecutionResult::Revert(_) => !ended,
            ExecutionResult::Halt(_) => false,
        };
        let gas_remaining = self.inner.execution.frame().ergs;
        let mut collected = RunResult {
            result,
            first_step,
            steps: self.inner.execution.steps() - first_step,
            gas_remaining,
            gas_used: gas_before.saturating_sub(gas_remaining),
            pubdata_published: run.pubdata_published,
            gas_refunded: run.gas_refunded,
            operator_suggested_refund: run.suggested_refund,
            events: Vec::new(),
            user_l2_to_l1_logs: Vec::new(),
            system_l2_to_l1_logs: Vec::new(),
            storage_changes: Vec::new(),
            new_factory_deps: Vec::new(),
        };
        if keeps_logs {
            self.collect_logs(&mark, &mut collected);
        }
        Ok(collected)
    }

    /// Runs to the next hook or end; `None` when validation used more than its limit.
    fn advance<O: Observer>(
        &mut self,
        meter: &mut ValidationMeter,
        observer: &mut O,
    ) -> Result<Option<Stop>, OperatorError> {
        if !meter.is_on || meter.limit == u32::MAX {
            return Ok(Some(self.inner.run(&mut self.storage, observer, u64::MAX)?));
        }
        let price = self.price_of_next_step();
        let stop = self.inner.run(&mut self.storage, observer, 1)?;
        meter.used = meter.used.saturating_add(price);
        Ok((meter.used <= meter.limit).then_some(stop))
    }

    fn price_of_next_step(&self) -> u32 {
        let execution = &self.inner.execution;
        let (price, instruction) = execution.next_price();
        let Some(instruction) = instruction.filter(|instruction| instruction.opcode == Opcode::Precompile)
        else {
            return price;
        };
        let address = low16(execution.frame().this);
        let is_priced = matches!(
            Precompile::at(address, false),
            Some(
                Precompile::Keccak256
                    | Precompile::Sha256
                    | Precompile::Ecrecover
                    | Precompile::Secp256r1Verify
            )
        );
        let extra = execution.register(instruction.src1).word.low_u32();
        if is_priced {
            price.saturating_add(extra)
        } else {
            price
        }
    }

    fn result_of_end(&self, end: End) -> ExecutionResult {
        match end {
            End::Finished(output) => ExecutionResult::Success(output),
            End::Reverted(output) => ExecutionResult::of_bootloader_revert(&output),
            End::Panicked(cause) => {
                let ergs = self.inner.execution.frame().ergs;
                ExecutionResult::Halt(Halt::of_bootloader_panic(cause, ergs))
            }
        }
    }

    fn answer<O: Observer>(
        &mut self,
        id: u32,
        run: &mut Run,
        observer: &mut O,
    ) -> Result<After, OperatorError> {
        let step = self.inner.execution.steps() - 1;
        let hook = Hook::new(id).ok_or(OperatorError::UnknownHook { id, step })?;
        let parameters = self.hook_parameters();
        observer.hook(id, parameters);
        match hook {
            Hook::AccountValidationEntered => run.validation.is_on = true,
            Hook::ValidationExited => run.validation.is_on = false,
            Hook::ValidationStepEnded if run.mode == RunMode::Validation => {
                return Ok(After::Finish(ExecutionResult::Success(Vec::new())));
            }
            Hook::TxHasEnded if run.tracks_refunds => {
                let result = run.posted.take().unwrap_or_else(|| self.result_without_post());
                return Ok(After::Finish(result));
            }
            Hook::AskOperatorForRefund if run.tracks_refunds => {
                self.give_refund(parameters, step, run, observer)?;
            }
            Hook::NotifyAboutRefund if run.tracks_refunds => run.gas_refunded = parameters[0].low_u64(),
            Hook::PostResult => {
                let output = self
                    .inner
                    .execution
                    .read_pointer(FatPointer::from_word(parameters[1]));
                run.posted = Some(if parameters[0].is_zero() {
                    ExecutionResult::Revert(RevertReason::parse(&output))
                } else {
                    ExecutionResult::Success(output)
                });
            }
            Hook::FinalBatchInfo => {
                let words = self.bootloader_state.start_fictive_block();
                self.write_words(&words, observer);
            }
            Hook::PubdataRequested => match run.mode {
                RunMode::Batch(target) => self.give_pubdata(target, observer)?,
                _ => return Ok(After::Finish(ExecutionResult::Success(Vec::new()))),
            },
            Hook::PaymasterValidationEntered
            | Hook::ValidationStepEnded
            | Hook::TxHasEnded
            | Hook::AskOperatorForRefund
            | Hook::NotifyAboutRefund
            | Hook::DebugLog
            | Hook::DebugReturnData
            | Hook::NearCallCatch => {}
        }
        Ok(After::GoOn)
    }

    /// The result of a transaction that ended without posting one, as L1 transactions out of gas do.
    fn result_without_post(&self) -> ExecutionResult {
        let index = self.bootloader_state.current_transaction().unwrap_or(0);
        let slot = self.bootloader_state.layout().results + index;
        if self.bootloader_word(slot).is_zero() {
            let message = "Transaction reverted with empty reason. Possibly out of gas";
            ExecutionResult::Revert(RevertReason::message(message))
        } else {
            ExecutionResult::Success(Vec::new())
        }
    }

    fn give_refund<O: Observer>(
        &mut self,
        [proposed, gas_on_pubdata, gas_per_pubdata]: [U256; 3],
        step: u64,
        run: &mut Run,
        observer: &mut O,
    ) -> Result<(), OperatorError> {
        let index = self
            .bootloader_state
            .current_transaction()
            .ok_or(OperatorError::NoTransaction { step })?;
        let pubdata_now = self.inner.state.pubdata() as u32;
        run.pubdata_published = pubdata_now.saturating_sub(run.pubdata_before);
        run.suggested_refund = refund(
            &self.batch,
            &RefundRequest {
                proposed: proposed.low_u64(),
                gas_on_pubdata: gas_on_pubdata.low_u64(),
                gas_per_pubdata: gas_per_pubdata.low_u32(),
                gas_limit: self
                    .bootloader_word(self.bootloader_state.gas_limit_slot(index))
                    .low_u64(),
                pubdata_published: run.pubdata_published,
            },
        );
        let slot = self.bootloader_state.layout().refunds + index;
        let words = [(slot as u32, U256::from(run.suggested_refund))];
        self.bootloader_state.note_written(&words);
        self.write_words(&words, observer);
        Ok(())
    }

    fn hook_parameters(&self) -> [U256; 3] {
        let first = self.bootloader_state.layout().hook_parameters;
        [0, 1, 2].map(|index| self.bootloader_word(first + index))
    }

    fn bootloader_word(&self, slot: usize) -> U256 {
        self.inner.execution.bootloader_heap().read_word(slot as u32 * 32)
    }

    fn collect_logs(&self, mark: &StateMark, run: &mut RunResult) {
        let state = &self.inner.state;
        run.events = events::merge_events(state.events_since(mark));
        run.user_l2_to_l1_logs = events::user_l2_to_l1_logs(&run.events);
        run.system_l2_to_l1_logs = state.l2_to_l1_logs_since(mark).to_vec();
        run.storage_changes = state.changes_since(mark);
        run.new_factory_deps = self.new_factory_deps(&run.events);
    }

    /// Code that was published on the fly and whose mark as known was not undone.
    fn new_factory_deps(&self, events: &[Event]) -> Vec<(U256, usize, primitive_types::H256)> {
        let known = events::bytecodes_marked_as_known(events);
        let published = known
            .into_iter()
            .filter_map(|hash| Some((hash, self.inner.programs.published(hash)?)));
        published
            .map(|(hash, program)| {
                let code = words_to_bytes(program.words());
                (hash, code.len(), keccak256(&code))
            })
            .collect()
    }
}
