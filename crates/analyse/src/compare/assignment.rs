use hashbrown::HashMap;

use super::Side;
use super::share::{Level, Matrix, matrix};
use nixdive_image::{LayerIndex, OccurrenceId};
use nixdive_nix::contents::{ImageStorePath, TreeEntry, TreeEntryKind, path_entries};
use nixdive_nix::study::StoreStudy;

/// A tar stream goes in blocks of this many bytes.
const BLOCK: u64 = 512;
/// Directories above store paths that a layer of store paths brings with it: `/`, `/nix`, `/nix/store`.
const PARENTS: u64 = 3;

/// A layer of store paths that several images would share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedLayer {
    /// Base names of its store paths, the largest first.
    pub store_paths: Vec<String>,
    /// The images that would have it, by their numbers, ascending; two at least.
    pub images: Vec<usize>,
    /// Tar bytes of its store paths.
    pub bytes: u64,
}

impl PlannedLayer {
    /// Bytes that a host with all its images saves.
    #[must_use]
    pub fn saved_bytes(&self) -> u64 {
        saved(self.bytes, self.images.len())
    }
}

/// Which store paths of several images should be in which layers, so that the images share more.
///
/// Store paths that the same images hold go together; where layers are left, the largest of them get layers of their
/// own, so that one of them can change alone. Layers without store paths stay as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerAssignment {
    /// Layers that each image may have.
    pub max_layers: usize,
    /// The layers that several images share, those that save most first.
    pub layers: Vec<PlannedLayer>,
    /// By image, the layers that it would have: those of store paths, one for the store paths that only it has, and
    /// those that hold something else today.
    pub layers_of_images: Vec<usize>,
    /// Tar bytes of store paths that are in the same layers today.
    pub today: Matrix,
    /// Tar bytes of store paths that would be in the same layers.
    pub then: Matrix,
}

impl LayerAssignment {
    /// Bytes that one host saves today, because store paths are in layers that several images have.
    #[must_use]
    pub fn saved_today(&self) -> u64 {
        self.today.sum_bytes.saturating_sub(self.today.together_bytes)
    }

    /// Bytes that one host would save.
    #[must_use]
    pub fn saved_then(&self) -> u64 {
        self.then.sum_bytes.saturating_sub(self.then.together_bytes)
    }
}

fn saved(bytes: u64, images: usize) -> u64 {
    bytes.saturating_mul(u64::try_from(images).unwrap_or(u64::MAX).saturating_sub(1))
}

/// The store paths of some images, each with a number that is the same wherever it is.
pub(super) struct HeldPaths {
    names: Vec<String>,
    /// By path, tar bytes: the most that any image has of it. A path that only names its contents has the bytes that it
    /// has elsewhere.
    bytes: Vec<u64>,
    images: Vec<HeldByImage>,
}

#[derive(Default)]
struct HeldByImage {
    /// By path, in which layers its bytes are. Layers with one diffID have one number.
    paths: HashMap<u32, Vec<(u32, u64)>>,
    /// Layers that hold something else than store paths.
    other_layers: usize,
}

/// Placement of a store path: in a layer of the plan, or among the paths that only this image has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Assigned {
    Shared(usize),
    Own(usize),
}

impl HeldPaths {
    /// Gathers them. `layers` are the numbers of each image's layers, by their places.
    pub fn new(sides: &[Side<'_>], layers: &[Vec<u32>]) -> Self {
        let mut held = Self { names: Vec::new(), bytes: Vec::new(), images: Vec::new() };
        let mut numbers: HashMap<String, u32> = HashMap::new();
        for (side, layers) in sides.iter().zip(layers) {
            let mut image = HeldByImage { other_layers: layers.len(), ..HeldByImage::default() };
            if let Some(study) = side.store {
                image.other_layers = other_layers(side, study);
                for known in &study.store.paths {
                    let parts = bytes_by_layer(side, known, layers);
                    let number = held.number(known.path.base_name(), &mut numbers);
                    let bytes = parts.iter().map(|part| part.1).fold(0, u64::saturating_add);
                    if let Some(most) = held.bytes.get_mut(number as usize) {
                        *most = (*most).max(bytes);
                    }
                    image.paths.insert(number, parts);
                }
            }
            held.images.push(image);
        }
        held.complete();
        held
    }

    fn number(&mut self, name: &str, numbers: &mut HashMap<String, u32>) -> u32 {
        if let Some(&number) = numbers.get(name) {
            return number;
        }
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        numbers.insert(name.to_owned(), number);
        self.names.push(name.to_owned());
        self.bytes.push(0);
        number
    }

    /// Gives paths that are all in one layer the bytes that they have elsewhere.
    fn complete(&mut self) {
        for (number, parts) in self.images.iter_mut().flat_map(|image| &mut image.paths) {
            if let [part] = parts.as_mut_slice() {
                part.1 = self.bytes.get(*number as usize).copied().unwrap_or_default();
            }
        }
    }

    fn bytes_of(&self, path: u32) -> u64 {
        self.bytes.get(path as usize).copied().unwrap_or_default()
    }

    /// Returns the store paths of each image with their bytes.
    pub fn paths(&self) -> Vec<HashMap<u32, u64>> {
        let of_image = |image: &HeldByImage| image.paths.keys().map(|&path| (path, self.bytes_of(path))).collect();
        self.images.iter().map(of_image).collect()
    }

    /// Proposes layers; `None` where no two images have a store.
    pub fn assign(&self, max_layers: usize) -> Option<LayerAssignment> {
        if self.images.iter().filter(|image| !image.paths.is_empty()).count() < 2 {
            return None;
        }
        let mut plan = Plan::new(self, max_layers);
        for (images, paths) in self.groups() {
            plan.add(images, paths);
        }
        plan.split();
        Some(plan.finish())
    }

    /// Store paths by the images that hold them, what saves most first.
    fn groups(&self) -> Vec<(Vec<usize>, Vec<u32>)> {
        let mut holders: Vec<Vec<usize>> = vec![Vec::new(); self.names.len()];
        for (number, image) in self.images.iter().enumerate() {
            for &path in image.paths.keys() {
                if let Some(list) = holders.get_mut(path as usize) {
                    list.push(number);
                }
            }
        }
        let mut groups: HashMap<Vec<usize>, Vec<u32>> = HashMap::new();
        for (path, images) in (0u32..).zip(holders).filter(|(_, images)| images.len() > 1) {
            groups.entry(images).or_default().push(path);
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        let total = |paths: &[u32]| paths.iter().map(|&path| self.bytes_of(path)).fold(0, u64::saturating_add);
        groups.sort_by_cached_key(|(images, paths)| {
            (std::cmp::Reverse(saved(total(paths), images.len())), images.clone())
        });
        groups
    }
}

/// Layers as they are handed out.
struct Plan<'a> {
    held: &'a HeldPaths,
    max_layers: usize,
    /// By image, the layers that may still be added.
    left: Vec<usize>,
    /// Images and paths of each layer.
    layers: Vec<(Vec<usize>, Vec<u32>)>,
}

impl<'a> Plan<'a> {
    /// One layer of each image is kept for the store paths that only it has.
    fn new(held: &'a HeldPaths, max_layers: usize) -> Self {
        let left = held.images.iter().map(|image| max_layers.saturating_sub(image.other_layers).saturating_sub(1));
        Self { held, max_layers, left: left.collect(), layers: Vec::new() }
    }

    fn has_left(&self, image: usize) -> bool {
        self.left.get(image).is_some_and(|&left| left > 0)
    }

    fn take(&mut self, images: &[usize]) {
        for &image in images {
            if let Some(left) = self.left.get_mut(image) {
                *left = left.saturating_sub(1);
            }
        }
    }

    /// A layer for these paths, in those of the images that may have one more.
    fn add(&mut self, mut images: Vec<usize>, mut paths: Vec<u32>) {
        images.retain(|&image| self.has_left(image));
        if images.len() < 2 {
            return;
        }
        paths.sort_by_key(|&path| (std::cmp::Reverse(self.held.bytes_of(path)), path));
        self.take(&images);
        self.layers.push((images, paths));
    }

    /// Gives the largest paths of layers with several layers of their own.
    fn split(&mut self) {
        let mut wanted: Vec<(u64, usize, u32)> = Vec::new();
        for (place, (images, paths)) in self.layers.iter().enumerate() {
            wanted.extend(paths.iter().map(|&path| (saved(self.held.bytes_of(path), images.len()), place, path)));
        }
        wanted.sort_by_key(|&(bytes, place, path)| (std::cmp::Reverse(bytes), place, path));
        let mut taken: Vec<usize> = vec![0; self.layers.len()];
        for (_, place, _) in wanted {
            let Some((images, paths)) = self.layers.get(place) else { continue };
            let Some(taken) = taken.get_mut(place) else { continue };
            // The last one stays: the layer is its own by then.
            if *taken + 1 < paths.len() && images.iter().all(|&image| self.has_left(image)) {
                let images = images.clone();
                *taken += 1;
                self.take(&images);
            }
        }
        // Within a layer the paths lie largest first, as they were wanted.
        for (place, taken) in taken.into_iter().enumerate() {
            let Some((images, paths)) = self.layers.get_mut(place) else { continue };
            let images = images.clone();
            let alone: Vec<u32> = paths.drain(..taken).collect();
            self.layers.extend(alone.into_iter().map(|path| (images.clone(), vec![path])));
        }
    }

    fn finish(self) -> LayerAssignment {
        let held = self.held;
        let mut assigned: Vec<HashMap<u32, usize>> = vec![HashMap::new(); held.images.len()];
        let mut layers_of_images: Vec<usize> = held.images.iter().map(|image| image.other_layers).collect();
        for (place, (images, paths)) in self.layers.iter().enumerate() {
            for &image in images {
                if let Some(assigned) = assigned.get_mut(image) {
                    assigned.extend(paths.iter().map(|&path| (path, place)));
                }
                if let Some(layers) = layers_of_images.get_mut(image) {
                    *layers += 1;
                }
            }
        }
        let (mut today, mut then) = (Vec::new(), Vec::new());
        for (number, (image, assigned)) in held.images.iter().zip(&assigned).enumerate() {
            if let Some(layers) = layers_of_images.get_mut(number) {
                *layers += usize::from(assigned.len() < image.paths.len());
            }
            let place = |path| assigned.get(path).map_or(Assigned::Own(number), |&layer| Assigned::Shared(layer));
            then.push(image.paths.keys().map(|path| ((*path, place(path)), held.bytes_of(*path))).collect());
            let parts = |(&path, parts): (&u32, &Vec<(u32, u64)>)| -> Vec<((u32, u32), u64)> {
                parts.iter().map(|&(layer, bytes)| ((path, layer), bytes)).collect()
            };
            today.push(image.paths.iter().flat_map(parts).collect());
        }
        let planned = |(images, paths): (Vec<usize>, Vec<u32>)| PlannedLayer {
            bytes: paths.iter().map(|&path| held.bytes_of(path)).fold(0, u64::saturating_add),
            store_paths: paths.iter().filter_map(|&path| held.names.get(path as usize).cloned()).collect(),
            images,
        };
        let mut layers: Vec<PlannedLayer> = self.layers.into_iter().map(planned).collect();
        layers.sort_by_cached_key(|layer| (std::cmp::Reverse(layer.saved_bytes()), layer.store_paths.clone()));
        LayerAssignment {
            max_layers: self.max_layers,
            layers,
            layers_of_images,
            today: matrix(Level::StorePaths, today),
            then: matrix(Level::StorePaths, then),
        }
    }
}

/// Returns the bytes of a store path's tar entries (a header block each, contents padded to blocks)
/// by layer number.
fn bytes_by_layer(side: &Side<'_>, known: &ImageStorePath, layers: &[u32]) -> Vec<(u32, u64)> {
    let tree = &side.image.tree;
    let first = known.layers.first().map_or(LayerIndex(0), |share| share.layer);
    let layer_of = |entry: &TreeEntry| {
        let id: Option<OccurrenceId> = match entry.kind {
            TreeEntryKind::File { content, .. } => Some(content),
            TreeEntryKind::Symlink(id) => Some(id),
            TreeEntryKind::Directory => tree.top_layer().and_then(|top| tree.visible_at(entry.node, top)),
        };
        id.map_or(first, |id| tree.occurrence(id).layer)
    };
    let mut sums: HashMap<u32, u64> = HashMap::new();
    for entry in &path_entries(tree, known.node).entries {
        let content = match entry.kind {
            TreeEntryKind::File { bytes, .. } => bytes.checked_next_multiple_of(BLOCK).unwrap_or(u64::MAX),
            TreeEntryKind::Directory | TreeEntryKind::Symlink(_) => 0,
        };
        let layer = if known.layers.len() > 1 { layer_of(entry) } else { first };
        let number = layers.get(layer.index()).copied().unwrap_or_default();
        let sum = sums.entry(number).or_default();
        *sum = sum.saturating_add(content.saturating_add(BLOCK));
    }
    sums.into_iter().collect()
}

/// How many layers hold something else than store paths and the directories above them.
fn other_layers(side: &Side<'_>, study: &StoreStudy) -> usize {
    let mut in_store = vec![(0u64, 0u64); side.image.layers.len()];
    for share in study.store.paths.iter().flat_map(|known| &known.layers) {
        if let Some((entries, bytes)) = in_store.get_mut(share.layer.index()) {
            *entries = entries.saturating_add(u64::from(share.entries));
            *bytes = bytes.saturating_add(share.file_bytes);
        }
    }
    let layers = side.image.layers.iter().zip(&in_store);
    let is_other = |(layer, (entries, bytes)): &(&nixdive_image::Layer, &(u64, u64))| {
        !layer.is_absent()
            && (*entries == 0 || layer.file_bytes > *bytes || layer.entries > entries.saturating_add(PARENTS))
    };
    layers.filter(is_other).count()
}
