//! Archives written by Docker before 1.10: Docker image specification v1, `repositories` and one directory per layer
//! with a `json` that names its parent.

use serde::de::MapAccess;

use super::config::{LegacyLayer, parse_lenient};
use super::docker_archive::{MAX_IMAGES, step};
use super::lenient::{Fill, Lenient, Pairs};
use super::selection::{Named, choices, selected};
use super::{Container, DescribedLayer, Layout, Request, SourceError, config::parse_config};
use nixdive_image::Identity;
use nixdive_image::reference::Transport;

const REPOSITORIES: &str = "repositories";
/// Maximum number of layers in a chain of parents: far beyond Docker's 127, and ends any cycle.
const MAX_CHAIN: usize = 1000;

/// Reads the image that `request` selects, assembled from its chain of layers.
///
/// # Errors
/// [`SourceError`] if a document is missing or invalid, or the selector matches no image or several.
pub fn read_legacy(container: &dyn Container, request: &Request<'_>) -> Result<Layout, SourceError> {
    let broken = |reason: String| SourceError::Document { name: REPOSITORIES.to_owned(), reason };
    let bytes = container.required(REPOSITORIES, "an archive without manifest.json")?;
    let Repositories(images) = parse_lenient(REPOSITORIES, &bytes)?;
    if images.is_empty() {
        return Err(broken("no image is listed".to_owned()));
    }
    match selected(request, Transport::DockerArchive, &images)?.as_slice() {
        [one] => read_chain(container, request, &images[*one]),
        several => Err(SourceError::Several(choices(request, Transport::DockerArchive, &images, several))),
    }
}

/// The images of `repositories`: names, each with tags, each with a layer. Sorted by name.
#[derive(Default)]
struct Repositories(Vec<Tagged>);

impl Fill for Repositories {
    fn map<'de, A: MapAccess<'de>>(&mut self, mut entries: A) -> Result<(), A::Error> {
        while let Some((name, Lenient(Pairs(tags)))) = entries.next_entry::<String, Lenient<Pairs>>()? {
            let room = MAX_IMAGES.saturating_sub(self.0.len());
            let tagged = |(tag, id): (String, String)| Tagged { name: [format!("{name}:{tag}")], id };
            self.0.extend(tags.into_iter().take(room).map(tagged));
        }
        self.0.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(())
    }
}

/// An image with its name and its topmost layer.
struct Tagged {
    name: [String; 1],
    id: String,
}

impl Named for Tagged {
    fn names(&self) -> &[String] {
        &self.name
    }
}

fn read_chain(container: &dyn Container, request: &Request<'_>, image: &Tagged) -> Result<Layout, SourceError> {
    let mut config = None;
    let mut layers = Vec::new();
    let mut history = Vec::new();
    let mut absent = Vec::new();
    let mut next = Some(image.id.clone());
    while let Some(id) = next.take() {
        if layers.len() >= MAX_CHAIN {
            let reason = format!("the chain of parents has more than {MAX_CHAIN} layers, or is a cycle");
            return Err(SourceError::Document { name: format!("{id}/json"), reason });
        }
        let document = format!("{id}/json");
        let bytes = container.required(&document, REPOSITORIES)?;
        let layer_config = parse_config(&document, &bytes)?;
        let layer: LegacyLayer = parse_lenient(&document, &bytes)?;
        history.push(step(layer.created, layer.command.map(|words| words.join(" "))));
        next = layer.parent.filter(|parent| !parent.is_empty());
        let blob = format!("{id}/layer.tar");
        let located = container.locate(&blob);
        absent.push(located.is_none());
        let located = located.unwrap_or_else(|| blob.clone());
        layers.push(DescribedLayer { name: blob, located, ..DescribedLayer::default() });
        config.get_or_insert(layer_config);
    }
    layers.reverse();
    absent.reverse();
    history.reverse();
    let mut config = config.unwrap_or_default();
    config.history = history;
    let identity = Identity {
        requested: request.reference.text.clone(),
        source_kind: Transport::DockerArchive.name().to_owned(),
        references: image.name.to_vec(),
        ..Identity::default()
    };
    let mut layout = Layout { identity, config, layers, warnings: Vec::new(), defects: Vec::new() };
    layout.describe_layers();
    // This format has no diffIDs, so nothing can mismatch.
    layout.warnings.clear();
    layout.defects.clear();
    for number in (0..absent.len()).filter(|&number| absent[number]) {
        layout.absent_layer(number, REPOSITORIES);
    }
    Ok(layout)
}
