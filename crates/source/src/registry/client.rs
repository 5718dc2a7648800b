use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hashbrown::HashMap;

use super::credentials::{self, Credential, Found};
use super::tokens::{Asking, Tokens};
use super::{Challenge, Configuration, Environment, Place, RegistryError, Repository, Scope, certificates};
use crate::http::{Address, Http, HttpError, HttpOptions, Secret};
use nixdive_image::execution::Permission;
use nixdive_image::reference::ImageName;

/// A name and a password that were typed: `--creds`.
pub type Login = (String, Secret);

/// How registries are reached, as asked for on the command line and by the environment.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// `--authfile`.
    pub authfile: Option<PathBuf>,
    /// `--creds`.
    pub login: Option<Login>,
    /// `--cert-dir`.
    pub certificates: Option<PathBuf>,
    /// `--tls-verify`: whether certificates are checked and plain http is refused; by the configuration where not given.
    pub verify_tls: Option<bool>,
    /// Whether layers that the registry does not have are fetched from the URLs in the manifest.
    pub foreign_urls: bool,
    /// Whether credential helpers may be started.
    pub execution: Permission,
    /// Where files lie.
    pub environment: Environment,
}

/// The way to all registries, with what was learnt of them in this run. Shared by all threads.
pub struct Registries {
    settings: Settings,
    configuration: Configuration,
    options: HttpOptions,
    ways: Mutex<HashMap<(String, bool), Arc<Http>>>,
    /// Whether a host speaks TLS, once that is known.
    secure: Mutex<HashMap<String, bool>>,
    tokens: Tokens,
}

impl Registries {
    /// Reads `registries.conf`; connects to nothing.
    ///
    /// # Errors
    /// [`RegistryError::File`].
    pub fn new(settings: Settings, options: HttpOptions) -> Result<Self, RegistryError> {
        let configuration = Configuration::read(&settings.environment)?;
        Ok(Self {
            settings,
            configuration,
            options,
            ways: Mutex::default(),
            secure: Mutex::default(),
            tokens: Tokens::default(),
        })
    }

    /// Whether layers that the registry does not have are fetched from the URLs in the manifest.
    #[must_use]
    pub fn may_fetch_foreign_urls(&self) -> bool {
        self.settings.foreign_urls
    }

    /// How servers are spoken to.
    #[must_use]
    pub fn options(&self) -> &HttpOptions {
        &self.options
    }

    /// What a name without a host means.
    ///
    /// # Errors
    /// [`RegistryError::ShortName`].
    pub fn complete(&self, name: &ImageName) -> Result<ImageName, RegistryError> {
        self.configuration.complete(name)
    }

    /// The repository of an image, at all places where it can be had.
    ///
    /// # Errors
    /// [`RegistryError::Blocked`].
    pub fn repository(self: &Arc<Self>, name: &ImageName) -> Result<Repository, RegistryError> {
        let mut places = self.configuration.places(name)?;
        if let Some(verify) = self.settings.verify_tls {
            places.iter_mut().for_each(|place| place.insecure = !verify);
        }
        Ok(Repository::new(Arc::clone(self), name.clone(), places))
    }

    /// The way to a server. `insecure`: it need not prove who it is.
    pub(super) fn way(&self, address: &Address, insecure: bool) -> Result<Arc<Http>, RegistryError> {
        let key = (address.host().to_owned(), insecure);
        let mut ways = lock(&self.ways);
        if let Some(known) = ways.get(&key) {
            return Ok(Arc::clone(known));
        }
        let mut trust =
            certificates::trust(&self.settings.environment, self.settings.certificates.as_deref(), address.host())?;
        trust.anybody = insecure;
        let tls = |error: io::Error| HttpError::Tls { host: address.host().to_owned(), reason: error.to_string() };
        let http = Arc::new(Http::over_network(&trust, self.options.clone()).map_err(tls)?);
        ways.insert(key, Arc::clone(&http));
        Ok(http)
    }

    /// The host of a place as an address: https, unless plain http is allowed and all that it speaks.
    pub(super) fn address_of(&self, place: &Place, target: &str) -> Address {
        let host = host_to_connect(place.name.host());
        let secure = lock(&self.secure).get(host).copied().unwrap_or(true);
        Address::new(secure, host, target)
    }

    /// Notes that a host speaks plain http, where that is allowed; whether to try again.
    pub(super) fn fall_back(&self, address: &Address, place: &Place, error: &HttpError) -> bool {
        let allowed = self.may_speak_plainly(address, place) && self.settings.verify_tls != Some(true);
        let speaks_no_tls = match error {
            HttpError::Tls { reason, .. } => !reason.contains("certificate"),
            HttpError::Unreachable { .. } | HttpError::Protocol { .. } => true,
            _ => false,
        };
        let fall_back = allowed && speaks_no_tls;
        if fall_back {
            lock(&self.secure).insert(address.host().to_owned(), false);
        }
        fall_back
    }

    /// Whether a host that was asked over TLS may turn out to speak plain http: never once it has answered over TLS.
    pub(super) fn may_speak_plainly(&self, address: &Address, place: &Place) -> bool {
        let has_answered = lock(&self.secure).get(address.host()) == Some(&true);
        address.is_secure() && !has_answered && (place.insecure || address.is_loopback())
    }

    /// Notes how a host has answered.
    pub(super) fn note_answer(&self, address: &Address) {
        lock(&self.secure).entry_ref(address.host()).or_insert(address.is_secure());
    }

    /// What was shown with success before.
    pub(super) fn known_authorization(&self, scope: &Scope) -> Option<Secret> {
        self.tokens.known(scope, self.options.clock.now())
    }

    /// Does what challenges ask for.
    pub(super) fn authorize(
        &self,
        place: &Place,
        address: &Address,
        challenges: &[Challenge],
        scope: &Scope,
        refused: Option<&Secret>,
    ) -> Result<Secret, RegistryError> {
        let credential = self.credential(&place.name)?;
        let asking = Asking {
            http: &|address| self.way(address, place.insecure),
            credential: credential.as_ref(),
            registry: address,
            now: self.options.clock.now(),
        };
        self.tokens.answer(challenges, scope, refused, &asking)
    }

    /// Who to be for an image.
    pub(super) fn credential(&self, name: &ImageName) -> Result<Option<Found>, RegistryError> {
        if let Some((user, password)) = &self.settings.login {
            let credential = Credential::Password { user: user.clone(), password: password.clone() };
            return Ok(Some(Found { credential, source: "the one given with --creds".to_owned() }));
        }
        credentials::find(&self.settings.environment, self.settings.authfile.as_ref(), name, self.settings.execution)
    }
}

impl std::fmt::Debug for Registries {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Registries").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Docker's registry has another name on the network.
fn host_to_connect(host: &str) -> &str {
    if host == "docker.io" { "registry-1.docker.io" } else { host }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
