//! Archives written by `docker save`, `skopeo copy … docker-archive:`, dockerTools and kaniko: Docker image
//! specification v1.2, "Combined Image JSON + Filesystem Changeset Format", and its older form without `manifest.json`.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::artifact::is_foreign;
use super::config::parse_config;
use super::lenient::Bounded;
use super::oci::elsewhere;
use super::selection::{Named, choices, selected};
use super::{Container, DescribedLayer, Layout, Request, SourceError};
use nixdive_image::reference::Transport;
use nixdive_image::{Digest, HistoryEntry, Identity, LayerContents, Platform, TreeBuilder};

const MANIFEST: &str = "manifest.json";
const REPOSITORIES: &str = "repositories";
/// Maximum number of images in one archive.
pub(super) const MAX_IMAGES: usize = 10_000;
/// Maximum number of names of one image.
const MAX_NAMES: usize = 10_000;

/// One image of `manifest.json`.
#[derive(Debug, Default)]
struct ManifestEntry {
    config: Option<String>,
    names: Vec<String>,
    layers: Option<Vec<String>>,
    /// Descriptors, by diffID, of layers that Windows' licence excludes from the archive.
    layer_sources: BTreeMap<String, LayerSource>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LayerSource {
    #[serde(default)]
    media_type: String,
    #[serde(default)]
    urls: Vec<String>,
}

/// Field names ignore case, and `null` is an empty text, as in Docker's `encoding/json`.
impl<'de> Deserialize<'de> for ManifestEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntryVisitor)
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = ManifestEntry;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object that describes an image")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<ManifestEntry, A::Error> {
        type Names<const MOST: usize> = Option<Bounded<Option<String>, MOST>>;
        let mut entry = ManifestEntry::default();
        while let Some(key) = fields.next_key::<String>()? {
            match key.to_ascii_lowercase().as_str() {
                "config" => entry.config = fields.next_value()?,
                "repotags" => {
                    let names: Names<MAX_NAMES> = fields.next_value()?;
                    let names = names.into_iter().flat_map(|names| names.0).flatten();
                    entry.names = names.filter(|name| !name.is_empty()).collect();
                }
                "layers" => {
                    let layers: Names<{ TreeBuilder::MAX_LAYERS }> = fields.next_value()?;
                    entry.layers = layers.map(|layers| layers.0.into_iter().map(Option::unwrap_or_default).collect());
                }
                "layersources" => {
                    let sources: Option<BTreeMap<String, LayerSource>> = fields.next_value()?;
                    entry.layer_sources = sources.unwrap_or_default();
                }
                _ => drop(fields.next_value::<IgnoredAny>()?),
            }
        }
        Ok(entry)
    }
}

/// Returns `true` if the container looks like a docker-archive.
#[must_use]
pub fn is_docker_archive(container: &dyn Container) -> bool {
    container.locate(MANIFEST).is_some() || container.locate(REPOSITORIES).is_some()
}

/// Reads the image that `request` selects.
///
/// # Errors
/// [`SourceError`] if a document is missing or invalid, or the selector matches no image or several.
pub fn read_docker_archive(container: &dyn Container, request: &Request<'_>) -> Result<Layout, SourceError> {
    let Some(bytes) = container.document(MANIFEST)? else {
        return super::docker_legacy::read_legacy(container, request);
    };
    let Bounded::<ManifestEntry, MAX_IMAGES>(entries) = super::oci::parse(MANIFEST, &bytes)?;
    if entries.is_empty() {
        let reason = "no image is listed".to_owned();
        return Err(SourceError::Document { name: MANIFEST.to_owned(), reason });
    }
    let chosen = choose(container, request, &entries)?;
    read_entry(container, request, &entries[chosen])
}

fn read_entry(container: &dyn Container, request: &Request<'_>, entry: &ManifestEntry) -> Result<Layout, SourceError> {
    if entry.config.is_none() && entry.layers.is_none() {
        let reason = "the image has neither a configuration nor layers".to_owned();
        return Err(SourceError::Document { name: MANIFEST.to_owned(), reason });
    }
    let mut identity = Identity {
        requested: request.reference.text.clone(),
        source_kind: Transport::DockerArchive.name().to_owned(),
        references: entry.names.clone(),
        ..Identity::default()
    };
    let mut config_bytes = None;
    let config = match &entry.config {
        Some(name) => {
            let bytes = container.required(name, MANIFEST)?;
            identity.config_digest = Some(super::digest_of(&bytes));
            let config = parse_config(name, &bytes)?;
            config_bytes = Some((name, bytes));
            config
        }
        None => nixdive_image::Config::default(),
    };
    let names = entry.layers.as_deref().unwrap_or_default();
    let foreign = |index: usize| {
        let source = entry.layer_sources.get(config.diff_ids.get(index)?)?;
        (is_foreign(&source.media_type) || !source.urls.is_empty()).then_some(source)
    };
    let mut absent = Vec::new();
    let layers = names.iter().enumerate().map(|(index, name)| {
        let (located, contents) = match (container.locate(name), foreign(index)) {
            (Some(located), _) => (located, LayerContents::Present),
            (None, Some(source)) => (String::new(), LayerContents::Unreadable(elsewhere(&source.urls))),
            (None, None) => {
                absent.push(index);
                (name.clone(), LayerContents::Present)
            }
        };
        let digest = blob_digest(name);
        DescribedLayer { name: name.clone(), located, digest, contents, ..DescribedLayer::default() }
    });
    let layers = layers.collect();
    let mut layout = Layout { identity, config, layers, warnings: Vec::new(), defects: Vec::new() };
    if entry.config.is_none() {
        layout.warn(format!("{MANIFEST}: no configuration, so the image has no command, platform or history"));
    }
    layout.describe_layers();
    if let Some((name, bytes)) = config_bytes {
        super::check_digest(&mut layout, "configuration", config_digest(name).as_ref(), &bytes);
    }
    for number in absent {
        layout.absent_layer(number, MANIFEST);
    }
    Ok(layout)
}

/// Returns the digest in the name of a configuration: `HEX.json` as written by Docker and dockerTools, `sha256:HEX` by
/// kaniko, or a blob of an OCI layout.
fn config_digest(name: &str) -> Option<Digest> {
    let stem = name.strip_suffix(".json").unwrap_or(name);
    let given = blob_digest(name).or_else(|| Digest::parse(stem)).or_else(|| Digest::parse(&format!("sha256:{stem}")));
    given.filter(Digest::is_verifiable)
}

/// Returns the digest in the name of a layer: Docker 25 and later store layers like an OCI layout, by digest.
fn blob_digest(name: &str) -> Option<Digest> {
    let (algorithm, hex) = name.strip_prefix("blobs/")?.split_once('/')?;
    Digest::parse(&format!("{algorithm}:{hex}"))
}

impl Named for ManifestEntry {
    fn names(&self) -> &[String] {
        &self.names
    }
}

/// Returns the position of the image that the selector names; if there are several, of the one that matches the
/// platform.
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

/// Returns a history step for a layer without further details.
pub(super) fn step(created: Option<String>, created_by: Option<String>) -> HistoryEntry {
    HistoryEntry { created, created_by, ..HistoryEntry::default() }
}
