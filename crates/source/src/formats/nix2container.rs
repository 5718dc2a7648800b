//! nix2container's `image.json`: the configuration, and for each layer the store paths from which its tar stream is
//! made on demand (github.com/nlewo/nix2container, `types/types.go`). Also reads the bare list of layers,
//! `layers.json`.

use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use super::config::Run;
use super::directory::open_file;
use super::json_format::{NIX2CONTAINER, json_format};
use super::lenient::{Bounded, Lenient};
use super::{Container, DescribedLayer, Layout, Request, SourceError};
use crate::store::{LocalStore, Permission, Rules, StoreError, TarPlan};
use nixdive_base::beneath::{Directory, Links, is_led_out};
use nixdive_base::cancel::Cancel;
use nixdive_base::go_json;
use nixdive_base::text::display_in_sentence;
use nixdive_image::reference::Location;
use nixdive_image::{Config, Digest, HistoryEntry, Identity, LayerContents, Platform, TreeBuilder};
use nixdive_nix::{STORE_DIRECTORY, StorePath};
use nixdive_scan::{NameRoom, Section};

/// The only supported version of the format.
const VERSION: u64 = 1;
/// Maximum number of store paths in one layer.
const MAX_PATHS: usize = 200_000;
/// Default media type of a layer.
const PLAIN: &str = "application/vnd.oci.image.layer.v1.tar";

#[derive(Deserialize)]
struct ImageDocument {
    version: u64,
    #[serde(rename = "image-config", default)]
    config: Lenient<Run>,
    layers: LayerList,
    #[serde(default)]
    arch: Option<String>,
    #[serde(default)]
    created: Option<String>,
}

type LayerList = Bounded<LayerDocument, { TreeBuilder::MAX_LAYERS }>;

#[derive(Deserialize)]
struct LayerDocument {
    digest: String,
    size: u64,
    diff_ids: String,
    paths: Option<Bounded<PathDocument, MAX_PATHS>>,
    #[serde(rename = "mediatype")]
    media_type: Option<String>,
    #[serde(rename = "layer-path", default)]
    layer_path: String,
    #[serde(rename = "History", default)]
    history: Lenient<HistoryEntry>,
}

#[derive(Deserialize)]
struct PathDocument {
    path: String,
    options: Option<Options>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Options {
    rewrite: Rewrite,
    perms: Option<Vec<Perm>>,
    ignore_destination: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Rewrite {
    regex: String,
    repl: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Perm {
    regex: String,
    mode: String,
    or_mode: String,
    uid: u32,
    gid: u32,
    uname: String,
    gname: String,
}

/// The tar streams of an image's layers, by number.
pub struct StoreLayers(Vec<Section>);

impl StoreLayers {
    /// Creates the container from the streams of the layers, base first.
    #[must_use]
    pub fn new(sections: Vec<Section>) -> Self {
        Self(sections)
    }
}

impl Container for StoreLayers {
    fn locate(&self, name: &str) -> Option<String> {
        self.blob(name).ok()?.map(|_| name.to_owned())
    }

    fn document(&self, _: &str) -> Result<Option<Vec<u8>>, SourceError> {
        Ok(None)
    }

    fn blob(&self, located: &str) -> Result<Option<Section>, SourceError> {
        Ok(located.parse::<usize>().ok().and_then(|number| self.0.get(number).cloned()))
    }
}

/// Reads the image of an `image.json`, or of a list of layers. Layers are made from the content of `store`; missing
/// paths are absent.
///
/// # Errors
/// [`SourceError`] if the document is invalid or a store path cannot be read.
pub fn read_nix2container(
    bytes: &[u8],
    request: &Request<'_>,
    store: &LocalStore,
    cancel: &Cancel,
) -> Result<(Layout, StoreLayers), SourceError> {
    let (mut config, layers) = parse(bytes)?;
    if let Some(wanted) = request.platform
        && !config.platform.serves(wanted)
    {
        return Err(SourceError::NoPlatform { wanted: wanted.clone(), there: vec![config.platform] });
    }
    config.diff_ids = layers.iter().map(|layer| layer.diff_ids.clone()).collect();
    config.history = layers.iter().map(|layer| layer.history.0.clone()).collect();
    let identity = Identity {
        requested: request.reference.text.clone(),
        source_kind: "nix2container".to_owned(),
        ..Identity::default()
    };
    let mut layout = Layout { identity, config, layers: Vec::new(), warnings: Vec::new(), defects: Vec::new() };
    let beside = layers_beside(request);
    let mut reading =
        Reading { store, beside, room: NameRoom::default(), cancel, named: 0, absent: 0, absent_files: 0 };
    let mut sections = Vec::new();
    for (number, layer) in layers.into_iter().enumerate() {
        let (described, section) = reading.layer(number, layer)?;
        layout.layers.push(described);
        sections.push(section);
    }
    layout.describe_layers();
    if let Some(note) = reading.note() {
        layout.warn(note);
    }
    Ok((layout, StoreLayers(sections)))
}

/// Parses the configuration and the layers.
fn parse(bytes: &[u8]) -> Result<(Config, Vec<LayerDocument>), SourceError> {
    let refused = |error: serde_json::Error| {
        let reason = display_in_sentence(&error.to_string());
        match json_format(bytes) {
            None | Some(NIX2CONTAINER) => {
                SourceError::NotAnImage(format!("is JSON, but not a nix2container image.json: {reason}"))
            }
            Some(name) => SourceError::not_a_container_image(name),
        }
    };
    let mut config = Config::default();
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        let layers: LayerList = go_json::from_slice(bytes).map_err(refused)?;
        return Ok((config, layers.0));
    }
    let document: ImageDocument = go_json::from_slice(bytes).map_err(refused)?;
    if document.version != VERSION {
        let reason =
            format!("has version {} of nix2container's image.json; only {VERSION} is supported", document.version);
        return Err(SourceError::NotAnImage(reason));
    }
    document.config.0.apply(&mut config);
    // nix2container supports only Linux images, and assumed amd64 before it wrote `arch`.
    let architecture = document.arch.filter(|arch| !arch.is_empty()).unwrap_or_else(|| "amd64".to_owned());
    config.platform = Platform { os: "linux".to_owned(), architecture, variant: None };
    config.created = document.created;
    Ok((config, document.layers.0))
}

/// Returns the directory next to an `image.json` in which `nixdive rebuild` stores layers that are not store paths:
/// `FILE.layers`.
fn layers_beside(request: &Request<'_>) -> Option<PathBuf> {
    let Location::Path(file) = &request.reference.location else { return None };
    let file = std::fs::canonicalize(file).ok()?;
    let mut name = file.file_name()?.to_owned();
    name.push(".layers");
    Some(file.with_file_name(name))
}

struct Reading<'a> {
    store: &'a LocalStore,
    beside: Option<PathBuf>,
    room: NameRoom,
    cancel: &'a Cancel,
    /// Number of store paths named, of those missing here, and of layer files missing here.
    named: usize,
    absent: usize,
    absent_files: usize,
}

impl Reading<'_> {
    fn layer(&mut self, number: usize, layer: LayerDocument) -> Result<(DescribedLayer, Section), SourceError> {
        let wrong = |reason: String| SourceError::Document { name: format!("layer {number}"), reason };
        let digest = Digest::parse(&layer.digest)
            .ok_or_else(|| wrong(format!("`{}` is not a digest", display_in_sentence(&layer.digest))))?;
        let failed = |error| SourceError::Store { number, error };
        let paths = match (&layer.paths, layer.layer_path.is_empty()) {
            (Some(paths), _) => paths.0.as_slice(),
            (None, false) => &[],
            (None, true) => return Err(wrong("neither paths nor a layer-path is given".to_owned())),
        };
        let paths = paths
            .iter()
            .map(|path| Ok((store_path(&path.path).map_err(wrong)?, path.rules().map_err(failed)?)))
            .collect::<Result<Vec<_>, SourceError>>()?;
        let written =
            if layer.layer_path.is_empty() { None } else { self.written(&layer.layer_path).map_err(wrong)? };
        let (section, contents) = match written {
            Some(section) => (section, LayerContents::Present),
            None => self.made(&paths, layer.layer_path.is_empty()).map_err(failed)?,
        };
        self.named += paths.len();
        if let LayerContents::Absent(absent) = &contents {
            self.absent += absent.len();
            self.absent_files += usize::from(!layer.layer_path.is_empty());
        }
        let described = DescribedLayer {
            store_paths: paths.iter().map(|(path, _)| path.to_string()).collect(),
            name: if layer.layer_path.is_empty() { layer.digest } else { layer.layer_path },
            located: number.to_string(),
            digest: Some(digest),
            stored_bytes: Some(layer.size),
            media_type: Some(layer.media_type.unwrap_or_else(|| PLAIN.to_owned())),
            contents,
            ..DescribedLayer::default()
        };
        Ok((described, section))
    }

    /// Opens a layer that was written to a file in the store or next to the document, if it exists.
    fn written(&self, path: &str) -> Result<Option<Section>, String> {
        let is_below = |directory: &Path| {
            let inside = Path::new(path).strip_prefix(directory);
            inside.is_ok_and(|inside| inside.components().all(|part| matches!(part, Component::Normal(_))))
        };
        let opened = if is_below(Path::new(STORE_DIRECTORY)) {
            open_file(&self.store.on_disk(path.as_bytes()))
        } else if let Some(beside) = self.beside.as_deref().filter(|beside| is_below(beside)) {
            open_file_below(beside, Path::new(path))
        } else {
            return Err(format!("its layer-path `{}` is outside {STORE_DIRECTORY}", display_in_sentence(path)));
        };
        match opened {
            Ok(Some((file, length))) => Ok(Some(Section::new(std::sync::Arc::new(file), 0, length))),
            Ok(None) => Err(format!("its layer-path `{}` is not a file", display_in_sentence(path))),
            Err(error) if is_led_out(&error) => {
                Err(format!("its layer-path `{}` is a link that leads outside", display_in_sentence(path)))
            }
            Err(_) => Ok(None),
        }
    }

    /// Makes a layer from store paths. `whole` says that the layer contains nothing else.
    fn made(&self, paths: &[(StorePath, Rules)], whole: bool) -> Result<(Section, LayerContents), StoreError> {
        let mut plan = TarPlan::new(self.store, self.room.clone(), self.cancel.clone());
        let mut absent = Vec::new();
        for (path, rules) in paths {
            if self.store.holds(path) {
                plan.add(path, rules)?;
            } else {
                plan.add_absent(path, rules)?;
                absent.push(path.to_string());
            }
        }
        let is_here = whole && absent.is_empty();
        let contents = if is_here { LayerContents::Present } else { LayerContents::Absent(absent) };
        Ok((plan.finish().into_section(), contents))
    }

    /// Returns a sentence about what is missing.
    fn note(&self) -> Option<String> {
        let paths = (self.absent > 0).then(|| format!("{} of the {} store paths", self.absent, self.named));
        let files = (self.absent_files > 0).then(|| format!("the files of {} layers", self.absent_files));
        let parts: Vec<String> = paths.into_iter().chain(files).collect();
        let rest = format!("of the image are not in {STORE_DIRECTORY} on this machine: contents not available");
        (!parts.is_empty()).then(|| format!("{} {rest}", parts.join(" and ")))
    }
}

/// Opens a regular file below a directory and returns its length in bytes; links must not lead out of the directory.
fn open_file_below(directory: &Path, file: &Path) -> std::io::Result<Option<(std::fs::File, u64)>> {
    let below = file.strip_prefix(directory).map_err(std::io::Error::other)?;
    let file = Directory::open(directory)?.open_file(below, Links::Inside)?;
    let metadata = file.metadata()?;
    Ok(metadata.is_file().then_some((file, metadata.len())))
}

fn store_path(text: &str) -> Result<StorePath, String> {
    StorePath::parse(text.as_bytes())
        .map_err(|error| format!("`{}` is not a store path: {error}", display_in_sentence(text)))
}

impl PathDocument {
    fn rules(&self) -> Result<Rules, StoreError> {
        let mut rules = Rules::default();
        let Some(options) = &self.options else { return Ok(rules) };
        rules.rewrite(&options.rewrite.regex, &options.rewrite.repl)?;
        rules.ignore(&options.ignore_destination)?;
        for perm in options.perms.iter().flatten() {
            let names = (perm.uname.as_str(), perm.gname.as_str());
            rules.permit(Permission::new(&perm.regex, &perm.mode, &perm.or_mode, (perm.uid, perm.gid), names)?)?;
        }
        Ok(rules)
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use proptest::prelude::*;

    use super::*;
    use nixdive_image::reference::Reference;

    const DOCUMENT: &str = r#"{"version": 1, "image-config": {"Env": ["A=b"], "Labels": {"a": "b"}}, "layers": [{"digest":
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "size": 5120, "diff_ids": "sha256:00",
        "paths": [{"path": "/nix/store/hmnypiai2d9q9ri3yd4kdycjp1rg1027-a", "options": {"rewrite": {"regex": "^/nix/(.*)",
        "repl": "/${1}/.."}, "perms": [{"regex": "a", "mode": "0644", "uid": 7}], "ignoreDestination": "b"}}],
        "mediatype": "tar", "History": {"created_by": "nix2container"}}], "arch": "arm64", "created": "1970-01-01T00:00:01Z"}"#;

    fn read(bytes: &[u8]) -> Result<(Layout, StoreLayers), SourceError> {
        let reference = Reference::parse(OsStr::new("image.json")).unwrap();
        let request = Request { reference: &reference, platform: None };
        let nowhere = LocalStore::at(Path::new("/nonexistent"));
        read_nix2container(bytes, &request, &nowhere, &Cancel::new())
    }

    #[test]
    fn an_image_json_describes_layers_and_configuration() {
        let (layout, layers) = read(DOCUMENT.as_bytes()).unwrap();
        assert_eq!((layout.layers.len(), layout.config.env.as_slice()), (1, &["A=b".to_owned()][..]));
        let layer = &layout.layers[0];
        assert_eq!((layer.stored_bytes, layer.created_by.as_deref()), (Some(5120), Some("nix2container")));
        assert!(matches!(&layer.contents, LayerContents::Absent(paths) if paths.len() == 1));
        assert!(layers.blob("0").unwrap().is_some() && layers.blob("1").unwrap().is_none());
    }

    proptest! {
        #[test]
        fn damage_anywhere_is_an_error_or_another_image(
            damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
        ) {
            let mut bytes = DOCUMENT.as_bytes().to_vec();
            for (place, byte) in damage {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            match read(&bytes) {
                Ok((layout, layers)) => {
                    let all_there = layout.layers.iter().all(|layer| layers.locate(&layer.located).is_some());
                    prop_assert!(all_there);
                }
                Err(error) => {
                    let steers = error.to_string().contains('\u{1b}');
                    prop_assert!(!steers);
                }
            }
        }
    }
}
