//! How runs end, usual and unusual: what bootloaders return, revert with and panic of, in each mode.
//!
//! Rules: `matter-labs/zksync-era` `core/lib/multivm/src/versions/vm_latest/tracers/{result_tracer,pubdata_tracer}.rs`.

use eradbg_fixtures::abi::{Forward, ret_abi, slice};
use eradbg_fixtures::assembler::{In, Out, op};
use eradbg_fixtures::{Assembler, mini_batch};
use eradbg_vm::batch::{ExecutionMode, SystemCode};
use eradbg_vm::bootloader::{Hook, Layout};
use eradbg_vm::bytecode::{bytes_to_words, hash_bytecode, words_to_bytes};
use eradbg_vm::operator::{
    ExecutionResult, Halt, OperatorError, OperatorVm, PubdataTarget, RevertReason, RunMode, RunResult,
};
use eradbg_vm::pubdata::builder::{DaTarget, PubdataBuilder};
use eradbg_vm::storage::SnapshotStorage;
use eradbg_vm::{H160, Opcode, U256};

use crate::snapshots;

pub(crate) const TARGET: PubdataTarget = PubdataTarget {
    builder: PubdataBuilder::Full,
    da: DaTarget::Validator(H160::zero()),
};
const MODES: [RunMode; 4] = [
    RunMode::OneTransaction,
    RunMode::Validation,
    RunMode::Bootloader,
    RunMode::Batch(TARGET),
];

/// An operator whose bootloader is this program, with a transaction pushed.
fn operator(bootloader: &Assembler, ergs: u32, mode: ExecutionMode) -> OperatorVm<SnapshotStorage> {
    let mut input = mini_batch(1);
    let words = bootloader.words();
    input.system.bootloader = SystemCode {
        hash: hash_bytecode(&words_to_bytes(&words)).expect("the assembler makes valid code"),
        words,
    };
    input.system.bootloader_gas_limit = ergs;
    input.system.execution_mode = mode;
    let storage = SnapshotStorage::new(input.storage);
    let mut operator = OperatorVm::new(input.batch, input.system, storage, &mut ());
    operator
        .push_transaction(&input.blocks[0].transactions[0], false, &mut ())
        .expect("there is room");
    operator
}

fn run(bootloader: &Assembler, ergs: u32, mode: RunMode) -> RunResult {
    operator(bootloader, ergs, ExecutionMode::VerifyExecute)
        .run(mode, &mut ())
        .expect("it needs nothing")
}

pub(crate) fn layout() -> Layout {
    Layout::of(mini_batch(0).system.version)
}

pub(crate) fn write(a: &mut Assembler, slot: usize, word: impl Into<U256>) {
    a.load(14, word);
    a.load(15, slot * 32);
    a.push(op(Opcode::HeapWrite).src0(In::Reg(15)).src1(14));
}

pub(crate) fn hook(a: &mut Assembler, hook: Hook) {
    write(a, layout().hook, hook as u64);
}

/// Writes a slot and a log.
fn change_state(a: &mut Assembler) {
    a.load(1, 1);
    a.push(op(Opcode::StorageWrite).src0(In::Reg(1)).src1(1));
    a.push(op(Opcode::ToL1).src0(In::Reg(1)).src1(1).flag0());
}

/// Changes the state and leaves with these bytes.
fn leaving(how: Opcode, data: &[u8]) -> Assembler {
    let mut a = Assembler::new();
    change_state(&mut a);
    let mut padded = data.to_vec();
    padded.resize(data.len().next_multiple_of(32), 0);
    for (slot, word) in bytes_to_words(&padded).into_iter().enumerate() {
        write(&mut a, 8 + slot, word);
    }
    a.load(1, ret_abi(Forward::Heap, slice(8 * 32, data.len() as u32)));
    a.ret(how, 1);
    a
}

fn assert_no_logs(run: &RunResult) {
    assert_eq!(
        (&run.events[..], &run.storage_changes[..]),
        (&[][..], &[][..]),
        "{:?}",
        run.result
    );
    assert_eq!(
        (&run.system_l2_to_l1_logs[..], &run.user_l2_to_l1_logs[..]),
        (&[][..], &[][..])
    );
}

#[test]
fn a_bootloader_that_reverts_has_no_logs_and_its_first_byte_tells_a_revert_from_a_halt() {
    let no = [
        &[0x08, 0xc3, 0x79, 0xa0][..],
        &[0; 31],
        &[32],
        &[0; 31],
        &[2],
        b"no",
    ]
    .concat();
    let unknown = |data: &[u8]| RevertReason::Unknown {
        selector: data.to_vec(),
        data: data.to_vec(),
    };
    let general = RevertReason::General {
        message: "no".to_owned(),
        data: no.clone(),
    };
    let cases = [
        (vec![0], ExecutionResult::Revert(unknown(&[]))),
        (vec![0, 7], ExecutionResult::Revert(unknown(&[7]))),
        ([&[0], &no[..]].concat(), ExecutionResult::Revert(general.clone())),
        (
            [&[2], &no[..]].concat(),
            ExecutionResult::Halt(Halt::FailedToChargeFee(general)),
        ),
        (
            vec![],
            ExecutionResult::Halt(Halt::UnexpectedVMBehavior(
                "Bootloader returned an empty error".to_owned(),
            )),
        ),
    ];
    for (data, expected) in cases {
        let bootloader = leaving(Opcode::RetRevert, &data);
        for mode in MODES {
            let run = run(&bootloader, 1_000_000, mode);
            assert_eq!(run.result, expected, "{mode:?}");
            assert_no_logs(&run);
            assert_eq!(run.gas_used, 1_000_000 - run.gas_remaining);
            assert!(run.gas_used > 0 && run.steps >= 5);
        }
    }
}

#[test]
fn an_eth_call_returns_the_bootloaders_output_and_keeps_its_logs() {
    let output = [3; 40];
    let mut operator = operator(
        &leaving(Opcode::RetOk, &output),
        1_000_000,
        ExecutionMode::EthCall,
    );
    let description = layout().descriptions as u32 * 32;
    let meta = operator
        .machine()
        .execution
        .bootloader_heap()
        .read_word(description);
    assert_eq!(meta, U256::from(2) << 248 | U256::one());
    let run = operator.run(RunMode::OneTransaction, &mut ()).unwrap();
    assert_eq!(run.result, ExecutionResult::Success(output.to_vec()));
    assert_eq!(
        (run.storage_changes.len(), run.system_l2_to_l1_logs.len()),
        (1, 1)
    );
}

#[test]
fn a_bootloader_is_out_of_gas_when_it_cannot_pay_a_step_not_when_it_has_spent_all() {
    let panics = |ergs, build: &dyn Fn(&mut Assembler)| {
        let mut a = Assembler::new();
        build(&mut a);
        let run = run(&a, ergs, RunMode::OneTransaction);
        assert_no_logs(&run);
        let ExecutionResult::Halt(halt) = run.result else {
            panic!("{:?}", run.result);
        };
        (halt, run.gas_remaining)
    };
    let explicit = |a: &mut Assembler| {
        a.ret(Opcode::RetPanic, 0);
    };
    assert_eq!(panics(1000, &explicit).0, Halt::VMPanic);
    assert_eq!(panics(5, &explicit), (Halt::VMPanic, 0));
    assert_eq!(panics(4, &explicit), (Halt::BootloaderOutOfGas, 0));

    // Returning a number in place of a fat pointer.
    let bad_return = |a: &mut Assembler| {
        a.load(1, ret_abi(Forward::Pointer, slice(0, 0)));
        a.ret(Opcode::RetOk, 1);
    };
    assert_eq!(panics(1000, &bad_return).0, Halt::VMPanic);

    // The instruction fails, then the panic has its price.
    let no_pointer = |a: &mut Assembler| {
        a.push(op(Opcode::PointerRead).src0(In::Reg(3)).dst0(Out::Reg(3)));
        a.ret(Opcode::RetOk, 0);
    };
    let left = panics(1000, &no_pointer);
    assert_eq!(left.0, Halt::VMPanic);
    let price = 1000 - left.1;
    assert_eq!(panics(price - 1, &no_pointer), (Halt::BootloaderOutOfGas, 0));

    let endless = |a: &mut Assembler| {
        let here = a.here();
        a.jump(here);
    };
    assert_eq!(panics(1000, &endless), (Halt::BootloaderOutOfGas, 0));
    let past_the_end = |a: &mut Assembler| {
        a.push(op(Opcode::Nop));
    };
    assert_eq!(panics(1000, &past_the_end), (Halt::BootloaderOutOfGas, 0));
}

#[test]
fn a_transaction_without_a_posted_result_has_that_of_its_result_slot() {
    let ends = |result: u64| {
        let mut a = Assembler::new();
        write(&mut a, layout().results, result);
        change_state(&mut a);
        hook(&mut a, Hook::TxHasEnded);
        run(&a, 1_000_000, RunMode::OneTransaction)
    };
    let failed = ends(0);
    let message = "Transaction reverted with empty reason. Possibly out of gas";
    assert_eq!(
        failed.result,
        ExecutionResult::Revert(RevertReason::message(message))
    );
    // The bootloader goes on, so what it did stays.
    assert_eq!(failed.storage_changes.len(), 1);
    assert_eq!(ends(1).result, ExecutionResult::Success(Vec::new()));
}

#[test]
fn without_the_end_of_the_batch_a_run_stops_where_pubdata_is_needed() {
    let mut operator = snapshots::operator(mini_batch(0)).0;
    let run = operator.run(RunMode::Bootloader, &mut ()).unwrap();
    assert_eq!(run.result, ExecutionResult::Success(Vec::new()));
    assert_eq!(operator.machine().execution.ended(), None);
    let words = operator.bootloader_state().replay_memory();
    let pubdata = layout().pubdata as u32;
    assert_eq!(words.range(pubdata..pubdata + 10).count(), 0);
}

#[test]
fn a_batch_without_transactions_closes_with_its_first_block_as_the_fictive_one() {
    let (mut operator, transactions) = snapshots::operator(mini_batch(0));
    assert_eq!(transactions.len(), 0);
    let closed = operator.finish_batch(TARGET, &mut ()).unwrap();
    assert!(matches!(closed.tip.result, ExecutionResult::Success(_)));
    let state = operator.bootloader_state();
    assert_eq!((state.blocks().len(), state.transaction_count()), (1, 0));
    let block = layout().l2_blocks as u32;
    assert_eq!(
        closed.bootloader_memory[&block],
        state.blocks()[0].env.number.into()
    );
}

#[test]
#[should_panic(expected = "the next transaction was not pushed")]
fn a_transaction_that_was_not_pushed_cannot_run() {
    let _ = snapshots::operator(mini_batch(0))
        .0
        .run(RunMode::OneTransaction, &mut ());
}

#[test]
fn after_a_halt_nothing_runs_until_it_is_rolled_back() {
    let (mut operator, transactions) = snapshots::operator(mini_batch(4));
    operator.make_snapshot(&mut ());
    operator
        .push_transaction(&transactions[3], true, &mut ())
        .unwrap();
    let run = operator.run(RunMode::OneTransaction, &mut ()).unwrap();
    assert!(matches!(run.result, ExecutionResult::Halt(_)));
    assert_no_logs(&run);
    let before = operator.bootloader_state().clone();
    assert_eq!(operator.finish_batch(TARGET, &mut ()), Err(OperatorError::Ended));
    for mode in MODES {
        assert_eq!(operator.run(mode, &mut ()), Err(OperatorError::Ended));
    }
    assert_eq!(operator.bootloader_state(), &before);
    operator.roll_back(&mut ());
    let closed = operator.finish_batch(TARGET, &mut ()).unwrap();
    assert!(matches!(closed.tip.result, ExecutionResult::Success(_)));
}

#[test]
fn a_batch_that_is_rejected_in_one_go_leaves_costs_but_no_changes() {
    let input = mini_batch(4);
    let (mut operator, _) = snapshots::operator(input.clone());
    for (index, block) in input.blocks.iter().enumerate() {
        if index > 0 {
            operator.start_l2_block(block.env.clone()).unwrap();
        }
        for transaction in &block.transactions {
            operator.push_transaction(transaction, true, &mut ()).unwrap();
        }
    }
    let rejected = operator.finish_batch(TARGET, &mut ()).unwrap();
    assert!(matches!(
        rejected.tip.result,
        ExecutionResult::Halt(Halt::ValidationFailed(_))
    ));
    assert_no_logs(&rejected.tip);
    assert_eq!(
        (&rejected.events[..], &rejected.storage_changes[..]),
        (&[][..], &[][..])
    );
    assert_eq!(
        (
            &rejected.system_l2_to_l1_logs[..],
            &rejected.state_diffs[..],
            &rejected.pubdata[..]
        ),
        (&[][..], &[][..], &[][..])
    );
    assert!(!rejected.storage_refunds.is_empty() && !rejected.pubdata_costs.is_empty());
}

#[test]
fn validation_beyond_its_limit_halts_in_every_mode() {
    for mode in MODES {
        let mut input = mini_batch(1);
        input.system.validation_gas_limit = 100;
        let (mut operator, transactions) = snapshots::operator(input);
        operator
            .push_transaction(&transactions[0], true, &mut ())
            .unwrap();
        let run = operator.run(mode, &mut ()).unwrap();
        assert_eq!(run.result, ExecutionResult::Halt(Halt::ValidationOutOfGas));
        assert_no_logs(&run);
    }
}
