//! That an image is all here before anything is made of it.

use crate::image::{DigestCheck, Image, LayerContents, display_in_sentence};

/// What of an image is not here, or is not what it says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotWhole {
    /// A layer that ends too early or is damaged.
    #[error("layer {layer} ({name}) is broken: what it held cannot be told")]
    Broken {
        /// Its place, the base being 0.
        layer: usize,
        /// As the source names it, safe to show.
        name: String,
    },
    /// A layer whose bytes have another digest than the image gives.
    #[error("layer {layer} ({name}) is not the one that the image names: its bytes have another digest")]
    Other {
        /// Its place, the base being 0.
        layer: usize,
        /// As the source names it, safe to show.
        name: String,
    },
    /// A layer that holds something other than a tar stream, or is not in the source.
    #[error("layer {layer} ({name}) cannot be read: {reason}")]
    Unreadable {
        /// Its place, the base being 0.
        layer: usize,
        /// As the source names it, safe to show.
        name: String,
        /// Why, safe to show.
        reason: String,
    },
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

/// Looks for layers that are not whole.
///
/// # Errors
/// [`NotWhole`], of the lowest such layer.
pub fn whole(image: &Image) -> Result<(), NotWhole> {
    for (layer, about) in image.layers.iter().enumerate() {
        let name = || display_in_sentence(&about.stored_as);
        match &about.contents {
            LayerContents::Broken => return Err(NotWhole::Broken { layer, name: name() }),
            LayerContents::Absent(paths) => {
                let path = paths.first().map_or_else(|| "store paths".to_owned(), |path| display_in_sentence(path));
                return Err(NotWhole::Absent { layer, path });
            }
            LayerContents::Unreadable(reason) => {
                return Err(NotWhole::Unreadable { layer, name: name(), reason: display_in_sentence(reason) });
            }
            LayerContents::Present if matches!(about.diff_id_check, DigestCheck::Differs { .. }) => {
                return Err(NotWhole::Other { layer, name: name() });
            }
            LayerContents::Present => {}
        }
    }
    Ok(())
}
