use hashbrown::HashMap;

use crate::graph::PathId;
use crate::references::{Reference, ReferenceScanner};
use nixdive_image::{FileTree, NodeId, OccurrenceId};

use super::entries::{PathEntries, TreeEntryKind};

/// References in the content of files, by the occurrence that has the content. A reference's
/// candidate is a [`PathId`]; see [`super::StoreContents::candidates`].
pub type ContentReferences = HashMap<OccurrenceId, Vec<Reference>>;

/// The part of a file system in which a hash occurs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// In a file's content, this many bytes from its beginning.
    Content(u64),
    /// In a link's target.
    LinkTarget,
    /// In the name of a file.
    Name,
}

/// One proof that something refers to a store path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evidence {
    /// The file, link or directory.
    pub node: NodeId,
    /// Location of the hash's first occurrence in it.
    pub place: Place,
    /// Path that it refers to.
    pub to: PathId,
}

/// Returns the references of one store path's entries, including to itself, as Nix finds them: in
/// contents, link targets and names below the store path. In the order of the NAR; the same
/// reference once for each entry that has it, at most `most` in all.
#[must_use]
pub fn references_between(
    tree: &FileTree,
    entries: &PathEntries,
    contents: &ContentReferences,
    scanner: &mut ReferenceScanner,
    most: usize,
) -> Vec<Evidence> {
    let mut found = Vec::new();
    for entry in &entries.entries {
        if found.len() >= most {
            break;
        }
        if entry.depth > 0 {
            evidence(&mut found, entry.node, |_| Place::Name, &scanner.scan(tree.name(entry.node)));
        }
        match entry.kind {
            TreeEntryKind::Directory => {}
            TreeEntryKind::Symlink(id) => {
                let target = tree.link_target(id).unwrap_or_default();
                evidence(&mut found, entry.node, |_| Place::LinkTarget, &scanner.scan(target));
            }
            TreeEntryKind::File { content, .. } => {
                let references = contents.get(&content).map_or(&[][..], Vec::as_slice);
                evidence(&mut found, entry.node, Place::Content, references);
            }
        }
    }
    found.truncate(most);
    found
}

pub(super) fn evidence(
    found: &mut Vec<Evidence>,
    node: NodeId,
    place: impl Fn(u64) -> Place,
    references: &[Reference],
) {
    let proof =
        |reference: &Reference| Evidence { node, place: place(reference.offset), to: PathId(reference.candidate) };
    found.extend(references.iter().map(proof));
}
