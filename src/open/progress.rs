use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::scan::{Cancel, LayerProgress};
use crate::source::Layout;

/// How far the opening of an image is, shared with a thread that watches it.
#[derive(Clone, Default)]
pub struct Progress {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    cancel: Cancel,
    layers: Mutex<Vec<Arc<LayerProgress>>>,
    layout: Mutex<Option<Arc<Layout>>>,
    stream: LayerProgress,
    stream_bytes: AtomicU64,
}

/// Counts at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Bytes read of each layer's stored blob, and its entries found; empty for an archive read as a stream.
    pub layers: Vec<(u64, u64)>,
    /// Bytes read of the stream that the whole archive is, where it is one.
    pub stream_read_bytes: u64,
    /// Length of that stream, bytes; 0 where it is not known.
    pub stream_bytes: u64,
    /// Entries found in it.
    pub stream_entries: u64,
}

impl Progress {
    /// Of an opening that has not begun.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Of something that is stopped together with other work.
    #[must_use]
    pub fn with_cancel(cancel: Cancel) -> Self {
        Self { shared: Arc::new(Shared { cancel, ..Shared::default() }) }
    }

    /// Stops the opening.
    #[must_use]
    pub fn cancel(&self) -> &Cancel {
        &self.shared.cancel
    }

    /// The manifest and the configuration, as soon as they are known.
    #[must_use]
    pub fn layout(&self) -> Option<Arc<Layout>> {
        self.shared.layout.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The counts.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let layers = self.shared.layers.lock().unwrap_or_else(PoisonError::into_inner);
        let counts =
            |layer: &LayerProgress| (layer.read_bytes.load(Ordering::Relaxed), layer.entries.load(Ordering::Relaxed));
        let (stream_read_bytes, stream_entries) = counts(&self.shared.stream);
        Snapshot {
            layers: layers.iter().map(|layer| counts(layer)).collect(),
            stream_read_bytes,
            stream_bytes: self.shared.stream_bytes.load(Ordering::Relaxed),
            stream_entries,
        }
    }

    pub(super) fn identified(&self, layout: &Layout) {
        let mut place = self.shared.layout.lock().unwrap_or_else(PoisonError::into_inner);
        *place = Some(Arc::new(layout.clone()));
    }

    pub(super) fn begin_layers(&self, count: usize) -> Vec<Arc<LayerProgress>> {
        let layers: Vec<Arc<LayerProgress>> = (0..count).map(|_| Arc::default()).collect();
        self.shared.layers.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&layers);
        layers
    }

    pub(super) fn stream(&self) -> &LayerProgress {
        &self.shared.stream
    }

    pub(super) fn set_stream_bytes(&self, bytes: u64) {
        self.shared.stream_bytes.store(bytes, Ordering::Relaxed);
    }
}
