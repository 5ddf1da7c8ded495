//! The operator in modes that no driver uses, and with bootloaders that do not do what one does.

#![allow(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

use eradbg_tracer::source::assembly::assemble;
use eradbg_tracer::source::scenario;
use eradbg_vm::U256;
use eradbg_vm::batch::{BatchInput, SystemCode};
use eradbg_vm::bootloader::Layout;
use eradbg_vm::operator::{ExecutionResult, Halt, OperatorError, OperatorVm, RunMode};
use eradbg_vm::storage::SnapshotStorage;

fn input(name: &str) -> BatchInput {
    scenario::embedded(name).unwrap().input
}

fn operator(input: BatchInput) -> OperatorVm<SnapshotStorage> {
    OperatorVm::new(
        input.batch,
        input.system,
        SnapshotStorage::new(input.storage),
        &mut (),
    )
}

/// A batch with another bootloader: what it does in `.text`, with the hook's place as `HOOK`.
fn with_bootloader(text: &str) -> BatchInput {
    let mut input = input("transfer");
    let text = format!(
        ".rodata\nHOOK:\n    .cell heap(\"hook\")\nEND:\n    .cell ret(0, 32)\n.text\nmain:\n{text}\n"
    );
    let code = assemble(&text).unwrap();
    input.system.bootloader = SystemCode {
        hash: code.hash,
        words: code.words,
    };
    input
}

/// How a bootloader ends, and the first word of its heap.
fn end_of(input: BatchInput) -> (Result<ExecutionResult, OperatorError>, U256) {
    let mut operator = operator(input);
    let run = operator.run(RunMode::Bootloader, &mut ());
    let word = operator.machine().execution.bootloader_heap().read_word(0);
    (run.map(|run| run.result), word)
}

#[test]
fn a_bootloader_runs_to_its_end() {
    let input = with_bootloader("add 291, r0, r1\nst.1 0, r1\nadd @END[0], r0, r1\nret.ok r1");
    let mut expected = vec![0; 32];
    expected[30..].copy_from_slice(&[1, 0x23]);
    let (end, word) = end_of(input);
    assert_eq!(
        (end, word),
        (Ok(ExecutionResult::Success(expected)), 0x123.into())
    );
}

#[test]
fn a_bootloader_without_ergs_is_out_of_gas() {
    let mut short = input("transfer");
    short.system.bootloader_gas_limit = 10;
    let out_of_gas = Ok(ExecutionResult::Halt(Halt::BootloaderOutOfGas));
    assert_eq!(end_of(short).0, out_of_gas);
    assert_eq!(end_of(with_bootloader("invalid")).0, out_of_gas);
}

#[test]
fn a_bootloader_that_reverts_without_a_word_is_a_surprise() {
    let (end, _) = end_of(with_bootloader("ret.revert r0"));
    let Ok(ExecutionResult::Halt(Halt::UnexpectedVMBehavior(text))) = end else {
        panic!("{end:?}");
    };
    assert_eq!(text, "Bootloader returned an empty error");
}

#[test]
fn a_hook_that_the_version_does_not_have_stops_the_run() {
    let write = |hook: u32| {
        with_bootloader(&format!(
            "add @HOOK[0], r0, r1\nadd {hook}, r0, r2\nst.1 r1, r2\nret.ok r0"
        ))
    };
    assert_eq!(
        end_of(write(13)).0,
        Err(OperatorError::UnknownHook { id: 13, step: 2 })
    );
    assert_eq!(end_of(write(0)).0, Ok(ExecutionResult::Success(Vec::new())));
    // Refunds are for transactions that are run one by one.
    assert_eq!(end_of(write(8)).0, Ok(ExecutionResult::Success(Vec::new())));
}

#[test]
fn all_transactions_run_in_one_go_up_to_where_pubdata_is_wanted() {
    let input = input("several_blocks");
    let layout = Layout::of(input.system.version);
    let mut operator = operator(input.clone());
    for transaction in &input.blocks[0].transactions {
        operator.push_transaction(transaction, true, &mut ()).unwrap();
    }
    let run = operator.run(RunMode::Bootloader, &mut ()).unwrap();
    assert_eq!(run.result, ExecutionResult::Success(Vec::new()));
    assert_eq!(
        (run.gas_refunded, run.pubdata_published),
        (0, 0),
        "nobody asks for refunds"
    );
    assert!(!run.events.is_empty());
    let heap = operator.machine().execution.bootloader_heap();
    let count = input.blocks[0].transactions.len();
    let results: Vec<U256> = (0..=count)
        .map(|index| heap.read_word((layout.results + index) as u32 * 32))
        .collect();
    assert_eq!(results[..count], vec![U256::one(); count]);
    assert!(results[count].is_zero());
    let logs = operator.machine().state.l2_to_l1_logs();
    assert!(
        logs.iter().all(|log| log.key > U256::zero()),
        "the logs of the pubdata are not there"
    );
}
