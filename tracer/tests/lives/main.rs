//! Random lives of a batch: transactions are pushed, run, kept or taken back, L2 blocks started, the batch closed and
//! opened again. What is taken back leaves no trace, neither in the parts of the machine nor in what comes after it.

#![allow(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

mod moment;

use eradbg_fixtures::{TransactionKind, mini_batch};
use eradbg_tracer::source;
use eradbg_vm::batch::{BatchInput, InteropRoot, L2BlockEnv, Transaction};
use eradbg_vm::operator::{BatchResult, ExecutionResult, OperatorVm, PubdataTarget, RunMode, RunResult};
use eradbg_vm::pubdata::builder::{DaTarget, PubdataBuilder};
use eradbg_vm::storage::SnapshotStorage;
use eradbg_vm::{H160, H256};
use moment::Moment;

const TARGET: PubdataTarget = PubdataTarget {
    builder: PubdataBuilder::Full,
    da: DaTarget::Validator(H160::zero()),
};

/// Transactions of all kinds from two senders and from L1, in the order of nonces; in the second block those that always
/// halt.
const POOL: &str = r#"(
    accounts: { "alice": Rich(0), "bob": Rich(1), "carol": Rich(2) },
    contracts: {
        "counter": (code: Sample("counter")),
        "burner": (code: Sample("burner")),
        "token": (code: Sample("token"), storage: { "0": "alice" }),
        "toggler": (code: Sample("toggler")),
        "messenger": (code: Sample("messenger")),
        "transient": (code: Sample("transient")),
        "factory": (code: Sample("factory"), deployed: false),
        "account": (code: Sample("account"), deployed: false),
    },
    blocks: [(steps: [
        Deploy(from: "alice", contract: "factory", gas_limit: 120_000),
        Transfer(from: "alice", to: "bob", value: 1),
        Call(from: "alice", to: "toggler", function: "set(uint256,uint256)", args: [7, 1]),
        Call(from: "alice", to: "counter", function: "increment()"),
        Call(from: "alice", to: "messenger", function: "send(bytes)", args: ["0x68656c6c6f204c31"]),
        Call(from: "alice", to: "token", function: "mint(address,uint256)", args: ["alice", 10]),
        Call(from: "alice", to: "toggler", function: "set(uint256,uint256)", args: [7, 0]),
        Deploy(from: "alice", contract: "account"),
        Call(from: "alice", to: "burner", function: "burn()", gas_limit: 300_000),
        Call(from: "alice", to: "toggler", function: "set(uint256,uint256)", args: [7, 1]),
        Call(from: "alice", to: "token", function: "transfer(address,uint256)", args: ["bob", 1]),

        Call(from: "bob", to: "token", function: "transfer(address,uint256)", args: ["alice", 100]),
        Deploy(from: "bob", contract: "factory"),
        Call(from: "bob", to: "counter", function: "increment()"),
        Deploy(from: "bob", contract: "account", gas_limit: 120_000),
        Call(from: "bob", to: "transient", function: "count()"),
        Call(from: "bob", to: "messenger", function: "send(bytes)", args: ["0x"]),
        Deploy(from: "bob", contract: "account", salt: 1),

        Priority(from: "carol", to: "counter", function: "increment()", mint: "1 ether"),
        Priority(from: "carol", to: "burner", function: "burn()", gas_limit: 1_000_000, mint: "1 ether"),
        Priority(from: "carol", to: "transient", function: "count()", mint: "1 ether", gas_limit: 20_000_000),
    ]), (steps: [
        Transfer(from: "alice", to: "bob", value: 1, nonce: 77, expect: Rejected("")),
        Transfer(from: "bob", to: "alice", signed_by: "alice", expect: Rejected("")),
    ])],
)"#;

/// What the operator does in the life of a batch that is kept.
#[derive(Debug, Clone)]
enum Kept {
    Transaction { index: usize, compressed: bool },
    Block(L2BlockEnv),
}

/// How often each thing happened.
#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    succeeded: usize,
    reverted: usize,
    halted: usize,
    taken_back: usize,
    blocks: usize,
    blocks_taken_back: usize,
    unpublished: usize,
    published: usize,
    reopened: usize,
}

/// Transactions to choose from. After the first `regular` ones come those that always halt.
struct Pool {
    transactions: Vec<Transaction>,
    regular: usize,
    /// Whether L2 blocks have interop roots; the embedded bootloader refuses them.
    with_roots: bool,
}

/// A batch as it lives, with the list of what has stayed of it.
struct Life<'a> {
    operator: OperatorVm<SnapshotStorage>,
    pool: &'a Pool,
    /// The next transaction of each sender.
    next: Vec<(H160, Vec<usize>)>,
    kept: Vec<(Kept, Option<RunResult>)>,
    random: Random,
    counts: Counts,
    /// What has been done, to be told when something differs.
    log: Vec<String>,
}

impl<'a> Life<'a> {
    fn new(input: &BatchInput, pool: &'a Pool, seed: u64) -> Self {
        let mut next: Vec<(H160, Vec<usize>)> = Vec::new();
        for (index, transaction) in pool.transactions[..pool.regular].iter().enumerate().rev() {
            match next.iter_mut().find(|(from, _)| *from == transaction.from) {
                Some((_, indices)) => indices.push(index),
                None => next.push((transaction.from, vec![index])),
            }
        }
        Self {
            operator: operator(input),
            pool,
            next,
            kept: Vec::new(),
            random: Random(seed),
            counts: Counts::default(),
            log: vec![format!("seed {seed}")],
        }
    }

    fn act(&mut self) {
        match self.random.below(10) {
            0 | 1 => {
                if let Some(block) = self.start_block() {
                    self.kept.push((Kept::Block(block), None));
                    self.counts.blocks += 1;
                }
            }
            2 => self.close_and_open_again(),
            3 => self.retry(),
            _ => self.transact(),
        }
    }

    /// Runs a transaction that may be kept; one that halts is taken back.
    fn transact(&mut self) {
        let index = self.pick();
        let compressed = self.random.below(4) > 0;
        let before = self.snapshot();
        let run = self.run(index, compressed);
        if self.count(&run) || self.random.below(3) == 0 {
            if self.random.below(2) == 0 && self.start_block().is_some() {
                self.counts.blocks_taken_back += 1;
            }
            self.counts.taken_back += 1;
            self.roll_back(&before);
        } else {
            self.keep(index, compressed, run);
        }
    }

    /// Runs a transaction with compressed bytecodes, takes it back and runs it without.
    fn retry(&mut self) {
        let index = self.pick();
        let before = self.snapshot();
        self.run(index, true);
        self.roll_back(&before);
        let before = self.snapshot();
        let run = self.run(index, false);
        if self.count(&run) {
            self.roll_back(&before);
        } else {
            self.keep(index, false, run);
        }
    }

    fn close_and_open_again(&mut self) {
        let before = self.snapshot();
        self.log.push("close".to_owned());
        let closed = self.operator.finish_batch(TARGET, &mut ()).unwrap();
        assert!(matches!(closed.tip.result, ExecutionResult::Success(_)));
        self.counts.reopened += 1;
        self.roll_back(&before);
    }

    /// Starts an L2 block, with interop roots, if the one before has transactions.
    fn start_block(&mut self) -> Option<L2BlockEnv> {
        let last = self.operator.bootloader_state().last_block();
        if last.transactions == 0 {
            return None;
        }
        let most = if self.pool.with_roots { 3 } else { 1 };
        let roots = 0..self.random.below(most) as u32;
        let block = L2BlockEnv {
            number: last.env.number + 1,
            timestamp: last.env.timestamp + self.random.below(2),
            prev_block_hash: last.hash(),
            max_virtual_blocks: 1,
            interop_roots: roots
                .map(|block_number| InteropRoot {
                    chain_id: 300,
                    block_number,
                    sides: vec![H256::repeat_byte(7)],
                })
                .collect(),
        };
        self.log.push(format!("block {}", block.number));
        self.operator.start_l2_block(block.clone()).unwrap();
        Some(block)
    }

    /// Mostly the next transaction of a sender, else any.
    fn pick(&mut self) -> usize {
        let senders = self.next.len() as u64;
        let sender = self.random.below(senders) as usize;
        match self.next[sender].1.last() {
            Some(&index) if self.random.below(6) > 0 => index,
            _ => self.random.below(self.pool.transactions.len() as u64) as usize,
        }
    }

    fn snapshot(&mut self) -> Moment {
        // The snapshot before a transaction that stayed is dropped now or earlier, which makes no difference.
        if self.random.below(2) == 0 {
            self.operator.drop_snapshot(&mut ());
        }
        self.operator.make_snapshot(&mut ());
        Moment::of(&self.operator)
    }

    fn run(&mut self, index: usize, compressed: bool) -> RunResult {
        let (run, published) = run(&mut self.operator, &self.pool.transactions[index], compressed);
        self.counts.published += usize::from(published == Some(true));
        self.counts.unpublished += usize::from(published == Some(false));
        self.log.push(format!(
            "transaction {index}, compressed: {compressed}: {:?}",
            run.result
        ));
        run
    }

    /// Counts how a transaction went; whether it halted.
    fn count(&mut self, run: &RunResult) -> bool {
        let count = match run.result {
            ExecutionResult::Success(_) => &mut self.counts.succeeded,
            ExecutionResult::Revert(_) => &mut self.counts.reverted,
            ExecutionResult::Halt(_) => &mut self.counts.halted,
        };
        *count += 1;
        matches!(run.result, ExecutionResult::Halt(_))
    }

    fn keep(&mut self, index: usize, compressed: bool, run: RunResult) {
        self.kept
            .push((Kept::Transaction { index, compressed }, Some(run)));
        for (_, indices) in &mut self.next {
            indices.retain(|&other| other != index);
        }
    }

    fn roll_back(&mut self, before: &Moment) {
        self.log.push("roll back".to_owned());
        self.operator.roll_back(&mut ());
        let differences = Moment::of(&self.operator).differences(before);
        assert!(differences.is_empty(), "{differences:#?}\nafter {:#?}", self.log);
    }

    /// Closes the batch and compares it with one in which only what was kept ever happened.
    fn end(mut self, input: &BatchInput) -> Counts {
        let mut plain = operator(input);
        for (step, expected) in &self.kept {
            match step {
                Kept::Block(block) => plain.start_l2_block(block.clone()).unwrap(),
                Kept::Transaction { index, compressed } => {
                    let (run, _) = run(&mut plain, &self.pool.transactions[*index], *compressed);
                    assert_eq!(expected.as_ref(), Some(&run), "after {:#?}", self.log);
                }
            }
        }
        let [one, other] = [&mut self.operator, &mut plain].map(close);
        assert_eq!(one, other, "after {:#?}", self.log);
        let differences = Moment::of(&self.operator).differences_but_steps(&Moment::of(&plain));
        assert!(differences.is_empty(), "{differences:#?}\nafter {:#?}", self.log);
        self.counts
    }
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.succeeded += other.succeeded;
        self.reverted += other.reverted;
        self.halted += other.halted;
        self.taken_back += other.taken_back;
        self.blocks += other.blocks;
        self.blocks_taken_back += other.blocks_taken_back;
        self.unpublished += other.unpublished;
        self.published += other.published;
        self.reopened += other.reopened;
    }
}

/// A generator of numbers (splitmix64): the same seed gives the same life.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % limit
    }
}

#[test]
fn what_is_taken_back_of_the_mini_batch_leaves_no_trace() {
    let input = mini_batch(40);
    let all = input.transactions().cloned().enumerate();
    let (halting, regular): (Vec<_>, Vec<_>) =
        all.partition(|&(index, _)| TransactionKind::of(index) == TransactionKind::Halts);
    let pool = Pool {
        regular: regular.len(),
        with_roots: true,
        transactions: regular.into_iter().chain(halting).map(|(_, it)| it).collect(),
    };
    let counts = live(&input, &pool, 60, 25);
    let happened = [
        counts.succeeded,
        counts.reverted,
        counts.halted,
        counts.taken_back,
        counts.blocks,
        counts.blocks_taken_back,
        counts.reopened,
    ];
    assert!(happened.iter().all(|&count| count > 20), "{counts:?}");
}

#[test]
fn what_is_taken_back_of_an_embedded_batch_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pool.ron");
    std::fs::write(&path, POOL).unwrap();
    let input = source::load(&path, None)
        .unwrap_or_else(|error| panic!("{error}"))
        .input;
    let pool = Pool {
        transactions: input.transactions().cloned().collect(),
        regular: input.blocks[0].transactions.len(),
        with_roots: false,
    };
    let counts = live(&input, &pool, 40, 30);
    let happened = [
        counts.succeeded,
        counts.reverted,
        counts.halted,
        counts.taken_back,
        counts.blocks,
        counts.blocks_taken_back,
        counts.unpublished,
        counts.published,
        counts.reopened,
    ];
    assert!(happened.iter().all(|&count| count > 10), "{counts:?}");
}

fn live(input: &BatchInput, pool: &Pool, lives: u64, acts: usize) -> Counts {
    let mut counts = Counts::default();
    for seed in 0..lives {
        let mut life = Life::new(input, pool, seed);
        for _ in 0..acts {
            life.act();
        }
        counts.add(life.end(input));
    }
    counts
}

fn operator(input: &BatchInput) -> OperatorVm<SnapshotStorage> {
    let storage = SnapshotStorage::new(input.storage.clone());
    OperatorVm::new(input.batch.clone(), input.system.clone(), storage, &mut ())
}

/// Pushes and runs a transaction; whether it published its compressed bytecodes, if it has any.
fn run(
    operator: &mut OperatorVm<SnapshotStorage>,
    transaction: &Transaction,
    compressed: bool,
) -> (RunResult, Option<bool>) {
    let pushed = operator
        .push_transaction(transaction, compressed, &mut ())
        .unwrap();
    let mut run = operator.run(RunMode::OneTransaction, &mut ()).unwrap();
    run.first_step = 0;
    let published = operator.are_known(&pushed.compressed).unwrap();
    (run, (!pushed.compressed.is_empty()).then_some(published))
}

fn close(operator: &mut OperatorVm<SnapshotStorage>) -> BatchResult {
    let mut closed = operator.finish_batch(TARGET, &mut ()).unwrap();
    assert!(matches!(closed.tip.result, ExecutionResult::Success(_)));
    closed.tip.first_step = 0;
    closed
}
