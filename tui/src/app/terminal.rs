//! The terminal taken over, and given back whatever happens.

use std::io::{self, IsTerminal, stdout};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once, Weak};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use crossterm::event::{DisableMouseCapture, EnableMouseCapture};
use crossterm::execute;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

/// Time that the loop has to end after a signal.
const GRACE: Duration = Duration::from_millis(400);

/// Exit code of a program that a signal stopped.
const STOPPED: i32 = 130;

/// The terminal while it is ours; dropping it gives it back.
pub(super) struct Guard {
    pub(super) screen: Terminal<CrosstermBackend<io::Stdout>>,
    /// The watcher ends when this is gone.
    _alive: Arc<()>,
}

impl Guard {
    /// Takes the terminal over: raw mode, alternate screen, mouse. `stopped` is raised by signals.
    pub(super) fn enter(stopped: &Arc<AtomicBool>) -> Result<Self> {
        if !stdout().is_terminal() {
            bail!(
                "standard output is no terminal; `eradbg info` and `eradbg export` print the recording as text"
            );
        }
        restore_on_panic();
        enable_raw_mode().context("cannot take over the terminal")?;
        // From here on a failure must give the terminal back.
        let entered = execute!(stdout(), EnterAlternateScreen, EnableMouseCapture)
            .and_then(|()| Terminal::new(CrosstermBackend::new(stdout())));
        match entered {
            Ok(screen) => {
                let alive = Arc::new(());
                let watched = Arc::downgrade(&alive);
                let stopped = Arc::clone(stopped);
                thread::spawn(move || leave_when_stuck(&stopped, &watched));
                Ok(Self {
                    screen,
                    _alive: alive,
                })
            }
            Err(error) => {
                restore();
                Err(error).context("cannot take over the terminal")
            }
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.screen.show_cursor();
        restore();
    }
}

/// A flag that SIGTERM and SIGHUP raise, so that the loop ends and the terminal is given back.
pub(super) fn stop_flag() -> Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    #[cfg(unix)]
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&flag)).context("cannot listen to signals")?;
    }
    Ok(flag)
}

/// Ends the program when a signal has asked for it and the loop does not.
///
/// crossterm 0.29 reads a terminal that was closed again and again without coming back, so that the loop never sees
/// the signal. The recording is only read, so nothing is lost.
fn leave_when_stuck(stopped: &AtomicBool, alive: &Weak<()>) {
    while alive.strong_count() > 0 {
        thread::sleep(GRACE / 4);
        if stopped.load(Ordering::Relaxed) {
            thread::sleep(GRACE);
            if alive.strong_count() > 0 {
                restore();
                std::process::exit(STOPPED);
            }
        }
    }
}

/// Nothing can be done about a terminal that will not be restored.
fn restore() {
    let _ = execute!(stdout(), DisableMouseCapture, LeaveAlternateScreen);
    let _ = disable_raw_mode();
}

/// Gives the terminal back before the message of a Rust panic is printed.
fn restore_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let main = std::thread::current().id();
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            // A panic of the worker is reported as an error on the screen, which stays.
            if std::thread::current().id() == main {
                restore();
                report(info);
            }
        }));
    });
}
