//! The official fast VM, one instruction at a time.

use std::collections::HashMap;
use std::sync::Arc;

use eradbg_vm::bytecode::words_to_bytes;
use eradbg_vm::pubdata::state_diff::pubdata_cost_of_write;
use eradbg_vm::storage::{BOOTLOADER, Storage};
use eradbg_vm::{H160, StorageKey, U256};
use zksync_vm2::interface::{
    CallframeInterface, GlobalStateInterface, HeapId, OpcodeType, ShouldStop, StateInterface, Tracer,
};
use zksync_vm2::{ExecutionEnd, Program, Settings, StorageInterface, StorageSlot, VirtualMachine, World};

use crate::case::{Case, Chain};

/// Handler of the root frame: no address.
const NO_HANDLER: u16 = u16::MAX;

/// The machine that ours is compared with.
#[derive(Debug)]
pub struct Peer {
    /// The machine.
    pub vm: VirtualMachine<Single, PeerWorld>,
    world: PeerWorld,
}

/// Stops after each instruction.
#[derive(Debug)]
pub struct Single;

impl Tracer for Single {
    fn after_instruction<OP: OpcodeType, S: GlobalStateInterface>(&mut self, _: &mut S) -> ShouldStop {
        ShouldStop::Stop
    }
}

impl Peer {
    /// A machine at the first instruction of a case.
    pub fn new(case: &Case, chain: Arc<Chain>) -> Self {
        let bytes = |hash: U256| {
            let mut bytes = [0; 32];
            hash.to_big_endian(&mut bytes);
            bytes
        };
        let settings = Settings {
            default_aa_code_hash: bytes(case.default_account),
            evm_interpreter_code_hash: bytes(case.evm_emulator),
            hook_address: case.hook_offset,
        };
        let root = Program::from_words(case.root.words(), true);
        let mut vm = VirtualMachine::new(BOOTLOADER, root, H160::zero(), &[], case.ergs, settings);
        let mut frame = vm.current_frame();
        frame.set_heap_bound(case.bounds.0);
        frame.set_aux_heap_bound(case.bounds.1);
        frame.set_exception_handler(NO_HANDLER);
        drop(frame);
        Self {
            vm,
            world: PeerWorld {
                chain,
                programs: HashMap::new(),
            },
        }
    }

    /// Executes one instruction; how the run ended or was suspended, when it was.
    pub fn step(&mut self) -> Option<ExecutionEnd> {
        match self.vm.run(&mut self.world, &mut Single) {
            ExecutionEnd::StoppedByTracer => None,
            end => Some(end),
        }
    }

    /// A word of a heap.
    pub fn memory(&self, heap: u32, offset: u32) -> U256 {
        self.vm.read_heap_u256(HeapId::from_u32_unchecked(heap), offset)
    }

    /// Writes a word of a heap.
    pub fn set_memory(&mut self, heap: u32, offset: u32, word: U256) {
        self.vm
            .write_heap_u256(HeapId::from_u32_unchecked(heap), offset, word);
    }
}

/// The chain as the peer asks for it.
#[derive(Debug)]
pub struct PeerWorld {
    chain: Arc<Chain>,
    programs: HashMap<U256, Program<Single, Self>>,
}

impl StorageInterface for PeerWorld {
    fn read_storage(&mut self, address: H160, key: U256) -> StorageSlot {
        let (value, is_write_initial) = self.chain.slot(&StorageKey { address, key });
        StorageSlot {
            value,
            is_write_initial,
        }
    }

    fn cost_of_writing_storage(&mut self, slot: StorageSlot, value: U256) -> u32 {
        pubdata_cost_of_write(slot.is_write_initial, slot.value, value)
    }

    fn is_free_storage_slot(&self, &address: &H160, &key: &U256) -> bool {
        (&*self.chain).is_free_storage_slot(&StorageKey { address, key })
    }
}

impl World<Single> for PeerWorld {
    fn decommit(&mut self, hash: U256) -> Program<Single, Self> {
        let program = self
            .programs
            .entry(hash)
            .or_insert_with(|| Program::from_words(self.chain.code(hash).to_vec(), false));
        program.clone()
    }

    fn decommit_code(&mut self, hash: U256) -> Vec<u8> {
        words_to_bytes(self.chain.code(hash))
    }
}
