//! An image of a closure in the local store.

use crate::cli::open_for;
use crate::cli::rebuild_arguments::RebuildArguments;
use crate::image::{Config, Image};
use crate::nix::StorePath;
use crate::open::{Keep, Opened};
use crate::rebuild::from_store::{Base, Composed, FromStore, compose};
use crate::scan::Cancel;
use crate::store::LocalStore;

use super::configure;

/// The store path that was opened as an image, where one was.
pub fn named_path(image: &Image) -> Option<StorePath> {
    if image.identity.source_kind != "store-path" {
        return None;
    }
    StorePath::parse(image.layers.last()?.stored_as.as_bytes()).ok()
}

/// What is written of a store path, and the image below where there is one.
pub fn of_path(path: StorePath, arguments: &RebuildArguments) -> anyhow::Result<(Composed, Option<Opened>)> {
    let base = arguments.from.as_ref().map(|base| open_for(base, &arguments.open, Keep::Aside)).transpose()?;
    let mut config = Config::default();
    configure::apply(&arguments.config, &mut config)?;
    let wanted = FromStore { paths: vec![path.clone()], linked: vec![path], config };
    let below = base.as_ref().map(|base| Base { image: &base.image });
    let composed = compose(&LocalStore::default(), &wanted, below, &Cancel::new())?;
    Ok((composed, base))
}
