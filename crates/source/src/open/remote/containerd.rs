//! Images in containerd's content store, read from disk.

use std::io;

use crate::engines::{ContentStore, EngineError};
use crate::formats::{Container, ContentStoreContainer, SourceError, read_remote};
use crate::open::seekable::open_layers;
use crate::open::{OpenError, Opened, Opening};
use nixdive_image::reference::Engine;
use nixdive_image::{DefectKind, Digest};

impl Opening<'_> {
    /// Opens an image of containerd.
    pub(super) fn containerd(&self, name: &str) -> Result<Opened, OpenError> {
        let failed = |error: EngineError| self.source_error(SourceError::Io(io::Error::other(error)));
        let nowhere = || EngineError::NotThere { engine: Engine::Containerd, tried: Vec::new() };
        let environment = self.options.remote.engines.as_ref().ok_or_else(nowhere).map_err(failed)?;
        let (store, digest) = ContentStore::find_image(environment, name).map_err(failed)?;
        self.stored(&store, name, &digest)
    }

    /// Opens the image of a manifest in a store.
    pub(super) fn stored(&self, store: &ContentStore, name: &str, digest: &Digest) -> Result<Opened, OpenError> {
        let container = ContentStoreContainer::new(&store.content());
        let manifest = container.required(&format!("manifests/{digest}"), "containerd's database");
        let mut layout = manifest
            .and_then(|bytes| read_remote(&container, &self.request(), digest, &bytes))
            .map_err(|error| self.source_error(incomplete(error)))?;
        layout.identity.source_kind = "containerd".to_owned();
        layout.identity.references = vec![name.to_owned()];
        for defect in layout.defects.iter_mut().filter(|defect| defect.kind == DefectKind::Incomplete) {
            defect.message.push_str(&format!("; {INCOMPLETE}"));
        }
        self.progress.identified(&layout);
        open_layers(self, &container, layout, None)
    }
}

/// Explanation for missing parts of an image.
const INCOMPLETE: &str = "containerd keeps only the fetched parts of an image and, with discard_unpacked_layers, no \
                          unpacked layers; `ctr content fetch` completes the image";

/// containerd may have only the platform of this machine, and only layers that are not unpacked yet.
fn incomplete(error: SourceError) -> SourceError {
    match error {
        SourceError::Missing { name, named_by } => {
            SourceError::Broken(format!("`{name}`: not in the store, although {named_by} refers to it: {INCOMPLETE}"))
        }
        other => other,
    }
}
