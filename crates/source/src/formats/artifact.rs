//! Manifests of artifacts other than container images: OCI image specification, "Guidelines for Artifact Usage".

use serde::Deserialize;

use super::lenient::{Bounded, Lenient, Pairs};
use super::{Layout, Request, SourceError};
use nixdive_image::{Artifact, ArtifactBlob, ArtifactKind, Digest, Identity, LayerContents};

/// Maximum number of blobs in one manifest.
const MAX_BLOBS: usize = 10_000;
const TITLE: &str = "org.opencontainers.image.title";

/// Media types of an image's configuration; a descriptor without a media type counts as one, too.
const IMAGE_CONFIGS: [&str; 6] = [
    "",
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
    "application/json",
    "application/octet-stream",
    "application/vnd.docker.container.image.rootfs.config.v1+json",
];
/// Media types that do not describe the content of a blob.
const GENERIC: [&str; 7] = [
    "",
    "application/octet-stream",
    "application/gzip",
    "application/x-gzip",
    "application/zstd",
    "application/x-tar",
    "application/tar",
];

/// The fields of a manifest of any kind, as far as they can be read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LooseManifest {
    #[serde(default)]
    media_type: Lenient<Option<String>>,
    #[serde(default)]
    artifact_type: Lenient<Option<String>>,
    config: Option<LooseDescriptor>,
    layers: Option<Bounded<LooseDescriptor, MAX_BLOBS>>,
    /// Used by the artifact manifest of OCI 1.1's release candidates.
    blobs: Option<Bounded<LooseDescriptor, MAX_BLOBS>>,
    subject: Option<LooseDescriptor>,
    #[serde(default)]
    annotations: Lenient<Pairs>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LooseDescriptor {
    #[serde(default)]
    media_type: Lenient<Option<String>>,
    #[serde(default)]
    digest: Lenient<Option<String>>,
    #[serde(default)]
    size: Lenient<Option<u64>>,
    #[serde(default)]
    annotations: Lenient<Pairs>,
}

impl From<LooseDescriptor> for ArtifactBlob {
    fn from(descriptor: LooseDescriptor) -> Self {
        let annotations = descriptor.annotations.0.0;
        Self {
            media_type: descriptor.media_type.0.unwrap_or_default(),
            digest: descriptor.digest.0.and_then(|text| Digest::parse(&text)),
            bytes: descriptor.size.0.unwrap_or_default(),
            title: annotations.iter().find(|(name, _)| name == TITLE).map(|(_, title)| title.clone()),
            annotations,
        }
    }
}

/// Returns the artifact that a manifest describes. Returns `None` for a container image, and if the document is not a
/// manifest.
pub(super) fn artifact_of(request: &Request<'_>, bytes: &[u8]) -> Option<Artifact> {
    let artifact = read(request, bytes)?;
    is_artifact(&artifact).then_some(artifact)
}

/// Reads any manifest as an artifact.
fn read(request: &Request<'_>, bytes: &[u8]) -> Option<Artifact> {
    let manifest: LooseManifest = nixdive_base::go_json::from_slice(bytes).ok()?;
    let listed = manifest.layers.or(manifest.blobs);
    if manifest.config.is_none() && listed.is_none() {
        return None;
    }
    let blobs: Vec<ArtifactBlob> = listed.map(|list| list.0.into_iter().map(Into::into).collect()).unwrap_or_default();
    let config: Option<ArtifactBlob> = manifest.config.map(Into::into);
    let artifact_type = manifest.artifact_type.0.filter(|kind| !kind.is_empty());
    let media_types = artifact_type.iter().chain(config.iter().chain(&blobs).map(|blob| &blob.media_type));
    let kind = media_types.into_iter().find_map(|media_type| ArtifactKind::of_media_type(media_type));
    Some(Artifact {
        identity: Identity {
            requested: request.reference.text.clone(),
            manifest_digest: Some(super::digest_of(bytes)),
            config_digest: config.as_ref().and_then(|config| config.digest.clone()),
            ..Identity::default()
        },
        kind: kind.unwrap_or_default(),
        media_type: manifest.media_type.0,
        artifact_type,
        config,
        blobs,
        subject: manifest.subject.map(Into::into),
        annotations: manifest.annotations.0.0,
    })
}

/// Returns `true` if a manifest describes something other than a container image. A manifest with layers of an image
/// counts as an image, whatever its other types: only a configuration of another kind, or layers that are all of other
/// kinds, make it an artifact.
fn is_artifact(artifact: &Artifact) -> bool {
    let Some(config) = &artifact.config else { return true };
    let holds_files = |blob: &ArtifactBlob| is_layer(&blob.media_type) || GENERIC.contains(&blob.media_type.as_str());
    let blobs = &artifact.blobs;
    let is_image_config = IMAGE_CONFIGS.contains(&config.media_type.as_str());
    match is_image_config {
        true => !blobs.is_empty() && !blobs.iter().any(holds_files),
        false => {
            artifact.artifact_type.is_some()
                || artifact.kind != ArtifactKind::Other
                || blobs.is_empty()
                || !blobs.iter().all(|blob| is_layer(&blob.media_type))
        }
    }
}

/// Returns `true` if a media type denotes a layer of a container image, in any form of storage.
fn is_layer(media_type: &str) -> bool {
    let is_tar = media_type.contains(".tar") || media_type.contains("+tar") || media_type.contains("rootfs.diff");
    is_tar && !media_type.contains("helm.chart")
        || media_type.contains("squashfs")
        || media_type.contains("erofs")
        || media_type.ends_with("+encrypted")
}

/// Returns the reason why a layer of that media type cannot be read. Returns `None` if it can be read or has to be
/// tried.
pub(super) fn unreadable_layer(media_type: &str) -> Option<&'static str> {
    let form = |part: &str| media_type.contains(part);
    match () {
        () if media_type.ends_with("+encrypted") => Some("encrypted: reading it requires the recipient's key"),
        () if form("squashfs") => Some("a file system image (squashfs)"),
        () if form("erofs") => Some("a file system image (EROFS)"),
        () if form("vnd.sylabs.sif") => Some("a Singularity image (SIF)"),
        () if form("nydus") => Some("a Nydus image"),
        () => None,
    }
}

/// Returns `true` if a media type denotes a layer that must not be redistributed, such as those of older Windows base
/// images.
pub(crate) fn is_foreign(media_type: &str) -> bool {
    media_type.contains(".foreign.") || media_type.contains("nondistributable")
}

/// Refuses an image without a readable layer, judging by the media types in its manifest.
///
/// # Errors
/// [`SourceError::Artifact`] if no layer can be read.
pub(super) fn refuse_unreadable(request: &Request<'_>, layout: &Layout, bytes: &[u8]) -> Result<(), SourceError> {
    let is_unreadable = |contents: &LayerContents| matches!(contents, LayerContents::Unreadable(_));
    if layout.layers.is_empty() || !layout.layers.iter().all(|layer| is_unreadable(&layer.contents)) {
        return Ok(());
    }
    let Some(mut artifact) = read(request, bytes) else { return Ok(()) };
    let all_encrypted = artifact.blobs.iter().all(|blob| blob.media_type.ends_with("+encrypted"));
    artifact.kind = if all_encrypted { ArtifactKind::EncryptedImage } else { ArtifactKind::UnreadableImage };
    Err(SourceError::Artifact(Box::new(artifact)))
}
