//! Inputs for tests and benchmarks, and recordings of them in temporary folders.

#![allow(dead_code, reason = "not every test needs every helper")]
#![allow(
    clippy::unwrap_used,
    reason = "a failure here is a failure of the test or benchmark"
)]

use std::path::PathBuf;
use std::sync::Arc;

use eradbg_fixtures::mini_batch;
use eradbg_tracer::Recording;
use eradbg_tracer::drive::{self, DriveEnd};
use eradbg_tracer::listing::Listing;
use eradbg_tracer::manifest::Manifest;
use eradbg_tracer::recorder::{Control, Recorder};
use eradbg_tracer::source::run::{RunConfig, UnpublishedBytecodes};
use eradbg_tracer::source::{self, Loaded, Script};
use eradbg_tracer::store::FORMAT;
use eradbg_vm::batch::BatchInput;
use eradbg_vm::protocol::Revision;
use eradbg_vm::{EraVm, MACHINE_REVISION};
use tempfile::TempDir;

/// A batch with the way to drive it.
pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) batch: BatchInput,
    pub(crate) script: Script,
    pub(crate) config: RunConfig,
}

impl Input {
    /// A batch that was loaded, by its own name.
    pub(crate) fn of(loaded: Loaded, config: RunConfig) -> Self {
        Self {
            name: loaded.name,
            batch: loaded.input,
            script: loaded.script,
            config,
        }
    }
}

/// A recording, and the machine that it was made with.
pub(crate) struct Recorded {
    pub(crate) recording: Recording,
    pub(crate) machine: EraVm,
    /// Holds the files until the test is over.
    pub(crate) folder: TempDir,
}

/// Inputs of which every position can be tried: our own, and small real ones where the vectors are.
pub(crate) fn small_inputs() -> Vec<Input> {
    let mut inputs = vectors(&[
        "eth_call",
        "real_estimate_fee_for_transfer_to_self",
        "real_validation_adjacent_storage_slots",
    ]);
    inputs.extend([mini_retried(), mini_renumbered()]);
    inputs
}

/// The mini batch with a transaction that is run once more without compression, and one that is rejected.
pub(crate) fn mini_retried() -> Input {
    Input {
        name: "mini_retried".to_owned(),
        batch: mini_batch(4),
        script: Script::default(),
        config: RunConfig {
            unpublished_bytecodes: UnpublishedBytecodes::Retry,
            ..RunConfig::default()
        },
    }
}

/// The same with page ids in another numbering, where no rollback gives any back.
fn mini_renumbered() -> Input {
    let mut input = Input {
        name: "mini_renumbered".to_owned(),
        ..mini_retried()
    };
    input.batch.system.revision = Revision::Vm2_0_5PageIds;
    input
}

/// Inputs of 1.5 million steps, where the vectors are.
pub(crate) fn large_inputs() -> Vec<Input> {
    vectors(&["transfer_eip712", "revert_with_reason", "mixed_batch_a"])
}

/// Records a scenario that eradbg brings along; its overview is loaded.
pub(crate) fn scenario(name: &str) -> Recorded {
    let loaded = source::scenario::embedded(name).unwrap();
    let run = loaded.run;
    let recorded = record(&Input::of(loaded, run), 4_096);
    recorded.recording.load_overview();
    recorded
}

/// A call of a contract with a number.
pub(crate) fn contract(code: &str, name: &str, number: u64) -> Input {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("contract.asm"), code).unwrap();
    let path = folder.path().join("contract.ron");
    let text = format!(
        r#"(
            accounts: {{"alice": Rich(0)}},
            contracts: {{"it": (code: Assembly("contract.asm"))}},
            blocks: [(steps: [Call(from: "alice", to: "it", function: "{name}(uint256)", args: [{number}])])],
        )"#
    );
    std::fs::write(&path, text).unwrap();
    let loaded = source::load(&path, None).unwrap();
    let run = loaded.run;
    Input::of(loaded, run)
}

/// Records an input.
pub(crate) fn record(input: &Input, chunk_steps: u32) -> Recorded {
    record_with(input, chunk_steps, &[])
}

/// Records an input that may not go on to its end.
pub(crate) fn record_as_far_as_it_goes(input: &Input, chunk_steps: u32) -> Recorded {
    write(input, chunk_steps, &[]).0
}

/// Records an input with the source of some of its code.
pub(crate) fn record_with(input: &Input, chunk_steps: u32, listings: &[Listing]) -> Recorded {
    let (recorded, is_finished) = write(input, chunk_steps, listings);
    assert!(is_finished, "{}", input.name);
    recorded
}

/// A recording, and whether the run came to its end.
fn write(input: &Input, chunk_steps: u32, listings: &[Listing]) -> (Recorded, bool) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recording");
    let manifest = manifest(input, chunk_steps);
    let control = Arc::new(Control::new(Arc::default()));
    let recorder = Recorder::create(&path, &manifest, listings, control).unwrap();
    let driven = drive::record(input.batch.clone(), input.script.clone(), &input.config, recorder).unwrap();
    let recording = Recording::open(&path).unwrap();
    recording.load_overview();
    let recorded = Recorded {
        recording,
        machine: driven.machine,
        folder,
    };
    (recorded, driven.end == Ok(DriveEnd::Finished))
}

/// What a recording of an input says that it is.
pub(crate) fn manifest(input: &Input, chunk_steps: u32) -> Manifest {
    Manifest {
        format: FORMAT,
        machine: MACHINE_REVISION,
        revision: input.batch.system.revision.to_string(),
        tool_version: "test".to_owned(),
        name: input.name.clone(),
        input_kind: "test".to_owned(),
        input_size: 0,
        input_sha256: String::new(),
        protocol_version: input.batch.system.version.number(),
        chain_id: input.batch.system.chain_id,
        batch_number: input.batch.batch.number,
        chunk_steps,
        created_unix: 0,
    }
}

/// All vectors; none, and a line that says so, where they are not.
pub(crate) fn all_vectors() -> Vec<Input> {
    let Ok(entries) = std::fs::read_dir(vectors_root()) else {
        return vectors(&["every one of them"]);
    };
    let folders = entries.map(|entry| entry.unwrap().path());
    let mut names: Vec<String> = folders
        .filter(|folder| folder.join("run.json").is_file())
        .map(|folder| folder.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    vectors(&names.iter().map(String::as_str).collect::<Vec<_>>())
}

fn vectors_root() -> PathBuf {
    std::env::var_os("ERADBG_VECTORS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors")),
        PathBuf::from,
    )
}

/// Inputs from the vectors; none, and a line that says so, where they are not.
pub(crate) fn vectors(names: &[&str]) -> Vec<Input> {
    let root = vectors_root();
    if !root.is_dir() {
        println!(
            "NOT RUN on {}: no vectors at {}",
            names.join(", "),
            root.display()
        );
        return Vec::new();
    }
    let load = |name: &&str| {
        let folder = root.join(name);
        let dump = ["dump.json", "dump.json.gz"]
            .map(|file| folder.join(file))
            .into_iter()
            .find(|path| path.is_file());
        let loaded = source::load(&dump.expect("a vector has a dump"), None).unwrap();
        let config = RunConfig::load(&folder.join("run.json")).unwrap();
        Input {
            name: (*name).to_owned(),
            ..Input::of(loaded, config)
        }
    };
    names.iter().map(load).collect()
}

/// Numbers that are the same for the same seed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// The next number below a limit.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit.max(1)
    }
}
