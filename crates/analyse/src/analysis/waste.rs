use nixdive_image::{Difference, FileTree, Image, Kind, LayerIndex, NodeId, OccurrenceId};

use super::WastedPath;
use super::efficiency::{Hidden, hidden_by_whiteout};

/// Why a path wastes bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Cause {
    /// A container does not see it: a layer above removes it, or a directory above it.
    DeletedLater,
    /// A layer above writes other content.
    Overwritten,
    /// A layer above changes mode, owner or extended attributes only, and holds a whole copy for it.
    MetadataOnly,
    /// A layer above holds the same file once more, at most with another time.
    WrittenAgain,
    /// It was removed, and a layer above writes it again.
    Restored,
}

impl Cause {
    /// In a few words.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::DeletedLater => "deleted later",
            Self::Overwritten => "overwritten",
            Self::MetadataOnly => "changed mode or owner only",
            Self::WrittenAgain => "written again unchanged",
            Self::Restored => "deleted, then written again",
        }
    }

    /// Returns the measure that would save the bytes.
    #[must_use]
    pub fn remedy(self) -> Remedy {
        match self {
            Self::DeletedLater => Remedy::DeleteWhereWritten,
            Self::Overwritten | Self::Restored => Remedy::WriteFinalContentOnce,
            Self::MetadataOnly => Remedy::SetMetadataWhereWritten,
            Self::WrittenAgain => Remedy::LeaveOutOfUpperLayer,
        }
    }
}

/// A measure that would save wasted bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Remedy {
    /// Delete it in the step that writes it, or do not bring it in.
    DeleteWhereWritten,
    /// Write it once, with the content that it shall have.
    WriteFinalContentOnce,
    /// Set mode and owner in the step that writes it (`COPY --chmod`, `COPY --chown`, the same `RUN`).
    SetMetadataWhereWritten,
    /// Leave it out of the upper layer: the lower one has it already.
    LeaveOutOfUpperLayer,
}

impl Remedy {
    /// In a sentence.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::DeleteWhereWritten => "delete it in the step that writes it, or do not bring it in",
            Self::WriteFinalContentOnce => "write it once, with its final content",
            Self::SetMetadataWhereWritten => "set mode and owner in the step that writes it",
            Self::LeaveOutOfUpperLayer => "leave it out of the upper layer",
        }
    }
}

/// One time that a path is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting {
    /// Layer that contains the occurrence.
    pub layer: LayerIndex,
    /// Bytes that the occurrence counts.
    pub bytes: u64,
    /// True if the occurrence removes the path.
    pub is_whiteout: bool,
    /// In what the copy differs from the one below; empty for a whiteout.
    pub difference: Difference,
}

/// A wasting path in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waste {
    /// The path.
    pub node: NodeId,
    /// Sum over the copies, bytes.
    pub bytes: u64,
    /// Bytes of these that no container sees: saved by storing the path once, or not at all.
    pub hidden_bytes: u64,
    /// Why.
    pub cause: Cause,
    /// Base layer first.
    pub sightings: Vec<Sighting>,
}

/// Says of a wasting path where its copies are and why they are there.
#[must_use]
pub fn explain(image: &Image, path: WastedPath) -> Waste {
    let tree = &image.tree;
    let sightings = sightings(tree, path.node);
    let visible = tree.top_layer().and_then(|top| tree.visible_at(path.node, top));
    let visible_bytes = visible.map_or(0, |id| tree.occurrence(id).bytes);
    Waste {
        node: path.node,
        bytes: path.bytes,
        hidden_bytes: path.bytes.saturating_sub(visible_bytes),
        cause: cause(&sightings, visible),
        sightings,
    }
}

fn sightings(tree: &FileTree, node: NodeId) -> Vec<Sighting> {
    let mut found = Vec::new();
    for id in tree.occurrences_of(node) {
        let occurrence = tree.occurrence(id);
        let layer = occurrence.layer;
        let is_mark = matches!(occurrence.kind, Kind::Whiteout | Kind::OpaqueMark) || occurrence.is_implied();
        if occurrence.is_leaf() && !is_mark {
            let difference = occurrence.difference();
            found.push(Sighting { layer, bytes: occurrence.bytes, is_whiteout: false, difference });
        }
        if occurrence.kind == Kind::Whiteout || occurrence.is_whiteout_too() {
            let bytes = match hidden_by_whiteout(tree, node, layer) {
                Hidden::Nothing => continue,
                Hidden::Other => 0,
                Hidden::Directory(bytes) => bytes,
            };
            found.push(Sighting { layer, bytes, is_whiteout: true, difference: Difference::empty() });
        }
    }
    found.reverse();
    found
}

fn cause(sightings: &[Sighting], visible: Option<OccurrenceId>) -> Cause {
    if visible.is_none() {
        return Cause::DeletedLater;
    }
    if sightings.iter().any(|sighting| sighting.is_whiteout) {
        return Cause::Restored;
    }
    let mut changes = sightings.iter().skip(1).map(|sighting| sighting.difference);
    let all = changes
        .try_fold(Difference::empty(), |all, change| (!change.contains(Difference::ADDED)).then_some(all | change));
    let content = Difference::TYPE | Difference::CONTENT | Difference::LINK;
    match all {
        None => Cause::Restored,
        Some(all) if all.intersects(content) => Cause::Overwritten,
        Some(all) if all.is_real() => Cause::MetadataOnly,
        Some(_) => Cause::WrittenAgain,
    }
}
