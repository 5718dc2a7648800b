//! nixdive's own layering strategy.
//!
//! **Sharing.** Store paths are divided into classes by the images of the family (this one and its siblings) that
//! contain them. A layer does not mix classes while enough layers are available. The number of layers of a class
//! follows from the number of its paths in all images alike, so that every image of a family produces the same layers
//! for shared paths.
//!
//! **Common changes.** A store path changes when anything in its closure does. The average cost of a change to a group
//! of paths is its size times the weight of the union of its members' closures. Starting with single paths, the two
//! groups that are cheapest to join are joined until few enough are left: large paths stay alone, small ones end up
//! with those of similar closures.
//!
//! **Stability.** Names are preferred over hashes and versions, and sizes are counted in coarse steps, so that a change
//! of one package leaves all groups without it unchanged.

use hashbrown::{HashMap, HashSet};

use super::Sibling;
use super::closures::Closures;
use super::graph::Graph;
use super::join::{Unit, join};
use crate::Stability;
use nixdive_nix::StorePath;

/// Maximum number of images of a family that are distinguished: the bits of a class.
const MOST_IMAGES: usize = 128;
/// Finest share of its paths by which a class gets layers.
const SHARES: u64 = 64;
/// How much more often another image lacks a path without referrers than a package changes.
const ABSENCE_WEIGHT: u64 = 16;

/// Set of the images of a family that contain a path; this image is bit 0.
type Class = u128;

/// Groups store paths by class, then by common changes.
pub(super) fn group(graph: &Graph<'_>, siblings: &[Sibling], most: usize) -> Vec<Vec<u32>> {
    let closures = Closures::new(graph);
    let mut classes = Classes::new(graph, siblings);
    classes.merge_down_to(graph, most);
    let counts = classes.layer_counts(most);
    let mut groups = Vec::new();
    // If the siblings are known, sharing need not be estimated.
    let absence = |place: u32| if siblings.is_empty() { absence(closures.referrers(place), graph.len()) } else { 0 };
    for ((_, places), count) in classes.own.iter().zip(counts) {
        let units = places.iter().map(|&place| unit(graph, place, absence(place))).collect();
        groups.extend(join(units, count, &closures));
    }
    // Referenced paths sort first, so that layers that rarely change are at the bottom.
    let mut rank = vec![0usize; graph.len()];
    graph.order.iter().enumerate().for_each(|(at, &place)| rank[place as usize] = at);
    groups.sort_by_key(|group| group.iter().map(|&place| rank[place as usize]).max());
    groups
}

/// Estimates how likely an unknown image lacks a path: paths with more referrers are more common.
fn absence(referrers: u64, paths: usize) -> u64 {
    let paths = (paths as u64).max(1);
    ABSENCE_WEIGHT.saturating_mul(paths.saturating_sub(referrers)) / paths
}

fn unit(graph: &Graph<'_>, place: u32, absence: u64) -> Unit {
    let node = &graph.nodes[place as usize];
    let name = lasting_name(node.path.base_name());
    Unit { places: vec![place], bytes: coarse(node.nar_bytes), absence, name }
}

/// Rounds down to the two highest bits, with the minimum cost of an entry as the lowest result.
fn coarse(bytes: u64) -> u64 {
    let keep = bytes.checked_ilog2().unwrap_or(0).saturating_sub(1);
    (bytes >> keep << keep).saturating_add(4096)
}

/// Returns the name without its version, which survives an update of the package.
fn lasting_name(base_name: &str) -> String {
    match StorePath::parse_base_name(base_name.as_bytes()) {
        Ok(path) => {
            let name = path.package();
            format!("{}\0{}", name.name, name.output)
        }
        Err(_) => base_name.to_owned(),
    }
}

struct Classes {
    /// Classes of this image with their paths, applications last.
    own: Vec<(Class, Vec<u32>)>,
    /// Maximum number of paths of each class in any image.
    paths: HashMap<Class, u64>,
    images: usize,
}

impl Classes {
    fn new(graph: &Graph<'_>, siblings: &[Sibling]) -> Self {
        let siblings = siblings.get(..siblings.len().min(MOST_IMAGES - 1)).unwrap_or_default();
        let own: HashSet<&str> = graph.nodes.iter().map(|node| node.path.base_name()).collect();
        let mut exact: HashMap<&str, Class> = HashMap::new();
        let mut lasting: HashMap<String, Class> = HashMap::new();
        for (image, names) in family(&own, siblings) {
            for name in names {
                *exact.entry(name).or_default() |= 1 << image;
                *lasting.entry(lasting_name(name)).or_default() |= 1 << image;
            }
        }
        let class_of = |name: &str| {
            let class = exact.get(name).copied().unwrap_or(1);
            // Path in this image only: other images may contain an earlier or a later version.
            if class.is_power_of_two() { lasting.get(&lasting_name(name)).copied().unwrap_or(class) } else { class }
        };
        let mut paths: HashMap<Class, u64> = HashMap::new();
        for (_, names) in family(&own, siblings) {
            let mut counts: HashMap<Class, u64> = HashMap::new();
            for name in names {
                *counts.entry(class_of(name)).or_default() += 1;
            }
            for (class, count) in counts {
                let most = paths.entry(class).or_default();
                *most = count.max(*most);
            }
        }
        let mut members: HashMap<(bool, Class), Vec<u32>> = HashMap::new();
        for (place, node) in (0u32..).zip(&graph.nodes) {
            let is_application = node.stability == Stability::Application;
            let class = if is_application { 1 } else { class_of(node.path.base_name()) };
            members.entry((is_application, class)).or_default().push(place);
        }
        let mut own: Vec<((bool, Class), Vec<u32>)> = members.into_iter().collect();
        own.sort_unstable();
        let own = own.into_iter().map(|((_, class), places)| (class, places)).collect();
        Self { own, paths, images: siblings.len() + 1 }
    }

    /// Joins the smallest classes until there is a layer for each. Joined classes are no longer shared.
    fn merge_down_to(&mut self, graph: &Graph<'_>, most: usize) {
        let bytes = |places: &[u32]| -> u64 {
            places.iter().map(|&place| coarse(graph.nodes[place as usize].nar_bytes)).fold(0, u64::saturating_add)
        };
        while self.own.len() > most.max(1) {
            let mut order: Vec<usize> = (0..self.own.len()).collect();
            order.sort_by_key(|&place| self.own.get(place).map_or(0, |(_, places)| bytes(places)));
            let [first, second, ..] = order.as_slice() else { return };
            let (_, joined) = self.own.remove(*first.max(second));
            if let Some((class, places)) = self.own.get_mut(*first.min(second)) {
                *class = 1;
                places.extend(joined);
            }
        }
    }

    /// Returns the number of layers for each class of this image. The numbers for shared classes are the same in every
    /// image of the family: the largest share of their paths for which all images have enough layers. Layers left over
    /// in this image go to the paths that only it contains.
    fn layer_counts(&self, most: usize) -> Vec<usize> {
        let shared = |class: Class| !class.is_power_of_two();
        let layers_of = |class: Class, share: u64| {
            let paths = self.paths.get(&class).copied().unwrap_or(1);
            (paths.saturating_mul(share) / SHARES).max(1)
        };
        let fits = |share: u64| {
            (0..self.images).all(|image| {
                let held = self.paths.keys().filter(|&&class| class >> image & 1 == 1);
                held.map(|&class| layers_of(class, share)).fold(0, u64::saturating_add) <= most as u64
            })
        };
        let share = (1..=SHARES).rev().find(|&share| fits(share)).unwrap_or(0);
        let mut counts: Vec<usize> = Vec::with_capacity(self.own.len());
        for (class, places) in &self.own {
            let wanted = if shared(*class) { layers_of(*class, share) } else { 1 };
            counts.push(usize::try_from(wanted).unwrap_or(usize::MAX).min(places.len()).max(1));
        }
        // The sum may be too high if classes were joined.
        let mut sum: usize = counts.iter().fold(0, |sum, &count| sum.saturating_add(count));
        while sum > most {
            let Some(largest) = counts.iter_mut().max().filter(|count| **count > 1) else { break };
            *largest -= 1;
            sum -= 1;
        }
        // From the end: applications first.
        for (count, (_, places)) in counts.iter_mut().zip(&self.own).rev().filter(|(_, own)| !shared(own.0)) {
            let more = most.saturating_sub(sum).min(places.len().saturating_sub(*count));
            *count += more;
            sum += more;
        }
        counts
    }
}

/// Returns the names of each image of a family, this one first.
fn family<'a>(
    own: &'a HashSet<&'a str>,
    siblings: &'a [Sibling],
) -> impl Iterator<Item = (usize, Box<dyn Iterator<Item = &'a str> + 'a>)> {
    let own: Box<dyn Iterator<Item = &'a str> + 'a> = Box::new(own.iter().copied());
    let others = siblings.iter().map(|names| {
        let names: Box<dyn Iterator<Item = &'a str> + 'a> = Box::new(names.keys().map(String::as_str));
        names
    });
    std::iter::once(own).chain(others).enumerate()
}
