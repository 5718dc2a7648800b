use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::WriteError;
use nixdive_base::cancel::Cancel;

/// Progress of writing an image, to be observed from another thread, and its cancellation.
#[derive(Debug, Default)]
pub struct WriteProgress {
    cancel: Cancel,
    layers: OnceLock<Vec<LayerBytes>>,
}

#[derive(Debug)]
struct LayerBytes {
    done: AtomicU64,
    total: u64,
}

impl WriteProgress {
    /// Creates the progress of a write that has not started.
    #[must_use]
    pub fn new(cancel: Cancel) -> Self {
        Self { cancel, layers: OnceLock::new() }
    }

    /// Returns the handle that cancels writing.
    #[must_use]
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// Returns the unpacked bytes read and the total for each layer, base first; empty before the start. Content that
    /// is read twice, as for a compressed docker-archive, is counted once.
    #[must_use]
    pub fn layers(&self) -> Vec<(u64, u64)> {
        let layers = self.layers.get().map(Vec::as_slice).unwrap_or_default();
        layers.iter().map(|layer| (layer.done.load(Ordering::Relaxed), layer.total)).collect()
    }

    pub(super) fn begin(&self, totals: impl Iterator<Item = u64>) {
        let layers = totals.map(|total| LayerBytes { done: AtomicU64::new(0), total }).collect();
        // A second image written with the same progress is not counted.
        let _ = self.layers.set(layers);
    }

    pub(super) fn add(&self, layer: usize, bytes: usize) {
        if let Some(layer) = self.layers.get().and_then(|layers| layers.get(layer)) {
            layer.done.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }

    pub(super) fn check(&self) -> Result<(), WriteError> {
        if self.cancel.is_cancelled() { Err(WriteError::Cancelled) } else { Ok(()) }
    }
}
