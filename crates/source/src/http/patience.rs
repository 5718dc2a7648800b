use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, SystemTime};

use tracing::debug;

use super::{HttpError, HttpOptions, Response, parse_date};

/// Rules for repeating a request to a busy server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Maximum number of attempts.
    pub tries: u32,
    /// Wait after the first attempt; doubles with each further one.
    pub first_wait: Duration,
    /// Longest wait.
    pub longest_wait: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { tries: 5, first_wait: Duration::from_millis(500), longest_wait: Duration::from_secs(60) }
    }
}

/// Returns `true` if a server with this status may answer differently soon.
fn is_busy(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
}

impl Patience {
    /// Sends a request through `attempt`, and repeats it if the server is busy or the connection broke. Returns the
    /// last answer unchanged.
    ///
    /// # Errors
    /// [`HttpError`] if the last attempt failed or the server asks for too long a wait.
    pub fn run(
        self,
        options: &HttpOptions,
        attempt: &mut dyn FnMut() -> Result<Response, HttpError>,
    ) -> Result<Response, HttpError> {
        let mut number = 1;
        loop {
            let result = attempt();
            options.cancel.check().map_err(|_| HttpError::Cancelled)?;
            let asked = match &result {
                Ok(response) if is_busy(response.status) => self.asked_for(response, options.clock.now())?,
                Err(error) if error.may_pass() => None,
                _ => return result,
            };
            if number >= self.tries {
                return result;
            }
            let wait = asked.unwrap_or_else(|| self.own_wait(number));
            debug!(target: "http", attempt = number, of = self.tries, ?wait, is_asked = asked.is_some(), "retry");
            drop(result);
            options.clock.wait(wait, &options.cancel).map_err(|_| HttpError::Cancelled)?;
            number += 1;
        }
    }

    /// Returns the wait that the server asks for.
    ///
    /// # Errors
    /// [`HttpError::TooManyRequests`] if that is longer than the longest acceptable wait.
    pub fn asked_for(self, response: &Response, now: SystemTime) -> Result<Option<Duration>, HttpError> {
        let Some(text) = response.header("retry-after") else { return Ok(None) };
        let wait = match text.trim().parse::<u64>() {
            Ok(seconds) => Duration::from_secs(seconds),
            Err(_) => match parse_date(text) {
                Some(date) => date.duration_since(now).unwrap_or_default(),
                None => return Ok(None),
            },
        };
        if wait <= self.longest_wait {
            return Ok(Some(wait));
        }
        let quota = response.header("ratelimit-limit").map(nixdive_base::text::display_in_sentence);
        Err(HttpError::TooManyRequests { host: response.address.host().to_owned(), wait, quota })
    }

    /// Doubles with every attempt, plus up to a quarter at random, so that many clients do not return at once.
    fn own_wait(self, number: u32) -> Duration {
        let factor = 1u32.checked_shl(number.saturating_sub(1)).unwrap_or(u32::MAX);
        let wait = self.first_wait.saturating_mul(factor);
        let random = RandomState::new().hash_one(number) % 256;
        let jitter = wait.saturating_mul(random as u32) / 1024;
        wait.saturating_add(jitter).min(self.longest_wait)
    }
}
