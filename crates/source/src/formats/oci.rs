//! OCI layouts, as a directory or in an archive: OCI image specification, "Image Layout", "Image Index" and "Image
//! Manifest"; Docker's media types of the same shape are accepted, too.

use oci_spec::image::{Descriptor, ImageManifest};
use serde::de::DeserializeOwned;

use super::artifact::{artifact_of, is_foreign, refuse_unreadable, unreadable_layer};
use super::config::parse_config;
use super::index::{Candidates, Naming, candidates, choose};
use super::{Container, DescribedLayer, Layout, Request, SourceError};
use nixdive_base::text::display_in_sentence;
use nixdive_image::reference::Transport;
use nixdive_image::{DefectKind, Digest, Identity, LayerContents, TreeBuilder};

/// Returns `true` if the container looks like an OCI layout.
#[must_use]
pub fn is_oci_layout(container: &dyn Container) -> bool {
    container.locate(Naming::Layout.index()).is_some()
}

/// Reads the image that `request` selects. `transport` is [`Transport::Oci`] or [`Transport::OciArchive`].
///
/// # Errors
/// [`SourceError`] if a document is missing or invalid, or the selector matches no image or several.
pub fn read_oci_layout(
    container: &dyn Container,
    request: &Request<'_>,
    transport: Transport,
) -> Result<Layout, SourceError> {
    let index = container.required(Naming::Layout.index(), "the image layout")?;
    let source_kind = if transport == Transport::Oci { "oci-layout" } else { transport.name() };
    let mut layout = read_index(container, request, Naming::Layout, transport, &index)
        .map_err(|error| error.of_artifact(|artifact| artifact.identity.source_kind = source_kind.to_owned()))?;
    layout.identity.source_kind = source_kind.to_owned();
    Ok(layout)
}

/// Reads the image of an index that `request` selects.
///
/// # Errors
/// [`SourceError`] if a document is missing or invalid, or the selector matches no image or several.
pub(super) fn read_index(
    container: &dyn Container,
    request: &Request<'_>,
    naming: Naming,
    transport: Transport,
    index: &[u8],
) -> Result<Layout, SourceError> {
    let Candidates { found, altered } = candidates(container, naming, index)?;
    let chosen = choose(container, request, naming, transport, &found)?;
    let name = naming.stated_manifest(&chosen.digest)?;
    let bytes = container.required(&name, naming.index())?;
    let manifest_digest = Digest::parse(&chosen.digest);
    let names = chosen.names;
    let mut layout = read_manifest(container, request, naming, &name, &bytes)
        .map_err(|error| error.of_artifact(|artifact| artifact.identity.references.clone_from(&names)))?;
    layout.identity.references = names;
    super::check_digest(&mut layout, "manifest", manifest_digest.as_ref(), &bytes);
    layout.identity.manifest_digest = manifest_digest;
    for digest in altered {
        let message = format!("an index within the index is listed under the digest {digest}, but has another digest");
        layout.defect(DefectKind::Altered, None, message);
    }
    Ok(layout)
}

/// Reads the image of one manifest, itself named `name`.
///
/// # Errors
/// [`SourceError`] if a document is missing or invalid.
pub(super) fn read_manifest(
    container: &dyn Container,
    request: &Request<'_>,
    naming: Naming,
    name: &str,
    bytes: &[u8],
) -> Result<Layout, SourceError> {
    if let Some(artifact) = artifact_of(request, bytes) {
        return Err(SourceError::Artifact(Box::new(artifact)));
    }
    let manifest: ImageManifest = parse(name, bytes)?;
    let count = manifest.layers().len();
    if count > TreeBuilder::MAX_LAYERS {
        let reason = format!("{count} layers are listed, more than the maximum of {}", TreeBuilder::MAX_LAYERS);
        return Err(SourceError::Document { name: name.to_owned(), reason });
    }
    let config_name = naming.stated_blob(manifest.config().digest().as_ref(), name)?;
    let config_bytes = container.required(&config_name, name)?;
    let config = parse_config(&config_name, &config_bytes)?;
    let mut absent = Vec::new();
    let layer = |(index, descriptor): (usize, &Descriptor)| {
        let blob = naming.stated_blob(descriptor.digest().as_ref(), name)?;
        let media_type = descriptor.media_type().to_string();
        let urls = descriptor.urls().clone().unwrap_or_default();
        let located = container.locate(&blob);
        let contents = match (unreadable_layer(&media_type), &located) {
            (Some(reason), _) => LayerContents::Unreadable(reason.to_owned()),
            (None, Some(_)) => LayerContents::Present,
            (None, None) if is_foreign(&media_type) || !urls.is_empty() => LayerContents::Unreadable(elsewhere(&urls)),
            (None, None) => {
                absent.push(index);
                LayerContents::Present
            }
        };
        let located = located.unwrap_or_else(|| blob.clone());
        let mut annotations: Vec<(String, String)> =
            descriptor.annotations().iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect();
        annotations.sort();
        Ok(DescribedLayer {
            name: blob,
            located,
            digest: Digest::parse(descriptor.digest().as_ref()),
            stored_bytes: Some(descriptor.size()),
            media_type: Some(media_type),
            annotations,
            urls,
            contents,
            ..DescribedLayer::default()
        })
    };
    let layers = manifest.layers().iter().enumerate().map(layer).collect::<Result<_, SourceError>>()?;
    let identity = Identity {
        requested: request.reference.text.clone(),
        config_digest: Some(super::digest_of(&config_bytes)),
        ..Identity::default()
    };
    let mut layout = Layout { identity, config, layers, warnings: Vec::new(), defects: Vec::new() };
    let stated = Digest::parse(manifest.config().digest().as_ref());
    super::check_digest(&mut layout, "configuration", stated.as_ref(), &config_bytes);
    layout.describe_layers();
    for number in absent {
        layout.absent_layer(number, "the manifest");
    }
    refuse_unreadable(request, &layout, bytes)?;
    Ok(layout)
}

/// Describes a layer that must not be redistributed with the image.
pub(crate) fn elsewhere(urls: &[String]) -> String {
    match urls.first() {
        Some(url) => format!("not in the image; its owner provides it at {}", display_in_sentence(url)),
        None => "not in the image: its owner does not allow redistribution".to_owned(),
    }
}

/// Parses a JSON document of a known shape, with the rules of engines.
pub(super) fn parse<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, SourceError> {
    nixdive_base::go_json::from_slice(bytes)
        .map_err(|error| SourceError::Document { name: name.to_owned(), reason: error.to_string() })
}
