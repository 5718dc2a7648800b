//! Blobs present at a destination, as its own manifests and configurations state: maps layers to blobs without reading
//! the layers.

use std::sync::Arc;

use hashbrown::HashMap;

use super::TransferError;
use super::made::{Descriptor, Shape, diff_ids, is_tar};
use nixdive_image::Digest;
use nixdive_image::reference::ImageName;
use nixdive_source::http::HttpError;
use nixdive_source::registry::{MAX_MANIFEST_BYTES, Manifest, Registries, RegistryError, Repository};
use nixdive_write::{ANNOTATION_DIFF_ID, ANNOTATION_MADE_OF};

/// Number of similar tags to inspect if the tag to be written does not exist yet.
const MOST_NEAR_TAGS: usize = 3;
/// Tag that is always inspected.
const LATEST: &str = "latest";
/// Maximum number of images of an index to inspect.
const MOST_IMAGES: usize = 8;

/// Blob that a manifest at the destination names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownBlob {
    /// Digest of the blob.
    pub digest: Digest,
    /// Length of the blob, bytes.
    pub stored_bytes: u64,
    /// Media type in the manifest.
    pub media_type: String,
    /// Other repository of the same registry that contains the blob.
    pub repository: Option<String>,
}

/// Layer, identified by the input that it was generated from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownMade {
    /// Digest of the unpacked tar stream.
    pub diff_id: Digest,
    /// Blob of the layer at the destination.
    pub blob: KnownBlob,
}

/// Blobs of a destination, indexed by their contents.
#[derive(Debug, Clone, Default)]
pub struct KnownBlobs {
    by_diff_id: HashMap<Digest, Vec<KnownBlob>>,
    by_make: HashMap<Digest, KnownMade>,
}

impl KnownBlobs {
    /// Adds the layers of an image. Layers and the diffIDs in the configuration correspond by position.
    pub fn add(&mut self, manifest: &[u8], config: &[u8], repository: Option<&str>) {
        let Ok(shape) = Shape::parse("", manifest) else { return };
        let layers = shape.layers.unwrap_or_default();
        let diff_ids = diff_ids(config);
        if layers.len() != diff_ids.len() {
            return;
        }
        for (layer, diff_id) in layers.iter().zip(diff_ids).filter(|(layer, _)| is_tar(&layer.media_type)) {
            let Some(digest) = layer.digest() else { continue };
            let blob = KnownBlob {
                digest,
                stored_bytes: layer.size,
                media_type: layer.media_type.clone(),
                repository: repository.map(str::to_owned),
            };
            let known = self.by_diff_id.entry(diff_id).or_default();
            if !known.contains(&blob) {
                known.push(blob);
            }
        }
    }

    /// Adds the layers of an image by the inputs that their annotations name. This cannot be verified without
    /// generating the layers: the author of such an image decides the contents of layers that are reused from it.
    pub fn add_made(&mut self, manifest: &[u8]) {
        let layers = Shape::parse("", manifest).ok().and_then(|shape| shape.layers).unwrap_or_default();
        for layer in &layers {
            let Some(((made_of, diff_id), digest)) = made_of(layer).zip(layer.digest()) else { continue };
            let of_diff_id = self.of_diff_id(&diff_id);
            // The configuration must agree on the diffID.
            let Some(blob) = of_diff_id.iter().find(|blob| blob.digest == digest).cloned() else { continue };
            self.by_make.entry(made_of).or_insert(KnownMade { diff_id, blob });
        }
    }

    /// Returns the blobs that contain a layer.
    #[must_use]
    pub fn of_diff_id(&self, diff_id: &Digest) -> &[KnownBlob] {
        self.by_diff_id.get(diff_id).map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns the layers that name the input they were generated from.
    #[must_use]
    pub fn made(&self) -> &HashMap<Digest, KnownMade> {
        &self.by_make
    }

    /// Collects the layers of a repository under the tag that is to be written, or else under the most similar tags and
    /// `latest`; and of other images in the same registry. Inputs of layers are taken only from the tag itself or
    /// `latest`. Anything unreadable is skipped.
    ///
    /// # Errors
    /// [`TransferError::Cancelled`] if the transfer was cancelled.
    pub fn of_registry(
        registries: &Arc<Registries>,
        name: &ImageName,
        siblings: &[ImageName],
    ) -> Result<Self, TransferError> {
        let mut known = Self::default();
        known.look_at(registries, name, None, true)?;
        let same_host = siblings.iter().filter(|sibling| sibling.host() == name.host());
        for sibling in same_host {
            let other = sibling.repository();
            known.look_at(
                registries,
                sibling,
                Some(other.as_str()).filter(|other| *other != name.repository()),
                false,
            )?;
        }
        Ok(known)
    }

    fn look_at(
        &mut self,
        registries: &Arc<Registries>,
        name: &ImageName,
        other: Option<&str>,
        near: bool,
    ) -> Result<(), TransferError> {
        let Ok(repository) = registries.repository(name) else { return Ok(()) };
        // A mirror says nothing about the registry that is written to.
        let repository = repository.without_mirrors();
        let wanted = name.digest().unwrap_or_else(|| name.tag());
        match self.take(&repository, wanted, other, near) {
            Err(RegistryError::NoSuchTag { there, .. }) if near => {
                let others = there.into_iter().filter(|tag| tag != LATEST).take(MOST_NEAR_TAGS);
                for tag in std::iter::once(LATEST.to_owned()).chain(others) {
                    // Tags may disappear meanwhile. Some of them may name images from untrusted sources.
                    let _ = self.take(&repository, &tag, other, tag == LATEST);
                }
            }
            Err(RegistryError::Http(HttpError::Cancelled)) => return Err(TransferError::Cancelled),
            _ => {}
        }
        Ok(())
    }

    /// Adds the images under a tag. With `trusts_inputs`, annotations about the inputs of layers are trusted.
    fn take(
        &mut self,
        repository: &Repository,
        tag: &str,
        other: Option<&str>,
        trusts_inputs: bool,
    ) -> Result<(), RegistryError> {
        let found = repository.manifest(tag)?;
        let inner = Shape::parse("", &found.bytes).ok().and_then(|shape| shape.manifests);
        let images: Vec<Manifest> = match inner {
            None => vec![found],
            Some(inner) => {
                let digests = inner.iter().filter(|one| !one.is_index()).filter_map(Descriptor::digest);
                digests
                    .take(MOST_IMAGES)
                    .map(|digest| repository.manifest(digest.as_str()))
                    .collect::<Result<_, _>>()?
            }
        };
        for image in images {
            let config = Shape::parse("", &image.bytes).ok().and_then(|shape| shape.config);
            let Some(digest) = config.and_then(|config| config.digest()) else { continue };
            let config = repository.small_blob(&digest, MAX_MANIFEST_BYTES)?;
            self.add(&image.bytes, &config, other);
            if trusts_inputs {
                self.add_made(&image.bytes);
            }
        }
        Ok(())
    }
}

/// Returns the input that a layer was generated from and its diffID, as its annotations state.
fn made_of(layer: &Descriptor) -> Option<(Digest, Digest)> {
    let annotation = |key| layer.annotation(key).and_then(Digest::parse);
    Some((annotation(ANNOTATION_MADE_OF)?, annotation(ANNOTATION_DIFF_ID)?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn digest(letter: &str) -> Digest {
        Digest::parse(&format!("sha256:{}", letter.repeat(64))).unwrap()
    }

    fn image(annotation: &Digest) -> (Vec<u8>, Vec<u8>) {
        let annotations = json!({ANNOTATION_MADE_OF: digest("a").as_str(), ANNOTATION_DIFF_ID: annotation.as_str()});
        let layer =
            json!({"digest": digest("1").as_str(), "size": 7, "mediaType": "x+gzip", "annotations": annotations});
        let manifest = json!({"layers": [layer]}).to_string().into_bytes();
        let config = json!({"rootfs": {"diff_ids": [digest("d").as_str()]}}).to_string().into_bytes();
        (manifest, config)
    }

    #[test]
    fn a_blob_is_known_by_its_place_in_manifest_and_configuration() {
        let mut known = KnownBlobs::default();
        let (manifest, config) = image(&digest("d"));
        known.add(&manifest, &config, None);
        assert!(known.made().is_empty());
        known.add_made(&manifest);
        assert_eq!(known.of_diff_id(&digest("d")).first().map(|blob| blob.digest.clone()), Some(digest("1")));
        assert!(known.of_diff_id(&digest("e")).is_empty());
        assert_eq!(known.made().get(&digest("a")).map(|made| made.blob.stored_bytes), Some(7));
    }

    #[test]
    fn what_does_not_fit_together_is_not_believed() {
        let mut known = KnownBlobs::default();
        let (manifest, config) = image(&digest("e"));
        known.add(&manifest, &config, None);
        known.add_made(&manifest);
        assert!(known.made().is_empty(), "an annotation with another diffID than the configuration's");
        let mut known = KnownBlobs::default();
        known.add(&manifest, br#"{"rootfs": {"diff_ids": []}}"#, None);
        known.add(b"no JSON", &config, None);
        let encrypted = String::from_utf8(manifest).unwrap().replace("x+gzip", "x+gzip+encrypted");
        known.add(encrypted.as_bytes(), &config, None);
        assert!(known.of_diff_id(&digest("d")).is_empty());
    }
}
