//! What must be equal after a step.

use std::collections::HashMap;
use std::fmt::Debug;

use eradbg_vm::events::{L2ToL1Log, RawEvent};
use eradbg_vm::heap::Heap;
use eradbg_vm::outcome::End;
use eradbg_vm::{EraVm, Execution, FatPointer, Frame, H160, U256, Value};
use zk_evm::vm_state::{CallStackEntry, PrimitiveValue};
use zk_evm::zkevm_opcode_defs::system_params::EVENT_AUX_BYTE;

use super::oracles::Slots;
use super::{Official, Position};

/// Words that bytes of a memory can address.
const ADDRESSABLE_WORDS: u32 = 1 << 27;

/// Fields that differ, each in a line.
#[derive(Debug, Default)]
pub(super) struct Differences(Vec<String>);

/// A frame as both machines have it.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    this: H160,
    caller: H160,
    code_address: H160,
    base_page: u32,
    code_page: u32,
    sp: u16,
    pc: u16,
    exception_handler: u16,
    ergs: u32,
    is_static: bool,
    is_near: bool,
    context: u128,
    /// Of the frame that runs and of those that wait for a far call: near frames share them.
    bounds: Option<(u32, u32)>,
}

impl Differences {
    /// Compares the machines between two steps; memories only when `thoroughly`, or when little has been written.
    pub(super) fn steps(&mut self, ours: &EraVm, official: &Official, thoroughly: bool) {
        let (execution, local) = (&ours.execution, &official.local_state);
        for (index, register) in (1..).zip(&local.registers) {
            let name = format!("r{index}");
            self.same(&name, &execution.register(index), &value(register));
        }
        let flags = &local.flags;
        let flags = (
            flags.overflow_or_less_than_flag,
            flags.equality_flag,
            flags.greater_than_flag,
        );
        let own = execution.flags();
        self.same("flags", &(own.less(), own.equal(), own.greater()), &flags);
        self.same(
            "context register",
            &execution.context_register(),
            &local.context_u128_register,
        );
        self.same(
            "transaction number",
            &execution.tx_number(),
            &local.tx_number_in_block,
        );
        self.same("next page", &execution.next_page(), &local.memory_page_counter);
        self.same(
            "pending panic",
            &execution.pending_panic().is_some(),
            &local.pending_exception,
        );
        self.same("pubdata", &ours.state.pubdata(), &local.pubdata_revert_counter.0);
        self.same("depth", &(execution.depth() as usize), &local.callstack.depth());
        self.frames(execution, official, thoroughly);
        self.lists(ours, official);
        if thoroughly || execution.flags() == eradbg_vm::Flags::none() {
            self.state(ours, official);
            self.memories(execution, official);
        }
    }

    /// Compares how the root ended: kind and output.
    pub(super) fn ends(&mut self, ours: &End, official: &Official) {
        let local = &official.local_state;
        self.same("ended", &true, &local.execution_has_ended());
        let failed = local.callstack.current.pc == u16::MAX;
        let panicked = local.flags.overflow_or_less_than_flag;
        let output = read(official, FatPointer::from_word(local.registers[0].value));
        match ours {
            End::Finished(bytes) => self.same("end", &(false, false, bytes), &(failed, panicked, &output)),
            End::Reverted(bytes) => self.same("end", &(true, false, bytes), &(failed, panicked, &output)),
            End::Panicked(_) => self.same("end", &(true, true), &(failed, panicked)),
        }
    }

    /// # Panics
    /// When there are differences.
    pub(super) fn report(self, step: u64, before: &Position) {
        assert!(
            self.0.is_empty(),
            "step {step}, {before:?}: ours / official\n{}",
            self.0.join("\n"),
        );
    }

    fn same<T: PartialEq + Debug>(&mut self, what: &str, ours: &T, official: &T) {
        if ours != official {
            self.0.push(format!("{what}: {ours:x?} / {official:x?}"));
        }
    }

    fn frames(&mut self, execution: &Execution, official: &Official, thoroughly: bool) {
        let stack = &official.local_state.callstack;
        let mut ours: Vec<Entry> = execution.frames().flat_map(entries).collect();
        let mut theirs: Vec<Entry> = stack
            .inner
            .iter()
            .skip(1)
            .chain([&stack.current])
            .map(entry)
            .collect();
        if !thoroughly && ours.len() == theirs.len() {
            let last = ours.len().saturating_sub(2);
            (ours, theirs) = (ours.split_off(last), theirs.split_off(last));
        }
        for (ours, theirs) in ours.iter().zip(&mut theirs) {
            if ours.bounds.is_none() {
                theirs.bounds = None;
            }
        }
        self.same("frames", &ours, &theirs);
    }

    fn lists(&mut self, ours: &EraVm, official: &Official) {
        let (state, storage) = (&ours.state, &official.storage);
        let last = |list: &[u32]| (list.len(), list.last().copied());
        self.same("refunds", &last(state.refunds()), &last(&storage.refunds));
        let last = |list: &[i32]| (list.len(), list.last().copied());
        self.same(
            "pubdata costs",
            &last(state.pubdata_costs()),
            &last(&storage.pubdata_costs),
        );
        let logs = &official.event_sink.logs;
        let events = logs.iter().filter(|log| log.aux_byte == EVENT_AUX_BYTE);
        let events: Vec<RawEvent> = events
            .map(|log| RawEvent {
                shard_id: log.shard_id,
                is_first: log.is_service,
                tx_number: log.tx_number_in_block,
                address: log.address,
                key: log.key,
                value: log.written_value,
            })
            .collect();
        self.same("events", &state.events(), &events.as_slice());
        let messages = logs.iter().filter(|log| log.aux_byte != EVENT_AUX_BYTE);
        let messages: Vec<L2ToL1Log> = messages
            .map(|log| L2ToL1Log {
                shard_id: log.shard_id,
                is_service: log.is_service,
                tx_number: log.tx_number_in_block,
                address: log.address,
                key: log.key,
                value: log.written_value,
            })
            .collect();
        self.same("L2->L1 logs", &state.l2_to_l1_logs(), &messages.as_slice());
    }

    fn state(&mut self, ours: &EraVm, official: &Official) {
        let state = &ours.state;
        let Slots {
            values,
            transient,
            paid,
        } = &official.storage.now;
        self.same("storage", &state.storage_changes(), values);
        let nonzero = |slots: Vec<(_, U256)>| -> std::collections::BTreeMap<_, _> {
            slots.into_iter().filter(|(_, value)| !value.is_zero()).collect()
        };
        let own = nonzero(state.transient_storage().iter().map(|(k, v)| (*k, *v)).collect());
        self.same(
            "transient storage",
            &own,
            &nonzero(transient.iter().map(|(k, v)| (*k, *v)).collect()),
        );
        let own: HashMap<_, _> = state.paid_changes().into_iter().collect();
        self.same("paid", &own, paid);
        self.same(
            "read slots",
            &state.read_storage_slots(),
            &official.storage.read.iter().copied().collect(),
        );
        self.same(
            "written slots",
            &state.written_storage_slots(),
            &official.storage.written.iter().copied().collect(),
        );
        let own: HashMap<_, _> = state.decommitted_hashes().iter().map(|(k, v)| (*k, *v)).collect();
        self.same("code hashes", &own, &official.decommittment_processor.hashes);
        self.same(
            "all refunds",
            &state.refunds(),
            &official.storage.refunds.as_slice(),
        );
        self.same(
            "all pubdata costs",
            &state.pubdata_costs(),
            &official.storage.pubdata_costs.as_slice(),
        );
    }

    fn memories(&mut self, execution: &Execution, official: &Official) {
        let heaps = execution.heaps();
        let empty = Heap::default();
        for (&page, words) in &official.memory.pages {
            let is_code_or_stack = page % 8 < 2 && page != 1;
            if is_code_or_stack && heaps.get(page).is_none() {
                continue;
            }
            let heap = heaps.get(page).unwrap_or(&empty);
            for (&index, word) in words.range(..ADDRESSABLE_WORDS) {
                let own = Value::integer(heap.read_word(index * 32));
                self.same(&format!("page {page} word {index}"), &own, word);
            }
        }
        for page in heaps.page_ids() {
            for (part, content) in heaps.get(page).into_iter().flat_map(|heap| heap.pages().pages()) {
                for (at, bytes) in (0..).zip(content.0.chunks(32)) {
                    let index = part * 32 + at;
                    let own = Value::integer(U256::from_big_endian(bytes));
                    self.same(
                        &format!("page {page} word {index}"),
                        &own,
                        &official.memory.get(page, index),
                    );
                }
            }
        }
        for frame in execution.frames() {
            let page = frame.base_page + 1;
            for (&slot, word) in official.memory.pages.get(&page).into_iter().flatten() {
                self.same(
                    &format!("stack {page} slot {slot}"),
                    &frame.stack.read(slot as u16),
                    word,
                );
            }
            for (part, content) in frame.stack.pages().pages() {
                for (at, &word) in (0..).zip(&content.words) {
                    let own = Value {
                        word,
                        is_pointer: content.pointers >> at & 1 != 0,
                    };
                    let slot = part * 32 + at;
                    self.same(
                        &format!("stack {page} slot {slot}"),
                        &own,
                        &official.memory.get(page, slot),
                    );
                }
            }
        }
    }
}

fn value(value: &PrimitiveValue) -> Value {
    Value {
        word: value.value,
        is_pointer: value.is_pointer,
    }
}

/// A far frame of ours and its near frames.
fn entries(frame: &Frame) -> Vec<Entry> {
    let near = frame.waiting.iter().copied().chain([frame.current()]);
    let count = frame.waiting.len();
    near.enumerate()
        .map(|(index, near)| Entry {
            this: frame.this,
            caller: frame.caller,
            code_address: frame.code_address,
            base_page: frame.base_page,
            code_page: frame.code_page,
            sp: near.sp,
            pc: near.pc,
            exception_handler: near.exception_handler,
            ergs: near.ergs,
            is_static: frame.is_static,
            is_near: index > 0,
            context: frame.context,
            bounds: (index == count).then_some((frame.heap_bound, frame.aux_heap_bound)),
        })
        .collect()
}

fn entry(entry: &CallStackEntry) -> Entry {
    Entry {
        this: entry.this_address,
        caller: entry.msg_sender,
        code_address: entry.code_address,
        base_page: entry.base_memory_page.0,
        code_page: entry.code_page.0,
        sp: entry.sp,
        pc: entry.pc,
        exception_handler: entry.exception_handler_location,
        ergs: entry.ergs_remaining,
        is_static: entry.is_static,
        is_near: entry.is_local_frame,
        context: entry.context_u128_value,
        bounds: Some((entry.heap_bound, entry.aux_heap_bound)),
    }
}

/// Bytes that a fat pointer spans in the official VM's memory.
fn read(official: &Official, pointer: FatPointer) -> Vec<u8> {
    let start = pointer.start;
    (0..pointer.length.min(1 << 22))
        .map(|offset| {
            let at = start.wrapping_add(offset);
            let word = official.memory.get(pointer.page, at / 32).word;
            word.byte(31 - at as usize % 32)
        })
        .collect()
}
