//! Uploads a blob with one POST and one PUT ("POST then PUT" in the OCI distribution specification). Resumes if the
//! connection breaks, and sends parts if the registry does not accept a large body.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::repository::{Call, Sending, Target};
use super::{RegistryError, Repository};
use crate::http::{Address, Body, HttpError, Method, Response};
use nixdive_image::Digest;

/// Maximum number of attempts without progress.
const MAX_STALLED: u32 = 5;
/// Bytes that count as progress, so that a registry that accepts almost nothing per attempt is given up eventually.
const LEAST_GAIN: u64 = 64 << 10;
/// Longest part for a registry that does not accept the whole blob at once, and the shortest part tried, in bytes.
const FIRST_PART: u64 = 16 << 20;
const LEAST_PART: u64 = 512 << 10;
/// Longest part that a registry may require, in bytes.
const MOST_PART: u64 = 1 << 30;

/// Opens a blob at an offset.
pub type Opener<'a> = dyn Fn(u64) -> io::Result<Box<dyn Read + Send>> + Sync + 'a;

/// A blob to upload.
pub struct Upload<'a> {
    /// Digest of the blob, which the registry verifies.
    pub digest: &'a Digest,
    /// Length of the blob in bytes.
    pub bytes: u64,
    /// Opens the blob at an offset; called again after the connection broke.
    pub open: &'a Opener<'a>,
    /// Receives the number of bytes sent, which decreases after a restart.
    pub progress: Arc<dyn Fn(u64) + Send + Sync>,
}

/// An upload that a registry has started.
#[derive(Debug, Clone)]
pub struct Session {
    address: Address,
    /// Bytes that the registry has received.
    position: u64,
    /// Minimum bytes of a part.
    least_part: u64,
}

/// Result of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sent {
    /// Bytes of the blob that were sent, counting repeated ones again.
    pub bytes: u64,
    /// Number of times that it was resumed or restarted.
    pub repeats: u32,
}

impl Session {
    /// Returns the session in an answer to a POST, a PATCH or a GET, without any progress; never switches from https to
    /// plain http.
    pub(super) fn of(response: &Response) -> Option<Self> {
        let address = response.address.join_protected(response.header("location")?)?;
        let parts = response.header("oci-chunk-min-length").and_then(|bytes| bytes.parse().ok());
        Some(Self { address, position: 0, least_part: parts.unwrap_or(0).min(MOST_PART) })
    }
}

/// Returns the bytes that the registry has received: `Range: 0-N` with the last byte included. Registries report `0-0`
/// for no bytes.
fn received(response: &Response) -> u64 {
    let range = response.header("range").map(|range| range.trim_start_matches("bytes="));
    let last = range.and_then(|range| range.strip_prefix("0-")?.parse::<u64>().ok());
    last.filter(|&last| last > 0).map_or(0, |last| last.saturating_add(1))
}

/// The outgoing content, which is counted, and remembers why it could not be read.
struct Outgoing {
    inner: io::Result<Box<dyn Read + Send>>,
    left: u64,
    log: Arc<Log>,
}

/// State of the bytes of one upload.
struct Log {
    state: Mutex<LogState>,
    progress: Arc<dyn Fn(u64) + Send + Sync>,
}

#[derive(Default)]
struct LogState {
    position: u64,
    sent: u64,
    failure: Option<String>,
}

impl Log {
    fn with<T>(&self, change: impl FnOnce(&mut LogState) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn begin(&self, position: u64) {
        self.with(|state| state.position = position);
        (self.progress)(position);
    }

    fn note(&self, count: u64) {
        let position = self.with(|state| {
            state.sent = state.sent.saturating_add(count);
            state.position = state.position.saturating_add(count);
            state.position
        });
        (self.progress)(position);
    }
}

impl Read for Outgoing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let result = match &mut self.inner {
            Ok(inner) => inner.read(buffer.get_mut(..most).unwrap_or_default()),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        };
        let result = match result {
            Ok(0) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("{} bytes are missing", self.left))),
            other => other,
        };
        match &result {
            Ok(count) => {
                self.left = self.left.saturating_sub(*count as u64);
                self.log.note(*count as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => self.log.with(|state| state.failure = Some(error.to_string())),
        }
        result
    }
}

/// Result of an attempt that did not fail permanently.
enum Step {
    Done,
    /// A part was accepted.
    Further(Session),
    /// The body is too large for the registry; parts of this many bytes should be tried.
    TooLong(u64),
    /// The connection broke, or the registry was busy and asks to wait: query the received bytes.
    Broken(RegistryError, Option<Duration>),
}

impl Repository {
    /// Uploads a blob, into `session` if an upload was already started.
    ///
    /// # Errors
    /// [`RegistryError`] if the registry rejects it, [`RegistryError::Unreadable`] if the blob cannot be read.
    pub fn upload(&self, upload: &Upload<'_>, session: Option<Session>) -> Result<Sent, RegistryError> {
        let log = Arc::new(Log { state: Mutex::default(), progress: Arc::clone(&upload.progress) });
        let mut sent = Sent::default();
        let result = Sender { repository: self, upload, log: Arc::clone(&log), part: None }.run(session, &mut sent);
        sent.bytes = log.with(|state| state.sent);
        result.map(|()| sent)
    }
}

struct Sender<'a> {
    repository: &'a Repository,
    upload: &'a Upload<'a>,
    log: Arc<Log>,
    /// Bytes per part, if it cannot be sent at once.
    part: Option<u64>,
}

impl Sender<'_> {
    fn run(&mut self, session: Option<Session>, sent: &mut Sent) -> Result<(), RegistryError> {
        let mut session = Some(session.map_or_else(|| self.begin(), Ok)?);
        let (mut stalled, mut furthest) = (0, 0u64);
        loop {
            let (error, asked) = match self.next_step(&mut session, stalled > 0)? {
                Step::Done => return Ok(()),
                Step::Further(next) => {
                    session = Some(next);
                    continue;
                }
                Step::TooLong(part) => {
                    self.part = Some(part);
                    session = Some(self.begin()?);
                    sent.repeats += 1;
                    continue;
                }
                Step::Broken(error, asked) => (error, asked),
            };
            sent.repeats += 1;
            // Perhaps only the answer was lost. A server that is unreachable may return after a while.
            if self.repository.has_blob(self.upload.digest).is_ok_and(|bytes| bytes == Some(self.upload.bytes)) {
                return Ok(());
            }
            session = session.and_then(|session| self.look(&session));
            let position = session.as_ref().map_or(0, |session| session.position);
            let enough = self.upload.bytes.min(furthest.saturating_add(LEAST_GAIN));
            if position > furthest && position >= enough {
                (stalled, furthest) = (0, position);
            } else {
                stalled += 1;
            }
            if stalled >= MAX_STALLED {
                return Err(error);
            }
            self.pause(stalled, asked)?;
        }
    }

    /// Sends the next bytes; restarts a lost upload, which may fail for a while.
    fn next_step(&self, session: &mut Option<Session>, careful: bool) -> Result<Step, RegistryError> {
        if let Some(session) = session {
            return self.step(session, careful);
        }
        match self.begin() {
            Ok(begun) => {
                let step = self.step(&begun, careful);
                *session = Some(begun);
                step
            }
            Err(RegistryError::Http(HttpError::Cancelled)) => Err(HttpError::Cancelled.into()),
            Err(error @ RegistryError::Http(_)) => Ok(Step::Broken(error, None)),
            Err(error) => Err(error),
        }
    }

    /// Waits as long as requested, else longer after every attempt without progress.
    fn pause(&self, stalled: u32, asked: Option<Duration>) -> Result<(), RegistryError> {
        let options = self.repository.registries().options();
        let own = options.patience.first_wait.saturating_mul(stalled.saturating_sub(1));
        options.clock.wait(asked.unwrap_or(own), &options.cancel).map_err(|_| HttpError::Cancelled.into())
    }

    fn what(&self) -> String {
        format!("the blob {}", self.upload.digest)
    }

    fn begin(&self) -> Result<Session, RegistryError> {
        let target = Target::Path("blobs/uploads/");
        // An empty body with a length: some registries require it for every POST.
        let empty = || Body::Bytes(Vec::new());
        let call = self.repository.push_call(Method::Post, target, &empty, self.what());
        let place = self.repository.own_place()?;
        let response = self.repository.send(place, &call, Sending::default())?;
        if response.status != 202 {
            return Err(self.repository.refused(place, &call, response));
        }
        let host = response.address.host().to_owned();
        let reason = "it returns no upload address, or one that switches from https to plain http".to_owned();
        Session::of(&response).ok_or(RegistryError::Content { host, what: call.what, reason })
    }

    /// Queries the bytes that the registry has received; returns `None` if the upload is lost.
    fn look(&self, session: &Session) -> Option<Session> {
        let target = Target::Address(session.address.clone());
        let call = self.repository.push_call(Method::Get, target, &|| Body::None, self.what());
        let response = self.repository.write(&call).ok()?;
        if !matches!(response.status, 200 | 204) {
            return None;
        }
        let position = received(&response);
        let address = Session::of(&response).map_or_else(|| session.address.clone(), |next| next.address);
        let next = Session { address, position, least_part: session.least_part };
        (position <= self.upload.bytes).then_some(next)
    }

    /// Sends the rest, or the next part.
    fn step(&self, session: &Session, careful: bool) -> Result<Step, RegistryError> {
        let left = self.upload.bytes.saturating_sub(session.position);
        let part = self.part.map_or(left, |part| part.max(session.least_part).min(left));
        // An upload in parts, or a complete one, is finished with a PUT without a body.
        let is_whole = self.part.is_none() && session.position == 0;
        let ends = is_whole || left == 0;
        let method = if ends { Method::Put } else { Method::Patch };
        let address = match ends {
            true => session.address.with_parameter("digest", self.upload.digest.as_str()),
            false => session.address.clone(),
        };
        self.log.begin(session.position);
        self.log.with(|state| state.failure = None);
        let body = || self.body(session.position, part);
        let mut call = self.repository.push_call(method, Target::Address(address), &body, self.what());
        call.headers.push(("content-type", "application/octet-stream".to_owned()));
        if !ends {
            let last = session.position.saturating_add(part).saturating_sub(1);
            call.headers.push(("content-range", format!("{}-{last}", session.position)));
        }
        if careful && part > 0 {
            // The registry rejects before the body is sent; otherwise its answer would be lost with the connection.
            call.headers.push(("expect", "100-continue".to_owned()));
        }
        let place = self.repository.own_place()?;
        let result = self.repository.send(place, &call, Sending { is_once: true, ..Sending::default() });
        if let Some(reason) = self.log.with(|state| state.failure.take()) {
            return Err(RegistryError::Unreadable { what: self.what(), reason });
        }
        match result {
            Err(RegistryError::Http(HttpError::Cancelled)) => Err(HttpError::Cancelled.into()),
            Err(error @ RegistryError::Http(_)) => Ok(Step::Broken(error, None)),
            Err(error) => Err(error),
            Ok(response) => self.judge(&call, session, part, response),
        }
    }

    fn body(&self, position: u64, bytes: u64) -> Body {
        if bytes == 0 {
            return Body::Bytes(Vec::new());
        }
        self.log.begin(position);
        let outgoing = Outgoing { inner: (self.upload.open)(position), left: bytes, log: Arc::clone(&self.log) };
        Body::Stream(Box::new(outgoing), bytes)
    }

    fn judge(&self, call: &Call<'_>, session: &Session, part: u64, response: Response) -> Result<Step, RegistryError> {
        let place = self.repository.own_place()?;
        let ends = call.method == Method::Put;
        match response.status {
            // Old registries answer a finished upload with 204.
            200 | 201 | 204 if ends => Ok(Step::Done),
            200..300 if !ends => {
                let position = session.position.saturating_add(part);
                let next = Session::of(&response).map_or_else(|| session.address.clone(), |next| next.address);
                Ok(Step::Further(Session { address: next, position, least_part: session.least_part }))
            }
            413 if part > LEAST_PART.max(session.least_part) => {
                Ok(Step::TooLong((part / 2).clamp(LEAST_PART, FIRST_PART)))
            }
            // The session is lost, or at another position; or the registry is busy.
            404 | 408 | 416 | 429 | 499 | 500 | 502..=504 => {
                let options = self.repository.registries().options();
                let asked = options.patience.asked_for(&response, options.clock.now())?;
                Ok(Step::Broken(self.repository.refused(place, call, response), asked))
            }
            400 if session.position > 0 => Ok(Step::Broken(self.repository.refused(place, call, response), None)),
            _ => Err(self.repository.refused(place, call, response)),
        }
    }
}
