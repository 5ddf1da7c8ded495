//! Looks on a thread of its own at how far a recording has come that this process is writing.

use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, TryRecvError, bounded};
use eradbg_tracer::recorder::Live;
use eradbg_tracer::recording::Recording;

/// Time between looks: the writer seals at most so often.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Hands on the recording as it grows.
pub(super) struct Follower(Receiver<Recording>);

impl Follower {
    /// Follows a recording from a state of it on.
    pub(super) fn start(mut seen: Recording, live: Live) -> Self {
        let (sender, receiver) = bounded(1);
        thread::spawn(move || {
            while seen.is_live() {
                thread::sleep(LOOK_EVERY);
                if let Some(recording) = live.recording(Some(&seen)) {
                    seen = recording.clone();
                    if sender.send(recording).is_err() {
                        break;
                    }
                }
            }
        });
        Self(receiver)
    }

    /// The newest state since the last call, if it has grown.
    pub(super) fn newest(&self) -> Option<Recording> {
        let mut newest = None;
        loop {
            match self.0.try_recv() {
                Ok(recording) => newest = Some(recording),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return newest,
            }
        }
    }
}
