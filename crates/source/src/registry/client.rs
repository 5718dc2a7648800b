use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hashbrown::HashMap;
use tracing::{debug, info};

use super::credentials::{self, Credential, Found};
use super::tokens::{Asking, Tokens};
use super::{Challenge, Configuration, Environment, Place, RegistryError, Repository, Scope, certificates};
use crate::http::{Address, Http, HttpError, HttpOptions, Secret};
use nixdive_image::execution::Permission;
use nixdive_image::reference::ImageName;

/// A user name and a password: `--creds`.
pub type Login = (String, Secret);

/// Access to registries, as set by the command line and the environment.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// `--authfile`.
    pub authfile: Option<PathBuf>,
    /// `--creds`.
    pub login: Option<Login>,
    /// `--cert-dir`.
    pub certificates: Option<PathBuf>,
    /// `--tls-verify`: true to verify certificates and refuse plain http. Defaults to the configuration.
    pub verify_tls: Option<bool>,
    /// True to fetch layers that the registry does not have from the URLs in the manifest.
    pub foreign_urls: bool,
    /// Permission to start credential helpers.
    pub execution: Permission,
    /// Locations of configuration files.
    pub environment: Environment,
}

/// Client for all registries, with the state of this run. Shared by all threads.
pub struct Registries {
    settings: Settings,
    configuration: Configuration,
    options: HttpOptions,
    ways: Mutex<HashMap<(String, bool), Arc<Http>>>,
    /// True for hosts known to use TLS, false for those known not to.
    secure: Mutex<HashMap<String, bool>>,
    tokens: Tokens,
}

impl Registries {
    /// Reads `registries.conf`; does not connect to anything.
    ///
    /// # Errors
    /// [`RegistryError::File`] if a configuration file is invalid.
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

    /// Returns `true` if layers that the registry does not have are fetched from the URLs in the manifest.
    #[must_use]
    pub fn may_fetch_foreign_urls(&self) -> bool {
        self.settings.foreign_urls
    }

    /// Returns the settings of HTTP exchanges.
    #[must_use]
    pub fn options(&self) -> &HttpOptions {
        &self.options
    }

    /// Completes a name without a host.
    ///
    /// # Errors
    /// [`RegistryError::ShortName`] if the name is ambiguous.
    pub fn complete(&self, name: &ImageName) -> Result<ImageName, RegistryError> {
        self.configuration.complete(name)
    }

    /// Returns the repository of an image, with its mirrors.
    ///
    /// # Errors
    /// [`RegistryError::Blocked`] if the configuration blocks the registry.
    pub fn repository(self: &Arc<Self>, name: &ImageName) -> Result<Repository, RegistryError> {
        let mut places = self.configuration.places(name)?;
        if let Some(verify) = self.settings.verify_tls {
            places.iter_mut().for_each(|place| place.insecure = !verify);
        }
        for place in &places {
            debug!(target: "registry", %name, at = %place.name, insecure = place.insecure, "place");
        }
        Ok(Repository::new(Arc::clone(self), name.clone(), places))
    }

    /// Returns the HTTP client for a server. With `insecure`, certificates are not verified.
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

    /// Returns the address of a place: https, unless plain http is allowed and the host uses only that.
    pub(super) fn address_of(&self, place: &Place, target: &str) -> Address {
        let host = host_to_connect(place.name.host());
        let secure = lock(&self.secure).get(host).copied().unwrap_or(true);
        Address::new(secure, host, target)
    }

    /// Records that a host uses plain http, if that is allowed; returns `true` to try again.
    pub(super) fn fall_back(&self, address: &Address, place: &Place, error: &HttpError) -> bool {
        let allowed = self.may_speak_plainly(address, place) && self.settings.verify_tls != Some(true);
        let speaks_no_tls = match error {
            HttpError::Tls { reason, .. } => !reason.contains("certificate"),
            HttpError::Unreachable { .. } | HttpError::Protocol { .. } => true,
            _ => false,
        };
        let fall_back = allowed && speaks_no_tls;
        if fall_back {
            info!(target: "registry", host = address.host(), "speaks plain http");
            lock(&self.secure).insert(address.host().to_owned(), false);
        }
        fall_back
    }

    /// Returns `true` if a host contacted over TLS may use plain http: never after it has answered over TLS.
    pub(super) fn may_speak_plainly(&self, address: &Address, place: &Place) -> bool {
        let has_answered = lock(&self.secure).get(address.host()) == Some(&true);
        address.is_secure() && !has_answered && (place.insecure || address.is_loopback())
    }

    /// Records the protocol with which a host has answered.
    pub(super) fn note_answer(&self, address: &Address) {
        lock(&self.secure).entry_ref(address.host()).or_insert(address.is_secure());
    }

    /// Returns the authorization that was accepted before.
    pub(super) fn known_authorization(&self, scope: &Scope) -> Option<Secret> {
        self.tokens.known(scope, self.options.clock.now())
    }

    /// Answers authentication challenges.
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

    /// Returns the credential for an image.
    pub(super) fn credential(&self, name: &ImageName) -> Result<Option<Found>, RegistryError> {
        if let Some((user, password)) = &self.settings.login {
            let credential = Credential::Password { user: user.clone(), password: password.clone() };
            debug!(target: "credentials", %name, "given with --creds");
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

/// Returns the network name of a host, which differs for Docker's registry.
fn host_to_connect(host: &str) -> &str {
    if host == "docker.io" { "registry-1.docker.io" } else { host }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
