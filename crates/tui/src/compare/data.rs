use std::sync::Arc;

use super::summary::{Line, summary};
use super::tables::{Table, Tables};
use nixdive_analyse::compare::{CompareOptions, Differences, PairTree, Sharing, Side};
use nixdive_base::text::display_name;
use nixdive_image::Image;
use nixdive_nix::study::StoreStudy;
use nixdive_packages::Inventory;

/// One of the images that are compared, with all that is known of it.
#[derive(Debug, Clone)]
pub struct ComparedImage {
    /// The image.
    pub image: Arc<Image>,
    /// Its packages.
    pub packages: Arc<Inventory>,
    /// Its Nix store, where it has one.
    pub store: Option<Arc<StoreStudy>>,
}

impl ComparedImage {
    /// As a side of a comparison.
    #[must_use]
    pub fn side(&self) -> Side<'_> {
        Side { image: &self.image, packages: &self.packages, store: self.store.as_deref() }
    }

    /// Name of the image: the first reference that the source lists, else the typed one.
    pub(in super::super) fn title(&self) -> String {
        let identity = &self.image.identity;
        let reference = identity.references.first().filter(|reference| !reference.is_empty());
        display_name(reference.unwrap_or(&identity.requested).as_bytes()).into_owned()
    }
}

/// Numbers, from 0, of the old and the new image among those opened together.
pub type PairNumbers = (usize, usize);

/// A question for a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompareRequest {
    /// Images to compare.
    pub pair: PairNumbers,
    /// Options of the comparison.
    pub options: CompareOptions,
}

/// A comparison of two images, ready to show.
#[derive(Debug)]
pub struct Compared {
    /// Request that this answers.
    pub request: CompareRequest,
    /// The old image.
    pub left: ComparedImage,
    /// The new image.
    pub right: ComparedImage,
    /// All that differs.
    pub differences: Differences,
    /// Parts that could not be read, as sentences.
    pub notes: Vec<String>,
    /// Both trees, laid over each other.
    pub(in super::super) tree: PairTree,
    pub(in super::super) summary: Vec<Line>,
    tables: Tables,
}

impl Compared {
    /// Lays the trees over each other and puts the differences into words and tables: what takes too long for a screen.
    #[must_use]
    pub fn new(
        request: CompareRequest,
        left: ComparedImage,
        right: ComparedImage,
        differences: Differences,
        notes: Vec<String>,
    ) -> Self {
        let tree = PairTree::new(&left.image, &right.image, &differences.files);
        let summary = summary(&left, &right, &differences, &notes);
        let tables = Tables::new(&left, &right, &differences);
        Self { request, left, right, differences, notes, tree, summary, tables }
    }

    /// One of the tables.
    pub(in super::super) fn table(&self, page: super::PairPage) -> Option<&Table> {
        self.tables.get(page)
    }
}

/// Several images and what they share, ready to show.
#[derive(Debug)]
pub struct Shared {
    /// The images, in the order of the matrices.
    pub images: Vec<ComparedImage>,
    /// Content that they share.
    pub sharing: Sharing,
    /// Parts that could not be read, as sentences.
    pub notes: Vec<String>,
}

/// Progress of reading one of several images.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SideProgress {
    /// Its bytes.
    pub transfer: super::super::Transfer,
    /// Entries met so far.
    pub entries: u64,
    /// Stage of the work.
    pub stage: Stage,
}

/// Stages of opening an image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Stage {
    /// Its manifest is looked for.
    #[default]
    Opening,
    /// Its layers are read.
    Reading,
    /// The image is read.
    Read,
}
