//! `export`: results or steps of a recording for other programs.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use anyhow::{Context, Result};
use eradbg_tracer::Recording;
use eradbg_tracer::export::steps::ExportError;
use eradbg_tracer::export::table::{self, Form, Table};
use eradbg_tracer::export::{batch, calltracer, steps};

use crate::Exit;
use crate::cli::{ExportArgs, ExportFormat, ExportKind};
use crate::commands::show::tell_incomplete;

/// Bytes gathered before they are written.
const BUFFER: usize = 1 << 16;

/// What is written, and in which form.
enum Content {
    Batch,
    Steps,
    Table(Table, Form),
    CallTracer,
}

impl Content {
    /// `None`: the kind is not written in that format.
    fn of(kind: ExportKind, format: Option<ExportFormat>) -> Option<Self> {
        let table = match kind {
            ExportKind::Batch => {
                return matches!(format, None | Some(ExportFormat::Json)).then_some(Self::Batch);
            }
            ExportKind::Steps => {
                return matches!(format, None | Some(ExportFormat::Csv)).then_some(Self::Steps);
            }
            ExportKind::Calls => Table::Calls,
            ExportKind::Refunds => Table::Refunds,
            ExportKind::Pubdata => Table::Pubdata,
            ExportKind::Rollbacks => Table::Rollbacks,
            ExportKind::Hooks => Table::Hooks,
            ExportKind::Ergs => Table::Ergs,
        };
        let form = match format {
            Some(ExportFormat::Calltracer) => return (table == Table::Calls).then_some(Self::CallTracer),
            None | Some(ExportFormat::Json) => Form::Json,
            Some(ExportFormat::Csv) => Form::Csv,
        };
        Some(Self::Table(table, form))
    }
}

/// Writes an export.
pub(crate) fn export(args: &ExportArgs) -> Result<Exit> {
    let Some(content) = Content::of(args.kind, args.format) else {
        eprintln!("eradbg: batch is exported as json, steps as csv, and only calls as calltracer");
        return Ok(Exit::Usage);
    };
    let recording = args.names.open(&args.recording)?;
    if let Some(path) = &args.output {
        let file = File::create(path).with_context(|| path.display().to_string())?;
        let mut out = BufWriter::with_capacity(BUFFER, file);
        write(&content, &recording, &mut out)?;
        out.flush().with_context(|| path.display().to_string())?;
    } else {
        let mut out = BufWriter::with_capacity(BUFFER, io::stdout().lock());
        write(&content, &recording, &mut out)?;
        out.flush()?;
    }
    tell_incomplete(&recording);
    Ok(Exit::Done)
}

fn write(content: &Content, recording: &Recording, out: &mut impl Write) -> Result<()> {
    let written = match content {
        Content::Batch => {
            let name = &recording.manifest().name;
            let document = batch::document(name, &recording.reports()?, recording.batch_report()?.as_ref());
            serde_json::to_writer(&mut *out, &document).map_err(io::Error::from)?;
            return Ok(writeln!(out)?);
        }
        Content::Steps => steps::export(recording, out),
        Content::CallTracer => calltracer::export(recording, out),
        &Content::Table(table, form) => table::export(recording, table, form, out),
    };
    written.map_err(|error| match error {
        ExportError::Recording(error) => error.into(),
        // A closed pipe is told by what it is.
        ExportError::Io(error) => error.into(),
    })
}
