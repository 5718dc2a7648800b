use std::collections::BTreeSet;

use super::layers::{LayerAlignment, diff_id};
use nixdive_image::{Digest, Image, Layer, Measured};

/// A figure of both sides, bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BothSides<T> {
    /// Value of the left image.
    pub left: T,
    /// Value of the right image.
    pub right: T,
}

impl BothSides<u64> {
    /// The right figure less the left one.
    #[must_use]
    pub fn delta(&self) -> i64 {
        super::delta(self.left, self.right)
    }
}

impl BothSides<Option<u64>> {
    /// The right figure less the left one, where both are known.
    #[must_use]
    pub fn delta(&self) -> Option<i64> {
        Some(super::delta(self.left?, self.right?))
    }
}

/// Sizes of two images, separate and combined.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ByteFigures {
    /// Sums of the layers' unpacked tar streams.
    pub unpacked: BothSides<u64>,
    /// Sums of the layers' stored blobs; `None` where one is not known.
    pub compressed: BothSides<Option<u64>>,
    /// True if the sizes of all stored blobs are exact rather than shares of a compressed archive.
    pub compressed_is_exact: bool,
    /// Unpacked bytes of the different layers that both have.
    pub shared_unpacked: u64,
    /// Stored bytes of the layers that a host which has the left image must fetch for the right one: those whose diffID
    /// it does not have. `None` where one is not known.
    pub pull_delta: Option<u64>,
    /// Stored bytes of the blobs that a registry which has the left image is sent for the right one: those whose digest
    /// it does not have. `None` where one is not known.
    pub push_delta: Option<u64>,
}

impl ByteFigures {
    pub(super) fn new(left: &Image, right: &Image, layers: &LayerAlignment) -> Self {
        let shared = layers.right_is_shared();
        let is_exact = |layer: &Layer| matches!(layer.compressed_bytes, Some(Measured::Exact(_)));
        let mut shared_unpacked = 0u64;
        let mut seen: BTreeSet<&Digest> = BTreeSet::new();
        let mut fetched = Some(0u64);
        let mut sent = Some(0u64);
        let mut blobs: BTreeSet<&Digest> = left.layers.iter().filter_map(|layer| layer.digest.as_ref()).collect();
        let are_known = left.layers.iter().all(|layer| layer.digest.is_some());
        for (layer, is_shared) in right.layers.iter().zip(shared) {
            let stored = layer.compressed_bytes.map(Measured::bytes);
            let is_new = diff_id(layer).is_none_or(|digest| seen.insert(digest));
            if is_new && is_shared {
                shared_unpacked = shared_unpacked.saturating_add(layer.unpacked_bytes);
            } else if is_new {
                fetched = add(fetched, stored);
            }
            // Without a blob's digest its content decides.
            let is_there = match &layer.digest {
                Some(digest) => !blobs.insert(digest) || (is_shared && !are_known),
                None => is_shared || !is_new,
            };
            if !is_there {
                sent = add(sent, stored);
            }
        }
        Self {
            unpacked: BothSides { left: left.unpacked_bytes(), right: right.unpacked_bytes() },
            compressed: BothSides { left: left.compressed_bytes(), right: right.compressed_bytes() },
            compressed_is_exact: left.layers.iter().chain(&right.layers).all(is_exact),
            shared_unpacked,
            pull_delta: fetched,
            push_delta: sent,
        }
    }
}

fn add(sum: Option<u64>, bytes: Option<u64>) -> Option<u64> {
    Some(sum?.saturating_add(bytes?))
}
