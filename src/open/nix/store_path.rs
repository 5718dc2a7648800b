//! A store path that is no image, as one: each path of its closure a layer.

use std::path::Path;

use crate::image::{Config, Identity, TreeBuilder};
use crate::nix::StorePath;
use crate::open::{OpenError, Opened, Opening, seekable};
use crate::reference::Transport;
use crate::scan::NameRoom;
use crate::source::{DescribedLayer, Layout, SourceError, StoreLayers};
use crate::store::{Rules, StoreError, TarPlan};

impl Opening<'_> {
    /// The store path that a path is, where it may be opened as such.
    pub(in crate::open) fn store_path_at(&self, path: &Path) -> Option<StorePath> {
        matches!(self.reference.transport, None | Some(Transport::Nix))
            .then(|| self.options.store.store_path_at(path))
            .flatten()
    }

    /// Opens the closure of a store path. Where it has more paths than an image layers, all are in one.
    pub(in crate::open) fn closure(&self, path: &StorePath) -> Result<Opened, OpenError> {
        let failed = |number| move |error: StoreError| self.source_error(SourceError::Store { number, error });
        let store = &self.options.store;
        let closure = store.closure(path, self.cancel()).map_err(failed(0))?;
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
            layers.push(DescribedLayer { name, located: number.to_string(), ..DescribedLayer::default() });
        }
        let identity = Identity {
            requested: self.reference.text.clone(),
            source_kind: "store-path".to_owned(),
            ..Identity::default()
        };
        let mut layout = Layout { identity, config: Config::default(), layers, warnings: Vec::new() };
        closure.scanned_because.into_iter().for_each(|note| layout.warn(note));
        self.progress.identified(&layout);
        seekable::open_layers(self, &StoreLayers::new(sections), layout, None)
    }
}
