use hashbrown::{HashMap, HashSet};

use super::absent::{absent_paths, places_of};
use super::contents::KnownContents;
use super::files::{ComparedPath, FileChange, FileChangeKind, FileChanges, FileSums};
use super::layers::LayerAlignment;
use nixdive_image::{Baseline, Change, Difference, FileTree, Floors, Image, Kind, NodeId, OccurrenceId, Scope, Seen};

/// Two final trees walked together: what differs by headers alone, and which contents decide the rest.
pub(super) struct FileWalk<'a> {
    left: &'a FileTree,
    right: &'a FileTree,
    changes: Vec<FileChange>,
    /// Same path and length, and nothing tells whether the same content: a place in `changes` and both contents.
    undecided: Vec<(usize, OccurrenceId, OccurrenceId)>,
    unchanged: u64,
}

/// A path as the left tree has it, and as the right one does.
pub(super) type Pair = (Option<(NodeId, Seen)>, Option<(NodeId, Seen)>);

impl<'a> FileWalk<'a> {
    /// Walks both trees once, siblings by name.
    pub fn new(left_image: &'a Image, right_image: &'a Image, layers: &LayerAlignment) -> Self {
        let (left, right) = (&left_image.tree, &right_image.tree);
        let mut walk = Self { left, right, changes: Vec::new(), undecided: Vec::new(), unchanged: 0 };
        // What is in a store path that a side only names is not known, and nothing differs by it.
        let (absent_left, absent_right) = (absent_paths(left_image), absent_paths(right_image));
        let (absent_left, absent_right) = (places_of(&absent_left, left), places_of(&absent_right, right));
        let is_absent =
            |one: Option<(NodeId, Seen)>, places: &HashSet<NodeId>| one.is_some_and(|(node, _)| places.contains(&node));
        let mut stack: Vec<Pair> = vec![roots(left, right)];
        while let Some((one, other)) = stack.pop() {
            let on_both = one.is_some() && other.is_some();
            if on_both && (is_absent(one, &absent_left) || is_absent(other, &absent_right)) {
                continue;
            }
            walk.pair(one, other, layers);
            let start = stack.len();
            push_children(left, right, (one, other), &mut |pair| stack.push(pair));
            stack[start..].reverse();
        }
        walk
    }

    fn pair(&mut self, one: Option<(NodeId, Seen)>, other: Option<(NodeId, Seen)>, layers: &LayerAlignment) {
        let left = one.map(|(node, seen)| compared(self.left, node, &seen));
        let right = other.map(|(node, seen)| compared(self.right, node, &seen));
        let change = |kind, difference| FileChange { kind, left, right, difference };
        match (one, other) {
            // The root is there by itself.
            (Some((NodeId::ROOT, _)), None) | (None, Some((NodeId::ROOT, _))) | (None, None) => {}
            (Some(_), None) => self.changes.push(change(FileChangeKind::Removed, Difference::empty())),
            (None, Some(_)) => self.changes.push(change(FileChangeKind::Added, Difference::empty())),
            (Some((_, one)), Some((_, other))) => {
                let (difference, undecided) = self.difference(&one, &other, layers);
                if difference.is_empty() && undecided.is_none() {
                    self.unchanged = self.unchanged.saturating_add(1);
                    return;
                }
                if let Some((one, other)) = undecided {
                    self.undecided.push((self.changes.len(), one, other));
                }
                self.changes.push(change(kind_of(difference), difference));
            }
        }
    }

    /// In what two entries of one path differ by their headers, and the contents that may differ too.
    fn difference(
        &self,
        one: &Seen,
        other: &Seen,
        layers: &LayerAlignment,
    ) -> (Difference, Option<(OccurrenceId, OccurrenceId)>) {
        let mut found = Difference::empty();
        let (Some(one), Some(other)) = (one.occurrence, other.occurrence) else {
            // A directory that is only implied says nothing of itself.
            let is_directory = |tree: &FileTree, id: Option<OccurrenceId>| {
                id.is_none_or(|id| tree.occurrence(id).kind == Kind::Directory)
            };
            let same = is_directory(self.left, one.occurrence) == is_directory(self.right, other.occurrence);
            found.set(Difference::TYPE, !same);
            return (found, None);
        };
        let (own, others) = (self.left.occurrence(one), self.right.occurrence(other));
        // What one tar holds under one path is one entry; only a hard link may lead out of it.
        if layers.same(own.layer, others.layer) && own.kind == others.kind && own.kind != Kind::HardLink {
            return (found, None);
        }
        // A hard link is the file that it names.
        let (linked, others_linked) = (self.left.linked(one), self.right.linked(other));
        let (Some(one), Some(other)) = (linked, others_linked) else {
            found.set(
                Difference::LINK,
                linked.is_some() != others_linked.is_some() || {
                    self.left.link_target(one) != self.right.link_target(other)
                },
            );
            return (found, None);
        };
        let (own, others) = (self.left.occurrence(one), self.right.occurrence(other));
        found.set(Difference::TYPE, own.kind != others.kind);
        found.set(Difference::MODE, own.mode() != others.mode());
        found.set(Difference::OWNER, self.left.owner(one) != self.right.owner(other));
        found.set(Difference::MTIME, own.mtime != others.mtime);
        found.set(Difference::XATTRS, self.left.xattrs(one) != self.right.xattrs(other));
        if own.kind != others.kind {
            return (found, None);
        }
        if own.kind != Kind::File {
            let links = self.left.link_target(one) != self.right.link_target(other);
            found.set(Difference::LINK, links || self.left.device(one) != self.right.device(other));
            return (found, None);
        }
        if own.bytes != others.bytes {
            found.insert(Difference::CONTENT);
            return (found, None);
        }
        let same_place = layers.same(own.layer, others.layer) && own.offset == others.offset;
        if own.bytes == 0 || same_place {
            return (found, None);
        }
        match (self.left.content_hash(one), self.right.content_hash(other)) {
            (Some(known), Some(other)) => {
                found.set(Difference::CONTENT, known != other);
                (found, None)
            }
            _ => (found, Some((one, other))),
        }
    }

    /// The contents of both sides whose identity decides what is a change and what is a move.
    pub fn unknown(&self) -> (Vec<OccurrenceId>, Vec<OccurrenceId>) {
        let mut left: Vec<OccurrenceId> = self.undecided.iter().map(|&(_, one, _)| one).collect();
        let mut right: Vec<OccurrenceId> = self.undecided.iter().map(|&(_, _, other)| other).collect();
        let (removed, added) = (self.movable(FileChangeKind::Removed), self.movable(FileChangeKind::Added));
        let lengths = |tree: &FileTree, list: &[(usize, OccurrenceId)]| -> HashMap<u64, ()> {
            list.iter().map(|&(_, id)| (tree.occurrence(id).bytes, ())).collect()
        };
        let (of_removed, of_added) = (lengths(self.left, &removed), lengths(self.right, &added));
        let may_move = |id: &OccurrenceId| of_added.contains_key(&self.left.occurrence(*id).bytes);
        left.extend(removed.iter().map(|&(_, id)| id).filter(may_move));
        let may_move = |id: &OccurrenceId| of_removed.contains_key(&self.right.occurrence(*id).bytes);
        right.extend(added.iter().map(|&(_, id)| id).filter(may_move));
        left.retain(|&id| self.left.content_hash(id).is_none());
        right.retain(|&id| self.right.content_hash(id).is_none());
        (left, right)
    }

    /// Regular files with content that are on one side only, by their place in the changes.
    fn movable(&self, kind: FileChangeKind) -> Vec<(usize, OccurrenceId)> {
        let (tree, is_left) = match kind {
            FileChangeKind::Removed => (self.left, true),
            _ => (self.right, false),
        };
        let file = |(place, change): (usize, &FileChange)| {
            let path = if is_left { change.left } else { change.right };
            let id = path.filter(|_| change.kind == kind)?.occurrence?;
            let occurrence = tree.occurrence(id);
            (occurrence.kind == Kind::File && occurrence.bytes > 0).then_some((place, id))
        };
        self.changes.iter().enumerate().filter_map(file).collect()
    }

    /// Decides what was open. A content whose identity is not known counts as differing.
    pub fn finish(mut self, known: &KnownContents, semantic: bool) -> FileChanges {
        for (place, one, other) in std::mem::take(&mut self.undecided) {
            let (one, other) = (known.left(self.left, one), known.right(self.right, other));
            if let Some(change) = self.changes.get_mut(place) {
                change.difference.set(Difference::CONTENT, one.is_none() || one != other);
                change.kind = kind_of(change.difference);
            }
        }
        self.pair_moved(known);
        let mut sums = FileSums { unchanged_paths: self.unchanged, ..FileSums::default() };
        self.changes.retain(|change| {
            let one_sided = change.left.is_none() || change.right.is_none();
            let is_moved = change.kind == FileChangeKind::Renamed;
            let visible = if semantic { change.difference.is_real() } else { !change.difference.is_empty() };
            let kept = one_sided || is_moved || visible;
            if !kept {
                sums.unchanged_paths = sums.unchanged_paths.saturating_add(1);
            }
            kept
        });
        for change in &self.changes {
            let bytes = change.delta().unsigned_abs();
            let sum = match (change.kind, change.delta() > 0) {
                (FileChangeKind::Added, _) => &mut sums.added_bytes,
                (FileChangeKind::Removed, _) => &mut sums.removed_bytes,
                (_, true) => &mut sums.grown_bytes,
                (_, false) => &mut sums.shrunk_bytes,
            };
            *sum = sum.saturating_add(bytes);
        }
        FileChanges { changes: self.changes, sums }
    }

    /// Makes one change of a removed and an added file with equal content: of one name first, else in order.
    fn pair_moved(&mut self, known: &KnownContents) {
        let mut sources: HashMap<_, Vec<(usize, OccurrenceId)>> = HashMap::new();
        for (place, id) in self.movable(FileChangeKind::Removed) {
            if let Some(hash) = known.left(self.left, id) {
                sources.entry((self.left.occurrence(id).bytes, hash)).or_default().push((place, id));
            }
        }
        // By content and name, as queues whose next is last.
        let mut named: HashMap<_, Vec<usize>> = HashMap::new();
        for (key, list) in &sources {
            for &(place, id) in list.iter().rev() {
                named.entry((*key, self.left.name(self.left.occurrence(id).node()))).or_default().push(place);
            }
        }
        let mut taken = vec![false; self.changes.len()];
        let mut moved: Vec<(usize, usize)> = Vec::new();
        let mut rest = Vec::new();
        for (place, id) in self.movable(FileChangeKind::Added) {
            let Some(hash) = known.right(self.right, id) else { continue };
            let key = (self.right.occurrence(id).bytes, hash);
            let name = self.right.name(self.right.occurrence(id).node());
            match named.get_mut(&(key, name)).and_then(Vec::pop) {
                Some(source) => {
                    taken[source] = true;
                    moved.push((source, place));
                }
                None => rest.push((place, key)),
            }
        }
        for list in sources.values_mut() {
            list.reverse();
        }
        for (place, key) in rest {
            let Some(list) = sources.get_mut(&key) else { continue };
            while let Some((source, _)) = list.pop() {
                if !taken[source] {
                    taken[source] = true;
                    moved.push((source, place));
                    break;
                }
            }
        }
        for &(source, place) in &moved {
            let left = self.changes[source].left;
            let right = self.changes[place].right;
            let ids = left.and_then(|path| path.occurrence).zip(right.and_then(|path| path.occurrence));
            let difference = ids.map_or(Difference::empty(), |(one, other)| self.metadata(one, other));
            self.changes[place] = FileChange { kind: FileChangeKind::Renamed, left, right, difference };
        }
        let mut gone = moved.iter().map(|&(source, _)| source).collect::<Vec<_>>();
        gone.sort_unstable();
        let mut gone = gone.into_iter().peekable();
        let mut place = 0;
        self.changes.retain(|_| {
            let is_gone = gone.next_if_eq(&place).is_some();
            place += 1;
            !is_gone
        });
    }

    fn metadata(&self, one: OccurrenceId, other: OccurrenceId) -> Difference {
        let (own, others) = (self.left.occurrence(one), self.right.occurrence(other));
        let mut found = Difference::empty();
        found.set(Difference::MODE, own.mode() != others.mode());
        found.set(Difference::OWNER, self.left.owner(one) != self.right.owner(other));
        found.set(Difference::MTIME, own.mtime != others.mtime);
        found.set(Difference::XATTRS, self.left.xattrs(one) != self.right.xattrs(other));
        found
    }
}

fn kind_of(difference: Difference) -> FileChangeKind {
    if difference.contains(Difference::TYPE) {
        FileChangeKind::Type
    } else if difference.intersects(Difference::CONTENT | Difference::LINK) {
        FileChangeKind::Content
    } else {
        FileChangeKind::Metadata
    }
}

fn compared(tree: &FileTree, node: NodeId, seen: &Seen) -> ComparedPath {
    let file = seen.occurrence.map(|id| tree.occurrence(id)).filter(|occurrence| occurrence.kind == Kind::File);
    ComparedPath { node, occurrence: seen.occurrence, file_bytes: file.map_or(0, |file| file.bytes) }
}

/// A path as the topmost layer leaves it; `None` where it is not there.
pub(super) fn see(tree: &FileTree, node: NodeId, floors: Floors) -> Option<Seen> {
    let scope = Scope::Stacked(tree.top_layer()?);
    tree.see(node, scope, Baseline::Below, floors).filter(|seen| seen.change != Change::Removed)
}

/// Both root directories.
pub(super) fn roots(left: &FileTree, right: &FileTree) -> Pair {
    let root = |tree| Some((NodeId::ROOT, see(tree, NodeId::ROOT, Floors::default())?));
    (root(left), root(right))
}

/// Hands out what is in a directory of either tree or of both, by name.
pub(super) fn push_children(left: &FileTree, right: &FileTree, (one, other): Pair, push: &mut dyn FnMut(Pair)) {
    let mut of_left = children(left, one).peekable();
    let mut of_right = children(right, other).peekable();
    loop {
        let order = match (of_left.peek(), of_right.peek()) {
            (None, None) => break,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some((one, _)), Some((other, _))) => left.name(*one).cmp(right.name(*other)),
        };
        let one = if order.is_le() { of_left.next() } else { None };
        let other = if order.is_ge() { of_right.next() } else { None };
        push((one, other));
    }
}

/// Returns the entries of a directory as the topmost layer leaves it, sorted by bytes.
fn children(tree: &FileTree, directory: Option<(NodeId, Seen)>) -> impl Iterator<Item = (NodeId, Seen)> + use<'_> {
    let directory = directory.filter(|(_, seen)| seen.is_directory);
    directory.into_iter().flat_map(move |(node, seen)| {
        tree.children(node).filter_map(move |child| Some((child, see(tree, child, seen.floors)?)))
    })
}

/// Every path of a final tree with its entry, directories before what is in them, the root left out.
pub(super) fn visible_files(tree: &FileTree) -> impl Iterator<Item = (NodeId, OccurrenceId)> + use<'_> {
    let top = tree.top_layer();
    let paths = top.into_iter().flat_map(|top| tree.stacked_paths(top));
    paths.filter_map(|(node, id)| Some((node, id?)))
}
