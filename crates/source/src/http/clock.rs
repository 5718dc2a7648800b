use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use nixdive_base::cancel::Cancel;

/// Source of time that can wait; tests use their own.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Returns the current time.
    fn now(&self) -> SystemTime;

    /// Waits for a duration.
    ///
    /// # Errors
    /// If it was cancelled in the meantime.
    fn wait(&self, duration: Duration, cancel: &Cancel) -> io::Result<()>;
}

/// The system clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealClock;

/// Interval at which cancellation is checked.
const LOOK: Duration = Duration::from_millis(20);

impl Clock for RealClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn wait(&self, duration: Duration, cancel: &Cancel) -> io::Result<()> {
        let begun = Instant::now();
        loop {
            cancel.check()?;
            let left = duration.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(LOOK));
        }
    }
}

/// End of the current wait for servers, shared with other threads. Clones share the state.
#[derive(Debug, Clone, Default)]
pub struct Waits(Arc<Mutex<Option<Instant>>>);

/// A clock that records its waits.
#[derive(Debug)]
struct NotedClock {
    clock: Arc<dyn Clock>,
    waits: Waits,
}

impl Waits {
    /// Returns the remaining time of the current wait.
    #[must_use]
    pub fn left(&self) -> Option<Duration> {
        let left = self.lock().map(|until| until.saturating_duration_since(Instant::now()));
        left.filter(|left| !left.is_zero())
    }

    /// Wraps a clock so that its waits are recorded here.
    #[must_use]
    pub fn noted_by(&self, clock: Arc<dyn Clock>) -> Arc<dyn Clock> {
        Arc::new(NotedClock { clock, waits: self.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for NotedClock {
    fn now(&self) -> SystemTime {
        self.clock.now()
    }

    fn wait(&self, duration: Duration, cancel: &Cancel) -> io::Result<()> {
        let until = Instant::now().checked_add(duration);
        {
            let mut longest = self.waits.lock();
            *longest = (*longest).max(until);
        }
        let waited = self.clock.wait(duration, cancel);
        let mut longest = self.waits.lock();
        if *longest == until {
            *longest = None;
        }
        waited
    }
}
