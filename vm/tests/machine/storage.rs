//! Storage: refunds, pubdata, and what a failed frame takes back.

use eradbg_fixtures::Assembler;
use eradbg_fixtures::abi::FarCallAbi;
use eradbg_fixtures::assembler::{In, Out, op};
use eradbg_vm::storage::{L2_BASE_TOKEN, SYSTEM_CONTEXT};
use eradbg_vm::{EraVm, Opcode, StorageKey, U256, VmState};

use crate::lab::{Lab, Outcome, caller, integer, user_slot};

const ERGS: u32 = 200_000;

/// One access of a program.
#[derive(Debug, Clone, Copy)]
enum Access {
    Read(u64),
    Write(u64, U256),
}

use Access::{Read, Write};

fn write(key: u64, value: u64) -> Access {
    Write(key, value.into())
}

fn push(a: &mut Assembler, accesses: &[Access]) {
    for &access in accesses {
        match access {
            Read(key) => {
                a.load(1, key);
                a.push(op(Opcode::StorageRead).src0(In::Reg(1)).dst0(Out::Reg(3)));
            }
            Write(key, value) => {
                a.load(1, key).load(2, value);
                a.push(op(Opcode::StorageWrite).src0(In::Reg(1)).src1(2));
            }
        }
    }
}

/// Runs accesses as a user contract.
fn run(lab: &Lab, accesses: &[Access]) -> Outcome {
    let mut a = Assembler::new();
    push(&mut a, accesses);
    a.ret(Opcode::RetOk, 0);
    lab.run_user(&a, ERGS)
}

#[test]
fn refunds_follow_what_was_accessed_before() {
    let rows: &[(&[Access], &[u32])] = &[
        (&[Read(1)], &[0]),
        (&[Read(1), Read(1)], &[0, 1970]),
        (&[write(1, 5), Read(1)], &[0, 1970]),
        (&[write(1, 5)], &[0]),
        (&[Read(1), write(1, 5)], &[0, 2000]),
        (&[write(1, 5), write(1, 6)], &[0, 5440]),
        (
            &[Read(1), write(1, 5), write(1, 6), Read(1)],
            &[0, 2000, 5440, 1970],
        ),
        (&[Read(1), Read(2)], &[0, 0]),
    ];
    for &(accesses, refunds) in rows {
        let outcome = run(&Lab::new(), accesses);
        assert_eq!(outcome.vm.state.refunds(), refunds, "{accesses:?}");
        let spent: u32 = accesses
            .iter()
            .map(|access| match access {
                Read(_) => 6 + 2008,
                Write(..) => 12 + 5511,
            })
            .sum();
        let left = ERGS - 5 - spent + refunds.iter().sum::<u32>();
        assert_eq!(outcome.first().0.ergs_returned, left, "{accesses:?}");
    }
}

#[test]
fn pubdata_is_charged_for_the_difference_to_what_was_paid() {
    let top = U256::one() << 255;
    let initial: &[(&[Access], &[i32])] = &[
        (&[write(1, 1)], &[34]),
        (&[write(1, 1), write(1, 0)], &[34, -34]),
        (&[write(1, 1), write(1, 0), Write(1, top)], &[34, -34, 65]),
        (&[write(1, 1), write(1, 1)], &[34, 0]),
        (&[write(1, 0)], &[0]),
        (&[Read(1)], &[0]),
        (&[write(1, 1), write(2, 256)], &[34, 35]),
    ];
    let repeated: &[(&[Access], &[i32])] = &[
        (&[write(1, 6)], &[6]),
        (&[write(1, 6), write(1, 5)], &[6, -6]),
        (&[write(1, 0)], &[5]),
        (&[write(1, 5)], &[0]),
        (&[Write(1, top)], &[37]),
    ];
    let known = Lab::new().slot(user_slot(1), 5);
    for (lab, rows) in [(&Lab::new(), initial), (&known, repeated)] {
        for &(accesses, costs) in rows {
            let state = run(lab, accesses).vm.state;
            // The first cost is that of the far call's code hash.
            assert_eq!(state.pubdata_costs()[1..], *costs, "{accesses:?}");
            assert_eq!(state.pubdata(), costs.iter().sum::<i32>(), "{accesses:?}");
            let paid: u32 = state.paid_changes().values().sum();
            assert_eq!(i64::from(paid), i64::from(state.pubdata()), "{accesses:?}");
        }
    }
}

#[test]
fn a_write_is_initial_without_an_enumeration_index_whatever_the_value() {
    let lab = Lab::new().new_slot(user_slot(1), 5);
    for (value, cost) in [(5, 0), (6, 34), (0, 33)] {
        let state = run(&lab, &[write(1, value)]).vm.state;
        assert_eq!(state.pubdata(), cost, "5 to {value}");
    }
}

#[test]
fn pubdata_that_a_failed_frame_gave_back_is_charged_again() {
    let lab = Lab::new().slot(user_slot(1), 5);
    let mut a = Assembler::new();
    let (near, after) = (a.label(), a.label());
    push(&mut a, &[write(1, 6)]);
    a.near_call(0, near, after);
    a.place(near);
    push(&mut a, &[write(1, 5)]);
    a.push(op(Opcode::RetPanic));
    a.place(after);
    a.ret(Opcode::RetOk, 0);
    let state = lab.run_user(&a, ERGS).vm.state;
    // The list keeps what the failed frame did.
    assert_eq!(state.pubdata(), 6);
    assert_eq!(state.pubdata_costs(), [0, 6, -6]);
}

#[test]
fn a_slot_that_was_never_written_reads_zero_and_a_written_one_its_value() {
    let lab = Lab::new().slot(user_slot(2), 9);
    let read = |accesses: &[Access]| run(&lab, accesses).first().1.register(3);
    assert_eq!(read(&[Read(1)]), integer(0));
    assert_eq!(read(&[Read(2)]), integer(9));
    assert_eq!(read(&[write(2, 4), Read(2)]), integer(4));
}

#[test]
fn a_far_call_makes_the_callees_code_hash_warm_without_a_refund() {
    // The callee, at the address of the code hashes, reads its own.
    let mut callee = Assembler::new();
    callee.load(1, 0x8002);
    callee.push(op(Opcode::StorageRead).src0(In::Reg(1)).dst0(Out::Reg(3)));
    callee.ret(Opcode::RetOk, 0);
    let abi = FarCallAbi {
        ergs: ERGS,
        ..FarCallAbi::default()
    };
    let state = Lab::new()
        .contract(0x8002, &callee)
        .run(&caller(0x8002, abi))
        .vm
        .state;
    assert_eq!(state.refunds(), [1970]);
    assert_eq!(state.pubdata_costs(), [0, 0]);
}

#[test]
fn free_slots_are_always_warm_and_publish_nothing() {
    for (address, key) in [
        (SYSTEM_CONTEXT, U256::from(77)),
        (
            L2_BASE_TOKEN,
            "31b66141c575a054316a84da9cf4aa6fe0abd373cab1bf4ac029ffc061aae0da"
                .parse()
                .unwrap(),
        ),
    ] {
        let mut a = Assembler::new();
        a.load(1, key).load(2, 5);
        a.push(op(Opcode::StorageRead).src0(In::Reg(1)).dst0(Out::Reg(3)));
        a.push(op(Opcode::StorageWrite).src0(In::Reg(1)).src1(2));
        a.ret(Opcode::RetOk, 0);
        let at = u64::from(u16::from_be_bytes([address.0[18], address.0[19]]));
        let abi = FarCallAbi {
            ergs: ERGS,
            ..FarCallAbi::default()
        };
        let state = Lab::new().contract(at, &a).run(&caller(at, abi)).vm.state;
        assert_eq!(state.refunds(), [1970, 5440], "{address:?}");
        assert_eq!(state.pubdata(), 0);
        assert_eq!(state.storage_changes()[&StorageKey { address, key }], 5.into());
    }
}

#[test]
fn transient_storage_costs_its_price_and_belongs_to_the_contract() {
    let mut a = Assembler::new();
    a.load(1, 7);
    a.push(op(Opcode::TransientWrite).src0(In::Reg(1)).src1(1));
    a.push(op(Opcode::TransientRead).src0(In::Reg(1)).dst0(Out::Reg(3)));
    a.ret(Opcode::RetOk, 0);
    let outcome = Lab::new().run_user(&a, ERGS);
    let (end, execution) = outcome.first();
    assert_eq!(
        (end.ergs_returned, execution.register(3)),
        (ERGS - 6 - 71 - 38 - 5, integer(7))
    );
    let state = &outcome.vm.state;
    assert_eq!(state.transient_storage().get(&user_slot(7)), Some(&7.into()));
    assert!(state.refunds().is_empty());
    assert_eq!(state.pubdata_costs(), [0, 0, 0]);
    assert!(!state.read_storage_slots().contains(&user_slot(7)));
}

/// A near frame changes everything and ends with `ret`; then the contract writes once more.
fn frame_that_ends(ret: Opcode) -> VmState {
    let mut a = Assembler::new();
    let (callee, after) = (a.label(), a.label());
    push(&mut a, &[write(1, 5)]);
    a.near_call(0, callee, after);
    a.place(after);
    a.ret(Opcode::RetOk, 0);
    a.place(callee);
    push(&mut a, &[write(1, 6), write(2, 7), Read(3)]);
    a.load(1, 1);
    a.push(op(Opcode::TransientWrite).src0(In::Reg(1)).src1(1));
    a.push(op(Opcode::Event).src0(In::Reg(1)).src1(1));
    a.push(op(Opcode::ToL1).src0(In::Reg(1)).src1(1));
    a.push(op(ret));
    let abi = FarCallAbi {
        ergs: ERGS,
        ..FarCallAbi::default()
    };
    let lab = Lab::new().contract(0x9000, &a);
    lab.run(&caller(0x9000, abi)).vm.state
}

#[test]
fn a_failed_frame_takes_its_changes_back_and_leaves_warmth_and_lists() {
    let slot = |key: u64| StorageKey {
        address: eradbg_vm::storage::system_address(0x9000),
        key: key.into(),
    };
    let kept = frame_that_ends(Opcode::RetOk);
    for ret in [Opcode::RetRevert, Opcode::RetPanic] {
        let undone = frame_that_ends(ret);
        let values: Vec<_> = undone
            .storage_changes()
            .iter()
            .map(|(key, value)| (*key, *value))
            .collect();
        assert_eq!(values, [(slot(1), 5.into())]);
        assert_eq!(undone.paid_changes().len(), 1);
        assert_eq!(undone.pubdata(), 34);
        assert!(undone.transient_storage().is_empty());
        assert!(undone.events().is_empty() && undone.l2_to_l1_logs().is_empty());
        // As if the frame had not failed:
        assert_eq!(undone.refunds(), kept.refunds());
        assert_eq!(undone.pubdata_costs(), kept.pubdata_costs());
        assert_eq!(undone.read_storage_slots(), kept.read_storage_slots());
        assert_eq!(undone.written_storage_slots(), kept.written_storage_slots());
        assert!(
            undone
                .decommitted_hashes()
                .values()
                .eq(kept.decommitted_hashes().values())
        );
    }
    assert_eq!(
        (kept.events().len(), kept.l2_to_l1_logs().len(), kept.pubdata()),
        (1, 1, 68)
    );
}

#[test]
fn a_slot_of_a_failed_frame_is_warm_afterwards() {
    let mut a = Assembler::new();
    let (callee, after) = (a.label(), a.label());
    a.near_call(0, callee, after);
    a.place(after);
    push(&mut a, &[write(1, 5), Read(2)]);
    a.ret(Opcode::RetOk, 0);
    a.place(callee);
    push(&mut a, &[write(1, 6), Read(2)]);
    a.ret(Opcode::RetPanic, 0);
    let state = Lab::new().run_user(&a, ERGS).vm.state;
    assert_eq!(state.refunds(), [0, 0, 5440, 1970]);
    assert_eq!(state.pubdata_costs(), [0, 34, 0, 34, 0]);
    assert_eq!(state.pubdata(), 34);
}

#[test]
fn changes_are_slots_that_differ_from_before_the_batch_in_order() {
    let lab = Lab::new().slot(user_slot(2), 9).slot(user_slot(1), 9);
    let state = run(
        &lab,
        &[write(3, 1), write(2, 8), write(1, 8), write(1, 9), write(4, 0)],
    )
    .vm
    .state;
    let changes: Vec<_> = state
        .changes()
        .into_iter()
        .map(|change| {
            (
                change.key,
                change.before.as_u32(),
                change.after.as_u32(),
                change.is_write_initial,
            )
        })
        .collect();
    assert_eq!(changes, [(user_slot(2), 9, 8, false), (user_slot(3), 0, 1, true)]);
}

#[test]
fn a_missing_slot_leaves_the_execution_as_it_was() {
    struct Nothing;
    impl eradbg_vm::Storage for Nothing {
        fn decommit(&mut self, hash: U256) -> Result<Option<Vec<U256>>, eradbg_vm::Missing> {
            Err(eradbg_vm::Missing::Code(hash))
        }
        fn storage_read(&mut self, key: &StorageKey) -> Result<Option<U256>, eradbg_vm::Missing> {
            Err(eradbg_vm::Missing::Slot(*key))
        }
        fn cost_of_writing_storage(&mut self, _: &StorageKey, _: U256) -> u32 {
            0
        }
        fn enumeration_index(&self, _: &StorageKey) -> Option<u64> {
            None
        }
    }
    let rows = [
        op(Opcode::StorageRead).src0(In::Reg(1)).dst0(Out::Reg(1)),
        op(Opcode::StorageWrite).src0(In::Reg(1)).src1(1),
        op(Opcode::FarCall).src0(In::Reg(2)).src1(1),
    ];
    for instruction in rows {
        let mut root = Assembler::new();
        root.load(1, 7);
        root.push(instruction);
        let mut vm: EraVm = Lab::new().machine(&root);
        vm.run(&mut Nothing, &mut (), 1).unwrap();
        let before = vm.execution.clone();
        assert!(vm.run(&mut Nothing, &mut (), 1).is_err());
        assert_eq!(vm.execution, before);
    }
}
