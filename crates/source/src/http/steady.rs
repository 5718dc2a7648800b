use std::io::{self, Read};
use std::time::{Duration, Instant};

use nixdive_base::cancel::Cancel;

/// Minimum bytes per interval; otherwise the server counts as stalled.
const LEAST_BYTES: u64 = 4 << 10;

/// Reads a body, and gives up if it arrives too slowly. Only time spent waiting for bytes counts.
pub(super) struct Steady<R> {
    inner: R,
    patience: Duration,
    waited: Duration,
    bytes: u64,
    cancel: Cancel,
}

impl<R> Steady<R> {
    /// Creates a reader that gives up if less than 4 KiB arrive within `patience`.
    pub fn new(inner: R, patience: Duration, cancel: Cancel) -> Self {
        Self { inner, patience, waited: Duration::ZERO, bytes: 0, cancel }
    }
}

impl<R: Read> Read for Steady<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.cancel.check()?;
        let begun = Instant::now();
        let result = self.inner.read(buffer);
        // Interrupted I/O looks like a broken connection.
        self.cancel.check()?;
        self.waited += begun.elapsed();
        let count = result?;
        self.bytes = self.bytes.saturating_add(count as u64);
        if self.bytes >= LEAST_BYTES {
            (self.bytes, self.waited) = (0, Duration::ZERO);
        } else if count > 0 && self.waited > self.patience {
            let message = format!("only {} bytes arrived within {} s", self.bytes, self.waited.as_secs_f32());
            return Err(io::Error::new(io::ErrorKind::TimedOut, message));
        }
        Ok(count)
    }
}
