//! Findings: problems of an image and possible improvements, with location, bytes and remedy.
//!
//! Pure functions of plain data. Facts that need the contents of files come from an [`Examiner`],
//! which the caller feeds in one pass over the contents ([`Facts`]). Every rule has a stable id;
//! `docs/findings.md` explains each.

mod access;
mod capability;
mod classes;
mod elf;
mod facts;
mod files;
mod layers;
mod links;
mod places;
mod reclaim;
mod rules;
mod scene;
mod secrets;
mod shebang;
mod start;
mod store;
mod tools;

#[cfg(test)]
mod tests;

pub use classes::{Class as FileClass, classify, classify_in_store};
pub use facts::{ExaminePlan, Examiner, Facts, SecretSighting};
pub use places::Places;
pub use rules::{RULES, Rule, RuleInfo, Severity};
pub use secrets::{SecretKind, redact};
pub use start::{
    ACCOUNT_FILES, AccountFile, Accounts, Launch, Machine, Program, StartProblem, UnknownName, launch, may_be_mounted,
};

use nixdive_image::{Image, LayerIndex, NodeId, OccurrenceId};
use nixdive_nix::StorePath;
use nixdive_nix::contents::RootSource;
use nixdive_nix::graph::PathId;
use nixdive_nix::study::StoreStudy;
use nixdive_packages::Inventory;

/// The data about an image that rules examine.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The image.
    pub image: &'a Image,
    /// The packages of the databases in it.
    pub packages: Option<&'a Inventory>,
    /// Its Nix store; `None` where it has nothing to do with Nix.
    pub store: Option<&'a StoreStudy>,
    /// Facts from file contents; without them, rules that need content report nothing.
    pub facts: Option<&'a Facts>,
}

/// Location of a hit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A file, link or directory; a directory includes everything below it.
    Path {
        /// The path.
        node: NodeId,
        /// Its entry, where one is meant: it may be one that an upper layer hides.
        occurrence: Option<OccurrenceId>,
        /// The layer that brings it, or most of what is below it.
        layer: Option<LayerIndex>,
        /// Offset in the content, bytes.
        offset: Option<u64>,
    },
    /// A store path.
    StorePath {
        /// Which.
        path: PathId,
        /// The shortest chain that leads to it, a root first and the path itself last; empty where no root reaches it.
        chain: Vec<PathId>,
        /// Root that refers to the first path of the chain.
        reason: Option<RootSource>,
    },
    /// A store path that is named, and is not there.
    Absent {
        /// Which.
        path: StorePath,
        /// The store path that names it; `None` outside the store.
        from: Option<PathId>,
        /// The file or link that names it, where it is one.
        node: Option<NodeId>,
        /// Offset in the content, bytes.
        offset: Option<u64>,
    },
    /// A layer.
    Layer(LayerIndex),
    /// A variable of the configuration's environment, by its place in the list.
    Environment(usize),
    /// A label, by its place in the list.
    Label(usize),
    /// A step of the history, by its place in the list.
    History(usize),
    /// A field of the configuration.
    Field(&'static str),
}

/// One hit of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Location of the evidence.
    pub location: Location,
    /// Added size for a store path, otherwise bytes of the files concerned; 0 if size is not the
    /// point.
    pub bytes: u64,
    /// Short note on the part concerned. Never contains a secret; names from the image are made
    /// safe to show.
    pub note: Option<String>,
}

/// One rule's hits in an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// How much it matters here.
    pub severity: Severity,
    /// A sentence, safe to show.
    pub title: String,
    /// Bytes that fixing it would save: NAR sizes of store paths, otherwise file bytes; 0 if it
    /// saves none.
    pub bytes: u64,
    /// Hits.
    pub count: u64,
    /// The first and largest of them, [`MOST_EVIDENCE`] at most.
    pub evidence: Vec<Evidence>,
    /// Suggested remedy.
    pub remedy: &'static str,
}

/// Hits of one finding that are kept; the rest is counted.
pub const MOST_EVIDENCE: usize = 20;

/// All that was found in an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// Findings, largest saving first, then by severity.
    pub list: Vec<Finding>,
    /// File bytes that are saved when all findings are mended; no byte counts twice.
    pub reclaimable_bytes: u64,
    /// Files whose content could not be read, so that nothing is known of them.
    pub unread: u64,
    /// True if some results were dropped because of a limit, or contents were not examined.
    pub is_partial: bool,
}

/// Judges an image by all rules. The cost is a few runs over its entries and its graph of store paths.
#[must_use]
pub fn find(subject: &Subject<'_>) -> Findings {
    let Some(scene) = scene::Scene::new(subject) else { return Findings::default() };
    let mut found = scene::Gathered::new(&scene);
    files::find(&scene, &mut found);
    tools::find(&scene, &mut found);
    access::find(&scene, &mut found);
    if !subject.image.is_closure() {
        layers::find(&scene, &mut found);
    }
    links::find(&scene, &mut found);
    secrets::find(&scene, &mut found);
    let executed = start::find(&scene, &mut found);
    if let Some(study) = subject.store {
        store::find(&scene, study, &mut found);
        shebang::find(&scene, study, &executed, &mut found);
    }
    found.finish(&scene)
}
