//! Places where releases of the official VMs differ, or have differed: what `zk_evm` 0.153.8 does in each.
//!
//! The list: `matter-labs/vm2` `crates/vm2/src/tests/divergence_regressions.rs`. Others of it stand with their family.

use eradbg_fixtures::Assembler;
use eradbg_fixtures::abi::{FarCallAbi, Forward, ret_abi, slice};
use eradbg_fixtures::assembler::{In, Out, op};
use eradbg_vm::outcome::PanicCause;
use eradbg_vm::{FatPointer, Opcode, U256, Value};

use crate::lab::{Lab, USER, caller, integer, only};

const CALLEE: u64 = 0x2_0000;
const KERNEL: u64 = 0x9000;
const ERGS: u32 = 100_000;

fn abi() -> FarCallAbi {
    FarCallAbi {
        calldata: slice(0, 64),
        ergs: ERGS,
        ..FarCallAbi::default()
    }
}

/// Calls an address with an ABI word and goes on behind the call, whatever came of it.
fn push_call(a: &mut Assembler, address: u64, abi: FarCallAbi) {
    let after = a.label();
    a.load(1, abi.to_word()).load(2, address);
    a.far_call(1, 2, after);
    a.place(after);
}

/// Packs an ABI word for the pointer in r1 on it; r2 and r3 are lost.
fn push_forwarding(a: &mut Assembler, word: U256) {
    a.load(3, word);
    a.push(op(Opcode::PtrPack).src0(In::Reg(1)).src1(3).dst0(Out::Reg(1)));
}

#[test]
fn a_second_output_that_an_instruction_does_not_write_stays() {
    let mut a = Assembler::new();
    a.load(2, 9).load(3, 1);
    a.push(op(Opcode::Add).src0(In::Reg(3)).src1(3).dst0(Out::Reg(4)).dst1(2));
    a.push(op(Opcode::HeapRead).src0(In::Reg(3)).dst0(Out::Reg(5)).dst1(2));
    let execution = Lab::new().run_all(&a);
    assert_eq!(
        (execution.register(2), execution.register(4)),
        (integer(9), integer(2))
    );
}

#[test]
fn a_read_that_panics_writes_neither_output() {
    let mut a = Assembler::new();
    let (near, handler) = (a.label(), a.label());
    a.load(3, 7).load(4, 8).load(5, U256::MAX);
    a.near_call(0, near, handler);
    a.place(near);
    a.push(
        op(Opcode::StaticRead)
            .src0(In::Reg(5))
            .dst0(Out::Reg(3))
            .dst1(4)
            .flag0(),
    );
    a.place(handler);
    a.ret(Opcode::RetOk, 0);
    let outcome = Lab::new().contract(KERNEL, &a).run(&caller(KERNEL, abi()));
    assert_eq!(outcome.trace.panics, [PanicCause::HeapOffsetTooLarge]);
    let execution = outcome.first().1;
    assert_eq!(
        (execution.register(3), execution.register(4)),
        (integer(7), integer(8))
    );
}

#[test]
fn an_explicit_panic_does_not_look_at_its_operand() {
    for word in [
        ret_abi(Forward::Heap, slice(u32::MAX, 1)),
        ret_abi(Forward::AuxHeap, slice(0, 10_000)),
        ret_abi(Forward::Pointer, slice(0, 0)),
    ] {
        let mut a = Assembler::new();
        a.load(3, word);
        a.ret(Opcode::RetPanic, 3);
        let outcome = Lab::new().run_user(&a, ERGS);
        let (end, _) = outcome.first();
        assert_eq!(
            (end.cause, end.ergs_returned),
            (Some(PanicCause::Explicit), ERGS - 6 - 5)
        );
    }
}

#[test]
fn free_memory_comes_with_the_hash_in_storage_when_the_default_account_runs() {
    for (version, free) in [(1, 4096), (2, 57_344)] {
        let (mut lab, account) = Lab::new().code(&only(Opcode::RetOk));
        lab.settings.default_account = account;
        let under_construction = U256([1, 2, 3, (version << 24 | 0x01_0001) << 32]);
        let lab = lab.code_hash(CALLEE, under_construction);
        let mut root = Assembler::new();
        let after = root.label();
        root.load(1, abi().to_word()).load(2, CALLEE);
        root.push(op(Opcode::FarCall).src0(In::Reg(1)).src1(2).target(after).flag0());
        root.place(after);
        let execution = lab.run_steps(&root, 3).vm.execution;
        let frame = execution.frame();
        assert_eq!(frame.program.hash(), account);
        assert_eq!((frame.heap_bound, frame.aux_heap_bound), (free, free));
        // It is no emulator, so it is static and is told nothing.
        assert_eq!((frame.is_static, execution.register(2)), (true, integer(0)));
    }
}

#[test]
fn an_emulator_below_a_static_frame_is_told_and_is_not_static() {
    let (mut lab, emulator) = Lab::new().code(&only(Opcode::RetOk));
    lab.settings.evm_emulator = emulator;
    let mut user = Assembler::new();
    push_call(&mut user, CALLEE, abi());
    user.ret(Opcode::RetOk, 0);
    let mut root = Assembler::new();
    let after = root.label();
    root.load(1, abi().to_word()).load(2, USER);
    root.push(op(Opcode::FarCall).src0(In::Reg(1)).src1(2).target(after).flag0());
    root.place(after);
    root.ret(Opcode::RetOk, 0);
    let lab = lab.contract(USER, &user);
    let outcome = lab
        .code_hash(CALLEE, U256([1, 2, 3, 0x0200_0005 << 32]))
        .run(&root);
    let entered = &outcome.trace.entered[1];
    assert_eq!(
        (entered.frame().is_static, entered.register(2)),
        (false, integer(4))
    );
}

#[test]
fn returndata_of_a_failed_call_reads_as_zero() {
    let mut a = Assembler::new();
    a.load(3, 7);
    push_call(&mut a, 0xa000, abi());
    a.push(
        op(Opcode::PointerRead)
            .src0(In::Reg(1))
            .dst0(Out::Reg(3))
            .dst1(4)
            .flag0(),
    );
    a.ret(Opcode::RetOk, 0);
    let outcome = Lab::new().run_user(&a, ERGS);
    let execution = outcome.last().1;
    assert_eq!(execution.register(3), integer(0));
    let moved = FatPointer {
        offset: 32,
        ..FatPointer::default()
    };
    assert_eq!(execution.register(4), Value::pointer(moved));
}

#[test]
fn every_read_that_increments_keeps_the_tag_of_its_address() {
    for opcode in [Opcode::HeapRead, Opcode::AuxHeapRead, Opcode::StaticRead] {
        let mut a = Assembler::new();
        push_call(&mut a, 0xa000, abi());
        a.push(op(opcode).src0(In::Reg(1)).dst0(Out::Reg(3)).dst1(4).flag0());
        a.ret(Opcode::RetOk, 0);
        let outcome = Lab::new().contract(KERNEL, &a).run(&caller(KERNEL, abi()));
        assert!(outcome.last().1.register(4).is_pointer, "{opcode:?}");
    }
}

#[test]
fn static_memory_is_no_heap_and_page_zero_of_a_precompile_is_the_own_heap() {
    let mut a = Assembler::new();
    a.load(4, 0x11).load(5, 0x22);
    a.push(op(Opcode::StaticWrite).src0(In::Imm(0)).src1(4));
    a.push(op(Opcode::HeapRead).src0(In::Imm(0)).dst0(Out::Reg(6)));
    a.push(op(Opcode::HeapWrite).src0(In::Imm(0)).src1(5));
    // Power of three words from index 0 on: 0x22 ^ 0 mod 0 is 0, to index 0.
    a.push(op(Opcode::Precompile).dst0(Out::Reg(7)));
    a.push(op(Opcode::HeapRead).src0(In::Imm(0)).dst0(Out::Reg(8)));
    a.push(op(Opcode::StaticRead).src0(In::Imm(0)).dst0(Out::Reg(9)));
    a.ret(Opcode::RetOk, 0);
    let outcome = Lab::new().contract(5, &a).run(&caller(5, abi()));
    let seen = (6..10).map(|register| outcome.first().1.register(register));
    assert_eq!(seen.collect::<Vec<_>>(), [0, 1, 0, 0x11].map(integer));
}

#[test]
fn code_that_is_decommitted_leaves_the_heap_behind_it_as_it_was() {
    let (lab, hash) = Lab::new().code(&only(Opcode::RetOk));
    let mut a = Assembler::new();
    a.load(4, 5);
    for at in [0, 32] {
        a.push(op(Opcode::HeapWrite).src0(In::Imm(at)).src1(4));
    }
    a.load(1, hash).load(2, 1000);
    a.push(op(Opcode::Decommit).src0(In::Reg(1)).src1(2).dst0(Out::Reg(3)));
    a.push(op(Opcode::HeapRead).src0(In::Imm(0)).dst0(Out::Reg(4)));
    a.push(op(Opcode::HeapRead).src0(In::Imm(32)).dst0(Out::Reg(5)));
    a.ret(Opcode::RetOk, 0);
    let outcome = lab.contract(KERNEL, &a).run(&caller(KERNEL, abi()));
    let execution = outcome.first().1;
    assert_eq!(execution.register(4).word, only(Opcode::RetOk).words()[0]);
    assert_eq!(execution.register(5), integer(5));
}

#[test]
fn what_the_code_oracle_decommitted_can_be_read_after_the_frames_between_have_ended() {
    let (lab, hash) = Lab::new().code(&only(Opcode::RetOk));
    let mut oracle = Assembler::new();
    oracle.load(1, hash).load(2, 1000);
    oracle.push(op(Opcode::Decommit).src0(In::Reg(1)).src1(2).dst0(Out::Reg(1)));
    // All but one word is of no interest to the caller.
    oracle.load(2, (1 << 21) - 32);
    oracle.push(op(Opcode::PtrShrink).src0(In::Reg(1)).src1(2).dst0(Out::Reg(1)));
    push_forwarding(&mut oracle, ret_abi(Forward::Pointer, slice(0, 0)));
    oracle.ret(Opcode::RetOk, 1);
    let mut asks = Assembler::new();
    push_call(&mut asks, 0x8012, abi());
    asks.push(op(Opcode::PointerRead).src0(In::Reg(1)).dst0(Out::Reg(5)));
    asks.ret(Opcode::RetOk, 0);
    let mut root = Assembler::new();
    // The second time the code lies where the first frame of the oracle put it.
    push_call(&mut root, USER, abi());
    push_call(&mut root, CALLEE, abi());
    root.ret(Opcode::RetOk, 0);
    let lab = lab
        .contract(0x8012, &oracle)
        .contract(USER, &asks)
        .contract(CALLEE, &asks);
    let outcome = lab.run(&root);
    for (_, execution) in [&outcome.trace.left[1], &outcome.trace.left[3]] {
        assert_eq!(FatPointer::from_word(execution.register(1).word).page, 2058);
        assert_eq!(execution.register(5).word, only(Opcode::RetOk).words()[0]);
    }
}

#[test]
fn memory_of_a_living_frame_outlives_whoever_was_handed_it() {
    // The bootloader's heap goes down to a user and to the kernel, which returns it to the user.
    let mut kernel = Assembler::new();
    push_forwarding(&mut kernel, ret_abi(Forward::Pointer, slice(0, 0)));
    kernel.ret(Opcode::RetOk, 1);
    let mut user = Assembler::new();
    let after = user.label();
    let forwards = FarCallAbi {
        calldata: FatPointer::default(),
        ergs: 1000,
        forward: Forward::Pointer,
        ..FarCallAbi::default()
    };
    push_forwarding(&mut user, forwards.to_word());
    user.load(2, KERNEL);
    user.far_call(1, 2, after);
    user.place(after);
    user.push(op(Opcode::PointerRead).src0(In::Reg(1)).dst0(Out::Reg(5)));
    user.ret(Opcode::RetOk, 0);
    let mut root = Assembler::new();
    root.load(4, 77);
    root.push(op(Opcode::HeapWrite).src0(In::Imm(0)).src1(4));
    push_call(&mut root, USER, abi());
    root.push(op(Opcode::HeapRead).src0(In::Imm(0)).dst0(Out::Reg(6)));
    root.ret(Opcode::RetOk, 0);
    let outcome = Lab::new()
        .contract(KERNEL, &kernel)
        .contract(USER, &user)
        .run(&root);
    assert_eq!(outcome.trace.panics, []);
    assert_eq!(outcome.last().1.register(5), integer(77));
    assert_eq!(outcome.vm.execution.register(6), integer(77));
}

#[test]
fn a_call_into_another_shard_reads_no_code_hash() {
    let mut root = Assembler::new();
    let after = root.label();
    let elsewhere = FarCallAbi { shard: 1, ..abi() };
    root.load(1, elsewhere.to_word()).load(2, CALLEE);
    root.push(op(Opcode::FarCall).src0(In::Reg(1)).src1(2).target(after).flag1());
    root.place(after);
    root.ret(Opcode::RetOk, 0);
    let state = Lab::new()
        .contract(CALLEE, &only(Opcode::RetOk))
        .run(&root)
        .vm
        .state;
    assert!(state.read_storage_slots().is_empty() && state.pubdata_costs().is_empty());
    assert!(state.decommitted_hashes().is_empty());
}

#[test]
fn a_call_that_cannot_pay_its_growth_raises_the_bound_only_before_version_27() {
    for (raises, bound) in [(true, 200_000), (false, 4096)] {
        let mut a = Assembler::new();
        let (near, after) = (a.label(), a.label());
        a.near_call(0, near, after);
        a.place(after);
        a.ret(Opcode::RetOk, 0);
        a.place(near);
        let long = FarCallAbi {
            calldata: slice(100_000, 100_000),
            ..abi()
        };
        push_call(&mut a, CALLEE, long);
        a.ret(Opcode::RetOk, 0);
        let mut lab = Lab::new().contract(CALLEE, &only(Opcode::RetOk));
        lab.settings.unpaid_growth_raises_bound = raises;
        let outcome = lab.run_user(&a, ERGS);
        assert_eq!(
            outcome.trace.panics[..2],
            [PanicCause::CallUnpaidGrowth, PanicCause::OutOfErgs]
        );
        assert_eq!(outcome.last().1.frame().heap_bound, bound);
    }
}

#[test]
fn precompile_output_that_no_byte_address_reaches_is_dropped() {
    // zk_evm has such words, and only precompiles and the last bytes of a fat pointer could read them back.
    let mut a = Assembler::new();
    a.load(1, U256([0, 1 << 27, 0, 0]));
    a.push(op(Opcode::Precompile).src0(In::Reg(1)).dst0(Out::Reg(3)));
    a.ret(Opcode::RetOk, 0);
    let outcome = Lab::new().contract(0x8010, &a).run(&caller(0x8010, abi()));
    let execution = outcome.first().1;
    assert_eq!(execution.register(3), integer(1));
    let heap = execution.heaps().get(2050).expect("a frame has a heap");
    assert_eq!(heap.pages().pages().count(), 0);
}
