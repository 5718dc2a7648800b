//! The files of one image, or of two, as columns of plain values: what a map and a table of files are drawn from.

use std::cmp::Reverse;

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use crate::names::shortened;
use nixdive_base::text::display_name;
use nixdive_image::{FileTree, Image, Kind, NodeId, OccurrenceId};

/// Paths that a page carries; smaller ones beyond them are counted.
pub(super) const MOST_PATHS: usize = 25_000;
/// Bytes of their names together.
const MOST_NAME_BYTES: usize = 1_000_000;
/// Characters of one name.
const MOST_CHARACTERS: usize = 200;
/// Directories above a path that is carried.
const MOST_DEPTH: u16 = 48;

const NONE: u32 = u32::MAX;

/// The change of a path between two images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Fate {
    #[default]
    Unchanged,
    Added,
    Removed,
    Content,
    Metadata,
    Type,
    /// It was there in the left image.
    MovedFrom(NodeId),
    /// It is elsewhere in the right image.
    MovedAway,
}

impl Fate {
    /// As the page's data has it.
    fn letter(self) -> char {
        match self {
            Self::Unchanged => '=',
            Self::Added => '+',
            Self::Removed => '-',
            Self::Content => '~',
            Self::Metadata => 'm',
            Self::Type => 't',
            Self::MovedFrom(_) => '>',
            Self::MovedAway => '<',
        }
    }
}

/// A path in one image.
#[derive(Debug, Clone, Copy)]
struct There {
    node: NodeId,
    occurrence: Option<OccurrenceId>,
    /// Bytes of the entry; for a directory including everything below it.
    bytes: u64,
}

#[derive(Debug, Clone, Default)]
struct Entry {
    parent: u32,
    depth: u16,
    /// In the left and the right image; of one image alone the right one.
    sides: [Option<There>; 2],
    /// Number of entries below it.
    entries: u32,
    fate: Fate,
    is_kept: bool,
}

/// The paths of the final trees of one image or two, largest first where there are too many.
#[derive(Debug, Clone)]
pub(crate) struct Paths<'a> {
    trees: [Option<&'a FileTree>; 2],
    /// Parents before children; the root first.
    entries: Vec<Entry>,
    /// By node of each tree, its place in `entries`.
    places: [Vec<u32>; 2],
    /// The places of entries that are carried, directories before what is in them.
    order: Vec<u32>,
    /// True if the layer of each path is shown: for images, not for closures.
    has_layers: bool,
}

impl<'a> Paths<'a> {
    /// The paths of one image. The cost is one run over its final tree.
    pub fn of_image(image: &'a Image) -> Self {
        let paths = Self::gather([None, Some(&image.tree)]).choose();
        Self { has_layers: !image.is_closure(), ..paths }
    }

    /// The paths of two images, each once; `fates` names what became of those that changed, by node of either tree.
    pub fn of_both(left: &'a FileTree, right: &'a FileTree, fates: impl Iterator<Item = (Place, Fate)>) -> Self {
        let mut paths = Self::gather([Some(left), Some(right)]);
        for (place, fate) in fates {
            let (side, node) = match place {
                Place::Left(node) => (0, node),
                Place::Right(node) => (1, node),
            };
            let known = paths.places.get(side).and_then(|places| places.get(node.index())).copied();
            if let Some(entry) = known.and_then(|place| paths.entries.get_mut(place as usize)) {
                entry.fate = fate;
            }
            if let Fate::MovedFrom(node) = fate
                && let Some(place) = paths.place_on_the_left(node)
                && let Some(entry) = paths.entries.get_mut(place as usize).filter(|entry| entry.sides[1].is_none())
            {
                entry.fate = Fate::MovedAway;
            }
        }
        paths.choose()
    }

    fn gather(trees: [Option<&'a FileTree>; 2]) -> Self {
        let mut root = Entry { parent: NONE, is_kept: true, ..Entry::default() };
        for (side, tree) in root.sides.iter_mut().zip(trees) {
            *side = tree.map(|_| There { node: NodeId::ROOT, occurrence: None, bytes: 0 });
        }
        let mut paths =
            Self { trees, entries: vec![root], places: [Vec::new(), Vec::new()], order: Vec::new(), has_layers: false };
        for (side, tree) in trees.into_iter().enumerate() {
            if let Some(tree) = tree {
                paths.add_tree(side, tree);
            }
        }
        paths.sum_up();
        paths
    }

    fn add_tree(&mut self, side: usize, tree: &'a FileTree) {
        let mut places = vec![NONE; tree.node_count()];
        if let Some(root) = places.first_mut() {
            *root = 0;
        }
        let top = tree.top_layer();
        for (node, occurrence) in top.into_iter().flat_map(|top| tree.stacked_paths(top)) {
            let above = tree.parent(node).and_then(|parent| places.get(parent.index())).copied();
            let Some(parent) = above.filter(|&parent| parent != NONE) else { continue };
            let bytes = occurrence.map(|id| tree.occurrence(id)).filter(|entry| entry.kind == Kind::File);
            let there = There { node, occurrence, bytes: bytes.map_or(0, |entry| entry.bytes) };
            let place = match self.known_child(side, parent, tree.name(node)) {
                Some(place) => place,
                None => {
                    let depth = self.entries.get(parent as usize).map_or(0, |entry| entry.depth.saturating_add(1));
                    self.entries.push(Entry { parent, depth, ..Entry::default() });
                    u32::try_from(self.entries.len() - 1).unwrap_or(NONE)
                }
            };
            if let Some(slot) = self.entries.get_mut(place as usize).and_then(|entry| entry.sides.get_mut(side)) {
                *slot = Some(there);
            }
            if let Some(slot) = places.get_mut(node.index()) {
                *slot = place;
            }
        }
        if let Some(slot) = self.places.get_mut(side) {
            *slot = places;
        }
    }

    fn place_on_the_left(&self, node: NodeId) -> Option<u32> {
        self.places[0].get(node.index()).copied().filter(|&place| place != NONE)
    }

    /// The place of a name that the left tree has already.
    fn known_child(&self, side: usize, parent: u32, name: &[u8]) -> Option<u32> {
        let ([Some(left), _], 1) = (self.trees, side) else { return None };
        let parent = self.entries.get(parent as usize)?.sides[0]?;
        self.place_on_the_left(left.child(parent.node, name)?)
    }

    /// Adds what lies below directories; children come behind their parents.
    fn sum_up(&mut self) {
        for place in (1..self.entries.len()).rev() {
            let Some(entry) = self.entries.get(place) else { continue };
            let (parent, entries) = (entry.parent as usize, entry.entries.saturating_add(1));
            let bytes = entry.sides.map(|side| side.map_or(0, |there| there.bytes));
            let Some(parent) = self.entries.get_mut(parent) else { continue };
            parent.entries = parent.entries.saturating_add(entries);
            for (side, bytes) in parent.sides.iter_mut().zip(bytes) {
                if let Some(there) = side {
                    there.bytes = there.bytes.saturating_add(bytes);
                }
            }
        }
    }

    /// Keeps the largest, each with the directories above it, and puts them into order.
    fn choose(mut self) -> Self {
        let weight = |entry: &Entry| entry.sides.iter().flatten().map(|there| there.bytes).max().unwrap_or(0);
        let mut largest: Vec<(Reverse<u64>, u32)> =
            (1u32..).zip(self.entries.iter().skip(1)).map(|(place, entry)| (Reverse(weight(entry)), place)).collect();
        // A directory is at least as large as what is in it, and stands before it: what is above a kept path is kept.
        largest.sort_unstable();
        let mut room = MOST_NAME_BYTES;
        let shallow = |&(_, place): &(Reverse<u64>, u32)| {
            self.entries.get(place as usize).is_some_and(|entry| entry.depth <= MOST_DEPTH)
        };
        let mut kept = Vec::new();
        for (_, place) in largest.into_iter().filter(shallow).take(MOST_PATHS) {
            let length = self.name(place).len() + 1;
            if length > room {
                break;
            }
            room -= length;
            kept.push(place);
        }
        for &place in &kept {
            if let Some(entry) = self.entries.get_mut(place as usize) {
                entry.is_kept = true;
            }
        }
        self.order = self.in_order(kept);
        self
    }

    /// Directories before what is in them, siblings by name.
    fn in_order(&self, kept: Vec<u32>) -> Vec<u32> {
        let parent = |place: u32| self.entries.get(place as usize).map_or(0, |entry| entry.parent);
        let mut families: Vec<(u32, String, u32)> =
            kept.into_iter().map(|place| (parent(place), self.name(place), place)).collect();
        families.sort_unstable();
        let children = |place: u32| {
            let start = families.partition_point(|&(parent, ..)| parent < place);
            families.get(start..).unwrap_or_default().iter().take_while(move |(parent, ..)| *parent == place)
        };
        let mut order = Vec::with_capacity(families.len());
        let mut stack: Vec<u32> = children(0).map(|&(.., place)| place).collect();
        stack.reverse();
        while let Some(place) = stack.pop() {
            order.push(place);
            let start = stack.len();
            stack.extend(children(place).map(|&(.., child)| child));
            if let Some(added) = stack.get_mut(start..) {
                added.reverse();
            }
        }
        order
    }

    /// The name as it is shown, without its directory.
    fn name(&self, place: u32) -> String {
        let entry = self.entries.get(place as usize);
        let sides = entry.map(|entry| entry.sides).unwrap_or_default();
        let of_side = |(there, tree): (Option<There>, Option<&'a FileTree>)| Some(tree?.name(there?.node));
        let name = sides.into_iter().zip(self.trees).rev().find_map(of_side).unwrap_or_default();
        shortened(display_name(name).into_owned(), MOST_CHARACTERS)
    }

    /// Returns `true` if there are no entries.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Paths that are there and are not carried.
    pub fn left_out(&self) -> usize {
        self.entries.len().saturating_sub(1).saturating_sub(self.order.len())
    }

    /// Returns `true` if the list covers two images.
    pub fn is_of_both(&self) -> bool {
        self.trees.iter().all(Option::is_some)
    }

    fn kept(&self) -> impl Iterator<Item = &Entry> {
        self.order.iter().filter_map(|&place| self.entries.get(place as usize))
    }

    /// Rows of the table of files: all but directories, or of two images what changed.
    pub fn row_count(&self) -> usize {
        if self.is_of_both() {
            self.entries.iter().filter(|entry| self.is_told(entry)).count()
        } else {
            self.entries.iter().filter(|entry| self.kind(entry) != 'd').count()
        }
    }

    /// Returns `true` if an entry belongs in the table of changed files. Directories do only if
    /// they exist on both sides.
    fn is_told(&self, entry: &Entry) -> bool {
        match entry.fate {
            Fate::Unchanged => false,
            Fate::Added | Fate::Removed => self.kind(entry) != 'd',
            Fate::MovedAway => false,
            _ => true,
        }
    }

    /// Returns the kind of an entry, on the right side if it exists there.
    fn kind(&self, entry: &Entry) -> char {
        let of_side = |(there, tree): (Option<There>, Option<&'a FileTree>)| {
            let id = there?.occurrence;
            let kind = id.and_then(|id| Some(tree?.occurrence(id).kind));
            Some(match kind {
                None | Some(Kind::Directory | Kind::OpaqueMark | Kind::Whiteout) => 'd',
                Some(Kind::File) => 'f',
                Some(Kind::HardLink) => 'h',
                Some(Kind::Symlink) => 'l',
                Some(Kind::CharacterDevice) => 'c',
                Some(Kind::BlockDevice) => 'b',
                Some(Kind::Fifo) => 'p',
            })
        };
        entry.sides.into_iter().zip(self.trees).rev().find_map(of_side).unwrap_or('d')
    }

    fn layer(&self, entry: &Entry) -> Option<u16> {
        let of_side =
            |(there, tree): (Option<There>, Option<&'a FileTree>)| Some(tree?.occurrence(there?.occurrence?).layer.0);
        entry.sides.into_iter().zip(self.trees).rev().find_map(of_side)
    }

    /// For each path that moved and is carried: its place in the order, and that of the path where it was.
    fn moves(&self) -> Vec<(usize, usize)> {
        let mut numbers = vec![None; self.entries.len()];
        for (number, &place) in self.order.iter().enumerate() {
            if let Some(slot) = numbers.get_mut(place as usize) {
                *slot = Some(number);
            }
        }
        let told = self.kept().enumerate().filter_map(|(number, entry)| {
            let Fate::MovedFrom(node) = entry.fate else { return None };
            Some((number, numbers.get(self.place_on_the_left(node)? as usize).copied().flatten()?))
        });
        told.collect()
    }

    /// Returns how many paths below each kept directory are omitted, by its index in the order.
    /// Paths below a nested kept directory count there. The root has index -1.
    fn folded(&self) -> Vec<(i64, u32)> {
        let mut missing = vec![0u32; self.entries.len()];
        let mut nearest: Vec<u32> = Vec::with_capacity(self.entries.len());
        for (place, entry) in (0u32..).zip(&self.entries) {
            let above = nearest.get(entry.parent as usize).copied().unwrap_or_default();
            nearest.push(if entry.is_kept { place } else { above });
            if let (false, Some(count)) = (entry.is_kept, missing.get_mut(above as usize)) {
                *count = count.saturating_add(1);
            }
        }
        let at_root = missing.first().copied().filter(|&count| count > 0).map(|count| (-1, count));
        let below = (0i64..).zip(&self.order).filter_map(|(number, &place)| {
            missing.get(place as usize).copied().filter(|&count| count > 0).map(|count| (number, count))
        });
        at_root.into_iter().chain(below).collect()
    }
}

/// A path of one of two images.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place {
    Left(NodeId),
    Right(NodeId),
}

impl Serialize for Paths<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        // No name has a slash in it.
        let names: Vec<String> = self.order.iter().map(|&place| self.name(place)).collect();
        map.serialize_entry("names", &names.join("/"))?;
        map.serialize_entry("depths", &Column(self, |_, entry| entry.depth))?;
        map.serialize_entry("kinds", &self.kept().map(|entry| self.kind(entry)).collect::<String>())?;
        let bytes = |side: usize| move |entry: &Entry| Some(entry.sides.get(side).copied().flatten()?.bytes);
        let root = |side: usize| self.entries.first().and_then(bytes(side));
        map.serialize_entry("bytes", &Column(self, |_, entry| Some(entry.sides[1]?.bytes)))?;
        map.serialize_entry("all", &[root(0), root(1)])?;
        if self.is_of_both() {
            map.serialize_entry("leftBytes", &Column(self, |_, entry| Some(entry.sides[0]?.bytes)))?;
            map.serialize_entry("fates", &self.kept().map(|entry| entry.fate.letter()).collect::<String>())?;
            map.serialize_entry("moves", &self.moves())?;
        } else if self.has_layers {
            map.serialize_entry("layers", &Column(self, |paths, entry| paths.layer(entry)))?;
        }
        map.serialize_entry("folded", &self.folded())?;
        map.end()
    }
}

/// One value of every kept entry.
struct Column<'a, V>(&'a Paths<'a>, fn(&Paths<'a>, &Entry) -> V);

impl<V: Serialize> Serialize for Column<'_, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut values = serializer.serialize_seq(Some(self.0.order.len()))?;
        for entry in self.0.kept() {
            values.serialize_element(&self.1(self.0, entry))?;
        }
        values.end()
    }
}
