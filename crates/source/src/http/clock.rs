use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use nixdive_base::cancel::Cancel;

/// What tells the time and waits: tests have one of their own.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Now.
    fn now(&self) -> SystemTime;

    /// Waits.
    ///
    /// # Errors
    /// When it was cancelled meanwhile.
    fn wait(&self, duration: Duration, cancel: &Cancel) -> io::Result<()>;
}

/// The clock of the system.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealClock;

/// Between two looks at whether it was cancelled.
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

/// Until when servers are left alone, for whoever watches from another thread. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Waits(Arc<Mutex<Option<Instant>>>);

/// A clock that notes its waits.
#[derive(Debug)]
struct NotedClock {
    clock: Arc<dyn Clock>,
    waits: Waits,
}

impl Waits {
    /// For how much longer, where any is.
    #[must_use]
    pub fn left(&self) -> Option<Duration> {
        let left = self.lock().map(|until| until.saturating_duration_since(Instant::now()));
        left.filter(|left| !left.is_zero())
    }

    /// A clock that notes its waits here, in front of another one.
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
