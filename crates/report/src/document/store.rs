use serde::{Serialize, Serializer};

use super::DocumentPath;
use nixdive_image::{FileTree, Image};
use nixdive_nix::contents::{Place, RootSource};
use nixdive_nix::graph::PathId;
use nixdive_nix::study::{Disagreement, Sighting, SightingSource, StoreStudy};
use nixdive_nix::{Recognition, Sha256Hash};

#[derive(Serialize)]
pub(super) struct BuilderDocument {
    name: &'static str,
    signal: String,
}

impl BuilderDocument {
    pub fn new(recognition: &Recognition) -> Self {
        Self { name: recognition.builder.name(), signal: recognition.signal.to_string() }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StorePathDocument<'a> {
    path: String,
    hash: String,
    name: &'a str,
    version: &'a str,
    output: &'a str,
    nar_bytes: Option<u64>,
    nar_hash: Option<String>,
    closure_bytes: Option<u64>,
    added_bytes: Option<u64>,
    files: Option<u32>,
    depth: Option<u32>,
    /// `null` where contents that may refer to it are not here.
    reachable: Option<bool>,
    /// `absent` where the image only names it.
    contents: &'static str,
    self_reference: bool,
    references: Vec<String>,
    referrers: Vec<String>,
    layers: Vec<u16>,
}

impl<'a> StorePathDocument<'a> {
    fn new(study: &'a StoreStudy, id: PathId) -> Option<Self> {
        let (known, studied) = (study.store.get(id)?, study.paths.get(id.index())?);
        let package = known.path.package();
        let paths = |ids: &[PathId]| ids.iter().map(|&id| store_path(study, id)).collect();
        Some(Self {
            path: known.path.to_string(),
            hash: known.path.hash().to_string(),
            name: package.name,
            version: package.version,
            output: package.output,
            nar_bytes: studied.nar_bytes,
            nar_hash: studied.nar_hash.as_ref().map(Sha256Hash::to_sri),
            closure_bytes: studied.closure_bytes,
            added_bytes: (!studied.is_absent).then_some(studied.added_bytes),
            files: (!studied.is_absent).then_some(studied.files),
            depth: studied.depth,
            reachable: (studied.depth.is_some() || study.absent_paths() == 0).then_some(studied.depth.is_some()),
            contents: if studied.is_absent { "absent" } else { "present" },
            self_reference: study.graph.has_self_reference(id),
            references: paths(study.graph.references(id)),
            referrers: paths(study.graph.referrers(id)),
            layers: known.layers.iter().map(|share| share.layer.0).collect(),
        })
    }
}

/// A store path as it is written; empty for an id that is not in the list.
pub(crate) fn store_path(study: &StoreStudy, id: PathId) -> String {
    study.store.get(id).map(|known| known.path.to_string()).unwrap_or_default()
}

/// All store paths, in Nix's order; made while they are written.
pub(super) struct StorePaths<'a>(pub Option<&'a StoreStudy>);

impl Serialize for StorePaths<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let documents =
            self.0.into_iter().flat_map(|study| study.ids().filter_map(|id| StorePathDocument::new(study, id)));
        serializer.collect_seq(documents)
    }
}

/// Facts about the store as a whole.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StoreDocument<'a> {
    nar_bytes: u64,
    /// `false` where there was more than is kept, or something could not be read.
    complete: bool,
    roots: Vec<RootDocument>,
    unreachable: UnreachableDocument,
    dangling: Vec<AbsentDocument<String>>,
    scrubbed: Vec<AbsentDocument<&'a str>>,
    disagreements: Vec<DisagreementDocument>,
    unread: &'a [String],
}

impl<'a> StoreDocument<'a> {
    pub fn new(image: &Image, study: &'a StoreStudy) -> Self {
        let root = |root: &nixdive_nix::contents::Root| RootDocument {
            path: store_path(study, root.path),
            source: SourceDocument::new(image, root.source),
        };
        let sightings =
            |list: &[Sighting]| list.iter().map(|sighting| SightingDocument::new(image, study, sighting)).collect();
        Self {
            nar_bytes: study.total_nar_bytes(),
            complete: !study.is_truncated && study.unread.is_empty(),
            roots: study.roots.iter().map(root).collect(),
            unreachable: UnreachableDocument {
                nar_bytes: study.unreachable_bytes(),
                paths: study.unreachable().map(|id| store_path(study, id)).collect(),
            },
            dangling: study
                .dangling
                .iter()
                .map(|absent| AbsentDocument {
                    path: Some(absent.path.to_string()),
                    name: None,
                    named_by: sightings(&absent.sightings),
                })
                .collect(),
            scrubbed: study
                .scrubbed
                .iter()
                .map(|absent| AbsentDocument {
                    path: None,
                    name: Some(&*absent.name),
                    named_by: sightings(&absent.sightings),
                })
                .collect(),
            disagreements: study.disagreements.iter().map(|found| DisagreementDocument::new(study, found)).collect(),
            unread: &study.unread,
        }
    }
}

#[derive(Serialize)]
struct RootDocument {
    path: String,
    source: SourceDocument,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UnreachableDocument {
    nar_bytes: u64,
    paths: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AbsentDocument<N> {
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<N>,
    named_by: Vec<SightingDocument>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SightingDocument {
    store_path: Option<String>,
    #[serde(flatten)]
    source: SourceDocument,
}

impl SightingDocument {
    fn new(image: &Image, study: &StoreStudy, sighting: &Sighting) -> Self {
        let source = match sighting.source {
            SightingSource::Written(source) => SourceDocument::new(image, source),
            SightingSource::Recorded => SourceDocument { kind: "database", ..SourceDocument::default() },
        };
        Self { store_path: sighting.from.map(|id| store_path(study, id)), source }
    }
}

/// Location in an image that names a store path.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SourceDocument {
    kind: &'static str,
    /// Index in a list of the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
    /// The text of the configuration, or the link's target.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<DocumentPath>,
    /// In the file's content, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
}

impl SourceDocument {
    pub(crate) fn new(image: &Image, source: RootSource) -> Self {
        let text = source.text(image);
        let place = |kind, index| Self { kind, index: Some(index), text: text.clone(), ..Self::default() };
        match source {
            RootSource::Given => Self { kind: "given", ..Self::default() },
            RootSource::Entrypoint(index) => place("entrypoint", index),
            RootSource::Command(index) => place("cmd", index),
            RootSource::Environment(index) => place("env", index),
            RootSource::WorkingDirectory => Self { kind: "workingDirectory", text, ..Self::default() },
            RootSource::Volume(index) => place("volume", index),
            RootSource::Label(index) => place("label", index),
            RootSource::Healthcheck(index) => place("healthcheck", index),
            RootSource::Shell(index) => place("shell", index),
            RootSource::Tree(node, found) => Self { text, ..Self::in_tree(&image.tree, node, found) },
        }
    }

    pub(crate) fn in_tree(tree: &FileTree, node: nixdive_image::NodeId, place: Place) -> Self {
        let (kind, offset) = match place {
            Place::Content(offset) => ("content", Some(offset)),
            Place::LinkTarget => ("link", None),
            Place::Name => ("name", None),
        };
        Self { kind, offset, file: Some(DocumentPath::new(tree, node)), ..Self::default() }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DisagreementDocument {
    kind: &'static str,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recorded_nar_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recorded_nar_hash: Option<String>,
}

impl DisagreementDocument {
    fn new(study: &StoreStudy, disagreement: &Disagreement) -> Self {
        let plain =
            |kind, path| Self { kind, path, reference: None, recorded_nar_bytes: None, recorded_nar_hash: None };
        let of = |kind, id: PathId| plain(kind, store_path(study, id));
        match disagreement {
            Disagreement::NotThere(path) => plain("notThere", path.to_string()),
            Disagreement::NotRecorded(id) => of("notRecorded", *id),
            Disagreement::OnlyRecorded { from, to } => {
                Self { reference: Some(store_path(study, *to)), ..of("onlyRecorded", *from) }
            }
            Disagreement::OnlyFound { from, to } => {
                Self { reference: Some(store_path(study, *to)), ..of("onlyFound", *from) }
            }
            Disagreement::NarBytes { path, recorded } => {
                Self { recorded_nar_bytes: Some(*recorded), ..of("narBytes", *path) }
            }
            Disagreement::NarHash { path, recorded } => {
                Self { recorded_nar_hash: Some(recorded.to_sri()), ..of("narHash", *path) }
            }
        }
    }
}
