use std::io::{self, BufReader, Read};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::made::is_tar;
use super::verification::{Limited, UnpackCheck, Unpacked, compare};
use super::{ParcelLayer, Strictness, TransferError, Verification};
use nixdive_base::cancel::Cancel;
use nixdive_image::{Compression, Digest};
use nixdive_scan::compression::decoder;
use nixdive_scan::{Section, UnpackLimit, Verifier};
use nixdive_source::cache::Cache;
use nixdive_source::registry::{RegistryError, Repository};

/// Gives access to the bytes of a blob, from any offset and any number of times. Nothing is opened before it is read.
pub trait BlobSource: Send + Sync {
    /// Opens the blob for reading from `offset` on.
    ///
    /// # Errors
    /// If the underlying source cannot be opened.
    fn open(&self, offset: u64) -> io::Result<Box<dyn Read + Send>>;
}

impl BlobSource for Section {
    fn open(&self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(self.part(offset, u64::MAX).reader()))
    }
}

/// Absent blob. The error is reported only when the blob is read.
pub(super) struct Missing(pub String);

impl BlobSource for Missing {
    fn open(&self, _: u64) -> io::Result<Box<dyn Read + Send>> {
        Err(io::Error::new(io::ErrorKind::NotFound, self.0.clone()))
    }
}

/// Blob in a registry, read from the cache if it is there.
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

/// Blob that is verified while it is read: its last bytes are returned only if the digest matches and, if `unpacked` is
/// set, the unpacked stream matches its diffID.
pub(super) struct CheckedBlob {
    pub source: Arc<dyn BlobSource>,
    /// Name of the blob in messages.
    pub title: String,
    pub digest: Digest,
    pub stored_bytes: u64,
    /// Expected unpacked stream, if that is verified too.
    pub unpacked: Option<Unpacked>,
    pub verification: Verification,
    pub cancel: Cancel,
}

impl CheckedBlob {
    /// Returns the verified blob of `layer`, or `None` if the digest of the layer is unknown.
    pub fn of(layer: &ParcelLayer, verification: &Verification, limit: UnpackLimit, cancel: &Cancel) -> Option<Self> {
        let digest = layer.digest.clone()?;
        let diff_id = layer.diff_id.clone().filter(|diff_id| *diff_id != digest && verification.unpacks());
        // Encrypted layers and attestations contain no tar stream, so their diffIDs cannot be verified.
        let is_tar = layer.media_type.as_deref().is_none_or(is_tar);
        let (compression, stored_bytes) = (layer.compression, layer.stored_bytes);
        let unpacked = diff_id.filter(|_| is_tar).map(|diff_id| Unpacked { diff_id, compression, stored_bytes, limit });
        Some(Self {
            source: Arc::clone(&layer.source),
            title: format!("layer {}", digest.short()),
            digest,
            stored_bytes,
            unpacked,
            verification: verification.clone(),
            cancel: cancel.clone(),
        })
    }
}

impl BlobSource for CheckedBlob {
    /// Reads the bytes before the offset too, as the digest covers the whole blob.
    fn open(&self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        let inner = self.source.open(0)?;
        let unpack = self.unpacked.clone().map(|expected| UnpackCheck::start(expected, self.cancel.clone()));
        let mut reader = CheckedReader {
            inner,
            verifier: Some(Verifier::new(&self.digest)),
            unpack: unpack.transpose()?,
            title: self.title.clone(),
            stated: self.digest.clone(),
            left: self.stored_bytes,
            stored_bytes: self.stored_bytes,
            verification: self.verification.clone(),
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
    unpack: Option<UnpackCheck>,
    title: String,
    stated: Digest,
    left: u64,
    stored_bytes: u64,
    verification: Verification,
    cancel: Cancel,
}

impl CheckedReader {
    fn settle(&self, reason: String) -> io::Result<()> {
        let settled = self.verification.settle(&self.title, reason);
        settled.map_err(|reason| io::Error::new(io::ErrorKind::InvalidData, reason))
    }

    /// Verifies the blob at the end of the stream, which may come too early.
    fn end(&mut self) -> io::Result<()> {
        let Some(verifier) = self.verifier.take() else { return Ok(()) };
        if self.left > 0 {
            let (read, stated) = (self.stored_bytes - self.left, self.stored_bytes);
            self.settle(format!("is incomplete: it ends after {read} of {stated} bytes"))?;
        } else if self.inner.read(&mut [0]).is_ok_and(|count| count > 0) {
            self.settle(format!("is altered: it is longer than the stated {} bytes", self.stored_bytes))?;
        }
        let stated = &self.stated;
        match verifier.finish() {
            Some(actual) if actual == *stated => {}
            Some(actual) => self.settle(format!(
                "digest mismatch: expected {stated}, got {actual}; the stored copy is damaged or was changed"
            ))?,
            None => {
                self.settle(format!("the digest {stated} cannot be verified: {} is not supported", stated.algorithm()))?
            }
        }
        if let Some(Err(reason)) = self.unpack.take().map(|mut unpack| unpack.finish()) {
            self.cancel.check()?;
            self.settle(reason)?;
        }
        Ok(())
    }
}

impl Read for CheckedReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.cancel.check()?;
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.inner.read(buffer.get_mut(..most).unwrap_or_default())?;
        let bytes = buffer.get(..count).unwrap_or_default();
        if let Some(verifier) = &mut self.verifier {
            verifier.update(bytes);
        }
        if let Some(unpack) = self.unpack.as_mut().filter(|_| count > 0) {
            unpack.update(bytes);
        }
        self.left = self.left.saturating_sub(count as u64);
        if self.left == 0 || count == 0 && !buffer.is_empty() {
            self.end()?;
        }
        Ok(count)
    }
}

/// Tar stream of a layer: unpacked, counted and hashed.
pub struct PlainStream {
    inner: Limited,
    cancel: Cancel,
    verifier: Verifier,
    title: String,
    verification: Verification,
}

/// Unpacks a layer from its beginning and verifies the digest of its blob at the same time.
///
/// # Errors
/// If the blob cannot be opened.
pub fn plain_stream(
    layer: &ParcelLayer,
    limit: UnpackLimit,
    verification: &Verification,
    cancel: &Cancel,
) -> io::Result<PlainStream> {
    let own = Verification::new(Strictness::Own);
    // If the digest equals the diffID, one verification is enough.
    let is_plain = layer.digest == layer.diff_id;
    let checked = CheckedBlob::of(layer, &own, limit, cancel).filter(|_| !is_plain);
    let checked = checked.map(|checked| CheckedBlob { verification: verification.clone(), ..checked });
    let title = format!("layer {}", super::push::title_of(layer));
    let opened = match &checked {
        Some(checked) => checked.open(0),
        None => layer.source.open(0),
    };
    let opened = opened.or_else(|error| match verification.allows() {
        true => {
            let settled = verification.settle(&title, error.to_string());
            settled.map(|()| Box::new(io::empty()) as Box<dyn Read + Send>).map_err(io::Error::other)
        }
        false => Err(error),
    })?;
    let stored = BufReader::with_capacity(128 << 10, opened);
    let plain: Box<dyn Read + Send> = match layer.compression {
        Compression::None => Box::new(stored),
        packed => decoder(stored, packed, 1)?,
    };
    let inner = Limited::new(plain, layer.compression, layer.stored_bytes, limit);
    let stated = layer.diff_id.as_ref().filter(|stated| stated.is_verifiable());
    let verifier = stated.map_or_else(|| Verifier::Sha256(Sha256::new()), Verifier::new);
    Ok(PlainStream { inner, cancel: cancel.clone(), verifier, title, verification: verification.clone() })
}

impl PlainStream {
    /// Returns the digest and the length in bytes of the stream, after comparing the digest with the diffID in the
    /// configuration.
    ///
    /// # Errors
    /// [`TransferError::Part`] if the digest does not match the diffID, or if the stream cannot be read to its end.
    pub fn finish(self, layer: &ParcelLayer) -> Result<(Digest, u64), TransferError> {
        let what = || format!("the layer {}", super::push::title_of(layer));
        let actual = self.verifier.finish();
        if let Some(Err(reason)) = layer.diff_id.as_ref().map(|stated| compare(stated, actual.as_ref())) {
            let settled = self.verification.settle(&self.title, reason);
            settled.map_err(|reason| TransferError::part(what(), reason))?;
        }
        let diff_id = actual.ok_or_else(|| TransferError::part(what(), "its digest is unknown"))?;
        Ok((diff_id, self.inner.position()))
    }
}

impl Read for PlainStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.cancel.check()?;
        let count = match self.inner.read(buffer) {
            Ok(count) => count,
            Err(error) if error.kind() != io::ErrorKind::Interrupted && self.verification.allows() => {
                self.cancel.check()?;
                // The data before the damage is kept.
                let settled = self.verification.settle(&self.title, error.to_string());
                settled.map(|()| 0).map_err(io::Error::other)?
            }
            Err(error) => return Err(error),
        };
        self.verifier.update(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }
}
