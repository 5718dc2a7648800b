//! Gathers all images of an index.

use super::super::made::{self, Descriptor, Shape};
use super::super::shelf::Shelf;
use super::super::{Document, Shipment, TransferError};
use super::Gathering;
use nixdive_image::Digest;
use nixdive_image::reference::Selector;
use nixdive_source::formats::Naming;
use nixdive_write::ANNOTATION_NAME;

/// Maximum number of images and indexes reachable from one index.
const MAX_IMAGES: usize = 1000;
/// Maximum total size of the manifests and configurations reachable from one index, bytes.
const MAX_DOCUMENTS_BYTES: usize = 128 << 20;

impl Gathering<'_> {
    /// Gathers everything that the index of a layout, or of a directory written by skopeo, lists.
    pub(super) fn whole_of_container(&self, shelf: &Shelf<'_>) -> Result<Shipment, TransferError> {
        let name = if shelf.naming == Naming::Layout { "index.json" } else { "manifest.json" };
        let document = shelf.container.document(name).map_err(|error| self.failed(error))?;
        let bytes = document.ok_or_else(|| self.refused("does not contain an index of images, as --all requires"))?;
        let root = made::document("", bytes);
        if shelf.naming == Naming::Directory {
            return self.whole(shelf, &root.digest, &root.bytes);
        }
        let listed = Shape::parse(&self.reference.text, &root.bytes)?.manifests.unwrap_or_default();
        let is_meant = |one: &&Descriptor| match &self.reference.selector {
            Some(Selector::Name(name)) => one.annotation(ANNOTATION_NAME) == Some(name) || one.digest == *name,
            _ => true,
        };
        let meant: Vec<&Descriptor> = listed.iter().filter(is_meant).collect();
        let at = match self.reference.selector {
            Some(Selector::Position(position)) => meant.get(position).copied(),
            _ if meant.len() == 1 => meant.first().copied(),
            _ => None,
        };
        match at.and_then(|one| one.digest()) {
            Some(digest) => {
                let bytes = shelf.manifest(&digest)?;
                self.whole(shelf, &digest, &bytes)
            }
            None if meant.is_empty() => Err(self.refused("no image has that name")),
            None if meant.len() == listed.len() => self.whole(shelf, &root.digest, &root.bytes),
            None => Err(self.refused("several images have that name; --all needs an index or a whole layout")),
        }
    }

    /// Gathers an index and everything that it lists, or a single image if `digest` turns out to name one.
    pub(super) fn whole(&self, shelf: &Shelf<'_>, digest: &Digest, bytes: &[u8]) -> Result<Shipment, TransferError> {
        let mut shipment = Shipment {
            images: Vec::new(),
            indexes: Vec::new(),
            names: Vec::new(),
            repository: None,
            warnings: Vec::new(),
        };
        let mut seen: Vec<Digest> = Vec::new();
        let mut pending: Vec<(Digest, Option<Vec<u8>>)> = vec![(digest.clone(), Some(bytes.to_vec()))];
        let mut kept_bytes = 0usize;
        while let Some((digest, bytes)) = pending.pop() {
            self.cancel.check().map_err(|_| TransferError::Cancelled)?;
            if seen.contains(&digest) {
                continue;
            }
            if seen.len() >= MAX_IMAGES {
                return Err(self.refused(&format!("its index lists more than {MAX_IMAGES} images")));
            }
            seen.push(digest.clone());
            let bytes = bytes.map_or_else(|| shelf.manifest(&digest), Ok)?;
            let shape = Shape::parse(&self.reference.text, &bytes)?;
            kept_bytes = kept_bytes.saturating_add(bytes.len());
            if kept_bytes > MAX_DOCUMENTS_BYTES {
                return Err(self.refused(&format!("its documents are larger than {MAX_DOCUMENTS_BYTES} bytes")));
            }
            match &shape.manifests {
                None => {
                    let parcel = self.parcel(shelf, &digest, bytes)?;
                    kept_bytes = kept_bytes.saturating_add(parcel.config.bytes.len());
                    shipment.images.push(parcel);
                }
                Some(listed) => {
                    let inner = listed.iter().rev().filter_map(Descriptor::digest);
                    pending.extend(inner.map(|digest| (digest, None)));
                    shipment.indexes.push(Document { media_type: shape.kind(), digest, bytes });
                }
            }
        }
        shipment.indexes.reverse();
        Ok(shipment)
    }
}
