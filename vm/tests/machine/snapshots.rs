//! The operator's snapshots: a rollback restores the state and all of the execution but the number of steps.

use eradbg_fixtures::abi::{FarCallAbi, slice};
use eradbg_fixtures::assembler::{In, Out, op};
use eradbg_fixtures::{Assembler, TransactionKind, mini_batch};
use eradbg_vm::batch::{BatchInput, L2BlockEnv};
use eradbg_vm::operator::{ExecutionResult, OperatorVm, RunMode};
use eradbg_vm::outcome::Stop;
use eradbg_vm::storage::SnapshotStorage;
use eradbg_vm::{EraVm, Opcode, U256, VmState};

use crate::lab::{Lab, only, user_slot};

/// The hook's slot in these programs.
const HOOK: u16 = 3200;

/// The parts of the state, in an order that does not depend on hashing.
fn parts(state: &VmState) -> [String; 11] {
    fn sorted<T: Ord + std::fmt::Debug>(items: impl IntoIterator<Item = T>) -> String {
        let mut items: Vec<T> = items.into_iter().collect();
        items.sort_unstable();
        format!("{items:?}")
    }
    [
        format!("{:?}", state.storage_changes()),
        sorted(state.transient_storage()),
        format!("{:?}", state.l2_to_l1_logs()),
        format!("{:?}", state.events()),
        format!("{:?}", state.pubdata_costs()),
        format!("{:?}", state.pubdata()),
        sorted(state.paid_changes()),
        format!("{:?}", state.refunds()),
        sorted(state.read_storage_slots()),
        sorted(state.written_storage_slots()),
        sorted(state.decommitted_hashes()),
    ]
}

/// Everything that a program can change in the machine: `rounds` of it, each after a hook.
fn busy_root(rounds: usize) -> Assembler {
    let mut a = Assembler::new();
    for round in 0..rounds as u64 {
        let after = a.label();
        a.push(op(Opcode::HeapWrite).src0(In::Imm(HOOK)).src1(1));
        a.load(1, round + 1);
        a.copy(In::Reg(1), Out::Push(0, 1));
        a.push(op(Opcode::StorageWrite).src0(In::Reg(1)).src1(1));
        a.push(op(Opcode::StorageRead).src0(In::Reg(0)).dst0(Out::Reg(4)));
        a.push(op(Opcode::StorageWrite).src0(In::Reg(0)).src1(1));
        a.push(op(Opcode::TransientWrite).src0(In::Reg(1)).src1(1));
        a.push(op(Opcode::ToL1).src0(In::Reg(1)).src1(1));
        a.push(op(Opcode::Event).src0(In::Reg(1)).src1(1));
        a.push(op(Opcode::HeapWrite).src0(In::Imm(15)).src1(1));
        a.push(op(Opcode::AuxHeapWrite).src0(In::Imm(15)).src1(1));
        a.push(op(Opcode::StaticWrite).src0(In::Imm(15)).src1(1));
        a.push(op(Opcode::ContextSetU128).src0(In::Reg(1)));
        a.push(op(Opcode::ContextIncrementTx));
        a.push(op(Opcode::TransientWrite).src0(In::Reg(1)).src1(1));
        a.load(
            1,
            FarCallAbi {
                calldata: slice(0, 32),
                ergs: 10_000,
                ..FarCallAbi::default()
            }
            .to_word(),
        );
        a.load(2, 0x2_0000 + round);
        a.far_call(1, 2, after);
        a.place(after);
        a.push(op(Opcode::Sub).flag0());
    }
    a.push(op(Opcode::HeapWrite).src0(In::Imm(HOOK)).src1(1));
    a.ret(Opcode::RetOk, 0);
    a
}

fn lab() -> Lab {
    let mut lab = Lab::new().slot(user_slot(1), 3);
    lab.settings.hook_offset = HOOK.into();
    let mut writer = Assembler::new();
    writer.push(op(Opcode::StorageWrite).src0(In::Reg(0)).src1(2));
    writer.ret(Opcode::RetOk, 0);
    lab.contract(0x2_0000, &only(Opcode::RetOk))
        .contract(0x2_0001, &writer)
        .contract(0x2_0002, &only(Opcode::RetPanic))
}

fn to_hook(vm: &mut EraVm) {
    let stop = vm.run(&mut lab(), &mut (), 10_000).expect("the lab has all code");
    assert!(matches!(stop, Stop::Hook(_)), "{stop:?}");
}

#[test]
fn a_rollback_restores_every_part_and_the_run_goes_on_as_if_nothing_had_been() {
    rolls_back_at_every_hook(&lab(), &busy_root(3), 3);
}

/// Asks for code, which goes to the own heap if it is fresh, and reads its first word.
fn push_decommit(a: &mut Assembler, hash: U256) {
    a.load(1, hash).load(2, 1000);
    a.push(op(Opcode::Decommit).src0(In::Reg(1)).src1(2).dst0(Out::Reg(3)));
    a.push(op(Opcode::PointerRead).src0(In::Reg(3)).dst0(Out::Reg(4)));
}

#[test]
fn a_rollback_takes_code_back_that_was_decommitted_since_and_keeps_what_was_there_before() {
    let (lab, first) = Lab::new().code(&only(Opcode::RetOk));
    let (lab, second) = lab.code(&only(Opcode::RetRevert));
    let (lab, third) = lab.code(&only(Opcode::RetPanic));
    let mut oracle = Assembler::new();
    push_decommit(&mut oracle, third);
    oracle.ret(Opcode::RetOk, 0);
    let mut root = Assembler::new();
    for hash in [first, second, first] {
        let after = root.label();
        push_decommit(&mut root, hash);
        root.load(1, U256([0, 0, 0, 10_000])).load(2, 0x8012);
        root.far_call(1, 2, after);
        root.place(after);
        root.push(op(Opcode::HeapWrite).src0(In::Imm(HOOK)).src1(4));
    }
    root.ret(Opcode::RetOk, 0);
    let mut lab = lab.contract(0x8012, &oracle);
    lab.settings.hook_offset = HOOK.into();
    rolls_back_at_every_hook(&lab, &root, 2);
}

#[test]
fn an_ended_run_can_be_taken_back() {
    let mut root = Assembler::new();
    root.push(op(Opcode::HeapWrite).src0(In::Imm(HOOK)).src1(0));
    root.ret(Opcode::RetPanic, 0);
    let mut vm = lab().machine(&root);
    to_hook(&mut vm);
    let snapshot = vm.snapshot(&mut ());
    for _ in 0..2 {
        assert!(matches!(vm.run(&mut lab(), &mut (), 10).unwrap(), Stop::Ended(_)));
        if vm.execution.steps() == 2 {
            vm.roll_back(snapshot.clone(), &mut ());
            assert_eq!(vm.execution.ended(), None);
        }
    }
    assert_eq!(vm.execution.steps(), 3);
}

pub(crate) fn operator(
    input: BatchInput,
) -> (OperatorVm<SnapshotStorage>, Vec<eradbg_vm::batch::Transaction>) {
    let transactions = input.transactions().cloned().collect();
    let storage = SnapshotStorage::new(input.storage);
    (
        OperatorVm::new(input.batch, input.system, storage, &mut ()),
        transactions,
    )
}

#[test]
fn the_operator_takes_a_halted_transaction_back_without_a_trace() {
    let (mut operator, transactions) = operator(mini_batch(4));
    let mut skipping = self::operator(mini_batch(4)).0;
    for (index, transaction) in transactions.iter().enumerate() {
        operator.make_snapshot(&mut ());
        let before = (
            parts(&operator.machine().state),
            format!("{:?}", operator.bootloader_state()),
            operator.suspended_at(),
            operator.machine().execution.frame().clone(),
        );
        operator.push_transaction(transaction, true, &mut ()).unwrap();
        let run = operator.run(RunMode::OneTransaction, &mut ()).unwrap();
        if TransactionKind::of(index) == TransactionKind::Halts {
            assert!(matches!(run.result, ExecutionResult::Halt(_)));
            operator.roll_back(&mut ());
            let after = (
                parts(&operator.machine().state),
                format!("{:?}", operator.bootloader_state()),
                operator.suspended_at(),
                operator.machine().execution.frame().clone(),
            );
            assert_eq!(before, after);
        } else {
            skipping.push_transaction(transaction, true, &mut ()).unwrap();
            let other = skipping.run(RunMode::OneTransaction, &mut ()).unwrap();
            assert_eq!(run, other);
        }
    }
    let (one, other) = (operator.into_machine(), skipping.into_machine());
    assert_eq!(parts(&one.state), parts(&other.state));
    assert_eq!(one.execution.heaps(), other.execution.heaps());
    assert_eq!(one.execution.registers(), other.execution.registers());
}

#[test]
fn a_finished_transaction_can_be_taken_back_and_run_again() {
    let (mut operator, transactions) = operator(mini_batch(1));
    operator.make_snapshot(&mut ());
    let mut runs = Vec::new();
    for _ in 0..2 {
        operator
            .push_transaction(&transactions[0], false, &mut ())
            .unwrap();
        let mut run = operator.run(RunMode::OneTransaction, &mut ()).unwrap();
        run.first_step = 0;
        runs.push((
            run,
            parts(&operator.machine().state),
            format!("{:?}", operator.bootloader_state()),
        ));
        if runs.len() == 1 {
            operator.roll_back(&mut ());
        }
    }
    assert_eq!(runs[0], runs[1]);
}

#[test]
fn a_successful_transaction_and_the_block_after_it_can_still_be_taken_back() {
    let (mut operator, transactions) = operator(mini_batch(2));
    operator
        .push_transaction(&transactions[0], true, &mut ())
        .unwrap();
    operator.run(RunMode::OneTransaction, &mut ()).unwrap();
    let before = (
        parts(&operator.machine().state),
        operator.bootloader_state().clone(),
    );
    operator.make_snapshot(&mut ());
    operator
        .push_transaction(&transactions[1], true, &mut ())
        .unwrap();
    let run = operator.run(RunMode::OneTransaction, &mut ()).unwrap();
    assert!(matches!(run.result, ExecutionResult::Success(_)));
    let last = operator.bootloader_state().last_block();
    let next = L2BlockEnv {
        number: last.env.number + 1,
        timestamp: last.env.timestamp + 1,
        prev_block_hash: last.hash(),
        ..last.env.clone()
    };
    operator.start_l2_block(next).unwrap();
    operator.roll_back(&mut ());
    let after = (
        parts(&operator.machine().state),
        operator.bootloader_state().clone(),
    );
    assert_eq!(after.0, before.0);
    assert!(after.1 == before.1);
}

/// Runs to the next hook and takes that back, at each of the first hooks of a program.
fn rolls_back_at_every_hook(lab: &Lab, root: &Assembler, count: usize) {
    for hooks in 1..=count {
        let mut vm = lab.machine(root);
        let to_hook = |vm: &mut EraVm| {
            let stop = vm
                .run(&mut lab.clone(), &mut (), 10_000)
                .expect("the lab has all code");
            assert!(matches!(stop, Stop::Hook(_)), "{stop:?}");
        };
        for _ in 0..hooks {
            to_hook(&mut vm);
        }
        let before = vm.execution.clone();
        let state_before = parts(&vm.state);
        let snapshot = vm.snapshot(&mut ());
        to_hook(&mut vm);
        let after = (vm.execution.clone(), parts(&vm.state));
        assert_ne!(state_before, after.1);
        vm.roll_back(snapshot, &mut ());

        assert_eq!(parts(&vm.state), state_before, "after {hooks} hooks");
        let restored = &vm.execution;
        assert_eq!(restored.steps(), after.0.steps());
        assert_eq!(restored.registers(), before.registers());
        assert_eq!(
            (restored.flags(), restored.tx_number()),
            (before.flags(), before.tx_number())
        );
        assert_eq!(restored.context_register(), before.context_register());
        assert_eq!(
            (restored.next_page(), restored.depth()),
            (before.next_page(), before.depth())
        );
        assert_eq!(restored.frame(), before.frame());
        assert_eq!(restored.heaps(), before.heaps());

        to_hook(&mut vm);
        assert_eq!(parts(&vm.state), after.1);
        assert_eq!(vm.execution.frame().ergs, after.0.frame().ergs);
        assert_eq!(vm.execution.registers(), after.0.registers());
        assert_eq!(vm.execution.heaps(), after.0.heaps());
    }
}
