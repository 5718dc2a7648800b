//! Credentials for registries: the stored logins of Docker and podman (`containers-auth.json(5)`, docker's
//! `config.json`, `docker-credential-helpers`).

mod file;
mod helper;

use std::path::PathBuf;

use super::{Environment, RegistryError};
use crate::http::{Secret, base64};
use nixdive_image::execution::Permission;
use nixdive_image::reference::ImageName;

/// A credential for a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// A user name and a password.
    Password {
        /// The user name.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A refresh token (OAuth 2), which is exchanged for access tokens.
    IdentityToken(Secret),
    /// A token that is sent unchanged.
    RegistryToken(Secret),
    /// A helper keeps one, but must not be started: nothing is sent.
    Withheld,
}

impl Credential {
    /// The kind of credential, a word for the log.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Password { .. } => "password",
            Self::IdentityToken(_) => "identity token",
            Self::RegistryToken(_) => "registry token",
            Self::Withheld => "withheld",
        }
    }

    /// Returns `true` if a text contains the secret, plain or in the encoding in which it is sent.
    pub(super) fn is_in(&self, text: &str) -> bool {
        let secrets = match self {
            Self::Password { user, password } => {
                vec![password.reveal().to_owned(), base64(format!("{user}:{}", password.reveal()).as_bytes())]
            }
            Self::IdentityToken(token) | Self::RegistryToken(token) => vec![token.reveal().to_owned()],
            Self::Withheld => Vec::new(),
        };
        secrets.iter().any(|secret| !secret.is_empty() && text.contains(secret.as_str()))
    }
}

/// A credential with a description of its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The credential.
    pub credential: Credential,
    /// Source, as the rest of "the credential is from …".
    pub source: String,
}

/// Key under which Docker stores credentials for its own registry.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";

/// Returns the credential for an image, or `None` if there is none; public images need none.
///
/// # Errors
/// If `authfile`, which the user requested, cannot be read. Other unreadable files count as missing.
pub fn find(
    environment: &Environment,
    authfile: Option<&PathBuf>,
    name: &ImageName,
    execution: Permission,
) -> Result<Option<Found>, RegistryError> {
    if let Some(file) = authfile {
        return file::look_up(file, name, environment.path.as_deref(), execution);
    }
    if let Some(file) = environment.authfile.as_ref() {
        return Ok(file::look_up(file, name, environment.path.as_deref(), execution).unwrap_or_default());
    }
    let below = |base: &Option<PathBuf>, path: &str| base.as_ref().map(|base| base.join(path));
    let files = [
        below(&environment.runtime, "containers/auth.json"),
        below(&environment.config, "containers/auth.json"),
        below(&environment.docker, "config.json"),
        below(&environment.home, ".docker/config.json"),
    ];
    let found = |file: PathBuf| file::look_up(&file, name, environment.path.as_deref(), execution).ok().flatten();
    let mut withheld = None;
    for found in files.into_iter().flatten().filter_map(found) {
        if found.credential != Credential::Withheld {
            return Ok(Some(found));
        }
        withheld.get_or_insert(found);
    }
    Ok(withheld)
}

/// Looks up an image in the bytes of a file, without its helpers.
pub(crate) fn look_up_in(bytes: &[u8], name: &ImageName) -> Option<Found> {
    let refused = Permission::refused("a fuzz target starts no program");
    file::look_up_in(bytes, std::path::Path::new("auth.json"), name, None, refused).ok().flatten()
}

/// Returns the keys under which a credential may be stored, the most specific first.
fn keys(name: &ImageName) -> Vec<String> {
    let host = name.host();
    let hosts: &[&str] =
        if host == "docker.io" { &["docker.io", "index.docker.io", "registry-1.docker.io"] } else { &[host] };
    let repository = name.repository();
    let mut keys = Vec::new();
    for host in hosts {
        let mut path = repository.as_str();
        loop {
            keys.push(format!("{host}/{path}"));
            match path.rsplit_once('/') {
                Some((above, _)) => path = above,
                None => break,
            }
        }
    }
    for host in hosts {
        keys.extend([
            (*host).to_owned(),
            format!("https://{host}"),
            format!("https://{host}/v1/"),
            format!("https://{host}/v2/"),
        ]);
        keys.extend([format!("http://{host}"), format!("https://{host}/")]);
    }
    keys
}

#[cfg(test)]
mod tests;
