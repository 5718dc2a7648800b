use std::ops::Range;

use nixdive_image::{Baseline, Change, FileTree, Kind, LayerIndex, NodeId, OccurrenceId, Scope};

use super::resolve::{DirectoryResolver, Place};
use super::{Package, PackageIndex, PackageSet};

/// Files and bytes of a package in the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned {
    /// The layer that holds most of its bytes, of several the lowest; of a package without a file in the image the
    /// layer of its database entry, where that is known.
    pub layer: Option<LayerIndex>,
    /// Bytes of its files that are in the image; a hard link counts with the file it names.
    pub bytes: u64,
    nodes: Range<u32>,
}

impl Owned {
    /// Number of its files that are in the image.
    #[must_use]
    pub fn file_count(&self) -> usize {
        self.nodes.len()
    }
}

/// Which package owns which path of an image. 8 bytes an owned path in one direction, 4 in the other.
#[derive(Debug, Default)]
pub struct Ownership {
    owned: Vec<Owned>,
    nodes: Vec<NodeId>,
    owners: Vec<(NodeId, PackageIndex)>,
}

impl Ownership {
    /// Finds the files of `packages` in the image as `layer` leaves it. A listed path is followed through links in its
    /// directories, so that `/bin/sh` owns `/usr/bin/sh` where `/bin` is a link. Directories are owned by nobody.
    ///
    /// `database_layer` tells the layer of a database file, by [`Package::database_file`].
    #[must_use]
    pub fn compute(
        tree: &FileTree,
        layer: LayerIndex,
        packages: &PackageSet,
        database_layer: &dyn Fn(&Package) -> Option<LayerIndex>,
    ) -> Self {
        let mut resolver = DirectoryResolver::new(tree, layer);
        let places: Vec<Option<Place>> = packages.directories().map(|path| resolver.resolve(path)).collect();
        let mut ownership = Self::default();
        let mut sums = LayerSums::new(tree.layer_count());
        let mut found: Vec<(NodeId, OccurrenceId)> = Vec::new();
        for (package, index) in packages.packages().iter().zip(packages.indices()) {
            found.clear();
            for file in packages.files(package) {
                let place = places.get(file.directory_index).copied().flatten();
                found.extend(place.and_then(|place| visible_file(tree, layer, place, file.name)));
            }
            found.sort_unstable();
            found.dedup();
            let start = ownership.nodes.len() as u32;
            for &(node, id) in &found {
                ownership.nodes.push(node);
                ownership.owners.push((node, index));
                let occurrence = tree.occurrence(id);
                sums.add(occurrence.layer, occurrence.bytes);
            }
            let (bytes, most) = sums.take();
            let nodes = start..ownership.nodes.len() as u32;
            ownership.owned.push(Owned { layer: most.or_else(|| database_layer(package)), bytes, nodes });
        }
        ownership.owners.sort_unstable();
        ownership
    }

    /// Returns the files and bytes of a package of the same set.
    #[must_use]
    pub fn of(&self, package: PackageIndex) -> &Owned {
        &self.owned[package.index()]
    }

    /// The files of a package that are in the image.
    #[must_use]
    pub fn files(&self, package: PackageIndex) -> &[NodeId] {
        let range = &self.of(package).nodes;
        self.nodes.get(range.start as usize..range.end as usize).unwrap_or_default()
    }

    /// The packages that own a file; several where a system package contains a Python distribution, or where two
    /// packages share one.
    pub fn owners(&self, node: NodeId) -> impl ExactSizeIterator<Item = PackageIndex> + use<'_> {
        let start = self.owners.partition_point(|&(owned, _)| owned < node);
        let rest = self.owners.get(start..).unwrap_or_default();
        let count = rest.iter().take_while(|&&(owned, _)| owned == node).count();
        rest.iter().take(count).map(|&(_, package)| package)
    }

    /// The first package that owns a file: one of the operating system before a Python distribution.
    #[must_use]
    pub fn owner(&self, node: NodeId) -> Option<PackageIndex> {
        self.owners(node).next()
    }
}

/// The entry of that name in a directory, where it is there and no directory.
fn visible_file(tree: &FileTree, layer: LayerIndex, place: Place, name: &[u8]) -> Option<(NodeId, OccurrenceId)> {
    let node = tree.child(place.node, name)?;
    let seen = tree.see(node, Scope::Stacked(layer), Baseline::Below, place.floors)?;
    let id = seen.occurrence.filter(|_| seen.change != Change::Removed)?;
    (tree.occurrence(id).kind != Kind::Directory).then_some((node, id))
}

/// Bytes by layer of one package at a time.
struct LayerSums {
    /// `None` for a layer that holds nothing of the package.
    bytes: Vec<Option<u64>>,
    touched: Vec<LayerIndex>,
}

impl LayerSums {
    fn new(layers: usize) -> Self {
        Self { bytes: vec![None; layers], touched: Vec::new() }
    }

    fn add(&mut self, layer: LayerIndex, bytes: u64) {
        if let Some(sum) = self.bytes.get_mut(layer.index()) {
            if sum.is_none() {
                self.touched.push(layer);
            }
            *sum = Some(sum.unwrap_or_default().saturating_add(bytes));
        }
    }

    /// Returns the sum over all layers and the layer with most, and starts over.
    fn take(&mut self) -> (u64, Option<LayerIndex>) {
        self.touched.sort_unstable();
        let mut all = 0u64;
        let mut most: Option<(u64, LayerIndex)> = None;
        for layer in self.touched.drain(..) {
            let bytes = self.bytes.get_mut(layer.index()).and_then(Option::take).unwrap_or_default();
            all = all.saturating_add(bytes);
            if most.is_none_or(|(other, _)| bytes > other) {
                most = Some((bytes, layer));
            }
        }
        (all, most.map(|(_, layer)| layer))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DatabaseFile, parse};
    use super::*;
    use nixdive_image::{EntryBatch, EntryFields, TreeBuilder, compute_history};

    fn file(bytes: u64) -> (Kind, u64, &'static str) {
        (Kind::File, bytes, "")
    }

    /// A path with its kind, bytes and link target.
    type Entry<'a> = (&'a str, (Kind, u64, &'a str));

    fn tree(layers: &[&[Entry<'_>]]) -> FileTree {
        let mut builder = TreeBuilder::new();
        for layer in layers {
            builder.begin_layer().unwrap();
            let mut batch = EntryBatch::default();
            for (path, (kind, bytes, link)) in *layer {
                let fields = EntryFields { bytes: *bytes, ..EntryFields::new(*kind) };
                batch.push(path.as_bytes(), link.as_bytes(), fields);
            }
            builder.add(&batch).unwrap();
        }
        let mut tree = builder.finish();
        compute_history(&mut tree, &mut |_: &FileTree, _, _| true);
        tree
    }

    fn apk(content: &str) -> PackageSet {
        parse(&[DatabaseFile { path: b"/lib/apk/db/installed"[..].into(), content: content.as_bytes() }]).packages
    }

    fn compute(tree: &FileTree, packages: &PackageSet) -> Ownership {
        Ownership::compute(tree, tree.top_layer().unwrap(), packages, &|_| Some(LayerIndex(9)))
    }

    fn owned_paths(tree: &FileTree, ownership: &Ownership, package: u32) -> Vec<String> {
        let mut paths: Vec<String> = ownership
            .files(PackageIndex(package))
            .iter()
            .map(|&node| String::from_utf8(tree.path(node)).unwrap())
            .collect();
        paths.sort();
        paths
    }

    #[test]
    fn a_path_is_followed_through_links_in_its_directories_and_not_at_its_end() {
        let tree = tree(&[&[
            ("bin", (Kind::Symlink, 0, "usr/bin")),
            ("usr/bin/busybox", file(800)),
            ("usr/bin/sh", (Kind::Symlink, 0, "busybox")),
        ]]);
        let packages = apk("P:a\nV:1\nF:bin\nR:sh\nR:bin\n\nP:b\nV:1\nF:\nR:bin\nF:usr/bin\nR:busybox\nR:gone\n");
        let ownership = compute(&tree, &packages);
        assert_eq!(owned_paths(&tree, &ownership, 0), ["/usr/bin/sh"]);
        assert_eq!(owned_paths(&tree, &ownership, 1), ["/bin", "/usr/bin/busybox"]);
        let busybox = tree.lookup(b"/usr/bin/busybox").unwrap();
        assert_eq!(ownership.owner(busybox), Some(PackageIndex(1)));
        assert_eq!(ownership.owner(tree.lookup(b"/usr/bin").unwrap()), None);
        assert_eq!(ownership.of(PackageIndex(1)).bytes, 800);
    }

    #[test]
    fn a_file_listed_under_two_names_counts_once() {
        let tree = tree(&[&[("bin", (Kind::Symlink, 0, "usr/bin")), ("usr/bin/sh", file(10))]]);
        let ownership = compute(&tree, &apk("P:a\nV:1\nF:bin\nR:sh\nF:usr/bin\nR:sh\n"));
        assert_eq!((ownership.of(PackageIndex(0)).bytes, ownership.files(PackageIndex(0)).len()), (10, 1));
    }

    #[test]
    fn the_layer_of_a_package_holds_most_of_its_bytes() {
        let tree = tree(&[
            &[("a/low", file(10)), ("a/replaced", file(100)), ("a/link", (Kind::Symlink, 0, "low"))],
            &[("a/high", file(20)), ("a/replaced", file(5)), ("a/equal", file(10))],
        ]);
        let packages =
            apk("P:a\nV:1\nF:a\nR:low\nR:high\n\nP:b\nV:1\nF:a\nR:low\nR:equal\n\nP:c\nV:1\nF:a\nR:link\n\n\
                            P:d\nV:1\nF:a\nR:replaced\n\nP:e\nV:1\n");
        let ownership = compute(&tree, &packages);
        let layers: Vec<u16> = packages.indices().map(|index| ownership.of(index).layer.unwrap().0).collect();
        assert_eq!(layers, [1, 0, 0, 1, 9]);
        let low = tree.lookup(b"/a/low").unwrap();
        assert_eq!(ownership.owners(low).collect::<Vec<_>>(), [PackageIndex(0), PackageIndex(1)]);
    }

    #[test]
    fn what_a_later_layer_removed_is_not_owned() {
        let tree = tree(&[
            &[("a/x", file(1)), ("b/y", file(1)), ("b/z", file(1)), ("c", (Kind::Directory, 0, ""))],
            &[(".wh.a", file(0)), ("b/.wh.y", file(0))],
        ]);
        let packages = apk("P:a\nV:1\nF:a\nR:x\nF:b\nR:y\nR:z\nF:\nR:c\n");
        assert_eq!(owned_paths(&tree, &compute(&tree, &packages), 0), ["/b/z"]);
    }

    #[test]
    fn links_that_lead_in_a_circle_lead_nowhere() {
        let tree = tree(&[&[("a", (Kind::Symlink, 0, "b")), ("b", (Kind::Symlink, 0, "a")), ("c", file(1))]]);
        let packages = apk("P:a\nV:1\nF:a/x\nR:y\nF:c\nR:y\nF:../..\nR:c\n");
        assert_eq!(owned_paths(&tree, &compute(&tree, &packages), 0), ["/c"]);
    }
}
