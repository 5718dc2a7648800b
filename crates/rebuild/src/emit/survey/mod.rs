//! Assigns each file of an image a role: a program of nixpkgs, a library that comes with one, a Python module, data of
//! a package, a file of the application itself, or none.

mod directories;
mod own;
mod python;
mod rules;

use std::collections::{BTreeMap, BTreeSet};

pub(super) use directories::OwnDirectory;
pub(super) use own::OwnFile;
pub(super) use python::PythonEnvironment;
pub(super) use rules::is_data;

use hashbrown::{HashMap, HashSet};

use super::nix_text::attribute_path;
use super::software::{KnownProgram, PYTHON, Software, upstream_version};
use super::store_paths::StoreHomes;
use super::{CarriedContent, CarriedFile, Confidence, EmitRequest, MappedPackage};
use crate::needs::How;
use nixdive_base::text::display_name;
use nixdive_image::{FileTree, Kind, LayerIndex, NodeId, OccurrenceId, Resolution};
use nixdive_packages::{Package, PackageIndex, PackageKind, soname};
use rules::{data_rule, is_in_library_directory, is_in_program_directory, is_in_some_bin, is_library_name, left_out};

/// Path that becomes a link into a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Absolute path.
    pub path: Vec<u8>,
    pub target: Target,
}

/// Path below the value of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// Expression of the Nix language.
    pub expression: String,
    /// Path that starts with a slash, or is empty.
    pub below: Vec<u8>,
}

/// Number and size of the files of a package that were left out.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LeftFiles {
    pub files: u64,
    pub bytes: u64,
}

/// Maximum number of remarks for review.
const MOST_REVIEWS: usize = 200;

/// Roles of the files of an image.
pub(super) struct Survey<'a> {
    pub request: EmitRequest<'a>,
    pub software: Software,
    pub top: Option<LayerIndex>,
    packages: BTreeMap<String, MappedPackage>,
    pub python: Option<PythonEnvironment>,
    /// Sonames that each attribute provides.
    pub libraries: BTreeMap<String, BTreeSet<String>>,
    /// Links in the new image at the old paths of programs.
    pub places: Vec<Place>,
    targets: HashMap<NodeId, Target>,
    pub own: Vec<OwnFile>,
    pub directories: Vec<OwnDirectory>,
    pub stores: StoreHomes,
    /// True if certificates are needed, which dockerTools has as a separate package.
    pub has_certificates: bool,
    pub left_packages: BTreeMap<String, LeftFiles>,
    pub left_reasons: BTreeMap<&'static str, LeftFiles>,
    /// Remarks for review; safe to show.
    pub reviews: Vec<String>,
    /// Number of further remarks.
    pub more_reviews: u64,
    /// Data rules whose links exist, and distributions whose modules are recorded.
    placed_data: BTreeSet<&'static str>,
    noted_modules: BTreeSet<PackageIndex>,
    own_nodes: HashSet<NodeId>,
}

impl<'a> Survey<'a> {
    pub fn new(request: &EmitRequest<'a>) -> Self {
        let mut survey = Self {
            request: *request,
            software: Software::new(),
            top: request.image.tree.top_layer(),
            packages: BTreeMap::new(),
            python: None,
            libraries: BTreeMap::new(),
            places: Vec::new(),
            targets: HashMap::new(),
            own: Vec::new(),
            directories: Vec::new(),
            stores: StoreHomes::default(),
            has_certificates: false,
            left_packages: BTreeMap::new(),
            left_reasons: BTreeMap::new(),
            reviews: Vec::new(),
            more_reviews: 0,
            placed_data: BTreeSet::new(),
            noted_modules: BTreeSet::new(),
            own_nodes: HashSet::new(),
        };
        survey.visit_stores();
        let mut links = Vec::new();
        for &node in request.kept {
            let Some(occurrence) = survey.occurrence(node) else { continue };
            match survey.tree().occurrence(occurrence).kind {
                Kind::Symlink => links.push((node, occurrence)),
                Kind::File => survey.visit_file(node, occurrence),
                _ => {}
            }
        }
        links.iter().for_each(|&(node, occurrence)| survey.visit_link(node, occurrence));
        survey.finish_own();
        survey.own_nodes = survey.own.iter().map(|own| own.node).collect();
        survey.find_directories();
        survey
    }

    pub fn tree(&self) -> &'a FileTree {
        &self.request.image.tree
    }

    /// Returns the occurrence of a path in the topmost layer; for a hard link, that of its target.
    pub fn occurrence(&self, node: NodeId) -> Option<OccurrenceId> {
        let tree = self.tree();
        tree.linked(tree.visible_at(node, self.top?)?)
    }

    /// Returns a path in a form that is safe to show.
    pub fn shown(&self, node: NodeId) -> String {
        display_name(&self.tree().path(node)).into_owned()
    }

    /// Resolves a path through all links; `None` if it does not exist.
    pub fn resolve(&self, path: &[u8]) -> Option<NodeId> {
        match self.tree().resolve(path, self.top?, true) {
            Resolution::Found { node, .. } => Some(node),
            Resolution::Missing { .. } | Resolution::TooManyLinks => None,
        }
    }

    /// Returns the program of a package that replaces a path, if any.
    pub fn target(&self, node: NodeId) -> Option<&Target> {
        self.targets.get(&node)
    }

    /// Returns `true` if a path is carried over unchanged.
    pub fn is_own(&self, node: NodeId) -> bool {
        self.own_nodes.contains(&node)
    }

    /// Returns `true` if a path without links in it is carried over unchanged.
    pub fn has_own(&self, path: &str) -> bool {
        self.tree().lookup(path.as_bytes()).is_some_and(|node| self.is_own(node))
    }

    /// Returns the confidence in a wanted attribute.
    pub fn confidence(&self, attribute: &str) -> Option<Confidence> {
        self.packages.get(attribute).map(|package| package.confidence)
    }

    /// Returns the packages of nixpkgs, by attribute.
    pub fn mapped(&self) -> Vec<MappedPackage> {
        self.packages.values().cloned().collect()
    }

    /// Adds a remark for review.
    pub fn review(&mut self, sentence: String) {
        if self.reviews.contains(&sentence) {
            return;
        }
        match self.reviews.len() < MOST_REVIEWS {
            true => self.reviews.push(sentence),
            false => self.more_reviews = self.more_reviews.saturating_add(1),
        }
    }

    /// Adds a wanted attribute; the best evidence is kept.
    pub fn map(&mut self, package: MappedPackage) {
        match self.packages.get_mut(&package.attribute) {
            Some(known) if known.confidence >= package.confidence => {}
            Some(known) => *known = package,
            None => {
                self.packages.insert(package.attribute.clone(), package);
            }
        }
    }

    fn owner(&self, node: NodeId) -> Option<(PackageIndex, &'a Package)> {
        let index = self.request.packages.ownership.owner(node)?;
        Some((index, self.request.packages.packages.get(index)))
    }

    fn how(&self, node: NodeId) -> Option<How> {
        let needs = self.request.needs?;
        needs.reasons.get(node.index()).copied().flatten().map(|reason| reason.how)
    }

    fn visit_file(&mut self, node: NodeId, occurrence: OccurrenceId) {
        let path = self.tree().path(node);
        let bytes = self.tree().occurrence(occurrence).bytes;
        if let Some(why) = left_out(&path) {
            count(self.left_reasons.entry(why).or_default(), bytes);
            return;
        }
        if self.visit_data(node, &path) || self.visit_module(node, &path) || self.visit_library(node, &path) {
            return;
        }
        if self.visit_program(node, occurrence, &path) {
            return;
        }
        match self.owner(node) {
            Some((index, package)) if !self.is_own_configuration(node, occurrence, index, &path) => {
                let name = display_name(package.name.as_bytes()).into_owned();
                count(self.left_packages.entry(name).or_default(), bytes);
            }
            None if rules::is_of_runtime(&path) && !self.packages.is_empty() | self.python.is_some() => {
                count(self.left_reasons.entry("comes with the language's package of nixpkgs").or_default(), bytes);
            }
            _ => self.add_own(node, occurrence),
        }
    }

    /// Handles data that a package of nixpkgs provides.
    fn visit_data(&mut self, node: NodeId, path: &[u8]) -> bool {
        let Some(rule) = data_rule(path) else { return false };
        let is_replaced = rule.below.is_none() && self.owner(node).is_none() && rule.attribute == "glibcLocales";
        if is_replaced && !path.starts_with(b"/usr/lib/locale/") {
            return false;
        }
        if rule.attribute == "cacert" {
            self.has_certificates = true;
        }
        if rule.attribute == "glibcLocales" && !self.wants_locale() {
            count(self.left_reasons.entry("locale data that the environment does not select").or_default(), 0);
            return true;
        }
        let version = self.owner(node).map(|(_, package)| upstream_version(&package.version, package.kind.as_str()));
        let evidence = rule.path.to_owned();
        let (attribute, confidence) = (rule.attribute.to_owned(), Confidence::High);
        self.map(MappedPackage { attribute, confidence, evidence, version, doubt: None });
        if let Some(below) = rule.below {
            let at = rule.path.trim_end_matches('/').as_bytes().to_vec();
            if self.placed_data.insert(rule.path) {
                let expression = format!("pkgs.{}", attribute_path(rule.attribute));
                let target = Target { expression, below: format!("/{below}").into_bytes() };
                self.places.push(Place { path: at, target });
            }
        }
        true
    }

    /// Returns `true` if the environment selects a locale that is not built into the C library.
    pub fn wants_locale(&self) -> bool {
        let value = |name| super::software::variable_of(&self.request.image.config, name);
        let asked = ["LC_ALL", "LANG", "LC_CTYPE"].into_iter().filter_map(value);
        asked.into_iter().any(|locale| !locale.is_empty() && !locale.starts_with('C') && locale != "POSIX")
    }

    /// Handles files of Python distributions, except programs, which [`Self::visit_program`] handles.
    fn visit_module(&mut self, node: NodeId, path: &[u8]) -> bool {
        let packages = &self.request.packages.packages;
        let owners = self.request.packages.ownership.owners(node);
        let is_module = |index: &PackageIndex| packages.get(*index).kind == PackageKind::Python;
        let Some(index) = { owners }.find(is_module) else { return false };
        let python = self.python.get_or_insert_default();
        if self.noted_modules.insert(index) {
            let module = packages.get(index);
            python.add(&module.name, display_name(module.version.as_bytes()).into_owned());
        }
        python.learn_release(path);
        if is_in_some_bin(path) {
            let target = Target { expression: "python".into(), below: program_below(file_name(path)) };
            self.place(node, target);
        }
        true
    }

    fn visit_library(&mut self, node: NodeId, path: &[u8]) -> bool {
        let name = file_name(path);
        if !is_library_name(name) {
            return false;
        }
        let known = self.software.library(name);
        match known.filter(|_| is_in_library_directory(path)) {
            Some(attribute) => {
                let shown = soname(name).unwrap_or_else(|| display_name(name).into_owned());
                self.libraries.entry(attribute.to_owned()).or_default().insert(shown);
                true
            }
            None => match self.owner(node) {
                Some((_, package)) if is_in_library_directory(path) => {
                    let name = display_name(package.name.as_bytes()).into_owned();
                    count(self.left_packages.entry(name).or_default(), 0);
                    true
                }
                _ => false,
            },
        }
    }

    fn visit_program(&mut self, node: NodeId, occurrence: OccurrenceId, path: &[u8]) -> bool {
        let owner = self.owner(node).map(|(_, package)| package);
        let is_executable = self.tree().occurrence(occurrence).mode() & 0o111 != 0;
        let is_likely =
            is_in_program_directory(path) || (is_in_some_bin(path) && (owner.is_some() || rules::is_of_runtime(path)));
        if !is_executable || !is_likely {
            return false;
        }
        let known = self.known_program(node, path);
        let Some(known) = known.or_else(|| self.guessed_program(node, owner?, path)) else { return false };
        let (confidence, doubt) = match owner {
            _ if !known.is_certain => (Confidence::Low, Some("guessed by name")),
            _ if !known.program.is_release => (Confidence::Medium, Some("nixpkgs has another release")),
            None if !known.program.is_announced => (Confidence::Medium, Some("no package of the image owns it")),
            _ => (Confidence::High, None),
        };
        let version = owner.map(|package| upstream_version(&package.version, package.kind.as_str()));
        let evidence = self.shown(known.named_by);
        let target = if known.program.attribute == PYTHON {
            let python = self.python.get_or_insert_default();
            python.evidence.insert(evidence);
            python.is_owned |= owner.is_some() || known.program.is_announced;
            python.learn_release(path);
            Target { expression: "python".into(), below: program_below(known.program.program.as_bytes()) }
        } else {
            let expression = format!("pkgs.{}", attribute_path(&known.program.attribute));
            let attribute = known.program.attribute;
            self.map(MappedPackage { attribute, confidence, evidence, version, doubt });
            Target { expression, below: program_below(known.program.program.as_bytes()) }
        };
        if self.tree().occurrence(occurrence).mode() & 0o6000 != 0 {
            let name = self.shown(node);
            self.review(format!("{name} has set-id bits in the image; programs in a Nix store cannot have them"));
        }
        self.place(node, target);
        true
    }

    /// Looks up a program by its own name, or by another hard link to it, as for the applets of busybox.
    fn known_program(&self, node: NodeId, path: &[u8]) -> Option<Found> {
        let config = &self.request.image.config;
        let tree = self.tree();
        let content = self.occurrence(node)?;
        let busybox = tree.parent(node).and_then(|directory| tree.child(directory, b"busybox"));
        let named_by = busybox.filter(|&busybox| self.occurrence(busybox) == Some(content)).unwrap_or(node);
        let program = match named_by == node {
            true => self.software.program(path, config),
            false => self.software.program(&tree.path(named_by), config),
        };
        program.map(|program| Found { program, is_certain: true, named_by })
    }

    /// Looks up a program by the name of its package or, as a last resort, by its own.
    fn guessed_program(&self, node: NodeId, owner: &Package, path: &[u8]) -> Option<Found> {
        let name = std::str::from_utf8(file_name(path)).ok()?.to_owned();
        let by_package = self.software.named(&owner.name, owner.kind.as_str()).map(str::to_owned);
        let is_script = name.contains('.') || self.request.needs.is_none();
        let attribute = by_package.or_else(|| (!is_script).then(|| owner.name.to_string()))?;
        let program = KnownProgram { attribute, program: name, is_release: false, is_announced: false };
        Some(Found { program, is_certain: false, named_by: node })
    }

    /// Makes a path a link into a package.
    fn place(&mut self, node: NodeId, target: Target) {
        self.places.push(Place { path: self.tree().path(node), target: target.clone() });
        self.targets.insert(node, target);
    }

    fn visit_link(&mut self, node: NodeId, occurrence: OccurrenceId) {
        let path = self.tree().path(node);
        if left_out(&path).is_some() || self.visit_store_link(node, occurrence) || self.visit_data(node, &path) {
            return;
        }
        let end = self.resolve(&path);
        if let Some(target) = end.and_then(|end| self.targets.get(&end)).cloned() {
            self.place(node, target);
            return;
        }
        let is_distribution = self.owner(node).is_some_and(|(_, package)| package.kind.is_of_distribution());
        if is_distribution || self.visit_module(node, &path) || self.visit_library(node, &path) {
            return;
        }
        let leads_to_left =
            end.is_some_and(|end| data_rule(&self.tree().path(end)).is_some_and(|rule| rule.below.is_none()));
        if !leads_to_left {
            self.add_own(node, occurrence);
        }
    }

    /// Returns the carried files with their paths in the flake's directory.
    pub fn carried(&self) -> Vec<CarriedFile> {
        let own = self
            .own
            .iter()
            .map(|own| CarriedFile { path: [&b"files"[..], &own.path].concat().into(), content: own.content.clone() });
        own.chain(self.stores.carried()).collect()
    }
}

/// Program, with the evidence for its identity.
struct Found {
    program: KnownProgram,
    is_certain: bool,
    /// File whose name identifies the program.
    named_by: NodeId,
}

fn count(left: &mut LeftFiles, bytes: u64) {
    left.files = left.files.saturating_add(1);
    left.bytes = left.bytes.saturating_add(bytes);
}

fn program_below(program: &[u8]) -> Vec<u8> {
    [b"/bin/", program].concat()
}

pub(super) fn file_name(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
}

/// Returns the contents of a carried file.
pub(super) fn content_of(tree: &FileTree, occurrence: OccurrenceId) -> CarriedContent {
    let found = tree.occurrence(occurrence);
    match found.kind {
        Kind::Symlink => CarriedContent::Symlink(tree.link_target(occurrence).unwrap_or_default().into()),
        _ => CarriedContent::File { occurrence, is_executable: found.mode() & 0o111 != 0 },
    }
}
