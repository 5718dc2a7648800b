use serde::{Serialize, Serializer};

use super::DocumentPath;
use crate::Inspection;
use crate::names::difference_names;
use nixdive_analyse::analysis::{Cause, Remedy, Waste, explain};
use nixdive_image::FileTree;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WasteDocument {
    #[serde(flatten)]
    path: DocumentPath,
    bytes: u64,
    hidden_bytes: u64,
    count: usize,
    cause: Cause,
    remedy: Remedy,
    copies: Vec<CopyDocument>,
}

impl WasteDocument {
    fn new(tree: &FileTree, waste: &Waste) -> Self {
        let copies = waste.sightings.iter().map(|copy| CopyDocument {
            layer: copy.layer.0,
            bytes: copy.bytes,
            whiteout: copy.is_whiteout,
            changed: difference_names(copy.difference),
        });
        Self {
            path: DocumentPath::new(tree, waste.node),
            bytes: waste.bytes,
            hidden_bytes: waste.hidden_bytes,
            count: waste.sightings.len(),
            cause: waste.cause,
            remedy: waste.cause.remedy(),
            copies: copies.collect(),
        }
    }
}

#[derive(Serialize)]
struct CopyDocument {
    layer: u16,
    bytes: u64,
    whiteout: bool,
    changed: Vec<&'static str>,
}

#[derive(Serialize)]
pub(super) struct RemovedDirectoryDocument {
    #[serde(flatten)]
    path: DocumentPath,
    bytes: u64,
    layer: u16,
}

/// A list whose items are made while they are written.
pub(super) trait Items {
    type Item: Serialize;
    fn items(&self) -> impl Iterator<Item = Self::Item>;
}

pub(super) struct Each<T>(pub T);

impl<T: Items> Serialize for Each<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.items())
    }
}

pub(super) struct WasteList<'a>(pub &'a Inspection<'a>);

impl Items for WasteList<'_> {
    type Item = WasteDocument;

    fn items(&self) -> impl Iterator<Item = WasteDocument> {
        let image = self.0.image;
        self.0.assessment.wasted.iter().map(|&path| WasteDocument::new(&image.tree, &explain(image, path)))
    }
}

pub(super) struct RemovedList<'a>(pub &'a Inspection<'a>);

impl Items for RemovedList<'_> {
    type Item = RemovedDirectoryDocument;

    fn items(&self) -> impl Iterator<Item = RemovedDirectoryDocument> {
        let tree = &self.0.image.tree;
        self.0.assessment.removed_directories.iter().map(|directory| RemovedDirectoryDocument {
            path: DocumentPath::new(tree, directory.node),
            bytes: directory.bytes,
            layer: directory.layer.0,
        })
    }
}
