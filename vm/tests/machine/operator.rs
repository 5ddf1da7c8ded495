//! How the operator answers hooks, with bootloaders that do nothing else.
//!
//! Rules: `matter-labs/zksync-era` `core/lib/multivm/src/versions/vm_latest/tracers/{refunds,pubdata_tracer}.rs`.

use eradbg_fixtures::abi::FarCallAbi;
use eradbg_fixtures::assembler::{In, op};
use eradbg_fixtures::{Assembler, mini_batch};
use eradbg_vm::batch::{BatchInput, SystemCode, Transaction, tx_type};
use eradbg_vm::bootloader::Hook;
use eradbg_vm::bytecode::{hash_bytecode, words_to_bytes};
use eradbg_vm::operator::{ExecutionResult, Halt, OperatorVm, RunMode};
use eradbg_vm::pubdata::state_diff::derived_key;
use eradbg_vm::storage::{
    ACCOUNT_CODE_STORAGE, BOOTLOADER, KNOWN_CODES_STORAGE, L1_MESSENGER, SnapshotStorage,
};
use eradbg_vm::{H160, Opcode, U256};

use crate::ends::{TARGET, hook, layout, write};

/// A batch with this bootloader.
fn batch(bootloader: &Assembler) -> BatchInput {
    let mut input = mini_batch(1);
    let words = bootloader.words();
    input.system.bootloader = SystemCode {
        hash: hash_bytecode(&words_to_bytes(&words)).expect("the assembler makes valid code"),
        words,
    };
    for key in 1..5 {
        never_written(&mut input, BOOTLOADER, key.into());
    }
    input
}

fn never_written(input: &mut BatchInput, address: H160, key: U256) {
    input.storage.slots.insert(derived_key(address, key), None);
}

/// Puts code at an address.
fn deploy(input: &mut BatchInput, address: u64, code: &Assembler) {
    let code = words_to_bytes(&code.words());
    let hash = hash_bytecode(&code).expect("the assembler makes valid code");
    let slot = derived_key(ACCOUNT_CODE_STORAGE, address.into());
    input.storage.slots.insert(slot, Some((hash, 1)));
    input.storage.factory_deps.insert(hash, code);
}

/// An operator with the same transaction pushed so many times.
fn operator(input: BatchInput, transactions: usize) -> OperatorVm<SnapshotStorage> {
    let storage = SnapshotStorage::new(input.storage);
    let mut operator = OperatorVm::new(input.batch, input.system, storage, &mut ());
    for _ in 0..transactions {
        let transaction = &input.blocks[0].transactions[0];
        operator
            .push_transaction(transaction, false, &mut ())
            .expect("there is room");
    }
    operator
}

fn parameters(a: &mut Assembler, parameters: [u64; 3]) {
    for (slot, word) in (layout().hook_parameters..).zip(parameters) {
        write(a, slot, word);
    }
}

/// Writes 1 to a slot.
fn store(a: &mut Assembler, key: impl Into<U256>) {
    a.load(1, key).load(2, 1);
    a.push(op(Opcode::StorageWrite).src0(In::Reg(1)).src1(2));
}

fn call(a: &mut Assembler, address: u64) {
    let after = a.label();
    let abi = FarCallAbi {
        ergs: 100_000,
        ..FarCallAbi::default()
    };
    a.load(1, abi.to_word()).load(2, address);
    a.far_call(1, 2, after);
    a.place(after);
}

/// Asks for the refund of three transactions, the second of which publishes nothing, and the third more than the first.
fn asks_for_refunds() -> Assembler {
    let mut a = Assembler::new();
    for slots in [&[1u64][..], &[], &[2, 3]] {
        for &slot in slots {
            store(&mut a, slot);
        }
        parameters(&mut a, [100, 0, 1]);
        hook(&mut a, Hook::AskOperatorForRefund);
        parameters(&mut a, [77, 0, 0]);
        hook(&mut a, Hook::NotifyAboutRefund);
        hook(&mut a, Hook::TxHasEnded);
    }
    a.ret(Opcode::RetOk, 0);
    a
}

fn refunds(operator: &OperatorVm<SnapshotStorage>) -> [U256; 3] {
    let heap = operator.machine().execution.bootloader_heap();
    [0, 1, 2].map(|index| heap.read_word((layout().refunds as u32 + index) * 32))
}

#[test]
fn a_transactions_pubdata_is_what_was_added_since_the_one_before_ended() {
    let mut operator = operator(batch(&asks_for_refunds()), 3);
    let mut suggested = Vec::new();
    for published in [34, 0, 68] {
        let run = operator.run(RunMode::OneTransaction, &mut ()).unwrap();
        assert_eq!((run.pubdata_published, run.gas_refunded), (published, 77));
        suggested.push(run.operator_suggested_refund.into());
    }
    assert_eq!(refunds(&operator)[..], suggested);
    assert!(
        suggested[1] > suggested[0] && suggested[0] > suggested[2],
        "{suggested:?}"
    );
}

#[test]
fn nobody_is_asked_for_refunds_when_a_batch_runs_in_one_go() {
    for mode in [RunMode::Bootloader, RunMode::Batch(TARGET)] {
        let mut operator = operator(batch(&asks_for_refunds()), 3);
        let run = operator.run(mode, &mut ()).unwrap();
        assert_eq!(run.result, ExecutionResult::Success(Vec::new()));
        assert_eq!(
            (
                run.pubdata_published,
                run.gas_refunded,
                run.operator_suggested_refund
            ),
            (0, 0, 0)
        );
        assert_eq!(refunds(&operator), [U256::zero(); 3]);
    }
}

#[test]
fn validation_is_metered_from_its_hook_to_the_one_that_ends_it() {
    let halts = |before: usize, within: usize, after: usize| {
        let mut a = Assembler::new();
        let some_work = |a: &mut Assembler, count: usize| {
            for _ in 0..count {
                a.load(2, 1);
            }
        };
        some_work(&mut a, before);
        hook(&mut a, Hook::AccountValidationEntered);
        some_work(&mut a, within);
        hook(&mut a, Hook::ValidationExited);
        some_work(&mut a, after);
        hook(&mut a, Hook::AccountValidationEntered);
        some_work(&mut a, within);
        hook(&mut a, Hook::ValidationExited);
        hook(&mut a, Hook::TxHasEnded);
        let mut input = batch(&a);
        // Of each part: the additions, and the two and the write that make the hook at its end.
        input.system.validation_gas_limit = 2 * (10 * 6 + 6 + 6 + 13);
        let mut operator = operator(input, 1);
        let run = operator.run(RunMode::OneTransaction, &mut ()).unwrap();
        run.result == ExecutionResult::Halt(Halt::ValidationOutOfGas)
    };
    // Account and paymaster share what there is; what is done before and between is not counted.
    assert!(!halts(0, 10, 0));
    assert!(!halts(500, 10, 500));
    assert!(halts(0, 11, 0));
}

#[test]
fn state_diffs_leave_the_messengers_own_slots_out() {
    let mut messenger = Assembler::new();
    store(&mut messenger, 5);
    messenger.ret(Opcode::RetOk, 0);
    let mut a = Assembler::new();
    store(&mut a, 4);
    call(&mut a, 0x8008);
    hook(&mut a, Hook::PubdataRequested);
    a.ret(Opcode::RetOk, 0);
    let mut input = batch(&a);
    deploy(&mut input, 0x8008, &messenger);
    never_written(&mut input, L1_MESSENGER, 5.into());
    let closed = operator(input, 0).finish_batch(TARGET, &mut ()).unwrap();
    assert_eq!(closed.tip.result, ExecutionResult::Success(Vec::new()));
    let changed: Vec<H160> = closed.storage_changes.iter().map(|it| it.key.address).collect();
    assert_eq!(changed, [BOOTLOADER, L1_MESSENGER]);
    let published: Vec<_> = closed
        .state_diffs
        .iter()
        .map(|diff| (diff.address, diff.key))
        .collect();
    assert_eq!(published, [(BOOTLOADER, U256::from(4))]);
}

#[test]
fn code_is_compressed_for_l2_transactions_while_it_is_not_known() {
    let code = vec![0; 32];
    let hash = hash_bytecode(&code).unwrap();
    let mut known_codes = Assembler::new();
    store(&mut known_codes, hash);
    known_codes.ret(Opcode::RetOk, 0);
    let mut a = Assembler::new();
    call(&mut a, 0x8004);
    hook(&mut a, Hook::TxHasEnded);
    let mut input = batch(&a);
    deploy(&mut input, 0x8004, &known_codes);
    never_written(&mut input, KNOWN_CODES_STORAGE, hash);
    let l2 = Transaction {
        factory_deps: vec![code],
        ..input.blocks[0].transactions[0].clone()
    };
    let l1 = Transaction {
        tx_type: tx_type::PRIORITY,
        ..l2.clone()
    };
    let mut operator = operator(input, 1);
    let compressed = |operator: &mut OperatorVm<_>, transaction, with_compression| {
        let pushed = operator
            .push_transaction(transaction, with_compression, &mut ())
            .unwrap();
        pushed.compressed.len()
    };
    assert_eq!(compressed(&mut operator, &l2, true), 1);
    assert_eq!(compressed(&mut operator, &l2, false), 0);
    assert_eq!(compressed(&mut operator, &l1, true), 0);
    // The first transaction makes it known; when it is taken back, it is not known any more.
    operator.make_snapshot(&mut ());
    operator.run(RunMode::OneTransaction, &mut ()).unwrap();
    assert_eq!(compressed(&mut operator, &l2, true), 0);
    operator.roll_back(&mut ());
    assert_eq!(compressed(&mut operator, &l2, true), 1);
}
