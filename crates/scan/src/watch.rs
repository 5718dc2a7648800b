use std::fmt;

use nixdive_image::EntryFields;

/// Looks at content while it is read for another reason, so that it need not be read again.
pub trait ContentWatch: fmt::Debug + Send + Sync {
    /// Begins a layer. Several may be under way at once.
    fn begin_layer(&self) -> Box<dyn LayerWatch>;
}

/// Looks at one layer.
pub trait LayerWatch {
    /// Takes the next entry, in the order of the layer: its path below the root, its link target,
    /// its header fields. Returns `true` if the content is wanted, which only files that are not
    /// sparse can provide.
    fn entry(&mut self, path: &[u8], link: &[u8], fields: &EntryFields) -> bool;

    /// Takes the next bytes of the content that was wanted.
    fn content(&mut self, piece: &[u8]);

    /// Ends the layer; `complete` where it could be read to its end. The number under which what was noted is kept.
    fn finish(self: Box<Self>, complete: bool) -> usize;
}
