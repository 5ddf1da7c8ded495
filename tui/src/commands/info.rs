//! `info`: what a recording holds.

use std::collections::BTreeSet;
use std::io::Write;

use anyhow::Result;
use eradbg_tracer::Recording;
use eradbg_tracer::manifest::EndKind;
use eradbg_tracer::recording::{PartSize, TxStatus};
use serde_json::{Value, json};

use crate::Exit;
use crate::cli::InfoArgs;
use crate::commands::bytes;
use crate::commands::record::transaction_line;
use crate::text::grouped;

/// Prints what a recording holds.
pub(crate) fn info(args: &InfoArgs) -> Result<Exit> {
    let recording = args.names.open(&args.recording)?;
    recording.load_overview();
    if args.json {
        let mut out = std::io::stdout().lock();
        let mut document = document(&recording);
        if args.sizes {
            document["sizes"] = recording.part_sizes()?.iter().map(size_object).collect();
        }
        serde_json::to_writer_pretty(&mut out, &document).map_err(std::io::Error::from)?;
        writeln!(out)?;
    } else {
        print(&recording)?;
        if args.sizes {
            print_sizes(&recording)?;
        }
    }
    // Where a file of the database is damaged, rows of several chunks are lost for the same reason.
    let problems: BTreeSet<_> = recording
        .overview_problems()
        .iter()
        .map(ToString::to_string)
        .collect();
    for problem in &problems {
        eprintln!("eradbg: not counted: {problem}");
    }
    Ok(if problems.is_empty() {
        Exit::Done
    } else {
        Exit::Bad
    })
}

/// Prints what a recording holds, for people. Its overview has been loaded.
pub(crate) fn print(recording: &Recording) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let manifest = recording.manifest();
    let steps = recording.steps();
    writeln!(out, "recording        {}", recording.path().display())?;
    writeln!(
        out,
        "input            {} ({}, {})",
        manifest.name,
        manifest.input_kind,
        bytes(manifest.input_size)
    )?;
    writeln!(out, "input SHA-256    {}", manifest.input_sha256)?;
    writeln!(
        out,
        "batch            {} of chain {}",
        manifest.batch_number, manifest.chain_id
    )?;
    writeln!(
        out,
        "protocol version {}, semantics of {}",
        manifest.protocol_version, manifest.revision
    )?;
    writeln!(
        out,
        "made by          eradbg {}, format {}, machine {}",
        manifest.tool_version, manifest.format, manifest.machine
    )?;
    writeln!(
        out,
        "steps            {} in {} chunks",
        grouped(steps),
        recording.chunks()
    )?;
    writeln!(out, "on disk          {}", bytes(recording.disk_bytes()))?;
    writeln!(out, "complete         {}", completeness(recording))?;
    writeln!(out, "hooks            {}", recording.hooks().len())?;
    writeln!(out, "failed frames    {}", recording.failures().len())?;
    writeln!(out, "rollbacks        {}", recording.undone().len())?;
    for row in recording.transactions() {
        writeln!(out, "{}", transaction_line(row))?;
    }
    out.flush()?;
    Ok(())
}

fn print_sizes(recording: &Recording) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let parts = recording.part_sizes()?;
    let per_step = |bytes: u64| bytes as f64 / recording.steps().max(1) as f64;
    writeln!(out, "\npart                 values        bytes   per step")?;
    for part in &parts {
        writeln!(
            out,
            "{:<15} {:>11} {:>12} {:>10.4}",
            part.name,
            grouped(part.values),
            grouped(part.bytes),
            per_step(part.bytes)
        )?;
    }
    let all = parts.iter().map(|part| part.bytes).sum();
    let on_disk = recording.disk_bytes();
    for (name, bytes) in [("all parts", all), ("on disk", on_disk)] {
        writeln!(
            out,
            "{name:<15} {:>11} {:>12} {:>10.4}",
            "",
            grouped(bytes),
            per_step(bytes)
        )?;
    }
    Ok(())
}

fn size_object(part: &PartSize) -> Value {
    json!({"part": part.name, "values": part.values, "bytes": part.bytes})
}

fn completeness(recording: &Recording) -> String {
    match recording.end() {
        EndKind::Finished => "yes".to_owned(),
        EndKind::Interrupted => "no: the user stopped it".to_owned(),
        EndKind::Stopped(why) => format!("no: {why}"),
        EndKind::Recording => "no: it is being recorded".to_owned(),
        EndKind::Unknown => "no: its process was killed or could not write".to_owned(),
    }
}

fn document(recording: &Recording) -> Value {
    let transactions = recording.transactions().iter().map(|row| {
        let status = match row.status {
            TxStatus::Success => "success",
            TxStatus::Reverted => "revert",
            TxStatus::Halted => "halt",
            TxStatus::Unfinished => "unfinished",
        };
        json!({
            "index": row.index,
            "hash": row.is_measured().then(|| format!("{:#x}", row.hash)),
            "l2_block": row.l2_block,
            "first_step": row.first_step,
            "steps": row.steps,
            "rerun_at": row.rerun_at,
            "status": status,
            "reason": row.reason,
            "gas_used": row.is_measured().then_some(row.gas_used),
            "gas_refunded": row.gas_refunded,
            "pubdata": row.is_measured().then_some(row.pubdata),
            "rolled_back": row.rolled_back,
        })
    });
    json!({
        "path": recording.path(),
        "manifest": recording.manifest(),
        "steps": recording.steps(),
        "chunks": recording.chunks(),
        "disk_bytes": recording.disk_bytes(),
        "complete": recording.is_complete(),
        "end": completeness(recording),
        "hooks": recording.hooks().len(),
        "failed_frames": recording.failures().len(),
        "rollbacks": recording.undone().len(),
        "transactions": transactions.collect::<Vec<_>>(),
    })
}
