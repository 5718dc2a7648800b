use hashbrown::{HashMap, HashSet};

use super::Side;
use super::assignment::{HeldPaths, LayerAssignment};
use super::layers::diff_id;
use super::walk::visible_files;
use nixdive_image::{ContentHash, Digest, Kind, OccurrenceId};

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
    /// Which layers would share more store paths; `None` where no two images have a store.
    pub assignment: Option<LayerAssignment>,
}

impl Sharing {
    /// The matrix of a level.
    #[must_use]
    pub fn level(&self, level: Level) -> Option<&Matrix> {
        self.levels.iter().find(|matrix| matrix.level == level)
    }
}

/// A content, before it is known whether it equals others: where it lies in bytes that may be shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Spot {
    /// Empty runs of sparse files begin at one place: the length tells them apart.
    bytes: u64,
    offset: u64,
    /// Layers with one diffID have one number.
    layer: u32,
}

/// Images gathered for comparison, before contents are known.
pub struct SharingOutline<'a> {
    sides: Vec<Side<'a>>,
    /// Different contents by length, each with an image and a file to read it from.
    spots: Vec<(Spot, u32, OccurrenceId)>,
    /// Contents of each image as indexes into `spots`, in order.
    of_images: Vec<Vec<u32>>,
    max_layers: usize,
}

impl<'a> SharingOutline<'a> {
    /// Layers that an image may have where nobody says otherwise, as for dockerTools.
    pub const MAX_LAYERS: usize = 100;

    /// Gathers the contents of all final trees.
    #[must_use]
    pub fn new(sides: Vec<Side<'a>>) -> Self {
        let layers = layer_numbers(&sides);
        let mut all: Vec<(Spot, u32, OccurrenceId)> = Vec::new();
        for (number, (side, layers)) in (0u32..).zip(sides.iter().zip(layers)) {
            let tree = &side.image.tree;
            for (_, id) in visible_files(tree) {
                let occurrence = tree.occurrence(id);
                if occurrence.kind == Kind::File && occurrence.bytes > 0 {
                    let layer = layers.get(occurrence.layer.index()).copied().unwrap_or_default();
                    all.push((Spot { bytes: occurrence.bytes, offset: occurrence.offset, layer }, number, id));
                }
            }
        }
        all.sort_unstable();
        let mut of_images = vec![Vec::new(); sides.len()];
        let mut spots: Vec<(Spot, u32, OccurrenceId)> = Vec::new();
        for found in all {
            if spots.last().is_none_or(|last| last.0 != found.0) {
                spots.push(found);
            }
            let place = u32::try_from(spots.len() - 1).unwrap_or(u32::MAX);
            if let Some(own) = of_images.get_mut(found.1 as usize).filter(|own| own.last() != Some(&place)) {
                own.push(place);
            }
        }
        Self { sides, spots, of_images, max_layers: Self::MAX_LAYERS }
    }

    /// Sets how many layers an image may have in the assignment that is proposed.
    #[must_use]
    pub fn with_max_layers(mut self, max_layers: usize) -> Self {
        self.max_layers = max_layers;
        self
    }

    fn known_hash(&self, image: u32, id: OccurrenceId) -> Option<ContentHash> {
        self.sides.get(image as usize)?.image.tree.content_hash(id).copied()
    }

    /// The files whose content is asked for, by image; each content once, of those only that another one may equal.
    #[must_use]
    pub fn unknown(&self) -> Vec<Vec<OccurrenceId>> {
        let mut lists = vec![Vec::new(); self.sides.len()];
        for same_length in self.spots.chunk_by(|one, other| one.0.bytes == other.0.bytes) {
            for &(_, image, id) in same_length.iter().filter(|_| same_length.len() > 1) {
                if let Some(list) = lists.get_mut(image as usize).filter(|_| self.known_hash(image, id).is_none()) {
                    list.push(id);
                }
            }
        }
        lists
    }

    /// The matrices. `found` holds, by image, the identities that were asked for; what is missing equals nothing.
    #[must_use]
    pub fn finish(self, found: &[HashMap<OccurrenceId, ContentHash>]) -> Sharing {
        let layers = self.sides.iter().enumerate().map(layers_of).collect();
        let held = HeldPaths::new(&self.sides, &layer_numbers(&self.sides));
        let levels = vec![
            matrix(Level::Layers, layers),
            matrix(Level::StorePaths, held.paths()),
            matrix(Level::Content, self.contents(found)),
        ];
        Sharing { levels, assignment: held.assign(self.max_layers) }
    }

    /// Returns the distinct contents of each image with their bytes, each keyed by the index of its
    /// first spot.
    fn contents(&self, found: &[HashMap<OccurrenceId, ContentHash>]) -> Vec<HashMap<u32, u64>> {
        let mut firsts: HashMap<(u64, ContentHash), u32> = HashMap::new();
        let first = |(place, &(spot, image, id)): (u32, &(Spot, u32, OccurrenceId))| {
            let read = || found.get(image as usize).and_then(|known| known.get(&id)).copied();
            match self.known_hash(image, id).or_else(read) {
                Some(hash) => *firsts.entry((spot.bytes, hash)).or_insert(place),
                None => place,
            }
        };
        let contents: Vec<u32> = (0u32..).zip(&self.spots).map(first).collect();
        let content = |&place: &u32| {
            let first = contents.get(place as usize).copied()?;
            Some((first, self.spots.get(place as usize)?.0.bytes))
        };
        self.of_images.iter().map(|own| own.iter().filter_map(content).collect()).collect()
    }
}

/// For each image, the numbers of its layers: the same for the same diffID.
fn layer_numbers(sides: &[Side<'_>]) -> Vec<Vec<u32>> {
    let mut keys: HashMap<&str, u32> = HashMap::new();
    let mut next = 0u32;
    let mut number = |layer| {
        let mut fresh = || {
            next = next.saturating_add(1);
            next
        };
        match diff_id(layer) {
            Some(digest) => *keys.entry(digest.as_str()).or_insert_with(fresh),
            None => fresh(),
        }
    };
    sides.iter().map(|side| side.image.layers.iter().map(&mut number).collect()).collect()
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

/// The matrix of parts that have the same bytes in all images that hold them.
pub(super) fn matrix<K: std::hash::Hash + Eq>(level: Level, images: Vec<HashMap<K, u64>>) -> Matrix {
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
