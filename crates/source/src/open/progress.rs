use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::formats::Layout;
use crate::http::Waits;
use nixdive_base::cancel::Cancel;
use nixdive_scan::LayerProgress;

/// Progress of opening an image, shared with an observing thread.
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
    /// Bytes of each layer received over the network, if any.
    arrived: Mutex<Vec<Arc<AtomicU64>>>,
    /// Current wait before a server is asked again.
    waits: Waits,
}

/// Counts at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Bytes read or received of each layer's stored blob, and its entries; empty for an archive read as a stream.
    pub layers: Vec<(u64, u64)>,
    /// Bytes read of the archive's stream, if it is read as a stream.
    pub stream_read_bytes: u64,
    /// Length of that stream in bytes; 0 if unknown.
    pub stream_bytes: u64,
    /// Number of entries found in the stream.
    pub stream_entries: u64,
    /// Bytes of each layer received over the network, if any, including those fetched after opening.
    pub arrived: Option<Vec<u64>>,
    /// Remaining wait before a server is asked again.
    pub waiting: Option<Duration>,
}

impl Progress {
    /// Creates the progress of an opening that has not begun.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates the progress of work that is cancelled together with other work.
    #[must_use]
    pub fn with_cancel(cancel: Cancel) -> Self {
        Self { shared: Arc::new(Shared { cancel, ..Shared::default() }) }
    }

    /// Returns the handle that cancels the opening.
    #[must_use]
    pub fn cancel(&self) -> &Cancel {
        &self.shared.cancel
    }

    /// Returns manifest and configuration as soon as they are known.
    #[must_use]
    pub fn layout(&self) -> Option<Arc<Layout>> {
        lock(&self.shared.layout).clone()
    }

    /// Returns the current counts.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let layers = lock(&self.shared.layers);
        let counts =
            |layer: &LayerProgress| (layer.read_bytes.load(Ordering::Relaxed), layer.entries.load(Ordering::Relaxed));
        let (stream_read_bytes, stream_entries) = counts(&self.shared.stream);
        let arrived = lock(&self.shared.arrived);
        let with_arrived = |(number, layer): (usize, &Arc<LayerProgress>)| {
            let (read, entries) = counts(layer);
            (arrived.get(number).map_or(read, |arrived| arrived.load(Ordering::Relaxed).max(read)), entries)
        };
        Snapshot {
            layers: layers.iter().enumerate().map(with_arrived).collect(),
            arrived: (!arrived.is_empty())
                .then(|| arrived.iter().map(|arrived| arrived.load(Ordering::Relaxed)).collect()),
            waiting: self.shared.waits.left(),
            stream_read_bytes,
            stream_bytes: self.shared.stream_bytes.load(Ordering::Relaxed),
            stream_entries,
        }
    }

    pub(super) fn identified(&self, layout: &Layout) {
        let mut place = lock(&self.shared.layout);
        *place = Some(Arc::new(layout.clone()));
    }

    pub(super) fn begin_layers(&self, count: usize) -> Vec<Arc<LayerProgress>> {
        let layers: Vec<Arc<LayerProgress>> = (0..count).map(|_| Arc::default()).collect();
        lock(&self.shared.layers).clone_from(&layers);
        layers
    }

    /// Returns the record of waits for servers.
    pub(super) fn waits(&self) -> &Waits {
        &self.shared.waits
    }

    /// Creates counters for the bytes received of each layer.
    pub(super) fn begin_arrivals(&self, count: usize) -> Vec<Arc<AtomicU64>> {
        let arrived: Vec<Arc<AtomicU64>> = (0..count).map(|_| Arc::default()).collect();
        lock(&self.shared.arrived).clone_from(&arrived);
        arrived
    }

    pub(super) fn stream(&self) -> &LayerProgress {
        &self.shared.stream
    }

    pub(super) fn set_stream_bytes(&self, bytes: u64) {
        self.shared.stream_bytes.store(bytes, Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
