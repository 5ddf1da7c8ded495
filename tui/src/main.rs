//! `eradbg`: the command line, and the debugger in the terminal.

mod action;
mod answer;
mod app;
mod cli;
mod command;
mod commands;
mod effect;
mod highlight;
mod keymap;
mod layout;
mod model;
mod names;
mod text;
mod theme;
mod tour;
mod update;
mod view;

use std::io::ErrorKind;
use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command, DemoArgs};

/// How a command ended. The number is the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Exit {
    /// It did what was asked.
    Done = 0,
    /// The input or recording is bad.
    Bad = 1,
    /// The command line is wrong.
    Usage = 2,
    /// A transaction did not do what its scenario expects, or a batch that was to be committed was not closed.
    Unexpected = 3,
    /// The user stopped it.
    Stopped = 130,
}

fn main() -> ExitCode {
    commands::quiet_panics_while_opening();
    let command = Cli::parse().command;
    let result = match command.unwrap_or_else(|| Command::Demo(DemoArgs::default())) {
        Command::Demo(args) => commands::demo::demo(&args),
        Command::Debug(args) => commands::record::debug(&args),
        Command::Record(args) => commands::record::record(&args),
        Command::Open(args) => commands::open::open(&args),
        Command::Info(args) => commands::info::info(&args),
        Command::Export(args) => commands::export::export(&args),
        Command::Why(args) => commands::why::why(&args),
        Command::Show(args) => commands::show::show(&args),
        Command::Origin(args) => commands::origin::origin(&args),
        Command::Query(args) => commands::query::query(&args),
        Command::Verify(args) => commands::verify::verify(&args),
        Command::Pack(args) => commands::pack::pack(&args),
        Command::Unpack(args) => commands::pack::unpack(&args),
    };
    let exit = result.unwrap_or_else(|error| {
        // A reader that has seen enough closes the pipe: that is no error.
        if error
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
        {
            return Exit::Done;
        }
        eprintln!("eradbg: {error:#}");
        Exit::Bad
    });
    ExitCode::from(exit as u8)
}
