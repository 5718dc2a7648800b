//! Finding paths by a part of their name, over all names at once.

use std::ops::ControlFlow;

use super::node_set::NodeSet;
use crate::image::{FileTree, NodeId};

/// What is looked for: a part of a path. Without capitals it stands for capitals too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Needle {
    parts: Vec<Vec<u8>>,
    /// Whether the name must end with the last part: a slash was typed after it.
    closed: bool,
    fold: bool,
}

impl Needle {
    /// `None` for a text that would match everything.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts: Vec<Vec<u8>> = text.split('/').map(|part| part.as_bytes().to_vec()).collect();
        let closed = parts.len() > 1 && parts.last().is_some_and(Vec::is_empty);
        if closed {
            parts.pop();
        }
        if parts.last().is_none_or(Vec::is_empty) {
            return None;
        }
        Some(Self { parts, closed, fold: !text.bytes().any(|byte| byte.is_ascii_uppercase()) })
    }

    /// Whether the path of a node, cut at its end, contains what is looked for.
    pub(super) fn matches(&self, tree: &FileTree, node: NodeId) -> bool {
        let mut at = Some(node);
        let last = self.parts.len() - 1;
        for (index, part) in self.parts.iter().enumerate().rev() {
            let Some(node) = at else { return index == 0 && part.is_empty() };
            let name = tree.name(node);
            let (starts, ends) = (index > 0, index < last || self.closed);
            if !self.fits(name, part, starts, ends) {
                return false;
            }
            at = tree.parent(node);
        }
        true
    }

    fn fits(&self, name: &[u8], part: &[u8], starts: bool, ends: bool) -> bool {
        let same = |piece: &[u8]| if self.fold { piece.eq_ignore_ascii_case(part) } else { piece == part };
        match (starts, ends) {
            (true, true) => same(name),
            (true, false) => name.get(..part.len()).is_some_and(same),
            (false, true) => name.len().checked_sub(part.len()).and_then(|start| name.get(start..)).is_some_and(same),
            (false, false) => part.is_empty() || self.position(name).is_some(),
        }
    }

    /// Where the last part stands in a name: its first and last byte's ends.
    pub(super) fn position(&self, name: &[u8]) -> Option<std::ops::Range<usize>> {
        let part = self.parts.last()?;
        let same = |piece: &[u8]| if self.fold { piece.eq_ignore_ascii_case(part) } else { piece == part.as_slice() };
        let start = name.windows(part.len()).position(same)?;
        Some(start..start + part.len())
    }
}

/// The paths that match, and the directories above them.
#[derive(Debug, Clone, Default)]
pub(super) struct Marks {
    pub matches: NodeSet,
    pub above: NodeSet,
    pub count: usize,
}

impl Marks {
    /// Searches all names. Takes time by the bytes of all names and the number of hits, not by what is shown.
    pub(super) fn find(tree: &FileTree, needle: &Needle) -> Self {
        let mut marks = Self::default();
        let Some(part) = needle.parts.last() else { return marks };
        let alone = needle.parts.len() == 1 && !needle.closed;
        scan(tree, part, needle.fold, |node| {
            if alone || needle.matches(tree, node) {
                marks.insert(tree, node);
            }
        });
        marks
    }

    fn insert(&mut self, tree: &FileTree, node: NodeId) {
        if !self.matches.insert(node) {
            return;
        }
        self.count += 1;
        let mut above = tree.parent(node);
        while let Some(node) = above.filter(|&node| self.above.insert(node)) {
            above = tree.parent(node);
        }
    }
}

/// Visits every node whose name contains `part`, once each.
fn scan(tree: &FileTree, part: &[u8], fold: bool, mut visit: impl FnMut(NodeId)) {
    let arena = tree.name_arena();
    let (anchor, anchor_at) = rarest(arena, part);
    let mut names = Names::new(tree);
    let mut from = anchor_at;
    while let Some(found) = next_anchor(arena, from, anchor, fold) {
        from = found + 1;
        let start = found - anchor_at;
        let Some(piece) = arena.get(start..start + part.len()) else { break };
        if !(if fold { piece.eq_ignore_ascii_case(part) } else { piece == part }) {
            continue;
        }
        let ControlFlow::Continue((node, end)) = names.advance_to(start) else { break };
        if start + part.len() <= end {
            visit(node);
            from = end.max(from).saturating_add(anchor_at);
        }
    }
}

fn next_anchor(arena: &[u8], from: usize, anchor: u8, fold: bool) -> Option<usize> {
    let rest = arena.get(from..)?;
    let found = match (fold, anchor.is_ascii_alphabetic()) {
        (true, true) => memchr::memchr2(anchor.to_ascii_lowercase(), anchor.to_ascii_uppercase(), rest),
        _ => memchr::memchr(anchor, rest),
    };
    found.map(|at| from + at)
}

/// The byte of `part` that a sample of all names has the fewest of, and where it stands in `part`.
fn rarest(arena: &[u8], part: &[u8]) -> (u8, usize) {
    const PIECE: usize = 256;
    const PIECES: usize = 64;
    let mut counts = [0u32; 256];
    let step = (arena.len() / PIECES).max(PIECE);
    for start in (0..arena.len()).step_by(step) {
        for &byte in &arena[start..(start + PIECE).min(arena.len())] {
            counts[usize::from(byte.to_ascii_lowercase())] += 1;
        }
    }
    let count = |byte: u8| counts[usize::from(byte.to_ascii_lowercase())];
    let rarest = part.iter().enumerate().min_by_key(|(_, byte)| count(**byte));
    rarest.map_or((0, 0), |(at, &byte)| (byte, at))
}

/// Walks the names in the order of the arena, hand in hand with the hits.
struct Names<'a> {
    tree: &'a FileTree,
    base: usize,
    nodes: Box<dyn Iterator<Item = NodeId> + 'a>,
    current: NodeId,
    end: usize,
}

impl<'a> Names<'a> {
    fn new(tree: &'a FileTree) -> Self {
        let base = tree.name_arena().as_ptr() as usize;
        Self { tree, base, nodes: Box::new(tree.node_ids()), current: NodeId::ROOT, end: 0 }
    }

    /// The node whose name covers `offset`, and where that name ends.
    fn advance_to(&mut self, offset: usize) -> ControlFlow<(), (NodeId, usize)> {
        while self.end <= offset {
            let Some(node) = self.nodes.next() else { return ControlFlow::Break(()) };
            let name = self.tree.name(node);
            self.current = node;
            self.end = (name.as_ptr() as usize).saturating_sub(self.base) + name.len();
        }
        ControlFlow::Continue((self.current, self.end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{EntryBatch, EntryFields, Kind, TreeBuilder};
    use proptest::prelude::*;

    fn tree(paths: &[&str]) -> FileTree {
        let mut builder = TreeBuilder::new();
        builder.begin_layer().unwrap();
        let mut batch = EntryBatch::default();
        for path in paths {
            batch.push(path.as_bytes(), b"", EntryFields::new(Kind::File));
        }
        builder.add(&batch).unwrap();
        builder.finish()
    }

    fn found(tree: &FileTree, text: &str) -> Vec<String> {
        let Some(needle) = Needle::parse(text) else { return vec!["everything".into()] };
        let marks = Marks::find(tree, &needle);
        let nodes: Vec<NodeId> = tree.node_ids().filter(|&node| marks.matches.contains(node)).collect();
        assert_eq!(marks.count, nodes.len());
        nodes.iter().map(|&node| String::from_utf8(tree.path(node)).unwrap()).collect()
    }

    #[test]
    fn a_part_of_a_path_finds_the_names_that_it_ends_in() {
        let tree = tree(&["etc/nginx/nginx.conf", "etc/Nginx", "usr/lib/libc.so", "usr/libexec/c"]);
        for (text, expected) in [
            ("conf", vec!["/etc/nginx/nginx.conf"]),
            ("nginx", vec!["/etc/nginx", "/etc/nginx/nginx.conf", "/etc/Nginx"]),
            ("Nginx", vec!["/etc/Nginx"]),
            ("x/n", vec!["/etc/nginx/nginx.conf"]),
            ("/lib", vec!["/usr/lib", "/usr/lib/libc.so", "/usr/libexec"]),
            ("r/lib", vec!["/usr/lib", "/usr/libexec"]),
            ("lib/", vec!["/usr/lib"]),
            ("/usr/lib/l", vec!["/usr/lib/libc.so"]),
            ("/lib/libc.so", vec!["/usr/lib/libc.so"]),
            ("cetc", vec![]),
            ("/", vec!["everything"]),
            ("", vec!["everything"]),
        ] {
            assert_eq!(found(&tree, text), expected, "{text:?}");
        }
    }

    #[test]
    fn directories_above_a_hit_are_marked() {
        let tree = tree(&["a/b/hit", "a/c/miss"]);
        let marks = Marks::find(&tree, &Needle::parse("hit").unwrap());
        let above = |path: &[u8]| marks.above.contains(tree.lookup(path).unwrap());
        assert!(above(b"/a") && above(b"/a/b") && above(b"/"));
        assert!(!above(b"/a/c") && !above(b"/a/b/hit"));
    }

    proptest! {
        #[test]
        fn one_run_over_all_names_finds_what_looking_at_each_finds(
            names in proptest::collection::vec("[abAB]{1,4}(/[abAB]{1,4}){0,2}", 1..20),
            text in "/?[abAB]{1,3}(/[abAB]{0,2})?",
        ) {
            let paths: Vec<&str> = names.iter().map(String::as_str).collect();
            let tree = tree(&paths);
            let Some(needle) = Needle::parse(&text) else { return Ok(()) };
            let marks = Marks::find(&tree, &needle);
            for node in tree.node_ids() {
                let mut path = String::from_utf8(tree.path(node)).unwrap();
                let mut wanted = text.clone();
                if !text.bytes().any(|byte| byte.is_ascii_uppercase()) {
                    path.make_ascii_lowercase();
                    wanted.make_ascii_lowercase();
                }
                // The text must end in this node's own name (or just after it, for a slash at the end).
                let own = path.rfind('/').map_or(0, |slash| slash + 1);
                let with_slash = format!("{path}/");
                let hit = with_slash.match_indices(&wanted).any(|(at, _)| at + wanted.trim_end_matches('/').len() > own)
                    || overlapping(&with_slash, &wanted, own);
                prop_assert_eq!(marks.matches.contains(node), hit && node != NodeId::ROOT, "{} in {}", text, path);
            }
        }
    }

    fn overlapping(path: &str, wanted: &str, own: usize) -> bool {
        (0..path.len()).any(|at| path[at..].starts_with(wanted) && at + wanted.trim_end_matches('/').len() > own)
    }
}
