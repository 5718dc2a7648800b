//! skopeo's `dir:`: `manifest.json`, `version`, and every blob under the hex part of its digest
//! (`containers-transports(5)`).

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::index::Naming;
use super::oci::{parse, read_index, read_manifest};
use super::{Container, Layout, Request, SourceError};
use nixdive_image::reference::Transport;

/// Distinguishes a list of manifests, as written by `skopeo copy --all`, from a manifest.
#[derive(Deserialize)]
struct Shape {
    manifests: Option<IgnoredAny>,
}

/// Returns `true` if the container looks like skopeo's `dir:`: its `manifest.json` is an image manifest, not a list of
/// images.
#[must_use]
pub fn is_dir(container: &dyn Container) -> bool {
    let Ok(Some(bytes)) = container.document(Naming::Directory.index()) else { return false };
    bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{')
}

/// Reads the image in the directory.
///
/// # Errors
/// [`SourceError`] if a document is missing or invalid.
pub fn read_dir(container: &dyn Container, request: &Request<'_>) -> Result<Layout, SourceError> {
    let name = Naming::Directory.index();
    let bytes = container.required(name, "a skopeo directory")?;
    let shape: Shape = parse(name, &bytes)?;
    let mut layout = if shape.manifests.is_some() {
        read_index(container, request, Naming::Directory, Transport::Dir, &bytes)?
    } else {
        let mut layout = read_manifest(container, request, Naming::Directory, name, &bytes).map_err(|error| {
            error.of_artifact(|artifact| artifact.identity.source_kind = Transport::Dir.name().to_owned())
        })?;
        layout.identity.manifest_digest = Some(super::digest_of(&bytes));
        layout
    };
    layout.identity.source_kind = Transport::Dir.name().to_owned();
    if let Some(wanted) = request.platform
        && shape.manifests.is_none()
        && !layout.config.platform.serves(wanted)
    {
        return Err(SourceError::NoPlatform { wanted: wanted.clone(), there: vec![layout.config.platform] });
    }
    Ok(layout)
}
