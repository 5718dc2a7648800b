use hashbrown::{HashMap, HashSet};

use super::Side;
use super::layers::diff_id;
use super::walk::visible_files;
use crate::image::{ContentHash, Digest, Kind, OccurrenceId};
use crate::nix::contents::{TreeEntryKind, path_entries};
use crate::nix::study::StoreStudy;

/// At which level bytes are shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Whole layers: unpacked bytes of those with one diffID.
    Layers,
    /// Store paths, as if each had a layer of its own: the bytes of its tar entries.
    StorePaths,
    /// Files with equal content: file bytes of the final trees.
    Content,
}

impl Level {
    /// All of them, coarse to fine.
    pub const ALL: [Self; 3] = [Self::Layers, Self::StorePaths, Self::Content];

    /// `layers`, `storePaths`, `content`.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Layers => "layers",
            Self::StorePaths => "storePaths",
            Self::Content => "content",
        }
    }
}

/// Shared bytes between any two of some images, at one level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matrix {
    /// At which level.
    pub level: Level,
    /// Row by row: bytes that image `row` and image `column` both have; on the diagonal the bytes of one image, each
    /// part counted once.
    pub shared: Vec<Vec<u64>>,
    /// Sum over the images, each for itself.
    pub sum_bytes: u64,
    /// Bytes on one host that has them all and keeps what is equal once.
    pub together_bytes: u64,
}

/// Some images compared for what they share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sharing {
    /// A matrix for each level.
    pub levels: Vec<Matrix>,
}

impl Sharing {
    /// The matrix of a level.
    #[must_use]
    pub fn level(&self, level: Level) -> Option<&Matrix> {
        self.levels.iter().find(|matrix| matrix.level == level)
    }
}

/// A content, before it is known whether it equals others: where it lies in bytes that may be shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Spot {
    /// Layers with one diffID have one number.
    layer: u32,
    offset: u64,
    bytes: u64,
}

/// Images gathered for comparison, before contents are known.
pub struct SharingOutline<'a> {
    sides: Vec<Side<'a>>,
    /// Of each image, each content once, with where to read it.
    spots: Vec<HashMap<Spot, OccurrenceId>>,
    /// For contents that have to be read: the image and the file.
    unknown: HashMap<Spot, (usize, OccurrenceId)>,
    known: HashMap<Spot, ContentHash>,
}

impl<'a> SharingOutline<'a> {
    /// Gathers the contents of all final trees.
    #[must_use]
    pub fn new(sides: Vec<Side<'a>>) -> Self {
        let mut keys: HashMap<&str, u32> = HashMap::new();
        let mut next = 0u32;
        let mut spots = Vec::new();
        let mut known = HashMap::new();
        for side in &sides {
            let tree = &side.image.tree;
            let mut fresh = || {
                next = next.saturating_add(1);
                next
            };
            let layers: Vec<u32> = side
                .image
                .layers
                .iter()
                .map(|layer| match diff_id(layer) {
                    Some(digest) => *keys.entry(digest.as_str()).or_insert_with(&mut fresh),
                    None => fresh(),
                })
                .collect();
            let mut own: HashMap<Spot, OccurrenceId> = HashMap::new();
            for (_, id) in visible_files(tree) {
                let occurrence = tree.occurrence(id);
                if occurrence.kind != Kind::File || occurrence.bytes == 0 {
                    continue;
                }
                let layer = layers.get(occurrence.layer.index()).copied().unwrap_or_default();
                // Empty runs of sparse files begin at one place: the length tells them apart.
                let spot = Spot { layer, offset: occurrence.offset, bytes: occurrence.bytes };
                own.insert(spot, id);
                if let Some(&hash) = tree.content_hash(id) {
                    known.insert(spot, hash);
                }
            }
            spots.push(own);
        }
        let unknown = unknown(&spots, &known);
        Self { sides, spots, unknown, known }
    }

    /// The files whose content is asked for, by image; each content once, of those only that another one may equal.
    #[must_use]
    pub fn unknown(&self) -> Vec<Vec<OccurrenceId>> {
        let mut lists = vec![Vec::new(); self.sides.len()];
        for &(image, id) in self.unknown.values() {
            if let Some(list) = lists.get_mut(image) {
                list.push(id);
            }
        }
        lists
    }

    /// The matrices. `found` holds, by image, the identities that were asked for; what is missing equals nothing.
    #[must_use]
    pub fn finish(mut self, found: &[HashMap<OccurrenceId, ContentHash>]) -> Sharing {
        for (&spot, &(image, id)) in &self.unknown {
            if let Some(&hash) = found.get(image).and_then(|known| known.get(&id)) {
                self.known.insert(spot, hash);
            }
        }
        let layers = self.sides.iter().enumerate().map(layers_of).collect();
        let paths = self.sides.iter().map(|side| side.store.map(|study| paths_of(side, study)).unwrap_or_default());
        let contents = self.spots.iter().map(|own| self.contents_of(own));
        let levels = vec![
            matrix(Level::Layers, layers),
            matrix(Level::StorePaths, paths.collect()),
            matrix(Level::Content, contents.collect()),
        ];
        Sharing { levels }
    }

    fn contents_of(&self, own: &HashMap<Spot, OccurrenceId>) -> HashMap<ContentKey, u64> {
        let key = |spot: &Spot| match self.known.get(spot) {
            Some(&hash) => ContentKey::Hash(hash, spot.bytes),
            None => ContentKey::Spot(*spot),
        };
        own.keys().map(|spot| (key(spot), spot.bytes)).collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum ContentKey {
    Hash(ContentHash, u64),
    Spot(Spot),
}

/// Contents whose length another one has too, and whose identity is not known.
fn unknown(
    spots: &[HashMap<Spot, OccurrenceId>],
    known: &HashMap<Spot, ContentHash>,
) -> HashMap<Spot, (usize, OccurrenceId)> {
    let mut lengths: HashMap<u64, Option<Spot>> = HashMap::new();
    for spot in spots.iter().flat_map(HashMap::keys) {
        // `None`: more than one content of that length.
        let first = lengths.entry(spot.bytes).or_insert(Some(*spot));
        if *first != Some(*spot) {
            *first = None;
        }
    }
    let mut unknown = HashMap::new();
    for (image, own) in spots.iter().enumerate() {
        for (&spot, &id) in own {
            if lengths.get(&spot.bytes) == Some(&None) && !known.contains_key(&spot) {
                unknown.entry(spot).or_insert((image, id));
            }
        }
    }
    unknown
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum LayerKey {
    DiffId(Digest),
    /// A layer without one equals no other: its image and its place there.
    Place(usize, usize),
}

/// Different layers with their unpacked bytes.
fn layers_of((number, side): (usize, &Side<'_>)) -> HashMap<LayerKey, u64> {
    let layers = side.image.layers.iter().enumerate();
    let key = |(place, layer)| match diff_id(layer) {
        Some(digest) => LayerKey::DiffId(digest.clone()),
        None => LayerKey::Place(number, place),
    };
    layers.map(|(place, layer)| (key((place, layer)), layer.unpacked_bytes)).collect()
}

/// Store paths with the bytes of their tar entries: a header block each, contents padded to blocks.
fn paths_of(side: &Side<'_>, study: &StoreStudy) -> HashMap<String, u64> {
    const BLOCK: u64 = 512;
    let entry_bytes = |kind: TreeEntryKind| match kind {
        TreeEntryKind::File { bytes, .. } => bytes.checked_next_multiple_of(BLOCK).unwrap_or(u64::MAX),
        TreeEntryKind::Directory | TreeEntryKind::Symlink(_) => 0,
    };
    let bytes = |node| {
        let entries = path_entries(&side.image.tree, node).entries;
        entries.iter().map(|entry| BLOCK.saturating_add(entry_bytes(entry.kind))).fold(0, u64::saturating_add)
    };
    study.store.paths.iter().map(|known| (known.path.base_name().to_owned(), bytes(known.node))).collect()
}

fn matrix<K: std::hash::Hash + Eq>(level: Level, images: Vec<HashMap<K, u64>>) -> Matrix {
    let shared_bytes = |one: &HashMap<K, u64>, other: &HashMap<K, u64>| {
        let (small, large) = if one.len() <= other.len() { (one, other) } else { (other, one) };
        let both = small.iter().filter(|(key, _)| large.contains_key(*key));
        both.map(|(_, &bytes)| bytes).fold(0, u64::saturating_add)
    };
    let shared: Vec<Vec<u64>> =
        images.iter().map(|one| images.iter().map(|other| shared_bytes(one, other)).collect()).collect();
    let mut seen: HashSet<&K> = HashSet::new();
    let (mut sum_bytes, mut together_bytes) = (0u64, 0u64);
    for (key, &bytes) in images.iter().flatten() {
        sum_bytes = sum_bytes.saturating_add(bytes);
        if seen.insert(key) {
            together_bytes = together_bytes.saturating_add(bytes);
        }
    }
    Matrix { level, shared, sum_bytes, together_bytes }
}
