//! Precompile calls: memory in, memory out.

use primitive_types::U256;

use crate::decode::Instruction;
use crate::exec::{Cx, Done, Fault, Next};
use crate::execution::Execution;
use crate::heap::Heap;
use crate::host::{Answer, Host};
use crate::observer::Observer;
use crate::page_ids::{PageNumbering, heap_page, stack_page};
use crate::precompile::{Precompile, PrecompileAbi, ReadWord};
use crate::value::{Value, low16};

/// Words of a page that bytes can address; a precompile's word index can be larger.
const ADDRESSABLE_WORDS: u32 = 1 << 27;

/// Runs the precompile that the kernel address selects with ABI src0; src1 holds extra ergs (low 32 bits) and extra
/// pubdata (next 32 bits). `dst0 := 1`; with too few ergs all are taken and `dst0 := 0`.
pub(super) fn call<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, i: &Instruction) -> Done<H::Error> {
    let extra = cx.register(i.src1).word.0[0];
    let ergs_before = cx.ex.frame.ergs;
    if !cx.charge(extra as u32) {
        cx.set_register(i.dst0, Value::ZERO);
        return Ok(Next::Continue);
    }
    let mut abi = PrecompileAbi::from_word(cx.register(i.src0).word);
    let own = heap_page(cx.ex.frame.base_page);
    for page in [&mut abi.page_to_read, &mut abi.page_to_write] {
        if *page == 0 {
            *page = own;
        }
    }
    let address = low16(cx.ex.frame.this);
    if let Some(precompile) = Precompile::at(address, cx.ex.settings.ec_precompiles)
        && let Err(error) = run(cx, precompile, &abi)
    {
        cx.ex.frame.ergs = ergs_before;
        return Err(Fault::outside(error));
    }
    cx.host.add_pubdata((extra >> 32) as i32, cx.observer);
    cx.set_register(i.dst0, Value::from(1));
    Ok(Next::Continue)
}

fn run<H: Host, O: Observer>(
    cx: &mut Cx<'_, H, O>,
    precompile: Precompile,
    abi: &PrecompileAbi,
) -> Result<(), H::Error> {
    let output = if let Some(output) = precompile.hash(abi, &Memory(cx.ex)) {
        output
    } else {
        let input = precompile.input(abi, &Memory(cx.ex));
        let output = cx.host.precompile(precompile, &input)?;
        cx.observer.answered(&Answer::Precompile { output });
        output
    };
    for (index, &word) in output.words().iter().enumerate() {
        let index = abi.output_offset.wrapping_add(index as u32);
        if index < ADDRESSABLE_WORDS {
            let slot = match cx.ex.heaps.slot(abi.page_to_write) {
                Some(slot) => slot,
                None => cx.ex.add_memory(abi.page_to_write, Heap::default(), cx.observer),
            };
            cx.ex.set_memory(slot, index * 32, word, cx.observer);
        }
    }
    Ok(())
}

/// All pages as precompiles read them: kernel code may name any page.
struct Memory<'a>(&'a Execution);

impl ReadWord for Memory<'_> {
    fn read_word(&self, page: u32, index: u32) -> U256 {
        if index >= ADDRESSABLE_WORDS {
            return U256::zero();
        }
        if let Some(heap) = self.0.heaps.get(page) {
            return heap.read_word(index * 32);
        }
        let Ok(index) = u16::try_from(index) else {
            return U256::zero();
        };
        if self.0.settings.revision.pages() == PageNumbering::OneByOne {
            return U256::zero();
        }
        self.0
            .frames()
            .find_map(|frame| {
                if page == frame.code_page {
                    Some(frame.program.word(index))
                } else if page == stack_page(frame.base_page) {
                    Some(frame.stack.read(index).word)
                } else {
                    None
                }
            })
            .unwrap_or_default()
    }
}
