//! Reads and writes of heaps, static memory and fat pointers.
//!
//! Rules: `matter-labs/zksync-protocol` `crates/zk_evm/src/opcodes/execution/uma.rs` (0.153.8).

use primitive_types::U256;

use crate::decode::Instruction;
use crate::exec::{Cx, Done, Fault, Next};
use crate::heap::{Heap, HeapSlot};
use crate::host::Host;
use crate::isa::Source;
use crate::observer::Observer;
use crate::outcome::PanicCause;
use crate::page_ids::STATIC_MEMORY_PAGE;
use crate::value::{FatPointer, Value};

/// Greatest offset of a 32-byte access: 2^32 - 33.
const LAST_OFFSET: u32 = u32::MAX - 32;

/// A memory addressed by offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Space {
    Heap,
    AuxHeap,
    Static,
}

/// `dst0 := space[src0 .. src0 + 32]`; with increment `dst1 := src0 + 32`.
#[inline(always)]
pub(super) fn read<H: Host, O: Observer>(
    cx: &mut Cx<'_, H, O>,
    i: &Instruction,
    space: Space,
) -> Done<H::Error> {
    let address = address(cx, i);
    let offset = reach(cx, space, address.word)?;
    let slot = slot(cx, space);
    let word = cx.ex.heaps.at(slot).read_word(offset);
    cx.set_register(i.dst0, Value::integer(word));
    if i.flag0 {
        cx.set_register(i.dst1, incremented(address, offset));
    }
    Ok(Next::Continue)
}

/// `space[src0 .. src0 + 32] := src1`; with increment `dst0 := src0 + 32`. In the bootloader's frame a write to the hook
/// slot hands over to the operator.
#[inline(always)]
pub(super) fn write<H: Host, O: Observer>(
    cx: &mut Cx<'_, H, O>,
    i: &Instruction,
    space: Space,
) -> Done<H::Error> {
    let address = address(cx, i);
    let word = cx.register(i.src1).word;
    let offset = reach(cx, space, address.word)?;
    let slot = slot(cx, space);
    cx.ex.set_memory(slot, offset, word, cx.observer);
    if i.flag0 {
        cx.set_register(i.dst0, Value::integer(incremented(address, offset).word));
    }
    if space == Space::Heap && offset == cx.ex.settings.hook_offset && cx.ex.callers.is_empty() {
        return Ok(Next::Suspend);
    }
    Ok(Next::Continue)
}

/// `dst0 := 32 bytes at pointer src0`, zero past its end; with increment `dst1 := src0` moved on by 32.
#[inline(always)]
pub(super) fn pointer_read<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, i: &Instruction) -> Done<H::Error> {
    let source = cx.pointer_register(i.src0);
    if !source.is_pointer {
        return Err(PanicCause::NotAPointer.into());
    }
    let pointer = FatPointer::from_word(source.word);
    let end = pointer
        .offset
        .checked_add(32)
        .ok_or(PanicCause::PointerOffsetOverflow)?;
    let word = if pointer.offset < pointer.length {
        let offset = pointer.start.wrapping_add(pointer.offset);
        let word = cx
            .ex
            .heaps
            .get(pointer.page)
            .map_or(U256::zero(), |heap| heap.read_word(offset));
        let beyond = end.saturating_sub(pointer.length) * 8;
        word >> beyond << beyond
    } else {
        U256::zero()
    };
    cx.set_register(i.dst0, Value::integer(word));
    if i.flag0 {
        cx.set_register(i.dst1, incremented(source, pointer.offset));
    }
    Ok(Next::Continue)
}

#[inline(always)]
fn address<H: Host, O: Observer>(cx: &Cx<'_, H, O>, i: &Instruction) -> Value {
    match i.source {
        Source::Immediate => Value::from(u64::from(i.imm0)),
        _ => cx.pointer_register(i.src0),
    }
}

/// The offset, once it is known to be in range and growth is paid. Too large an offset into a heap burns all ergs.
#[inline(always)]
fn reach<H: Host, O: Observer>(
    cx: &mut Cx<'_, H, O>,
    space: Space,
    address: U256,
) -> Result<u32, Fault<H::Error>> {
    let U256([low, high @ ..]) = address;
    let in_range = high[0] | high[1] | high[2] == 0 && low <= u64::from(LAST_OFFSET);
    let offset = low as u32;
    let frame = &mut cx.ex.frame;
    let bound = match space {
        Space::Heap => &mut frame.heap_bound,
        Space::AuxHeap => &mut frame.aux_heap_bound,
        Space::Static if in_range => return Ok(offset),
        Space::Static => {
            // Before the bound was fixed, the range check of every memory burnt ergs.
            if cx.ex.settings.unpaid_growth_raises_bound {
                frame.ergs = 0;
            }
            return Err(PanicCause::HeapOffsetTooLarge.into());
        }
    };
    let end = offset.wrapping_add(32);
    if in_range && end <= *bound {
        return Ok(offset);
    }
    let cost = if in_range {
        end.saturating_sub(*bound)
    } else {
        u32::MAX
    };
    let paid = cost <= frame.ergs;
    if (paid || cx.ex.settings.unpaid_growth_raises_bound) && end > *bound {
        *bound = end;
    }
    frame.ergs = frame.ergs.saturating_sub(cost);
    if !in_range {
        return Err(PanicCause::HeapOffsetTooLarge.into());
    }
    if paid {
        Ok(offset)
    } else {
        Err(PanicCause::UnpaidGrowth.into())
    }
}

#[inline(always)]
fn slot<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, space: Space) -> HeapSlot {
    match space {
        Space::Heap => cx.ex.frame.heap,
        Space::AuxHeap => cx.ex.frame.aux_heap,
        Space::Static => match cx.ex.heaps.slot(STATIC_MEMORY_PAGE) {
            Some(slot) => slot,
            None => cx.ex.add_memory(STATIC_MEMORY_PAGE, Heap::default(), cx.observer),
        },
    }
}

/// The address with its low 32 bits moved on by a word, tag kept.
fn incremented(address: Value, offset: u32) -> Value {
    let mut word = address.word;
    word.0[0] = word.0[0] & 0xffff_ffff_0000_0000 | u64::from(offset.wrapping_add(32));
    Value { word, ..address }
}
