//! Store paths of an image built by Nix: packages that nixpkgs has under their names, and others that are carried
//! along.

use std::collections::{BTreeMap, BTreeSet};

use super::nix_text::{NixString, attribute_path};
use super::software::upstream_version;
use super::survey::{Place, Survey, Target, content_of};
use super::{CarriedFile, Confidence, MappedPackage};
use nixdive_base::text::display_name;
use nixdive_image::{NodeId, OccurrenceId};
use nixdive_nix::contents::path_entries;
use nixdive_nix::graph::PathId;
use nixdive_nix::{PackageName, StoreHash, StorePath, is_name_byte};

const STORE: &str = "/nix/store/";
/// Maximum number of store paths carried along.
const MOST_CARRIED: usize = 2000;

/// Replacements of the image's store paths in the new image.
#[derive(Debug, Clone, Default)]
pub(super) struct StoreHomes {
    /// Expression that replaces a store path, by base name.
    expressions: BTreeMap<String, String>,
    /// Store paths that are carried along.
    pub own: Vec<OwnStorePath>,
}

/// Store path that nixpkgs does not have.
#[derive(Debug, Clone)]
pub(super) struct OwnStorePath {
    /// Variable in the flake.
    pub variable: String,
    /// Base name, `<hash>-<name>`.
    pub base_name: String,
    /// Name after the hash.
    pub name: String,
    /// Base names of its references, without itself.
    pub references: Vec<String>,
    files: Vec<CarriedFile>,
}

impl StoreHomes {
    /// Returns the files to carry.
    pub fn carried(&self) -> impl Iterator<Item = CarriedFile> + '_ {
        self.own.iter().flat_map(|own| own.files.iter().cloned())
    }

    /// Returns the expression that replaces a store path, by its base name.
    pub fn expression(&self, base_name: &str) -> Option<&str> {
        self.expressions.get(base_name).map(String::as_str)
    }

    /// Returns the expression for the base name at the beginning of a text, and the length of that name.
    fn at_start(&self, text: &str) -> Option<(&str, usize)> {
        let run = text.bytes().take_while(|&byte| is_name_byte(byte)).count();
        let mut name = text.get(..run)?;
        // A dot may end a sentence rather than belong to the name.
        for _ in 0..3 {
            if let Some(expression) = self.expression(name) {
                return Some((expression, name.len()));
            }
            name = name.strip_suffix('.')?;
        }
        None
    }

    /// Replaces the store paths in a text. The result is `true` if some have no replacement.
    pub fn rewrite(&self, text: &str) -> (NixString, bool) {
        let (mut string, mut is_lost) = (NixString::default(), false);
        let mut rest = text;
        while let Some(at) = rest.find(STORE) {
            let (before, behind) =
                (rest.get(..at).unwrap_or_default(), rest.get(at + STORE.len()..).unwrap_or_default());
            string.text(before);
            match self.at_start(behind) {
                Some((expression, length)) => {
                    string.expression(expression);
                    rest = behind.get(length..).unwrap_or_default();
                }
                None => {
                    is_lost |= behind.len() > StoreHash::LENGTH;
                    string.text(STORE);
                    rest = behind;
                }
            }
        }
        string.text(rest);
        (string, is_lost)
    }
}

impl Survey<'_> {
    /// Chooses replacements for the store paths that the configuration and links outside the store use.
    pub(super) fn visit_stores(&mut self) {
        let Some(study) = self.request.store else { return };
        let mut seen: BTreeSet<PathId> = BTreeSet::new();
        let mut pending: Vec<PathId> = study.roots.iter().map(|root| root.path).collect();
        pending.sort_unstable_by(|left, right| right.cmp(left));
        while let Some(id) = pending.pop() {
            let Some(known) = study.store.get(id).filter(|_| seen.insert(id)) else { continue };
            let path = &known.path;
            if let Some(expression) = self.nixpkgs_expression(path) {
                self.stores.expressions.insert(path.base_name().to_owned(), expression);
                continue;
            }
            if self.stores.own.len() >= MOST_CARRIED {
                self.review(format!(
                    "more than {MOST_CARRIED} store paths are not in nixpkgs; the rest is not carried over"
                ));
                break;
            }
            let references = study.graph.references(id);
            pending.extend(references.iter().rev());
            let of = |&id: &PathId| study.store.get(id).map(|known| known.path.base_name().to_owned());
            let references = references.iter().filter_map(of).collect();
            self.carry_store_path(path, known.node, references);
        }
    }

    /// Returns the package of nixpkgs that matches the name of a store path.
    fn nixpkgs_expression(&mut self, path: &StorePath) -> Option<String> {
        let PackageName { name, version, output } = path.package();
        // Store paths without a version, and environments, were made for this image.
        if version.is_empty() || output == "env" {
            return None;
        }
        let known = self.software.named(name, "nix").map(str::to_owned);
        let (confidence, doubt) = match known.is_some() {
            true => (Confidence::High, None),
            false => (Confidence::Medium, Some("the name in nixpkgs may differ")),
        };
        let python = || name.strip_prefix("python3.").and_then(|rest| rest.split_once('-'));
        let attribute = known.or_else(|| python().map(|(minor, module)| format!("python3{minor}Packages.{module}")));
        let attribute = attribute.unwrap_or_else(|| name.to_owned());
        let expression = match output {
            "out" => format!("pkgs.{}", attribute_path(&attribute)),
            _ => format!("pkgs.{}", attribute_path(&format!("{attribute}.{output}"))),
        };
        let evidence = path.to_string();
        let version = Some(upstream_version(version, "nix"));
        self.map(MappedPackage { attribute, confidence, evidence, version, doubt });
        Some(expression)
    }

    fn carry_store_path(&mut self, path: &StorePath, node: NodeId, references: Vec<String>) {
        let tree = self.tree();
        let prefix = tree.path(node).len();
        let base_name = path.base_name().to_owned();
        let mut files = Vec::new();
        for entry in &path_entries(tree, node).entries {
            let Some(occurrence) = self.occurrence(entry.node) else { continue };
            let content = content_of(tree, occurrence);
            if matches!(tree.occurrence(occurrence).kind, nixdive_image::Kind::Directory) {
                continue;
            }
            let whole = tree.path(entry.node);
            let below = whole.get(prefix..).unwrap_or_default();
            if below.len() > 3000 || below.split(|&byte| byte == b'/').any(|part| part.len() > 255) {
                continue;
            }
            files.push(CarriedFile { path: [b"store/", base_name.as_bytes(), below].concat().into(), content });
        }
        let variable = format!("storePath{}", self.stores.own.len() + 1);
        self.review(format!("{path} is not in nixpkgs; it is copied, and store paths in its text files are replaced"));
        self.stores.expressions.insert(base_name.clone(), variable.clone());
        let name = path.name().to_owned();
        self.stores.own.push(OwnStorePath { variable, base_name, name, references, files });
    }

    /// Redirects a link into the store to the replacement of the store path.
    pub(super) fn visit_store_link(&mut self, node: NodeId, occurrence: OccurrenceId) -> bool {
        let tree = self.tree();
        let target = tree.link_target(occurrence).unwrap_or_default();
        if !target.starts_with(STORE.as_bytes()) {
            return false;
        }
        let split = StorePath::split(target).ok();
        let found = split.and_then(|(path, below)| {
            let expression = self.stores.expression(path.base_name())?.to_owned();
            Some(Target { expression, below: below.to_vec() })
        });
        match found {
            Some(target) => self.places.push(Place { path: tree.path(node), target }),
            None => {
                let (link, target) = (self.shown(node), display_name(target).into_owned());
                self.review(format!("{link} points to {target}, which nothing provides; the link is not carried over"));
            }
        }
        true
    }
}
