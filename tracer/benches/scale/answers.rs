//! How long each question takes to be answered, the first time and again, and what memory is held after it.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use eradbg_tracer::Recording;
use eradbg_tracer::analysis::answer::{Question, Topic};

use crate::{Measured, millis, recording_in, resident_megabytes};

/// Asks about the middle one of a recording's transactions, made in the folder before if need be.
pub(crate) fn answers(kind: &str, length: u64, folder: &Path) -> Measured {
    if !recording_in(folder).exists() {
        crate::record(kind, length, folder);
    }
    let recording = Recording::open(&recording_in(folder)).expect("it was recorded");
    let start = Instant::now();
    recording.load_overview();
    let mut measured = Measured::from([("overview ms".to_owned(), millis(start.elapsed()))]);
    let middle = recording.transactions().len() / 2;
    for topic in Topic::ALL {
        let question = Question::new(topic, middle as u32);
        let mut ask = |when: &str| {
            let start = Instant::now();
            black_box(question.answer(&recording)).expect("a good recording");
            measured.insert(format!("{} {when} ms", topic.name()), millis(start.elapsed()));
        };
        ask("first");
        ask("again");
    }
    measured.insert("steps".to_owned(), recording.steps() as f64);
    measured.insert("MB at the end".to_owned(), resident_megabytes());
    measured
}
