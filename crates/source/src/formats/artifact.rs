//! Manifests of what is not a container image: OCI image specification, "Guidelines for Artifact Usage".

use serde::Deserialize;

use super::lenient::{Bounded, Lenient, Pairs};
use super::{Layout, Request, SourceError};
use nixdive_image::{Artifact, ArtifactBlob, ArtifactKind, Digest, Identity, LayerContents};

/// Blobs that one manifest may list.
const MAX_BLOBS: usize = 10_000;
const TITLE: &str = "org.opencontainers.image.title";

/// Media types of an image's configuration; a descriptor without one is taken for one too.
const IMAGE_CONFIGS: [&str; 6] = [
    "",
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
    "application/json",
    "application/octet-stream",
    "application/vnd.docker.container.image.rootfs.config.v1+json",
];
/// Media types that say nothing of what a blob is.
const GENERIC: [&str; 7] = [
    "",
    "application/octet-stream",
    "application/gzip",
    "application/x-gzip",
    "application/zstd",
    "application/x-tar",
    "application/tar",
];

/// A manifest of any kind, as far as it can be read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LooseManifest {
    #[serde(default)]
    media_type: Lenient<Option<String>>,
    #[serde(default)]
    artifact_type: Lenient<Option<String>>,
    config: Option<LooseDescriptor>,
    layers: Option<Bounded<LooseDescriptor, MAX_BLOBS>>,
    /// Of the artifact manifest that OCI 1.1 had for a while.
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

/// The artifact that a manifest describes; `None` for a container image, and for what is not a manifest.
pub(super) fn artifact_of(request: &Request<'_>, bytes: &[u8]) -> Option<Artifact> {
    let artifact = read(request, bytes)?;
    is_artifact(&artifact).then_some(artifact)
}

/// A manifest as an artifact, whatever it describes.
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

/// Whether a manifest describes something other than a container image. What has files of an image is one, whatever
/// else it is called: only a configuration of another kind, or layers that are all of other kinds, speak against it.
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

/// Whether a media type is one of a layer of a container image, in whatever form it is stored.
fn is_layer(media_type: &str) -> bool {
    let is_tar = media_type.contains(".tar") || media_type.contains("+tar") || media_type.contains("rootfs.diff");
    is_tar && !media_type.contains("helm.chart")
        || media_type.contains("squashfs")
        || media_type.contains("erofs")
        || media_type.ends_with("+encrypted")
}

/// Why a layer of that media type holds nothing that can be read here; `None` where it can be read, or has to be tried.
pub(super) fn unreadable_layer(media_type: &str) -> Option<&'static str> {
    let form = |part: &str| media_type.contains(part);
    match () {
        () if media_type.ends_with("+encrypted") => Some("encrypted: reading it takes the recipient's key"),
        () if form("squashfs") => Some("a file system image (squashfs)"),
        () if form("erofs") => Some("a file system image (EROFS)"),
        () if form("vnd.sylabs.sif") => Some("a Singularity image (SIF)"),
        () if form("nydus") => Some("an image of Nydus"),
        () => None,
    }
}

/// Whether a media type is that of a layer which its owner does not allow to be passed on, as those of Windows' base
/// images were.
pub(crate) fn is_foreign(media_type: &str) -> bool {
    media_type.contains(".foreign.") || media_type.contains("nondistributable")
}

/// Refuses an image of which no layer can be read, by what its manifest says of them.
///
/// # Errors
/// [`SourceError::Artifact`].
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
