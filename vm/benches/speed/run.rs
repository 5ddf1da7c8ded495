//! A case, and the two machines that run it.

use std::sync::Arc;

use eradbg_vm::execution::Settings;
use eradbg_vm::outcome::Stop;
use eradbg_vm::storage::BOOTLOADER;
use eradbg_vm::vm::Snapshot;
use eradbg_vm::{EraVm, H160, Program, U256};
use zksync_vm2::interface::{CallframeInterface, HeapId, StateInterface, Tracer};
use zksync_vm2::{ExecutionEnd, VirtualMachine};

use super::world::{PeerWorld, World};

/// What to run.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// Code of the root frame.
    pub(crate) root: Arc<Program>,
    /// Ergs of the root frame.
    pub(crate) ergs: u32,
    pub(crate) settings: Settings,
    pub(crate) world: World,
    /// What the operator does, and where the machine stops; a program alone is one run to the end.
    pub(crate) script: Vec<Act>,
}

/// A thing that the operator does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// Writes a word of the bootloader's heap.
    Write { slot: u32, word: U256 },
    /// Takes a snapshot.
    Snapshot,
    /// Forgets it.
    DropSnapshot,
    /// Restores it.
    RollBack,
    /// Lets the machine run to this hook.
    RunToHook(u32),
    /// Lets the machine run to its end.
    RunToEnd,
}

impl Case {
    /// Steps that the run makes.
    pub(crate) fn steps(&self) -> u64 {
        let mut machine = Ours::new(self);
        machine.run(self);
        machine.vm.execution.steps()
    }
}

/// Our machine.
pub(crate) struct Ours {
    vm: EraVm,
    world: World,
    snapshot: Option<Snapshot>,
}

impl Ours {
    pub(crate) fn new(case: &Case) -> Self {
        Self {
            vm: EraVm::new(Arc::clone(&case.root), case.ergs, case.settings),
            world: case.world.clone(),
            snapshot: None,
        }
    }

    pub(crate) fn run(&mut self, case: &Case) {
        for act in &case.script {
            match *act {
                Act::Write { slot, word } => self.vm.execution.operator_write(slot, word, &mut ()),
                Act::Snapshot => self.snapshot = Some(self.vm.snapshot(&mut ())),
                Act::DropSnapshot => self.vm.drop_snapshot(&mut ()),
                Act::RollBack => {
                    let snapshot = self.snapshot.take().expect("it was taken before");
                    self.vm.roll_back(snapshot, &mut ());
                }
                Act::RunToHook(hook) => assert_eq!(self.go_on(), Stop::Hook(hook)),
                Act::RunToEnd => assert!(matches!(self.go_on(), Stop::Ended(_))),
            }
        }
    }

    fn go_on(&mut self) -> Stop {
        let stop = self.vm.run(&mut self.world, &mut (), u64::MAX);
        stop.expect("the world has everything")
    }
}

/// `zksync_vm2` with a tracer.
pub(crate) struct Peer<T: Tracer> {
    vm: VirtualMachine<T, PeerWorld<T>>,
    world: PeerWorld<T>,
    tracer: T,
    has_snapshot: bool,
}

impl<T: Tracer> Peer<T> {
    pub(crate) fn new(case: &Case, tracer: T) -> Self {
        let settings = zksync_vm2::Settings {
            default_aa_code_hash: bytes(case.settings.default_account),
            evm_interpreter_code_hash: bytes(case.settings.evm_emulator),
            hook_address: case.settings.hook_offset,
        };
        let root = zksync_vm2::Program::from_words(case.root.words().to_vec(), true);
        let mut vm = VirtualMachine::new(BOOTLOADER, root, H160::zero(), &[], case.ergs, settings);
        let mut frame = vm.current_frame();
        frame.set_heap_bound(u32::MAX);
        frame.set_aux_heap_bound(u32::MAX);
        frame.set_exception_handler(u16::MAX);
        drop(frame);
        Self {
            vm,
            world: PeerWorld::new(case.world.clone()),
            tracer,
            has_snapshot: false,
        }
    }

    pub(crate) fn run(&mut self, case: &Case) {
        for act in &case.script {
            match *act {
                Act::Write { slot, word } => self.vm.write_heap_u256(HeapId::FIRST, slot * 32, word),
                Act::Snapshot => {
                    self.drop_snapshot();
                    self.vm.make_snapshot();
                    self.has_snapshot = true;
                }
                Act::DropSnapshot => self.drop_snapshot(),
                Act::RollBack => {
                    self.vm.rollback();
                    self.has_snapshot = false;
                }
                Act::RunToHook(hook) => assert!(
                    matches!(self.go_on(), ExecutionEnd::SuspendedOnHook(found) if found == hook),
                    "both machines stop at the same hooks"
                ),
                Act::RunToEnd => assert!(!matches!(self.go_on(), ExecutionEnd::SuspendedOnHook(_))),
            }
        }
    }

    fn go_on(&mut self) -> ExecutionEnd {
        self.vm.run(&mut self.world, &mut self.tracer)
    }

    fn drop_snapshot(&mut self) {
        if std::mem::take(&mut self.has_snapshot) {
            self.vm.pop_snapshot();
        }
    }
}

fn bytes(word: U256) -> [u8; 32] {
    let mut bytes = [0; 32];
    word.to_big_endian(&mut bytes);
    bytes
}
