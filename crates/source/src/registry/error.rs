use std::path::PathBuf;

use crate::http::HttpError;
use nixdive_base::text::display_in_sentence as shown;
use nixdive_image::Digest;

/// Why something cannot be had from a registry. Says where a credential came from, never what it is.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RegistryError {
    /// The way there.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// It does not let us.
    #[error("{host} refuses access to {repository}: {}{}", shown(reason), asked_as(.credential.as_deref()))]
    Denied {
        /// Host and port.
        host: String,
        /// The repository there.
        repository: String,
        /// What the registry said.
        reason: String,
        /// Where the credential came from that was shown.
        credential: Option<String>,
    },
    /// The repository has no such tag.
    #[error("{name} has no tag «{}»{}", shown(tag), nearest(.there))]
    NoSuchTag {
        /// Host and repository.
        name: String,
        /// What was asked for.
        tag: String,
        /// Tags that are there, the nearest first.
        there: Vec<String>,
    },
    /// It has no such part.
    #[error("{host} does not have {what}")]
    NotFound {
        /// Host and port.
        host: String,
        /// Which part, of which repository.
        what: String,
    },
    /// It says something that nobody asked.
    #[error("{host} answers {status} to the request for {what}{}", said(.message))]
    Answer {
        /// Host and port.
        host: String,
        /// RFC 9110 section 15.
        status: u16,
        /// What was asked for.
        what: String,
        /// What the registry said.
        message: String,
    },
    /// What it sent is not what it should be.
    #[error("{host}: {what}: {}", shown(reason))]
    Content {
        /// Host and port.
        host: String,
        /// Which part.
        what: String,
        /// What is wrong.
        reason: String,
    },
    /// The bytes have another digest.
    #[error("{host}: {what} should have the digest {stated}, the bytes have {actual}")]
    Digest {
        /// Host and port.
        host: String,
        /// Which part.
        what: String,
        /// What was asked for.
        stated: Digest,
        /// What came.
        actual: Digest,
    },
    /// More bytes than any real one has.
    #[error("{host}: {what} has more than {most} bytes, which is refused")]
    TooLong {
        /// Host and port.
        host: String,
        /// Which part.
        what: String,
        /// What is accepted, bytes.
        most: u64,
    },
    /// An image of the first manifest format, which has neither digests nor sizes of its layers.
    #[error(
        "{0} has a manifest of Docker's schema 1, which is not supported; push the image again with a newer client"
    )]
    Schema1(String),
    /// A realm that a credential must not go to.
    #[error("{host} sends to {realm} for a token, which is not https; no credential is shown there")]
    UnsafeRealm {
        /// Host and port.
        host: String,
        /// Where.
        realm: String,
    },
    /// `registries.conf` forbids it.
    #[error("{name}: {file} blocks this registry")]
    Blocked {
        /// The image.
        name: String,
        /// Which file says so.
        file: String,
    },
    /// A name without a host, which several registries may have.
    #[error("{name} is short for several images; say which:{}", list(.candidates))]
    ShortName {
        /// As typed.
        name: String,
        /// What it may be.
        candidates: Vec<String>,
    },
    /// A file that says how registries are reached.
    #[error("{}: {reason}", shown(&.file.display().to_string()))]
    File {
        /// Which.
        file: PathBuf,
        /// What is wrong; not what is in it.
        reason: String,
    },
    /// It does not take what is pushed.
    #[error("{host} does not take {what}: it answers {status}{}{}", said(.message), advised(.advice))]
    Push {
        /// Host and port.
        host: String,
        /// What was being pushed, and where to.
        what: String,
        /// RFC 9110 section 15.
        status: u16,
        /// What the registry said.
        message: String,
        /// What may be done; empty where nobody knows.
        advice: &'static str,
    },
    /// A manifest names blobs that the registry does not have, whatever it said before.
    #[error("{host} misses parts of {what}, although they were sent{}; try again, or ask who runs it", said(.message))]
    MissingParts {
        /// Host and port.
        host: String,
        /// Which manifest.
        what: String,
        /// What the registry said.
        message: String,
    },
    /// What is pushed cannot be read.
    #[error("{what} cannot be read: {reason}")]
    Unreadable {
        /// Which part.
        what: String,
        /// What the system said.
        reason: String,
    },
    /// Nothing may be asked, and it is not in the cache.
    #[error("{0} is not in the cache, and --offline allows no download")]
    Offline(String),
}

impl RegistryError {
    /// The same of a blob for which the manifest gives URLs that were not asked.
    #[must_use]
    pub(super) fn with_foreign_urls(self) -> Self {
        const HINT: &str = "the manifest gives other URLs for it, which --allow-foreign-urls fetches";
        match self {
            Self::NotFound { host, what } => Self::NotFound { host, what: format!("{what}; {HINT}") },
            Self::Denied { host, repository, reason, credential } => {
                Self::Denied { host, repository, reason: format!("{reason}; {HINT}"), credential }
            }
            other => other,
        }
    }

    /// Whether another registry may have what this one has not, or does not give.
    #[must_use]
    pub fn is_of_this_place(&self) -> bool {
        !matches!(self, Self::Http(HttpError::Cancelled) | Self::Schema1(_) | Self::Offline(_))
    }
}

fn asked_as(credential: Option<&str>) -> String {
    match credential {
        Some(source) => format!("; the credential is {source}"),
        None => {
            "; no credential is known for it: log in with podman or docker, or give --creds or --authfile".to_owned()
        }
    }
}

fn nearest(there: &[String]) -> String {
    if there.is_empty() {
        return String::new();
    }
    let names: Vec<String> = there.iter().map(|tag| shown(tag)).collect();
    format!("; there is {}", names.join(", "))
}

fn said(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {}", shown(message)) }
}

fn advised(advice: &str) -> String {
    if advice.is_empty() { String::new() } else { format!("; {advice}") }
}

fn list(items: &[String]) -> String {
    items.iter().map(|item| format!("\n  {}", shown(item))).collect()
}
