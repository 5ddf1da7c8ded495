//! Reads calls off a replay.

use eradbg_vm::observer::{FrameEnd, Observer};
use eradbg_vm::page_ids::heap_page;
use eradbg_vm::precompile::Precompile;
use eradbg_vm::{Execution, FatPointer, PanicCause, value};

use crate::analysis::calls::Call;
use crate::analysis::stretches::{self, Stretch};

/// Bytes of calldata and returndata that are kept of a stretch. A contract may hand megabytes from call to call, a hundred
/// thousand times.
const MOST_BYTES: usize = 1 << 28;
/// Bytes of each that are kept beyond that.
const LEAST_BYTES: u32 = 1 << 10;

/// Keeps the calls of a stretch.
#[derive(Debug)]
pub(super) struct Watcher {
    calls: Vec<Call>,
    /// Frames on the call stack, outermost first: the step that entered each, and its call when that is in the stretch.
    open: Vec<(u64, Option<usize>)>,
    /// The far call that the step has left.
    left: Option<usize>,
    /// Bytes that may be kept yet.
    room: usize,
}

impl Watcher {
    /// The bytes that a pointer spans, or the first of them; and how many it spans.
    fn read(&mut self, execution: &Execution, pointer: FatPointer) -> (Vec<u8>, u32) {
        let bytes = span(pointer);
        let fits = bytes as usize <= self.room;
        let kept = if fits { bytes } else { bytes.min(LEAST_BYTES) };
        self.room = self.room.saturating_sub(kept as usize);
        let pointer = FatPointer {
            length: pointer.offset + kept,
            ..pointer
        };
        (execution.read_pointer(pointer), bytes)
    }
}

impl stretches::Watcher for Watcher {
    type Row = Call;

    fn start(execution: &Execution) -> Self {
        let far = execution.callers().iter().chain([execution.frame()]);
        let parts = far.flat_map(|frame| frame.waiting.iter().copied().chain([frame.current()]));
        let open = parts.map(|part| (part.entered_at, None)).collect();
        Self {
            calls: Vec::new(),
            open,
            left: None,
            room: MOST_BYTES,
        }
    }

    fn rows(mut self, stretch: &Stretch) -> Vec<Call> {
        for call in &mut self.calls {
            call.tx = stretch.tx;
            call.rolled_back_at = stretch.rolled_back_at;
        }
        self.calls
    }
}

impl Observer for Watcher {
    const WATCHES: bool = false;
    const SPECIALIZES: bool = false;

    fn after_step(&mut self, execution: &Execution) {
        let Some(at) = self.left.take() else { return };
        let returned = execution.register(1);
        if returned.is_pointer {
            let (output, bytes) = self.read(execution, FatPointer::from_word(returned.word));
            let call = &mut self.calls[at];
            (call.output, call.output_bytes) = (output, bytes);
        }
    }

    fn frame_entered(&mut self, execution: &Execution, is_near: bool) {
        let frame = execution.frame();
        let mut call = Call {
            step: frame.entered_at,
            depth: self.open.len() as u32 - 1,
            // The outermost frame is no call.
            within: self.open[1..].last().map(|&(entered_at, _)| entered_at),
            kind: "near",
            is_static: frame.is_static,
            caller: frame.caller,
            this: frame.this,
            code: frame.code_address,
            ergs: frame.ergs,
            heap_page: heap_page(frame.base_page),
            calldata_page: frame.calldata_page,
            has_code: true,
            parent: self.open.last().and_then(|&(_, call)| call),
            ..Call::default()
        };
        if !is_near {
            call.kind = frame.kind.name();
            call.is_system = frame.is_system_call;
            call.is_constructor = frame.is_constructor_call;
            call.value = frame.context;
            call.has_code = execution.pending_panic().is_none();
            // A call that cannot start may leave a pointer beyond all memory that was paid for.
            let calldata = FatPointer::from_word(execution.register(1).word);
            if call.has_code {
                (call.input, call.input_bytes) = self.read(execution, calldata);
            }
            // Encoded arguments are words after a selector; precompiles get bytes without one.
            let is_kernel = value::is_kernel(call.code);
            let is_precompile = is_kernel && Precompile::at(value::low16(call.code), true).is_some();
            let has_selector = span(calldata) % 32 == 4 && !is_precompile;
            call.selector = call.input.first_chunk().copied().filter(|_| has_selector);
        }
        self.open.push((call.step, Some(self.calls.len())));
        self.calls.push(call);
    }

    fn frame_leaving(&mut self, execution: &Execution, end: FrameEnd) {
        let Some((_, Some(at))) = self.open.pop() else {
            return;
        };
        let call = &mut self.calls[at];
        call.left_at = Some(execution.steps());
        call.returned = Some(end.ergs_returned);
        call.end = end.kind.name();
        call.cause = end.cause.map_or("", PanicCause::name);
        if !end.is_near {
            self.left = Some(at);
        }
    }
}

/// Bytes that a pointer spans.
fn span(pointer: FatPointer) -> u32 {
    pointer.length.saturating_sub(pointer.offset)
}
