//! `record`: runs an input and writes its recording. `debug` opens it afterwards.
//!
//! A batch is committed to the state of its chain when the recording is complete: a process that is killed in between
//! leaves a state as it was.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, anyhow};
use eradbg_tracer::Recording;
use eradbg_tracer::chain::ChainState;
use eradbg_tracer::drive::{self, DriveEnd, Driven};
use eradbg_tracer::manifest::Manifest;
use eradbg_tracer::recorder::{Control, Live, Recorder};
use eradbg_tracer::recording::{TransactionRow, TxStatus};
use eradbg_tracer::report::TransactionReport;
use eradbg_tracer::source::run::RunConfig;
use eradbg_tracer::source::scenario::Expectation;
use eradbg_tracer::source::{self, Loaded};
use eradbg_tracer::store::FORMAT;
use eradbg_tracer::verify::{Behind, Findings};
use indicatif::{ProgressBar, ProgressStyle};

use crate::Exit;
use crate::app;
use crate::cli::{DebugArgs, NameArgs, OpenArgs, RecordArgs};
use crate::commands::state::{self, Chain, Ran};
use crate::commands::{bytes, open, stop_flag};
use crate::text::grouped;

/// Time between updates of the progress bar.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// Runs an input and writes its recording.
pub(crate) fn record(args: &RecordArgs) -> Result<Exit> {
    let Job {
        loaded,
        config,
        chain,
    } = load(args)?;
    let ran = if args.no_trace {
        run_plain(loaded, &config)
    } else {
        record_to(&recording_path(args, &loaded), args, loaded, &config)
    };
    state::settle(chain, ran)
}

/// Records, then opens the recording.
pub(crate) fn debug(args: &DebugArgs) -> Result<Exit> {
    open::require_terminal()?;
    let Job {
        loaded,
        config,
        chain,
    } = load(&args.record)?;
    let recording = recording_path(&args.record, &loaded);
    let ran = record_to(&recording, &args.record, loaded, &config);
    let exit = state::settle(chain, ran)?;
    if !matches!(exit, Exit::Done | Exit::Unexpected) {
        return Ok(exit);
    }
    open::open(&OpenArgs {
        recording,
        at: crate::cli::AtArgs {
            at: args.at.at.clone(),
        },
        names: args.record.names.clone(),
    })
}

/// What is to be run, and how.
struct Job {
    loaded: Loaded,
    config: RunConfig,
    chain: Option<Chain>,
}

fn load(args: &RecordArgs) -> Result<Job> {
    let given = args.run.as_deref().map(RunConfig::load).transpose()?;
    let state = args.state.as_deref().map(ChainState::open).transpose()?;
    let mut loaded = source::load(&args.input, state.as_ref().map(ChainState::contents))?;
    loaded.input.system.revision = args.revision;
    let start = loaded.start.take();
    let chain = state.zip(start).map(|(state, start)| Chain { state, start });
    let config = given.unwrap_or(loaded.run);
    let place = args.run.as_ref().unwrap_or(&args.input);
    config
        .check(&loaded.script)
        .with_context(|| place.display().to_string())?;
    Ok(Job {
        loaded,
        config,
        chain,
    })
}

fn recording_path(args: &RecordArgs, loaded: &Loaded) -> PathBuf {
    match &args.output {
        Some(path) => path.clone(),
        None => free_name(Path::new("recordings"), &loaded.name),
    }
}

fn record_to(path: &Path, args: &RecordArgs, mut loaded: Loaded, config: &RunConfig) -> Result<Ran> {
    if args.view {
        open::require_terminal()?;
    }
    let total = loaded.input.transactions().count() as u64;
    let control = Arc::new(Control::new(stop_flag()?));
    let expectations = std::mem::take(&mut loaded.expectations);
    let recorder = start(path, &loaded, args.chunk_steps, Arc::clone(&control))?;
    let live = recorder.live();
    let checking = args.check.then(|| checking(live.clone()));
    let config = *config;
    let recording = thread::spawn(move || drive::record(loaded.input, loaded.script, &config, recorder));
    if args.view {
        view(&live, &args.names, || recording.is_finished())?;
    }
    drop(live);
    let progress = Progress::start(total, control);
    let written = joined(recording);
    let checked = checking.map(joined);
    progress.stop();
    let Driven {
        end, took, closed, ..
    } = written.map_err(|error| {
        if path.join("db").is_file() {
            anyhow!("{error}\nWhat was recorded until then is in {}", path.display())
        } else {
            error.into()
        }
    })?;

    let recording = Recording::open(path)?;
    recording.load_overview();
    print_summary(&recording, took);
    let compare = || anyhow::Ok(print_verdicts(&expectations, &recording.reports()?));
    let exit = match end {
        Ok(DriveEnd::Finished) => compare()?,
        Ok(DriveEnd::NotClosed(missing)) => {
            eprintln!(
                "eradbg: {}: the batch cannot be closed: {missing}",
                args.input.display()
            );
            eprintln!("All transactions are recorded. With a run file that says so, closing is left out.");
            compare()?
        }
        Ok(DriveEnd::Rejected(why)) => {
            eprintln!(
                "eradbg: {}: the bootloader rejects the batch: {why}",
                args.input.display()
            );
            eprintln!("It is recorded up to there, in {}", path.display());
            compare()?;
            Exit::Bad
        }
        Ok(DriveEnd::Interrupted) => {
            eprintln!(
                "eradbg: stopped; what was recorded until then is in {}",
                path.display()
            );
            Exit::Stopped
        }
        Err(error) => {
            let place = args.input.display().to_string();
            let kept = format!("What was recorded until then is in {}", path.display());
            return Err(anyhow!("{place}: {error}\n{kept}"));
        }
    };
    let exit = match checked {
        Some(findings) if !print_findings(&findings) => Exit::Bad,
        _ => exit,
    };
    Ok(Ran { exit, closed })
}

/// Runs a batch and writes its recording to a new directory.
pub(crate) fn write(
    path: &Path,
    loaded: Loaded,
    config: &RunConfig,
    chunk_steps: u32,
    control: Arc<Control>,
) -> Result<Driven> {
    let recorder = start(path, &loaded, chunk_steps, control)?;
    Ok(drive::record(loaded.input, loaded.script, config, recorder)?)
}

fn start(path: &Path, loaded: &Loaded, chunk_steps: u32, control: Arc<Control>) -> Result<Recorder> {
    let manifest = manifest(loaded, chunk_steps)?;
    Ok(Recorder::create(path, &manifest, &loaded.listings, control)?)
}

/// Opens the screens as soon as there is something to see, until the user leaves.
fn view(live: &Live, names: &NameArgs, is_over: impl Fn() -> bool) -> Result<()> {
    loop {
        // Asked first: what the run wrote before it was over is seen then.
        let was_over = is_over();
        match live.recording(None) {
            Some(recording) if recording.chunks() > 0 => {
                names.give_names(&recording)?;
                return app::follow(recording, live.clone());
            }
            _ if was_over => return Ok(()),
            _ => thread::sleep(PROGRESS_EVERY),
        }
    }
}

/// Checks what is sealed, behind the writer.
fn checking(live: Live) -> JoinHandle<Findings> {
    thread::spawn(move || {
        let mut behind = Behind::default();
        let mut seen: Option<Recording> = None;
        loop {
            // Asked first: what was sealed before it was over is seen then.
            let was_over = live.is_over();
            match live.recording(seen.as_ref()) {
                // Each look at a recording costs something: a few chunks wait for more.
                Some(recording)
                    if !recording.is_live() || recording.chunks() >= behind.findings().chunks + 64 =>
                {
                    behind.check(&recording);
                    seen = Some(recording);
                }
                _ if was_over => return behind.findings().clone(),
                _ => thread::sleep(PROGRESS_EVERY),
            }
        }
    })
}

/// Says what the check behind the writer found; whether all is well.
fn print_findings(findings: &Findings) -> bool {
    for line in &findings.broken {
        eprintln!("eradbg: {line}");
    }
    if findings.broken.is_empty() {
        println!(
            "{} chunks checked while they were written: all is well",
            findings.chunks
        );
    }
    findings.broken.is_empty()
}

/// What a thread has computed.
fn joined<T>(thread: JoinHandle<T>) -> T {
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Runs an input without recording it.
fn run_plain(loaded: Loaded, config: &RunConfig) -> Result<Ran> {
    let (driven, reports) = drive::run(loaded.input, loaded.script, config);
    let Driven {
        end,
        took,
        closed,
        machine,
    } = driven;
    let steps = machine.execution.steps();
    let speed = steps as f64 / took.as_secs_f64() / 1e6;
    println!(
        "{} transactions, {} steps in {took:.3?}: {speed:.1} million steps/s",
        reports.transactions.len(),
        grouped(steps)
    );
    let met = print_verdicts(&loaded.expectations, &reports.transactions);
    let exit = match end.with_context(|| loaded.name)? {
        DriveEnd::NotClosed(missing) => {
            eprintln!("eradbg: the batch cannot be closed: {missing}");
            met
        }
        DriveEnd::Rejected(why) => {
            eprintln!("eradbg: the bootloader rejects the batch: {why}");
            Exit::Bad
        }
        DriveEnd::Finished | DriveEnd::Interrupted => met,
    };
    Ok(Ran { exit, closed })
}

/// Says of each transaction with an expectation whether it came true, and what happened instead.
fn print_verdicts(expectations: &[Expectation], reports: &[TransactionReport]) -> Exit {
    let mut met = Exit::Done;
    for (index, expectation) in expectations.iter().enumerate() {
        let report = reports.iter().find(|report| report.index == index);
        match expectation.difference(report) {
            Some(difference) => {
                println!("tx {index}: {difference}");
                met = Exit::Unexpected;
            }
            None if expectation.is_empty() => {}
            None => println!("tx {index}: as expected"),
        }
    }
    let checked = expectations
        .iter()
        .filter(|expectation| !expectation.is_empty())
        .count();
    if checked > 0 && met == Exit::Done {
        println!("All {checked} transactions with an expectation did what was expected.");
    }
    met
}

fn manifest(loaded: &Loaded, chunk_steps: u32) -> Result<Manifest> {
    let created = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .context("the clock is before 1970")?;
    Ok(Manifest {
        format: FORMAT,
        machine: eradbg_vm::MACHINE_REVISION,
        revision: loaded.input.system.revision.to_string(),
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        name: loaded.name.clone(),
        input_kind: loaded.kind.to_string(),
        input_size: loaded.size_bytes,
        input_sha256: hex::encode(loaded.sha256),
        protocol_version: loaded.input.system.version.number(),
        chain_id: loaded.input.system.chain_id,
        batch_number: loaded.input.batch.number,
        chunk_steps,
        created_unix: created.as_secs(),
    })
}

/// `folder/name`, or `folder/name-2` and so on when it is taken.
fn free_name(folder: &Path, name: &str) -> PathBuf {
    let numbered = (2..).map(|number| folder.join(format!("{name}-{number}")));
    let mut names = std::iter::once(folder.join(name)).chain(numbered);
    names
        .find(|path| path.symlink_metadata().is_err())
        .expect("some number is free")
}

/// A progress bar on a thread of its own; hidden without a terminal.
struct Progress {
    bar: ProgressBar,
    thread: JoinHandle<()>,
}

impl Progress {
    fn start(transactions: u64, control: Arc<Control>) -> Self {
        let bar = ProgressBar::new(transactions);
        let template = "recording {bar:30} transaction {pos}/{len}, {msg} steps, {elapsed}  (Ctrl-C stops)";
        bar.set_style(
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        let shown = bar.clone();
        let thread = thread::spawn(move || {
            while !shown.is_finished() {
                shown.set_position(control.transactions.load(Ordering::Relaxed));
                shown.set_message(grouped(control.steps.load(Ordering::Relaxed)));
                thread::park_timeout(PROGRESS_EVERY);
            }
        });
        Self { bar, thread }
    }

    fn stop(self) {
        self.bar.finish_and_clear();
        self.thread.thread().unpark();
        // The thread only draws: nothing is lost if it failed.
        let _ = self.thread.join();
    }
}

fn print_summary(recording: &Recording, took: Duration) {
    let steps = recording.steps();
    for row in recording.transactions() {
        println!("{}", transaction_line(row));
    }
    let per_step = recording.disk_bytes() as f64 / steps.max(1) as f64;
    println!(
        "{}: {} transactions, {} steps in {took:.2?}, {} ({per_step:.2} B/step)",
        recording.path().display(),
        recording.transactions().len(),
        grouped(steps),
        bytes(recording.disk_bytes()),
    );
}

/// One line about a transaction.
pub(crate) fn transaction_line(row: &TransactionRow) -> String {
    let status = match row.status {
        TxStatus::Success => "ok",
        TxStatus::Reverted => "REVERTED",
        TxStatus::Halted => "HALTED",
        TxStatus::Unfinished => "unfinished",
    };
    let measured = |number: u32| {
        if row.is_measured() {
            grouped(number)
        } else {
            "-".to_owned()
        }
    };
    let mut line = format!(
        "tx {:<4} {:<10} block {:<6} {:>11} steps {:>11} gas {:>11} refunded {:>6} B pubdata",
        row.index,
        status,
        row.l2_block,
        grouped(row.steps),
        measured(row.gas_used),
        grouped(row.gas_refunded),
        measured(row.pubdata),
    );
    if row.rerun_at.is_some() {
        line.push_str("  second attempt, without compression");
    }
    if !row.reason.is_empty() {
        line.push_str("  ");
        line.push_str(&row.reason);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_name_gets_the_next_free_number() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(free_name(folder.path(), "dump"), folder.path().join("dump"));
        std::fs::create_dir(folder.path().join("dump")).unwrap();
        std::fs::create_dir(folder.path().join("dump-2")).unwrap();
        assert_eq!(free_name(folder.path(), "dump"), folder.path().join("dump-3"));
    }
}
