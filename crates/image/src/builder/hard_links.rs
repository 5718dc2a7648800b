//! Contents with several names. A hard link is a name of the content that its target has when the link is unpacked; a
//! later replacement of the target leaves that content to its other names.

use hashbrown::HashMap;

use super::super::occurrence::flags;
use super::super::tree::NONE;
use super::super::{Kind, OccurrenceId};
use super::{TreeBuilder, TreeLimit};

/// State of the hard links while a layer is read. The contents themselves are
/// `FileTree::linked_contents`.
#[derive(Default)]
pub(super) struct HardLinks {
    /// Contents by the occurrence that has them.
    by_carrier: HashMap<u32, u32>,
    /// By content, the hard links of the current layer that are names of it.
    names: HashMap<u32, Vec<u32>>,
    /// Hard links whose targets were not there yet, with those targets.
    waiting: Vec<(u32, Box<[u8]>)>,
}

impl TreeBuilder {
    /// The content that the target of a hard link has now, and the node that has it.
    pub(super) fn target_now(&mut self, target: &[u8]) -> Result<Option<(u32, usize)>, TreeLimit> {
        let Some((place, node)) = self.look_up(target)? else { return Ok(None) };
        let found = match self.live(node, place.removed) {
            Some(index) if self.tree.occurrences[index].kind == Kind::Whiteout => None,
            Some(index) => Some(index),
            None => self.lower(node, place.floor),
        };
        let is_linkable = |index: &usize| {
            !matches!(self.tree.occurrences[*index].kind, Kind::Directory | Kind::OpaqueMark | Kind::Whiteout)
        };
        Ok(found.filter(is_linkable).map(|index| (node, index)))
    }

    /// The number of the content that an occurrence has; `NONE` for a hard link that leads nowhere.
    pub(super) fn content_number(&mut self, index: usize) -> u32 {
        if self.tree.occurrences[index].kind == Kind::HardLink {
            return self.tree.extra(OccurrenceId(index as u32)).map_or(NONE, |extra| extra.content);
        }
        let contents = &mut self.tree.linked_contents;
        *self.hard_links.by_carrier.entry(index as u32).or_insert_with(|| {
            contents.push(index as u32);
            (contents.len() - 1) as u32
        })
    }

    /// Notes that a hard link of the current layer is a name of a content.
    pub(super) fn name_content(&mut self, content: u32, link: usize) {
        if content != NONE {
            self.hard_links.names.entry(content).or_default().push(link as u32);
        }
    }

    /// Notes a hard link that leads nowhere yet.
    pub(super) fn await_target(&mut self, link: usize, target: &[u8]) {
        self.hard_links.waiting.push((link as u32, target.into()));
    }

    /// Before an occurrence of the current layer becomes something else: its content goes to another name of it.
    pub(super) fn release(&mut self, index: usize) {
        let Some(content) = self.hard_links.by_carrier.remove(&(index as u32)) else { return };
        while let Some(name) = self.hard_links.names.get_mut(&content).and_then(Vec::pop) {
            let is_name = self.tree.occurrences[name as usize].kind == Kind::HardLink
                && self.tree.extra(OccurrenceId(name)).is_some_and(|extra| extra.content == content);
            if is_name && name as usize != index {
                self.carry(index, name as usize);
                self.hard_links.by_carrier.insert(name, content);
                if let Some(carrier) = self.tree.linked_contents.get_mut(content as usize) {
                    *carrier = name;
                }
                return;
            }
        }
        if let Some(carrier) = self.tree.linked_contents.get_mut(content as usize) {
            *carrier = NONE;
        }
    }

    /// Makes the occurrence `to`, a hard link, the one that has the content of `from`.
    fn carry(&mut self, from: usize, to: usize) {
        let old = self.tree.occurrences[from].clone();
        let extra = self.tree.extras.get(old.extra as usize).cloned();
        let new = &mut self.tree.occurrences[to];
        (new.kind, new.bytes, new.offset) = (old.kind, old.bytes, old.offset);
        new.flags = (new.flags & !flags::HASHED) | (old.flags & flags::HASHED);
        if let (Some(extra), Some(own)) = (extra, self.tree.extras.get_mut(new.extra as usize)) {
            own.link.clone_from(&extra.link);
            (own.sparse, own.device, own.content) = (extra.sparse, extra.device, NONE);
        } else if let Some(own) = self.tree.extras.get_mut(new.extra as usize) {
            own.link = Box::default();
            own.content = NONE;
        }
        let start = self.start();
        if old.flags & flags::HASHED != 0
            && let Some(&hash) = self.layer_hashes.get(from - start)
        {
            self.keep_hash(to, hash);
        }
    }

    /// Ends the layer: resolves links that precede their targets, although no engine unpacks such a
    /// layer. Links that pass through too many others stay without a target.
    pub(super) fn end_hard_links(&mut self) {
        let waiting = std::mem::take(&mut self.hard_links.waiting);
        // Twice, as one may wait for another that comes before it or behind it.
        for (link, target) in waiting.iter().rev().chain(&waiting) {
            let index = *link as usize;
            if self.tree.occurrences.get(index).is_none_or(|occurrence| occurrence.kind != Kind::HardLink) {
                continue;
            }
            let found = self.target_now(target).ok().flatten();
            let Some((_, found)) = found.filter(|&(_, found)| found != index) else { continue };
            let content = self.content_number(found);
            let extra = self.tree.occurrences[index].extra as usize;
            if let Some(extra) = self.tree.extras.get_mut(extra).filter(|extra| extra.content == NONE) {
                extra.content = content;
                self.name_content(content, index);
            }
        }
    }

    /// Forgets what only counts within a layer.
    pub(super) fn forget_hard_links(&mut self) {
        self.hard_links = HardLinks::default();
    }

    /// Follows occurrences of the current layer that moved to other indices: `moved` gives the new one by the old one
    /// less `start`.
    pub(super) fn renumber_contents(&mut self, start: usize, moved: &[u32]) {
        let first = self.first_content;
        for carrier in self.tree.linked_contents.iter_mut().skip(first) {
            if let Some(&new) = (*carrier as usize).checked_sub(start).and_then(|index| moved.get(index)) {
                *carrier = new;
            }
        }
    }
}
