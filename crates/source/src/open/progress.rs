use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::formats::Layout;
use crate::http::Waits;
use nixdive_base::cancel::Cancel;
use nixdive_scan::LayerProgress;

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
    /// For each layer what has come over the network, where it comes so.
    arrived: Mutex<Vec<Arc<AtomicU64>>>,
    /// How long servers are left alone before they are asked again.
    waits: Waits,
}

/// Counts at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Bytes read or arrived of each layer's stored blob, and its entries found; empty for an archive read as a stream.
    pub layers: Vec<(u64, u64)>,
    /// Bytes read of the stream that the whole archive is, where it is one.
    pub stream_read_bytes: u64,
    /// Length of that stream, bytes; 0 where it is not known.
    pub stream_bytes: u64,
    /// Entries found in it.
    pub stream_entries: u64,
    /// Bytes that came over the network of each layer, where it comes so: also after the image is open, as content is
    /// asked for.
    pub arrived: Option<Vec<u64>>,
    /// For how much longer a server is left alone, before it is asked again.
    pub waiting: Option<Duration>,
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
        lock(&self.shared.layout).clone()
    }

    /// The counts.
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

    /// Where waits for servers are noted.
    pub(super) fn waits(&self) -> &Waits {
        &self.shared.waits
    }

    /// Places to count what arrives of each layer.
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
