//! How long each question takes to be answered, the first time and again, and what memory is held after it.

use std::hint::black_box;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use eradbg_tracer::Recording;
use eradbg_tracer::analysis::answer::{Question, Topic};
use eradbg_tracer::analysis::origin::origin;
use eradbg_tracer::query::PlacePattern;

use crate::{Measured, Random, Sorted, millis, recording_in, resident_megabytes};

/// Values whose way is asked for.
const WAYS: usize = 200;

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
    let (ways, per_link) = ways(&recording);
    measured.insert("way of a value p50 ms".to_owned(), ways.at(50));
    measured.insert("way of a value p99 ms".to_owned(), ways.at(99));
    measured.insert("each writer on it ms".to_owned(), per_link);
    measured.insert("steps".to_owned(), recording.steps() as f64);
    measured.insert("MB at the end".to_owned(), resident_megabytes());
    measured
}

/// Times of following registers back, at random positions, and the mean for each writer on the way.
fn ways(recording: &Recording) -> (Sorted, f64) {
    let mut random = Random(1);
    let (mut took, mut writers) = (Vec::new(), 0);
    for number in 0..WAYS {
        let position = random.below(recording.steps() - 1) + 1;
        let place = PlacePattern::Register(Some(1 + (number % 8) as u8));
        let start = Instant::now();
        let links = origin(recording, position, &place, &AtomicBool::new(false)).expect("a good recording");
        took.push(start.elapsed());
        writers += links
            .expect("one place")
            .iter()
            .filter(|link| link.step.is_some())
            .count();
    }
    let all: Duration = took.iter().sum();
    (Sorted::new(took), millis(all) / writers.max(1) as f64)
}
