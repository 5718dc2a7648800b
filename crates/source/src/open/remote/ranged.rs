use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::Arriving;
use crate::http::HttpError;
use crate::registry::RegistryError;
use nixdive_scan::ReadAt;

/// Minimum bytes of a part: short files are adjacent and are fetched together.
const LEAST_PART: u64 = 128 << 10;
/// Cost of a round trip to the registry, in bytes that could be fetched in that time.
const WAY: u64 = 128 << 10;

/// A blob of which only parts are fetched, until they cost as much as half of it: then all of it is fetched.
pub(super) struct Ranged {
    arriving: Arc<Arriving>,
    /// Cost of all parts so far, in bytes.
    cost: AtomicU64,
    whole: AtomicBool,
    /// The last part, and its offset.
    last: Mutex<(u64, Vec<u8>)>,
}

impl Ranged {
    pub fn new(arriving: Arc<Arriving>) -> Self {
        Self { arriving, cost: AtomicU64::new(0), whole: AtomicBool::new(false), last: Mutex::default() }
    }

    /// Fetches some bytes without fetching the whole blob.
    ///
    /// # Errors
    /// [`RegistryError`], also if the registry does not support ranges.
    pub fn part(&self, offset: u64, length: u64) -> Result<Vec<u8>, RegistryError> {
        let downloads = self.arriving.downloads();
        if downloads.offline {
            return Err(RegistryError::Offline(format!("a part of the layer {}", self.arriving.digest())));
        }
        downloads.repository.blob_part(self.arriving.digest(), offset, length)
    }

    fn is_whole_cheaper(&self, more: u64) -> bool {
        let cost = WAY.saturating_add(more);
        self.cost.fetch_add(cost, Ordering::Relaxed).saturating_add(cost) > self.arriving.length() / 2
    }

    /// Copies bytes from the last part.
    fn at_hand(&self, buffer: &mut [u8], offset: u64) -> usize {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let within = offset.checked_sub(last.0).and_then(|within| usize::try_from(within).ok());
        let there = within.and_then(|within| last.1.get(within..)).unwrap_or_default();
        let count = there.len().min(buffer.len());
        buffer[..count].copy_from_slice(&there[..count]);
        count
    }
}

impl ReadAt for Ranged {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let left = self.arriving.length().saturating_sub(offset);
        if left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        let at_hand = self.at_hand(buffer, offset);
        if at_hand > 0 {
            return Ok(at_hand);
        }
        let length = LEAST_PART.max(buffer.len() as u64).min(left);
        let whole = self.whole.load(Ordering::Relaxed) || self.arriving.is_started() || self.is_whole_cheaper(length);
        if !whole {
            match self.part(offset, length) {
                Ok(bytes) => {
                    let count = bytes.len().min(buffer.len());
                    buffer[..count].copy_from_slice(&bytes[..count]);
                    *self.last.lock().unwrap_or_else(PoisonError::into_inner) = (offset, bytes);
                    return Ok(count);
                }
                Err(error @ (RegistryError::Http(HttpError::Cancelled) | RegistryError::Offline(_))) => {
                    return Err(io::Error::other(error));
                }
                // Not all registries support ranges.
                Err(_) => {}
            }
        }
        self.whole.store(true, Ordering::Relaxed);
        self.arriving.read_at(buffer, offset)
    }
}
