//! Whole batches, run once with our operator to know what it does.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use eradbg_tracer::drive::{Session, Sink};
use eradbg_tracer::source::{self, Loaded};
use eradbg_vm::storage::SnapshotStorage;
use eradbg_vm::{Execution, Observer, Program, U256};

use super::run::{Act, Case};
use super::world::World;

/// Transfers on the embedded bootloader.
pub(crate) fn transfers(count: usize) -> Case {
    let mut text = String::from(r#"(accounts: {"alice": Rich(0), "bob": Rich(1)}, blocks: [(steps: ["#);
    for value in 1..=count {
        let _ = write!(text, r#"Transfer(from: "alice", to: "bob", value: {value}),"#);
    }
    text.push_str("])])");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("transfers.ron");
    std::fs::write(&path, text).expect("the temporary folder can be written to");
    case(source::load(&path, None).unwrap_or_else(|error| panic!("{error}")))
}

/// A reference vector; `None` where there are none.
pub(crate) fn vector(name: &str) -> Option<Case> {
    let root = std::env::var_os("ERADBG_VECTORS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors")),
        PathBuf::from,
    );
    let folder = root.join(name);
    let dump = ["dump.json", "dump.json.gz"]
        .map(|file| folder.join(file))
        .into_iter()
        .find(|path| path.exists());
    let Some(dump) = dump else {
        eprintln!("{name}: not run, there are no vectors at {}", root.display());
        return None;
    };
    let mut loaded = source::load(&dump, None).unwrap_or_else(|error| panic!("{error}"));
    loaded.run =
        source::run::RunConfig::load(&folder.join("run.json")).unwrap_or_else(|error| panic!("{error}"));
    Some(case(loaded))
}

fn case(loaded: Loaded) -> Case {
    let storage = SnapshotStorage::new(loaded.input.storage.clone());
    let ergs = loaded.input.system.bootloader_gas_limit;
    let mut session = Session::new(loaded.input, loaded.script, Operator::default());
    session.drive(&loaded.run).expect("the batch runs");
    let root = Arc::clone(
        session
            .operator()
            .machine()
            .execution
            .frames()
            .next()
            .map(|root| &root.program)
            .expect("the bootloader's frame"),
    );
    let settings = *session.operator().machine().execution.settings();
    let (operator, vm) = session.into_parts();
    let mut script = operator.script;
    if vm.execution.ended().is_some() {
        script.push(Act::RunToEnd);
    }
    Case {
        root,
        ergs,
        settings,
        world: World::of_batch(operator.codes, storage),
        script,
    }
}

/// Notes what the operator does.
#[derive(Debug, Default)]
struct Operator {
    script: Vec<Act>,
    codes: HashMap<U256, Vec<U256>>,
}

impl Sink for Operator {
    type Observer = Self;

    fn observer(&mut self) -> &mut Self {
        self
    }
}

impl Observer for Operator {
    fn hook(&mut self, id: u32, _: [U256; 3]) {
        self.script.push(Act::RunToHook(id));
    }

    fn operator_write(&mut self, slot: u32, _: U256, word: U256) {
        self.script.push(Act::Write { slot, word });
    }

    fn snapshot(&mut self, _: &Execution) {
        self.script.push(Act::Snapshot);
    }

    fn snapshot_dropped(&mut self) {
        self.script.push(Act::DropSnapshot);
    }

    fn rolled_back(&mut self, _: &Execution) {
        self.script.push(Act::RollBack);
    }

    fn code_loaded(&mut self, program: &Arc<Program>) {
        self.codes.insert(program.hash(), program.words().to_vec());
    }
}
