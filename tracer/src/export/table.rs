//! Tables of rows, as JSON or CSV.

use std::io::{self, Write};

use serde::Serialize;

use crate::analysis::{calls, hooks, pubdata, refunds, rollbacks};
use crate::export::steps::ExportError;
use crate::recording::Recording;

/// A table that can be exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// [`calls::FarCall`].
    Calls,
    /// [`refunds::RefundRow`].
    Refunds,
    /// [`pubdata::PubdataRow`].
    Pubdata,
    /// [`rollbacks::RollbackRow`].
    Rollbacks,
    /// [`hooks::HookCall`].
    Hooks,
}

/// The form of an exported table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// An array of objects.
    Json,
    /// A line of names, then a line for each row.
    Csv,
}

/// Writes a table of a recording, row by row.
///
/// # Errors
/// When the recording is damaged, or writing fails.
pub fn export(
    recording: &Recording,
    table: Table,
    form: Form,
    out: &mut dyn Write,
) -> Result<(), ExportError> {
    let mut rows = match form {
        Form::Json => Rows::Json { out, count: 0 },
        Form::Csv => Rows::Csv(Box::new(csv::Writer::from_writer(out))),
    };
    match table {
        Table::Calls => calls::calls(recording, &mut |row| rows.add(&row)),
        Table::Refunds => refunds::refunds(recording, &mut |row| rows.add(&row)),
        Table::Pubdata => pubdata::pubdata(recording, &mut |row| rows.add(&row)),
        Table::Rollbacks => rollbacks::rollbacks(recording, &mut |row| rows.add(&row)),
        Table::Hooks => hooks::hooks(recording, &mut |row| rows.add(&row)),
    }?;
    Ok(rows.end()?)
}

enum Rows<'a> {
    Json { out: &'a mut dyn Write, count: u64 },
    Csv(Box<csv::Writer<&'a mut dyn Write>>),
}

impl Rows<'_> {
    fn add(&mut self, row: &impl Serialize) -> Result<(), ExportError> {
        match self {
            Self::Json { out, count } => {
                write!(out, "{}", if *count == 0 { "[\n" } else { ",\n" })?;
                *count += 1;
                serde_json::to_writer(out, row).map_err(io::Error::from)?;
            }
            Self::Csv(out) => out.serialize(row).map_err(io::Error::from)?,
        }
        Ok(())
    }

    fn end(self) -> io::Result<()> {
        match self {
            Self::Json { out, count } => writeln!(out, "{}", if count == 0 { "[]" } else { "\n]" }),
            Self::Csv(mut out) => out.flush(),
        }
    }
}
