//! `pack` and `unpack`: a recording as one file.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::Ordering;

use anyhow::Result;
use eradbg_tracer::Recording;
use eradbg_tracer::store::disk::disk_bytes;
use eradbg_tracer::store::pack::{Pack, Progress};
use indicatif::{ProgressBar, ProgressStyle};

use crate::Exit;
use crate::cli::{PackArgs, UnpackArgs};
use crate::commands::{bytes, stop_flag};

/// Puts a recording into one file.
pub(crate) fn pack(args: &PackArgs) -> Result<Exit> {
    let recording = Recording::open(&args.recording)?;
    let end = with_progress("packing", |progress| Ok(recording.pack(&args.file, progress)?))?;
    if end.is_break() {
        eprintln!("eradbg: stopped; nothing was written");
        return Ok(Exit::Stopped);
    }
    print_sizes(&args.recording, &args.file);
    Ok(Exit::Done)
}

/// Makes a directory of a packed recording.
pub(crate) fn unpack(args: &UnpackArgs) -> Result<Exit> {
    let packed = Pack::open(&args.file)?;
    let end = with_progress("unpacking", |progress| {
        Ok(packed.unpack(&args.directory, progress)?)
    })?;
    if end.is_break() {
        eprintln!("eradbg: stopped; {} is not whole", args.directory.display());
        return Ok(Exit::Stopped);
    }
    print_sizes(&args.file, &args.directory);
    Ok(Exit::Done)
}

/// Does work with a progress bar, until it is done or the user stops it.
fn with_progress(
    doing: &'static str,
    work: impl FnOnce(Progress<'_>) -> Result<ControlFlow<()>>,
) -> Result<ControlFlow<()>> {
    let stop = stop_flag()?;
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{msg} {bar:30} {bytes} of {total_bytes}  (Ctrl-C stops)")
    {
        bar.set_style(style);
    }
    bar.set_message(doing);
    let end = work(&mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
        if stop.load(Ordering::Relaxed) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    bar.finish_and_clear();
    end
}

fn print_sizes(from: &Path, to: &Path) {
    println!(
        "{} ({}) from {} ({})",
        to.display(),
        bytes(disk_bytes(to)),
        from.display(),
        bytes(disk_bytes(from))
    );
}
