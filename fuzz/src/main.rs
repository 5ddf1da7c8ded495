//! Runs random cases until time or instructions are used up, or the machines differ.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Parser;
use eradbg_fuzz::case::Case;
use eradbg_fuzz::choices::Choices;
use eradbg_fuzz::lockstep::{Lockstep, Verdict};
use eradbg_fuzz::minimise::{differs, minimise};
use eradbg_fuzz::statistics::Statistics;
use eradbg_fuzz::{generate, report};
use eradbg_vm::protocol::Revision;

/// Runs random programs on eradbg's machine and on `zksync_vm2`, and compares them after each instruction.
#[derive(Debug, Parser)]
struct Arguments {
    /// Stop after so many seconds. Without any limit: 60.
    #[arg(long)]
    seconds: Option<u64>,
    /// Stop after so many instructions.
    #[arg(long)]
    instructions: Option<u64>,
    /// First of the row of cases; random, and printed, when it is not given.
    #[arg(long)]
    seed: Option<u64>,
    /// Run only the case with this number, as a difference prints it.
    #[arg(long)]
    case: Option<u64>,
    /// Number pages as the peer does, and compare the numbers themselves.
    #[arg(long)]
    same_page_ids: bool,
}

impl Arguments {
    /// The case with a number.
    fn generate(&self, number: u64) -> Case {
        let mut case = generate::case(&mut Choices::from_seed(number));
        if self.same_page_ids {
            case.revision = Revision::Vm2_0_5PageIds;
        }
        case
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut statistics = Statistics::default();
    let found = if let Some(number) = arguments.case {
        let verdict = run(&arguments.generate(number), &mut statistics);
        println!("case {number}: {verdict:?}");
        is_bad(verdict.as_ref()).then_some(number)
    } else {
        run_many(&arguments, &mut statistics)
    };
    println!("{statistics}");
    match found {
        None => ExitCode::SUCCESS,
        Some(number) => {
            explain(&arguments, number);
            ExitCode::FAILURE
        }
    }
}

/// Runs case after case; the number of the first one on which the machines differ.
fn run_many(arguments: &Arguments, statistics: &mut Statistics) -> Option<u64> {
    let seed = arguments.seed.unwrap_or_else(random_seed);
    println!("seed {seed}");
    let start = Instant::now();
    let seconds = match (arguments.seconds, arguments.instructions) {
        (None, None) => Some(60),
        (seconds, _) => seconds,
    };
    let limit = seconds.map_or(Duration::MAX, Duration::from_secs);
    let instructions = arguments.instructions.unwrap_or(u64::MAX);
    let mut numbers = Choices::from_seed(seed);
    let mut found = None;
    while found.is_none() && start.elapsed() < limit && statistics.instructions < instructions {
        let number = numbers.u64();
        let verdict = run(&arguments.generate(number), statistics);
        found = is_bad(verdict.as_ref()).then_some(number);
    }
    let elapsed = start.elapsed().as_secs_f64();
    let speed = statistics.instructions as f64 / elapsed / 1e6;
    println!("{elapsed:.0} s, {speed:.2} million instructions/s");
    found
}

/// Runs a case; `None` when one of the machines failed a check of its own.
fn run(case: &Case, statistics: &mut Statistics) -> Option<Verdict> {
    let verdict = catch_unwind(AssertUnwindSafe(|| Lockstep::new(case).run(statistics))).ok()?;
    statistics.case(&verdict);
    Some(verdict)
}

fn is_bad(verdict: Option<&Verdict>) -> bool {
    matches!(verdict, None | Some(Verdict::Differs(_)))
}

/// Prints what differs in a case and in the smallest case made of it.
fn explain(arguments: &Arguments, number: u64) {
    let case = arguments.generate(number);
    let again = if arguments.same_page_ids {
        " --same-page-ids"
    } else {
        ""
    };
    println!("the machines differ on case {number}; again with --case {number}{again}");
    // What the machines print about failed checks has been seen once.
    std::panic::set_hook(Box::new(|_| {}));
    let describe = |case: &Case| {
        catch_unwind(AssertUnwindSafe(|| report::difference(case)))
            .unwrap_or_else(|_| "one of the machines failed a check of its own\n".to_owned())
    };
    println!("{}", describe(&case));
    let smallest = minimise(&case, differs);
    println!(
        "the smallest case that still differs:\n{}",
        report::listing(&smallest)
    );
    println!("{}", describe(&smallest));
}

fn random_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Choices::from_seed(now.as_nanos() as u64).u64()
}
