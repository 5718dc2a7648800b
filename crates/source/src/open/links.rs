//! Names through symbolic links of lower layers, on which container engines disagree.

use nixdive_base::text::{display_in_sentence, display_name};
use nixdive_image::{FileTree, HiddenLink, LayerIndex, Warning};

/// Returns warnings about names through links of lower layers, and about names that no engine unpacks, at most one of
/// each.
pub(super) fn warnings(tree: &FileTree) -> Vec<Warning> {
    let mut found = Vec::new();
    let mut links = tree.hidden_links();
    let count = links.len();
    if let Some(first) = links.next() {
        found.push(through_link(tree, first, count - 1));
    }
    match tree.refused_names() {
        0 => {}
        count => found.push(Warning {
            layer: None,
            message: format!(
                "{} below a file or an endless link of the same layer: container engines refuse to unpack the image; \
                 a directory is shown there",
                nixdive_base::text::counted(count, "entry").replace("entrys", "entries")
            ),
        }),
    }
    found
}

fn through_link(tree: &FileTree, hidden: HiddenLink, others: usize) -> Warning {
    let directory = tree.occurrence(hidden.directory);
    let shown = |bytes: &[u8]| display_in_sentence(&display_name(bytes));
    let path = shown(&tree.path(directory.node()));
    let target = shown(tree.link_target(hidden.link).unwrap_or_default());
    let LayerIndex(layer) = directory.layer;
    let more = match others {
        0 => String::new(),
        count => format!(" (and {count} more like it)"),
    };
    Warning {
        layer: Some(directory.layer),
        message: format!(
            "layer {layer} writes through {path}, a symbolic link to {target} of a lower layer{more}: Docker, Podman \
             and containerd hide the link with a directory, as shown here; umoci and the vfs storage driver follow it"
        ),
    }
}
