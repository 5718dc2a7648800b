use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Deserialize;
use tracing::{debug, info, trace};

use super::{Challenge, Place, Registries, RegistryError, Scope};
use crate::http::{Address, Body, HttpError, Method, Request, Response, Secret};
use nixdive_image::reference::ImageName;

/// Maximum number of redirections per request.
const MAX_REDIRECTS: usize = 10;
/// Maximum number of tokens per request: a fresh one, and one of a wider scope.
const MAX_LOGINS: usize = 2;
/// Maximum bytes read of an error message.
const MAX_MESSAGE_BYTES: u64 = 64 << 10;

/// A request to a registry that can be repeated.
pub struct Call<'a> {
    /// Method of the request.
    pub method: Method,
    /// Path and query after `/v2/NAME/`, or an absolute address from the registry.
    pub target: Target<'a>,
    /// Header names in lower case, with values.
    pub headers: Vec<(&'static str, String)>,
    /// Creates the body; called for every attempt.
    pub body: &'a dyn Fn() -> Body,
    /// `pull`, or `pull,push`.
    pub actions: &'static str,
    /// Subject of the request, for messages.
    pub what: String,
}

/// Target of a call.
#[derive(Debug, Clone)]
pub enum Target<'a> {
    /// A path after `/v2/NAME/`.
    Path(&'a str),
    /// An address from the registry: the `Location` of an upload, or the next page of a list.
    Address(Address),
}

/// Further settings for sending a call.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sending<'a> {
    /// Another repository of the same registry from which a blob is mounted.
    pub mount_from: Option<&'a str>,
    /// True to disable repetition: the state of an upload has to be checked first.
    pub is_once: bool,
}

/// A repository with all its places. Shared by threads.
#[derive(Clone)]
pub struct Repository {
    registries: Arc<Registries>,
    name: ImageName,
    places: Arc<[Place]>,
    /// The place that provided the manifest: the others are used only if it fails.
    chosen: Arc<AtomicUsize>,
}

/// Error body: OCI distribution specification, "Error Codes".
#[derive(Deserialize)]
struct Errors {
    #[serde(default)]
    errors: Vec<Problem>,
}

#[derive(Deserialize)]
struct Problem {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

impl Repository {
    pub(super) fn new(registries: Arc<Registries>, name: ImageName, places: Vec<Place>) -> Self {
        Self { registries, name, places: places.into(), chosen: Arc::default() }
    }

    /// Returns the registry itself, without its mirrors.
    #[must_use]
    pub fn without_mirrors(&self) -> Self {
        let own: Vec<Place> = self.places.last().cloned().into_iter().collect();
        Self::new(Arc::clone(&self.registries), self.name.clone(), own)
    }

    /// Returns the requested image.
    #[must_use]
    pub fn name(&self) -> &ImageName {
        &self.name
    }

    /// Returns the client for all registries.
    #[must_use]
    pub fn registries(&self) -> &Arc<Registries> {
        &self.registries
    }

    /// Returns host and port from which the image really comes.
    #[must_use]
    pub fn host(&self) -> &str {
        let chosen = self.places.get(self.chosen.load(Ordering::Relaxed));
        chosen.map_or(self.name.host(), |place| place.name.host())
    }

    /// Performs an action at the place that worked before, and if it fails, at the others. Returns the error of the
    /// registry itself, which is the last place.
    pub(super) fn anywhere<T>(
        &self,
        attempt: &mut dyn FnMut(&Place) -> Result<T, RegistryError>,
    ) -> Result<T, RegistryError> {
        let chosen = self.chosen.load(Ordering::Relaxed);
        let others = (0..self.places.len()).filter(|&number| number != chosen);
        let mut failure = None;
        for number in std::iter::once(chosen).chain(others) {
            let Some(place) = self.places.get(number) else { continue };
            match attempt(place) {
                Ok(done) => {
                    trace!(target: "registry", host = place.name.host(), name = %self.name, "served");
                    self.chosen.store(number, Ordering::Relaxed);
                    return Ok(done);
                }
                Err(error) if error.is_of_this_place() => {
                    // The error is left out: it may repeat what the server says.
                    info!(target: "registry", host = place.name.host(), name = %self.name, "place failed");
                    failure = Some((number, error));
                }
                Err(error) => return Err(error),
            }
        }
        let (_, error) = failure.unwrap_or_else(|| {
            let what = self.name.to_string();
            (0, RegistryError::NotFound { host: self.name.host().to_owned(), what })
        });
        Err(error)
    }

    /// Sends a call for reading to the first place that answers it successfully.
    ///
    /// # Errors
    /// [`RegistryError`] if all places fail.
    pub fn read(&self, call: &Call<'_>) -> Result<Response, RegistryError> {
        self.anywhere(&mut |place| self.succeed(place, call))
    }

    /// Sends a call for writing to the registry itself, never to a mirror. Returns the answer whatever its status.
    ///
    /// # Errors
    /// [`RegistryError`] if no answer arrives.
    pub fn write(&self, call: &Call<'_>) -> Result<Response, RegistryError> {
        self.send(self.own_place()?, call, Sending::default())
    }

    /// Returns the place of the registry itself, which is the last one.
    pub(super) fn own_place(&self) -> Result<&Place, RegistryError> {
        let none = || RegistryError::NotFound { host: self.name.host().to_owned(), what: self.name.to_string() };
        self.places.last().ok_or_else(none)
    }

    /// Sends a call; an unsuccessful answer is an error.
    pub(super) fn succeed(&self, place: &Place, call: &Call<'_>) -> Result<Response, RegistryError> {
        let response = self.send(place, call, Sending::default())?;
        if (200..300).contains(&response.status) { Ok(response) } else { Err(self.failure(place, call, response)) }
    }

    /// Converts an unsuccessful answer into an error.
    pub fn failure(&self, place: &Place, call: &Call<'_>, response: Response) -> RegistryError {
        let (host, status) = (response.address.host().to_owned(), response.status);
        let bytes = response.bytes(MAX_MESSAGE_BYTES).ok().flatten().unwrap_or_default();
        let errors: Vec<Problem> =
            serde_json::from_slice(&bytes).map(|errors: Errors| errors.errors).unwrap_or_default();
        let message = errors.first().map(|problem| format!("{} {}", problem.code, problem.message)).unwrap_or_default();
        let message = message.trim().chars().take(400).collect::<String>();
        match status {
            401 | 403 => RegistryError::Denied {
                host,
                repository: place.name.repository(),
                reason: if message.is_empty() { format!("status {status}") } else { message },
                credential: self.registries.credential(&place.name).ok().flatten().map(|found| found.source),
            },
            404 => RegistryError::NotFound { host, what: call.what.clone() },
            _ => RegistryError::Answer { host, status, what: call.what.clone(), message },
        }
    }

    /// Sends a call to one place: logs in if required, follows redirections, and waits for busy servers.
    pub(super) fn send(&self, place: &Place, call: &Call<'_>, sending: Sending<'_>) -> Result<Response, RegistryError> {
        let repository = place.name.repository();
        let mount_from = sending.mount_from.map(str::to_owned);
        let scope = Scope { host: place.name.host().to_owned(), repository, actions: call.actions, mount_from };
        let mut authorization = self.registries.known_authorization(&scope);
        let mut logins = 0;
        loop {
            let response = self.follow(place, call, authorization.as_ref(), sending.is_once)?;
            let own = self.home(place).is_same_server(&response.address);
            if response.status != 401 || logins >= MAX_LOGINS || !own {
                return Ok(response);
            }
            let challenges: Vec<Challenge> =
                response.headers("www-authenticate").flat_map(Challenge::parse).take(MAX_REDIRECTS).collect();
            let address = response.address.clone();
            drop(response);
            debug!(target: "registry", %address, schemes = ?schemes(&challenges), "asks for a credential");
            let refused = authorization.as_ref();
            let fresh = self.registries.authorize(place, &address, &challenges, &scope, refused)?;
            authorization = Some(fresh);
            logins += 1;
        }
    }

    /// Sends a call and follows redirections. A credential is sent only to the server that requires it.
    fn follow(
        &self,
        place: &Place,
        call: &Call<'_>,
        authorization: Option<&Secret>,
        is_once: bool,
    ) -> Result<Response, RegistryError> {
        let mut address = self.first_address(place, call);
        for _ in 0..MAX_REDIRECTS {
            let own = address.is_same_server(&self.home(place));
            let response = match self.exchange(place, call, &address, authorization.filter(|_| own), is_once) {
                Err(RegistryError::Http(error)) if own && self.registries.fall_back(&address, place, &error) => {
                    address = self.first_address(place, call);
                    continue;
                }
                other => other?,
            };
            let location =
                response.header("location").filter(|_| matches!(response.status, 301 | 302 | 303 | 307 | 308));
            // The answer to a POST of an upload has a location, too, which is not a redirection.
            let Some(location) = location else { return Ok(response) };
            let wrong = |reason: &str| RegistryError::Content {
                host: address.host().to_owned(),
                what: call.what.clone(),
                reason: reason.to_owned(),
            };
            let next = address.join(location).ok_or_else(|| wrong("redirects to an invalid address"))?;
            if address.is_secure() && !next.is_secure() && !place.insecure {
                return Err(wrong("redirects from https to plain http, which is not followed"));
            }
            debug!(target: "registry", status = response.status, from = %address, to = %next, "redirect");
            address = next;
        }
        let reason = format!("leads from one address to the next, more than {MAX_REDIRECTS} times");
        Err(RegistryError::Content { host: address.host().to_owned(), what: call.what.clone(), reason })
    }

    /// Returns `true` if the place of the image uses TLS, as far as known.
    pub(super) fn is_secure(&self) -> bool {
        let chosen = self.places.get(self.chosen.load(Ordering::Relaxed));
        chosen.is_none_or(|place| self.home(place).is_secure())
    }

    /// Returns the server that may receive a credential for this place.
    fn home(&self, place: &Place) -> Address {
        self.registries.address_of(place, "/")
    }

    fn first_address(&self, place: &Place, call: &Call<'_>) -> Address {
        match &call.target {
            Target::Path(path) => self.registries.address_of(place, &format!("/v2/{}/{path}", place.name.repository())),
            Target::Address(address) => address.clone(),
        }
    }

    /// Sends one request, repeated if the server is busy, and returns its answer.
    fn exchange(
        &self,
        place: &Place,
        call: &Call<'_>,
        address: &Address,
        authorization: Option<&Secret>,
        is_once: bool,
    ) -> Result<Response, RegistryError> {
        let own = self.home(place).is_same_server(address);
        let http = self.registries.way(address, place.insecure && own)?;
        let options = http.options();
        let may_fall_back = self.registries.may_speak_plainly(address, place);
        let attempt = &mut || {
            http.send(Request {
                method: call.method,
                address: address.clone(),
                headers: call.headers.clone(),
                authorization: authorization.cloned(),
                body: (call.body)(),
            })
        };
        let first = attempt();
        if first.is_ok() {
            self.registries.note_answer(address);
        }
        match first {
            Err(error) if may_fall_back => Err(error.into()),
            first if is_once => Ok(first?),
            first => {
                let mut first = Some(first);
                let result = options.patience.run(options, &mut || first.take().unwrap_or_else(&mut *attempt));
                result.map_err(|error: HttpError| error.into())
            }
        }
    }
}

/// The schemes of challenges, such as `bearer`.
fn schemes(challenges: &[Challenge]) -> Vec<&str> {
    challenges.iter().map(|challenge| challenge.scheme.as_str()).collect()
}

impl std::fmt::Debug for Repository {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Repository({})", self.name)
    }
}
