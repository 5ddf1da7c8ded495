//! Reads calls off a replay.

use eradbg_vm::observer::{FrameEnd, Observer};
use eradbg_vm::page_ids::heap_page;
use eradbg_vm::precompile::Precompile;
use eradbg_vm::{Execution, FatPointer, PanicCause, value};

use crate::analysis::calls::Call;
use crate::analysis::stretches::{self, Stretch};

/// Keeps the calls of a stretch.
#[derive(Debug)]
pub(super) struct Watcher {
    calls: Vec<Call>,
    /// Frames on the call stack, outermost first: the step that entered each, and its call when that is in the stretch.
    open: Vec<(u64, Option<usize>)>,
    /// The far call that the step has left.
    left: Option<usize>,
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
            self.calls[at].output = execution.read_pointer(FatPointer::from_word(returned.word));
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
            if call.has_code {
                call.input = execution.read_pointer(FatPointer::from_word(execution.register(1).word));
            }
            // Encoded arguments are words after a selector; precompiles get bytes without one.
            let is_kernel = value::is_kernel(call.code);
            let is_precompile = is_kernel && Precompile::at(value::low16(call.code), true).is_some();
            let has_selector = call.input.len() % 32 == 4 && !is_precompile;
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
