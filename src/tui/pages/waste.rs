use crate::analysis::{Assessment, explain};
use crate::image::{FileTree, Image, NodeId, display_bytes, display_name};

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

/// Rows that there are: paths that are there more than once, then directories that were removed whole.
pub fn waste_rows(assessment: &Assessment) -> usize {
    assessment.wasted.len() + assessment.removed_directories.len()
}

/// A row by its number, explained when it is looked at.
pub fn waste_row(image: &Image, assessment: &Assessment, index: usize) -> Option<WasteRow> {
    if let Some(&wasted) = assessment.wasted.get(index) {
        let waste = explain(image, wasted);
        let mut layers: Vec<u16> = waste.sightings.iter().map(|copy| copy.layer.0).collect();
        layers.dedup();
        return Some(WasteRow {
            node: waste.node,
            bytes: display_bytes(waste.bytes),
            copies: format!("{}×", waste.sightings.len()),
            layers: named(&layers),
            cause: waste.cause.describe(),
            remedy: waste.cause.remedy().describe(),
            path: path(&image.tree, waste.node),
        });
    }
    let removed = assessment.removed_directories.get(index.checked_sub(assessment.wasted.len())?)?;
    Some(WasteRow {
        node: removed.node,
        bytes: display_bytes(removed.bytes),
        copies: String::new(),
        layers: removed.layer.0.to_string(),
        cause: "directory removed later, still shipped",
        remedy: "remove it in the layer that brings it, or do not bring it",
        path: path(&image.tree, removed.node),
    })
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
