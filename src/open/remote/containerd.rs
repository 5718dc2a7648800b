//! Images in containerd's content store, read from the disk.

use std::io;

use crate::engines::{ContentStore, EngineError};
use crate::image::Digest;
use crate::open::seekable::open_layers;
use crate::open::{OpenError, Opened, Opening};
use crate::reference::Engine;
use crate::scan::Section;
use crate::source::{Container, DirectoryContainer, SourceError, read_remote};

/// The documents and blobs of a store, under `manifests/DIGEST` and `blobs/DIGEST`.
struct StoreContainer(DirectoryContainer);

/// Where a blob lies in the store.
fn place(name: &str) -> Option<String> {
    let digest = Digest::parse(name.split_once('/')?.1)?;
    Some(format!("blobs/{}/{}", digest.algorithm(), digest.hex()))
}

impl Container for StoreContainer {
    fn locate(&self, name: &str) -> Option<String> {
        self.0.locate(&place(name)?).map(|_| name.to_owned())
    }

    fn document(&self, name: &str) -> Result<Option<Vec<u8>>, SourceError> {
        place(name).map_or(Ok(None), |place| self.0.document(&place))
    }

    fn blob(&self, located: &str) -> Result<Option<Section>, SourceError> {
        place(located).map_or(Ok(None), |place| self.0.blob(&place))
    }
}

impl Opening<'_> {
    /// Opens an image that containerd has.
    pub(super) fn containerd(&self, name: &str) -> Result<Opened, OpenError> {
        let failed = |error: EngineError| self.source_error(SourceError::Io(io::Error::other(error)));
        let environment = self.options.remote.engines.as_ref();
        let nowhere = || EngineError::NotThere { engine: Engine::Containerd, tried: Vec::new() };
        let stores = ContentStore::find(environment.ok_or_else(nowhere).map_err(failed)?).map_err(failed)?;
        let mut missing = None;
        for store in &stores {
            match store.resolve(name) {
                Ok(digest) => return self.stored(store, name, &digest),
                Err(error @ EngineError::NoSuchImage { .. }) => missing = Some(error),
                Err(error) => return Err(failed(error)),
            }
        }
        Err(failed(missing.unwrap_or_else(nowhere)))
    }

    fn stored(&self, store: &ContentStore, name: &str, digest: &Digest) -> Result<Opened, OpenError> {
        let container = StoreContainer(DirectoryContainer::new(&store.content()));
        let manifest = container.required(&format!("manifests/{digest}"), "containerd's database");
        let mut layout = manifest
            .and_then(|bytes| read_remote(&container, &self.request(), digest, &bytes))
            .map_err(|error| self.source_error(incomplete(error)))?;
        layout.identity.source_kind = "containerd".to_owned();
        layout.identity.references = vec![name.to_owned()];
        self.progress.identified(&layout);
        open_layers(self, &container, layout, None)
    }
}

/// containerd may keep only the platform that it runs, and only what it has not unpacked yet.
fn incomplete(error: SourceError) -> SourceError {
    match error {
        SourceError::Missing { name, named_by } => SourceError::Broken(format!(
            "«{name}», which {named_by} names, is not in the store: containerd keeps what it has fetched of an image, and \
             where discard_unpacked_layers is set no layer that it has unpacked; `ctr content fetch` completes it"
        )),
        other => other,
    }
}
