use std::sync::{Arc, Mutex, PoisonError};

use super::inflate::Inflate;
use super::reader::{Member, Trailing};

/// How densely to record checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckpointPlan {
    /// Unpacked bytes from one checkpoint to the next.
    pub spacing: u64,
    /// Memory that the checkpoints of one stream may take, bytes; one takes 48 KiB. Beyond it every second one is given
    /// up and the spacing doubled.
    pub memory_bytes: usize,
}

impl Default for CheckpointPlan {
    /// 8 MiB, which unpack in 10 to 25 ms, and 16 MiB, which do without doubling up to 2.8 GB unpacked and keep the
    /// spacing within 32 MiB up to 11 GB.
    fn default() -> Self {
        Self { spacing: 8 << 20, memory_bytes: 16 << 20 }
    }
}

/// A place at which unpacking can begin.
#[derive(Clone)]
pub(super) struct Checkpoint {
    /// Offset at which the decoder's input begins.
    pub compressed_offset: u64,
    /// Offset of the first byte it unpacks.
    pub unpacked_offset: u64,
    pub member: Member,
    pub inflate: Arc<Inflate>,
}

impl Checkpoint {
    const MEMORY_BYTES: usize = Inflate::STATE_BYTES + size_of::<Self>();
}

/// The positions from which one gzip stream can be unpacked. A clone shares the checkpoints.
#[derive(Clone, Default)]
pub struct GzipIndex {
    checkpoints: Vec<Checkpoint>,
    unpacked_bytes: Option<u64>,
    trailing: Trailing,
}

impl GzipIndex {
    /// Length of the whole unpacked stream, bytes; `None` while it has not been read to its end.
    #[must_use]
    pub fn unpacked_bytes(&self) -> Option<u64> {
        self.unpacked_bytes
    }

    /// Returns the content after the last member; [`Trailing::Nothing`] until the stream has been
    /// read to its end.
    #[must_use]
    pub fn trailing(&self) -> Trailing {
        self.trailing
    }

    /// Number of checkpoints, the beginning not counted.
    #[must_use]
    pub fn checkpoint_count(&self) -> usize {
        self.checkpoints.len()
    }

    /// Memory that the checkpoints take, bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.checkpoints.len().saturating_mul(Checkpoint::MEMORY_BYTES)
    }

    /// The last checkpoint that does not lie after `unpacked_offset`; without one, reading begins at the beginning.
    pub(super) fn checkpoint_before(&self, unpacked_offset: u64) -> Option<&Checkpoint> {
        let after = self.checkpoints.partition_point(|checkpoint| checkpoint.unpacked_offset <= unpacked_offset);
        self.checkpoints.get(after.checked_sub(1)?)
    }

    #[cfg(test)]
    pub(super) fn checkpoints(&self) -> &[Checkpoint] {
        &self.checkpoints
    }

    /// Gives up the first and every second checkpoint after it: those left lie at multiples of twice the spacing.
    fn thin(&mut self) {
        let mut keep = true;
        self.checkpoints.retain(|_| {
            keep = !keep;
            keep
        });
    }
}

impl std::fmt::Debug for GzipIndex {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("GzipIndex")
            .field("checkpoints", &self.checkpoints.len())
            .field("unpacked_bytes", &self.unpacked_bytes)
            .finish()
    }
}

/// The index of a stream that is being read, to look at from another thread.
#[derive(Debug, Clone, Default)]
pub struct IndexInProgress(Arc<Mutex<GzipIndex>>);

impl IndexInProgress {
    /// The index as far as it is recorded. It serves the whole stream already: what lies after its last checkpoint is
    /// unpacked from there.
    #[must_use]
    pub fn snapshot(&self) -> GzipIndex {
        self.with(|index| index.clone())
    }

    fn with<T>(&self, work: impl FnOnce(&mut GzipIndex) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Keeps checkpoints as planned.
pub(super) struct Recorder {
    index: IndexInProgress,
    spacing: u64,
    memory_bytes: usize,
    next: u64,
}

impl Recorder {
    pub fn new(plan: CheckpointPlan, index: IndexInProgress) -> Self {
        let spacing = plan.spacing.max(1);
        Self { index, spacing, memory_bytes: plan.memory_bytes, next: spacing }
    }

    /// Unpacked bytes from `unpacked_offset` to the next checkpoint; 0 when it is due.
    pub fn distance(&self, unpacked_offset: u64) -> u64 {
        self.next.saturating_sub(unpacked_offset)
    }

    pub fn keep(&mut self, checkpoint: Checkpoint) {
        let unpacked_offset = checkpoint.unpacked_offset;
        let (memory_bytes, mut spacing) = (self.memory_bytes, self.spacing);
        self.index.with(|index| {
            index.checkpoints.push(checkpoint);
            while index.memory_bytes() > memory_bytes && !index.checkpoints.is_empty() {
                index.thin();
                spacing = spacing.saturating_mul(2);
            }
        });
        self.spacing = spacing;
        // The next multiple, so that the distances stay even after thinning.
        self.next = (unpacked_offset / spacing).saturating_add(1).saturating_mul(spacing);
    }

    /// The whole stream is read.
    pub fn complete(&mut self, unpacked_bytes: u64, trailing: Trailing) {
        self.index.with(|index| {
            index.unpacked_bytes = Some(unpacked_bytes);
            index.trailing = trailing;
        });
    }
}
