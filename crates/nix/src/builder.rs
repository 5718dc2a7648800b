//! Which program made an image, as far as Nix is concerned, and what gives it away.

use std::fmt;

use super::claims::{ANNOTATION_OF_LAYER, ANNOTATION_PREFIX, COMMENT_PREFIX};
use super::contents::StoreContents;
use nixdive_image::{Config, FileTree, Image, Kind, Layer, LayerIndex};

/// A program that puts store paths into images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Builder {
    /// nix-snapshotter: names store paths and holds none.
    NixSnapshotter,
    /// dockerTools' `buildLayeredImage` or `streamLayeredImage`, whose images are alike.
    DockerToolsLayered,
    /// dockerTools' `buildImage`.
    DockerToolsSingle,
    /// nix2container.
    Nix2Container,
    /// Nixery.
    Nixery,
    /// Something else: a Dockerfile, say, that brought a store in.
    Other,
}

impl Builder {
    /// A name for people and for JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NixSnapshotter => "nix-snapshotter",
            Self::DockerToolsLayered => "dockerTools.buildLayeredImage or streamLayeredImage",
            Self::DockerToolsSingle => "dockerTools.buildImage",
            Self::Nix2Container => "nix2container",
            Self::Nixery => "Nixery",
            Self::Other => "unknown, contains a Nix store",
        }
    }
}

/// Evidence that identifies a builder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// An `image.json`, which only nix2container writes.
    Document,
    /// Annotations of this layer's descriptor.
    Annotation(LayerIndex),
    /// The comment of a history entry, by its place.
    Comment(usize),
    /// The command of a history entry, by its place.
    Command(usize),
    /// Store paths in layers that hold no directory and have no history.
    NoDirectories,
    /// Store paths, made and modified in the first second of 1970.
    Epoch,
    /// Store paths among the entries, and nothing else.
    Entries,
}

impl fmt::Display for Signal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Document => formatter.write_str("its image.json"),
            Self::Annotation(layer) => write!(formatter, "annotations of layer {}", layer.0),
            Self::Comment(place) => write!(formatter, "the comment of history entry {place}"),
            Self::Command(place) => write!(formatter, "the command of history entry {place}"),
            Self::NoDirectories => formatter.write_str("store paths without directory entries or history"),
            Self::Epoch => formatter.write_str("store paths dated to the first second of 1970"),
            Self::Entries => formatter.write_str("entries in /nix/store"),
        }
    }
}

/// Who made an image and how that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recognition {
    /// Who.
    pub builder: Builder,
    /// The strongest signal.
    pub signal: Signal,
}

/// Recognises the builder of an image; `None` where it has nothing to do with Nix, and for store paths of this machine.
#[must_use]
pub fn recognise(image: &Image, store: &StoreContents) -> Option<Recognition> {
    if image.is_closure() {
        return None;
    }
    let found = recognise_parts(&image.config, &image.layers, &image.tree, store);
    let is_document = image.identity.source_kind == "nix2container";
    match found {
        Some(Recognition { builder: Builder::Nix2Container, .. }) => found,
        _ if is_document => Some(Recognition { builder: Builder::Nix2Container, signal: Signal::Document }),
        _ => found,
    }
}

fn recognise_parts(config: &Config, layers: &[Layer], tree: &FileTree, store: &StoreContents) -> Option<Recognition> {
    let annotated = layers.iter().position(|layer| layer.annotations.iter().any(is_snapshotter));
    if let Some(index) = annotated.and_then(|index| u16::try_from(index).ok()) {
        return Some(Recognition { builder: Builder::NixSnapshotter, signal: Signal::Annotation(LayerIndex(index)) });
    }
    let history = &config.history;
    let comment = |comment: &Option<String>| comment.as_ref().is_some_and(|text| text.starts_with(COMMENT_PREFIX));
    if let Some(place) = history.iter().position(|entry| comment(&entry.comment)) {
        return Some(Recognition { builder: Builder::DockerToolsLayered, signal: Signal::Comment(place) });
    }
    if let Some(place) = history.iter().position(|entry| entry.created_by.as_deref() == Some("nix2container")) {
        return Some(Recognition { builder: Builder::Nix2Container, signal: Signal::Command(place) });
    }
    if store.paths.is_empty() {
        return None;
    }
    let recognition = if history.is_empty() && !has_directories(tree) {
        Recognition { builder: Builder::Nixery, signal: Signal::NoDirectories }
    } else if history.iter().all(|entry| entry.created_by.is_none()) && is_of_the_epoch(config, tree, store) {
        Recognition { builder: Builder::DockerToolsSingle, signal: Signal::Epoch }
    } else {
        Recognition { builder: Builder::Other, signal: Signal::Entries }
    };
    Some(recognition)
}

fn is_snapshotter((key, value): &(String, String)) -> bool {
    (key == ANNOTATION_OF_LAYER && value == "true") || key.starts_with(ANNOTATION_PREFIX)
}

fn has_directories(tree: &FileTree) -> bool {
    let mut entries = tree.layer_indices().flat_map(|layer| tree.layer_occurrences(layer));
    entries.any(|id| tree.occurrence(id).kind == Kind::Directory)
}

fn is_of_the_epoch(config: &Config, tree: &FileTree, store: &StoreContents) -> bool {
    let created = config.created.as_deref().is_some_and(|created| created.starts_with("1970-01-01T00:00:0"));
    let mut newest = store.paths.iter().filter_map(|known| tree.occurrences_of(known.node).next());
    created && newest.all(|id| (0..=1).contains(&tree.occurrence(id).mtime))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contents::fixture::{Fixture, item};
    use nixdive_image::HistoryEntry;

    const PATH: &str = "nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-a-1";

    fn builder(config: &Config, items: &[(&str, Kind)]) -> Option<Builder> {
        let items = items.iter().map(|(path, kind)| item(path, *kind, "")).collect();
        let fixture = Fixture::new(&[items]);
        recognise_parts(config, &[], &fixture.tree, &StoreContents::new(&fixture.tree)).map(|found| found.builder)
    }

    fn history(entry: HistoryEntry) -> Config {
        Config { history: vec![entry], created: Some("1970-01-01T00:00:01Z".into()), ..Config::default() }
    }

    #[test]
    fn builders_are_told_by_their_strongest_signal() {
        let comment = HistoryEntry { comment: Some("store paths: ['/nix/store/x']".into()), ..Default::default() };
        assert_eq!(builder(&history(comment), &[]), Some(Builder::DockerToolsLayered));
        let command = |text: &str| HistoryEntry { created_by: Some(text.into()), ..Default::default() };
        assert_eq!(builder(&history(command("nix2container")), &[]), Some(Builder::Nix2Container));
        let directory = [(PATH, Kind::Directory)];
        assert_eq!(builder(&history(HistoryEntry::default()), &directory), Some(Builder::DockerToolsSingle));
        assert_eq!(builder(&history(command("COPY /nix /nix")), &directory), Some(Builder::Other));
        assert_eq!(builder(&Config::default(), &[(PATH, Kind::File)]), Some(Builder::Nixery));
        assert_eq!(builder(&Config::default(), &[("bin", Kind::Directory)]), None);
    }
}
