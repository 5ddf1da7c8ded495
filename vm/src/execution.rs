//! The state of execution: registers, flags, frames and memories. What lives on the chain is in
//! [`VmState`](crate::VmState).

mod rollback;

use std::sync::Arc;

use primitive_types::{H160, U256};

pub use rollback::ExecutionSnapshot;

use crate::batch::SystemEnv;
use crate::bootloader::Layout;
use crate::flags::Flags;
use crate::frame::{CallKind, Frame, NearFrame};
use crate::heap::{Heap, HeapPage, HeapSlot, Heaps};
use crate::kept::KeptPages;
use crate::leftovers::Leftovers;
use crate::observer::Observer;
use crate::outcome::{End, PanicCause};
use crate::page_ids::{aux_heap_page, heap_page, stack_page};
use crate::paged::Dirty;
use crate::program::Program;
use crate::protocol::Revision;
use crate::stack::{Stack, StackPage};
use crate::storage::BOOTLOADER;
use crate::value::{FatPointer, Value};
use rollback::Journal;

/// What stays fixed while a batch runs and decides how instructions behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Hash of the default account's code.
    pub default_account: U256,
    /// Hash of the EVM emulator's code; the default account's where there is none.
    pub evm_emulator: U256,
    /// Byte offset of the hook slot in the bootloader's heap.
    pub hook_offset: u32,
    /// A heap bound is raised even when the growth could not be paid (protocol versions before 27).
    pub unpaid_growth_raises_bound: bool,
    /// Precompiles on curves and modexp exist (protocol versions from 28 on).
    pub ec_precompiles: bool,
    /// Release of the official VMs that decides where releases differ.
    pub revision: Revision,
}

impl Settings {
    /// The settings of batches in a system.
    pub fn of(system: &SystemEnv) -> Self {
        let protocol = system.version.protocol();
        let evm_emulator = system.evm_emulator.as_ref();
        Self {
            default_account: system.default_account.hash,
            evm_emulator: evm_emulator.unwrap_or(&system.default_account).hash,
            hook_offset: Layout::of(system.version).hook as u32 * 32,
            unpaid_growth_raises_bound: protocol.unpaid_growth_raises_bound,
            ec_precompiles: protocol.ec_precompiles,
            revision: system.revision,
        }
    }
}

/// What lasts for long, told by its changes between two keyframes: memories, and lists of far frames.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lives {
    /// Page ids of memories that live and did not before, in order.
    pub born: Vec<u32>,
    /// Page ids of memories that lived before and do not now, in order.
    pub gone: Vec<u32>,
    /// Lists of each far frame, outermost first.
    pub frames: Vec<FrameLists>,
}

/// Lists of a far frame that grow and shrink at their ends, told by their changes between two keyframes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FrameLists {
    /// Pages that it keeps alive.
    pub kept: Growth<u32>,
    /// Near frames that wait in it.
    pub waiting: Growth<NearFrame>,
}

/// How a list changed between two keyframes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Growth<T> {
    /// How many entries that the far frame at the same place in the call stack had are still there: the first ones.
    pub inherited: u32,
    /// Those that came.
    pub added: Vec<T>,
}

/// Everything that an instruction reads and writes, storage and logs aside.
#[derive(Debug, Clone)]
pub struct Execution {
    /// Registers r0 to r15; r0 stays zero.
    pub(crate) registers: [U256; 16],
    /// Whether registers hold fat pointers.
    pub(crate) pointers: [bool; 16],
    /// Condition flags.
    pub(crate) flags: Flags,
    /// The 128-bit value that the next far call carries.
    pub(crate) context_register: u128,
    /// Transaction number in the batch.
    pub(crate) tx_number: u16,
    /// First page of the next far call's frame.
    pub(crate) next_page: u32,
    /// Steps executed since the machine was made; no rollback takes them back.
    pub(crate) steps: u64,
    /// Why the next step is the panic of the one before.
    pub(crate) pending_panic: Option<PanicCause>,
    /// The frame that runs.
    pub(crate) frame: Frame,
    /// Far frames that wait, outermost first.
    pub(crate) callers: Vec<Frame>,
    /// Near and far frames.
    pub(crate) depth: u32,
    /// Memories by page id.
    pub(crate) heaps: Heaps,
    /// How the root frame ended, when it has.
    pub(crate) ended: Option<End>,
    /// Fixed while the batch runs.
    pub(crate) settings: Settings,
    /// Old values of memory that a snapshot must be able to restore.
    journal: Option<Journal>,
    /// What ended frames leave for new ones.
    pub(crate) leftovers: Leftovers,
}

impl Execution {
    /// A machine at the bootloader's first instruction.
    ///
    /// Values of the first frame: `matter-labs/zksync-era` `core/lib/multivm/src/versions/vm_fast/vm.rs`.
    pub fn new(bootloader: Arc<Program>, ergs: u32, settings: Settings) -> Self {
        let pages = settings.revision.pages();
        let (base_page, calldata_page) = (pages.bootloader_base(), pages.bootloader_calldata());
        let mut heaps = Heaps::default();
        let frame = Frame {
            kind: CallKind::Normal,
            this: BOOTLOADER,
            caller: H160::zero(),
            code_address: BOOTLOADER,
            program: bootloader,
            code_page: base_page,
            base_page,
            calldata_page,
            heap: heaps.insert(heap_page(base_page), Heap::default()),
            aux_heap: heaps.insert(aux_heap_page(base_page), Heap::default()),
            stack: Stack::default(),
            context: 0,
            is_static: false,
            is_kernel: true,
            is_system_call: false,
            is_constructor_call: false,
            heap_bound: u32::MAX,
            aux_heap_bound: u32::MAX,
            kept_pages: KeptPages::default(),
            kept_before: 0,
            waiting: Vec::new(),
            waited: 0,
            pc: 0,
            sp: 0,
            exception_handler: u16::MAX,
            ergs,
            entered_at: 0,
        };
        let calldata = FatPointer {
            page: calldata_page,
            ..FatPointer::default()
        };
        let mut registers = [U256::zero(); 16];
        registers[1] = calldata.to_word();
        Self {
            registers,
            pointers: std::array::from_fn(|index| index == 1),
            flags: Flags::none(),
            context_register: 0,
            tx_number: 0,
            next_page: pages.first_base(),
            steps: 0,
            pending_panic: None,
            frame,
            callers: Vec::new(),
            depth: 1,
            heaps,
            ended: None,
            settings,
            journal: None,
            leftovers: Leftovers::default(),
        }
    }

    /// The value of a register.
    #[inline]
    pub fn register(&self, index: u8) -> Value {
        let index = index as usize & 15;
        Value {
            word: self.registers[index],
            is_pointer: self.pointers[index],
        }
    }

    /// All registers.
    pub fn registers(&self) -> [Value; 16] {
        core::array::from_fn(|index| self.register(index as u8))
    }

    /// Condition flags.
    pub fn flags(&self) -> Flags {
        self.flags
    }

    /// The 128-bit value that the next far call carries.
    pub fn context_register(&self) -> u128 {
        self.context_register
    }

    /// Transaction number in the batch, as logs carry it.
    pub fn tx_number(&self) -> u16 {
        self.tx_number
    }

    /// First page of the next far call's frame.
    pub fn next_page(&self) -> u32 {
        self.next_page
    }

    /// Steps executed since the machine was made.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Why the next step is the panic of the one before.
    pub fn pending_panic(&self) -> Option<PanicCause> {
        self.pending_panic
    }

    /// The far frame that runs, with its near frames.
    #[inline]
    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    /// Far frames that wait, outermost first.
    pub fn callers(&self) -> &[Frame] {
        &self.callers
    }

    /// All far frames, outermost first.
    pub fn frames(&self) -> impl DoubleEndedIterator<Item = &Frame> {
        self.callers.iter().chain(std::iter::once(&self.frame))
    }

    fn frames_mut(&mut self) -> impl Iterator<Item = &mut Frame> {
        self.callers.iter_mut().chain(std::iter::once(&mut self.frame))
    }

    /// Near and far frames on the call stack; the bootloader alone is 1.
    pub fn depth(&self) -> u32 {
        self.depth
    }

    /// Memories by page id.
    pub fn heaps(&self) -> &Heaps {
        &self.heaps
    }

    /// How the root frame ended, when it has.
    pub fn ended(&self) -> Option<&End> {
        self.ended.as_ref()
    }

    /// What stays fixed while the batch runs.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Page of the bootloader's heap.
    pub fn bootloader_heap_page(&self) -> u32 {
        heap_page(self.settings.revision.pages().bootloader_base())
    }

    /// The bootloader's heap.
    pub fn bootloader_heap(&self) -> &Heap {
        self.heaps
            .get(self.bootloader_heap_page())
            .expect("the bootloader's heap never dies")
    }

    /// Bytes that a fat pointer spans, `offset` on.
    pub fn read_pointer(&self, pointer: FatPointer) -> Vec<u8> {
        let mut bytes = vec![0; pointer.length.saturating_sub(pointer.offset) as usize];
        if let Some(heap) = self.heaps.get(pointer.page) {
            heap.read_bytes(pointer.start.wrapping_add(pointer.offset), &mut bytes);
        }
        bytes
    }

    /// Writes a word of the bootloader's heap between two steps, as the operator does.
    pub fn operator_write<O: Observer>(&mut self, slot: u32, word: U256, observer: &mut O) {
        let heap = self.root().heap;
        let old = self.heaps.at(heap).read_word(slot * 32);
        observer.operator_write(slot, old, word);
        self.write_memory(heap, slot * 32, word);
    }

    /// Clears all marks of written words, calling `f` for each page written since the last call, with the page id of its
    /// memory or stack.
    pub fn take_dirty(&mut self, mut f: impl FnMut(u32, DirtyPage<'_>)) {
        self.heaps
            .take_dirty(|space, page| f(space, DirtyPage::Heap(page)));
        for frame in self.frames_mut() {
            let space = stack_page(frame.base_page);
            frame
                .stack
                .pages_mut()
                .take_dirty(|page| f(space, DirtyPage::Stack(page)));
        }
        self.touch_frames();
    }

    /// From now on it is known what changes of the things that last, and which memories may have been written to.
    pub fn start_tracking(&mut self) {
        self.heaps.start_tracking();
        for frame in self.frames_mut() {
            frame.kept_before = frame.kept_pages.len() as u32;
            frame.waited = frame.waiting.len() as u32;
        }
        self.touch_frames();
    }

    /// What changed of the things that last since the last call or the start of tracking; without a start, all of them.
    pub fn take_lives(&mut self) -> Lives {
        let (born, gone) = self.heaps.take_lives();
        self.touch_frames();
        let frames = self.frames_mut().map(|frame| {
            let kept = std::mem::replace(&mut frame.kept_before, frame.kept_pages.len() as u32);
            let waited = std::mem::replace(&mut frame.waited, frame.waiting.len() as u32);
            FrameLists {
                kept: Growth {
                    inherited: kept,
                    added: frame.kept_pages.after(kept as usize),
                },
                waiting: Growth {
                    inherited: waited,
                    added: frame.waiting[waited as usize..].to_vec(),
                },
            }
        });
        let frames = frames.collect();
        Lives { born, gone, frames }
    }

    /// Frames write to their memories.
    fn touch_frames(&mut self) {
        for frame in self.callers.iter().chain(std::iter::once(&self.frame)) {
            self.heaps.touch(heap_page(frame.base_page));
            self.heaps.touch(aux_heap_page(frame.base_page));
        }
    }

    /// The bootloader's frame.
    fn root(&self) -> &Frame {
        self.callers.first().unwrap_or(&self.frame)
    }

    /// Looks the memories of all frames up again, after they were restored.
    pub(crate) fn relink_frames(&mut self) {
        let heaps = &mut self.heaps;
        for frame in self.callers.iter_mut().chain(std::iter::once(&mut self.frame)) {
            relink(frame, heaps);
        }
    }

    /// Sets a register; writes to r0 are lost.
    #[inline(always)]
    pub(crate) fn set_register<O: Observer>(&mut self, index: u8, value: Value, observer: &mut O) {
        if index != 0 {
            if O::WATCHES {
                observer.register(index, self.register(index), value);
            }
            self.registers[index as usize & 15] = value.word;
            self.pointers[index as usize & 15] = value.is_pointer;
        }
    }

    /// Sets a stack slot of the current frame.
    #[inline(always)]
    pub(crate) fn set_stack<O: Observer>(&mut self, slot: u16, value: Value, observer: &mut O) {
        if O::WATCHES {
            observer.stack(slot, self.frame.stack.read(slot), value);
        }
        if self.callers.is_empty() && self.journal.is_some() {
            self.journal_stack(slot);
        }
        self.frame
            .stack
            .write_pooled(slot, value, &mut self.leftovers.stack_pages);
    }

    /// Sets all registers from `first` on to zero.
    pub(crate) fn clear_registers<O: Observer>(&mut self, first: u8, observer: &mut O) {
        if O::WATCHES {
            for index in first..16 {
                observer.register(index, self.register(index), Value::ZERO);
            }
        }
        self.registers[first as usize..].fill(U256::zero());
        self.pointers[first as usize..].fill(false);
    }

    /// Writes 32 bytes of a memory.
    #[inline(always)]
    pub(crate) fn set_memory<O: Observer>(
        &mut self,
        slot: HeapSlot,
        offset: u32,
        word: U256,
        observer: &mut O,
    ) {
        if O::WATCHES {
            let old = self.heaps.at(slot).read_word(offset);
            observer.memory(self.heaps.page_of(slot), offset, old, word);
        }
        self.write_memory(slot, offset, word);
    }

    #[inline(always)]
    fn write_memory(&mut self, slot: HeapSlot, offset: u32, word: U256) {
        if let Some(journal) = &self.journal
            && self.heaps.page_of(slot) < journal.pages_below
        {
            self.journal_memory(slot, offset);
        }
        self.heaps.write_word(slot, offset, word);
    }

    /// Brings a memory to life with content.
    pub(crate) fn add_memory<O: Observer>(&mut self, page: u32, heap: Heap, observer: &mut O) -> HeapSlot {
        observer.memory_added(page, &heap);
        self.journal_memory_added(page);
        self.heaps.insert(page, heap)
    }

    /// Ends a memory's life, if it lives.
    pub(crate) fn remove_memory<O: Observer>(&mut self, page: u32, observer: &mut O) {
        let Some(heap) = self.heaps.remove(page) else {
            return;
        };
        observer.memory_removed(page, &heap);
        self.journal_memory_removed(page, heap);
    }
}

/// Equal when no program can tell them apart and both have made as many steps.
impl PartialEq for Execution {
    fn eq(&self, other: &Self) -> bool {
        let plain = |e: &Self| {
            (
                e.registers,
                e.pointers,
                e.flags,
                e.context_register,
                e.tx_number,
                e.next_page,
                e.steps,
                e.pending_panic,
            )
        };
        plain(self) == plain(other)
            && (self.depth, self.settings, &self.ended) == (other.depth, other.settings, &other.ended)
            && self.frame == other.frame
            && self.callers == other.callers
            && self.heaps == other.heaps
    }
}

/// A page that [`Execution::take_dirty`] hands out.
#[derive(Debug)]
pub enum DirtyPage<'a> {
    /// Of a memory.
    Heap(Dirty<'a, HeapPage>),
    /// Of a stack.
    Stack(Dirty<'a, StackPage>),
}

/// Looks a frame's memories up by their page ids, making those that are missing.
pub(crate) fn relink(frame: &mut Frame, heaps: &mut Heaps) {
    frame.heap = heaps.slot_or_insert(heap_page(frame.base_page));
    frame.aux_heap = heaps.slot_or_insert(aux_heap_page(frame.base_page));
}
