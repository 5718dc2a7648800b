//! What `docker save`, `skopeo copy … docker-archive:`, dockerTools and kaniko write: Docker image specification v1.2,
//! "Combined Image JSON + Filesystem Changeset Format", and its older form without `manifest.json`.

use serde::Deserialize;

use super::config::parse_config;
use super::lenient::Bounded;
use super::selection::{Named, choices, selected};
use super::{Container, DescribedLayer, Layout, Request, SourceError};
use crate::image::{Digest, HistoryEntry, Identity, Platform, TreeBuilder};
use crate::reference::Transport;

const MANIFEST: &str = "manifest.json";
const REPOSITORIES: &str = "repositories";
/// Images that one archive may list.
pub(super) const MAX_IMAGES: usize = 10_000;
/// Names that one image may have.
const MAX_NAMES: usize = 10_000;

/// One image of `manifest.json`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ManifestEntry {
    config: Option<String>,
    repo_tags: Option<Bounded<String, MAX_NAMES>>,
    layers: Option<Bounded<String, { TreeBuilder::MAX_LAYERS }>>,
}

/// Whether the container looks like a docker-archive.
#[must_use]
pub fn is_docker_archive(container: &dyn Container) -> bool {
    container.locate(MANIFEST).is_some() || container.locate(REPOSITORIES).is_some()
}

/// The image that `request` asks for.
///
/// # Errors
/// [`SourceError`].
pub fn read_docker_archive(container: &dyn Container, request: &Request<'_>) -> Result<Layout, SourceError> {
    let Some(bytes) = container.document(MANIFEST)? else {
        return super::docker_legacy::read_legacy(container, request);
    };
    let Bounded::<ManifestEntry, MAX_IMAGES>(entries) = super::oci::parse(MANIFEST, &bytes)?;
    if entries.is_empty() {
        let reason = "it lists no image".to_owned();
        return Err(SourceError::Document { name: MANIFEST.to_owned(), reason });
    }
    let chosen = choose(container, request, &entries)?;
    read_entry(container, request, &entries[chosen])
}

fn read_entry(container: &dyn Container, request: &Request<'_>, entry: &ManifestEntry) -> Result<Layout, SourceError> {
    if entry.config.is_none() && entry.layers.is_none() {
        let reason = "the image in it names neither a configuration nor layers".to_owned();
        return Err(SourceError::Document { name: MANIFEST.to_owned(), reason });
    }
    let mut identity = Identity {
        requested: request.reference.text.clone(),
        source_kind: Transport::DockerArchive.name().to_owned(),
        references: entry.names().to_vec(),
        ..Identity::default()
    };
    let config = match &entry.config {
        Some(name) => {
            let bytes = container.required(name, MANIFEST)?;
            identity.config_digest = Some(super::digest_of(&bytes));
            parse_config(name, &bytes)?
        }
        None => crate::image::Config::default(),
    };
    let names = entry.layers.as_ref().map_or(&[][..], |layers| &layers.0);
    let layers = names.iter().enumerate().map(|(index, name)| {
        let located = container.locate(name).ok_or_else(|| missing_layer(index, name, MANIFEST))?;
        let digest = blob_digest(name);
        Ok(DescribedLayer { name: name.clone(), located, digest, ..DescribedLayer::default() })
    });
    let layers = layers.collect::<Result<_, SourceError>>()?;
    let mut layout = Layout { identity, config, layers, warnings: Vec::new() };
    if entry.config.is_none() {
        layout.warn(format!("{MANIFEST} names no configuration: the image has no command, platform or history"));
    }
    layout.describe_layers();
    Ok(layout)
}

/// The error of a layer that is not in the archive.
pub(super) fn missing_layer(index: usize, name: &str, named_by: &str) -> SourceError {
    SourceError::Missing { name: name.to_owned(), named_by: format!("layer {index} of {named_by}") }
}

/// Docker 25 and later store layers as the OCI layout does, under their digests.
fn blob_digest(name: &str) -> Option<Digest> {
    let (algorithm, hex) = name.strip_prefix("blobs/")?.split_once('/')?;
    Digest::parse(&format!("{algorithm}:{hex}"))
}

impl Named for ManifestEntry {
    fn names(&self) -> &[String] {
        self.repo_tags.as_ref().map_or(&[], |tags| &tags.0)
    }
}

/// The one that the selector means, and of several the one that fits the platform.
fn choose(container: &dyn Container, request: &Request<'_>, entries: &[ManifestEntry]) -> Result<usize, SourceError> {
    let named = selected(request, Transport::DockerArchive, entries)?;
    let platform = |index: usize| -> Option<Platform> {
        let name = entries[index].config.as_ref()?;
        Some(parse_config(name, &container.document(name).ok()??).ok()?.platform)
    };
    let fitting: Vec<usize> = match request.platform {
        None => named,
        Some(wanted) => {
            let there: Vec<(usize, Option<Platform>)> =
                named.into_iter().map(|index| (index, platform(index))).collect();
            let serves = |found: &Option<Platform>| found.as_ref().is_some_and(|found| found.serves(wanted));
            let fitting: Vec<usize> =
                there.iter().filter(|(_, found)| serves(found)).map(|&(index, _)| index).collect();
            if fitting.is_empty() {
                let there = there.into_iter().filter_map(|(_, found)| found).collect();
                return Err(SourceError::NoPlatform { wanted: wanted.clone(), there });
            }
            fitting
        }
    };
    match fitting.as_slice() {
        [one] => Ok(*one),
        several => Err(SourceError::Several(choices(request, Transport::DockerArchive, entries, several))),
    }
}

/// A step of the history that stands for a layer without more words.
pub(super) fn step(created: Option<String>, created_by: Option<String>) -> HistoryEntry {
    HistoryEntry { created, created_by, ..HistoryEntry::default() }
}
