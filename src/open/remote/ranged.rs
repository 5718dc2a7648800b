use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use super::Arriving;
use crate::http::HttpError;
use crate::registry::RegistryError;
use crate::scan::ReadAt;

/// Parts that are asked for one by one before all of a blob is fetched: each costs a way to the registry and back.
const MAX_PARTS: u32 = 48;

/// A blob of which only parts are fetched, until so many were asked for that all of it costs less.
pub(super) struct Ranged {
    arriving: Arc<Arriving>,
    parts: AtomicU32,
    part_bytes: AtomicU64,
    whole: AtomicBool,
}

impl Ranged {
    pub fn new(arriving: Arc<Arriving>) -> Self {
        let (parts, part_bytes) = (AtomicU32::new(0), AtomicU64::new(0));
        Self { arriving, parts, part_bytes, whole: AtomicBool::new(false) }
    }

    /// Some bytes, without fetching all of the blob.
    ///
    /// # Errors
    /// [`RegistryError`], also of a registry that gives no parts.
    pub fn part(&self, offset: u64, length: u64) -> Result<Vec<u8>, RegistryError> {
        let downloads = self.arriving.downloads();
        if downloads.offline {
            return Err(RegistryError::Offline(format!("a part of the layer {}", self.arriving.digest())));
        }
        downloads.repository.blob_part(self.arriving.digest(), offset, length)
    }

    fn is_whole_cheaper(&self, more: u64) -> bool {
        let parts = self.parts.fetch_add(1, Ordering::Relaxed);
        let bytes = self.part_bytes.fetch_add(more, Ordering::Relaxed).saturating_add(more);
        parts >= MAX_PARTS || bytes >= self.arriving.length() / 2
    }
}

impl ReadAt for Ranged {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let length = self.arriving.length().saturating_sub(offset).min(buffer.len() as u64);
        if length == 0 {
            return Ok(0);
        }
        let whole = self.whole.load(Ordering::Relaxed) || self.arriving.is_started() || self.is_whole_cheaper(length);
        if !whole {
            match self.part(offset, length) {
                Ok(bytes) => {
                    let count = bytes.len().min(buffer.len());
                    buffer[..count].copy_from_slice(&bytes[..count]);
                    return Ok(count);
                }
                Err(error @ (RegistryError::Http(HttpError::Cancelled) | RegistryError::Offline(_))) => {
                    return Err(io::Error::other(error));
                }
                // Not all registries give parts.
                Err(_) => {}
            }
        }
        self.whole.store(true, Ordering::Relaxed);
        self.arriving.read_at(buffer, offset)
    }
}
