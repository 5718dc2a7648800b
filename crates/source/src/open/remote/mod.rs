//! Images in a registry: manifest and configuration first, then all layers at once, read while they arrive, except
//! those that are cached.

mod arriving;
mod container;
mod containerd;
mod downloads;
mod engines;
mod listing;
mod ranged;

use std::sync::{Arc, Mutex};

use arriving::Arriving;
use container::RemoteContainer;
use downloads::Downloads;
pub(super) use listing::{Listed, Listing};

use super::seekable::{LayerCache, open_sections};
use super::{OpenError, Opened, Opening};
use crate::cache::{Cache, KnownLayer, KnownManifest};
use crate::engines::EngineEnvironment;
use crate::formats::{DescribedLayer, Layout, SourceError, elsewhere, is_foreign, read_remote};
use crate::http::{HttpOptions, Waits};
use crate::registry::{MAX_MANIFEST_BYTES, Manifest, Registries, RegistryError, Repository, Settings};
use nixdive_image::reference::ImageName;
use nixdive_image::{Compression, Digest, LayerContents};
use nixdive_scan::Section;

/// Access to registries and engines, and their cache.
#[derive(Debug, Clone, Default)]
pub struct Remote {
    /// Credentials, certificates and configuration.
    pub settings: Settings,
    /// Settings of HTTP exchanges. Cancellation comes from the opening.
    pub http: HttpOptions,
    /// Sockets of engines; `None` to use no engines.
    pub engines: Option<EngineEnvironment>,
    /// The cache; `None` to keep nothing.
    pub cache: Option<Cache>,
    /// True if only cached data may be used.
    pub offline: bool,
}

impl Remote {
    /// Creates the registry client for one opening, or for other work that can be cancelled.
    ///
    /// # Errors
    /// [`RegistryError::File`] if a configuration file is invalid.
    pub fn registries(&self, cancel: &nixdive_base::cancel::Cancel) -> Result<Arc<Registries>, RegistryError> {
        let http = HttpOptions { cancel: cancel.clone(), ..self.http.clone() };
        Registries::new(self.settings.clone(), http).map(Arc::new)
    }

    /// Returns a copy whose waits for servers are recorded in `waits`.
    #[must_use]
    pub fn noting(&self, waits: &Waits) -> Self {
        let clock = waits.noted_by(Arc::clone(&self.http.clock));
        Self { http: HttpOptions { clock, ..self.http.clone() }, ..self.clone() }
    }

    /// Returns the manifest or index of a name: with one HEAD request if it is cached, without any if offline.
    ///
    /// # Errors
    /// [`RegistryError`] if it cannot be fetched.
    pub fn manifest(&self, repository: &Repository) -> Result<Manifest, RegistryError> {
        let name = repository.name();
        let full = name.in_full();
        let offline = || RegistryError::Offline(full.clone());
        if let Some(digest) = name.digest() {
            return match Digest::parse(digest).and_then(|digest| self.kept_manifest(&digest, "")) {
                Some(kept) => Ok(kept),
                None if self.offline => Err(offline()),
                None => self.fetch_manifest(repository, digest),
            };
        }
        let known = self.cache.as_ref().and_then(|cache| cache.manifest(&full));
        let kept = known.and_then(|known| self.kept_manifest(&known.digest, &known.media_type));
        if self.offline {
            return kept.ok_or_else(offline);
        }
        if let Some(kept) = kept
            && repository.manifest_digest(name.tag())?.as_ref() == Some(&kept.digest)
        {
            return Ok(kept);
        }
        let fetched = self.fetch_manifest(repository, name.tag())?;
        if let Some(cache) = &self.cache {
            let known = KnownManifest { digest: fetched.digest.clone(), media_type: fetched.media_type.clone() };
            cache.keep_manifest(&full, &known);
        }
        Ok(fetched)
    }

    fn kept_manifest(&self, digest: &Digest, media_type: &str) -> Option<Manifest> {
        let bytes = self.cache.as_ref()?.document(digest, MAX_MANIFEST_BYTES)?;
        Some(Manifest { digest: digest.clone(), media_type: media_type.to_owned(), bytes })
    }

    fn fetch_manifest(&self, repository: &Repository, reference: &str) -> Result<Manifest, RegistryError> {
        let manifest = repository.manifest(reference)?;
        if let Some(cache) = &self.cache {
            cache.keep_document(&manifest.digest, &manifest.bytes);
        }
        Ok(manifest)
    }
}

impl Opening<'_> {
    fn registry_error(&self, error: RegistryError) -> OpenError {
        self.source_error(SourceError::Io(std::io::Error::other(error)))
    }

    /// Creates the registry client, with its waits recorded in the progress.
    fn registries(&self) -> Result<Arc<Registries>, RegistryError> {
        self.options.remote.noting(self.progress.waits()).registries(self.cancel())
    }

    /// Opens an image in a registry.
    pub(super) fn registry(&self, name: &ImageName) -> Result<Opened, OpenError> {
        let remote = &self.options.remote;
        let failed = |error| self.registry_error(error);
        let registries = self.registries().map_err(failed)?;
        let repository = registries.repository(name).map_err(failed)?;
        let manifest = remote.manifest(&repository).map_err(failed)?;
        let container = RemoteContainer::new(&repository, remote);
        let mut layout = read_remote(&container, &self.request(), &manifest.digest, &manifest.bytes)
            .map_err(|error| self.source_error(error))?;
        layout.identity.references = vec![name.in_full()];
        self.progress.identified(&layout);
        let opened = self.remote_layers(&repository, layout);
        if let Some(cache) = &remote.cache {
            cache.keep_bound();
        }
        opened
    }

    fn remote_layers(&self, repository: &Repository, mut layout: Layout) -> Result<Opened, OpenError> {
        let remote = &self.options.remote;
        self.note_elsewhere(repository, &mut layout)?;
        let downloads = Arc::new(Downloads::new(repository.clone(), remote, self.cancel().clone()));
        let mut known = Vec::with_capacity(layout.layers.len());
        let mut sections = Vec::with_capacity(layout.layers.len());
        let mut listings = Vec::with_capacity(layout.layers.len());
        let mut wanted = Vec::new();
        let mut keeps = Vec::with_capacity(layout.layers.len());
        let arrivals = self.progress.begin_arrivals(layout.layers.len());
        for (layer, arrived) in layout.layers.iter().zip(arrivals) {
            if matches!(layer.contents, LayerContents::Unreadable(_)) {
                known.push(Mutex::default());
                listings.push(None);
                sections.push(Section::from_bytes(Vec::new()));
                keeps.push(false);
                continue;
            }
            let (Some(digest), Some(length)) = (&layer.digest, layer.stored_bytes) else {
                let reason = format!("`{}` has no digest", nixdive_base::text::display_in_sentence(&layer.name));
                return Err(self.source_error(SourceError::Broken(reason)));
            };
            let arriving = Arriving::new(&downloads, digest, length, &layer.urls, arrived);
            let found = self.known_layer(layer, digest);
            let is_kept = remote.cache.as_ref().is_some_and(|cache| cache.has_blob(digest, length));
            let listing = if self.may_list() && !is_kept { Listing::of(layer, &arriving) } else { None };
            if found.is_none()
                && listing.is_none()
                && !wanted.iter().any(|other: &Arc<Arriving>| other.digest() == digest)
            {
                wanted.push(Arc::clone(&arriving));
            }
            keeps.push(true);
            known.push(Mutex::new(found));
            listings.push(listing);
            sections.push(Section::new(Arc::new(arriving), 0, length));
        }
        // The longest first: the last ones are short, so that none delays the end.
        wanted.sort_by_key(|arriving| std::cmp::Reverse(arriving.length()));
        wanted.iter().for_each(|arriving| arriving.start());
        let mut order: Vec<usize> = (0..sections.len()).collect();
        order.sort_by_key(|&number| std::cmp::Reverse(sections.get(number).map_or(0, Section::length)));
        let layer_cache =
            LayerCache { known, listings, order, keeps, cache: remote.cache.clone(), whole: true, is_verified: true };
        let opened = open_sections(self, sections, layout, None, &layer_cache);
        match downloads.failure() {
            Some(error) => Err(self.registry_error(error)),
            None => opened,
        }
    }

    /// Marks layers as absent that must not be redistributed and that cannot be fetched from the URLs in the manifest
    /// either; the rest of the image is shown without them.
    fn note_elsewhere(&self, repository: &Repository, layout: &mut Layout) -> Result<(), OpenError> {
        let remote = &self.options.remote;
        if remote.offline {
            return Ok(());
        }
        for layer in layout.layers.iter_mut().filter(|layer| is_kept_elsewhere(layer)) {
            let (Some(digest), Some(length)) = (&layer.digest, layer.stored_bytes) else { continue };
            let is_kept = remote.cache.as_ref().is_some_and(|cache| cache.has_blob(digest, length));
            if is_kept || self.known_layer(layer, digest).is_some() {
                continue;
            }
            let served = repository.serves_blob(digest, length, &layer.urls);
            if !served.map_err(|error| self.registry_error(error))? {
                let hint = match remote.settings.foreign_urls {
                    _ if layer.urls.is_empty() => "",
                    true => "; none of its URLs serves it",
                    false => "; --allow-foreign-urls fetches it from there",
                };
                layer.contents = LayerContents::Unreadable(format!("{}{hint}", elsewhere(&layer.urls)));
            }
        }
        Ok(())
    }

    /// Returns `true` if layers may be represented by their tables of contents.
    fn may_list(&self) -> bool {
        let options = self.options;
        options.tables && options.verify != super::Verify::All && options.keep != super::Keep::Aside
    }

    /// Returns the cached entries of a layer. If it is unknown whether this blob unpacks to it, its digest counts as
    /// unverified.
    fn known_layer(&self, layer: &DescribedLayer, blob: &Digest) -> Option<KnownLayer> {
        let options = self.options;
        let cache = options.remote.cache.as_ref().filter(|_| options.verify != super::Verify::All)?;
        let unpacked = cache.unpacked(blob);
        let diff_id = layer.diff_id.as_ref()?;
        if unpacked.as_ref().is_some_and(|(actual, _)| actual != diff_id) {
            return None;
        }
        let mut known = cache.layer(diff_id, options.wanted.map(|wanted| (wanted.identity)()).as_deref())?;
        known.scan.compression = match &unpacked {
            Some((_, compression)) => *compression,
            None => compression_of(layer.media_type.as_deref().unwrap_or_default())?,
        };
        if unpacked.is_none() {
            known.scan.diff_id = None;
        }
        Some(known)
    }
}

/// Returns `true` if a layer may be missing from the registry: its manifest lists other addresses for it, or marks it
/// as not redistributable.
fn is_kept_elsewhere(layer: &DescribedLayer) -> bool {
    let is_foreign_type = layer.media_type.as_deref().is_some_and(is_foreign);
    layer.contents == LayerContents::Present && (is_foreign_type || !layer.urls.is_empty())
}

/// Returns the compression of a media type, or `None` if it may be uncompressed and has to be examined.
fn compression_of(media_type: &str) -> Option<Compression> {
    match media_type {
        gzip if gzip.ends_with("gzip") => Some(Compression::Gzip),
        zstd if zstd.ends_with("zstd") => Some(Compression::Zstd),
        _ => None,
    }
}
