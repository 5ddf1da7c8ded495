//! What lives on the chain: storage, transient storage, events, logs, refunds, pubdata costs, decommitted code.

use std::fmt::Debug;

use eradbg_vm::events::EVENT_WRITER;
use eradbg_vm::{H160, U256, VmState};
use zksync_vm2::interface::{Event, L2ToL1Log, StateInterface};

use crate::compare::{Comparison, same};
use crate::peer::Peer;

/// Entries at the end of lists that are compared after each change; the rest is compared when the case ends.
const TAIL: usize = 4;

/// Compares what a step may have changed.
pub(super) fn changed(ours: &VmState, peer: &Peer) -> Comparison {
    let vm = &peer.vm;
    let diff = vm.world_diff();
    tails("storage refunds", ours.refunds(), diff.storage_refunds())?;
    tails("pubdata costs", ours.pubdata_costs(), diff.pubdata_costs())?;
    let storage = ours.storage_changes();
    let storage = storage
        .iter()
        .map(|(slot, &value)| ((slot.address, slot.key), value));
    if !storage.clone().eq(vm.get_storage_state()) {
        slots("storage", storage, vm.get_storage_state())?;
    }
    let mut transient: Vec<_> = ours
        .transient_storage()
        .iter()
        .map(|(slot, &value)| ((slot.address, slot.key), value))
        .collect();
    transient.sort_unstable();
    slots(
        "transient storage",
        transient.into_iter(),
        vm.get_transient_storage_state(),
    )?;
    let mut decommitted: Vec<U256> = ours.decommitted_hashes().keys().copied().collect();
    decommitted.sort_unstable();
    let mut theirs: Vec<U256> = diff.decommitted_hashes().collect();
    theirs.sort_unstable();
    same("decommitted hashes", decommitted, theirs)?;
    same("events", events(ours).count(), vm.events().count())?;
    same("last event", events(ours).last(), vm.events().last())?;
    same("L2->L1 logs", logs(ours).count(), vm.l2_to_l1_logs().count())?;
    same("last L2->L1 log", logs(ours).last(), vm.l2_to_l1_logs().last())
}

/// Compares everything.
///
/// # Errors
/// The first difference.
pub fn all_state(ours: &VmState, peer: &Peer) -> Comparison {
    changed(ours, peer)?;
    let diff = peer.vm.world_diff();
    same("storage refunds", ours.refunds(), diff.storage_refunds())?;
    same("pubdata costs", ours.pubdata_costs(), diff.pubdata_costs())?;
    same(
        "events",
        events(ours).collect::<Vec<_>>(),
        peer.vm.events().collect(),
    )?;
    same(
        "L2->L1 logs",
        logs(ours).collect::<Vec<_>>(),
        peer.vm.l2_to_l1_logs().collect(),
    )?;
    let ours = ours.changes().into_iter().map(|change| {
        let slot = (change.key.address, change.key.key);
        (slot, [change.before, change.after], change.is_write_initial)
    });
    let theirs = diff
        .get_storage_changes()
        .map(|(slot, change)| (slot, [change.before, change.after], change.is_initial));
    same("storage changes", ours.collect::<Vec<_>>(), theirs.collect())
}

fn tails<T: PartialEq + Debug>(field: &str, ours: &[T], theirs: &[T]) -> Comparison {
    same(&format!("number of {field}"), ours.len(), theirs.len())?;
    let from = ours.len().saturating_sub(TAIL);
    same(field, &ours[from..], &theirs[from..])
}

type Slot = ((H160, U256), U256);

fn slots(field: &str, ours: impl Iterator<Item = Slot>, theirs: impl Iterator<Item = Slot>) -> Comparison {
    same(field, ours.collect::<Vec<_>>(), theirs.collect())
}

/// The peer records events of `EventWriter` only, since no other contract's count.
fn events(ours: &VmState) -> impl Iterator<Item = Event> {
    let of_writer = ours.events().iter().filter(|event| event.address == EVENT_WRITER);
    of_writer.map(|event| Event {
        key: event.key,
        value: event.value,
        is_first: event.is_first,
        shard_id: event.shard_id,
        tx_number: event.tx_number,
    })
}

fn logs(ours: &VmState) -> impl Iterator<Item = L2ToL1Log> {
    ours.l2_to_l1_logs().iter().map(|log| L2ToL1Log {
        key: log.key,
        value: log.value,
        is_service: log.is_service,
        address: log.address,
        shard_id: log.shard_id,
        tx_number: log.tx_number,
    })
}
