//! The commands, one file each.

pub(crate) mod demo;
pub(crate) mod export;
pub(crate) mod info;
pub(crate) mod open;
pub(crate) mod origin;
pub(crate) mod pack;
pub(crate) mod query;
pub(crate) mod record;
pub(crate) mod show;
pub(crate) mod state;
pub(crate) mod verify;
pub(crate) mod why;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use eradbg_tracer::store::database::OPENING_THREAD;

/// sled panics on some damaged files. That becomes an error, so the panic's own message would only confuse.
pub(crate) fn quiet_panics_while_opening() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().name() != Some(OPENING_THREAD) {
            default(info);
        }
    }));
}

/// A flag that Ctrl-C and a polite kill set.
///
/// # Errors
/// When the system refuses to register for a signal.
pub(crate) fn stop_flag() -> std::io::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // A second signal ends the process at once, for when the first one is not noticed.
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&flag))?;
        signal_hook::flag::register(signal, Arc::clone(&flag))?;
    }
    Ok(flag)
}

/// A number of bytes in the unit that fits.
pub(crate) fn bytes(number: u64) -> String {
    match number {
        0..10_000 => format!("{number} B"),
        10_000..10_000_000 => format!("{:.1} KB", number as f64 / 1e3),
        _ => format!("{:.1} MB", number as f64 / 1e6),
    }
}
