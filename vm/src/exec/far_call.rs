//! Calls of other contracts: normal, delegate and mimic.
//!
//! A call that cannot start still enters a frame, without code, in which the next step panics. Order of work and
//! rules: `matter-labs/zksync-protocol` `crates/zk_evm/src/opcodes/execution/far_call.rs` (0.153.8).

use std::sync::Arc;

use primitive_types::{H160, U256};

use crate::code_hash::CodeHash;
use crate::decode::Instruction;
use crate::edit::program_on_page;
use crate::exec::{Cx, Done, Fault, Next};
use crate::flags::Flags;
use crate::frame::{CallKind, Frame};
use crate::host::{Answer, Host};
use crate::isa::{self, Opcode};
use crate::observer::Observer;
use crate::outcome::PanicCause;
use crate::page_ids::{NO_PAGE, PageNumbering, aux_heap_page, heap_page};
use crate::program::Program;
use crate::value::{self, FatPointer, Forwarding, Value};

/// The ABI word of a far call, upper half.
struct Abi {
    ergs: u32,
    forwarding: Forwarding,
    shard: u8,
    constructor: bool,
    system: bool,
}

/// A program with its page, or why there is none.
type Loaded = Result<(Arc<Program>, u32), PanicCause>;

/// What the callee's code turned out to be.
struct Target {
    /// Hash to decommit, construction mark cleared; or why there is nothing to call.
    code: Result<CodeHash, PanicCause>,
    /// The EVM emulator runs in place of an EVM contract.
    is_evm: bool,
    /// Free memory of a user frame: decided by the hash in storage, even when other code runs in its place.
    free_memory: u32,
}

/// Calls the contract at src1 with ABI src0; imm0 is where this frame goes on when the call fails.
pub(super) fn far_call<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, i: &Instruction) -> Done<H::Error> {
    let abi_word = cx.pointer_register(i.src0);
    let destination = value::address_of(cx.register(i.src1).word);
    let abi = read_abi(abi_word.word, cx.ex.frame.is_kernel, destination);
    let target = find_target(cx, i, &abi, destination)?;

    // From here on the state changes only after the host has answered everything.
    let pointer = calldata(abi_word, &abi);
    let mut failure = target.code.err().or(pointer.err());
    let calldata = if failure.is_some() {
        FatPointer::default()
    } else {
        own_page(cx, &abi, pointer.unwrap_or_default())
    };
    let growth = Growth::new(cx, &abi, abi_word.word, calldata);
    let mut ergs = if growth.paid {
        cx.ex.frame.ergs - growth.cost
    } else {
        0
    };
    if !growth.paid {
        failure = failure.or(Some(PanicCause::CallUnpaidGrowth));
    }
    let mut extra = if abi.system && value::low16(destination) == isa::MSG_VALUE_SIMULATOR {
        isa::MSG_VALUE_SIMULATOR_ERGS
    } else {
        0
    };
    if let Some(rest) = ergs.checked_sub(extra) {
        ergs = rest;
    } else {
        failure = failure.or(Some(PanicCause::CallUnpaidExtra));
        (ergs, extra) = (0, 0);
    }
    let new_base = cx.ex.next_page;
    let code = match (target.code, failure) {
        (Ok(hash), None) => load(cx, hash, new_base, &mut ergs)?,
        (_, failure) => Err(failure.expect("there is no code, so there is a reason")),
    };

    let passable = ergs / 64 * 63;
    let passed = abi.ergs.min(passable);
    cx.ex.frame.ergs = ergs - passed;
    growth.apply(cx);
    cx.ex.flags = Flags::none();
    enter(cx, i, &abi, &target, destination, code, passed + extra);
    set_registers(cx, i, &abi, &target, calldata);
    Ok(Next::OtherFrame)
}

fn read_abi(word: U256, caller_is_kernel: bool, destination: H160) -> Abi {
    let [_, shard, constructor, system] = ((word.0[3] >> 32) as u32).to_le_bytes();
    Abi {
        ergs: word.0[3] as u32,
        forwarding: Forwarding::of_abi(word),
        shard,
        constructor: constructor != 0 && caller_is_kernel,
        system: system != 0 && value::is_kernel(destination),
    }
}

/// Reads the callee's code hash and decides which code runs.
fn find_target<H: Host, O: Observer>(
    cx: &mut Cx<'_, H, O>,
    i: &Instruction,
    abi: &Abi,
    destination: H160,
) -> Result<Target, Fault<H::Error>> {
    if i.flag1 && abi.shard != 0 {
        let free_memory = isa::NEW_FRAME_MEMORY;
        return Ok(Target {
            code: Err(PanicCause::CallUnreachableShard),
            is_evm: false,
            free_memory,
        });
    }
    let hash = cx
        .host
        .code_hash(value::word_of(destination), cx.observer)
        .map_err(Fault::outside)?;
    cx.observer.answered(&Answer::CodeHash { hash });
    let settings = &cx.ex.settings;
    let default_account = || CodeHash::parse(settings.default_account);
    let is_kernel = value::is_kernel(destination);
    let in_its_place = |failure| {
        if is_kernel {
            Err(failure)
        } else {
            default_account().ok_or(failure)
        }
    };
    let parsed = CodeHash::parse(hash);
    let callable = parsed.is_some_and(|code| code.is_under_construction() == abi.constructor);
    let (code, is_evm) = match parsed {
        None if hash.is_zero() => (in_its_place(PanicCause::CallInvalidCode), false),
        None => (Err(PanicCause::CallInvalidCode), false),
        Some(_) if !callable => (in_its_place(PanicCause::CallUnderConstruction), false),
        Some(code) if code.is_evm() => (
            CodeHash::parse(settings.evm_emulator).ok_or(PanicCause::CallInvalidCode),
            true,
        ),
        Some(code) => (Ok(code), false),
    };
    let version = (hash.0[3] >> 56) as u8;
    let free_memory = if version == CodeHash::EVM_VERSION {
        isa::NEW_EVM_FRAME_MEMORY
    } else {
        isa::NEW_FRAME_MEMORY
    };
    Ok(Target {
        code,
        is_evm,
        free_memory,
    })
}

/// The calldata pointer without its page, when the ABI word is well-formed.
fn calldata(word: Value, abi: &Abi) -> Result<FatPointer, PanicCause> {
    let pointer = FatPointer::from_word(word.word);
    let overflows = pointer.start.checked_add(pointer.length).is_none();
    if abi.forwarding == Forwarding::Pointer {
        if !word.is_pointer {
            Err(PanicCause::CallPointerExpected)
        } else if overflows || pointer.offset > pointer.length {
            Err(PanicCause::CallMalformedPointer)
        } else {
            Ok(pointer.narrowed())
        }
    } else if word.is_pointer {
        Err(PanicCause::CallPointerUnexpected)
    } else if overflows || pointer.offset != 0 {
        Err(PanicCause::CallMalformedPointer)
    } else {
        Ok(pointer)
    }
}

fn own_page<H: Host, O: Observer>(cx: &Cx<'_, H, O>, abi: &Abi, pointer: FatPointer) -> FatPointer {
    let base = cx.ex.frame.base_page;
    match abi.forwarding {
        Forwarding::Pointer => pointer,
        Forwarding::Heap => FatPointer {
            page: heap_page(base),
            ..pointer
        },
        Forwarding::AuxHeap => FatPointer {
            page: aux_heap_page(base),
            ..pointer
        },
    }
}

/// Growth of the caller's memory up to the end of the calldata.
struct Growth {
    forwarding: Forwarding,
    end: u32,
    cost: u32,
    paid: bool,
}

impl Growth {
    fn new<H: Host, O: Observer>(cx: &Cx<'_, H, O>, abi: &Abi, word: U256, calldata: FatPointer) -> Self {
        let requested = FatPointer::from_word(word);
        let overflows = requested.start.checked_add(requested.length).is_none();
        let frame = &cx.ex.frame;
        let bound = match abi.forwarding {
            Forwarding::Pointer => {
                return Self {
                    forwarding: abi.forwarding,
                    end: 0,
                    cost: 0,
                    paid: true,
                };
            }
            Forwarding::Heap => frame.heap_bound,
            Forwarding::AuxHeap => frame.aux_heap_bound,
        };
        // A pointer past the end of memory is charged as if memory grew to its end.
        let end = if overflows {
            u32::MAX
        } else {
            calldata.start + calldata.length
        };
        let cost = end.saturating_sub(bound);
        Self {
            forwarding: abi.forwarding,
            end,
            cost,
            paid: cost <= frame.ergs,
        }
    }

    fn apply<H: Host, O: Observer>(&self, cx: &mut Cx<'_, H, O>) {
        let raises = self.paid || cx.ex.settings.unpaid_growth_raises_bound;
        let frame = &mut cx.ex.frame;
        let bound = match self.forwarding {
            Forwarding::Pointer => return,
            Forwarding::Heap => &mut frame.heap_bound,
            Forwarding::AuxHeap => &mut frame.aux_heap_bound,
        };
        if raises {
            *bound = self.end.max(*bound);
        }
    }
}

/// Pays for and loads the code: the program and its page, or why it could not be paid.
fn load<H: Host, O: Observer>(
    cx: &mut Cx<'_, H, O>,
    code: CodeHash,
    new_base: u32,
    ergs: &mut u32,
) -> Result<Loaded, Fault<H::Error>> {
    let hash = code.normalized();
    let known_page = cx
        .host
        .prepare_decommit(hash, cx.observer)
        .map_err(Fault::outside)?;
    cx.observer.answered(&Answer::Decommit { known_page });
    if known_page.is_none() {
        let Some(rest) = ergs.checked_sub(isa::ERGS_PER_CODE_WORD * u32::from(code.length_field())) else {
            return Ok(Err(PanicCause::CallUnpaidDecommit));
        };
        *ergs = rest;
    }
    let page = match cx.ex.settings.revision.pages() {
        PageNumbering::ByFrame => known_page.unwrap_or(new_base),
        PageNumbering::OneByOne => NO_PAGE,
    };
    let program = cx
        .host
        .decommit(hash, page, cx.observer)
        .map_err(Fault::outside)?;
    cx.observer.code_loaded(&program);
    // Code that `decommit` wrote to a heap runs as it is there now.
    Ok(Ok((program_on_page(&program, page, &cx.ex.heaps), page)))
}

fn enter<H: Host, O: Observer>(
    cx: &mut Cx<'_, H, O>,
    i: &Instruction,
    abi: &Abi,
    target: &Target,
    destination: H160,
    code: Loaded,
    ergs: u32,
) {
    let ex = &mut *cx.ex;
    let (kind, this, caller, context) = match i.opcode {
        Opcode::FarCallDelegate => (
            CallKind::Delegate,
            ex.frame.this,
            ex.frame.caller,
            ex.frame.context,
        ),
        Opcode::FarCallMimic => (
            CallKind::Mimic,
            destination,
            value::address_of(ex.registers[15]),
            ex.context_register,
        ),
        _ => (CallKind::Normal, destination, ex.frame.this, ex.context_register),
    };
    let base_page = ex.next_page;
    ex.next_page += ex.settings.revision.pages().per_frame();
    ex.context_register = 0;
    let is_kernel = value::is_kernel(this);
    let memory = if is_kernel {
        isa::NEW_KERNEL_FRAME_MEMORY
    } else {
        target.free_memory
    };
    ex.pending_panic = code.as_ref().err().copied();
    let (program, code_page) = code.unwrap_or_else(|_| (Program::empty(), NO_PAGE));
    cx.host.enter_frame();
    cx.observer.frame_entering(cx.ex, false);
    let ex = &mut *cx.ex;
    let new = Frame {
        kind,
        this,
        caller,
        code_address: destination,
        program,
        code_page,
        base_page,
        calldata_page: 0,
        // A precompile may have written there already: kernel code names any page.
        heap: ex.heaps.slot_or_insert(heap_page(base_page)),
        aux_heap: ex.heaps.slot_or_insert(aux_heap_page(base_page)),
        stack: ex.leftovers.stack(),
        context,
        is_static: (ex.frame.is_static || i.flag0) && !target.is_evm,
        is_kernel,
        is_system_call: abi.system,
        is_constructor_call: abi.constructor,
        heap_bound: memory,
        aux_heap_bound: memory,
        kept_pages: ex.leftovers.page_list(),
        kept_before: 0,
        waiting: ex.leftovers.near_frames(),
        waited: 0,
        pc: 0,
        sp: 0,
        exception_handler: i.imm0,
        ergs,
        entered_at: ex.steps,
    };
    ex.callers.push(std::mem::replace(&mut ex.frame, new));
    ex.depth += 1;
}

/// What the callee finds in the registers: calldata, marks, extra ABI data of system calls.
fn set_registers<H: Host, O: Observer>(
    cx: &mut Cx<'_, H, O>,
    i: &Instruction,
    abi: &Abi,
    target: &Target,
    calldata: FatPointer,
) {
    let caller_is_static = cx.ex.callers.last().is_some_and(|caller| caller.is_static);
    let static_evm_call = target.is_evm && (caller_is_static || i.flag0);
    let marks = u64::from(abi.constructor) | u64::from(abi.system) << 1 | u64::from(static_evm_call) << 2;
    cx.ex.frame.calldata_page = calldata.page;
    cx.set_register(1, Value::pointer(calldata));
    cx.set_register(2, Value::from(marks));
    let mut first_cleared = 3;
    if abi.system {
        for index in 3..13 {
            let word = cx.ex.registers[index as usize];
            cx.set_register(index, Value::integer(word));
        }
        first_cleared = 13;
    }
    cx.ex.clear_registers(first_cleared, cx.observer);
    cx.observer.frame_entered(cx.ex, false);
    cx.host.contract_called(cx.ex);
}
