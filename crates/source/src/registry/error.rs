use std::path::PathBuf;

use crate::http::HttpError;
use nixdive_base::text::display_in_sentence as shown;
use nixdive_image::Digest;

/// Reason why a registry request failed. Names the source of a credential, never its content.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RegistryError {
    /// The HTTP exchange failed.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The registry denies access.
    #[error("{host} refuses access to {repository}: {}{}", shown(reason), asked_as(.credential.as_deref()))]
    Denied {
        /// Host and port.
        host: String,
        /// The repository.
        repository: String,
        /// The registry's message.
        reason: String,
        /// Source of the credential that was sent.
        credential: Option<String>,
    },
    /// The repository does not have the tag.
    #[error("{name} has no tag `{}`{}", shown(tag), nearest(.there))]
    NoSuchTag {
        /// Host and repository.
        name: String,
        /// The requested tag.
        tag: String,
        /// Existing tags, the most similar first.
        there: Vec<String>,
    },
    /// The registry does not have a part.
    #[error("{host} does not have {what}")]
    NotFound {
        /// Host and port.
        host: String,
        /// The part, and its repository.
        what: String,
    },
    /// The registry answers with an unexpected status.
    #[error("{host} answers {status} to the request for {what}{}", said(.message))]
    Answer {
        /// Host and port.
        host: String,
        /// Status code (RFC 9110, section 15).
        status: u16,
        /// The requested item.
        what: String,
        /// The registry's message.
        message: String,
    },
    /// The registry sent invalid content.
    #[error("{host}: {what}: {}", shown(reason))]
    Content {
        /// Host and port.
        host: String,
        /// The part.
        what: String,
        /// The reason.
        reason: String,
    },
    /// The bytes have another digest.
    #[error("{host}: {what} should have the digest {stated}, but has {actual}")]
    Digest {
        /// Host and port.
        host: String,
        /// The part.
        what: String,
        /// The expected digest.
        stated: Digest,
        /// The actual digest.
        actual: Digest,
    },
    /// More bytes than any real document.
    #[error("{host}: {what} has more than {most} bytes, the maximum")]
    TooLong {
        /// Host and port.
        host: String,
        /// The part.
        what: String,
        /// Maximum length in bytes.
        most: u64,
    },
    /// An image with a manifest of schema 1, which lacks digests and sizes of layers.
    #[error("{0}: Docker schema 1 manifests are not supported; push the image again with a newer client")]
    Schema1(String),
    /// A token server that must not receive a credential.
    #[error("{host} refers to {realm} for a token, which is not https; no credential is sent there")]
    UnsafeRealm {
        /// Host and port.
        host: String,
        /// The token server.
        realm: String,
    },
    /// `registries.conf` blocks the registry.
    #[error("{name}: {file} blocks this registry")]
    Blocked {
        /// The image.
        name: String,
        /// The file that blocks it.
        file: String,
    },
    /// A name without a host that several registries may have.
    #[error("{name} is ambiguous; use one of:{}", list(.candidates))]
    ShortName {
        /// As typed.
        name: String,
        /// Possible full names.
        candidates: Vec<String>,
    },
    /// A configuration file is invalid.
    #[error("{}: {reason}", shown(&.file.display().to_string()))]
    File {
        /// The file.
        file: PathBuf,
        /// The reason, without the file's content.
        reason: String,
    },
    /// The registry rejects a push.
    #[error("{host} rejected {what}: status {status}{}{}", said(.message), advised(.advice))]
    Push {
        /// Host and port.
        host: String,
        /// The pushed part, and its destination.
        what: String,
        /// Status code (RFC 9110, section 15).
        status: u16,
        /// The registry's message.
        message: String,
        /// Advice; empty if there is none.
        advice: &'static str,
    },
    /// The registry rejects a manifest because blobs are missing that it had accepted.
    #[error("{host} reports missing parts of {what}, although they were sent{}; try again, or ask its operator", said(.message))]
    MissingParts {
        /// Host and port.
        host: String,
        /// The manifest.
        what: String,
        /// The registry's message.
        message: String,
    },
    /// The pushed content cannot be read.
    #[error("{what} cannot be read: {reason}")]
    Unreadable {
        /// The part.
        what: String,
        /// The system's error.
        reason: String,
    },
    /// Downloads are not allowed, and the part is not cached.
    #[error("{0} is not in the cache, and --offline forbids downloads")]
    Offline(String),
}

impl RegistryError {
    /// Adds a hint if the manifest of a blob contains URLs that were not tried.
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

    /// Returns `true` if another registry may provide what this one does not.
    #[must_use]
    pub fn is_of_this_place(&self) -> bool {
        !matches!(self, Self::Http(HttpError::Cancelled) | Self::Schema1(_) | Self::Offline(_))
    }
}

fn asked_as(credential: Option<&str>) -> String {
    match credential {
        Some(source) => format!("; the credential is {source}"),
        None => {
            "; no credential is known for it: log in with podman or docker, or use --creds or --authfile".to_owned()
        }
    }
}

fn nearest(there: &[String]) -> String {
    if there.is_empty() {
        return String::new();
    }
    let names: Vec<String> = there.iter().map(|tag| shown(tag)).collect();
    format!("; nearest: {}", names.join(", "))
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
