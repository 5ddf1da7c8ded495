//! `origin`: where a value comes from.

use std::io::{BufWriter, Write, stdout};
use std::sync::atomic::Ordering;

use anyhow::Result;
use eradbg_tracer::analysis::answer::answer_origin;
use eradbg_tracer::analysis::origin;
use eradbg_tracer::query::parse_place;

use crate::Exit;
use crate::cli::OriginArgs;
use crate::commands::open::position;
use crate::commands::show::{print, tell_gaps};
use crate::commands::stop_flag;

/// Prints where a value comes from.
pub(crate) fn origin(args: &OriginArgs) -> Result<Exit> {
    let place = match parse_place(&args.place) {
        Ok(place) => place,
        Err(error) => {
            eprintln!("eradbg: {error}");
            return Ok(Exit::Usage);
        }
    };
    let recording = args.names.open(&args.recording)?;
    recording.load_overview();
    let at = position(&recording, &args.at.at)?;
    let stop = stop_flag()?;
    let mut out = BufWriter::new(stdout().lock());
    let is_one = if args.json {
        let links = origin::origin(&recording, at, &place, &stop)?;
        links.map(|links| writeln!(out, "{}", serde_json::to_string_pretty(&links)?))
    } else {
        let answer = answer_origin(&recording, at, &place, &stop)?;
        answer.map(|answer| {
            writeln!(out, "{}", answer.title)?;
            print(&mut out, &answer.lines)
        })
    };
    let Some(written) = is_one else {
        eprintln!(
            "eradbg: `{}` is more than one place: name a single one",
            args.place
        );
        return Ok(Exit::Usage);
    };
    written?;
    out.flush()?;
    if stop.load(Ordering::Relaxed) {
        eprintln!("eradbg: stopped; this is as far as it was followed");
        return Ok(Exit::Stopped);
    }
    Ok(tell_gaps(&recording))
}
