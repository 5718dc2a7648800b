use hashbrown::HashMap;

use super::files::FileChanges;
use super::walk::{Pair, push_children, roots};
use nixdive_image::{Image, NodeId, Seen};

/// A path of a [`PairTree`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PairId(u32);

impl PairId {
    /// The root directory, which both sides have.
    pub const ROOT: Self = Self(0);

    /// Its place in the tree: directories come before what is in them, siblings in the order of their names.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A path that one of two final trees has, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairNode {
    /// In the left tree.
    pub left: Option<NodeId>,
    /// In the right tree.
    pub right: Option<NodeId>,
    /// Its place in the list of changes, where it changed itself.
    pub change: Option<u32>,
    /// File bytes on the left side; of a directory those of all that lies below it.
    pub left_bytes: u64,
    /// File bytes on the right side.
    pub right_bytes: u64,
    /// Sum of |Δ| over the changes at and below it, bytes.
    pub changed_bytes: u64,
    /// Changes at and below it.
    pub differing: u32,
    /// True if the path is a directory on at least one side.
    pub is_directory: bool,
    parent: u32,
    /// The place behind the last that lies below it.
    end: u32,
}

impl PairNode {
    /// File bytes on the right side less those on the left.
    #[must_use]
    pub fn delta(&self) -> i64 {
        super::delta(self.left_bytes, self.right_bytes)
    }
}

/// Two final trees laid over each other: every path of either once, with what became of it.
#[derive(Debug, Clone, Default)]
pub struct PairTree {
    nodes: Vec<PairNode>,
}

impl PairTree {
    /// Lays two final trees over each other. `files` are the changes between these two.
    #[must_use]
    pub fn new(left: &Image, right: &Image, files: &FileChanges) -> Self {
        let (left, right) = (&left.tree, &right.tree);
        let changes = ChangesByPath::new(files);
        let mut nodes: Vec<PairNode> = Vec::new();
        let mut stack: Vec<(Pair, u32)> = vec![(roots(left, right), 0)];
        while let Some((pair, parent)) = stack.pop() {
            let Ok(own) = u32::try_from(nodes.len()) else { break };
            nodes.push(node(pair, parent, own, &changes, files));
            let start = stack.len();
            push_children(left, right, pair, &mut |below| stack.push((below, own)));
            stack[start..].reverse();
        }
        let mut tree = Self { nodes };
        tree.sum_up();
        tree
    }

    /// Hands ends and sums of all paths to the directories that they are in.
    fn sum_up(&mut self) {
        for index in (1..self.nodes.len()).rev() {
            let PairNode { parent, end, differing, changed_bytes, .. } = self.nodes[index];
            if let Some(above) = self.nodes.get_mut(parent as usize) {
                above.end = above.end.max(end);
                above.differing = above.differing.saturating_add(differing);
                above.changed_bytes = above.changed_bytes.saturating_add(changed_bytes);
            }
        }
    }

    /// How many paths there are, the root included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Returns `true` if the tree is empty, without even a root.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// All paths, directories before what is in them.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = PairId> + use<> {
        (0..u32::try_from(self.nodes.len()).unwrap_or(u32::MAX)).map(PairId)
    }

    /// A path; `None` for one of another tree.
    #[must_use]
    pub fn get(&self, id: PairId) -> Option<&PairNode> {
        self.nodes.get(id.index())
    }

    /// The directory that a path is in; `None` for the root.
    #[must_use]
    pub fn parent(&self, id: PairId) -> Option<PairId> {
        let node = self.get(id).filter(|_| id != PairId::ROOT)?;
        Some(PairId(node.parent))
    }

    /// Returns the children of a directory, sorted by name.
    pub fn children(&self, id: PairId) -> impl Iterator<Item = PairId> + use<'_> {
        self.siblings_from(id, PairId(id.0.saturating_add(1)))
    }

    /// Returns the children of a directory from `first` on, sorted by name.
    pub fn siblings_from(&self, directory: PairId, first: PairId) -> impl Iterator<Item = PairId> + use<'_> {
        let end = self.get(directory).map_or(0, |node| node.end);
        let within = move |next: u32| (next < end).then_some(PairId(next));
        let following = move |child: &PairId| within(self.get(*child)?.end.max(child.0.saturating_add(1)));
        std::iter::successors(within(first.0), following)
    }

    /// The path that has a node of the left tree, or one of the right tree; looks at all paths.
    #[must_use]
    pub fn find(&self, left: Option<NodeId>, right: Option<NodeId>) -> Option<PairId> {
        let has = |pair: &PairNode| (left.is_some() && pair.left == left) || (right.is_some() && pair.right == right);
        self.ids().find(|&id| self.get(id).is_some_and(has))
    }
}

/// Places in a list of changes by the nodes that they are about.
struct ChangesByPath {
    left: HashMap<NodeId, u32>,
    right: HashMap<NodeId, u32>,
}

impl ChangesByPath {
    fn new(files: &FileChanges) -> Self {
        let mut found = Self { left: HashMap::new(), right: HashMap::new() };
        for (place, change) in (0u32..).zip(&files.changes) {
            found.left.extend(change.left.map(|path| (path.node, place)));
            found.right.extend(change.right.map(|path| (path.node, place)));
        }
        found
    }
}

fn node((one, other): Pair, parent: u32, own: u32, changes: &ChangesByPath, files: &FileChanges) -> PairNode {
    let (left, right) = (one.map(|(node, _)| node), other.map(|(node, _)| node));
    // Where a moved file was, and where it is now, its one change stands.
    let of_left = || left.and_then(|node| changes.left.get(&node));
    let change = right.and_then(|node| changes.right.get(&node)).or_else(of_left).copied();
    let changed = change.and_then(|place| files.changes.get(place as usize));
    let bytes = |seen: Option<&Seen>| seen.map_or(0, |seen| seen.totals.bytes);
    let (before, after) = (one.map(|(_, seen)| seen), other.map(|(_, seen)| seen));
    PairNode {
        left,
        right,
        change,
        left_bytes: bytes(before.as_ref()),
        right_bytes: bytes(after.as_ref()),
        changed_bytes: changed.map_or(0, |change| change.delta().unsigned_abs()),
        differing: u32::from(changed.is_some()),
        is_directory: before.is_some_and(|seen| seen.is_directory) || after.is_some_and(|seen| seen.is_directory),
        parent,
        end: own.saturating_add(1),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::compare::CompareOptions;
    use crate::testing::{Known, compare};
    use nixdive_base::text::display_name;
    use nixdive_image::testing::archive::{Written, any_entries};

    fn lines(left: &Known, right: &Known) -> Vec<String> {
        let comparison = compare(left, right, CompareOptions::default());
        let (one, other) = (&left.opened.image, &right.opened.image);
        let tree = PairTree::new(one, other, &comparison.differences.files);
        let line = |id: PairId| {
            let node = tree.get(id)?;
            let path = match (node.left, node.right) {
                (Some(id), _) => one.tree.path(id),
                (None, id) => other.tree.path(id?),
            };
            let path = display_name(&path).into_owned();
            Some(format!("{path} {} {} {:+} {}", node.left_bytes, node.right_bytes, node.delta(), node.differing))
        };
        tree.ids().filter_map(line).collect()
    }

    #[test]
    fn both_trees_are_one_with_sums_for_directories() {
        let file = |path: &str, content: &str| Written::file(path, content.as_bytes());
        let left = Known::of_layers(&[vec![file("a/b", "123"), file("a/gone", "45"), file("z", "same")]]);
        let right = Known::of_layers(&[vec![file("a/b", "12345"), file("a/c/new", "7"), file("z", "same")]]);
        let expected = [
            "/ 9 10 +1 4",
            "/a 5 6 +1 4",
            "/a/b 3 5 +2 1",
            "/a/c 0 1 +1 2",
            "/a/c/new 0 1 +1 1",
            "/a/gone 2 0 -2 1",
            "/z 4 4 +0 0",
        ];
        assert_eq!(lines(&left, &right), expected);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn children_reach_every_path_once_and_every_change_has_its_place(one in any_entries(12), other in any_entries(12)) {
            let (left, right) = (Known::of_layers(&[one]), Known::of_layers(&[other]));
            let comparison = compare(&left, &right, CompareOptions::default());
            let tree = PairTree::new(&left.opened.image, &right.opened.image, &comparison.differences.files);
            let mut reached = vec![PairId::ROOT];
            let mut next = 0;
            while let Some(&id) = reached.get(next) {
                prop_assert!(tree.children(id).all(|child| tree.parent(child) == Some(id)));
                reached.extend(tree.children(id));
                next += 1;
            }
            prop_assert_eq!(reached.len(), tree.len());
            let mut placed: Vec<u32> = tree.ids().filter_map(|id| tree.get(id)?.change).collect();
            placed.sort_unstable();
            placed.dedup();
            prop_assert_eq!(placed.len(), comparison.differences.files.changes.len());
        }
    }
}
