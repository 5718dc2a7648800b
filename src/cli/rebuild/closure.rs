//! An image of closures in the local store.

use std::io::{self, Read};

use crate::cli::open_for;
use crate::cli::rebuild_arguments::RebuildArguments;
use nixdive_base::cancel::Cancel;
use nixdive_base::text::display_name;
use nixdive_image::reference::Reference;
use nixdive_image::{Compression, Config, Digest, Image, Layer};
use nixdive_nix::StorePath;
use nixdive_rebuild::BaseBlob;
use nixdive_rebuild::from_store::{Base, Composed, FromStore, compose};
use nixdive_source::open::{Keep, Opened};
use nixdive_source::store::LocalStore;
use nixdive_transfer::{ParcelLayer, gather};

use super::configure;

/// The store paths that were opened in place of an image; none for an image.
pub fn opened_paths(image: &Image) -> Vec<StorePath> {
    let roots = image.identity.store_roots.iter();
    roots.filter_map(|root| StorePath::parse(root.as_bytes()).ok()).collect()
}

/// The store paths that were named: those opened first, and those besides them.
pub fn named_paths(first: Vec<StorePath>, arguments: &RebuildArguments) -> anyhow::Result<Vec<StorePath>> {
    let mut paths = first;
    for text in &arguments.more {
        let opened = open_for(text, &arguments.open, Keep::Trees)?;
        let more = opened_paths(&opened.image);
        if more.is_empty() {
            let shown = display_name(text.as_encoded_bytes());
            anyhow::bail!("only one image can be rebuilt at a time; unexpected image {shown}");
        }
        for path in more {
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
    }
    Ok(paths)
}

/// A blob of the image below.
struct Stored {
    layer: ParcelLayer,
    digest: Digest,
}

impl BaseBlob for Stored {
    fn compression(&self) -> Compression {
        self.layer.compression
    }

    fn digest(&self) -> &Digest {
        &self.digest
    }

    fn stored_bytes(&self) -> u64 {
        self.layer.stored_bytes
    }

    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        self.layer.source.open(0)
    }
}

/// The blobs of the image below, by its layers; none where it has no manifest that gives their digests.
pub fn base_blobs(arguments: &RebuildArguments, below: &Image) -> anyhow::Result<Vec<Option<Box<dyn BaseBlob>>>> {
    let Some(base) = &arguments.from else { return Ok(Vec::new()) };
    let (reference, options) = (Reference::parse(base)?, arguments.open.options(Keep::Trees));
    let Ok(shipment) = gather(&reference, &options, false, &Cancel::new()) else { return Ok(Vec::new()) };
    let Some(parcel) = shipment.images.into_iter().next().filter(|parcel| parcel.manifest.is_some()) else {
        return Ok(Vec::new());
    };
    let blob = |(layer, shown): (ParcelLayer, &Layer)| {
        let digest = layer.digest.clone().filter(|digest| digest.algorithm() == "sha256")?;
        let is_common = matches!(layer.compression, Compression::Gzip | Compression::Zstd | Compression::None);
        let is_known = is_common && layer.diff_id == shown.diff_id && !layer.stays_where_it_is();
        is_known.then(|| Box::new(Stored { layer, digest }) as Box<dyn BaseBlob>)
    };
    Ok(parcel.layers.into_iter().zip(&below.layers).map(blob).collect())
}

/// Composes an image of store paths, on the base image if one is given.
pub fn of_paths(paths: Vec<StorePath>, arguments: &RebuildArguments) -> anyhow::Result<(Composed, Option<Opened>)> {
    let open = arguments.open.certifying(arguments.incomplete);
    let base = arguments.from.as_ref().map(|base| open_for(base, &open, Keep::Aside)).transpose()?;
    let mut config = Config::default();
    configure::apply(&arguments.config, &mut config)?;
    let wanted = FromStore { paths: paths.clone(), linked: paths, config };
    let below = base.as_ref().map(|base| Base { image: &base.image });
    let composed = compose(&LocalStore::default(), &wanted, below, &Cancel::new())?;
    Ok((composed, base))
}
