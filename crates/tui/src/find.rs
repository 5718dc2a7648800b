//! Finding paths by a part of their name, over all names at once.

use super::node_set::NodeSet;
use nixdive_image::{FileTree, NodeId};

/// A part of a path to look for. Without capitals it also matches capitals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Needle {
    parts: Vec<Vec<u8>>,
    /// True if a slash was typed at the end: the name must end with the last part.
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

    fn last(&self) -> &[u8] {
        self.parts.last().map_or(&[], Vec::as_slice)
    }

    /// Returns `true` if the path of a node, cut at its end, contains the needle.
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

    /// Returns `true` if the last part is found at an offset of all names.
    fn stands_at(&self, arena: &[u8], start: usize) -> bool {
        let part = self.last();
        let piece = arena.get(start..start + part.len());
        piece.is_some_and(|piece| if self.fold { piece.eq_ignore_ascii_case(part) } else { piece == part })
    }

    /// Returns the byte range of the last part in a name.
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
    /// Marks of paths that were found in another way.
    pub(super) fn of(tree: &FileTree, nodes: &[NodeId]) -> Self {
        let mut marks = Self::default();
        nodes.iter().for_each(|&node| marks.insert(tree, node));
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

/// A search through all names, a part at a time. It takes time by the bytes of all names and the number of hits, not
/// by what is shown.
#[derive(Debug)]
pub(super) struct Finding {
    pub needle: Needle,
    pub marks: Marks,
    /// Offset in the names from which on nothing has been examined.
    from: usize,
    /// The byte of the last part that is searched for where capitals count for nothing, and its place in the part.
    anchor: (u8, usize),
}

impl Finding {
    pub(super) fn new(tree: &FileTree, needle: Needle) -> Self {
        let anchor = rarest(tree.name_arena(), needle.last());
        Self { needle, marks: Marks::default(), from: 0, anchor }
    }

    /// Examines names until all are done or about `budget` candidates were seen; returns `true` if all are done.
    pub(super) fn run(&mut self, tree: &FileTree, budget: usize) -> bool {
        const BYTES_PER_UNIT: usize = 256;
        let arena = tree.name_arena();
        let base = arena.as_ptr() as usize;
        let begun_at = self.from;
        let alone = self.needle.parts.len() == 1 && !self.needle.closed;
        let Some((mut node, range)) = tree.node_at_name(begun_at) else { return true };
        let mut end = range.end;
        let mut nodes = tree.node_ids().skip(node.index() + 1);
        let mut tried = 0;
        while let Some(start) = self.next_candidate(arena) {
            tried += 1;
            if tried + (start - begun_at) / BYTES_PER_UNIT > budget {
                return false;
            }
            self.from = start + 1;
            if !self.needle.stands_at(arena, start) {
                continue;
            }
            while end <= start {
                let Some(next) = nodes.next() else { return true };
                let name = tree.name(next);
                node = next;
                end = (name.as_ptr() as usize).saturating_sub(base) + name.len();
            }
            // A hit over the end of a name is none.
            if start + self.needle.last().len() <= end {
                self.from = end;
                if alone || self.needle.matches(tree, node) {
                    self.marks.insert(tree, node);
                }
            }
        }
        true
    }

    /// Returns the next offset in all names where the last part may be.
    fn next_candidate(&self, arena: &[u8]) -> Option<usize> {
        let part = self.needle.last();
        if !self.needle.fold || !part.iter().any(u8::is_ascii_alphabetic) {
            return Some(self.from + memchr::memmem::find(arena.get(self.from..)?, part)?);
        }
        let (anchor, anchor_at) = self.anchor;
        let rest = arena.get(self.from + anchor_at..)?;
        let found = memchr::memchr2(anchor.to_ascii_lowercase(), anchor.to_ascii_uppercase(), rest)?;
        Some(self.from + found)
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use nixdive_image::{EntryBatch, EntryFields, Kind, TreeBuilder};
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

    /// In steps of one hit, so that every resumption is tried.
    fn find_all(tree: &FileTree, needle: Needle) -> Marks {
        let mut finding = Finding::new(tree, needle);
        while !finding.run(tree, 1) {}
        finding.marks
    }

    fn found(tree: &FileTree, text: &str) -> Vec<String> {
        let Some(needle) = Needle::parse(text) else { return vec!["everything".into()] };
        let marks = find_all(tree, needle);
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
        let marks = find_all(&tree, Needle::parse("hit").unwrap());
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
            let marks = find_all(&tree, needle);
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
