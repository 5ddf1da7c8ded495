//! What only kernel code can do: context values, transactions, logs, code as data, precompiles.

use eradbg_fixtures::Assembler;
use eradbg_fixtures::abi::{FarCallAbi, Forward, ret_abi, slice};
use eradbg_fixtures::assembler::{In, Out, op};
use eradbg_vm::events::{L2ToL1Log, RawEvent};
use eradbg_vm::keccak::keccak256;
use eradbg_vm::outcome::{PanicCause, RetKind};
use eradbg_vm::storage::system_address;
use eradbg_vm::{FatPointer, Opcode, U256, Value};

use crate::lab::{Lab, Outcome, caller, integer, only, user_slot};

const KERNEL: u64 = 0x9000;
const ERGS: u32 = 10_000;

/// Runs a program as a kernel contract.
fn run(lab: Lab, address: u64, program: &Assembler) -> Outcome {
    let abi = FarCallAbi {
        ergs: ERGS,
        ..FarCallAbi::default()
    };
    lab.contract(address, program).run(&caller(address, abi))
}

#[test]
fn the_context_value_goes_to_the_next_far_call_only() {
    let mut root = Assembler::new();
    root.load(1, (U256::one() << 128) + 77);
    root.push(op(Opcode::ContextSetU128).src0(In::Reg(1)));
    for _ in 0..2 {
        let after = root.label();
        root.load(1, U256([0, 0, 0, 1000])).load(2, KERNEL);
        root.far_call(1, 2, after);
        root.place(after);
    }
    root.ret(Opcode::RetOk, 0);
    let outcome = Lab::new().contract(KERNEL, &only(Opcode::RetOk)).run(&root);
    let values: Vec<u128> = outcome
        .trace
        .entered
        .iter()
        .map(|entered| entered.frame().context)
        .collect();
    assert_eq!(values, [77, 0]);
}

#[test]
fn the_next_transaction_has_the_next_number_and_empty_transient_storage() {
    let mut root = Assembler::new();
    root.load(1, 5);
    root.push(op(Opcode::TransientWrite).src0(In::Reg(1)).src1(1));
    root.push(op(Opcode::TransientRead).src0(In::Reg(1)).dst0(Out::Reg(2)));
    root.push(op(Opcode::ContextIncrementTx));
    root.push(op(Opcode::TransientRead).src0(In::Reg(1)).dst0(Out::Reg(3)));
    let execution = Lab::new().run_all(&root);
    assert_eq!(
        (execution.register(2), execution.register(3)),
        (integer(5), integer(0))
    );
    assert_eq!(execution.tx_number(), 1);
}

#[test]
fn a_failed_frame_that_started_the_next_transaction_gives_transient_storage_back_and_not_the_number() {
    let mut root = Assembler::new();
    let (near, after) = (root.label(), root.label());
    root.load(1, 5);
    root.push(op(Opcode::TransientWrite).src0(In::Reg(1)).src1(1));
    root.near_call(0, near, after);
    root.place(near);
    root.push(op(Opcode::ContextIncrementTx));
    root.push(op(Opcode::TransientRead).src0(In::Reg(1)).dst0(Out::Reg(2)));
    root.push(op(Opcode::RetRevert));
    root.place(after);
    root.push(op(Opcode::TransientRead).src0(In::Reg(1)).dst0(Out::Reg(3)));
    root.ret(Opcode::RetOk, 0);
    let execution = Lab::new().run_steps(&root, 7).vm.execution;
    assert_eq!(
        (execution.register(2), execution.register(3)),
        (integer(0), integer(5))
    );
    assert_eq!(execution.tx_number(), 1);
}

#[test]
fn the_reserved_operation_changes_nothing() {
    let mut a = Assembler::new();
    a.push(op(Opcode::ContextAuxMutating0).src0(In::Reg(1)));
    let before = Lab::new().machine(&a);
    let after = Lab::new().run_all(&a);
    assert_eq!(after.registers(), before.execution.registers());
    assert_eq!((after.frame().pc, after.frame().ergs), (1, u32::MAX - 5));
}

#[test]
fn logs_and_events_carry_address_transaction_and_mark() {
    let mut a = Assembler::new();
    a.load(1, 5).load(2, 6);
    a.push(op(Opcode::ContextIncrementTx));
    a.push(op(Opcode::ToL1).src0(In::Reg(1)).src1(2).flag0());
    a.push(op(Opcode::ToL1).src0(In::Reg(2)).src1(1));
    a.push(op(Opcode::Event).src0(In::Reg(1)).src1(2).flag0());
    a.push(op(Opcode::Event).src0(In::Reg(2)).src1(1));
    a.ret(Opcode::RetOk, 0);
    let state = run(Lab::new(), KERNEL, &a).vm.state;
    let log = |is_service, key: u64, value: u64| L2ToL1Log {
        shard_id: 0,
        is_service,
        tx_number: 1,
        address: system_address(0x9000),
        key: key.into(),
        value: value.into(),
    };
    assert_eq!(state.l2_to_l1_logs(), [log(true, 5, 6), log(false, 6, 5)]);
    let event = |is_first, key: u64, value: u64| RawEvent {
        shard_id: 0,
        is_first,
        tx_number: 1,
        address: system_address(0x9000),
        key: key.into(),
        value: value.into(),
    };
    assert_eq!(state.events(), [event(true, 5, 6), event(false, 6, 5)]);
    assert_eq!(state.pubdata(), 0);
}

#[test]
fn the_kernel_sees_the_pubdata_counter_and_users_do_not() {
    let mut a = Assembler::new();
    a.load(1, 1);
    a.push(op(Opcode::StorageWrite).src0(In::Reg(1)).src1(1));
    a.push(op(Opcode::ContextMeta).dst0(Out::Reg(3)));
    a.ret(Opcode::RetOk, 0);
    let kernel = run(Lab::new(), KERNEL, &a);
    assert_eq!(kernel.first().1.register(3).word.low_u32(), 34);
    let user = Lab::new().run_user(&a, ERGS);
    assert_eq!(user.first().1.register(3).word.low_u32(), 0);
}

/// Asks for code twice with 1000 ergs; r3 and r5: pointers, r4 and r6: ergs after each.
fn decommit_twice(hash: U256) -> Assembler {
    let mut a = Assembler::new();
    a.load(1, hash).load(2, 1000);
    for pointer in [3, 5] {
        a.push(
            op(Opcode::Decommit)
                .src0(In::Reg(1))
                .src1(2)
                .dst0(Out::Reg(pointer)),
        );
        a.push(op(Opcode::ContextErgsLeft).dst0(Out::Reg(pointer + 1)));
    }
    a.push(op(Opcode::PointerRead).src0(In::Reg(3)).dst0(Out::Reg(7)));
    a.ret(Opcode::RetOk, 0);
    a
}

#[test]
fn code_is_decommitted_to_the_heap_and_paid_for_once() {
    let (lab, hash) = Lab::new().code(&only(Opcode::RetOk));
    let outcome = run(lab, KERNEL, &decommit_twice(hash));
    let execution = outcome.first().1;
    let pointer = FatPointer {
        page: 2050,
        length: 1 << 21,
        ..FatPointer::default()
    };
    assert_eq!(execution.register(3), Value::pointer(pointer));
    assert_eq!(execution.register(5), Value::pointer(pointer));
    let first = ERGS - 12 - 6 - 1000 - 5;
    assert_eq!(execution.register(4), integer(first.into()));
    assert_eq!(execution.register(6), integer((first - 6 - 5).into()));
    assert_eq!(execution.register(7).word, only(Opcode::RetOk).words()[0]);
    assert_eq!(outcome.vm.state.decommitted_hashes()[&hash], Some(2050));
}

#[test]
fn code_that_ran_is_read_where_it_lies() {
    let lab = Lab::new().contract(0x5000, &only(Opcode::RetOk));
    let (lab, hash) = lab.code(&only(Opcode::RetOk));
    let mut a = Assembler::new();
    let after = a.label();
    a.load(1, U256([0, 0, 0, 1000])).load(2, 0x5000);
    a.far_call(1, 2, after);
    a.place(after);
    a.load(1, hash).load(2, 1000);
    a.push(op(Opcode::Decommit).src0(In::Reg(1)).src1(2).dst0(Out::Reg(3)));
    a.push(op(Opcode::PointerRead).src0(In::Reg(3)).dst0(Out::Reg(4)));
    a.ret(Opcode::RetOk, 0);
    let outcome = run(lab, KERNEL, &a);
    let execution = outcome.last().1;
    assert_eq!(FatPointer::from_word(execution.register(3).word).page, 2056);
    assert_eq!(execution.register(4).word, only(Opcode::RetOk).words()[0]);
}

#[test]
fn code_that_was_decommitted_to_a_heap_runs_there_as_it_is_now() {
    for (overwrites, kind) in [(false, RetKind::Ok), (true, RetKind::Revert)] {
        let lab = Lab::new().contract(0x2_0000, &only(Opcode::RetOk));
        let (lab, hash) = lab.code(&only(Opcode::RetOk));
        let mut a = Assembler::new();
        let after = a.label();
        a.load(1, hash).load(2, 1000);
        a.push(op(Opcode::Decommit).src0(In::Reg(1)).src1(2).dst0(Out::Reg(3)));
        if overwrites {
            a.load(1, only(Opcode::RetRevert).words()[0]);
            a.push(op(Opcode::HeapWrite).src0(In::Imm(0)).src1(1));
        }
        a.load(1, U256([0, 0, 0, 1000])).load(2, 0x2_0000);
        a.far_call(1, 2, after);
        a.place(after);
        a.ret(Opcode::RetOk, 0);
        let outcome = run(lab, KERNEL, &a);
        assert_eq!(outcome.trace.entered[1].frame().code_page, 2050);
        assert_eq!(outcome.first().0.kind, kind);
    }
}

#[test]
fn code_on_a_heap_goes_on_behind_its_own_words() {
    let mut reads_behind = Assembler::new();
    reads_behind.copy(In::Code(0, 3), Out::Reg(5));
    reads_behind.ret(Opcode::RetOk, 0);
    assert_eq!(reads_behind.words().len(), 1);
    let lab = Lab::new().contract(0x2_0000, &reads_behind);
    let (lab, hash) = lab.code(&reads_behind);
    let mut a = Assembler::new();
    let after = a.label();
    a.load(1, hash).load(2, 1000);
    a.push(op(Opcode::Decommit).src0(In::Reg(1)).src1(2).dst0(Out::Reg(3)));
    a.load(1, 77);
    a.push(op(Opcode::HeapWrite).src0(In::Imm(3 * 32)).src1(1));
    a.load(1, U256([0, 0, 0, 1000])).load(2, 0x2_0000);
    a.far_call(1, 2, after);
    a.place(after);
    a.ret(Opcode::RetOk, 0);
    assert_eq!(run(lab, KERNEL, &a).first().1.register(5), integer(77));
}

#[test]
fn code_is_gone_when_the_heap_that_it_was_decommitted_to_has_died() {
    // The code oracle's memories live forever, and so does the code on them.
    for (oracle, cause) in [(KERNEL, Some(PanicCause::InvalidOpcode)), (0x8012, None)] {
        let lab = Lab::new().contract(0x2_0000, &only(Opcode::RetOk));
        let (lab, hash) = lab.code(&only(Opcode::RetOk));
        let mut decommits = Assembler::new();
        decommits.load(1, hash).load(2, 1000);
        decommits.push(op(Opcode::Decommit).src0(In::Reg(1)).src1(2).dst0(Out::Reg(3)));
        // A returned memory lives on, even for an empty slice of it.
        decommits.load(1, ret_abi(Forward::AuxHeap, slice(0, 0)));
        decommits.ret(Opcode::RetOk, 1);
        let mut root = Assembler::new();
        for address in [oracle, 0x2_0000] {
            let after = root.label();
            root.load(1, U256([0, 0, 0, 5000])).load(2, address);
            root.far_call(1, 2, after);
            root.place(after);
        }
        root.ret(Opcode::RetOk, 0);
        let outcome = lab.contract(oracle, &decommits).run(&root);
        let entered = outcome.trace.entered[1].frame();
        assert_eq!((entered.code_page, entered.ergs), (2050, 5000));
        assert_eq!(outcome.last().0.cause, cause);
    }
}

#[test]
fn a_decommit_without_ergs_or_with_no_hash_gives_zero() {
    let (lab, hash) = Lab::new().code(&only(Opcode::RetOk));
    for (word, extra, left) in [(hash, ERGS, 0), (U256::one(), 1000, ERGS - 18 - 1000)] {
        let mut a = Assembler::new();
        a.load(1, word).load(2, extra);
        a.push(op(Opcode::Decommit).src0(In::Reg(1)).src1(2).dst0(Out::Reg(1)));
        let mut root = caller(
            KERNEL,
            FarCallAbi {
                ergs: ERGS,
                ..FarCallAbi::default()
            },
        );
        root.load(1, 0);
        let outcome = lab.clone().contract(KERNEL, &a).run_steps(&root, 6);
        let execution = outcome.vm.execution;
        assert_eq!(
            (execution.register(1), execution.frame().ergs),
            (Value::ZERO, left)
        );
        assert_eq!(execution.pending_panic(), None);
    }
}

/// Calls the precompile of an address on four zero bytes, output to word 4.
fn precompile(address: u64, extra: u64) -> Outcome {
    let mut a = Assembler::new();
    a.load(1, U256([4 << 32, 4, 0, 0])).load(2, extra);
    a.push(op(Opcode::Precompile).src0(In::Reg(1)).src1(2).dst0(Out::Reg(3)));
    a.push(op(Opcode::HeapRead).src0(In::Imm(128)).dst0(Out::Reg(4)));
    a.push(op(Opcode::ContextErgsLeft).dst0(Out::Reg(5)));
    a.ret(Opcode::RetOk, 0);
    run(Lab::new(), address, &a)
}

#[test]
fn a_precompile_call_takes_ergs_writes_its_output_and_declares_pubdata() {
    let outcome = precompile(0x8010, 90 + (7 << 32));
    let execution = outcome.first().1;
    assert_eq!(execution.register(3), integer(1));
    assert_eq!(
        execution.register(4).word,
        U256::from_big_endian(keccak256(&[0; 4]).as_bytes())
    );
    assert_eq!(
        execution.register(5),
        integer((ERGS - 12 - 6 - 90 - 7 - 5).into())
    );
    assert_eq!(outcome.vm.state.pubdata(), 7);
    // It is no cost of a storage access.
    assert_eq!(outcome.vm.state.pubdata_costs(), [0]);
}

#[test]
fn a_precompile_writes_to_any_page_even_of_a_frame_to_come() {
    let mut reads = Assembler::new();
    reads.push(op(Opcode::HeapRead).src0(In::Imm(32)).dst0(Out::Reg(3)));
    reads.push(op(Opcode::AuxHeapRead).src0(In::Imm(64)).dst0(Out::Reg(4)));
    reads.ret(Opcode::RetOk, 0);
    let mut a = Assembler::new();
    let after = a.label();
    for (page, word) in [(2058, 1), (2059, 2)] {
        a.load(1, U256([0, word, page << 32, 0]));
        a.push(op(Opcode::Precompile).src0(In::Reg(1)).dst0(Out::Reg(3)));
    }
    a.load(1, U256([0, 0, 0, 1000])).load(2, 0x2_0000);
    a.far_call(1, 2, after);
    a.place(after);
    a.ret(Opcode::RetOk, 0);
    let outcome = run(Lab::new().contract(0x2_0000, &reads), 0x8010, &a);
    let of_nothing = Value::integer(U256::from_big_endian(keccak256(&[]).as_bytes()));
    let callee = outcome.first().1;
    assert_eq!(callee.frame().base_page, 2056);
    assert_eq!((callee.register(3), callee.register(4)), (of_nothing, of_nothing));
}

#[test]
fn an_unknown_precompile_takes_its_ergs_and_succeeds() {
    let outcome = precompile(KERNEL, 90);
    let execution = outcome.first().1;
    assert_eq!(
        (execution.register(3), execution.register(4)),
        (integer(1), integer(0))
    );
    assert_eq!(
        execution.register(5),
        integer((ERGS - 12 - 6 - 90 - 7 - 5).into())
    );
}

#[test]
fn a_precompile_call_beyond_its_means_takes_all_and_gives_zero() {
    let mut a = Assembler::new();
    a.load(2, u64::from(ERGS) | 7 << 32);
    a.push(op(Opcode::Precompile).src0(In::Reg(1)).src1(2).dst0(Out::Reg(2)));
    let root = caller(
        0x8010,
        FarCallAbi {
            ergs: ERGS,
            ..FarCallAbi::default()
        },
    );
    let outcome = Lab::new().contract(0x8010, &a).run_steps(&root, 5);
    let execution = outcome.vm.execution;
    assert_eq!((execution.register(2), execution.frame().ergs), (Value::ZERO, 0));
    assert_eq!((execution.pending_panic(), outcome.vm.state.pubdata()), (None, 0));
}

#[test]
fn precompiles_on_curves_need_version_28() {
    for (exists, result) in [(true, 1), (false, 0)] {
        let mut lab = Lab::new();
        lab.settings.ec_precompiles = exists;
        let mut a = Assembler::new();
        // 0 ^ 0 mod 5 is 1.
        a.load(1, 5);
        a.push(op(Opcode::HeapWrite).src0(In::Imm(64)).src1(1));
        a.load(1, U256([3 << 32, 4 | 1 << 32, 0, 0]));
        a.push(op(Opcode::Precompile).src0(In::Reg(1)).dst0(Out::Reg(3)));
        a.push(op(Opcode::HeapRead).src0(In::Imm(128)).dst0(Out::Reg(4)));
        a.ret(Opcode::RetOk, 0);
        let outcome = run(lab, 0x05, &a);
        assert_eq!(outcome.first().1.register(4), integer(result));
    }
}

#[test]
fn the_kernel_writes_to_its_own_slots() {
    let outcome = run(Lab::new(), KERNEL, &{
        let mut a = Assembler::new();
        a.load(1, 1);
        a.push(op(Opcode::StorageWrite).src0(In::Reg(1)).src1(1));
        a.ret(Opcode::RetOk, 0);
        a
    });
    let slots: Vec<_> = outcome.vm.state.storage_changes().into_keys().collect();
    assert_eq!(slots.len(), 1);
    assert_ne!(slots[0], user_slot(1));
    assert_eq!(slots[0].address, system_address(0x9000));
}
