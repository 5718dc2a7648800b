use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use nixdive_base::text::display_name;
use nixdive_image::{Image, LayerIndex, NodeId, OccurrenceId, Resolution};

/// The layer that `--layer` names, by number or digest; the topmost without it. An image without layers has no files
/// up to any layer.
pub fn layer(image: &Image, wanted: Option<&str>) -> anyhow::Result<LayerIndex> {
    let top = image.tree.top_layer();
    let Some(wanted) = wanted else { return Ok(top.unwrap_or(LayerIndex(0))) };
    let Some(top) = top else { anyhow::bail!("the image has no layers") };
    if let Ok(number) = wanted.parse::<usize>() {
        let found = image.tree.layer_indices().nth(number);
        return found.ok_or_else(|| {
            anyhow::anyhow!("no layer {number}: layers are numbered from 0, the base, to {}", top.index())
        });
    }
    let hex = wanted.strip_prefix("sha256:").unwrap_or(wanted);
    let named = |index: &LayerIndex| {
        let layer = &image.layers[index.index()];
        [&layer.diff_id, &layer.digest].into_iter().flatten().any(|digest| digest.hex().starts_with(hex))
    };
    let mut fitting = image.tree.layer_indices().filter(named);
    match (fitting.next(), fitting.next()) {
        (Some(one), None) if hex.len() >= 4 => Ok(one),
        (None, _) => anyhow::bail!("no layer has the number or digest `{}`", display_name(wanted.as_bytes())),
        _ => anyhow::bail!("several layers match `{}`; give more of the digest", display_name(wanted.as_bytes())),
    }
}

/// The path that the user named, as it is with the layers up to `layer`.
pub fn node(image: &Image, path: &OsStr, layer: LayerIndex, follow_last: bool) -> anyhow::Result<NodeId> {
    let shown = display_name(path.as_bytes()).into_owned();
    match image.tree.resolve(path.as_bytes(), layer, follow_last) {
        Resolution::Found { node, .. } => Ok(node),
        Resolution::Missing { path: missing, links } if !links.is_empty() => {
            anyhow::bail!("`{shown}` is not in the image: it links to {}", display_name(&missing))
        }
        Resolution::Missing { .. } => anyhow::bail!("`{shown}` is not in the image"),
        Resolution::TooManyLinks => anyhow::bail!("`{shown}` leads into a ring of symbolic links"),
    }
}

/// The entry of a path that has one.
pub fn entry(image: &Image, node: NodeId, layer: LayerIndex) -> Option<OccurrenceId> {
    image.tree.visible_at(node, layer)
}
