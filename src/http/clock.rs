use std::fmt;
use std::io;
use std::time::{Duration, Instant, SystemTime};

use crate::scan::Cancel;

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
