//! Documents and blobs by digest, in containers and registries.

use std::cell::RefCell;
use std::sync::Arc;

use super::blob::{Missing, RemoteBlob};
use super::{BlobSource, TransferError, Verification};
use nixdive_image::Digest;
use nixdive_scan::{Section, Verifier};
use nixdive_source::formats::{Container, Naming, SourceError};
use nixdive_source::open::Remote;
use nixdive_source::registry::{MAX_MANIFEST_BYTES, RegistryError, Repository};

/// Container whose parts are verified against their digests.
pub(super) struct Shelf<'a> {
    pub container: &'a dyn Container,
    pub naming: Naming,
    /// Registry behind the container, if any.
    pub remote: Option<(&'a Repository, &'a Remote)>,
    pub reference: &'a str,
    pub verification: &'a Verification,
}

impl Shelf<'_> {
    /// Reads a manifest or an index.
    pub fn manifest(&self, digest: &Digest) -> Result<Vec<u8>, TransferError> {
        let name = self.naming.manifest(digest);
        let found = self.container.document(&name).map_err(|error| self.failed(error))?;
        // The single manifest of a directory written by skopeo is not named by its digest.
        let alone = || match self.naming {
            Naming::Directory => self.container.document("manifest.json").map_err(|error| self.failed(error)),
            _ => Ok(None),
        };
        let found = found.map_or_else(alone, |bytes| Ok(Some(bytes)))?;
        self.checked("the manifest", digest, found)
    }

    /// Reads a small blob.
    pub fn document(&self, digest: &Digest) -> Result<Vec<u8>, TransferError> {
        let found = self.container.document(&self.naming.blob(digest)).map_err(|error| self.failed(error))?;
        self.checked("the configuration", digest, found)
    }

    fn checked(&self, what: &str, digest: &Digest, found: Option<Vec<u8>>) -> Result<Vec<u8>, TransferError> {
        let missing = || TransferError::part(self.reference, format!("{what} {digest} is missing"));
        let bytes = found.ok_or_else(missing)?;
        let reason = match Verifier::of(digest, &bytes) {
            Some(actual) if actual == *digest => return Ok(bytes),
            Some(actual) => format!("has the wrong digest {actual}"),
            None => format!("cannot be verified: {} is not supported", digest.algorithm()),
        };
        let settled = self.verification.settle(self.reference, format!("{what} {digest} {reason}"));
        settled.map(|()| bytes).map_err(|reason| TransferError::part(self.reference, reason))
    }

    fn failed(&self, error: SourceError) -> TransferError {
        TransferError::Source { reference: self.reference.to_owned(), error: error.into() }
    }

    /// Returns access to a blob. An absent blob is reported when it is read.
    pub fn blob(&self, digest: &Digest, stored_bytes: u64, urls: &[String]) -> Arc<dyn BlobSource> {
        if let Some((repository, remote)) = self.remote {
            return Arc::new(RemoteBlob {
                repository: repository.clone(),
                cache: remote.cache.clone(),
                is_offline: remote.offline,
                digest: digest.clone(),
                stored_bytes,
                urls: urls.to_vec(),
            });
        }
        let name = self.naming.blob(digest);
        let found = self.container.locate(&name).map(|located| self.container.blob(&located));
        match found {
            Some(Ok(Some(section))) => Arc::new(section),
            Some(Err(error)) => Arc::new(Missing(error.to_string())),
            _ => Arc::new(Missing(format!("the blob {digest} is not in {}", self.reference))),
        }
    }
}

/// Documents of a repository, as `manifests/DIGEST` and `blobs/DIGEST`.
pub(super) struct RemoteContainer<'a> {
    pub repository: &'a Repository,
    pub remote: &'a Remote,
}

impl Container for RemoteContainer<'_> {
    fn locate(&self, name: &str) -> Option<String> {
        Some(name.to_owned())
    }

    fn document(&self, name: &str) -> Result<Option<Vec<u8>>, SourceError> {
        let parts = name.split_once('/').and_then(|(kind, rest)| Some((kind, Digest::parse(rest)?)));
        let Some((kind, digest)) = parts else { return Ok(None) };
        let cache = self.remote.cache.as_ref();
        if let Some(kept) = cache.and_then(|cache| cache.document(&digest, MAX_MANIFEST_BYTES)) {
            return Ok(Some(kept));
        }
        let fetched = match kind {
            _ if self.remote.offline => {
                Err(RegistryError::Offline(format!("{}@{digest}", self.repository.name().without_tag())))
            }
            "manifests" => self.repository.manifest(digest.as_str()).map(|manifest| manifest.bytes),
            _ => self.repository.small_blob(&digest, MAX_MANIFEST_BYTES),
        };
        let bytes = fetched.map_err(|error| SourceError::Io(std::io::Error::other(error)))?;
        if let Some(cache) = cache {
            cache.keep_document(&digest, &bytes);
        }
        Ok(Some(bytes))
    }

    fn blob(&self, _: &str) -> Result<Option<Section>, SourceError> {
        Ok(None)
    }
}

/// Container that records the documents read from it, to find the configuration byte for byte.
pub(super) struct Recording<'a> {
    pub inner: &'a dyn Container,
    documents: RefCell<Vec<Vec<u8>>>,
}

impl<'a> Recording<'a> {
    pub fn new(inner: &'a dyn Container) -> Self {
        Self { inner, documents: RefCell::default() }
    }

    /// Returns the document with this digest.
    pub fn find(&self, digest: &Digest) -> Option<Vec<u8>> {
        let documents = self.documents.borrow();
        documents.iter().find(|bytes| Verifier::of(digest, bytes).as_ref() == Some(digest)).cloned()
    }
}

impl Container for Recording<'_> {
    /// A missing blob may be present at the destination, so it is reported only when it is read.
    fn locate(&self, name: &str) -> Option<String> {
        let is_blob =
            name.starts_with("blobs/") || (name.len() >= 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit()));
        self.inner.locate(name).or_else(|| is_blob.then(|| name.to_owned()))
    }

    fn document(&self, name: &str) -> Result<Option<Vec<u8>>, SourceError> {
        let found = self.inner.document(name)?;
        if let Some(bytes) = &found {
            self.documents.borrow_mut().push(bytes.clone());
        }
        Ok(found)
    }

    fn blob(&self, located: &str) -> Result<Option<Section>, SourceError> {
        self.inner.blob(located)
    }
}
