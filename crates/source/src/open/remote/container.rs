use std::cell::Cell;
use std::io;

use super::Remote;
use crate::cache::Cache;
use crate::formats::{Container, SourceError};
use crate::registry::{MAX_MANIFEST_BYTES, RegistryError, Repository};
use nixdive_image::Digest;
use nixdive_scan::Section;

/// Maximum number of documents fetched to find one image: an index for many platforms that does not name them would
/// otherwise cost one request per image.
const MAX_DOCUMENTS: u32 = 200;

/// The documents of a repository, named `manifests/DIGEST` and `blobs/DIGEST`.
pub(super) struct RemoteContainer<'a> {
    repository: &'a Repository,
    cache: Option<&'a Cache>,
    offline: bool,
    fetched: Cell<u32>,
}

impl<'a> RemoteContainer<'a> {
    pub fn new(repository: &'a Repository, remote: &'a Remote) -> Self {
        Self { repository, cache: remote.cache.as_ref(), offline: remote.offline, fetched: Cell::new(0) }
    }

    fn fetch(&self, kind: &str, digest: &Digest) -> Result<Vec<u8>, RegistryError> {
        if let Some(kept) = self.cache.and_then(|cache| cache.document(digest, MAX_MANIFEST_BYTES)) {
            return Ok(kept);
        }
        if self.offline {
            return Err(RegistryError::Offline(format!("{}@{digest}", self.repository.name().without_tag())));
        }
        let bytes = match kind {
            "manifests" => self.repository.manifest(digest.as_str())?.bytes,
            _ => self.repository.small_blob(digest, MAX_MANIFEST_BYTES)?,
        };
        if let Some(cache) = self.cache {
            cache.keep_document(digest, &bytes);
        }
        Ok(bytes)
    }
}

impl Container for RemoteContainer<'_> {
    fn locate(&self, name: &str) -> Option<String> {
        Some(name.to_owned())
    }

    fn document(&self, name: &str) -> Result<Option<Vec<u8>>, SourceError> {
        let Some((kind, digest)) = name.split_once('/').and_then(|(kind, rest)| Some((kind, Digest::parse(rest)?)))
        else {
            return Ok(None);
        };
        self.fetched.set(self.fetched.get().saturating_add(1));
        if self.fetched.get() > MAX_DOCUMENTS {
            let reason =
                format!("more than {MAX_DOCUMENTS} documents would have to be fetched; choose one by its digest");
            return Err(SourceError::Document { name: name.to_owned(), reason });
        }
        self.fetch(kind, &digest).map(Some).map_err(|error| SourceError::Io(io::Error::other(error)))
    }

    fn blob(&self, _: &str) -> Result<Option<Section>, SourceError> {
        Ok(None)
    }
}
