//! An image of closures in the local store.

use crate::cli::open_for;
use crate::cli::rebuild_arguments::RebuildArguments;
use crate::image::{Config, Image, display_name};
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

/// The store paths that were named: that of `first`, and those besides it.
pub fn named_paths(first: StorePath, arguments: &RebuildArguments) -> anyhow::Result<Vec<StorePath>> {
    let mut paths = vec![first];
    for text in &arguments.more {
        let opened = open_for(text, &arguments.open, Keep::Trees)?;
        let Some(path) = named_path(&opened.image) else {
            let shown = display_name(text.as_encoded_bytes());
            anyhow::bail!("{shown} is an image: only of store paths can several become one");
        };
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    Ok(paths)
}

/// What is written of store paths, and the image below where there is one.
pub fn of_paths(paths: Vec<StorePath>, arguments: &RebuildArguments) -> anyhow::Result<(Composed, Option<Opened>)> {
    let base = arguments.from.as_ref().map(|base| open_for(base, &arguments.open, Keep::Aside)).transpose()?;
    let mut config = Config::default();
    configure::apply(&arguments.config, &mut config)?;
    let wanted = FromStore { paths: paths.clone(), linked: paths, config };
    let below = base.as_ref().map(|base| Base { image: &base.image });
    let composed = compose(&LocalStore::default(), &wanted, below, &Cancel::new())?;
    Ok((composed, base))
}
