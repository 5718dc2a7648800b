//! Resolution of entry names while a layer is unpacked in order: through the symbolic links that
//! the same layer made before, inside the root, and through those of a lower layer only on request.

use super::super::tree::NONE;
use super::super::{Kind, OccurrenceId};
use super::{LowerLinks, TreeBuilder, TreeLimit};

/// Bytes of a link's target that Linux takes: `PATH_MAX` of limits.h, without the zero at its end.
const MAX_TARGET_BYTES: usize = 4095;
/// Links that one name may lead through, as on Linux.
const MAX_LINKS: usize = 40;
/// Parts and bytes of link targets that are walked for one image.
const MAX_EFFORT: u64 = 1 << 28;

/// A directory on the way of a name, with what hides its content.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub node: u32,
    /// Entries of the current layer up to this number were removed with a directory above; none for 0.
    removed_above: u32,
    /// The same for what is below the directory.
    pub removed: u32,
    /// Occurrences of lower layers than this are hidden below the directory.
    pub floor: u16,
    /// True if a directory of a lower layer is visible here.
    pub has_lower_directory: bool,
}

/// Treatment of missing directories on the way to a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// For an entry: missing directories are made, and replace what is in their place.
    Make,
    /// For a whiteout or an opaque mark: the same, but below a file of the same layer it marks nothing.
    Mark,
    /// For the target of a hard link: nothing is changed, and links of lower layers are followed.
    Look,
}

enum Step {
    Entered(Place),
    /// A symbolic link, with the occurrence that has its target.
    Link(u32),
    /// Nothing is there, or no directory.
    Missing,
}

impl TreeBuilder {
    pub(super) fn root(&self) -> Place {
        let mut place = Place { node: 0, removed_above: 0, removed: 0, floor: 0, has_lower_directory: true };
        place.floor = self.floor_below(0, self.live(0, 0), 0);
        place
    }

    /// The occurrence of a node in the current layer, where it was not removed together with a directory above.
    pub(super) fn live(&self, node: u32, removed_above: u32) -> Option<usize> {
        let index = OccurrenceId::from_raw(self.tree.nodes[node as usize].occurrence)?.index();
        let is_live =
            self.tree.occurrences[index].layer == self.layer && self.written[index - self.start()] > removed_above;
        is_live.then_some(index)
    }

    /// The newest occurrence in lower layers, as long as it is to be seen from layers `floor` on.
    pub(super) fn lower(&self, node: u32, floor: u16) -> Option<usize> {
        let mut next = self.tree.nodes[node as usize].occurrence;
        while let Some(id) = OccurrenceId::from_raw(next) {
            let occurrence = &self.tree.occurrences[id.index()];
            if occurrence.layer < self.layer && occurrence.kind != Kind::OpaqueMark {
                return (occurrence.layer.0 >= floor && occurrence.kind != Kind::Whiteout).then_some(id.index());
            }
            next = occurrence.older;
        }
        None
    }

    /// The kind of an occurrence, of a hard link that of what it is a name of.
    pub(super) fn plain_kind(&self, index: usize) -> Kind {
        self.tree.linked(OccurrenceId(index as u32)).map_or(Kind::File, |id| self.tree.occurrences[id.index()].kind)
    }

    fn floor_below(&self, node: u32, live: Option<usize>, floor: u16) -> u16 {
        match live {
            Some(index) if self.tree.occurrences[index].erases_below() => self.layer.0,
            _ => floor.max(self.erased[node as usize]),
        }
    }

    /// The directory at a path of an entry.
    /// `None` where there is none and a mark makes none.
    pub(super) fn directory(&mut self, path: &[u8], way: Way) -> Result<Option<Place>, TreeLimit> {
        let common = super::common_prefix(path, &self.last_directory);
        while let Some(part) = self.last_parts.last()
            && (part.end > common || path.get(part.end).is_some_and(|&byte| byte != b'/'))
        {
            self.last_parts.pop();
        }
        let (mut start, mut place, mut moved) = match self.last_parts.last() {
            Some(part) => (part.end + 1, part.place, part.moved),
            None => (0, self.root(), false),
        };
        self.last_directory.truncate(common);
        self.last_directory.extend_from_slice(&path[common..]);
        while start < path.len() {
            let end = memchr::memchr(b'/', &path[start..]).map_or(path.len(), |length| start + length);
            if end > start {
                let name = &path[start..end];
                let next = match self.step(place, name, way)? {
                    Step::Entered(next) => Some(next),
                    Step::Missing => None,
                    Step::Link(link) => {
                        moved = true;
                        self.follow(place, link, way)?
                    }
                };
                place = match next {
                    Some(next) => next,
                    None if way == Way::Make => self.force(place, name)?,
                    None => return Ok(None),
                };
                self.last_parts.push(super::Part { end, place, moved });
            }
            start = end + 1;
        }
        Ok(Some(place))
    }

    /// Returns `true` if the last directory was reached through a link.
    pub(super) fn is_moved(&self) -> bool {
        self.last_parts.last().is_some_and(|part| part.moved)
    }

    /// Forgets the way of the last name, after something on it may have become something else.
    pub(super) fn forget_way(&mut self) {
        self.last_parts.clear();
    }

    /// Resolves a hard link's target to its directory and its node. Follows links on the way, but
    /// not the last part.
    pub(super) fn look_up(&mut self, target: &[u8]) -> Result<Option<(Place, u32)>, TreeLimit> {
        let mut parts = lexical(target);
        let Some(last) = parts.first().map(|part| part.to_vec()) else { return Ok(None) };
        parts.remove(0);
        let parts: Vec<Vec<u8>> = parts.into_iter().map(<[u8]>::to_vec).collect();
        let Some(place) = self.walk(self.root(), parts, Way::Look)? else { return Ok(None) };
        Ok(self.find_child(place.node, &last).map(|node| (place, node)))
    }

    fn follow(&mut self, at: Place, link: u32, way: Way) -> Result<Option<Place>, TreeLimit> {
        match self.target(link) {
            Some((absolute, parts)) => self.walk(if absolute { self.root() } else { at }, parts, way),
            None => Ok(None),
        }
    }

    /// Returns whether a link's target is absolute, and its parts, last first; `None` if no system
    /// accepts the target.
    fn target(&self, link: u32) -> Option<(bool, Vec<Vec<u8>>)> {
        let target = self.tree.link_target(OccurrenceId(link))?;
        if target.len() > MAX_TARGET_BYTES {
            return None;
        }
        Some((target.first() == Some(&b'/'), super::super::lookup::split(target)))
    }

    /// Walks parts, last first; `None` where they lead nowhere or through too many links.
    fn walk(&mut self, from: Place, parts: Vec<Vec<u8>>, way: Way) -> Result<Option<Place>, TreeLimit> {
        let (mut at, mut parts, mut links) = (from, parts, 0);
        while let Some(part) = parts.pop() {
            self.strain(1 + part.len() as u64)?;
            if part == b".." {
                let parent = self.tree.nodes[at.node as usize].parent;
                at = self.place_of(if parent == NONE { 0 } else { parent })?;
                continue;
            }
            match self.step(at, &part, way)? {
                Step::Entered(next) => at = next,
                Step::Missing => return Ok(None),
                Step::Link(link) => {
                    links += 1;
                    let Some((absolute, target)) = self.target(link).filter(|_| links <= MAX_LINKS) else {
                        return Ok(None);
                    };
                    if absolute {
                        at = self.root();
                    }
                    parts.extend(target);
                }
            }
        }
        Ok(Some(at))
    }

    /// The place of a node that is reached by its own path.
    fn place_of(&mut self, node: u32) -> Result<Place, TreeLimit> {
        let mut nodes = Vec::new();
        let mut at = node;
        while at != 0 {
            nodes.push(at);
            at = self.tree.nodes[at as usize].parent;
        }
        self.strain(nodes.len() as u64)?;
        let mut place = self.root();
        for node in nodes.into_iter().rev() {
            place = self.enter(place, node, self.live(node, place.removed));
        }
        Ok(place)
    }

    fn strain(&mut self, effort: u64) -> Result<(), TreeLimit> {
        self.effort = self.effort.saturating_add(effort);
        if self.effort > MAX_EFFORT { Err(TreeLimit::Links) } else { Ok(()) }
    }

    fn enter(&self, at: Place, node: u32, live: Option<usize>) -> Place {
        let removed = if self.removed.is_empty() { 0 } else { self.removed.get(&node).copied().unwrap_or(0) };
        let lower = if live.is_some() { None } else { self.lower(node, at.floor) };
        Place {
            node,
            removed_above: at.removed,
            removed: at.removed.max(removed),
            floor: self.floor_below(node, live, at.floor),
            has_lower_directory: lower.is_some_and(|lower| self.tree.occurrences[lower].kind == Kind::Directory),
        }
    }

    fn step(&mut self, at: Place, name: &[u8], way: Way) -> Result<Step, TreeLimit> {
        let node = match way {
            Way::Make | Way::Mark => self.child(at.node, name)?,
            Way::Look => match self.find_child(at.node, name) {
                Some(node) => node,
                None => return Ok(Step::Missing),
            },
        };
        let live = self.live(node, at.removed);
        let found = live.or_else(|| self.lower(node, at.floor));
        let Some(index) = found else { return Ok(Step::Entered(self.enter(at, node, live))) };
        let kind = match self.tree.occurrences[index].kind {
            Kind::HardLink => self.plain_kind(index),
            kind => kind,
        };
        match kind {
            Kind::Directory | Kind::OpaqueMark | Kind::Whiteout => Ok(Step::Entered(self.enter(at, node, live))),
            Kind::Symlink if live.is_some() || way == Way::Look || self.lower_links == LowerLinks::Followed => {
                let link = self.tree.linked(OccurrenceId(index as u32)).map_or(index as u32, |id| id.0);
                Ok(Step::Link(link))
            }
            _ if way == Way::Look || (way == Way::Mark && live.is_some()) => Ok(Step::Missing),
            _ => {
                if live.is_none() && kind == Kind::Symlink {
                    self.tree.hidden_links.push((self.current_node_occurrence(node), index as u32));
                }
                self.force(at, name).map(Step::Entered)
            }
        }
    }

    /// The index that the next occurrence gets, or that a node's removed one has.
    fn current_node_occurrence(&self, node: u32) -> u32 {
        match OccurrenceId::from_raw(self.tree.nodes[node as usize].occurrence) {
            Some(id) if self.tree.occurrences[id.index()].layer == self.layer => id.0,
            _ => self.tree.occurrences.len() as u32,
        }
    }

    /// Makes a directory in the place of whatever is there.
    fn force(&mut self, at: Place, name: &[u8]) -> Result<Place, TreeLimit> {
        let node = self.child(at.node, name)?;
        let live = self.live(node, at.removed);
        if live.is_some() {
            self.tree.refused = self.tree.refused.saturating_add(1);
        }
        let index = self.imply(node, live)?;
        Ok(self.enter(at, node, Some(index)))
    }

    /// Makes the directory of a mark where a lower layer has none: engines make it for the mark alone.
    pub(super) fn settle(&mut self, place: Place) -> Result<(), TreeLimit> {
        if place.node == 0 || place.has_lower_directory || self.live(place.node, place.removed_above).is_some() {
            return Ok(());
        }
        self.imply(place.node, None).map(|_| ())
    }

    /// The occurrence of a place's own node in the current layer.
    pub(super) fn live_at(&self, place: Place) -> Option<usize> {
        self.live(place.node, place.removed_above)
    }
}

/// The parts of a path, last first, with `..` resolved by the names alone, as Go's `filepath.Join` does.
fn lexical(path: &[u8]) -> Vec<&[u8]> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.reverse();
    parts
}
