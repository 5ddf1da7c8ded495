//! A short row of random cases, and faults planted in the peer to see that they show.

#![allow(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

use eradbg_fuzz::case::{Case, Code};
use eradbg_fuzz::choices::Choices;
use eradbg_fuzz::generate::{self, VARIANTS};
use eradbg_fuzz::lockstep::{Lockstep, Verdict};
use eradbg_fuzz::peer::Peer;
use eradbg_fuzz::report;
use eradbg_fuzz::statistics::Statistics;
use eradbg_vm::protocol::Revision;
use zksync_vm2::interface::{CallframeInterface, StateInterface};

/// Instruction words: `add 1, r0, r3`, `st.1 64, r3`, `near_call r0, 4, 9`, `add 5, r3, stack[2]`, and a no-op.
const ADD: u64 = 0x0000_0001_0300_0039;
const STORE: u64 = 0x0000_0040_0030_043f;
const NEAR_CALL: u64 = 0x0009_0004_0000_040f;
const TO_STACK: u64 = 0x0002_0005_0030_003f;
const NOP: u64 = 1;
const RET: u64 = 0x42d;

#[test]
fn a_row_of_random_cases_is_the_same_on_both_machines() {
    let mut statistics = Statistics::default();
    let mut numbers = Choices::from_seed(20);
    while statistics.instructions < 300_000 {
        let case = generate::case(&mut Choices::from_seed(numbers.u64()));
        let verdict = Lockstep::new(&case).run(&mut statistics);
        statistics.case(&verdict);
        let differs = matches!(verdict, Verdict::Differs(_));
        assert!(!differs, "{}", report::difference(&case));
    }
    let executed = VARIANTS - statistics.missing_variants().len();
    assert!(executed > 1000, "only {executed} variants came up\n{statistics}");
}

#[test]
fn a_row_of_random_cases_has_the_peers_page_ids_in_the_revision_that_follows_it() {
    let mut statistics = Statistics::default();
    let mut numbers = Choices::from_seed(21);
    while statistics.instructions < 300_000 {
        let mut case = generate::case(&mut Choices::from_seed(numbers.u64()));
        case.revision = Revision::Vm2_0_5PageIds;
        let verdict = Lockstep::new(&case).run(&mut statistics);
        let differs = matches!(verdict, Verdict::Differs(_));
        assert!(!differs, "{}", report::difference(&case));
    }
}

#[test]
fn bytes_that_have_run_out_still_make_a_case() {
    for bytes in [&[][..], &[7], &[0xff; 300]] {
        let case = generate::case(&mut Choices::from_bytes(bytes));
        let verdict = Lockstep::new(&case).run(&mut Statistics::default());
        assert!(
            !matches!(verdict, Verdict::Differs(_)),
            "{}",
            report::difference(&case)
        );
    }
}

#[test]
fn a_fault_in_any_part_of_the_machine_shows_at_the_next_step() {
    let register = |index: u8, is_pointer| {
        move |peer: &mut Peer| {
            let (word, _) = peer.vm.read_register(index);
            peer.vm.set_register(index, word, is_pointer);
        }
    };
    expect("r3", &register(3, true));
    expect("r1", &register(1, false));
    expect("r7", &|peer| peer.vm.set_register(7, 1.into(), false));
    expect("flags", &|peer| {
        let mut flags = peer.vm.flags();
        flags.greater = true;
        peer.vm.set_flags(flags);
    });
    expect("context register", &|peer| peer.vm.set_context_u128_register(1));
    expect("tx number", &|peer| peer.vm.set_transaction_number(1));
    expect("pubdata", &|peer| peer.vm.set_pubdata(-1));
    expect("ergs", &|peer| {
        let mut frame = peer.vm.current_frame();
        frame.set_gas(frame.gas() - 1);
    });
    expect("sp", &|peer| peer.vm.current_frame().set_stack_pointer(1));
    expect("pc", &|peer| peer.vm.current_frame().set_program_counter(6));
    expect("exception handler", &|peer| {
        peer.vm.current_frame().set_exception_handler(1);
    });
    expect("heap bound", &|peer| peer.vm.current_frame().set_heap_bound(99));
    expect("aux heap bound", &|peer| {
        peer.vm.current_frame().set_aux_heap_bound(99);
    });
    expect("caller", &|peer| {
        peer.vm
            .current_frame()
            .set_caller(eradbg_vm::H160::repeat_byte(1));
    });
    expect("code address", &|peer| {
        peer.vm
            .current_frame()
            .set_code_address(eradbg_vm::H160::repeat_byte(1));
    });
    expect("context", &|peer| peer.vm.current_frame().set_context_u128(1));
}

#[test]
fn a_fault_in_memory_or_state_shows_at_the_end_of_the_frame() {
    expect("page 10, offset 64", &|peer| peer.set_memory(2, 64, 9.into()));
    expect("page 11, offset 0", &|peer| peer.set_memory(3, 0, 9.into()));
    expect("stack[2]", &|peer| {
        let (word, _) = peer.vm.current_frame().read_stack(2);
        peer.vm.current_frame().write_stack(2, word, true);
    });
    expect("pubdata costs", &|peer| {
        peer.vm
            .write_transient_storage(eradbg_vm::H160::repeat_byte(1), 1.into(), 1.into());
    });
    expect("ergs", &|peer| {
        let mut frame = peer.vm.callframe(1);
        frame.set_gas(frame.gas() + 1);
    });
}

/// Executes a few instructions, two frames deep; then the peer is changed, and the rest must show it.
fn expect(field: &str, change: &dyn Fn(&mut Peer)) {
    let case = case();
    let mut statistics = Statistics::default();
    let verdict = Lockstep::new(&case).run(&mut statistics);
    assert!(matches!(verdict, Verdict::Ended(_)), "{verdict:?}");

    let mut lockstep = Lockstep::new(&case);
    for _ in 0..5 {
        assert_eq!(lockstep.advance(&mut statistics), None);
    }
    change(&mut lockstep.peer);
    let Verdict::Differs(mismatch) = lockstep.run(&mut statistics) else {
        panic!("a change of {field} does not show");
    };
    assert!(mismatch.field.contains(field), "{field}: {mismatch:?}");
}

/// Writes a register, a slot of the stack and a word of memory, and goes on in a near frame.
fn case() -> Case {
    let mut case = generate::case(&mut Choices::from_bytes(&[]));
    let instructions = vec![
        ADD, STORE, TO_STACK, NEAR_CALL, NOP, NOP, NOP, RET, RET, RET, RET, RET,
    ];
    case.root = Code {
        instructions,
        constants: vec![],
    };
    Case {
        ergs: 10_000,
        hook_offset: u32::MAX,
        bounds: (4096, 4096),
        ..case
    }
}
