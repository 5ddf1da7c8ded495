//! The state at the start of a chunk: registers, frames, and the pages written since the keyframe before.

mod page;

use std::sync::Arc;

use eradbg_vm::edit::{Current, Globals};
use eradbg_vm::execution::{FrameLists, Growth, Lives, Settings};
use eradbg_vm::heap::HeapSlot;
use eradbg_vm::kept::KeptPages;
use eradbg_vm::observer::Marks;
use eradbg_vm::protocol::Revision;
use eradbg_vm::stack::Stack;
use eradbg_vm::{Execution, Flags, Frame, NearFrame, Program, U256, Value};

use crate::index::Version;
use crate::ledger::{call_kind, panic_cause};
use crate::store::codec::{Decoder, Encoder, Malformed};

use page::Copies;

pub use page::{PageContent, PageKey, PageVersion};

/// A keyframe as it is read: everything but the content of pages that were not written since the one before.
#[derive(Debug, Clone)]
pub struct Keyframe {
    /// Registers r0 to r15.
    pub registers: [Value; 16],
    /// Flags and other single values.
    pub globals: Globals,
    /// Number of the step that comes next.
    pub step: u64,
    /// Settings of the machine.
    pub settings: Settings,
    /// Far frames, outermost first, with empty stacks and without what is told by its changes: near frames that wait, and
    /// pages that they keep alive. Each program stands for its hash only.
    pub frames: Vec<Frame>,
    /// Hashes of the frames' programs.
    pub code: Vec<U256>,
    /// What changed since the keyframe before of the things that last.
    pub lives: Lives,
    /// Pages written since the keyframe before, in order of space and index.
    pub pages: Vec<PageVersion>,
}

/// A state that is to become a keyframe: what the machine's thread copies, so that another one can encode it.
#[derive(Debug, Default)]
pub struct Captured {
    /// Everything but memory, encoded.
    head: Encoder,
    next_page: u32,
    /// What changed since the keyframe before of the things that last.
    lives: Lives,
    pages: Copies,
}

impl Captured {
    /// Copies a state, and clears the marks of written words.
    pub fn new(marks: Marks<'_>) -> Self {
        let mut captured = Self::default();
        captured.capture(marks);
        captured
    }

    /// Copies a state, and clears the marks of written words. Nothing may have been copied since [`Self::clear`].
    pub fn capture(&mut self, mut marks: Marks<'_>) {
        let e = &mut self.head;
        let execution = marks.execution();
        e.number(execution.steps());
        encode_settings(e, execution.settings());
        encode_globals(e, &execution.globals());
        execution
            .registers()
            .iter()
            .for_each(|&register| encode_value(e, register));
        encode_frames(e, execution);
        self.next_page = execution.next_page();
        marks.take_dirty(|space, page| self.pages.copy(space, page));
        self.lives = marks.take_lives();
    }

    /// Drops the state, and keeps the usual room for another.
    pub fn clear(&mut self) {
        self.head.truncate(0);
        self.lives = Lives::default();
        self.pages.clear();
    }

    /// What changed since the keyframe before of the things that last.
    pub fn lives(&self) -> &Lives {
        &self.lives
    }

    /// The first page id that was not given.
    pub fn next_page(&self) -> u32 {
        self.next_page
    }

    /// The pages that it holds, in order.
    pub fn versions(&self) -> Vec<Version> {
        let mut versions: Vec<_> = self.pages.versions().collect();
        versions.sort_unstable_by_key(|version| version.page);
        versions
    }

    /// The bytes of the keyframe.
    pub fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::default();
        encode_lives(&mut e, &self.lives);
        self.pages.encode(&mut e);
        [self.head.bytes(), e.bytes()].concat()
    }
}

impl Keyframe {
    /// Reads a keyframe.
    ///
    /// # Errors
    /// When the bytes are no keyframe.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut d = Decoder::new(bytes);
        let step = d.number()?;
        let settings = decode_settings(&mut d)?;
        let globals = decode_globals(&mut d)?;
        let mut registers = [Value::ZERO; 16];
        for register in &mut registers {
            *register = decode_value(&mut d)?;
        }
        let (frames, code) = decode_frames(&mut d)?;
        let lives = decode_lives(&mut d)?;
        let mut pages = page::decode_pages(&mut d)?;
        // They are written memories first, then stacks.
        pages.sort_unstable_by_key(PageVersion::key);
        if d.is_empty() {
            Ok(Self {
                registers,
                globals,
                step,
                settings,
                frames,
                code,
                lives,
                pages,
            })
        } else {
            Err(Malformed)
        }
    }
}

/// Writes what changed of the things that last.
pub(crate) fn encode_lives(e: &mut Encoder, lives: &Lives) {
    encode_ids(e, &lives.born);
    encode_ids(e, &lives.gone);
    e.number(lives.frames.len() as u64);
    for FrameLists { kept, waiting } in &lives.frames {
        e.number(kept.inherited);
        encode_ids(e, &kept.added);
        e.number(waiting.inherited);
        e.number(waiting.added.len() as u64);
        waiting.added.iter().for_each(|&near| encode_near(e, near));
    }
}

/// Reads what changed of the things that last.
pub(crate) fn decode_lives(d: &mut Decoder<'_>) -> Result<Lives, Malformed> {
    Ok(Lives {
        born: decode_ids(d)?,
        gone: decode_ids(d)?,
        frames: decode_list(d, |d| {
            Ok(FrameLists {
                kept: Growth {
                    inherited: d.number()?,
                    added: decode_ids(d)?,
                },
                waiting: Growth {
                    inherited: d.number()?,
                    added: decode_list(d, decode_near)?,
                },
            })
        })?,
    })
}

fn decode_list<T>(
    d: &mut Decoder<'_>,
    one: impl Fn(&mut Decoder<'_>) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let count = d.count()?;
    (0..count).map(|_| one(d)).collect()
}

/// Page ids lie near each other as a rule.
fn encode_ids(e: &mut Encoder, ids: &[u32]) {
    e.number(ids.len() as u64);
    let mut last = 0;
    for &id in ids {
        e.signed(i64::from(id) - last);
        last = i64::from(id);
    }
}

fn decode_ids(d: &mut Decoder<'_>) -> Result<Vec<u32>, Malformed> {
    let count = d.count()?;
    let mut ids = Vec::with_capacity(count);
    let mut last = 0i64;
    for _ in 0..count {
        last = last.checked_add(d.signed()?).ok_or(Malformed)?;
        ids.push(u32::try_from(last).map_err(|_| Malformed)?);
    }
    Ok(ids)
}

fn encode_settings(e: &mut Encoder, settings: &Settings) {
    e.word(settings.default_account);
    e.word(settings.evm_emulator);
    e.number(settings.hook_offset);
    // The first revision has no bits, as in recordings that know of no other.
    let revision = settings.revision.number();
    e.bits([
        settings.unpaid_growth_raises_bound,
        settings.ec_precompiles,
        revision & 1 != 0,
        revision & 2 != 0,
    ]);
}

fn decode_settings(d: &mut Decoder<'_>) -> Result<Settings, Malformed> {
    let (default_account, evm_emulator, hook_offset) = (d.word()?, d.word()?, d.number()?);
    let [unpaid_growth_raises_bound, ec_precompiles, low, high] = d.bits()?;
    let revision = u8::from(low) | u8::from(high) << 1;
    Ok(Settings {
        default_account,
        evm_emulator,
        hook_offset,
        unpaid_growth_raises_bound,
        ec_precompiles,
        revision: Revision::from_number(revision).ok_or(Malformed)?,
    })
}

fn encode_globals(e: &mut Encoder, globals: &Globals) {
    e.u8(globals.flags.bits());
    e.word(globals.context_register.into());
    e.number(globals.tx_number);
    e.number(globals.next_page);
    e.option(globals.pending_panic, |e, cause| e.u8(cause as u8));
}

fn decode_globals(d: &mut Decoder<'_>) -> Result<Globals, Malformed> {
    Ok(Globals {
        flags: Flags::from_bits(d.u8()?),
        context_register: u128::try_from(d.word()?).map_err(|_| Malformed)?,
        tx_number: d.number()?,
        next_page: d.number()?,
        pending_panic: d.option(panic_cause)?,
    })
}

fn encode_value(e: &mut Encoder, value: Value) {
    e.u8(u8::from(value.is_pointer));
    e.word(value.word);
}

fn decode_value(d: &mut Decoder<'_>) -> Result<Value, Malformed> {
    let [is_pointer] = d.bits()?;
    Ok(Value {
        word: d.word()?,
        is_pointer,
    })
}

fn encode_frames(e: &mut Encoder, execution: &Execution) {
    e.number(execution.callers().len() as u64 + 1);
    for frame in execution.frames() {
        e.u8(frame.kind as u8);
        for address in [frame.this, frame.caller, frame.code_address] {
            e.address(address);
        }
        e.word(frame.program.hash());
        for page in [frame.code_page, frame.base_page, frame.calldata_page] {
            e.number(page);
        }
        e.word(frame.context.into());
        e.bits([
            frame.is_static,
            frame.is_kernel,
            frame.is_system_call,
            frame.is_constructor_call,
        ]);
        let current = Current::of(frame);
        e.number(current.heap_bound);
        e.number(current.aux_heap_bound);
        encode_near(e, current.near);
    }
}

fn decode_frames(d: &mut Decoder<'_>) -> Result<(Vec<Frame>, Vec<U256>), Malformed> {
    let count = d.count()?;
    let mut frames = Vec::with_capacity(count);
    let mut code = Vec::with_capacity(count);
    let empty = Program::empty();
    for _ in 0..count {
        let kind = call_kind(d.u8()?)?;
        let (this, caller, code_address) = (d.address()?, d.address()?, d.address()?);
        code.push(d.word()?);
        let (code_page, base_page, calldata_page) = (d.number()?, d.number()?, d.number()?);
        let context = u128::try_from(d.word()?).map_err(|_| Malformed)?;
        let [is_static, is_kernel, is_system_call, is_constructor_call] = d.bits()?;
        let (heap_bound, aux_heap_bound, near) = (d.number()?, d.number()?, decode_near(d)?);
        frames.push(Frame {
            kind,
            this,
            caller,
            code_address,
            program: Arc::clone(&empty),
            code_page,
            base_page,
            calldata_page,
            heap: HeapSlot::default(),
            aux_heap: HeapSlot::default(),
            stack: Stack::default(),
            context,
            is_static,
            is_kernel,
            is_system_call,
            is_constructor_call,
            heap_bound,
            aux_heap_bound,
            kept_pages: KeptPages::default(),
            kept_before: 0,
            waiting: Vec::new(),
            waited: 0,
            pc: near.pc,
            sp: near.sp,
            exception_handler: near.exception_handler,
            ergs: near.ergs,
            entered_at: near.entered_at,
        });
    }
    if frames.is_empty() {
        Err(Malformed)
    } else {
        Ok((frames, code))
    }
}

fn encode_near(e: &mut Encoder, near: NearFrame) {
    for small in [near.pc, near.sp, near.exception_handler] {
        e.number(small);
    }
    e.number(near.ergs);
    e.number(near.entered_at);
}

fn decode_near(d: &mut Decoder<'_>) -> Result<NearFrame, Malformed> {
    let (pc, sp, exception_handler) = (d.number()?, d.number()?, d.number()?);
    Ok(NearFrame {
        pc,
        sp,
        exception_handler,
        ergs: d.number()?,
        entered_at: d.number()?,
    })
}
