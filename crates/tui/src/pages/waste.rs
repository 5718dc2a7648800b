use crate::list::ListCursor;
use nixdive_analyse::analysis::{Assessment, RemovedDirectory, WastedPath, explain};
use nixdive_base::text::{display_bytes, display_name};
use nixdive_image::{FileTree, Image, NodeId};

/// One row of the list of waste.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WasteRow {
    pub node: NodeId,
    pub bytes: String,
    pub copies: String,
    /// Layers that hold the copies.
    pub layers: String,
    pub cause: &'static str,
    pub remedy: &'static str,
    pub path: String,
}

/// Layers that are named one by one; more are counted.
const MOST_LAYERS: usize = 4;

/// One row by its place in the assessment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A path stored more than once.
    Repeated(usize),
    /// A directory that was removed whole.
    Removed(usize),
}

/// The list of waste, the most bytes first.
#[derive(Debug, Default)]
pub struct WasteList {
    order: Vec<Place>,
    pub cursor: ListCursor,
}

impl WasteList {
    pub fn new(assessment: &Assessment) -> Self {
        let repeated = assessment.wasted.iter().enumerate().map(|(place, path)| (path.bytes, Place::Repeated(place)));
        let removed = assessment.removed_directories.iter().enumerate();
        let removed = removed.map(|(place, directory)| (directory.bytes, Place::Removed(place)));
        let mut order: Vec<(u64, Place)> = repeated.chain(removed).collect();
        order.sort_by_key(|&(bytes, _)| std::cmp::Reverse(bytes));
        Self { order: order.into_iter().map(|(_, place)| place).collect(), cursor: ListCursor::default() }
    }

    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// A row by its number, with its explanation.
    pub fn row(&self, image: &Image, assessment: &Assessment, index: usize) -> Option<WasteRow> {
        waste_row(image, assessment, *self.order.get(index)?)
    }
}

fn waste_row(image: &Image, assessment: &Assessment, place: Place) -> Option<WasteRow> {
    match place {
        Place::Repeated(index) => Some(repeated(image, *assessment.wasted.get(index)?)),
        Place::Removed(index) => Some(removed(&image.tree, assessment.removed_directories.get(index)?)),
    }
}

fn repeated(image: &Image, wasted: WastedPath) -> WasteRow {
    let waste = explain(image, wasted);
    let mut layers: Vec<u16> = waste.sightings.iter().map(|copy| copy.layer.0).collect();
    layers.dedup();
    WasteRow {
        node: waste.node,
        bytes: display_bytes(waste.bytes),
        copies: format!("{}×", waste.sightings.len()),
        layers: named(&layers),
        cause: waste.cause.describe(),
        remedy: waste.cause.remedy().describe(),
        path: path(&image.tree, waste.node),
    }
}

fn removed(tree: &FileTree, directory: &RemovedDirectory) -> WasteRow {
    WasteRow {
        node: directory.node,
        bytes: display_bytes(directory.bytes),
        copies: String::new(),
        layers: directory.layer.0.to_string(),
        cause: "directory removed later, still shipped",
        remedy: "remove it in the layer that adds it, or do not add it",
        path: path(tree, directory.node),
    }
}

fn named(layers: &[u16]) -> String {
    let shown: Vec<String> = layers.iter().take(MOST_LAYERS).map(u16::to_string).collect();
    match layers.len().checked_sub(MOST_LAYERS).filter(|&more| more > 0) {
        Some(more) => format!("{} +{more}", shown.join(" ")),
        None => shown.join(" "),
    }
}

fn path(tree: &FileTree, node: NodeId) -> String {
    display_name(&tree.path(node)).into_owned()
}
