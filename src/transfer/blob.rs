use std::io::{self, BufReader, Read};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::{ParcelLayer, TransferError};
use crate::cache::Cache;
use crate::image::{Compression, Digest};
use crate::registry::{RegistryError, Repository, Verifier};
use crate::scan::compression::decoder;
use crate::scan::{Cancel, Section, UnpackLimit};

/// Reads a blob, from any offset, as often as needed. Nothing is opened before that.
pub trait BlobSource: Send + Sync {
    /// Its bytes from an offset on.
    ///
    /// # Errors
    /// Those of the source.
    fn open(&self, offset: u64) -> io::Result<Box<dyn Read + Send>>;
}

impl BlobSource for Section {
    fn open(&self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(self.part(offset, u64::MAX).reader()))
    }
}

/// A blob that is not where it should be: told only when it is needed.
pub(super) struct Missing(pub String);

impl BlobSource for Missing {
    fn open(&self, _: u64) -> io::Result<Box<dyn Read + Send>> {
        Err(io::Error::new(io::ErrorKind::NotFound, self.0.clone()))
    }
}

/// A blob of a registry; from the cache where that has it.
pub(super) struct RemoteBlob {
    pub repository: Repository,
    pub cache: Option<Cache>,
    pub is_offline: bool,
    pub digest: Digest,
    pub stored_bytes: u64,
    pub urls: Vec<String>,
}

impl BlobSource for RemoteBlob {
    fn open(&self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        if let Some(file) = self.cache.as_ref().and_then(|cache| cache.blob(&self.digest, self.stored_bytes)) {
            let section = Section::new(Arc::new(file), 0, self.stored_bytes);
            return section.open(offset);
        }
        if self.is_offline {
            return Err(io::Error::other(RegistryError::Offline(format!("the layer {}", self.digest))));
        }
        let mut reader = self.repository.blob(&self.digest, self.stored_bytes, &self.urls);
        let passed = io::copy(&mut reader.by_ref().take(offset), &mut io::sink())?;
        if passed < offset {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        Ok(Box::new(reader))
    }
}

/// A blob that is held against its digest while it is read: its last bytes are given out only if it has that.
pub(super) struct CheckedBlob {
    pub source: Arc<dyn BlobSource>,
    pub digest: Digest,
    pub stored_bytes: u64,
    pub cancel: Cancel,
}

impl BlobSource for CheckedBlob {
    /// What is before the offset is read too, as the digest is that of the whole.
    fn open(&self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        let mut reader = CheckedReader {
            inner: self.source.open(0)?,
            verifier: Some(Verifier::new(&self.digest)),
            stated: self.digest.clone(),
            left: self.stored_bytes,
            cancel: self.cancel.clone(),
        };
        let passed = io::copy(&mut reader.by_ref().take(offset), &mut io::sink())?;
        if passed < offset {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        Ok(Box::new(reader))
    }
}

struct CheckedReader {
    inner: Box<dyn Read + Send>,
    verifier: Option<Verifier>,
    stated: Digest,
    left: u64,
    cancel: Cancel,
}

impl Read for CheckedReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.cancel.check()?;
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.inner.read(buffer.get_mut(..most).unwrap_or_default())?;
        if let (Some(verifier), Some(bytes)) = (&mut self.verifier, buffer.get(..count)) {
            verifier.update(bytes);
        }
        self.left = self.left.saturating_sub(count as u64);
        if self.left == 0
            && let Some(actual) =
                self.verifier.take().and_then(Verifier::finish).filter(|actual| *actual != self.stated)
        {
            let message = format!("its bytes have another digest, {actual}; it was damaged, or changed, where it lies");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(count)
    }
}

/// The tar stream of a layer, unpacked, counted and hashed.
pub struct PlainStream {
    inner: Box<dyn Read + Send>,
    cancel: Cancel,
    hasher: Sha256,
    unpacked_bytes: u64,
    most_bytes: u64,
}

/// Unpacks a layer from its beginning.
///
/// # Errors
/// Those of the source.
pub fn plain_stream(layer: &ParcelLayer, limit: UnpackLimit, cancel: &Cancel) -> io::Result<PlainStream> {
    let stored = BufReader::with_capacity(128 << 10, layer.source.open(0)?);
    let (inner, most_bytes): (Box<dyn Read + Send>, u64) = match layer.compression {
        Compression::None => (Box::new(stored), u64::MAX),
        packed => {
            let most = limit.always.max(layer.stored_bytes.saturating_mul(limit.ratio));
            (decoder(stored, packed, 1)?, most)
        }
    };
    Ok(PlainStream { inner, cancel: cancel.clone(), hasher: Sha256::new(), unpacked_bytes: 0, most_bytes })
}

impl PlainStream {
    /// Digest and length in bytes of what was read, held against the diffID that the configuration gives.
    ///
    /// # Errors
    /// [`TransferError::Part`] where it is another layer.
    pub fn finish(self, layer: &ParcelLayer) -> Result<(Digest, u64), TransferError> {
        let diff_id = Digest::from_sha256(&self.hasher.finalize().into());
        let stated = layer.diff_id.as_ref().filter(|stated| stated.algorithm() == "sha256");
        match stated.filter(|stated| **stated != diff_id) {
            Some(stated) => Err(TransferError::part(
                format!("the layer {}", stated.short()),
                format!("its bytes have the digest {diff_id}, the configuration says {stated}"),
            )),
            None => Ok((diff_id, self.unpacked_bytes)),
        }
    }
}

impl Read for PlainStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.cancel.check()?;
        let count = self.inner.read(buffer)?;
        self.hasher.update(buffer.get(..count).unwrap_or_default());
        self.unpacked_bytes = self.unpacked_bytes.saturating_add(count as u64);
        if self.unpacked_bytes > self.most_bytes {
            let message = format!("it unpacks to more than {} bytes; raise --unpack-limit", self.most_bytes);
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(count)
    }
}
