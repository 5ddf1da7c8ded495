//! Many frames at once: what they cost, what they leave, and that failures undo all of them. The official VM goes along
//! to a depth at which comparing everything after each step is still quick.

use eradbg_fixtures::Assembler;
use eradbg_fixtures::abi::FarCallAbi;
use eradbg_fixtures::assembler::{In, Label, Op, Out, op};
use eradbg_vm::flags::Predicate;
use eradbg_vm::observer::FrameEnd;
use eradbg_vm::outcome::{PanicCause, Stop};
use eradbg_vm::{EraVm, Execution, Observer, Opcode, U256};

use crate::lab::{Lab, USER, caller, user_slot};
use crate::official::{self, Verdict};

/// Ergs that the user contract gets.
const ERGS: u32 = 200_000_000;

/// Frames that are compared with the official VM's, and a number that a batch may well come to.
const DEPTHS: [u64; 2] = [60, 10_000];

/// What every far frame had at its start and at its end.
#[derive(Debug, Default)]
struct Ergs {
    entered: Vec<u32>,
    left: Vec<(u32, Option<PanicCause>)>,
}

impl Observer for Ergs {
    fn frame_entered(&mut self, execution: &Execution, is_near: bool) {
        if !is_near {
            self.entered.push(execution.frame().ergs);
        }
    }

    fn frame_leaving(&mut self, _: &Execution, end: FrameEnd) {
        if !end.is_near {
            self.left.push((end.ergs_returned, end.cause));
        }
    }
}

fn run(lab: &Lab, root: &Assembler) -> (EraVm, Ergs) {
    let mut vm = lab.machine(root);
    let mut ergs = Ergs::default();
    let stop = vm.run(&mut lab.clone(), &mut ergs, 1_000_000);
    assert!(matches!(stop, Ok(Stop::Ended(_))), "{stop:?}");
    (vm, ergs)
}

fn call(ergs: u32) -> FarCallAbi {
    FarCallAbi {
        ergs,
        ..FarCallAbi::default()
    }
}

fn jump_if_zero(label: Label) -> Op {
    op(Opcode::Jump).src0(In::Address(label)).when(Predicate::Equal)
}

/// Near calls, one in the other, each of which writes its own number into the slot of that number, from `depth` down to
/// 1. The first of them ends with `first`, the others with `others`.
fn nested(depth: u64, others: Opcode, first: Opcode) -> Assembler {
    let mut a = Assembler::new();
    let [frame, returned, outermost, end, after] = [(); 5].map(|()| a.label());
    a.load(1, depth).load(2, 1);
    a.near_call(0, frame, after);
    a.place(after);
    a.ret(Opcode::RetOk, 0);

    a.place(frame);
    a.push(op(Opcode::StorageWrite).src0(In::Reg(1)).src1(1));
    a.push(op(Opcode::Sub).src0(In::Reg(1)).src1(2).dst0(Out::Reg(1)).flag0());
    a.push(jump_if_zero(end));
    a.near_call(0, frame, returned);
    a.place(returned);
    // The first frame has seen all the others return.
    a.push(op(Opcode::Add).src0(In::Reg(3)).src1(2).dst0(Out::Reg(3)));
    a.load(4, depth - 1);
    a.push(op(Opcode::Sub).src0(In::Reg(3)).src1(4).dst0(Out::Reg(5)).flag0());
    a.push(jump_if_zero(outermost));
    a.place(end);
    a.push(op(others));
    a.place(outermost);
    a.push(op(first));
    a
}

/// Runs nested near calls as a user contract, beside the official VM where they are few.
fn run_nested(depth: u64, others: Opcode, first: Opcode) -> (EraVm, u32) {
    let lab = Lab::new().contract(USER, &nested(depth, others, first));
    let root = caller(USER, call(ERGS));
    let (vm, ergs) = run(&lab, &root);
    if depth < 1000 {
        let verdict = official::compare(&lab, &root.words(), 100_000, &mut ());
        assert!(matches!(verdict, Verdict::Agreed(_)), "{verdict:?}");
    }
    (vm, ergs.left[0].0)
}

#[test]
fn thousands_of_near_frames_return_one_after_the_other() {
    for depth in DEPTHS {
        let (vm, left) = run_nested(depth, Opcode::RetOk, Opcode::RetOk);
        let changes = vm.state.storage_changes();
        assert_eq!(changes.len() as u64, depth);
        assert!((1..=depth).all(|number| changes[&user_slot(number)] == number.into()));
        // Each pays for its call, write, countdown, jump and return; all but the deepest for counting those below.
        let each = 25 + 5511 + 6 + 6 + 5;
        let spent = 12 + depth * each + (depth - 1) * 4 * 6 + 5;
        assert_eq!(u64::from(left), u64::from(ERGS) - spent, "{depth} frames");
    }
}

#[test]
fn the_failure_of_the_first_of_thousands_of_near_frames_undoes_them_all() {
    for depth in DEPTHS {
        for (others, first) in [
            (Opcode::RetOk, Opcode::RetRevert),
            (Opcode::RetPanic, Opcode::RetPanic),
            (Opcode::RetRevert, Opcode::RetOk),
        ] {
            let (vm, _) = run_nested(depth, others, first);
            let state = &vm.state;
            let kept: Vec<U256> = state.storage_changes().values().copied().collect();
            // Where only the others failed, the slot of the first one stays.
            let expected = if first == Opcode::RetOk {
                vec![depth.into()]
            } else {
                vec![]
            };
            assert_eq!(kept, expected, "{others:?} {first:?}");
            assert_eq!(state.paid_changes().len(), kept.len());
            let paid: u32 = state.paid_changes().values().sum();
            assert_eq!(i64::from(state.pubdata()), i64::from(paid));
            // Warmth and costs stay.
            assert_eq!(state.written_storage_slots().len() as u64, depth);
            assert_eq!(state.pubdata_costs().len() as u64, depth + 1);
        }
    }
}

#[test]
fn far_calls_go_as_deep_as_63_of_64_parts_last() {
    let mut a = Assembler::new();
    let after = a.label();
    a.push(op(Opcode::AuxHeapWrite).src0(In::Imm(0)).src1(1));
    a.load(1, call(u32::MAX).to_word()).load(2, USER);
    a.far_call(1, 2, after);
    a.place(after);
    a.ret(Opcode::RetOk, 0);
    let code_words = a.words().len() as u32;
    for root_ergs in [50_000, u32::MAX] {
        let mut lab = Lab::new().contract(USER, &a);
        lab.ergs = root_ergs;
        let root = caller(USER, call(u32::MAX));
        let (vm, ergs) = run(&lab, &root);
        if root_ergs < u32::MAX {
            let verdict = official::compare(&lab, &root.words(), 100_000, &mut ());
            assert!(matches!(verdict, Verdict::Agreed(_)), "{verdict:?}");
        }
        // Each frame passes on 63 parts of what is left of its own; the code was paid by the first.
        let mut expected = (root_ergs - 12 - 183 - 4 * code_words) / 64 * 63;
        for (depth, entered) in ergs.entered.iter().enumerate() {
            assert_eq!(*entered, expected, "frame {depth}");
            expected = expected.saturating_sub(13 + 12 + 183) / 64 * 63;
        }
        let depth = ergs.entered.len();
        assert!(depth > if root_ergs == u32::MAX { 700 } else { 80 }, "{depth}");
        // The last frames could not pay what they wanted to do; those above go on with what they kept, while that lasts.
        assert_eq!(ergs.left[0], (0, Some(PanicCause::OutOfErgs)));
        assert_eq!(ergs.left[depth - 1].1, None);
        assert_eq!(vm.execution.next_page(), 2048 + 8 * depth as u32);
    }
}
