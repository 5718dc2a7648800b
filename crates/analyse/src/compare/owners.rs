use super::Side;
use super::equivalents::SoftwareId;
use nixdive_image::{Kind, NodeId, Resolution};
use nixdive_nix::graph::PathId;
use nixdive_packages::PackageIndex;

/// Words of a command that are looked up as programs.
const MOST_WORDS: usize = 256;

/// Which software a path of a final tree belongs to.
#[derive(Debug, Default)]
pub(super) struct Owners {
    /// By node.
    owners: Vec<Option<SoftwareId>>,
    /// The programs that the configuration runs.
    pub programs: Vec<NodeId>,
}

impl Owners {
    pub fn new(side: &Side<'_>) -> Self {
        let tree = &side.image.tree;
        let mut owners = vec![None; tree.node_count()];
        for index in side.packages.packages.indices() {
            for node in side.packages.ownership.files(index) {
                if let Some(owner) = owners.get_mut(node.index()).filter(|owner| owner.is_none()) {
                    *owner = Some(SoftwareId::Package(index));
                }
            }
        }
        let known = side.store.iter().flat_map(|study| study.ids().zip(&study.store.paths));
        let mut stack: Vec<(PathId, NodeId)> = known.map(|(id, known)| (id, known.node)).collect();
        while let Some((id, node)) = stack.pop() {
            if let Some(owner) = owners.get_mut(node.index()) {
                *owner = Some(SoftwareId::StorePath(id));
            }
            stack.extend(tree.children(node).map(|child| (id, child)));
        }
        Self { owners, programs: programs(side) }
    }

    /// Returns the software that owns a path.
    pub fn of(&self, node: NodeId) -> Option<SoftwareId> {
        self.owners.get(node.index()).copied().flatten()
    }

    /// Software that the programs of the configuration belong to.
    pub fn of_programs(&self) -> impl Iterator<Item = SoftwareId> + '_ {
        self.programs.iter().filter_map(|&node| self.of(node))
    }
}

/// The executable files that the words of `Entrypoint` and `Cmd` lead to, links followed.
fn programs(side: &Side<'_>) -> Vec<NodeId> {
    let (config, tree) = (&side.image.config, &side.image.tree);
    let Some(top) = tree.top_layer() else { return Vec::new() };
    let path = config.env.iter().find_map(|variable| variable.strip_prefix("PATH="));
    let directories: Vec<&str> = path.unwrap_or("/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin").split(':').collect();
    let words = config.entrypoint.iter().chain(&config.cmd).flat_map(|text| text.split_whitespace());
    let mut found = Vec::new();
    for word in words.take(MOST_WORDS) {
        let paths: Vec<String> = match word.contains('/') {
            true => vec![word.to_owned()],
            false => directories.iter().take(MOST_WORDS).map(|directory| format!("{directory}/{word}")).collect(),
        };
        let program = paths.iter().find_map(|path| {
            let Resolution::Found { node, .. } = tree.resolve(path.as_bytes(), top, true) else { return None };
            let entry = tree.occurrence(tree.content_of(tree.visible_at(node, top)?)?);
            (entry.kind == Kind::File && entry.mode() & 0o111 != 0).then_some(node)
        });
        found.extend(program.filter(|node| !found.contains(node)));
    }
    found
}

impl Side<'_> {
    /// The name of software of this side, without version and output.
    #[must_use]
    pub fn software_name(&self, id: SoftwareId) -> &str {
        match id {
            SoftwareId::StorePath(id) => {
                self.store.and_then(|study| study.get_path(id)).map_or("", |path| path.package().name)
            }
            SoftwareId::Package(index) => &self.packages.packages.get(index).name,
        }
    }

    /// The version of software of this side; empty where it has none.
    #[must_use]
    pub fn software_version(&self, id: SoftwareId) -> &str {
        match id {
            SoftwareId::StorePath(id) => {
                self.store.and_then(|study| study.get_path(id)).map_or("", |path| path.package().version)
            }
            SoftwareId::Package(index) => &self.packages.packages.get(index).version,
        }
    }

    /// `nix`, or the kind of the package: `deb`, `apk`, `rpm`, `python`.
    #[must_use]
    pub fn software_kind(&self, id: SoftwareId) -> &'static str {
        match id {
            SoftwareId::StorePath(_) => "nix",
            SoftwareId::Package(index) => self.packages.packages.get(index).kind.as_str(),
        }
    }

    /// Bytes of software of this side: NAR size of a store path, installed bytes of a package.
    #[must_use]
    pub fn software_bytes(&self, id: SoftwareId) -> u64 {
        match id {
            SoftwareId::StorePath(id) => self.store.map_or(0, |study| study.graph.nar_bytes(id)),
            SoftwareId::Package(index) => self.packages.installed_bytes(index),
        }
    }

    /// All software of this side, store paths first.
    pub(super) fn software(&self) -> impl Iterator<Item = SoftwareId> + '_ {
        let paths = self.store.iter().flat_map(|study| study.ids().map(SoftwareId::StorePath));
        paths.chain(self.packages.packages.indices().map(|index: PackageIndex| SoftwareId::Package(index)))
    }
}
