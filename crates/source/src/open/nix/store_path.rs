//! Store paths that are not images, opened as an image with one layer per path of their closure.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::formats::{DescribedLayer, DirectoryContainer, Layout, SourceError, StoreLayers, read_layout};
use crate::open::{OpenError, Opened, Opening, seekable};
use crate::store::{Rules, StoreError, TarPlan};
use nixdive_image::reference::Transport;
use nixdive_image::{Config, Identity, TreeBuilder};
use nixdive_nix::StorePath;
use nixdive_scan::NameRoom;

impl Opening<'_> {
    /// Returns the store path at a path on disk, if it can be opened as one.
    pub(in crate::open) fn store_path_at(&self, path: &Path) -> Option<StorePath> {
        matches!(self.reference.transport, None | Some(Transport::Nix))
            .then(|| self.options.store.store_path_at(path))
            .flatten()
    }

    /// Returns the store paths in a comma-separated list, or `None` unless each part is a store path that is not an
    /// image.
    pub(in crate::open) fn listed_store_paths(&self, list: &Path) -> Option<Vec<StorePath>> {
        let parts = list.as_os_str().as_bytes().split(|&byte| byte == b',');
        let paths: Option<Vec<StorePath>> =
            parts.map(|part| self.package_at(Path::new(OsStr::from_bytes(part)))).collect();
        paths.filter(|paths| paths.len() > 1)
    }

    /// Returns the store path at a path on disk, if it is neither an image nor a script.
    pub(in crate::open) fn package_at(&self, path: &Path) -> Option<StorePath> {
        let store_path = self.store_path_at(path)?;
        if !path.is_dir() {
            let file = File::open(path).ok()?;
            return (!super::is_script(&file) && !super::may_be_an_image(&file)).then_some(store_path);
        }
        let read = read_layout(&DirectoryContainer::new(path), &self.request(), false);
        matches!(read, Err(SourceError::NotAnImage(_))).then_some(store_path)
    }

    /// Opens the closure of store paths. If it has more paths than an image may have layers, all are in one layer.
    pub(in crate::open) fn closure(&self, roots: &[StorePath]) -> Result<Opened, OpenError> {
        let failed = |number| move |error: StoreError| self.source_error(SourceError::Store { number, error });
        let store = &self.options.store;
        let tops: Vec<&StorePath> = roots.iter().collect();
        let closure = store.closure_of(&tops, self.cancel()).map_err(failed(0))?;
        let together = closure.paths.len() > TreeBuilder::MAX_LAYERS;
        let groups: Vec<&[StorePath]> = if together { vec![&closure.paths] } else { closure.paths.chunks(1).collect() };
        let room = NameRoom::default();
        let (mut layers, mut sections) = (Vec::new(), Vec::new());
        for (number, paths) in groups.into_iter().enumerate() {
            let mut plan = TarPlan::new(store, room.clone(), self.cancel().clone());
            for path in paths {
                plan.add(path, &Rules::default()).map_err(failed(number))?;
            }
            sections.push(plan.finish().into_section());
            let name = paths.last().map(ToString::to_string).unwrap_or_default();
            let store_paths = paths.iter().map(ToString::to_string).collect();
            let located = number.to_string();
            layers.push(DescribedLayer { name, located, store_paths, ..DescribedLayer::default() });
        }
        let identity = Identity {
            requested: self.reference.text.clone(),
            source_kind: "store-path".to_owned(),
            store_roots: roots.iter().map(ToString::to_string).collect(),
            ..Identity::default()
        };
        let mut layout =
            Layout { identity, config: Config::default(), layers, warnings: Vec::new(), defects: Vec::new() };
        closure.scanned_because.into_iter().for_each(|note| layout.warn(note));
        self.progress.identified(&layout);
        seekable::open_layers(self, &StoreLayers::new(sections), layout, None)
    }
}
