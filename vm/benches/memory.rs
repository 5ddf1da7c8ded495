//! What the benchmarks of `speed` allocate, ours and `zksync_vm2`'s: `max alloc` is the peak of a run.
//!
//! `cargo bench -p eradbg-vm --bench memory`. A program of its own, since counting costs time.

#[path = "speed/main.rs"]
mod speed;

#[global_allocator]
static ALLOCATOR: divan::AllocProfiler = divan::AllocProfiler::system();

fn main() {
    speed::main();
}
