use std::borrow::Cow;

use hashbrown::HashMap;

use nixdive_image::{FileTree, Kind, LayerIndex, NodeId};

use super::set::trim_slashes;
use super::{DatabaseFile, Ownership, Package, PackageIndex, PackageSet, Parsed, Problem, is_wanted, parse};

/// The content of a file of one layer whose path [`is_wanted`].
#[derive(Debug, Clone, Copy)]
pub struct CapturedFile<'a> {
    /// The layer it is in.
    pub layer: LayerIndex,
    /// Absolute path; a leading slash may be left out.
    pub path: &'a [u8],
    /// All of its bytes.
    pub content: &'a [u8],
}

/// The packages of an image and what each has in it.
#[derive(Debug, Default)]
pub struct Inventory {
    /// All installed packages.
    pub packages: PackageSet,
    /// Which package owns which path.
    pub ownership: Ownership,
    /// Databases that could not be read, wholly or in part.
    pub problems: Vec<Problem>,
}

impl Inventory {
    /// Bytes that a package takes: what its database says, or else the sum of its files in the image.
    #[must_use]
    pub fn installed_bytes(&self, index: PackageIndex) -> u64 {
        self.packages.get(index).installed_bytes.unwrap_or_else(|| self.ownership.of(index).bytes)
    }
}

/// Finds the packages of an image as `layer` leaves it. `captured` holds the databases of any layers, lower ones
/// included; those that a container would not see are left alone.
#[must_use]
pub fn find(tree: &FileTree, layer: LayerIndex, captured: &[CapturedFile<'_>]) -> Inventory {
    if captured.is_empty() {
        return Inventory::default();
    }
    let visible = visible_databases(tree, layer, captured);
    let files: Vec<DatabaseFile<'_>> = visible.iter().map(|visible| visible.file.clone()).collect();
    let Parsed { packages, problems } = parse(&files);
    let database_layer = |package: &Package| visible.get(package.database_file).map(|visible| visible.layer);
    let ownership = Ownership::compute(tree, layer, &packages, &database_layer);
    Inventory { packages, ownership, problems }
}

/// Bytes of databases that are read once more because a hard link names them. A link costs an image nothing, so
/// reading through many of them must be bounded.
const MAX_LINKED_BYTES: usize = 128 << 20;

struct Visible<'a> {
    file: DatabaseFile<'a>,
    layer: LayerIndex,
}

/// The databases that are to be seen when the layers up to `layer` are stacked, by path.
fn visible_databases<'a>(tree: &FileTree, layer: LayerIndex, captured: &'a [CapturedFile<'_>]) -> Vec<Visible<'a>> {
    // Of one path twice in a layer the last counts, as in the tree.
    let contents: HashMap<(NodeId, LayerIndex), &'a CapturedFile<'_>> = captured
        .iter()
        .filter_map(|captured| Some(((tree.lookup(captured.path)?, captured.layer), captured)))
        .collect();
    let mut visible = Vec::new();
    for (&(node, of), captured) in &contents {
        let seen = tree.visible_at(node, layer).map(|id| tree.occurrence(id));
        if seen.is_some_and(|seen| seen.layer == of && seen.kind == Kind::File) {
            let file = DatabaseFile { path: Cow::Borrowed(captured.path), content: captured.content };
            visible.push(Visible { file, layer: of });
        }
    }
    let mut budget = MAX_LINKED_BYTES;
    for index in tree.layer_indices().filter(|&index| index <= layer) {
        for id in tree.layer_occurrences(index).filter(|&id| tree.occurrence(id).kind == Kind::HardLink) {
            let node = tree.occurrence(id).node();
            let path = tree.path(node);
            if !is_wanted(&path) || tree.visible_at(node, layer) != Some(id) {
                continue;
            }
            let content = tree.content_of(id).map(|content| tree.occurrence(content));
            if let Some(captured) = content.and_then(|content| contents.get(&(content.node(), content.layer)))
                && let Some(rest) = budget.checked_sub(captured.content.len())
            {
                budget = rest;
                let file = DatabaseFile { path: Cow::Owned(path), content: captured.content };
                visible.push(Visible { file, layer: index });
            }
        }
    }
    visible.sort_by(|left, right| trim_slashes(&left.file.path).cmp(trim_slashes(&right.file.path)));
    visible
}

#[cfg(test)]
mod tests {
    use super::*;
    use nixdive_image::{EntryBatch, EntryFields, TreeBuilder, compute_history};

    fn tree(layers: &[&[(&str, Kind, &str)]]) -> FileTree {
        let mut builder = TreeBuilder::new();
        for layer in layers {
            builder.begin_layer().unwrap();
            let mut batch = EntryBatch::default();
            for (path, kind, link) in *layer {
                batch.push(path.as_bytes(), link.as_bytes(), EntryFields { bytes: 7, ..EntryFields::new(*kind) });
            }
            builder.add(&batch).unwrap();
        }
        let mut tree = builder.finish();
        compute_history(&mut tree, &mut |_: &FileTree, _, _| true);
        tree
    }

    fn captured<'a>(layer: u16, path: &'a str, content: &'a str) -> CapturedFile<'a> {
        CapturedFile { layer: LayerIndex(layer), path: path.as_bytes(), content: content.as_bytes() }
    }

    #[test]
    fn the_database_of_the_highest_layer_counts_and_a_removed_one_does_not() {
        let tree = tree(&[
            &[("lib/apk/db/installed", Kind::File, ""), ("opt/a.dist-info/METADATA", Kind::File, "")],
            &[("lib/apk/db/installed", Kind::File, ""), ("opt/.wh.a.dist-info", Kind::File, "")],
        ]);
        let files = [
            captured(1, "/lib/apk/db/installed", "P:new\nV:2\nI:5\n\nP:other\nV:1\n"),
            captured(0, "/lib/apk/db/installed", "P:old\nV:1\n"),
            captured(0, "/opt/a.dist-info/METADATA", "Name: a\nVersion: 1\n"),
        ];
        let found = find(&tree, LayerIndex(1), &files);
        let names: Vec<&str> = found.packages.packages().iter().map(|package| &*package.name).collect();
        assert_eq!(names, ["new", "other"]);
        assert_eq!(found.ownership.of(PackageIndex(0)).layer, Some(LayerIndex(1)));
        assert_eq!((found.installed_bytes(PackageIndex(0)), found.installed_bytes(PackageIndex(1))), (5, 0));
        let below = find(&tree, LayerIndex(0), &files);
        assert_eq!(below.packages.packages().len(), 2);
    }

    #[test]
    fn a_database_that_is_a_second_name_of_another_is_read_there_too() {
        let tree = tree(&[&[
            ("cache/a.dist-info/METADATA", Kind::File, ""),
            ("venv/a.dist-info/METADATA", Kind::HardLink, "cache/a.dist-info/METADATA"),
        ]]);
        let found = find(&tree, LayerIndex(0), &[captured(0, "cache/a.dist-info/METADATA", "Name: a\nVersion: 1\n")]);
        assert_eq!(found.packages.packages().len(), 2);
        let owned = found.ownership.files(PackageIndex(1)).iter().map(|&node| tree.path(node));
        assert_eq!(owned.collect::<Vec<_>>(), [b"/venv/a.dist-info/METADATA"]);
    }
}
