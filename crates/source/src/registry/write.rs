//! What writing to a registry takes besides the blobs themselves: whether one is there, mounting one of another
//! repository, manifests ("Pushing" in the OCI distribution specification).

use super::repository::{Call, Sending, Target};
use super::upload::Session;
use super::{Place, RegistryError, Repository, Verifier};
use crate::http::{Body, Method, Response};
use nixdive_image::Digest;

/// What pushing needs to be allowed.
pub(super) const ACTIONS: &str = "pull,push";

/// What became of the wish to mount a blob.
#[derive(Debug)]
pub enum Mounted {
    /// It is there.
    Done,
    /// It is not; the registry has begun an upload instead.
    Session(Session),
    /// It is not; an upload is to be begun.
    Refused,
}

impl Repository {
    /// The length in bytes of a blob that is there; `None` where it is not, or the registry does not say.
    ///
    /// # Errors
    /// [`RegistryError`] of the way there, and of a server that fails.
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

    /// Has a blob of another repository of the same registry counted to this one. The registry may not know how, or
    /// may not allow it, which is no error.
    ///
    /// # Errors
    /// [`RegistryError`] of the way there.
    pub fn mount(&self, digest: &Digest, from: &str) -> Result<Mounted, RegistryError> {
        // Repositories and digests have no letters that a query would need escaped.
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

    /// Puts a manifest or an index under a tag or its digest. All that it names has to be there.
    ///
    /// # Errors
    /// [`RegistryError::MissingParts`] where it is not, [`RegistryError::Digest`] where the registry takes it for
    /// another, and those of the way there.
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

    /// What an answer means that is no success, and what may be done.
    pub(super) fn refused(&self, place: &Place, call: &Call<'_>, response: Response) -> RegistryError {
        let status = response.status;
        match self.failure(place, call, response) {
            RegistryError::Denied { host, repository, reason, credential } => {
                let reason = format!("{reason}; pushing needs the right to write there");
                RegistryError::Denied { host, repository, reason, credential }
            }
            RegistryError::NotFound { host, what } if call.method != Method::Put => RegistryError::Push {
                host,
                what,
                status,
                message: String::new(),
                advice: "some registries want a repository to be made before anything is pushed to it",
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

/// Codes of the distribution specification for what a manifest names and the registry has not.
fn is_missing(message: &str) -> bool {
    ["MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN"].iter().any(|code| message.starts_with(code))
}

fn advice(status: u16, message: &str) -> &'static str {
    match status {
        400 if message.starts_with("DIGEST_INVALID") => {
            "it found another digest: what was read has changed, or was changed on the way"
        }
        400 if message.starts_with("TAG_INVALID") => "the tag may be protected",
        405 => "it takes nothing: it may be read-only, or stand before another registry",
        409 => "the tag may be there and not to be replaced",
        413 => "it is larger than the registry, or what stands before it, accepts",
        429 | 507 => "a quota may be used up, or its disk full",
        500..600 => "the fault is the registry's; try again later",
        _ => "",
    }
}

fn sha2_of(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).into()
}
