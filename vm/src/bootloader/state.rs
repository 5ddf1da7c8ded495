//! What the operator has put into the bootloader's heap, and where the next thing goes.

use primitive_types::{H256, U256};

use crate::batch::{BatchEnv, ExecutionMode, L2BlockEnv, SystemEnv, Transaction};
use crate::bootloader::l2_block::{BlockError, L2BlockState};
use crate::bootloader::layout::{self, Layout};
use crate::bytecode::compress::{self, CompressedBytecode};

/// Words for the heap: slot and value.
pub type Words = Vec<(u32, U256)>;

/// The bootloader's side of the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootloaderState {
    layout: Layout,
    system: SystemEnv,
    blocks: Vec<L2BlockState>,
    /// Hash and first slot of the encoding of each pushed transaction.
    transactions: Vec<Pushed>,
    /// Slots of encoded transactions so far.
    encoding_slots: usize,
    /// Slots of compressed bytecodes so far.
    compressed_slots: usize,
    interop_roots: usize,
    /// Transactions whose execution was started.
    started: usize,
    /// Everything the operator wrote, in order: with it the batch can be run again from its first step.
    memory: Words,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pushed {
    hash: H256,
    encoding: usize,
}

/// Lengths that a rollback cuts back to.
#[derive(Debug, Clone)]
pub struct BootloaderSnapshot {
    blocks: usize,
    last_block: L2BlockState,
    transactions: usize,
    encoding_slots: usize,
    compressed_slots: usize,
    interop_roots: usize,
    started: usize,
    memory: usize,
}

/// Why something cannot be pushed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// The heap has room for so many transactions only.
    #[error("the batch is full: it holds {} transactions", layout::MAX_TRANSACTIONS)]
    TooManyTransactions,
    /// The area for encoded transactions is full.
    #[error(
        "transaction {index} does not fit: {needed} of {available} slots for encoded transactions are needed"
    )]
    EncodingTooLong {
        /// Index in the batch.
        index: usize,
        /// Slots needed with this transaction.
        needed: usize,
        /// Slots of the area.
        available: usize,
    },
    /// The area for compressed bytecodes is full.
    #[error(
        "transaction {index} does not fit: its compressed bytecodes need more than {} slots",
        layout::COMPRESSED_BYTECODES_SLOTS
    )]
    BytecodesTooLong {
        /// Index in the batch.
        index: usize,
    },
}

impl BootloaderState {
    /// The state at the start of a batch, and the words that its heap starts with.
    pub fn new(batch: &BatchEnv, system: SystemEnv) -> (Self, Words) {
        let layout = Layout::of(system.version);
        let memory = initial_memory(batch, &layout);
        let state = Self {
            layout,
            system,
            blocks: vec![L2BlockState::new(batch.first_l2_block.clone(), 0)],
            transactions: Vec::new(),
            encoding_slots: 0,
            compressed_slots: 0,
            interop_roots: 0,
            started: 0,
            memory: memory.clone(),
        };
        (state, memory)
    }

    /// Places in the heap.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// L2 blocks so far.
    pub fn blocks(&self) -> &[L2BlockState] {
        &self.blocks
    }

    /// The L2 block that transactions go into.
    pub fn last_block(&self) -> &L2BlockState {
        self.blocks.last().expect("a batch starts with a block")
    }

    /// Transactions pushed and not rolled back.
    pub fn transaction_count(&self) -> usize {
        self.transactions.len()
    }

    /// Hash of a pushed transaction.
    pub fn transaction_hash(&self, index: usize) -> H256 {
        self.transactions[index].hash
    }

    /// Slot of the gas limit of a pushed transaction.
    pub fn gas_limit_slot(&self, index: usize) -> usize {
        self.transactions[index].encoding + layout::GAS_LIMIT_IN_TRANSACTION
    }

    /// Index of the transaction whose execution was started last.
    pub fn current_transaction(&self) -> Option<usize> {
        self.started.checked_sub(1)
    }

    /// Starts the next transaction.
    ///
    /// # Panics
    /// When it was not pushed.
    pub fn start_transaction(&mut self) {
        assert!(
            self.started < self.transactions.len(),
            "the next transaction was not pushed"
        );
        self.started += 1;
    }

    /// Words that put a transaction after the ones before it.
    ///
    /// # Errors
    /// When the heap has no room for it.
    pub fn push_transaction(
        &mut self,
        transaction: &Transaction,
        bytecodes: &[CompressedBytecode],
    ) -> Result<Words, PushError> {
        let index = self.transactions.len();
        if index >= layout::MAX_TRANSACTIONS {
            return Err(PushError::TooManyTransactions);
        }
        let encoded = transaction.encode();
        let (needed, available) = (self.encoding_slots + encoded.len(), self.layout.encoding_slots);
        if needed > available {
            return Err(PushError::EncodingTooLong {
                index,
                needed,
                available,
            });
        }
        let compressed: Vec<U256> = bytecodes
            .iter()
            .flat_map(|code| compress::encode_call(code.hash, &code.original, &code.compressed))
            .collect();
        if self.compressed_slots + compressed.len() >= layout::COMPRESSED_BYTECODES_SLOTS {
            return Err(PushError::BytecodesTooLong { index });
        }

        let layout = self.layout;
        let encoding = layout.encodings + self.encoding_slots;
        let description = layout.descriptions + layout::DESCRIPTION_SLOTS * index;
        let mut words = vec![
            (description as u32, meta_word(self.system.execution_mode)),
            (description as u32 + 1, U256::from(32 * encoding)),
            ((layout.refunds + index) as u32, U256::zero()),
            (
                (layout.overheads + index) as u32,
                transaction.overhead_gas().into(),
            ),
            (
                (layout.trusted_gas_limits + index) as u32,
                transaction.trusted_gas_limit().into(),
            ),
        ];
        put(&mut words, encoding, encoded.iter().copied());
        let starts_at = (self.last_block().transactions == 0).then_some(self.blocks.len() - 1);
        words.extend(self.block_words(index, starts_at));
        // The first slot of the area is a pointer of the bootloader's own.
        put(
            &mut words,
            layout.compressed_bytecodes + 1 + self.compressed_slots,
            compressed.iter().copied(),
        );

        let hash = transaction.hash(self.system.chain_id);
        self.blocks
            .last_mut()
            .expect("a batch starts with a block")
            .push(hash);
        self.transactions.push(Pushed { hash, encoding });
        self.encoding_slots += encoded.len();
        self.compressed_slots += compressed.len();
        if starts_at.is_some() && layout.interop.is_some() {
            self.interop_roots += self.last_block().env.interop_roots.len();
        }
        self.memory.extend(&words);
        Ok(words)
    }

    /// Starts an L2 block.
    ///
    /// # Errors
    /// When it does not follow the one before.
    pub fn start_block(&mut self, block: L2BlockEnv) -> Result<(), BlockError> {
        self.last_block().check_next(&block, self.system.version)?;
        self.blocks
            .push(L2BlockState::new(block, self.transactions.len()));
        Ok(())
    }

    /// Words of the empty block that ends a batch. An empty last block takes its place.
    pub fn start_fictive_block(&mut self) -> Words {
        let block_index = self.blocks.len() - 1;
        let last = self.blocks.last_mut().expect("a batch starts with a block");
        if last.transactions == 0 {
            last.env.interop_roots.clear();
        } else {
            let env = L2BlockEnv {
                number: last.env.number + 1,
                timestamp: last.env.timestamp + 1,
                prev_block_hash: last.hash(),
                max_virtual_blocks: 1,
                interop_roots: Vec::new(),
            };
            self.blocks.push(L2BlockState::new(env, self.transactions.len()));
        }
        let fictive_index = self.blocks.len() - 1;
        let transaction = self.transactions.len();
        // The operator writes the number of roots where the last block's stands; a replay writes it at the block's own
        // place. The bootloader reads neither for this block.
        let words = self.block_words(transaction, Some(block_index));
        let replayed = self.block_words(transaction, Some(fictive_index));
        self.memory.extend(replayed);
        words
    }

    /// Keeps words that the operator wrote on its own: refunds and pubdata.
    pub fn note_written(&mut self, words: &[(u32, U256)]) {
        self.memory.extend(words);
    }

    /// Words with which the whole batch can be run from its start: each slot once, in order of slots, with the value
    /// written last.
    pub fn replay_memory(&self) -> std::collections::BTreeMap<u32, U256> {
        self.memory.iter().copied().collect()
    }

    /// Remembers the lengths.
    pub fn snapshot(&self) -> BootloaderSnapshot {
        BootloaderSnapshot {
            blocks: self.blocks.len(),
            last_block: self.last_block().clone(),
            transactions: self.transactions.len(),
            encoding_slots: self.encoding_slots,
            compressed_slots: self.compressed_slots,
            interop_roots: self.interop_roots,
            started: self.started,
            memory: self.memory.len(),
        }
    }

    /// Cuts everything back to a snapshot.
    pub fn roll_back(&mut self, snapshot: BootloaderSnapshot) {
        self.blocks.truncate(snapshot.blocks);
        *self.blocks.last_mut().expect("a batch starts with a block") = snapshot.last_block;
        self.transactions.truncate(snapshot.transactions);
        self.encoding_slots = snapshot.encoding_slots;
        self.compressed_slots = snapshot.compressed_slots;
        self.interop_roots = snapshot.interop_roots;
        self.started = snapshot.started;
        self.memory.truncate(snapshot.memory);
    }

    /// The last block's four words for a transaction, and its interop roots when it starts there: with its index in the
    /// batch.
    fn block_words(&self, transaction: usize, starts_at: Option<usize>) -> Words {
        let env = &self.last_block().env;
        let virtual_blocks = if starts_at.is_some() {
            env.max_virtual_blocks
        } else {
            0
        };
        let block = [
            env.number.into(),
            env.timestamp.into(),
            U256::from_big_endian(env.prev_block_hash.as_bytes()),
            virtual_blocks.into(),
        ];
        let mut words = Words::new();
        put(
            &mut words,
            self.layout.l2_blocks + layout::L2_BLOCK_SLOTS * transaction,
            block,
        );
        let (Some(block_index), Some(interop)) = (starts_at, self.layout.interop) else {
            return words;
        };
        for (index, root) in env.interop_roots.iter().enumerate() {
            let start = interop.roots + layout::INTEROP_ROOT_SLOTS * (self.interop_roots + index);
            let head = [
                env.number.into(),
                root.chain_id.into(),
                root.block_number.into(),
                root.sides.len().into(),
            ];
            let sides = root
                .sides
                .iter()
                .map(|side| U256::from_big_endian(side.as_bytes()));
            put(&mut words, start, head.into_iter().chain(sides));
        }
        // Zero would mean that the number was not given.
        put(
            &mut words,
            interop.roots_per_block + block_index,
            [U256::from(env.interop_roots.len() + 1)],
        );
        words
    }
}

fn initial_memory(batch: &BatchEnv, layout: &Layout) -> Words {
    let prices = batch.fee_input;
    let (previous_hash, sets_new_batch) = batch.previous_batch_hash.map_or((U256::zero(), 0), |hash| {
        (U256::from_big_endian(hash.as_bytes()), 1)
    });
    let inputs = [
        U256::from_big_endian(batch.fee_account.as_bytes()),
        previous_hash,
        batch.timestamp.into(),
        batch.number.into(),
        prices.fair_pubdata_price().into(),
        prices.fair_l2_gas_price().into(),
        batch.base_fee().into(),
        sets_new_batch.into(),
    ];
    let mut words = Words::new();
    put(&mut words, 0, inputs);
    if let Some(slot) = layout.settlement_layer {
        put(
            &mut words,
            slot,
            [batch.settlement_layer_chain_id.into(), batch.interop_fee],
        );
    }
    words
}

/// First word of a description: the most significant byte says how, the least significant one that it is executed.
fn meta_word(mode: ExecutionMode) -> U256 {
    let mode = match mode {
        ExecutionMode::VerifyExecute | ExecutionMode::EstimateFee => 0,
        ExecutionMode::EthCall => 2,
    };
    U256::from(mode) << 248 | U256::one()
}

fn put(words: &mut Words, slot: usize, values: impl IntoIterator<Item = U256>) {
    words.extend((slot as u32..).zip(values));
}
