use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use super::elf::{Abilities, Elf};
use super::libraries::{LibraryPlaces, Request};
use super::linker::Linker;
use super::read::{Facts, MOST_TEXT, MOST_TEXTS, MOST_TEXTS_UNPACKED, read_all};
use super::view::{At, View};
use super::{How, Missing, Needs, NeedsError, Reason, Uncertainty};
use nixdive_base::cancel::Cancel;
use nixdive_base::text::display_in_sentence;
use nixdive_image::{Config, NodeId, OccurrenceId};
use nixdive_packages::Inventory;
use nixdive_source::open::Contents;

/// Maximum number of uncertainties and missing files that are recorded.
pub(super) const MOST_REMARKS: usize = 1000;

/// Treatment of the contents of a needed file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Follow {
    /// Contents are not read.
    Nothing,
    /// Needs of programs and libraries are followed.
    Programs,
    /// Needs of programs and libraries, commands of scripts, and paths in texts are followed.
    All,
}

/// Search for needed files, with a queue of those not yet followed.
pub(super) struct Search<'a> {
    pub view: &'a View<'a>,
    pub config: &'a Config,
    pub packages: &'a Inventory,
    pub linker: Linker,
    contents: &'a Contents,
    cancel: &'a Cancel,
    pub needs: Needs,
    pub follow: Vec<Follow>,
    queue: Vec<NodeId>,
    facts: HashMap<OccurrenceId, Arc<Facts>>,
    pub requests: Vec<Request>,
    /// Search directories of the file that last requested a library.
    pub library_places: Option<(NodeId, Arc<LibraryPlaces>)>,
    /// Number of directories searched for libraries so far.
    pub library_lookups: u64,
    /// Environment as pairs of name and value.
    pub environment: Vec<(Vec<u8>, Vec<u8>)>,
    pub path_directories: Vec<Vec<u8>>,
    /// First program with each capability.
    pub able: Vec<(Abilities, NodeId)>,
    /// Needed libraries by their own soname.
    pub sonames: HashMap<Box<[u8]>, NodeId>,
    /// Paths at which libraries were found, with links unresolved.
    pub loaded_as: HashMap<NodeId, Box<[u8]>>,
    /// Needed programs and libraries, in the order in which they were followed.
    pub programs: Vec<(NodeId, Arc<Facts>)>,
    /// Runtimes whose trees are already kept.
    pub runtimes: HashSet<NodeId>,
    pub python: super::python::Python,
    pub working_directory: NodeId,
    /// True if directories that programs name are not followed.
    pub only_reached: bool,
    /// Named directories that were already examined.
    pub trees: HashSet<NodeId>,
    /// Texts that a shell sources, which their names do not show.
    pub sourced: HashSet<NodeId>,
}

impl<'a> Search<'a> {
    pub fn new(
        view: &'a View<'a>,
        config: &'a Config,
        contents: &'a Contents,
        packages: &'a Inventory,
        cancel: &'a Cancel,
    ) -> Self {
        let environment: Vec<(Vec<u8>, Vec<u8>)> = config
            .env
            .iter()
            .filter_map(|entry| {
                let (name, value) = entry.split_once('=')?;
                Some((name.as_bytes().to_vec(), value.as_bytes().to_vec()))
            })
            .collect();
        const PATH: &[u8] = b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        let path = environment.iter().rev().find(|(name, _)| name == b"PATH").map_or(PATH, |(_, value)| value);
        let count = view.tree.node_count();
        Self {
            view,
            config,
            packages,
            linker: Linker::default(),
            contents,
            cancel,
            needs: Needs { reasons: vec![None; count], ..Needs::default() },
            follow: vec![Follow::Nothing; count],
            queue: Vec::new(),
            facts: HashMap::new(),
            requests: Vec::new(),
            library_places: None,
            library_lookups: 0,
            path_directories: path.split(|&byte| byte == b':').take(256).map(<[u8]>::to_vec).collect(),
            environment,
            able: Vec::new(),
            sonames: HashMap::new(),
            loaded_as: HashMap::new(),
            programs: Vec::new(),
            runtimes: HashSet::new(),
            only_reached: false,
            trees: HashSet::new(),
            sourced: HashSet::new(),
            python: super::python::Python::default(),
            working_directory: view.find(config.working_directory.as_bytes()).unwrap_or(NodeId::ROOT),
        }
    }

    /// Reads some small texts before the search.
    pub fn texts(&self, nodes: &[NodeId]) -> Result<HashMap<NodeId, Vec<u8>>, NeedsError> {
        let ids: Vec<(NodeId, OccurrenceId)> = nodes
            .iter()
            .filter_map(|&node| match self.view.at(node) {
                At::File(id) if self.view.bytes(node) <= 16 << 20 => Some((node, id)),
                _ => None,
            })
            .collect();
        let mut found = HashMap::new();
        let files: Vec<OccurrenceId> = ids.iter().map(|&(_, id)| id).collect();
        let by_id: HashMap<OccurrenceId, NodeId> = ids.iter().map(|&(node, id)| (id, node)).collect();
        self.cancel.check().map_err(|_| NeedsError::Cancelled)?;
        let _ = self.contents.for_each_stored::<std::io::Error>(self.view.tree, &files, &mut |id, stored| {
            let mut bytes = Vec::new();
            if let (Ok(stored), Some(&node)) = (stored, by_id.get(&id)) {
                let read = std::io::Read::read_to_end(&mut std::io::Read::take(stored, 16 << 20), &mut bytes);
                if read.is_ok() {
                    found.insert(node, bytes);
                }
            }
            Ok(())
        });
        Ok(found)
    }

    pub fn is_needed(&self, node: NodeId) -> bool {
        self.needs.reasons.get(node.index()).is_some_and(Option::is_some)
    }

    /// Marks a path as needed; returns `true` if it was not before.
    pub fn mark(&mut self, node: NodeId, reason: Reason, follow: Follow) -> bool {
        let (Some(known), Some(followed)) =
            (self.needs.reasons.get_mut(node.index()), self.follow.get_mut(node.index()))
        else {
            return false;
        };
        // The root directory is always present.
        if node == NodeId::ROOT || reason.from == Some(node) {
            return false;
        }
        let is_new = known.is_none();
        if is_new {
            *known = Some(reason);
        }
        if (is_new || *followed < follow) && follow > Follow::Nothing && matches!(self.view.at(node), At::File(_)) {
            *followed = follow;
            self.queue.push(node);
        }
        is_new
    }

    /// Marks the target of a path and the links on the way; `None` if it does not exist.
    pub fn need(&mut self, base: NodeId, path: &[u8], reason: Reason, follow: Follow) -> Option<NodeId> {
        let walk = self.view.walk(base, path);
        let end = walk.end.ok()?;
        self.mark_links(&walk.links, reason.from);
        self.mark(end, reason, follow);
        Some(end)
    }

    /// Marks an absolute path as [`Self::need`] does.
    pub fn need_path(&mut self, path: &[u8], reason: Reason, follow: Follow) -> Option<NodeId> {
        self.need(NodeId::ROOT, path, reason, follow)
    }

    pub fn mark_links(&mut self, links: &[NodeId], from: Option<NodeId>) {
        for &link in links {
            self.mark(link, Reason { from, how: How::LinkOnTheWay }, Follow::Nothing);
        }
    }

    /// Marks a link, a file or a directory with all its contents. Targets of links are marked too, with their contents
    /// unless they are system directories.
    pub fn need_tree(&mut self, node: NodeId, reason: Reason, follow: Follow, wanted: &dyn Fn(&[u8], bool) -> bool) {
        let view = self.view;
        let mut stack = vec![(node, reason)];
        while let Some((node, reason)) = stack.pop() {
            match view.at(node) {
                At::Directory => {
                    let before = stack.len();
                    let is_wanted = |child: &NodeId| wanted(view.tree.name(*child), view.is_directory(*child));
                    stack.extend(view.children(node).filter(is_wanted).map(|child| (child, reason)));
                    stack[before..].reverse();
                    if stack.len() == before {
                        self.mark(node, reason, Follow::Nothing);
                    }
                }
                At::Link(_) => {
                    self.need_link(node, reason, follow);
                    let linked = self.own_directory_behind(node);
                    stack.extend(linked.map(|linked| (linked, Reason { from: Some(node), how: How::LinkTarget })));
                }
                At::File(_) | At::Other => {
                    self.mark(node, reason, follow);
                }
            }
        }
    }

    /// Marks a link and its target.
    pub fn need_link(&mut self, link: NodeId, reason: Reason, follow: Follow) {
        let At::Link(target) = self.view.at(link) else { return };
        self.mark(link, reason, Follow::Nothing);
        let base = self.view.tree.parent(link).unwrap_or(NodeId::ROOT);
        let target_reason = Reason { from: Some(link), how: How::LinkTarget };
        self.need(base, target, target_reason, follow);
    }

    /// Looks up a program as a shell does.
    pub fn look_up(&self, name: &[u8]) -> Option<Vec<u8>> {
        if name.contains(&b'/') {
            let walk = self.view.walk(self.working_directory, name);
            let mut path = self.view.tree.path(self.working_directory);
            path.push(b'/');
            path = if name.first() == Some(&b'/') { name.to_vec() } else { [path, name.to_vec()].concat() };
            return walk.end.ok().filter(|&node| matches!(self.view.at(node), At::File(_))).map(|_| path);
        }
        let paths = self.path_directories.iter().map(|directory| [directory, &b"/"[..], name].concat());
        let mut paths = paths.filter(|path| self.view.find(path).is_some_and(|node| self.view.is_program(node)));
        paths.next()
    }

    /// Records an uncertainty.
    pub fn doubt(&mut self, node: Option<NodeId>, message: impl Into<String>) {
        let doubt = Uncertainty { node, message: message.into() };
        if self.needs.doubts.len() < MOST_REMARKS && !self.needs.doubts.contains(&doubt) {
            self.needs.doubts.push(doubt);
        }
    }

    /// Records a missing file.
    pub fn miss(&mut self, from: Option<NodeId>, how: How, name: &[u8]) {
        let name = display_in_sentence(&String::from_utf8_lossy(name));
        let missing = Missing { from, how, name };
        if self.needs.missing.len() < MOST_REMARKS && !self.needs.missing.contains(&missing) {
            self.needs.missing.push(missing);
        }
    }

    /// Reads and follows files until the queue is empty.
    pub fn drain(&mut self) -> Result<(), NeedsError> {
        loop {
            let queue = self.next_files();
            let probes: Vec<NodeId> =
                self.requests.iter().filter_map(|request| request.candidates.front().map(|&(_, node)| node)).collect();
            if queue.is_empty() && self.requests.is_empty() {
                return Ok(());
            }
            let wanted = queue.iter().chain(&probes).filter_map(|&node| match self.view.at(node) {
                At::File(id) => Some(id).filter(|id| !self.facts.contains_key(id)),
                _ => None,
            });
            let files: Vec<OccurrenceId> = wanted.collect();
            for (id, facts) in read_all(self.view.tree, self.contents, &files, self.cancel)? {
                self.facts.insert(id, Arc::new(facts));
            }
            for node in queue {
                self.follow_file(node);
            }
            self.settle();
            // Texts are needed only once, but programs repeatedly.
            self.facts.retain(|_, facts| !matches!(**facts, Facts::Text(_) | Facts::Script(_)));
            self.cancel.check().map_err(|_| NeedsError::Cancelled)?;
        }
    }

    /// Returns the next files of the queue whose texts fit into memory together.
    fn next_files(&mut self) -> Vec<NodeId> {
        let mut bytes = 0u64;
        let is_full = |&node: &NodeId| {
            let At::File(id) = self.view.at(node) else { return false };
            let occurrence = self.view.tree.occurrence(id);
            let most = if self.contents.is_at_hand(occurrence.layer) { MOST_TEXTS } else { MOST_TEXTS_UNPACKED };
            bytes = bytes.saturating_add(occurrence.bytes.min(MOST_TEXT));
            bytes > most
        };
        let count = self.queue.iter().position(is_full).unwrap_or(self.queue.len()).max(1);
        let rest = self.queue.split_off(count.min(self.queue.len()));
        std::mem::replace(&mut self.queue, rest)
    }

    /// Returns the facts read from a file.
    pub fn facts_of(&self, node: NodeId) -> Option<Arc<Facts>> {
        let At::File(id) = self.view.at(node) else { return None };
        self.facts.get(&id).cloned()
    }

    /// Returns the program or library at a path, if it was read.
    pub fn elf_of(&self, node: NodeId) -> Option<ElfFacts> {
        self.facts_of(node).filter(|facts| matches!(**facts, Facts::Elf(_))).map(ElfFacts)
    }

    fn follow_file(&mut self, node: NodeId) {
        let Some(facts) = self.facts_of(node) else { return };
        let follow = self.follow.get(node.index()).copied().unwrap_or(Follow::Nothing);
        match &*facts {
            Facts::Elf(elf) if elf.is_loadable => {
                self.programs.push((node, facts.clone()));
                self.library_places = None;
                self.follow_elf(node, elf);
            }
            Facts::Script(text) if follow == Follow::All => {
                self.note_text_that_looks_around(node, text);
                self.follow_script(node, text);
            }
            Facts::Text(text) if follow == Follow::All => {
                self.note_text_that_looks_around(node, text);
                self.follow_text(node, text);
            }
            Facts::Jar(names) => self.follow_jar(node, names),
            Facts::Unreadable(error) => {
                self.needs.unreadable.push(node);
                let message = format!("{} could not be read: {error}", self.shown(node));
                self.doubt(Some(node), message);
            }
            _ => {}
        }
    }

    /// Returns a path in a form that is safe to show.
    pub fn shown(&self, node: NodeId) -> String {
        display_in_sentence(&String::from_utf8_lossy(&self.view.tree.path(node)))
    }

    /// Removes missing libraries that are loaded under another name, as the linker does not search for loaded ones.
    pub fn forget_found(&mut self) {
        let sonames = &self.sonames;
        let loaded = |missing: &Missing| missing.how == How::Library && sonames.contains_key(missing.name.as_bytes());
        self.needs.missing.retain(|missing| !loaded(missing));
    }
}

/// Facts of a program or library.
pub(super) struct ElfFacts(Arc<Facts>);

impl ElfFacts {
    /// Returns the requirements of the file.
    pub fn get(&self) -> &Elf {
        static NONE: std::sync::LazyLock<Elf> = std::sync::LazyLock::new(Elf::default);
        match &*self.0 {
            Facts::Elf(elf) => elf,
            _ => &NONE,
        }
    }
}
