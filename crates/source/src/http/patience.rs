use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, SystemTime};

use super::{HttpError, HttpOptions, Response, parse_date};

/// How often a busy server is asked again, and how long is waited between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Tries in all.
    pub tries: u32,
    /// The wait after the first; it doubles with every further one.
    pub first_wait: Duration,
    /// No wait is longer.
    pub longest_wait: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { tries: 5, first_wait: Duration::from_millis(500), longest_wait: Duration::from_secs(60) }
    }
}

/// Whether a server that answers so may answer otherwise soon.
fn is_busy(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
}

impl Patience {
    /// Sends what `attempt` sends, again where the server is busy or the connection broke. The last answer is given as
    /// it is.
    ///
    /// # Errors
    /// [`HttpError`].
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
            drop(result);
            options.clock.wait(wait, &options.cancel).map_err(|_| HttpError::Cancelled)?;
            number += 1;
        }
    }

    /// How long the server asks to wait.
    ///
    /// # Errors
    /// [`HttpError::TooManyRequests`], where that is longer than anybody waits.
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

    /// Twice as long with every try, and up to a quarter more, so that many clients do not come back at once.
    fn own_wait(self, number: u32) -> Duration {
        let factor = 1u32.checked_shl(number.saturating_sub(1)).unwrap_or(u32::MAX);
        let wait = self.first_wait.saturating_mul(factor);
        let random = RandomState::new().hash_one(number) % 256;
        let jitter = wait.saturating_mul(random as u32) / 1024;
        wait.saturating_add(jitter).min(self.longest_wait)
    }
}
