//! That an image is all here before anything is made of it.

use nixdive_base::text::display_in_sentence;
use nixdive_image::{Image, LayerContents};

/// What of an image is not here, or is not what it says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotWhole {
    /// A layer of store paths that the source only names.
    #[error(
        "the files of layer {layer} are not here: it is made of {path}, which is not in the Nix store of this machine"
    )]
    Absent {
        /// Its place, the base being 0.
        layer: usize,
        /// One of the store paths, safe to show.
        path: String,
    },
}

/// Looks for layers whose store paths are not here. Whether an image that is otherwise incomplete or altered is rebuilt is
/// for whoever opens it to decide.
///
/// # Errors
/// [`NotWhole`], of the lowest such layer.
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
