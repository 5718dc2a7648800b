use super::graph::Graph;
use crate::Stability;

/// Maximum number of bits of a closure. With more store paths, several share a bit, which makes comparisons less exact
/// but not wrong.
const MOST_BITS: usize = 4096;
/// How much more often an application changes than any single package.
const APPLICATION_WEIGHT: u64 = 8;

/// Closures of all store paths as bit sets.
pub(super) struct Closures {
    words: usize,
    /// Bit sets by store path, `words` numbers each.
    bits: Vec<u64>,
    applications: Vec<u64>,
    /// Number of closures that contain a bit.
    containing: Vec<u64>,
}

impl Closures {
    pub fn new(graph: &Graph<'_>) -> Self {
        let width = graph.len().clamp(1, MOST_BITS);
        let words = width.div_ceil(64);
        let mut closures = Self {
            words,
            bits: vec![0; graph.len() * words],
            applications: vec![0; words],
            containing: vec![0; width],
        };
        for &place in &graph.order {
            let node = &graph.nodes[place as usize];
            let mut set = vec![0u64; words];
            let bit = place as usize % width;
            set[bit / 64] |= 1 << (bit % 64);
            if node.stability == Stability::Application {
                closures.applications[bit / 64] |= 1 << (bit % 64);
            }
            for &reference in &node.references {
                add(&mut set, closures.of(reference));
            }
            let start = place as usize * words;
            closures.bits[start..start + words].copy_from_slice(&set);
            for (bit, containing) in closures.containing.iter_mut().enumerate() {
                *containing += set[bit / 64] >> (bit % 64) & 1;
            }
        }
        closures
    }

    /// Returns how many paths refer to this one directly or indirectly, itself included.
    pub fn referrers(&self, place: u32) -> u64 {
        self.containing.get(place as usize % self.containing.len().max(1)).copied().unwrap_or_default()
    }

    fn of(&self, place: u32) -> &[u64] {
        let start = place as usize * self.words;
        &self.bits[start..start + self.words]
    }

    /// Returns the union of the closures of some paths.
    pub fn union(&self, places: &[u32]) -> Vec<u64> {
        let mut set = vec![0; self.words];
        places.iter().for_each(|&place| add(&mut set, self.of(place)));
        set
    }

    /// Returns how often something in either of two sets changes.
    pub fn weight_of_both(&self, one: &[u64], other: &[u64]) -> u64 {
        let both = one.iter().zip(other).map(|(one, other)| one | other);
        let weigh = |(set, applications): (u64, &u64)| {
            u64::from(set.count_ones()) + (APPLICATION_WEIGHT - 1) * u64::from((set & applications).count_ones())
        };
        both.zip(&self.applications).map(weigh).sum()
    }
}

fn add(set: &mut [u64], other: &[u64]) {
    set.iter_mut().zip(other).for_each(|(to, from)| *to |= from);
}
