//! All that a rollback restores, and the names of the parts in which two moments differ.

use eradbg_vm::bootloader::state::BootloaderState;
use eradbg_vm::frame::Frame;
use eradbg_vm::operator::OperatorVm;
use eradbg_vm::storage::SnapshotStorage;
use eradbg_vm::{Execution, VmState};

/// The machine, what the batch has changed, and the operator's side of it.
pub(crate) struct Moment {
    execution: Execution,
    state: VmState,
    bootloader: BootloaderState,
    suspended_at: u16,
}

impl Moment {
    pub(crate) fn of(operator: &OperatorVm<SnapshotStorage>) -> Self {
        let machine = operator.machine();
        Self {
            execution: machine.execution.clone(),
            state: machine.state.clone(),
            bootloader: operator.bootloader_state().clone(),
            suspended_at: operator.suspended_at(),
        }
    }

    /// The same without the numbers of the steps that entered the frames: no rollback takes steps back, so later frames
    /// of two runs have other ones.
    pub(crate) fn differences_but_steps(&self, other: &Self) -> Vec<String> {
        self.compare(other, without_steps)
    }

    /// Names of the parts that differ; the number of steps is not looked at.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        self.compare(other, Frame::clone)
    }

    fn compare(&self, other: &Self, view: fn(&Frame) -> Frame) -> Vec<String> {
        let mut names = execution_differences(&self.execution, &other.execution, view);
        names.extend(state_differences(&self.state, &other.state));
        names.extend(bootloader_difference(&self.bootloader, &other.bootloader));
        if self.suspended_at != other.suspended_at {
            names.push("suspended_at".to_owned());
        }
        names
    }
}

macro_rules! differing {
    ($a:expr, $b:expr, [$($name:literal: |$it:ident: $type:ty| $part:expr),* $(,)?]) => {{
        let mut names: Vec<String> = Vec::new();
        $(
            let part = |$it: &$type| $part;
            if part($a) != part($b) {
                names.push($name.to_owned());
            }
        )*
        names
    }};
}

fn execution_differences(a: &Execution, b: &Execution, view: fn(&Frame) -> Frame) -> Vec<String> {
    let mut names = differing!(a, b, [
        "registers": |it: Execution| it.registers(),
        "flags": |it: Execution| it.flags(),
        "context register": |it: Execution| it.context_register(),
        "transaction number": |it: Execution| it.tx_number(),
        "next page": |it: Execution| it.next_page(),
        "pending panic": |it: Execution| it.pending_panic(),
        "end": |it: Execution| it.ended().cloned(),
        "depth": |it: Execution| it.depth(),
        "callers": |it: Execution| it.callers().len(),
        "living memories": |it: Execution| it.heaps().page_ids(),
    ]);
    names.extend(differing!(&view(a.frame()), &view(b.frame()), [
        "stack": |it: Frame| it.stack.clone(),
        "near frames": |it: Frame| it.waiting.clone(),
        "near frame": |it: Frame| it.current(),
        "returndata pages": |it: Frame| it.kept_pages.clone(),
        "heap bounds": |it: Frame| (it.heap_bound, it.aux_heap_bound),
        "frame": |it: Frame| it.clone(),
    ]));
    let pages = a.heaps().page_ids();
    let changed = pages
        .into_iter()
        .filter(|&page| a.heaps().get(page) != b.heaps().get(page));
    names.extend(changed.map(|page| format!("memory {page}")));
    names
}

fn state_differences(a: &VmState, b: &VmState) -> Vec<String> {
    differing!(a, b, [
        "storage changes": |it: VmState| it.storage_changes(),
        "transient storage": |it: VmState| it.transient_storage().clone(),
        "L2->L1 logs": |it: VmState| it.l2_to_l1_logs().to_vec(),
        "events": |it: VmState| it.events().to_vec(),
        "pubdata costs": |it: VmState| it.pubdata_costs().to_vec(),
        "pubdata": |it: VmState| it.pubdata(),
        "paid changes": |it: VmState| it.paid_changes(),
        "refunds": |it: VmState| it.refunds().to_vec(),
        "read slots": |it: VmState| it.read_storage_slots(),
        "written slots": |it: VmState| it.written_storage_slots(),
        "decommitted hashes": |it: VmState| it.decommitted_hashes().clone(),
        "changes with initial values": |it: VmState| it.changes(),
    ])
}

/// The first line that differs has the field's name.
fn bootloader_difference(a: &BootloaderState, b: &BootloaderState) -> Option<String> {
    if a == b {
        return None;
    }
    let [a, b] = [a, b].map(|state| format!("{state:#?}"));
    let differing = a.lines().zip(b.lines()).find(|(a, b)| a != b);
    Some(format!("bootloader state: {differing:?}"))
}

fn without_steps(frame: &Frame) -> Frame {
    let mut frame = frame.clone();
    frame.entered_at = 0;
    for near in &mut frame.waiting {
        near.entered_at = 0;
    }
    frame
}
