//! Signals that ask the program to end while it does what must not be left half done.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

use nixdive_base::cancel::Cancel;

/// A signal has ended the work, and nothing of it is left.
#[derive(Debug, thiserror::Error)]
#[error("cancelled")]
pub struct Interrupted(i32);

impl Interrupted {
    /// The exit code that shells have for it: 128 and the number of the signal.
    pub fn exit_code(&self) -> u8 {
        u8::try_from(self.0).unwrap_or_default().saturating_add(128)
    }
}

/// Lets the first signal that asks the program to end stop the work, so that nothing is left behind; the second one ends
/// it at once. Until it is dropped.
pub struct StopOnSignals {
    /// None where signals cannot be taken: they end the program as ever.
    handle: Option<Handle>,
    first: Arc<AtomicI32>,
}

impl StopOnSignals {
    /// Stops what `cancel` stops.
    pub fn new(cancel: &Cancel) -> Self {
        let first = Arc::default();
        Self { handle: listen(cancel.clone(), Arc::clone(&first)), first }
    }

    /// Returns the result of the work, or an error if a signal ended it.
    pub fn outcome<T>(&self, result: anyhow::Result<T>) -> anyhow::Result<T> {
        match self.first.load(Ordering::Relaxed) {
            0 => result,
            signal => result.map_err(|_| Interrupted(signal).into()),
        }
    }
}

fn listen(cancel: Cancel, first: Arc<AtomicI32>) -> Option<Handle> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).ok()?;
    let handle = signals.handle();
    let wait = move || {
        for signal in signals.forever() {
            if cancel.is_cancelled() {
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
            first.store(signal, Ordering::Relaxed);
            cancel.cancel();
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(wait).ok()?;
    Some(handle)
}

impl Drop for StopOnSignals {
    fn drop(&mut self) {
        if let Some(handle) = &self.handle {
            handle.close();
        }
    }
}
