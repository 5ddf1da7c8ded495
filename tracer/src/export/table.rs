//! Tables of rows, as JSON or CSV.

use std::io::{self, Write};
use std::ops::Range;

use serde::Serialize;

use crate::analysis::{calls, ergs, hooks, pubdata, refunds, rollbacks};
use crate::export::steps::ExportError;
use crate::recording::Recording;

/// Every step there may be.
const ALL: Range<u64> = 0..u64::MAX;

/// A table that can be exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// [`calls::Call`].
    Calls,
    /// [`refunds::RefundRow`].
    Refunds,
    /// [`pubdata::PubdataRow`].
    Pubdata,
    /// [`rollbacks::RollbackRow`].
    Rollbacks,
    /// [`hooks::HookCall`].
    Hooks,
    /// [`ergs::FrameErgs`].
    Ergs,
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
    let rows = match form {
        Form::Json => Rows::Json { out, count: 0 },
        Form::Csv => Rows::Csv {
            out: Box::new(csv::Writer::from_writer(out)),
            is_empty: true,
        },
    };
    match table {
        Table::Calls => rows.fill(|each| calls::calls(recording, each)),
        Table::Refunds => rows.fill(|each| refunds::refunds(recording, ALL, each)),
        Table::Pubdata => rows.fill(|each| pubdata::pubdata(recording, ALL, each)),
        Table::Rollbacks => rows.fill(|each| rollbacks::rollbacks(recording, ALL, each)),
        Table::Hooks => rows.fill(|each| hooks::hooks(recording, ALL, each)),
        Table::Ergs => rows.fill(|each| ergs::ergs(recording, each)),
    }
}

type Done = Result<(), ExportError>;

enum Rows<'a> {
    Json {
        out: &'a mut dyn Write,
        count: u64,
    },
    Csv {
        out: Box<csv::Writer<&'a mut dyn Write>>,
        is_empty: bool,
    },
}

impl Rows<'_> {
    /// Writes what a ledger hands on, and the end.
    fn fill<R: Serialize + Default>(
        mut self,
        ledger: impl FnOnce(&mut dyn FnMut(R) -> Done) -> Done,
    ) -> Done {
        ledger(&mut |row| Ok(self.add(&row)?))?;
        Ok(self.end(&R::default())?)
    }

    fn add(&mut self, row: &impl Serialize) -> io::Result<()> {
        match self {
            Self::Json { out, count } => {
                write!(out, "{}", if *count == 0 { "[\n" } else { ",\n" })?;
                *count += 1;
                serde_json::to_writer(out, row)?;
            }
            Self::Csv { out, is_empty } => {
                *is_empty = false;
                out.serialize(row)?;
            }
        }
        Ok(())
    }

    /// Ends the table; one without rows has the names of `any` row's columns all the same.
    fn end(self, any: &impl Serialize) -> io::Result<()> {
        match self {
            Self::Json { out, count } => writeln!(out, "{}", if count == 0 { "[]" } else { "\n]" }),
            Self::Csv { mut out, is_empty } => {
                if is_empty {
                    out.write_record(&columns(any)?)?;
                }
                out.flush()
            }
        }
    }
}

/// Names of a row's columns.
fn columns(row: &impl Serialize) -> io::Result<csv::StringRecord> {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.serialize(row)?;
    let written = table.into_inner().map_err(csv::IntoInnerError::into_error)?;
    let mut reader = csv::Reader::from_reader(&written[..]);
    Ok(reader.headers()?.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_is_described() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../LEDGERS.md");
        // A packaged crate has no such file beside it.
        let Ok(text) = std::fs::read_to_string(file) else {
            return;
        };
        let described = |name: &str| -> Vec<String> {
            let part = text.split("\n## ").find(|part| part.lines().next() == Some(name));
            let rows = part
                .expect(name)
                .lines()
                .filter_map(|line| line.strip_prefix("| `"));
            rows.filter_map(|row| Some(row.split_once('`')?.0.to_owned()))
                .collect()
        };
        let names = |columns: io::Result<csv::StringRecord>| -> Vec<String> {
            columns.expect("plain data").iter().map(str::to_owned).collect()
        };
        assert_eq!(described("calls"), names(columns(&calls::Call::default())));
        assert_eq!(described("ergs"), names(columns(&ergs::FrameErgs::default())));
        assert_eq!(
            described("refunds"),
            names(columns(&refunds::RefundRow::default()))
        );
        assert_eq!(
            described("pubdata"),
            names(columns(&pubdata::PubdataRow::default()))
        );
        assert_eq!(
            described("rollbacks"),
            names(columns(&rollbacks::RollbackRow::default()))
        );
        assert_eq!(described("hooks"), names(columns(&hooks::HookCall::default())));
    }
}
