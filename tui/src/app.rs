//! The program around the screens: terminal, event loop, background runs.

mod follower;
mod terminal;
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use crossterm::event::{self, Event, MouseButton, MouseEvent, MouseEventKind};
use eradbg_tracer::recorder::Live;
use eradbg_tracer::recording::Recording;
use eradbg_tracer::timeline::Timeline;

use crate::action::Action;
use crate::effect::{self, Effect};
use crate::highlight::Highlighter;
use crate::keymap;
use crate::model::Model;
use crate::theme::Theme;
use crate::tour::Tour;
use crate::update::update;
use crate::view::View;
use follower::Follower;
use worker::Worker;

/// Longest wait for input, so that signals and background runs are noticed.
const TICK: Duration = Duration::from_millis(50);

/// How long a background run may take before it is drawn that one is under way: most answers are there at once.
const AT_ONCE: Duration = Duration::from_millis(30);

/// Longest time spent on input that is already there before a frame is drawn: a held key stays visible.
const INPUT_BUDGET: Duration = Duration::from_millis(30);

/// Opens the screens on a recording, with the cursor at a position, until the user leaves. A tour may lead through them.
///
/// # Errors
/// When the terminal cannot be used, or the recording cannot be read at all. Damage met later is shown on the screen.
pub(crate) fn run(recording: Recording, at: u64, tour: Tour) -> Result<()> {
    start(recording, at, tour, None)
}

/// Opens the screens on a recording that this process is writing, and follows it.
///
/// # Errors
/// As [`run`].
pub(crate) fn follow(recording: Recording, live: Live) -> Result<()> {
    let follower = Follower::start(recording.clone(), live);
    start(recording, 0, Tour::Off, Some(follower))
}

fn start(recording: Recording, at: u64, tour: Tour, follower: Option<Follower>) -> Result<()> {
    let mut timeline = Timeline::new(recording).context("cannot open the recording's timeline")?;
    timeline.seek(at).context("cannot go to the wanted step")?;
    let stopped = terminal::stop_flag()?;
    let mut terminal = terminal::Guard::enter(&stopped)?;
    let size = terminal.screen.size()?;
    let mut app = App {
        model: Model {
            tour,
            ..Model::new((size.width, size.height))
        },
        timeline,
        theme: Theme::from_environment(),
        highlighter: Highlighter::new(),
        worker: None,
        follower,
        is_over: false,
    };
    let arrived = effect::arrived(&app.timeline, None);
    app.act(arrived);
    if let Some(problem) = app.timeline.recording().overview_problems().first() {
        let text = format!("lists may lack something: {problem}");
        app.act(Action::Failed(text));
    }
    if let [first, more @ ..] = &app.timeline.recording().notes_on_names()?[..] {
        let more = match more.len() {
            0 => String::new(),
            count => format!(" ({count} more: A)"),
        };
        app.act(Action::Failed(format!("names: {first}{more}")));
    }
    app.events(&mut terminal, &stopped)
}

struct App {
    model: Model,
    timeline: Timeline,
    theme: Theme,
    highlighter: Highlighter,
    worker: Option<Worker>,
    follower: Option<Follower>,
    is_over: bool,
}

impl App {
    fn events(&mut self, terminal: &mut terminal::Guard, stopped: &Arc<AtomicBool>) -> Result<()> {
        let mut needs_drawing = true;
        while !self.is_over && !stopped.load(Ordering::Relaxed) {
            needs_drawing |= self.reports();
            if needs_drawing {
                let view = View::new(&self.model, &self.timeline, self.theme, &self.highlighter);
                terminal.screen.draw(|frame| view.render(frame))?;
                needs_drawing = self.unread_page();
            }
            if event::poll(TICK)? {
                let start = Instant::now();
                loop {
                    needs_drawing |= self.input(&event::read()?);
                    if self.is_over || start.elapsed() > INPUT_BUDGET || !event::poll(Duration::ZERO)? {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Says why memory that was just drawn is shown as zeros; whether there was such a reason.
    fn unread_page(&mut self) -> bool {
        let problem = self.timeline.recording().check_pages().err();
        if let Some(problem) = &problem {
            self.act(Action::Failed(problem.to_string()));
        }
        problem.is_some()
    }

    /// Takes what the background run reports, and what was recorded since; whether there was anything.
    fn reports(&mut self) -> bool {
        let grown = self.follower.as_ref().and_then(Follower::newest);
        let has_grown = grown.is_some();
        if let Some(recording) = grown {
            self.timeline.follow(recording);
            self.act(effect::arrived(&self.timeline, None));
        }
        let Some(worker) = &self.worker else {
            return has_grown;
        };
        let reports = worker.reports();
        let are_any = has_grown || !reports.is_empty();
        for report in reports {
            match report {
                worker::Report::Progress(position) => self.act(Action::RunProgress(position)),
                worker::Report::Ended(id, end) => {
                    self.worker = None;
                    if self.model.running.is_some_and(|running| running.id == id) {
                        self.ended(id, end);
                    }
                }
                worker::Report::Failed(id, problem) => {
                    self.worker = None;
                    self.act(Action::RunEnded(id, String::new()));
                    self.act(Action::Failed(problem));
                }
            }
        }
        are_any
    }

    /// The run that is waited for is done.
    fn ended(&mut self, id: u64, end: worker::End) {
        match end {
            worker::End::At(position, note) => {
                self.act(Action::RunEnded(id, note.clone()));
                match self.timeline.seek(position) {
                    Ok(()) => self.act(effect::arrived(&self.timeline, Some(note))),
                    Err(error) => self.act(Action::Failed(error.to_string())),
                }
            }
            worker::End::Answer(question, answer) => {
                self.act(Action::RunEnded(id, String::new()));
                self.act(Action::Answered(question, answer));
            }
        }
    }

    /// Acts on an event of the terminal; whether the screen may have changed.
    fn input(&mut self, event: &Event) -> bool {
        let action = match event {
            Event::Key(key) => keymap::read(&mut self.model.pending, &self.model.mode, key),
            Event::Mouse(mouse) => pointed(*mouse),
            Event::Resize(width, height) => Some(Action::Resize(*width, *height)),
            Event::FocusGained | Event::FocusLost | Event::Paste(_) => None,
        };
        // A key that waits for more is shown, too.
        let is_key = matches!(event, Event::Key(_));
        let Some(action) = action else { return is_key };
        self.act(action);
        true
    }

    /// Updates the model, and does what that wants done, until nothing is left to do.
    fn act(&mut self, action: Action) {
        let mut next = Some(action);
        while let Some(action) = next {
            let effect = update(&mut self.model, action);
            next = self.perform(&effect);
        }
    }

    fn perform(&mut self, effect: &Effect) -> Option<Action> {
        match effect {
            Effect::Quit => {
                self.is_over = true;
                None
            }
            Effect::Run { id, task } => {
                let recording = self.timeline.recording().clone();
                let start = self.timeline.position();
                let worker = Worker::start(*id, recording, start, task.clone());
                worker.wait(AT_ONCE);
                self.worker = Some(worker);
                None
            }
            Effect::Cancel => {
                self.worker = None;
                None
            }
            effect => effect::perform(effect, &mut self.timeline),
        }
    }
}

/// What the mouse asks for.
fn pointed(mouse: MouseEvent) -> Option<Action> {
    match mouse.kind {
        MouseEventKind::Down(MouseButton::Left) | MouseEventKind::Drag(MouseButton::Left) => {
            Some(Action::Click(mouse.column, mouse.row))
        }
        MouseEventKind::ScrollDown => Some(Action::Wheel(mouse.column, mouse.row, 1)),
        MouseEventKind::ScrollUp => Some(Action::Wheel(mouse.column, mouse.row, -1)),
        _ => None,
    }
}
