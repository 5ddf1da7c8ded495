//! What a batch on a published bootloader did.

use std::collections::BTreeMap;

use eradbg_tracer::drive::{DriveEnd, Session, Sink};
use eradbg_tracer::report::{BatchReport, TransactionReport};
use eradbg_tracer::source::Loaded;
use eradbg_vm::bootloader::Hook;
use eradbg_vm::bytecode::words_to_bytes;
use eradbg_vm::events::L2ToL1Log;
use eradbg_vm::storage::BOOTLOADER;
use eradbg_vm::{Execution, FatPointer, H160, Observer, U256};

/// Page of the bootloader's heap.
const BOOTLOADER_HEAP: u32 = 10;
/// Slots of it of which writes are kept: the ones for scratch, and what follows.
const SLOTS_WATCHED: u32 = 128;

/// Calls of the bootloader, logs, hooks, and words of the operator.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) transactions: Vec<TransactionReport>,
    pub(crate) batch: Option<BatchReport>,
    /// Contracts that the bootloader called, with the calldata.
    pub(crate) calls: Vec<(H160, Vec<u8>)>,
    /// System logs that no rollback took back.
    pub(crate) logs: Vec<L2ToL1Log>,
    /// Hooks in order.
    pub(crate) hooks: Vec<u32>,
    /// What the bootloader says to debug itself, with the number of its calls before.
    pub(crate) debug_logs: Vec<(String, usize)>,
    /// Words that the bootloader wrote to its own heap, by slot.
    pub(crate) written: Vec<(u32, U256)>,
    /// What the operator wrote last, by slot.
    pub(crate) words: BTreeMap<u32, U256>,
    /// How the run ended.
    pub(crate) end: Option<DriveEnd>,
}

/// Runs a batch to its end.
pub(crate) fn run(loaded: Loaded) -> Seen {
    let mut session = Session::new(loaded.input, loaded.script, Seen::default());
    let end = session.drive(&loaded.run).unwrap();
    let (mut seen, machine) = session.into_parts();
    seen.logs = machine.state.l2_to_l1_logs().to_vec();
    seen.end = Some(end);
    seen
}

/// Runs a batch that closes, and checks that everything that its scenario expects came true.
pub(crate) fn run_and_close(loaded: Loaded) -> Seen {
    let name = loaded.input.system.version.to_string();
    let expectations = loaded.expectations.clone();
    let seen = run(loaded);
    for (index, expectation) in expectations.iter().enumerate() {
        let difference = expectation.difference(seen.transactions.get(index));
        assert_eq!(difference, None, "{name}: tx {index}");
    }
    assert_eq!(seen.end, Some(DriveEnd::Finished), "{name}");
    seen
}

impl Seen {
    /// Calldata of the bootloader's calls of a contract.
    pub(crate) fn calls_of(&self, contract: H160) -> impl DoubleEndedIterator<Item = &[u8]> {
        let calls = self.calls.iter().filter(move |(called, _)| *called == contract);
        calls.map(|(_, calldata)| &calldata[..])
    }

    /// Value of the system log with a key.
    pub(crate) fn log(&self, key: u64) -> Option<U256> {
        let found = self.logs.iter().find(|log| log.key == key.into());
        found.map(|log| log.value)
    }
}

impl Observer for Seen {
    fn frame_entered(&mut self, execution: &Execution, is_near: bool) {
        let frame = execution.frame();
        if !is_near && frame.caller == BOOTLOADER {
            let calldata = execution.read_pointer(FatPointer::from_word(execution.register(1).word));
            self.calls.push((frame.code_address, calldata));
        }
    }

    fn memory(&mut self, page: u32, offset: u32, _: U256, new: U256) {
        if page == BOOTLOADER_HEAP && offset < 32 * SLOTS_WATCHED {
            self.written.push((offset / 32, new));
        }
    }

    fn hook(&mut self, id: u32, [label, ..]: [U256; 3]) {
        self.hooks.push(id);
        if id == Hook::DebugLog as u32 {
            let label = words_to_bytes(&[label]);
            let text = String::from_utf8_lossy(&label).trim_end_matches('\0').to_owned();
            self.debug_logs.push((text, self.calls.len()));
        }
    }

    fn operator_write(&mut self, slot: u32, _: U256, new: U256) {
        self.words.insert(slot, new);
    }
}

impl Sink for Seen {
    type Observer = Self;

    fn observer(&mut self) -> &mut Self {
        self
    }

    fn transaction_done(&mut self, report: TransactionReport) {
        self.transactions.push(report);
    }

    fn batch_done(&mut self, report: BatchReport) {
        self.batch = Some(report);
    }
}
