//! Where `zksync_vm2` 0.5.0 deviates from `zk_evm` 0.153.8, which decides. This is the whole list.
//!
//! A case ends, counted, at the step where an [`Exclusion`] holds: conditions are about our machine only, never about
//! what the two have made of it. A [`Repair`] corrects the peer instead, and everything is compared as ever. Nothing is
//! compared less.
//!
//! Left out of programs altogether: static memory (the peer has no implementation and ends the process), and the kernel
//! address 0x8012 (the memories of `CodeOracle` outlive its frame in `zk_evm`, and not in the peer).

use eradbg_vm::code_hash::CodeHash;
use eradbg_vm::page_ids::{NO_PAGE, PageNumbering, heap_page};
use eradbg_vm::precompile::{Precompile, PrecompileAbi};
use eradbg_vm::value::low16;
use eradbg_vm::{EraVm, Opcode, U256};

use crate::before::Before;
use crate::case::Chain;
use crate::pages::Pages;
use crate::repairs;

/// Words that byte offsets of 32 bits can address.
const ADDRESSABLE_WORDS: u64 = 1 << 27;

/// Longest input of a hash function, and most rounds or pairs, that are worth the time.
const LONGEST_INPUT: u32 = 1 << 16;
const MOST_ROUNDS: u64 = 64;
const MOST_PAIRS: u64 = 3;

macro_rules! reasons {
    ($(#[$attribute:meta])* $name:ident: $($variant:ident $reason:literal;)*) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $(#[doc = $reason] $variant,)* }

        impl $name {
            /// Each of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// In a sentence without a full stop.
            pub const fn reason(self) -> &'static str {
                match self { $(Self::$variant => $reason,)* }
            }
        }
    };
}

reasons! {
    /// Why a case ends before a step, or right after it.
    Exclusion:
    StaticMemory "random words became an access to static memory, at which the peer ends the process";
    Shard "a far call with a shard: the peer reads the code hash, zk_evm does not";
    UnpaidPrecompile "a precompile call with too few ergs: the peer panics, zk_evm gives 0";
    PrecompilePage "a precompile call names a page that is no heap of the peer, which would end the process";
    PrecompileRange "a precompile call far beyond what bytes can address: the peer wraps around at 2^32 bytes";
    LongPrecompile "a precompile call with so long an input that neither machine should be kept busy with it";
    EcrecoverParity "an ecrecover call with another parity than 0 or 1, at which the peer ends the process";
    Pubdata "a precompile call declares so much pubdata that zk_evm asserts it away";
    MarkedDecommit "a decommit of a hash with a construction mark: the peer remembers it as another hash";
    TransientCleared "the transaction number is raised with frames open that wrote transient storage: the peer cannot roll back beyond";
    OlderHeapReturned "a kernel contract returns a heap of an older frame: the peer frees it when the caller ends";
    ForeignPointerReturned "a user contract returns a page that is older than itself and not its calldata: the peer lets it";
    RewrittenCode "a far call runs code that decommit wrote to a heap and that has changed there since";
    HookNumber "the root frame writes a hook number above 2^32: the peer ends the process";
    TwofoldOperand "one register is both a pointer to hand over and a number made of it, and the pages have two names";
    FailedStaticEvmCall "a static call of an EVM contract fails: the peer forgets that the emulator was to run, for the step of the panic";
}

reasons! {
    /// What is corrected in the peer.
    Repair:
    TranslatedNumber "page ids that kernel code turns into numbers are those of zk_evm";
    TranslatedPage "pages that a precompile call names are found by the ids of zk_evm";
    OutputLength "a precompile writes its whole output, whatever length the call states";
    DecommitTarget "decommit writes fresh code to the current heap, and known code lies where it did";
    FailedCallPointer "a far call that fails for ergs hands its calldata pointer to the frame that panics";
    EvmFrameMemory "free memory of a frame goes by the code hash in storage, even if other code runs or none";
    IncrementedTag "a heap read with increment keeps the tag of its address";
}

/// Why the step that comes next cannot be compared.
pub fn before_step(vm: &EraVm, before: &Before, pages: &Pages) -> Option<Exclusion> {
    let (i, frame) = (&before.instruction, vm.execution.frame());
    if !before.pending && matches!(i.opcode, Opcode::StaticRead | Opcode::StaticWrite) {
        return Some(Exclusion::StaticMemory);
    }
    if !before.executes {
        return None;
    }
    match i.opcode {
        Opcode::FarCall | Opcode::FarCallDelegate | Opcode::FarCallMimic => {
            far_call(before, frame.is_kernel, pages)
        }
        Opcode::Precompile => precompile(vm, before, pages),
        Opcode::Decommit => {
            let is_marked = CodeHash::parse(before.src0().word).is_some_and(CodeHash::is_under_construction);
            (before.decommit.is_some() && is_marked).then_some(Exclusion::MarkedDecommit)
        }
        Opcode::ContextIncrementTx => {
            let is_open = vm.execution.depth() > 1 && !vm.state.transient_storage().is_empty();
            is_open.then_some(Exclusion::TransientCleared)
        }
        Opcode::RetOk | Opcode::RetRevert if !frame.is_near() => ret(vm, before, pages.numbering()),
        Opcode::HeapWrite => {
            let is_hook = vm.execution.callers().is_empty()
                && before.address().word == U256::from(vm.execution.settings().hook_offset);
            (is_hook && before.src1().word.bits() > 32).then_some(Exclusion::HookNumber)
        }
        _ => None,
    }
}

/// Why the far frame that was just entered cannot be compared.
pub fn after_far_call(vm: &EraVm, before: &Before, chain: &Chain) -> Option<Exclusion> {
    let frame = vm.execution.frame();
    let has_failed = vm.execution.pending_panic().is_some();
    if has_failed {
        let code = CodeHash::parse(repairs::code_hash(vm, chain, frame.code_address));
        let is_evm = code
            .is_some_and(|code| code.is_evm() && code.is_under_construction() == frame.is_constructor_call);
        let is_static = before.is_static || before.instruction.flag0;
        return (is_evm && is_static).then_some(Exclusion::FailedStaticEvmCall);
    }
    let program = &frame.program;
    (program.words() != chain.code(program.hash())).then_some(Exclusion::RewrittenCode)
}

fn far_call(before: &Before, is_kernel: bool, pages: &Pages) -> Option<Exclusion> {
    let i = &before.instruction;
    let shard = (before.src0().word.0[3] >> 40) as u8;
    if i.flag1 && shard != 0 {
        return Some(Exclusion::Shard);
    }
    let becomes_number = i.src0 == i.src1 || i.opcode == Opcode::FarCallMimic && i.src0 == 15;
    let has_two_names = pages.peer(before.pointer().page) != Some(before.pointer().page);
    let is_twofold = is_kernel && before.src0().is_pointer && becomes_number && has_two_names;
    is_twofold.then_some(Exclusion::TwofoldOperand)
}

fn ret(vm: &EraVm, before: &Before, numbering: PageNumbering) -> Option<Exclusion> {
    let (frame, pointer) = (vm.execution.frame(), before.pointer());
    let is_handed_on =
        before.forwards_pointer() && before.src0().is_pointer && pointer.offset <= pointer.length;
    if !is_handed_on || pointer.page >= numbering.first_of(frame.base_page) {
        return None;
    }
    if !frame.is_kernel {
        return (pointer.page != frame.calldata_page).then_some(Exclusion::ForeignPointerReturned);
    }
    // Returned to the root frame, or owned by the caller, it does not die too early.
    let caller = vm
        .execution
        .callers()
        .last()
        .filter(|_| vm.execution.callers().len() > 1)?;
    let is_older = pointer.page < numbering.first_of(caller.base_page);
    let is_calldata = pointer.page == numbering.bootloader_calldata();
    (is_older && !is_calldata && is_heap(pointer.page, numbering)).then_some(Exclusion::OlderHeapReturned)
}

fn precompile(vm: &EraVm, before: &Before, pages: &Pages) -> Option<Exclusion> {
    let extra = before.src1().word.0[0];
    if extra as u32 > before.ergs(&vm.execution) {
        return Some(Exclusion::UnpaidPrecompile);
    }
    let pubdata = i32::try_from(extra >> 32).ok();
    if pubdata
        .and_then(|bytes| vm.state.pubdata().checked_add(bytes))
        .is_none()
    {
        return Some(Exclusion::Pubdata);
    }
    let abi = PrecompileAbi::from_word(before.src0().word);
    let is_heap = |page| page == NO_PAGE || is_heap(page, pages.numbering());
    let is_read = |page| pages.peer(page).is_some() && is_heap(page);
    let is_written = |page| page == NO_PAGE || is_heap(page) && vm.execution.heaps().get(page).is_some();
    if !is_read(abi.page_to_read) || !is_read(abi.page_to_write) || !is_written(abi.page_to_write) {
        return Some(Exclusion::PrecompilePage);
    }
    let precompile = Precompile::at(low16(vm.execution.frame().this), true)?;
    let is_long = match precompile {
        Precompile::Keccak256 => abi.input_length > LONGEST_INPUT,
        Precompile::Sha256 => abi.interpreted > MOST_ROUNDS,
        Precompile::EcPairing => abi.interpreted > MOST_PAIRS,
        _ => false,
    };
    if is_long {
        return Some(Exclusion::LongPrecompile);
    }
    let input_end = match precompile {
        Precompile::Keccak256 => (u64::from(abi.input_offset) + u64::from(abi.input_length)).div_ceil(32),
        Precompile::Sha256 => u64::from(abi.input_offset) + 2 * abi.interpreted,
        Precompile::EcPairing => u64::from(abi.input_offset) + 6 * abi.interpreted,
        _ => u64::from(abi.input_offset) + 5,
    };
    let is_far = input_end >= ADDRESSABLE_WORDS || u64::from(abi.output_offset) + 3 >= ADDRESSABLE_WORDS;
    if is_far {
        return Some(Exclusion::PrecompileRange);
    }
    let has_odd_parity = precompile == Precompile::Ecrecover && parity(vm, &abi) > 1;
    has_odd_parity.then_some(Exclusion::EcrecoverParity)
}

/// Whether a page of ours is a heap in the peer too: code has no page of its own there, but copies that come and go.
fn is_heap(page: u32, numbering: PageNumbering) -> bool {
    match numbering {
        PageNumbering::ByFrame => page % numbering.per_frame() > 1,
        PageNumbering::OneByOne => true,
    }
}

/// Second word of the input; only its lowest byte counts.
fn parity(vm: &EraVm, abi: &PrecompileAbi) -> u8 {
    let page = match abi.page_to_read {
        0 => heap_page(vm.execution.frame().base_page),
        page => page,
    };
    let offset = abi.input_offset.wrapping_add(1).wrapping_mul(32);
    vm.execution
        .heaps()
        .get(page)
        .map_or(0, |heap| heap.read_word(offset).byte(0))
}
