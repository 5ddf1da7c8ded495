//! Our machine and `zksync_vm2` on the same programs, one right after the other.
//!
//! `cargo bench -p eradbg-vm --bench speed`. Programs bring their world along; batches are run once with our operator,
//! and then both machines are given the words that it wrote. So only machines are measured. Vectors are left out, with
//! a line that says so, where there are none (`ERADBG_VECTORS`).

mod batches;
mod programs;
mod run;
mod world;

use divan::Bencher;
use divan::counter::ItemsCount;

use run::{Case, Ours, Peer};

pub(crate) fn main() {
    divan::main();
}

/// One module for each case, so that the two machines run one after the other.
macro_rules! cases {
    ($($name:ident = $case:expr;)*) => {
        $(mod $name {
            use super::*;

            #[divan::bench]
            fn eradbg(bencher: Bencher<'_, '_>) {
                measure(bencher, $case, Ours::new, Ours::run);
            }

            #[divan::bench]
            fn zksync_vm2(bencher: Bencher<'_, '_>) {
                measure(bencher, $case, |case| Peer::new(case, ()), Peer::run);
            }
        })*
    };
}

cases! {
    arithmetic_loop = Some(programs::arithmetic_loop());
    heap_copy = Some(programs::heap_copy());
    near_call_recursion = Some(programs::near_call_recursion());
    far_call_ping_pong = Some(programs::far_call_ping_pong());
    storage_heavy = Some(programs::storage_heavy());
    precompiles = Some(programs::precompiles());
    decommit_cold = Some(programs::decommit(1));
    decommit_warm = Some(programs::decommit(50));
    transfers_embedded = Some(batches::transfers(200));
    mixed_batch_a = batches::vector("mixed_batch_a");
    perf_transfers_250 = batches::vector("perf_transfers_250");
    perf_loop_80m_gas = batches::vector("perf_loop_80m_gas");
}

fn measure<M>(bencher: Bencher<'_, '_>, case: Option<Case>, new: fn(&Case) -> M, run: fn(&mut M, &Case)) {
    let Some(case) = case else { return };
    bencher
        .counter(ItemsCount::new(case.steps()))
        .with_inputs(|| new(&case))
        .bench_local_refs(|machine| run(machine, &case));
}
