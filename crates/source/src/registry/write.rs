//! Writing to a registry, except for blob content: checking for blobs, mounting blobs of other repositories, and
//! manifests ("Pushing" in the OCI distribution specification).

use super::repository::{Call, Sending, Target};
use super::upload::Session;
use super::{Place, RegistryError, Repository, Verifier};
use crate::http::{Body, Method, Response};
use nixdive_image::Digest;

/// Actions that a push requires.
pub(super) const ACTIONS: &str = "pull,push";

/// Result of an attempt to mount a blob.
#[derive(Debug)]
pub enum Mounted {
    /// The blob is mounted.
    Done,
    /// The blob is not mounted; the registry has started an upload instead.
    Session(Session),
    /// The blob is not mounted; an upload has to be started.
    Refused,
}

impl Repository {
    /// Returns the length of an existing blob in bytes, or `None` if it is missing or the registry does not state it.
    ///
    /// # Errors
    /// [`RegistryError`] if the connection or the server fails.
    pub fn has_blob(&self, digest: &Digest) -> Result<Option<u64>, RegistryError> {
        let path = format!("blobs/{digest}");
        let call = self.push_call(Method::Head, Target::Path(&path), &|| Body::None, format!("the blob {digest}"));
        let response = self.write(&call)?;
        match response.status {
            200..300 => Ok(response.content_length),
            300..500 => Ok(None),
            _ => Err(self.refused(self.own_place()?, &call, response)),
        }
    }

    /// Mounts a blob of another repository of the same registry. A registry may not support or allow it, which is not
    /// an error.
    ///
    /// # Errors
    /// [`RegistryError`] if the connection fails.
    pub fn mount(&self, digest: &Digest, from: &str) -> Result<Mounted, RegistryError> {
        // Names of repositories and digests contain no characters that need escaping in a query.
        let path = format!("blobs/uploads/?mount={digest}&from={from}");
        let call = self.push_call(Method::Post, Target::Path(&path), &|| Body::None, format!("the blob {digest}"));
        let sending = Sending { mount_from: Some(from), is_once: false };
        match self.send(self.own_place()?, &call, sending) {
            Ok(response) if response.status == 201 => Ok(Mounted::Done),
            Ok(response) if response.status == 202 => {
                Ok(Session::of(&response).map_or(Mounted::Refused, Mounted::Session))
            }
            Ok(_) | Err(RegistryError::Denied { .. }) => Ok(Mounted::Refused),
            Err(error) => Err(error),
        }
    }

    /// Uploads a manifest or an index under a tag or its digest. Everything that it refers to must exist.
    ///
    /// # Errors
    /// [`RegistryError::MissingParts`] if something is missing, [`RegistryError::Digest`] if the registry computes
    /// another digest, or if the connection fails.
    pub fn put_manifest(&self, reference: &str, media_type: &str, bytes: &[u8]) -> Result<Digest, RegistryError> {
        let what = format!("the manifest {reference}");
        let path = format!("manifests/{reference}");
        let body = || Body::Bytes(bytes.to_vec());
        let mut call = self.push_call(Method::Put, Target::Path(&path), &body, what);
        call.headers.push(("content-type", media_type.to_owned()));
        let place = self.own_place()?;
        let response = self.send(place, &call, Sending::default())?;
        if !(200..300).contains(&response.status) {
            return Err(self.refused(place, &call, response));
        }
        let own = Digest::from_sha256(&sha2_of(bytes));
        let stated = response.header("docker-content-digest").and_then(Digest::parse).filter(Digest::is_verifiable);
        let stated = stated.or_else(|| Digest::parse(reference)).unwrap_or_else(|| own.clone());
        match Verifier::of(&stated, bytes).filter(|actual| *actual != stated) {
            Some(actual) => {
                Err(RegistryError::Digest { host: place.name.host().to_owned(), what: call.what, stated, actual })
            }
            None => Ok(stated),
        }
    }

    pub(super) fn push_call<'a>(
        &self,
        method: Method,
        target: Target<'a>,
        body: &'a dyn Fn() -> Body,
        what: String,
    ) -> Call<'a> {
        let what = format!("{what} for {}", self.name().repository());
        Call { method, target, headers: Vec::new(), body, actions: ACTIONS, what }
    }

    /// Converts an unsuccessful answer into an error with advice.
    pub(super) fn refused(&self, place: &Place, call: &Call<'_>, response: Response) -> RegistryError {
        let status = response.status;
        match self.failure(place, call, response) {
            RegistryError::Denied { host, repository, reason, credential } => {
                let reason = format!("{reason}; pushing requires permission to write there");
                RegistryError::Denied { host, repository, reason, credential }
            }
            RegistryError::NotFound { host, what } if call.method != Method::Put => RegistryError::Push {
                host,
                what,
                status,
                message: String::new(),
                advice: "on some registries a repository must be created before pushing to it",
            },
            RegistryError::NotFound { host, what } => {
                RegistryError::MissingParts { host, what, message: String::new() }
            }
            RegistryError::Answer { host, what, message, .. } if is_missing(&message) => {
                RegistryError::MissingParts { host, what, message }
            }
            RegistryError::Answer { host, what, message, .. } => {
                let advice = advice(status, &message);
                RegistryError::Push { host, what, status, message, advice }
            }
            other => other,
        }
    }
}

/// Returns `true` for error codes that report missing parts of a manifest.
fn is_missing(message: &str) -> bool {
    ["MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN"].iter().any(|code| message.starts_with(code))
}

fn advice(status: u16, message: &str) -> &'static str {
    match status {
        400 if message.starts_with("DIGEST_INVALID") => {
            "it found another digest: the content changed while it was read or sent"
        }
        400 if message.starts_with("TAG_INVALID") => "the tag may be protected",
        405 => "it does not accept pushes: it may be read-only, or a proxy of another registry",
        409 => "the tag may exist and be immutable",
        413 => "it is larger than the registry, or a proxy before it, accepts",
        429 | 507 => "a quota may be exhausted, or its disk full",
        500..600 => "the registry failed; try again later",
        _ => "",
    }
}

fn sha2_of(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).into()
}
