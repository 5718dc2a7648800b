//! Authorization for a registry: a user name and a password, or a token fetched with them (distribution's "Token
//! Authentication Specification" and "OAuth2 Token Authentication").

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use hashbrown::HashMap;
use serde::Deserialize;
use tracing::{debug, trace};

use super::credentials::{Credential, Found};
use super::{Challenge, RegistryError};
use crate::http::{Address, Body, Http, Method, Request, Response, Secret, base64};

/// Maximum bytes read of a refusal, and characters shown of it.
const MAX_REFUSAL_BYTES: u64 = 64 << 10;
const MAX_REFUSAL_SHOWN: usize = 200;
/// Maximum bytes of an answer with a token.
const MAX_TOKEN_BYTES: u64 = 1 << 20;
/// Lifetime of a token without a stated one.
const DEFAULT_LIFE: Duration = Duration::from_secs(60);
/// Time before its end at which a token is no longer used: the request still has to travel.
const MARGIN: Duration = Duration::from_secs(5);

/// A repository and the intended actions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    /// Host and port.
    pub host: String,
    /// The repository.
    pub repository: String,
    /// `pull`, or `pull,push`.
    pub actions: &'static str,
    /// Another repository that is read as well, to mount a blob from it.
    pub mount_from: Option<String>,
}

impl Scope {
    fn texts(&self) -> impl Iterator<Item = String> {
        let own = format!("repository:{}:{}", self.repository, self.actions);
        let other = self.mount_from.as_ref().map(|from| format!("repository:{from}:pull"));
        std::iter::once(own).chain(other)
    }
}

/// An authorization and its expiry.
struct Kept {
    authorization: Secret,
    until: Option<SystemTime>,
}

/// The tokens of this run.
#[derive(Default)]
pub struct Tokens {
    kept: Mutex<HashMap<Scope, Arc<Mutex<Option<Kept>>>>>,
}

/// The context of a token request.
pub struct Asking<'a> {
    /// Returns the client for a token server, by its address.
    pub http: &'a dyn Fn(&Address) -> Result<Arc<Http>, RegistryError>,
    /// The credential.
    pub credential: Option<&'a Found>,
    /// The registry that requires a token.
    pub registry: &'a Address,
    /// The current time.
    pub now: SystemTime,
}

#[derive(Deserialize)]
struct Answer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

impl Tokens {
    fn place(&self, scope: &Scope) -> Arc<Mutex<Option<Kept>>> {
        let mut kept = lock(&self.kept);
        Arc::clone(kept.entry(scope.clone()).or_default())
    }

    /// Returns the authorization that was accepted before, if it is still valid.
    pub fn known(&self, scope: &Scope, now: SystemTime) -> Option<Secret> {
        let place = self.place(scope);
        let kept = lock(&place);
        let kept = kept.as_ref().filter(|kept| kept.until.is_none_or(|until| until > now))?;
        Some(kept.authorization.clone())
    }

    /// Answers one of the challenges. `refused` is the authorization that was insufficient. Threads with the same
    /// request share one answer.
    ///
    /// # Errors
    /// [`RegistryError`] if no challenge can be answered.
    pub fn answer(
        &self,
        challenges: &[Challenge],
        scope: &Scope,
        refused: Option<&Secret>,
        asking: &Asking<'_>,
    ) -> Result<Secret, RegistryError> {
        let place = self.place(scope);
        let mut kept = lock(&place);
        if let Some(kept) = kept.as_ref().filter(|kept| kept.until.is_none_or(|until| until > asking.now))
            && refused != Some(&kept.authorization)
        {
            trace!(target: "credentials", scope = ?scope.texts().collect::<Vec<_>>(), "another thread has the token");
            return Ok(kept.authorization.clone());
        }
        let by_scheme = |scheme: &str| challenges.iter().find(|challenge| challenge.scheme == scheme);
        let fresh = match (by_scheme("bearer"), by_scheme("basic")) {
            (Some(bearer), _) => fetch(bearer, scope, asking)?,
            (None, Some(_)) => basic(scope, refused, asking)?,
            (None, None) => return Err(denied(scope, asking, "it requires an unsupported authentication method")),
        };
        let authorization = fresh.authorization.clone();
        *kept = Some(fresh);
        Ok(authorization)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn denied(scope: &Scope, asking: &Asking<'_>, reason: &str) -> RegistryError {
    RegistryError::Denied {
        host: scope.host.clone(),
        repository: scope.repository.clone(),
        reason: reason.to_owned(),
        credential: asking.credential.map(|found| found.source.clone()),
    }
}

fn pair(user: &str, password: &Secret) -> Secret {
    Secret::new(format!("Basic {}", base64(format!("{user}:{}", password.reveal()).as_bytes())))
}

fn basic(scope: &Scope, refused: Option<&Secret>, asking: &Asking<'_>) -> Result<Kept, RegistryError> {
    let authorization = match asking.credential.map(|found| &found.credential) {
        Some(Credential::Password { user, password }) => pair(user, password),
        Some(Credential::RegistryToken(token)) => Secret::new(format!("Bearer {}", token.reveal())),
        _ => return Err(denied(scope, asking, "it requires a user name and a password")),
    };
    if refused == Some(&authorization) {
        return Err(denied(scope, asking, "it does not accept the credential"));
    }
    Ok(Kept { authorization, until: None })
}

fn fetch(challenge: &Challenge, scope: &Scope, asking: &Asking<'_>) -> Result<Kept, RegistryError> {
    if let Some(Credential::RegistryToken(token)) = asking.credential.map(|found| &found.credential) {
        return Ok(Kept { authorization: Secret::new(format!("Bearer {}", token.reveal())), until: None });
    }
    let realm = challenge.parameter("realm").unwrap_or_default();
    let no_realm = || denied(scope, asking, "it names no valid token server");
    let realm = Address::parse(realm).ok_or_else(no_realm)?;
    if !is_safe_realm(&realm, asking) {
        return Err(RegistryError::UnsafeRealm { host: scope.host.clone(), realm: realm.to_string() });
    }
    let service = challenge.parameter("service").unwrap_or_default();
    let scopes = scopes(challenge, scope);
    let by = asking.credential.map_or("anonymous", |found| found.credential.kind());
    debug!(target: "credentials", %realm, service, ?scopes, by, "token requested");
    let response = send(&realm, service, &scopes, asking)?;
    let (host, what) = (response.address.host().to_owned(), "the token".to_owned());
    let content = |reason: String| RegistryError::Content { host: host.clone(), what: what.clone(), reason };
    match response.status {
        200 => {}
        400 | 401 | 403 => {
            return Err(denied(scope, asking, &why_refused(response, asking.credential)));
        }
        status => return Err(RegistryError::Answer { host, status, what, message: String::new() }),
    }
    let bytes = response.bytes(MAX_TOKEN_BYTES).map_err(|error| content(error.to_string()))?;
    let bytes = bytes.ok_or_else(|| RegistryError::TooLong {
        host: host.clone(),
        what: what.clone(),
        most: MAX_TOKEN_BYTES,
    })?;
    // The parser's message could repeat the content.
    let answer: Answer = serde_json::from_slice(&bytes).map_err(|_| content("invalid answer".to_owned()))?;
    let is_token = |token: &String| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    let token = answer.token.or(answer.access_token).filter(is_token);
    let token = token.ok_or_else(|| content("missing in the answer".to_owned()))?;
    let life = answer.expires_in.map_or(DEFAULT_LIFE, Duration::from_secs).max(DEFAULT_LIFE);
    debug!(target: "credentials", %realm, ?scopes, ?life, "token received");
    let until = asking.now.checked_add(life.saturating_sub(MARGIN));
    Ok(Kept { authorization: Secret::new(format!("Bearer {token}")), until })
}

/// Returns `true` if a token may be fetched there. A credential is sent over https; over plain http only to a registry
/// on this machine that is itself the token server. Another port of this machine may be used over plain http without a
/// credential.
fn is_safe_realm(realm: &Address, asking: &Asking<'_>) -> bool {
    let shows_credential = asking.credential.is_some_and(|found| !matches!(found.credential, Credential::Withheld));
    let is_local = asking.registry.is_loopback() && realm.is_loopback();
    realm.is_secure() || (is_local && (!shows_credential || realm.is_same_server(asking.registry)))
}

/// A token server's reason for a refusal (RFC 6749 section 5.2, and the errors of the distribution specification).
#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    error: String,
    error_description: String,
    details: String,
    errors: Vec<RefusalError>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RefusalError {
    message: String,
}

/// Describes a token server's refusal; calls the credential wrong only if the server says so.
fn why_refused(response: Response, credential: Option<&Found>) -> String {
    let (host, status) = (response.address.host().to_owned(), response.status);
    let bytes = response.bytes(MAX_REFUSAL_BYTES).ok().flatten().unwrap_or_default();
    let refusal: Refusal = serde_json::from_slice(&bytes).unwrap_or_default();
    if refusal.error == "invalid_grant" {
        return format!("{host} answers that the credential is wrong or expired");
    }
    let first = refusal.errors.into_iter().map(|error| error.message);
    let said = [refusal.error_description, refusal.details, refusal.error].into_iter().chain(first);
    let said = said.map(|text| text.trim().to_owned()).find(|text| !text.is_empty());
    // A server may repeat the credential.
    let said = said.filter(|text| credential.is_none_or(|found| !found.credential.is_in(text)));
    let said: String = said.unwrap_or_default().chars().take(MAX_REFUSAL_SHOWN).collect();
    let answer = format!("{host} answers {status} to the request for a token");
    if said.is_empty() { answer } else { format!("{answer}: {said}") }
}

/// Returns our scope, and further ones that the registry requires.
fn scopes(challenge: &Challenge, scope: &Scope) -> Vec<String> {
    let mut scopes: Vec<String> = scope.texts().collect();
    for asked in challenge.parameter("scope").unwrap_or_default().split_whitespace() {
        if !scopes.iter().any(|known| known == asked) {
            scopes.push(asked.to_owned());
        }
    }
    scopes
}

fn send(realm: &Address, service: &str, scopes: &[String], asking: &Asking<'_>) -> Result<Response, RegistryError> {
    let http = (asking.http)(realm)?;
    let request = || match asking.credential.map(|found| &found.credential) {
        Some(Credential::IdentityToken(token)) => {
            // A form is encoded like a query without a question mark.
            let fields = [("grant_type", "refresh_token"), ("client_id", "nixdive"), ("service", service)];
            let start = Address::new(true, "form", "/");
            let form = fields.iter().fold(start, |form, (name, value)| form.with_parameter(name, value));
            let form = form.with_parameter("scope", &scopes.join(" ")).with_parameter("refresh_token", token.reveal());
            let form = form.url().split_once('?').map(|(_, form)| form.to_owned()).unwrap_or_default();
            Request {
                headers: vec![("content-type", "application/x-www-form-urlencoded".to_owned())],
                body: Body::Bytes(form.into_bytes()),
                ..Request::new(Method::Post, realm.clone())
            }
        }
        credential => {
            let address = if service.is_empty() { realm.clone() } else { realm.with_parameter("service", service) };
            let address = scopes.iter().fold(address, |address, scope| address.with_parameter("scope", scope));
            let authorization = match credential {
                Some(Credential::Password { user, password }) => Some(pair(user, password)),
                _ => None,
            };
            Request { authorization, ..Request::new(Method::Get, address) }
        }
    };
    let options = http.options();
    Ok(options.patience.run(options, &mut || http.send(request()))?)
}
