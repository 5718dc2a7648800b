//! skopeo's `dir:`: `manifest.json`, `version`, and every blob under the hex part of its digest
//! (`containers-transports(5)`).

use super::docker_archive::missing_layer;
use super::{Container, Layout, Request, SourceError, oci};
use crate::image::Digest;
use crate::reference::Transport;

const MANIFEST: &str = "manifest.json";

/// Whether the container looks like one: its `manifest.json` is an image manifest, not a list of images.
#[must_use]
pub fn is_dir(container: &dyn Container) -> bool {
    let Ok(Some(bytes)) = container.document(MANIFEST) else { return false };
    bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{')
}

/// The image of the directory.
///
/// # Errors
/// [`SourceError`].
pub fn read_dir(container: &dyn Container, request: &Request<'_>) -> Result<Layout, SourceError> {
    let bytes = container.required(MANIFEST, "a directory of skopeo's")?;
    let locate = |digest: &str, index: usize| {
        let digest = Digest::parse(digest).ok_or_else(|| SourceError::Document {
            name: MANIFEST.to_owned(),
            reason: format!("«{}» is no digest", crate::image::display_name(digest.as_bytes())),
        })?;
        let name = digest.hex().to_owned();
        let located = container.locate(&name).ok_or_else(|| missing_layer(index, &name, MANIFEST))?;
        Ok((name, located))
    };
    let mut layout = oci::read_manifest(container, request, MANIFEST, &bytes, &locate)?;
    layout.identity.source_kind = Transport::Dir.name().to_owned();
    layout.identity.manifest_digest = Some(super::digest_of(&bytes));
    if let Some(wanted) = request.platform
        && !layout.config.platform.serves(wanted)
    {
        return Err(SourceError::NoPlatform { wanted: wanted.clone(), there: vec![layout.config.platform] });
    }
    Ok(layout)
}
