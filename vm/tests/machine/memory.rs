//! Heaps: bytes, growth and its price, increments, static memory.

use eradbg_fixtures::Assembler;
use eradbg_fixtures::abi::{FarCallAbi, slice};
use eradbg_fixtures::assembler::{In, Out, op};
use eradbg_vm::execution::Settings;
use eradbg_vm::outcome::PanicCause;
use eradbg_vm::{Opcode, U256, Value};

use crate::lab::{Lab, Outcome, USER, caller, integer};

const ERGS: u32 = 100_000;

/// Runs one access at an offset as a user contract.
fn access(lab: &Lab, opcode: Opcode, offset: impl Into<U256>, ergs: u32) -> Outcome {
    let mut a = Assembler::new();
    a.load(2, offset);
    a.push(op(opcode).src0(In::Reg(2)).src1(2).dst0(Out::Reg(3)));
    a.ret(Opcode::RetOk, 0);
    lab.run_user(&a, ergs)
}

#[test]
fn words_are_big_endian_and_need_no_alignment() {
    let mut a = Assembler::new();
    a.load(1, U256::from(0xabcd) << 240);
    a.push(op(Opcode::HeapWrite).src0(In::Imm(31)).src1(1));
    a.push(op(Opcode::HeapRead).src0(In::Imm(0)).dst0(Out::Reg(2)));
    a.push(op(Opcode::HeapRead).src0(In::Imm(32)).dst0(Out::Reg(3)));
    a.push(op(Opcode::AuxHeapRead).src0(In::Imm(31)).dst0(Out::Reg(4)));
    let execution = Lab::new().run_all(&a);
    assert_eq!(execution.register(2).word, 0xab.into());
    assert_eq!(execution.register(3).word, U256::from(0xcd) << 248);
    assert_eq!(execution.register(4), integer(0));
}

#[test]
fn increments_move_the_address_on() {
    let mut a = Assembler::new();
    a.load(2, (U256::one() << 64) + 5);
    a.load(3, 100);
    a.push(
        op(Opcode::HeapRead)
            .src0(In::Reg(3))
            .dst0(Out::Reg(4))
            .dst1(5)
            .flag0(),
    );
    a.push(
        op(Opcode::HeapWrite)
            .src0(In::Reg(3))
            .src1(2)
            .dst0(Out::Reg(6))
            .flag0(),
    );
    a.push(
        op(Opcode::HeapWrite)
            .src0(In::Imm(7))
            .src1(2)
            .dst0(Out::Reg(7))
            .flag0(),
    );
    let execution = Lab::new().run_all(&a);
    assert_eq!(execution.register(5), integer(132));
    assert_eq!(execution.register(6), integer(132));
    assert_eq!(execution.register(7), integer(39));
}

#[test]
fn growth_costs_one_erg_a_byte_beyond_what_is_free() {
    for (opcode, price) in [
        (Opcode::HeapRead, 7),
        (Opcode::HeapWrite, 13),
        (Opcode::AuxHeapRead, 7),
        (Opcode::AuxHeapWrite, 13),
    ] {
        for (offset, growth) in [(0u64, 0), (4064, 0), (4065, 1), (5000, 936)] {
            let outcome = access(&Lab::new(), opcode, offset, ERGS);
            let (end, execution) = outcome.first();
            assert_eq!(
                end.ergs_returned,
                ERGS - 6 - price - growth - 5,
                "{opcode:?} at {offset}"
            );
            let frame = execution.frame();
            let bounds = (frame.heap_bound, frame.aux_heap_bound);
            let grown = 4096 + growth;
            let is_heap = matches!(opcode, Opcode::HeapRead | Opcode::HeapWrite);
            assert_eq!(bounds, if is_heap { (grown, 4096) } else { (4096, grown) });
        }
    }
}

#[test]
fn growth_is_paid_once() {
    let mut a = Assembler::new();
    a.push(op(Opcode::HeapRead).src0(In::Imm(5000)).dst0(Out::Reg(3)));
    a.push(op(Opcode::HeapRead).src0(In::Imm(5000)).dst0(Out::Reg(3)));
    a.ret(Opcode::RetOk, 0);
    let outcome = Lab::new().run_user(&a, ERGS);
    assert_eq!(outcome.first().0.ergs_returned, ERGS - 7 - 936 - 7 - 5);
}

#[test]
fn the_last_offset_is_two_to_the_32_less_33() {
    for (offset, cause) in [
        (U256::from(u32::MAX - 32), PanicCause::UnpaidGrowth),
        (U256::from(u32::MAX - 31), PanicCause::HeapOffsetTooLarge),
        (U256::one() << 128, PanicCause::HeapOffsetTooLarge),
    ] {
        let outcome = access(&Lab::new(), Opcode::HeapRead, offset, ERGS);
        let (end, _) = outcome.first();
        assert_eq!(
            (end.cause, end.ergs_returned),
            (Some(cause), 0),
            "offset {offset:#x}"
        );
    }
}

#[test]
fn the_last_bytes_of_memory_are_written_read_and_handed_over() {
    let last = u32::MAX - 32;
    let mut callee = Assembler::new();
    callee.push(op(Opcode::PointerRead).src0(In::Reg(1)).dst0(Out::Reg(3)));
    callee.ret(Opcode::RetOk, 0);
    let mut root = Assembler::new();
    let after = root.label();
    root.load(1, U256::MAX - 5).load(2, last).load(3, last - 16);
    for (write, read, found) in [
        (Opcode::HeapWrite, Opcode::HeapRead, 6),
        (Opcode::AuxHeapWrite, Opcode::AuxHeapRead, 8),
    ] {
        root.push(op(write).src0(In::Reg(2)).src1(1));
        root.push(op(read).src0(In::Reg(2)).dst0(Out::Reg(found)));
        // Half of it, behind as much that was never written.
        root.push(op(read).src0(In::Reg(3)).dst0(Out::Reg(found + 1)));
    }
    for register in 6..10 {
        root.copy(In::Reg(register), Out::Absolute(0, u16::from(register)));
    }
    let abi = FarCallAbi {
        calldata: slice(last, 32),
        ergs: ERGS,
        ..FarCallAbi::default()
    };
    root.load(1, abi.to_word()).load(2, USER);
    root.far_call(1, 2, after);
    root.place(after);
    root.ret(Opcode::RetOk, 0);
    let outcome = Lab::new().contract(USER, &callee).run(&root);
    let (_, execution) = outcome.first();
    assert_eq!(execution.register(3), Value::integer(U256::MAX - 5));
    let half = U256::MAX >> 128;
    let stack = &execution.callers().last().unwrap().stack;
    let read = [6, 7, 8, 9].map(|slot| stack.read(slot).word);
    assert_eq!(read, [U256::MAX - 5, half, U256::MAX - 5, half]);
    assert_eq!(outcome.trace.panics, []);
}

#[test]
fn unpaid_growth_takes_all_ergs_and_raises_the_bound_only_before_version_27() {
    for raises in [false, true] {
        let mut lab = Lab::new();
        lab.settings = Settings {
            unpaid_growth_raises_bound: raises,
            ..lab.settings
        };
        // 100 ergs of growth are missing one.
        let outcome = access(&lab, Opcode::HeapWrite, 4064 + 100u64, 6 + 13 + 99);
        let (end, execution) = outcome.first();
        assert_eq!(
            (end.cause, end.ergs_returned),
            (Some(PanicCause::UnpaidGrowth), 0)
        );
        assert_eq!(execution.frame().heap_bound, if raises { 4196 } else { 4096 });
    }
}

#[test]
fn calldata_whose_growth_is_not_paid_raises_the_callers_bound_only_before_version_27() {
    for (raises, bound) in [(false, 4096), (true, 9096)] {
        let mut lab = Lab::new();
        lab.settings.unpaid_growth_raises_bound = raises;
        let abi = FarCallAbi {
            calldata: slice(0, 9096),
            ..FarCallAbi::default()
        };
        let outcome = lab.run_user(&caller(USER, abi), 1000);
        assert_eq!(outcome.trace.panics[0], PanicCause::CallUnpaidGrowth);
        let (_, execution) = outcome.first();
        let calling = execution.callers().last().unwrap();
        assert_eq!((calling.heap_bound, calling.ergs), (bound, 0));
    }
}

#[test]
fn static_memory_out_of_range_burns_ergs_only_before_version_27() {
    for burns in [false, true] {
        let mut lab = Lab::new();
        lab.settings.unpaid_growth_raises_bound = burns;
        let mut a = Assembler::new();
        a.load(2, U256::MAX);
        a.push(op(Opcode::StaticRead).src0(In::Reg(2)).dst0(Out::Reg(3)));
        let abi = FarCallAbi {
            ergs: ERGS,
            ..FarCallAbi::default()
        };
        let outcome = lab.contract(0x9000, &a).run(&caller(0x9000, abi));
        let (end, _) = outcome.first();
        let left = if burns { 0 } else { ERGS - 6 - 7 - 5 };
        assert_eq!(
            (end.cause, end.ergs_returned),
            (Some(PanicCause::HeapOffsetTooLarge), left)
        );
    }
}

#[test]
fn a_near_frame_hands_its_growth_back() {
    let mut a = Assembler::new();
    let (grow, after) = (a.label(), a.label());
    a.near_call(0, grow, after);
    a.place(after);
    a.push(op(Opcode::HeapRead).src0(In::Imm(5000)).dst0(Out::Reg(3)));
    a.ret(Opcode::RetOk, 0);
    a.place(grow);
    a.push(op(Opcode::HeapRead).src0(In::Imm(5000)).dst0(Out::Reg(3)));
    a.ret(Opcode::RetPanic, 0);
    let outcome = Lab::new().run_user(&a, ERGS);
    assert_eq!(outcome.last().0.ergs_returned, ERGS - 25 - 7 - 936 - 5 - 7 - 5);
}

#[test]
fn kernel_frames_have_two_megabytes_free_and_the_bootloader_all() {
    let mut a = Assembler::new();
    a.load(2, (1 << 21) - 31);
    a.push(op(Opcode::HeapRead).src0(In::Reg(2)).dst0(Out::Reg(3)));
    a.ret(Opcode::RetOk, 0);
    let abi = FarCallAbi {
        ergs: ERGS,
        ..FarCallAbi::default()
    };
    let outcome = Lab::new().contract(0x9000, &a).run(&caller(0x9000, abi));
    assert_eq!(outcome.first().0.ergs_returned, ERGS - 6 - 7 - 1 - 5);
    let mut root = Assembler::new();
    root.load(2, u32::MAX - 32);
    root.push(op(Opcode::HeapRead).src0(In::Reg(2)).dst0(Out::Reg(3)));
    assert_eq!(Lab::new().run_all(&root).frame().ergs, u32::MAX - 6 - 7);
}

#[test]
fn static_memory_is_shared_free_and_for_the_kernel_only() {
    let mut callee = Assembler::new();
    callee.push(op(Opcode::StaticRead).src0(In::Imm(10)).dst0(Out::Reg(3)));
    callee.ret(Opcode::RetOk, 0);
    let mut root = Assembler::new();
    let after = root.label();
    root.load(1, 77);
    root.push(op(Opcode::StaticWrite).src0(In::Imm(10)).src1(1));
    let abi = FarCallAbi {
        ergs: ERGS,
        ..FarCallAbi::default()
    };
    root.load(1, abi.to_word());
    root.load(2, 0x9000);
    root.far_call(1, 2, after);
    root.place(after);
    root.load(2, U256::MAX);
    root.push(op(Opcode::StaticRead).src0(In::Reg(2)).dst0(Out::Reg(3)));
    let outcome = Lab::new().contract(0x9000, &callee).run(&root);
    assert_eq!(outcome.first().1.register(3), Value::from(77));
    assert_eq!(outcome.trace.panics, [PanicCause::HeapOffsetTooLarge]);
    assert_ne!(outcome.vm.execution.frame().ergs, 0);
}
