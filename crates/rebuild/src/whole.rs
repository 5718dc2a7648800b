//! Check that all parts of an image are present before a rebuild.

use nixdive_base::text::display_in_sentence;
use nixdive_image::{Image, LayerContents};

/// Absent part of an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotWhole {
    /// A layer of store paths has no contents at the source.
    #[error("the files of layer {layer} are absent: it contains {path}, which is not in the Nix store of this machine")]
    Absent {
        /// Position of the layer; the base is 0.
        layer: usize,
        /// One of its store paths; safe to show.
        path: String,
    },
}

/// Checks for layers whose store paths are absent. Other incomplete or altered images are the responsibility of the
/// caller that opens them.
///
/// # Errors
/// [`NotWhole`] for the lowest such layer.
pub fn whole(image: &Image) -> Result<(), NotWhole> {
    for (layer, about) in image.layers.iter().enumerate() {
        if let LayerContents::Absent(paths) = &about.contents
            && let Some(path) = paths.first()
        {
            return Err(NotWhole::Absent { layer, path: display_in_sentence(path) });
        }
    }
    Ok(())
}
