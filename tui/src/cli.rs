//! The command line.

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use eradbg_tracer::analysis::answer::Topic;
use eradbg_tracer::recording::Part;
use eradbg_vm::protocol::Revision;

/// Time-travel debugger for EraVM batches.
///
/// Records everything that ZKsync Era's virtual machine does while it executes a batch, and walks through it forward
/// and backward, from the whole batch down to one opcode.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Without a command, the demo is opened: a batch that the program carries along."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Opens a scenario that the program carries along; without a name, the demo.
    #[command(after_help = "Examples:\n  eradbg demo\n  eradbg demo --list\n  eradbg demo guest_panics")]
    Demo(DemoArgs),
    /// Runs a VM dump or scenario, records it, and opens the recording.
    #[command(
        after_help = "Examples:\n  eradbg debug dump.json.gz\n  eradbg debug scenario.ron\n  \
                            eradbg debug second.ron --state chain"
    )]
    Debug(DebugArgs),
    /// Runs a VM dump or scenario and records every opcode.
    ///
    /// After a scenario it says of each transaction whether it did what the scenario expects. The exit code is 3 if one
    /// did not, or if the batch could not be committed to the state of its chain.
    #[command(
        after_help = "Examples:\n  eradbg record dump.json.gz\n  eradbg record dump.json --run run.json -o my-recording\n  \
                            eradbg record dump.json --no-trace\n  eradbg record dump.json --view\n  eradbg record scenario.ron\n\n\
                      Two batches of one chain, the second of which continues on the first:\n  \
                            eradbg record first.ron --state chain\n  eradbg record second.ron --state chain"
    )]
    Record(RecordArgs),
    /// Opens a recording in the terminal.
    #[command(
        after_help = "Examples:\n  eradbg open recordings/dump\n  eradbg open recordings/dump --at tx:3/fail"
    )]
    Open(OpenArgs),
    /// Says what a recording holds.
    #[command(after_help = "Example:\n  eradbg info recordings/dump --json")]
    Info(InfoArgs),
    /// Writes results or steps of a recording for other programs.
    #[command(
        after_help = "Examples:\n  eradbg export recordings/dump batch -o batch.json\n  \
                            eradbg export recordings/dump steps | head\n  \
                            eradbg export recordings/dump refunds --format csv"
    )]
    Export(ExportArgs),
    /// Says why a transaction failed: from its verdict down to the first cause.
    ///
    /// Each line names the step to look at. Without a number, it is about the first transaction that failed.
    #[command(
        after_help = "Examples:\n  eradbg why recordings/dump\n  eradbg why recordings/dump --tx 3 --json"
    )]
    Why(WhyArgs),
    /// Answers a question about a transaction: who used its ergs, what was refunded, what was undone.
    #[command(after_help = "Examples:\n  eradbg show recordings/dump transactions\n  \
                            eradbg show recordings/dump ergs --tx 3\n  \
                            eradbg show recordings/dump pubdata --tx 3 --by contract")]
    Show(ShowArgs),
    /// Says where a value comes from: back through memory, calls and storage to where it came into the batch.
    #[command(after_help = "Examples:\n  eradbg origin recordings/dump r1 --at 12345\n  \
                            eradbg origin recordings/dump 'storage L2BaseToken 0x1' --at end")]
    Origin(OriginArgs),
    /// Lists the steps of a recording that match a query.
    #[command(
        after_help = "Examples:\n  eradbg query recordings/dump 'write storage L2BaseToken and undone'\n  \
                            eradbg query recordings/dump 'pubdata < 0' --json\n  \
                            eradbg query recordings/dump 'tx = 3 and (panic or revert)'\n\n\
                      README.md has the grammar."
    )]
    Query(QueryArgs),
    /// Checks a recording and says exactly what is broken.
    #[command(after_help = "Example:\n  eradbg verify recordings/dump")]
    Verify(VerifyArgs),
    /// Puts a recording into one file, to hand over; all commands read such files too.
    #[command(after_help = "Example:\n  eradbg pack recordings/dump dump.eradbg\n  eradbg open dump.eradbg")]
    Pack(PackArgs),
    /// Makes a directory of a packed recording again.
    #[command(after_help = "Example:\n  eradbg unpack dump.eradbg recordings/dump")]
    Unpack(UnpackArgs),
}

/// Arguments of `demo`.
#[derive(Debug, Default, Args)]
pub(crate) struct DemoArgs {
    /// Name of the scenario.
    #[arg(conflicts_with = "list")]
    pub(crate) name: Option<String>,
    /// Lists all scenarios.
    #[arg(long)]
    pub(crate) list: bool,
    #[command(flatten)]
    pub(crate) names: NameArgs,
}

/// Arguments of `debug`.
#[derive(Debug, Args)]
pub(crate) struct DebugArgs {
    #[command(flatten)]
    pub(crate) record: RecordArgs,
    #[command(flatten)]
    pub(crate) at: AtArgs,
}

/// Arguments of `record`.
#[derive(Debug, Args)]
pub(crate) struct RecordArgs {
    /// The VM dump: JSON, or JSON packed with gzip. Or a scenario: RON, in a file that ends in .ron.
    pub(crate) input: PathBuf,
    /// How to drive the batch; without it, as a scenario says, else one transaction at a time, and the batch is closed
    /// when its mode allows it.
    #[arg(long, value_name = "RUN.json")]
    pub(crate) run: Option<PathBuf>,
    /// New directory for the recording; without it, a free name in `recordings`.
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// State of a chain that the batch of a scenario starts from, and that it is committed to when it is closed and all
    /// its transactions did what was expected. A new directory is a chain without batches.
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// The release of the official VMs that decides what instructions do where releases differ.
    #[arg(long, value_name = "NAME", default_value_t, value_parser = revision())]
    pub(crate) revision: Revision,
    /// Runs without recording, and prints time and steps.
    #[arg(long, conflicts_with = "output")]
    pub(crate) no_trace: bool,
    /// Opens the recording while it is being written. Leaving the screens lets it go on.
    #[arg(long, conflicts_with = "no_trace")]
    pub(crate) view: bool,
    /// Checks each chunk right after it is written: its checksums, and that it replays to what was recorded.
    #[arg(long, conflicts_with = "no_trace")]
    pub(crate) check: bool,
    /// Steps in a chunk of the recording.
    #[arg(long, value_name = "STEPS", default_value_t = eradbg_tracer::recorder::DEFAULT_CHUNK_STEPS,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) chunk_steps: u32,
    #[command(flatten)]
    pub(crate) names: NameArgs,
}

/// Arguments of `open`.
#[derive(Debug, Args)]
pub(crate) struct OpenArgs {
    /// The recording.
    pub(crate) recording: PathBuf,
    #[command(flatten)]
    pub(crate) at: AtArgs,
    #[command(flatten)]
    pub(crate) names: NameArgs,
}

/// Where names of contracts come from.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct NameArgs {
    /// Folder with artifacts of foundry-zksync (zkout) or hardhat (artifacts-zk), or one artifact: contracts, functions,
    /// events, errors and storage slots get their names. May be given several times. Without it, the artifacts of
    /// `eradbg.ron` in this folder or one above.
    #[arg(long, value_name = "DIR")]
    pub(crate) artifacts: Vec<PathBuf>,
}

/// Where to start.
#[derive(Debug, Args)]
pub(crate) struct AtArgs {
    /// Where to start: a step (`12345`, `120k`), `end`, `tx:3`, `tx:3/fail`, `hook:5`.
    #[arg(long, value_name = "WHERE", default_value = "0")]
    pub(crate) at: String,
}

/// Arguments of `info`.
#[derive(Debug, Args)]
pub(crate) struct InfoArgs {
    /// The recording.
    pub(crate) recording: PathBuf,
    /// Also tells what each part of the recording takes.
    #[arg(long)]
    pub(crate) sizes: bool,
    /// Prints JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) names: NameArgs,
}

/// Arguments of `export`.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The recording.
    pub(crate) recording: PathBuf,
    /// What to write.
    pub(crate) kind: ExportKind,
    /// The format: `json` for a batch, `csv` for steps, either of them for the others, whose default is `json`.
    #[arg(long)]
    pub(crate) format: Option<ExportFormat>,
    /// File to write; without it, standard output.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) names: NameArgs,
}

/// What can be exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportKind {
    /// Results of all transactions and of the closed batch.
    Batch,
    /// One line for each opcode.
    Steps,
    /// Far calls: who called whom, ergs, how it ended.
    Calls,
    /// Each access to storage and load of code: price, refund, and why.
    Refunds,
    /// Each write to storage: bytes of pubdata, and why.
    Pubdata,
    /// What failed frames and the operator took back.
    Rollbacks,
    /// Hooks of the bootloader, with the operator's answers.
    Hooks,
    /// What each near and far frame did with its ergs.
    Ergs,
}

/// Formats of exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// JSON.
    Json,
    /// Of calls only: the JSON of a node's `debug_traceTransaction`.
    Calltracer,
    /// Comma-separated values.
    Csv,
}

/// Arguments of `pack`.
#[derive(Debug, Args)]
pub(crate) struct PackArgs {
    /// The recording.
    pub(crate) recording: PathBuf,
    /// The new file.
    pub(crate) file: PathBuf,
}

/// Arguments of `unpack`.
#[derive(Debug, Args)]
pub(crate) struct UnpackArgs {
    /// The packed recording.
    pub(crate) file: PathBuf,
    /// The new directory.
    pub(crate) directory: PathBuf,
}

/// Arguments of `why`.
#[derive(Debug, Args)]
pub(crate) struct WhyArgs {
    /// The recording.
    pub(crate) recording: PathBuf,
    /// Number of the transaction, counted from 0.
    #[arg(long, value_name = "N")]
    pub(crate) tx: Option<Part>,
    /// Prints JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) names: NameArgs,
}

/// Arguments of `show`.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The recording.
    pub(crate) recording: PathBuf,
    /// What to show.
    #[arg(value_parser = topic_parser())]
    pub(crate) topic: Topic,
    /// Number of the transaction, counted from 0, or `end` for what comes after the last one.
    #[arg(long, value_name = "N|end")]
    pub(crate) tx: Option<Part>,
    #[arg(long, value_name = "ORDER", help = orders())]
    pub(crate) by: Option<String>,
    #[command(flatten)]
    pub(crate) names: NameArgs,
}

fn topic_parser() -> impl TypedValueParser<Value = Topic> {
    let values = Topic::ALL.map(|topic| PossibleValue::new(topic.name()).help(topic.help()));
    PossibleValuesParser::new(values).map(|name| {
        let topic = Topic::ALL.into_iter().find(|topic| topic.name() == name);
        topic.expect("the parser has accepted the name")
    })
}

/// Arguments of `origin`.
#[derive(Debug, Args)]
pub(crate) struct OriginArgs {
    /// The recording.
    pub(crate) recording: PathBuf,
    /// The place: `r1`, `eq`, `stack 3`, `heap 2050 0x40`, `storage ADDRESS SLOT`, `transient ADDRESS SLOT`.
    pub(crate) place: String,
    #[command(flatten)]
    pub(crate) at: AtArgs,
    /// Prints JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) names: NameArgs,
}

/// Arguments of `query`.
#[derive(Debug, Args)]
pub(crate) struct QueryArgs {
    /// The recording.
    pub(crate) recording: PathBuf,
    /// What a step must match, such as `opcode sstore and refund > 0`.
    pub(crate) query: String,
    /// Most steps to list; 0 lists all.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) limit: usize,
    /// Starts with the last step.
    #[arg(long)]
    pub(crate) backward: bool,
    /// Only says how many steps match.
    #[arg(long)]
    pub(crate) count: bool,
    /// Prints JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) names: NameArgs,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The recording.
    pub(crate) recording: PathBuf,
}

fn revision() -> impl TypedValueParser<Value = Revision> {
    PossibleValuesParser::new(Revision::all().map(Revision::name))
        .map(|name| name.parse().expect("only names of revisions are accepted"))
}

/// The orders of all topics, as help.
fn orders() -> String {
    let with_some = Topic::ALL.into_iter().filter(|topic| topic.views().len() > 1);
    let of_topic = |topic: Topic| {
        let views = topic.views().iter();
        let views: Vec<_> = views
            .map(|view| format!("`{}`", view.trim_start_matches("by ")))
            .collect();
        format!("{} for {}", views.join(", "), topic.name())
    };
    let orders: Vec<_> = with_some.map(of_topic).collect();
    format!("The order: {}", orders.join("; "))
}
