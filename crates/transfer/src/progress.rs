use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nixdive_base::cancel::Cancel;
use nixdive_source::http::Waits;

/// How far a transfer is, for whoever watches from another thread, and the way to stop it. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct TransferProgress {
    cancel: Cancel,
    layers: Arc<Mutex<Vec<LayerProgress>>>,
    waits: Waits,
}

/// How far one layer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerProgress {
    /// Short digest by which it is known.
    pub title: String,
    /// What is done to it.
    pub state: LayerState,
    /// Bytes of it that are read or sent, whichever is being done.
    pub done_bytes: u64,
    /// Bytes that there are to be read or sent.
    pub total_bytes: u64,
    /// How often it was taken up again after a connection broke.
    pub repeats: u32,
}

/// What is done to a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LayerState {
    /// Nothing yet.
    #[default]
    Waiting,
    /// It is read and compressed.
    Reading,
    /// It is sent or written.
    Sending,
    /// It has arrived.
    Arrived,
    /// It was there.
    There,
}

impl TransferProgress {
    /// Nothing done.
    #[must_use]
    pub fn new(cancel: Cancel) -> Self {
        Self { cancel, ..Self::default() }
    }

    /// What stops it.
    #[must_use]
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// Where waits for servers are noted, of remotes that do so.
    #[must_use]
    pub fn waits(&self) -> &Waits {
        &self.waits
    }

    /// How far each layer is. Empty before it is known which there are.
    #[must_use]
    pub fn layers(&self) -> Vec<LayerProgress> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<LayerProgress>> {
        self.layers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins with layers, each with its title and the bytes at hand.
    pub fn begin(&self, layers: impl Iterator<Item = (String, u64)>) {
        let state = LayerState::Waiting;
        let waiting = |(title, total_bytes)| LayerProgress { title, state, done_bytes: 0, total_bytes, repeats: 0 };
        *self.lock() = layers.map(waiting).collect();
    }

    /// Something else is done to a layer from now on, which takes so many bytes.
    pub fn enter(&self, layer: usize, state: LayerState, total_bytes: u64) {
        if let Some(layer) = self.lock().get_mut(layer) {
            let done_bytes = if matches!(state, LayerState::Arrived | LayerState::There) { total_bytes } else { 0 };
            (layer.state, layer.done_bytes, layer.total_bytes) = (state, done_bytes, total_bytes);
        }
    }

    /// So many bytes of it are done; fewer than before where something was lost.
    pub fn at(&self, layer: usize, done_bytes: u64) {
        if let Some(layer) = self.lock().get_mut(layer) {
            layer.repeats = layer.repeats.saturating_add(u32::from(done_bytes < layer.done_bytes));
            layer.done_bytes = done_bytes;
        }
    }
}
