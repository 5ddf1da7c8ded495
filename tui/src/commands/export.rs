//! `export`: results or steps of a recording for other programs.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use anyhow::{Context, Result};
use eradbg_tracer::Recording;
use eradbg_tracer::export::steps::ExportError;
use eradbg_tracer::export::{batch, steps};

use crate::Exit;
use crate::cli::{ExportArgs, ExportFormat, ExportKind};

/// Bytes gathered before they are written.
const BUFFER: usize = 1 << 16;

/// Writes an export.
pub(crate) fn export(args: &ExportArgs) -> Result<Exit> {
    let fitting = match args.kind {
        ExportKind::Batch => ExportFormat::Json,
        ExportKind::Steps => ExportFormat::Csv,
    };
    if args.format.is_some_and(|format| format != fitting) {
        eprintln!("eradbg: batch is exported as json and steps as csv");
        return Ok(Exit::Usage);
    }
    let recording = Recording::open(&args.recording)?;
    if let Some(path) = &args.output {
        let file = File::create(path).with_context(|| path.display().to_string())?;
        let mut out = BufWriter::with_capacity(BUFFER, file);
        write(args.kind, &recording, &mut out)?;
        out.flush().with_context(|| path.display().to_string())?;
    } else {
        let mut out = BufWriter::with_capacity(BUFFER, io::stdout().lock());
        write(args.kind, &recording, &mut out)?;
        out.flush()?;
    }
    Ok(Exit::Done)
}

fn write(kind: ExportKind, recording: &Recording, out: &mut impl Write) -> Result<()> {
    match kind {
        ExportKind::Batch => {
            let name = &recording.manifest().name;
            let document = batch::document(name, &recording.reports()?, recording.batch_report()?.as_ref());
            serde_json::to_writer(&mut *out, &document).map_err(io::Error::from)?;
            writeln!(out)?;
        }
        ExportKind::Steps => match steps::export(recording, out) {
            Ok(()) => {}
            Err(ExportError::Recording(error)) => return Err(error.into()),
            Err(ExportError::Io(error)) => return Err(error.into()),
        },
    }
    Ok(())
}
