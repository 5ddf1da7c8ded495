//! Corrects the peer right after a step in which it is known to deviate. Each function names the condition in terms of
//! our machine, and checks that the peer has what its deviation predicts; otherwise it leaves the difference to be found.

use eradbg_vm::code_hash::CodeHash;
use eradbg_vm::isa;
use eradbg_vm::outcome::PanicCause;
use eradbg_vm::page_ids::{PageNumbering, heap_page, is_code_page};
use eradbg_vm::storage::ACCOUNT_CODE_STORAGE;
use eradbg_vm::value::word_of;
use eradbg_vm::{EraVm, FatPointer, H160, Opcode, StorageKey, U256, Value};
use zksync_vm2::interface::{CallframeInterface, StateInterface};

use crate::before::Before;
use crate::case::Chain;
use crate::exclusions::Repair;
use crate::pages::Pages;
use crate::peer::Peer;
use crate::trace::Trace;

/// Corrects what the last step left in the peer.
pub fn after_step(
    vm: &EraVm,
    before: &Before,
    trace: &Trace,
    chain: &Chain,
    pages: &mut Pages,
    peer: &mut Peer,
    repairs: &mut Vec<Repair>,
) {
    if trace.entered_far() {
        repairs.extend(failed_call_pointer(vm, pages, peer));
        repairs.extend(evm_frame_memory(vm, chain, peer));
    }
    if before.executes && vm.execution.pending_panic().is_none() {
        repairs.extend(incremented_tag(before, peer));
    }
    match (before.decommit, pages.numbering()) {
        (Some(known_page), PageNumbering::ByFrame) => {
            repairs.extend(decommit_target(vm, before, known_page, chain, pages, peer));
        }
        (Some(_), PageNumbering::OneByOne) => {
            let page = vm.execution.frame().kept_pages.last();
            page.map(|page| pages.add(page, page));
        }
        (None, _) => {}
    }
}

/// What `AccountCodeStorage` holds for an address now.
pub fn code_hash(vm: &EraVm, chain: &Chain, address: H160) -> U256 {
    let key = StorageKey {
        address: ACCOUNT_CODE_STORAGE,
        key: word_of(address),
    };
    vm.state.written_value(&key).unwrap_or_else(|| chain.slot(&key).0)
}

fn failed_call_pointer(vm: &EraVm, pages: &Pages, peer: &mut Peer) -> Option<Repair> {
    let cause = vm.execution.pending_panic()?;
    let lacks_ergs = matches!(
        cause,
        PanicCause::CallUnpaidGrowth | PanicCause::CallUnpaidDecommit | PanicCause::CallUnpaidExtra
    );
    let pointer = vm.execution.register(1).word;
    let is_lost = peer.vm.read_register(1) == (U256::zero(), true) && !pointer.is_zero();
    if !lacks_ergs || !is_lost {
        return None;
    }
    peer.vm.set_register(1, pages.pointer_to_peer(pointer)?, true);
    Some(Repair::FailedCallPointer)
}

fn evm_frame_memory(vm: &EraVm, chain: &Chain, peer: &mut Peer) -> Option<Repair> {
    let frame = vm.execution.frame();
    let hash = code_hash(vm, chain, frame.code_address);
    let is_evm_version = (hash.0[3] >> 56) as u8 == CodeHash::EVM_VERSION;
    let runs_emulator = vm.execution.pending_panic().is_none()
        && CodeHash::parse(hash)
            .is_some_and(|code| code.is_under_construction() == frame.is_constructor_call);
    let mut theirs = peer.vm.current_frame();
    let is_small = [theirs.heap_bound(), theirs.aux_heap_bound()] == [isa::NEW_FRAME_MEMORY; 2];
    if frame.is_kernel || !is_evm_version || runs_emulator || !is_small {
        return None;
    }
    theirs.set_heap_bound(isa::NEW_EVM_FRAME_MEMORY);
    theirs.set_aux_heap_bound(isa::NEW_EVM_FRAME_MEMORY);
    Some(Repair::EvmFrameMemory)
}

fn incremented_tag(before: &Before, peer: &mut Peer) -> Option<Repair> {
    let i = &before.instruction;
    let is_read = matches!(i.opcode, Opcode::HeapRead | Opcode::AuxHeapRead);
    if !is_read || !i.flag0 || i.dst1 == 0 || !before.address().is_pointer {
        return None;
    }
    let (word, is_pointer) = peer.vm.read_register(i.dst1);
    peer.vm.set_register(i.dst1, word, true);
    (!is_pointer).then_some(Repair::IncrementedTag)
}

fn decommit_target(
    vm: &EraVm,
    before: &Before,
    known_page: Option<u32>,
    chain: &Chain,
    pages: &mut Pages,
    peer: &mut Peer,
) -> Option<Repair> {
    let own_page = heap_page(vm.execution.frame().base_page);
    let code = chain.code(before.decommitted_hash());
    if known_page.is_none() {
        let heap = pages.peer(own_page)?;
        for (offset, &word) in (0..).step_by(32).zip(code) {
            peer.set_memory(heap, offset, word);
        }
    }
    let register = before.instruction.dst0;
    let (word, is_pointer) = peer.vm.read_register(register);
    let theirs = FatPointer::from_word(word);
    let has_copied = (0..)
        .step_by(32)
        .zip(code)
        .all(|(offset, &word)| is_pointer && peer.memory(theirs.page, offset) == word);
    if register == 0 || !has_copied {
        return None;
    }
    let page = known_page.unwrap_or(own_page);
    if is_code_page(page) {
        pages.add_copy(page, theirs.page);
    } else {
        let Value { word, is_pointer } = Value::pointer(FatPointer {
            page: pages.peer(page)?,
            ..theirs
        });
        peer.vm.set_register(register, word, is_pointer);
    }
    Some(Repair::DecommitTarget)
}
