use serde::Serialize;

use super::DocumentPath;
use super::store::{SourceDocument, store_path};
use crate::Inspection;
use nixdive_analyse::findings::{Evidence, Finding, Findings, Location};
use nixdive_image::{Image, LayerIndex, NodeId};
use nixdive_nix::graph::PathId;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FindingDocument {
    id: &'static str,
    severity: &'static str,
    title: String,
    bytes: u64,
    count: u64,
    evidence: Vec<EvidenceDocument>,
    remedy: &'static str,
}

impl FindingDocument {
    fn new(inspection: &Inspection<'_>, finding: &Finding) -> Self {
        Self {
            id: finding.rule.id(),
            severity: finding.severity.name(),
            title: finding.title.clone(),
            bytes: finding.bytes,
            count: finding.count,
            evidence: finding.evidence.iter().map(|hit| EvidenceDocument::new(inspection, hit)).collect(),
            remedy: finding.remedy,
        }
    }
}

/// All findings, in their order.
pub(super) fn documents(inspection: &Inspection<'_>, findings: &Findings) -> Vec<FindingDocument> {
    findings.list.iter().map(|finding| FindingDocument::new(inspection, finding)).collect()
}

/// One hit; what does not apply is left out.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct EvidenceDocument {
    kind: &'static str,
    #[serde(flatten)]
    path: Option<DocumentPath>,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer: Option<u16>,
    /// In the file's content, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    store_path: Option<String>,
    /// From a root to the store path, both included.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    chain: Vec<String>,
    /// Root that refers to the first path of the chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<SourceDocument>,
    /// The store path that names what is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    named_by: Option<String>,
    /// In a list of the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'static str>,
    bytes: u64,
    note: Option<String>,
}

impl EvidenceDocument {
    fn new(inspection: &Inspection<'_>, evidence: &Evidence) -> Self {
        let image = inspection.image;
        let plain = Self { bytes: evidence.bytes, note: evidence.note.clone(), ..Self::default() };
        let place = |kind, index| Self { kind, index: Some(index), ..Self::default() };
        let of = match &evidence.location {
            Location::Path { node, layer, offset, .. } => in_tree(image, "file", *node, *layer, *offset),
            Location::StorePath { path, chain, reason } => Self {
                kind: "storePath",
                store_path: Some(named(inspection, *path)),
                chain: chain.iter().map(|&id| named(inspection, id)).collect(),
                reason: reason.map(|reason| SourceDocument::new(image, reason)),
                ..Self::default()
            },
            Location::Absent { path, from, node, offset } => Self {
                kind: "absentStorePath",
                store_path: Some(path.to_string()),
                named_by: from.map(|id| named(inspection, id)),
                path: node.map(|node| DocumentPath::new(&image.tree, node)),
                offset: *offset,
                ..Self::default()
            },
            Location::Layer(layer) => Self { kind: "layer", layer: Some(layer.0), ..Self::default() },
            Location::Environment(index) => place("env", *index),
            Location::Label(index) => place("label", *index),
            Location::History(index) => place("history", *index),
            Location::Field(name) => Self { kind: "config", field: Some(name), ..Self::default() },
        };
        Self { bytes: plain.bytes, note: plain.note, ..of }
    }
}

fn in_tree(
    image: &Image,
    kind: &'static str,
    node: NodeId,
    layer: Option<LayerIndex>,
    offset: Option<u64>,
) -> EvidenceDocument {
    let path = Some(DocumentPath::new(&image.tree, node));
    EvidenceDocument { kind, path, layer: layer.map(|layer| layer.0), offset, ..EvidenceDocument::default() }
}

fn named(inspection: &Inspection<'_>, id: PathId) -> String {
    inspection.store.map(|study| store_path(study, id)).unwrap_or_default()
}
