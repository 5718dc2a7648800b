use hashbrown::HashSet;

use nixdive_image::{FileTree, Image, LayerContents, NodeId};

/// The store paths that an image only names: what is in them is not here.
pub(super) fn absent_paths(image: &Image) -> HashSet<&str> {
    let named = image.layers.iter().flat_map(|layer| match &layer.contents {
        LayerContents::Absent(paths) => paths.as_slice(),
        LayerContents::Present | LayerContents::Broken | LayerContents::Unreadable(_) => &[],
    });
    named.map(String::as_str).collect()
}

/// The places of such paths in a tree, of the image itself or of the one that it is compared with.
pub(super) fn places_of(paths: &HashSet<&str>, tree: &FileTree) -> HashSet<NodeId> {
    paths.iter().filter_map(|path| tree.lookup(path.as_bytes())).collect()
}
