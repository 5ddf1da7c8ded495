//! Code as data.

use crate::code_hash::CodeHash;
use crate::decode::Instruction;
use crate::exec::{Cx, Done, Fault, Next};
use crate::frame::{self, heap_page};
use crate::heap::Heap;
use crate::host::{Answer, Host};
use crate::isa;
use crate::observer::Observer;
use crate::value::{FatPointer, Value};

/// `dst0 := pointer to the code with hash src0`, for the low 32 bits of src1 as extra ergs.
///
/// Fresh code is written to the current heap, and that page is remembered; known code lies where it was decommitted
/// first, and the extra ergs are given back. A malformed hash or too few ergs give zero, without a panic.
pub(super) fn decommit<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, i: &Instruction) -> Done<H::Error> {
    let hash = cx.register(i.src0).word;
    let extra = cx.register(i.src1).word.low_u32();
    let ergs_before = cx.ex.frame.ergs;
    if !cx.charge(extra) {
        cx.set_register(i.dst0, Value::ZERO);
        return Ok(Next::Continue);
    }
    let Some(code) = CodeHash::parse(hash) else {
        cx.set_register(i.dst0, Value::ZERO);
        return Ok(Next::Continue);
    };
    match locate(cx, code) {
        Ok((page, is_known)) => {
            if is_known {
                cx.ex.frame.ergs += extra;
            }
            let pointer = FatPointer {
                page,
                length: isa::NEW_KERNEL_FRAME_MEMORY,
                ..FatPointer::default()
            };
            cx.set_register(i.dst0, Value::pointer(pointer));
            Ok(Next::Continue)
        }
        Err(error) => {
            cx.ex.frame.ergs = ergs_before;
            Err(Fault::outside(error))
        }
    }
}

/// The page with the code, and whether it was there before.
fn locate<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, code: CodeHash) -> Result<(u32, bool), H::Error> {
    let hash = code.normalized();
    let known_page = cx.host.prepare_decommit(hash, cx.observer)?;
    cx.observer.answered(&Answer::Decommit { known_page });
    let own_page = heap_page(cx.ex.frame.base_page);
    let page = known_page.unwrap_or(own_page);
    let is_code_page = page.is_multiple_of(frame::PAGES_PER_FRAME);
    if known_page.is_none() {
        let program = cx.host.decommit(hash, page, cx.observer)?;
        cx.observer.code_loaded(&program);
        let heap = cx.ex.frame.heap;
        for (index, &word) in program.words().iter().enumerate() {
            cx.ex.set_memory(heap, index as u32 * 32, word, cx.observer);
        }
    } else if is_code_page && cx.ex.heaps.get(page).is_none() {
        let program = cx.host.decommit(hash, page, cx.observer)?;
        cx.observer.code_loaded(&program);
        cx.ex
            .add_memory(page, Heap::from_words(program.words()), cx.observer);
    }
    Ok((page, known_page.is_some()))
}
