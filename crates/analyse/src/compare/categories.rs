//! Categories of an image's file bytes. Rules by path take precedence over rules by the owner's
//! name.

mod rules;

use hashbrown::{HashMap, HashSet};

use super::Side;
use super::absent::{absent_paths, places_of};
use super::bytes::BothSides;
use super::equivalents::SoftwareId;
use super::owners::Owners;
use super::walk::visible_files;
use nixdive_image::{Kind, NodeId};
use rules::{CONFIGURATION_SUFFIXES, OWN_PLACES, by_name, by_place, is_c_library, is_shared_library};

/// The purpose of a file's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    /// The application: the program that the configuration starts, and files that belong to no
    /// package.
    Application,
    /// Perl, Python, Java and their like, with their standard libraries.
    LanguageRuntime,
    /// Libraries that programs load.
    SharedLibraries,
    /// glibc, musl, and the loader.
    CLibrary,
    /// Shells and the tools that scripts expect.
    ShellAndCoreutils,
    /// apt, dpkg, apk, rpm, their databases and keys.
    PackageManager,
    /// Manuals, documentation, translations, time zones.
    DocumentationAndLocales,
    /// Caches, logs, compiled byte code, and files that upper layers hide and the image ships all the same.
    CachesAndWaste,
    /// Below `/etc`, and configuration files with a store path of their own.
    Configuration,
    /// The rest.
    Other,
}

impl Category {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 10] = [
        Self::Application,
        Self::LanguageRuntime,
        Self::SharedLibraries,
        Self::CLibrary,
        Self::ShellAndCoreutils,
        Self::PackageManager,
        Self::DocumentationAndLocales,
        Self::CachesAndWaste,
        Self::Configuration,
        Self::Other,
    ];

    /// A name for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::LanguageRuntime => "language runtime",
            Self::SharedLibraries => "shared libraries",
            Self::CLibrary => "C library",
            Self::ShellAndCoreutils => "shell and coreutils",
            Self::PackageManager => "package manager and its database",
            Self::DocumentationAndLocales => "documentation and locales",
            Self::CachesAndWaste => "caches and waste",
            Self::Configuration => "configuration",
            Self::Other => "other",
        }
    }

    /// A name for programs.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::LanguageRuntime => "languageRuntime",
            Self::SharedLibraries => "sharedLibraries",
            Self::CLibrary => "cLibrary",
            Self::ShellAndCoreutils => "shellAndCoreutils",
            Self::PackageManager => "packageManager",
            Self::DocumentationAndLocales => "documentationAndLocales",
            Self::CachesAndWaste => "cachesAndWaste",
            Self::Configuration => "configuration",
            Self::Other => "other",
        }
    }
}

/// File bytes of one category on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CategoryBytes {
    /// Which.
    pub category: Category,
    /// Sums of file bytes; over all categories those of the image, hidden files included. Store paths that both sides
    /// have and one of them only names are left out on both.
    pub bytes: BothSides<u64>,
}

/// Sums of both sides by category; all categories, in their order.
pub(super) fn compare(left: &Side<'_>, right: &Side<'_>, owners: &BothSides<Owners>) -> Vec<CategoryBytes> {
    let named = |by: &Side<'_>, side: &Side<'_>| places_of(&absent_paths(by.image), &side.image.tree);
    let (unlike_left, unlike_right) = (named(right, left), named(left, right));
    let (left, right) = (sums(left, &owners.left, &unlike_left), sums(right, &owners.right, &unlike_right));
    let of = |sums: &HashMap<Category, u64>, category| sums.get(&category).copied().unwrap_or_default();
    let row = |category| CategoryBytes {
        category,
        bytes: BothSides { left: of(&left, category), right: of(&right, category) },
    };
    Category::ALL.into_iter().map(row).collect()
}

/// Sums by category. What is in the store paths `left_out` counts for none.
fn sums(side: &Side<'_>, owners: &Owners, left_out: &HashSet<NodeId>) -> HashMap<Category, u64> {
    let mut sums: HashMap<Category, u64> = HashMap::new();
    let tree = &side.image.tree;
    let classifier = Classifier::new(side, owners);
    let mut visible = 0u64;
    for (node, id) in visible_files(tree) {
        let occurrence = tree.occurrence(id);
        if occurrence.kind == Kind::File && occurrence.bytes > 0 {
            visible = visible.saturating_add(occurrence.bytes);
            if !left_out.is_empty()
                && std::iter::successors(Some(node), |&at| tree.parent(at)).any(|at| left_out.contains(&at))
            {
                continue;
            }
            let sum = sums.entry(classifier.category(node)).or_default();
            *sum = sum.saturating_add(occurrence.bytes);
        }
    }
    let hidden = side.image.file_bytes().saturating_sub(visible);
    let waste = sums.entry(Category::CachesAndWaste).or_default();
    *waste = waste.saturating_add(hidden);
    sums
}

struct Classifier<'a> {
    side: &'a Side<'a>,
    owners: &'a Owners,
    /// Names that software of the application has in its name.
    stems: Vec<String>,
    known: HashMap<SoftwareId, Option<Category>>,
}

impl<'a> Classifier<'a> {
    fn new(side: &'a Side<'a>, owners: &'a Owners) -> Self {
        let mut classifier = Self { side, owners, stems: Vec::new(), known: HashMap::new() };
        let named = owners.of_programs().map(|id| side.software_name(id).to_ascii_lowercase());
        classifier.stems = named.filter(|name| name.len() >= 3 && by_name(name).is_none()).collect();
        classifier.stems.sort();
        classifier.stems.dedup();
        classifier.known = side.software().map(|id| (id, classifier.of_software(id))).collect();
        classifier
    }

    fn of_software(&self, id: SoftwareId) -> Option<Category> {
        let name = self.side.software_name(id).to_ascii_lowercase();
        if let Some(category) = by_name(&name) {
            return Some(category);
        }
        if self.stems.iter().any(|stem| name.contains(stem.as_str())) {
            return Some(Category::Application);
        }
        let is_nix = matches!(id, SoftwareId::StorePath(_));
        if is_nix && CONFIGURATION_SUFFIXES.iter().any(|suffix| name.ends_with(suffix)) {
            return Some(Category::Configuration);
        }
        // What has no version is made for this image and comes from no package collection.
        let is_own = is_nix && self.side.software_version(id).is_empty();
        let is_python = self.side.software_kind(id) == "python";
        (is_own || is_python).then_some(Category::Application)
    }

    fn category(&self, node: NodeId) -> Category {
        let path = self.side.image.tree.path(node);
        let owner = self.owners.of(node);
        let inner = inner_path(&path, owner);
        if let Some(category) = by_place(inner) {
            return category;
        }
        if let Some(category) = owner.and_then(|owner| self.known.get(&owner).copied().flatten()) {
            return category;
        }
        let name = memchr::memrchr(b'/', inner).map_or(inner, |slash| inner.get(slash + 1..).unwrap_or_default());
        if is_c_library(name) {
            return Category::CLibrary;
        }
        if inner.starts_with(b"/etc/") {
            return Category::Configuration;
        }
        if is_shared_library(name) {
            return Category::SharedLibraries;
        }
        match owner {
            Some(_) => Category::Other,
            None if self.owners.programs.contains(&node) || OWN_PLACES.iter().any(|own| inner.starts_with(own)) => {
                Category::Application
            }
            None => Category::Other,
        }
    }
}

/// A path within its store path, as it would be below `/` or `/usr`.
fn inner_path(path: &[u8], owner: Option<SoftwareId>) -> &[u8] {
    let in_store = matches!(owner, Some(SoftwareId::StorePath(_)));
    let below = path.strip_prefix(b"/nix/store/").filter(|_| in_store);
    below.and_then(|below| below.get(memchr::memchr(b'/', below)?..)).unwrap_or(path)
}
