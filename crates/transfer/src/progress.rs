use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nixdive_base::cancel::Cancel;
use nixdive_source::http::Waits;

/// Progress of a transfer, to be observed from another thread, and its cancellation. Clones share the state.
#[derive(Debug, Clone, Default)]
pub struct TransferProgress {
    cancel: Cancel,
    layers: Arc<Mutex<Vec<LayerProgress>>>,
    waits: Waits,
}

/// Progress of one layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerProgress {
    /// Short digest that identifies the layer.
    pub title: String,
    /// Current step.
    pub state: LayerState,
    /// Bytes read or sent in the current step.
    pub done_bytes: u64,
    /// Total bytes of the current step.
    pub total_bytes: u64,
    /// Number of retries after broken connections.
    pub repeats: u32,
}

/// Step in the transfer of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LayerState {
    /// Not started.
    #[default]
    Waiting,
    /// Being read and compressed.
    Reading,
    /// Being sent or written.
    Sending,
    /// Arrived.
    Arrived,
    /// Already present.
    There,
}

impl TransferProgress {
    /// Creates the progress of a transfer that has not started.
    #[must_use]
    pub fn new(cancel: Cancel) -> Self {
        Self { cancel, ..Self::default() }
    }

    /// Returns the handle that cancels the transfer.
    #[must_use]
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// Returns the place where remotes record that they wait for a server.
    #[must_use]
    pub fn waits(&self) -> &Waits {
        &self.waits
    }

    /// Returns the progress of each layer; empty until the layers are known.
    #[must_use]
    pub fn layers(&self) -> Vec<LayerProgress> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<LayerProgress>> {
        self.layers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the layers, each with its title and the length of its source in bytes.
    pub fn begin(&self, layers: impl Iterator<Item = (String, u64)>) {
        let state = LayerState::Waiting;
        let waiting = |(title, total_bytes)| LayerProgress { title, state, done_bytes: 0, total_bytes, repeats: 0 };
        *self.lock() = layers.map(waiting).collect();
    }

    /// Starts a new step of a layer with its total number of bytes.
    pub fn enter(&self, layer: usize, state: LayerState, total_bytes: u64) {
        if let Some(layer) = self.lock().get_mut(layer) {
            let done_bytes = if matches!(state, LayerState::Arrived | LayerState::There) { total_bytes } else { 0 };
            (layer.state, layer.done_bytes, layer.total_bytes) = (state, done_bytes, total_bytes);
        }
    }

    /// Sets the bytes done for a layer; the number may shrink if data was lost.
    pub fn at(&self, layer: usize, done_bytes: u64) {
        if let Some(layer) = self.lock().get_mut(layer) {
            layer.repeats = layer.repeats.saturating_add(u32::from(done_bytes < layer.done_bytes));
            layer.done_bytes = done_bytes;
        }
    }
}
