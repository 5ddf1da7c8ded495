//! Code as data.

use primitive_types::U256;

use crate::code_hash::CodeHash;
use crate::decode::Instruction;
use crate::exec::{Cx, Done, Fault, Next};
use crate::heap::Heap;
use crate::host::{Answer, Host};
use crate::isa;
use crate::observer::Observer;
use crate::page_ids::{NO_PAGE, PageNumbering, heap_page, is_code_page};
use crate::value::{FatPointer, Value};

/// `dst0 := pointer to the code with hash src0`, for the low 32 bits of src1 as extra ergs.
///
/// Fresh code is written to the current heap, and that page is remembered; known code lies where it was decommitted
/// first, and the extra ergs are given back. Where pages are numbered one by one, each decommit makes a copy. A
/// malformed hash or too few ergs give zero, without a panic.
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
    let is_known = known_page.is_some();
    let page = match cx.ex.settings.revision.pages() {
        PageNumbering::ByFrame => write_or_find(cx, hash, known_page)?,
        PageNumbering::OneByOne => copy(cx, hash)?,
    };
    Ok((page, is_known))
}

/// The page where the code was decommitted to first, which is the current heap when it is fresh.
fn write_or_find<H: Host, O: Observer>(
    cx: &mut Cx<'_, H, O>,
    hash: U256,
    known_page: Option<u32>,
) -> Result<u32, H::Error> {
    let page = known_page.unwrap_or_else(|| heap_page(cx.ex.frame.base_page));
    if known_page.is_none() {
        let program = cx.host.decommit(hash, page, cx.observer)?;
        cx.observer.code_loaded(&program);
        let heap = cx.ex.frame.heap;
        for (index, &word) in program.words().iter().enumerate() {
            cx.ex.set_memory(heap, index as u32 * 32, word, cx.observer);
        }
    } else if is_code_page(page) && cx.ex.heaps.get(page).is_none() {
        let program = cx.host.decommit(hash, page, cx.observer)?;
        cx.observer.code_loaded(&program);
        cx.ex
            .add_memory(page, Heap::from_words(program.words()), cx.observer);
    }
    Ok(page)
}

/// A page of its own for a copy of the code, which lives until the frame ends.
fn copy<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, hash: U256) -> Result<u32, H::Error> {
    let program = cx.host.decommit(hash, NO_PAGE, cx.observer)?;
    cx.observer.code_loaded(&program);
    let page = heap_page(cx.ex.next_page);
    cx.ex.next_page += 1;
    cx.ex
        .add_memory(page, Heap::from_words(program.words()), cx.observer);
    cx.ex.frame.kept_pages.push(page);
    Ok(page)
}
