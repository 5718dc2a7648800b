//! An image in a registry: OCI distribution specification, "Pulling manifests" and "Pulling blobs".

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::index::Naming;
use super::oci::{parse, read_index, read_manifest};
use super::{Container, Layout, Request, SourceError};
use nixdive_image::Digest;
use nixdive_image::reference::Transport;

/// Distinguishes an index from a manifest.
#[derive(Deserialize)]
struct Shape {
    manifests: Option<IgnoredAny>,
}

/// Reads the image that a manifest describes, or the image of an index that `request` selects. The container provides
/// its parts as `manifests/DIGEST` and `blobs/DIGEST`, and verifies their digests.
///
/// # Errors
/// [`SourceError`] if a document is missing or invalid, or no image matches.
pub fn read_remote(
    container: &dyn Container,
    request: &Request<'_>,
    digest: &Digest,
    bytes: &[u8],
) -> Result<Layout, SourceError> {
    let container = &super::container::Rationed::new(container);
    let shape: Shape = parse("the manifest", bytes)?;
    let of_registry =
        |error: SourceError| error.of_artifact(|artifact| artifact.identity.source_kind = "registry".to_owned());
    let mut layout = if shape.manifests.is_some() {
        read_index(container, request, Naming::Registry, Transport::Docker, bytes).map_err(of_registry)?
    } else {
        let mut layout =
            read_manifest(container, request, Naming::Registry, "the manifest", bytes).map_err(of_registry)?;
        layout.identity.manifest_digest = Some(digest.clone());
        layout
    };
    super::check_digest(&mut layout, "manifest or index", Some(digest), bytes);
    layout.identity.source_kind = "registry".to_owned();
    if let Some(wanted) = request.platform
        && shape.manifests.is_none()
        && !layout.config.platform.serves(wanted)
    {
        return Err(SourceError::NoPlatform { wanted: wanted.clone(), there: vec![layout.config.platform] });
    }
    Ok(layout)
}
