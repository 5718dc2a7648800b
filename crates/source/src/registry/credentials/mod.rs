//! Who to be for a registry: what Docker and podman have kept of logins (`containers-auth.json(5)`, docker's
//! `config.json`, `docker-credential-helpers`).

mod file;
mod helper;

use std::path::PathBuf;

use super::{Environment, RegistryError};
use crate::http::{Secret, base64};
use nixdive_image::execution::Permission;
use nixdive_image::reference::ImageName;

/// Who to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// A name and a password.
    Password {
        /// The name.
        user: String,
        /// The password.
        password: Secret,
    },
    /// What is exchanged for tokens (OAuth 2's refresh token).
    IdentityToken(Secret),
    /// A token that is shown as it is.
    RegistryToken(Secret),
    /// A helper keeps one and may not be started: nothing is shown.
    Withheld,
}

impl Credential {
    /// Whether a text contains the secret, as it is or encoded as it is sent.
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

/// A credential, and where it came from in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Who to be.
    pub credential: Credential,
    /// As in «the credential is from …».
    pub source: String,
}

/// The key under which Docker keeps what belongs to its own registry.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";

/// The credential for an image; `None`: none is known, and all that is public can be had without.
///
/// # Errors
/// When `authfile`, which was asked for, cannot be read. Other files that cannot be read count as missing.
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

/// The keys under which a credential may be kept, the one that says most first.
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
