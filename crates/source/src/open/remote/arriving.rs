use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tracing::{debug, info};

use super::Downloads;
use crate::cache::BlobWriting;
use crate::http::HttpError;
use crate::open::spool::unnamed_file;
use crate::registry::{RegistryError, Verifier, carried};
use nixdive_image::Digest;
use nixdive_scan::ReadAt;

/// Bytes written at a time.
const CHUNK: usize = 256 << 10;
/// Bytes kept in memory for the reader if the disk is full.
const WINDOW: usize = 16 << 20;
/// Maximum bytes of a blob stored on disk; longer ones are not kept.
const MAX_KEPT: u64 = 16 << 30;
/// Bytes fetched again at a time if they were not kept.
const PART: u64 = 1 << 20;
/// Interval at which cancellation is checked.
const LOOK: Duration = Duration::from_millis(50);

/// A blob that can be read while it is still arriving. The download begins when it is started, or first read. The last
/// bytes are available only after the digest of the whole blob was verified.
pub(super) struct Arriving {
    /// Handle that is put into the download queue.
    itself: Weak<Self>,
    downloads: Arc<Downloads>,
    digest: Digest,
    length: u64,
    urls: Vec<String>,
    /// Bytes received, for observers.
    shown: Arc<AtomicU64>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    started: bool,
    file: Option<Arc<File>>,
    /// Number of leading bytes in the file.
    in_file: u64,
    /// Number of leading bytes that may be read.
    arrived: u64,
    /// Bytes that arrived after the disk was full, from `memory_start` on.
    memory: Vec<u8>,
    memory_start: u64,
    failure: Option<RegistryError>,
}

impl Arriving {
    pub fn new(
        downloads: &Arc<Downloads>,
        digest: &Digest,
        length: u64,
        urls: &[String],
        shown: Arc<AtomicU64>,
    ) -> Arc<Self> {
        Arc::new_cyclic(|itself| Self {
            itself: Weak::clone(itself),
            downloads: Arc::clone(downloads),
            digest: digest.clone(),
            length,
            urls: urls.to_vec(),
            shown,
            state: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Returns the length in the manifest.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Returns the downloads of its image.
    pub fn downloads(&self) -> &Downloads {
        &self.downloads
    }

    /// Returns `true` if the complete download was started.
    pub fn is_started(&self) -> bool {
        self.state().started
    }

    /// Starts the download, unless it was started before.
    pub fn start(&self) {
        if !std::mem::replace(&mut self.state().started, true)
            && let Some(itself) = self.itself.upgrade()
        {
            self.downloads.enqueue(itself);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fetches the whole blob from the cache or the registry.
    pub fn fetch(&self) -> Result<(), RegistryError> {
        if self.take_from_cache() {
            return Ok(());
        }
        let result = if self.downloads.offline {
            Err(RegistryError::Offline(format!("the layer {}", self.digest)))
        } else {
            self.take_from_registry()
        };
        if let Err(error) = &result {
            self.state().failure = Some(error.clone());
            self.changed.notify_all();
        }
        result
    }

    /// Takes the blob from the cache if its digest matches; removes it if it was modified.
    fn take_from_cache(&self) -> bool {
        let Some(cache) = &self.downloads.cache else { return false };
        let Some(file) = cache.blob(&self.digest, self.length) else { return false };
        let file = Arc::new(file);
        let mut verifier = Verifier::new(&self.digest);
        let mut buffer = vec![0; CHUNK];
        let mut position = 0;
        while !self.downloads.cancel.is_cancelled() {
            match file.read_at(&mut buffer, position) {
                Ok(0) | Err(_) => break,
                Ok(count) => {
                    verifier.update(buffer.get(..count).unwrap_or_default());
                    position += count as u64;
                }
            }
        }
        if verifier.finish().as_ref() != Some(&self.digest) {
            info!(target: "cache", digest = %self.digest, "blob: refused, other bytes");
            cache.forget_blob(&self.digest);
            return false;
        }
        let mut state = self.state();
        (state.file, state.in_file, state.arrived) = (Some(file), self.length, self.length);
        drop(state);
        self.changed.notify_all();
        true
    }

    fn take_from_registry(&self) -> Result<(), RegistryError> {
        let begun = Instant::now();
        let kept = self.downloads.cache.as_ref().filter(|_| self.length <= MAX_KEPT);
        let writing: Option<BlobWriting> = kept.and_then(|cache| cache.begin_blob(&self.digest).ok());
        let own = || unnamed_file().ok().filter(|_| self.length <= MAX_KEPT);
        let file = writing.as_ref().and_then(|writing| writing.file().ok()).or_else(own);
        self.state().file = file.map(Arc::new);
        let mut reader = self.downloads.repository.blob(&self.digest, self.length, &self.urls);
        let mut chunk = vec![0; CHUNK];
        let mut position = 0u64;
        loop {
            // Everything read before this is not the end, and may be passed on.
            let count = match read_some(&mut reader, &mut chunk) {
                Ok(count) => count,
                Err(error) => return Err(carried(&error).unwrap_or(RegistryError::Http(HttpError::Cancelled))),
            };
            self.publish(position);
            if count == 0 {
                break;
            }
            self.keep(chunk.get(..count).unwrap_or_default(), position)?;
            position += count as u64;
        }
        debug!(target: "layer", digest = %self.digest, bytes = self.length, ms = begun.elapsed().as_millis(), "fetched");
        self.publish(self.length);
        let is_kept = self.state().in_file == self.length;
        if let Some(writing) = writing.filter(|_| is_kept) {
            // On failure it is fetched again next time.
            let _ = writing.commit();
        }
        Ok(())
    }

    fn publish(&self, arrived: u64) {
        self.state().arrived = arrived;
        self.shown.store(arrived, Ordering::Relaxed);
        self.changed.notify_all();
    }

    /// Writes bytes to the file, or to memory if the disk is full, as far as there is room.
    fn keep(&self, bytes: &[u8], position: u64) -> Result<(), RegistryError> {
        let (file, in_file) = {
            let state = self.state();
            (state.file.clone(), state.in_file)
        };
        if let Some(file) = file.filter(|_| in_file == position)
            && file.write_all_at(bytes, position).is_ok()
        {
            self.state().in_file = position + bytes.len() as u64;
            return Ok(());
        }
        let mut state = self.state();
        if state.memory.is_empty() {
            state.memory_start = position;
        }
        state.memory.extend_from_slice(bytes);
        while state.memory.len() >= WINDOW {
            if self.downloads.cancel.is_cancelled() {
                return Err(HttpError::Cancelled.into());
            }
            state.arrived = position;
            self.changed.notify_all();
            state = self.changed.wait_timeout(state, LOOK).unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }

    /// Waits until a byte may be read, and returns the state.
    fn wait_for(&self, offset: u64) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        while state.arrived <= offset {
            if let Some(failure) = &state.failure {
                return Err(io::Error::other(failure.clone()));
            }
            self.downloads.cancel.check()?;
            state = self.changed.wait_timeout(state, LOOK).unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(state)
    }

    /// Fetches bytes again that were not kept.
    fn fetch_again(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let length = PART.min(self.length - offset).min(buffer.len() as u64);
        let part = self.downloads.repository.blob_part(&self.digest, offset, length).map_err(io::Error::other)?;
        let count = part.len().min(buffer.len());
        buffer[..count].copy_from_slice(&part[..count]);
        Ok(count)
    }
}

impl ReadAt for Arriving {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if offset >= self.length || buffer.is_empty() {
            return Ok(0);
        }
        self.start();
        let mut state = self.wait_for(offset)?;
        let most = usize::try_from(state.arrived - offset).unwrap_or(usize::MAX).min(buffer.len());
        if let Some(file) = state.file.clone().filter(|_| offset < state.in_file) {
            let most = usize::try_from(state.in_file - offset).unwrap_or(usize::MAX).min(most);
            drop(state);
            return file.read_at(&mut buffer[..most], offset);
        }
        let within = offset.checked_sub(state.memory_start).and_then(|within| usize::try_from(within).ok());
        let Some(there) = within.and_then(|within| state.memory.get(within..)).filter(|there| !there.is_empty()) else {
            drop(state);
            return self.fetch_again(buffer, offset);
        };
        let count = there.len().min(most);
        buffer[..count].copy_from_slice(&there[..count]);
        // Drops what is more than half a window behind the reader.
        let passed = within.unwrap_or_default();
        if passed > WINDOW / 2 {
            state.memory.drain(..passed);
            state.memory_start = offset;
            self.changed.notify_all();
        }
        Ok(count)
    }
}

/// Reads some bytes; returns 0 at the end.
fn read_some(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}
