//! OCI layouts, as a directory or in an archive: OCI image specification, "Image Layout", "Image Index" and
//! "Image Manifest"; Docker's media types of the same shape count as well.

use oci_spec::image::{Descriptor, ImageIndex, ImageManifest};
use serde::de::DeserializeOwned;

use super::config::parse_config;
use super::docker_archive::missing_layer;
use super::{Choice, Container, DescribedLayer, Layout, Request, SourceError};
use crate::image::{Digest, Identity, Platform};
use crate::reference::{Selector, Transport};

const INDEX: &str = "index.json";
/// Indexes within indexes that are followed.
const MAX_NESTING: usize = 8;
/// Manifests that all indexes together may list.
const MAX_MANIFESTS: usize = 10_000;
const REFERENCE_NAME: &str = "org.opencontainers.image.ref.name";
const IMAGE_NAME: &str = "io.containerd.image.name";
const ATTESTATION: &str = "vnd.docker.reference.type";

/// Whether the container looks like an OCI layout.
#[must_use]
pub fn is_oci_layout(container: &dyn Container) -> bool {
    container.locate(INDEX).is_some()
}

/// A manifest that the index lists, with the names that lead to it.
#[derive(Debug, Clone)]
struct Candidate {
    digest: String,
    platform: Option<Platform>,
    names: Vec<String>,
}

/// The image that `request` asks for. `transport` is [`Transport::Oci`] or [`Transport::OciArchive`].
///
/// # Errors
/// [`SourceError`].
pub fn read_oci_layout(
    container: &dyn Container,
    request: &Request<'_>,
    transport: Transport,
) -> Result<Layout, SourceError> {
    let candidates = candidates(container)?;
    if candidates.is_empty() {
        let reason = "it lists no image manifest".to_owned();
        return Err(SourceError::Document { name: INDEX.to_owned(), reason });
    }
    let chosen = choose(container, request, transport, &candidates)?;
    let blob = blob_name(&chosen.digest, INDEX)?;
    let bytes = container.required(&blob, INDEX)?;
    let manifest_digest = Digest::parse(&chosen.digest);
    let mut layout = read_manifest(container, request, &blob, &bytes, &|digest, index| {
        let name = blob_name(digest, &blob)?;
        let located = container.locate(&name).ok_or_else(|| missing_layer(index, &name, &blob))?;
        Ok((name, located))
    })?;
    layout.identity.source_kind =
        if transport == Transport::Oci { "oci-layout".to_owned() } else { transport.name().to_owned() };
    layout.identity.references = chosen.names;
    super::check_digest(&mut layout, "manifest", manifest_digest.as_ref(), &bytes);
    layout.identity.manifest_digest = manifest_digest;
    Ok(layout)
}

/// Where a layer's blob lies, by its digest and its position.
type LocateBlob<'a> = dyn Fn(&str, usize) -> Result<(String, String), SourceError> + 'a;

/// The image of one manifest. `locate` gives name and place of a blob by digest.
///
/// # Errors
/// [`SourceError`].
pub fn read_manifest(
    container: &dyn Container,
    request: &Request<'_>,
    name: &str,
    bytes: &[u8],
    locate: &LocateBlob<'_>,
) -> Result<Layout, SourceError> {
    let manifest: ImageManifest = parse(name, bytes)?;
    let (config_name, _) = locate(manifest.config().digest().as_ref(), 0).map_err(|error| match error {
        SourceError::Missing { name: missing, .. } => SourceError::Missing { name: missing, named_by: name.to_owned() },
        other => other,
    })?;
    let config_bytes = container.required(&config_name, name)?;
    let config = parse_config(&config_name, &config_bytes)?;
    let layer = |(index, descriptor): (usize, &Descriptor)| {
        let (name, located) = locate(descriptor.digest().as_ref(), index)?;
        let mut annotations: Vec<(String, String)> =
            descriptor.annotations().iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect();
        annotations.sort();
        Ok(DescribedLayer {
            name,
            located,
            digest: Digest::parse(descriptor.digest().as_ref()),
            stored_bytes: Some(descriptor.size()),
            media_type: Some(descriptor.media_type().to_string()),
            annotations,
            ..DescribedLayer::default()
        })
    };
    let layers = manifest.layers().iter().enumerate().map(layer).collect::<Result<_, SourceError>>()?;
    let identity = Identity {
        requested: request.reference.text.clone(),
        config_digest: Some(super::digest_of(&config_bytes)),
        ..Identity::default()
    };
    let mut layout = Layout { identity, config, layers, warnings: Vec::new() };
    let stated = Digest::parse(manifest.config().digest().as_ref());
    super::check_digest(&mut layout, "configuration", stated.as_ref(), &config_bytes);
    layout.describe_layers();
    Ok(layout)
}

/// A JSON document of a known shape.
pub(super) fn parse<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, SourceError> {
    serde_json::from_slice(bytes)
        .map_err(|error| SourceError::Document { name: name.to_owned(), reason: error.to_string() })
}

/// `blobs/ALGORITHM/ENCODED`, for a digest of the specification's grammar only: it cannot lead anywhere else.
fn blob_name(digest: &str, named_by: &str) -> Result<String, SourceError> {
    let digest = Digest::parse(digest).ok_or_else(|| SourceError::Document {
        name: named_by.to_owned(),
        reason: format!("«{}» is no digest", crate::image::display_name(digest.as_bytes())),
    })?;
    Ok(format!("blobs/{}/{}", digest.algorithm(), digest.hex()))
}

/// All image manifests of all indexes, in their order, attestations left out.
fn candidates(container: &dyn Container) -> Result<Vec<Candidate>, SourceError> {
    let bytes = container.required(INDEX, "the image layout")?;
    let index: ImageIndex = parse(INDEX, &bytes)?;
    let mut found: Vec<Candidate> = Vec::new();
    let mut seen = 0;
    let mut stack: Vec<(Descriptor, Vec<String>, usize)> =
        index.manifests().iter().rev().map(|descriptor| (descriptor.clone(), names(descriptor), 0)).collect();
    while let Some((descriptor, names_above, nesting)) = stack.pop() {
        seen += 1;
        if seen > MAX_MANIFESTS {
            let reason = format!("it and its nested indexes list more than {MAX_MANIFESTS} manifests");
            return Err(SourceError::Document { name: INDEX.to_owned(), reason });
        }
        if is_attestation(&descriptor) {
            continue;
        }
        let media_type = descriptor.media_type().to_string();
        if media_type.contains("image.index") || media_type.contains("manifest.list") {
            if nesting >= MAX_NESTING {
                let reason = format!("indexes are nested more than {MAX_NESTING} deep");
                return Err(SourceError::Document { name: INDEX.to_owned(), reason });
            }
            let blob = blob_name(descriptor.digest().as_ref(), INDEX)?;
            let inner: ImageIndex = parse(&blob, &container.required(&blob, INDEX)?)?;
            stack.extend(inner.manifests().iter().rev().map(|descriptor| {
                let own = names(descriptor);
                let names = if own.is_empty() { names_above.clone() } else { own };
                (descriptor.clone(), names, nesting + 1)
            }));
            continue;
        }
        let platform = descriptor.platform().as_ref().map(|platform| Platform {
            os: platform.os().to_string(),
            architecture: platform.architecture().to_string(),
            variant: platform.variant().clone(),
        });
        let digest = descriptor.digest().to_string();
        match found.iter_mut().find(|candidate| candidate.digest == digest) {
            Some(same) => same.names.extend(names_above),
            None => found.push(Candidate { digest, platform, names: names_above }),
        }
    }
    Ok(found)
}

fn names(descriptor: &Descriptor) -> Vec<String> {
    let Some(annotations) = descriptor.annotations() else { return Vec::new() };
    let mut names: Vec<String> =
        [IMAGE_NAME, REFERENCE_NAME].iter().filter_map(|key| annotations.get(*key)).cloned().collect();
    names.dedup();
    names
}

/// BuildKit's attestation manifests name no image that could run.
fn is_attestation(descriptor: &Descriptor) -> bool {
    let annotated = descriptor.annotations().as_ref().is_some_and(|annotations| annotations.contains_key(ATTESTATION));
    let unknown = descriptor.platform().as_ref().is_some_and(|platform| {
        platform.os().to_string() == "unknown" && platform.architecture().to_string() == "unknown"
    });
    annotated || unknown
}

fn choose(
    container: &dyn Container,
    request: &Request<'_>,
    transport: Transport,
    candidates: &[Candidate],
) -> Result<Candidate, SourceError> {
    let all: Vec<(usize, &Candidate)> = candidates.iter().enumerate().collect();
    let named: Vec<(usize, &Candidate)> = match &request.reference.selector {
        None => all.clone(),
        Some(Selector::Position(position)) => all.get(*position).into_iter().copied().collect(),
        Some(Selector::Name(wanted)) => all
            .iter()
            .filter(|(_, candidate)| {
                candidate.names.iter().any(|name| super::names_match(name, wanted)) || candidate.digest == *wanted
            })
            .copied()
            .collect(),
    };
    if let (true, Some(selector)) = (named.is_empty(), &request.reference.selector) {
        let there = choices(request, transport, &all).into_iter().map(|choice| choice.reference).collect();
        return Err(SourceError::NoSuchImage { wanted: selector.to_string(), there });
    }
    if let ([(_, one)], None) = (named.as_slice(), request.platform) {
        return Ok((*one).clone());
    }
    let there: Vec<(usize, &Candidate, Platform)> =
        named.iter().map(|&(index, candidate)| (index, candidate, platform_of(container, candidate))).collect();
    let host = Platform::host();
    let wanted = request.platform.unwrap_or(&host);
    let fitting: Vec<(usize, &Candidate)> = there
        .iter()
        .filter(|(_, _, platform)| platform.serves(wanted))
        .map(|&(index, candidate, _)| (index, candidate))
        .collect();
    match fitting.as_slice() {
        [(_, one)] => Ok((*one).clone()),
        [] => Err(SourceError::NoPlatform {
            wanted: wanted.clone(),
            there: there.into_iter().map(|(_, _, platform)| platform).collect(),
        }),
        several => Err(SourceError::Several(choices(request, transport, several))),
    }
}

/// The platform that the index gives, else the one of the configuration.
fn platform_of(container: &dyn Container, candidate: &Candidate) -> Platform {
    let from_config = || {
        let name = blob_name(&candidate.digest, INDEX).ok()?;
        let manifest: ImageManifest = parse(&name, &container.document(&name).ok()??).ok()?;
        let config = blob_name(manifest.config().digest().as_ref(), &name).ok()?;
        Some(parse_config(&config, &container.document(&config).ok()??).ok()?.platform)
    };
    candidate.platform.clone().or_else(from_config).unwrap_or_default()
}

fn choices(request: &Request<'_>, transport: Transport, candidates: &[(usize, &Candidate)]) -> Vec<Choice> {
    let unique = |name: &String| candidates.iter().filter(|(_, candidate)| candidate.names.contains(name)).count() == 1;
    let choice = |&(index, candidate): &(usize, &Candidate)| {
        let name = candidate.names.first().filter(|name| unique(name));
        let selector = name.map_or(Selector::Position(index), |name| Selector::Name(name.clone()));
        let title = if candidate.names.is_empty() { candidate.digest.clone() } else { candidate.names.join(", ") };
        request.choice(transport, &selector, title, candidate.platform.clone())
    };
    candidates.iter().map(choice).collect()
}
