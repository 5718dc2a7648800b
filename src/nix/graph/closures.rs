use super::components::Components;
use super::{ClosureGraph, PathId};

/// Groups whose reachability is found in one run over the graph.
const WORDS: usize = 8;
const BLOCK: usize = 64 * WORDS;

/// Rows times blocks from which on closure sizes are no longer found all at once: half a minute of work.
const MOST_ROWS: u64 = 4_000_000_000;

impl ClosureGraph {
    /// Closure size of every path, bytes: itself and all that it needs. `None` for a graph so large that this would take
    /// minutes (more than a million paths); [`super::Reachability`] then tells it of one path at a time.
    ///
    /// The groups of paths are taken in blocks of 512. For a block, one run over the graph in topological order finds
    /// which of its groups each group reaches; a reference that adds nothing (it is implied by others) is dropped when
    /// that is found, so that later runs follow the transitive reduction only.
    #[must_use]
    pub fn closure_bytes_of_all(&self) -> Option<Vec<u64>> {
        let components = Components::new(self);
        let count = components.count;
        let blocks = count.div_ceil(BLOCK);
        if (count as u64).saturating_mul(blocks as u64) > MOST_ROWS {
            return None;
        }
        let mut weights = vec![0u64; count];
        for (path, &component) in components.of.iter().enumerate() {
            let weight = &mut weights[component as usize];
            *weight = weight.saturating_add(self.nar_bytes[path]);
        }
        let mut below = Below::new(self, &components);
        let mut sums = vec![0u64; count];
        let mut rows = vec![Row::default(); count];
        for block in (0..blocks).rev() {
            below.add_block(block * BLOCK, &weights, &mut rows, &mut sums);
        }
        Some(components.of.iter().map(|&component| sums[component as usize]).collect())
    }
}

/// Which groups of one block are reached, and the sum of their NAR sizes.
#[derive(Clone, Copy, Default)]
struct Row {
    bits: [u64; WORDS],
    bytes: u64,
}

/// The groups that each group refers to directly, the highest first.
struct Below {
    starts: Vec<u32>,
    lengths: Vec<u32>,
    groups: Vec<u32>,
}

impl Below {
    fn new(graph: &ClosureGraph, components: &Components) -> Self {
        let mut members = vec![Vec::new(); components.count];
        for path in graph.ids() {
            members[components.of[path.index()] as usize].push(path);
        }
        let (mut starts, mut lengths, mut groups) = (Vec::new(), Vec::new(), Vec::new());
        let mut row: Vec<u32> = Vec::new();
        for (group, paths) in members.iter().enumerate() {
            let references = paths.iter().flat_map(|&path: &PathId| graph.references(path));
            row.clear();
            row.extend(references.map(|path| components.of[path.index()]).filter(|&other| other as usize != group));
            row.sort_unstable_by(|left, right| right.cmp(left));
            row.dedup();
            starts.push(groups.len() as u32);
            lengths.push(row.len() as u32);
            groups.extend_from_slice(&row);
        }
        Self { starts, lengths, groups }
    }

    /// Adds to `sums` what each group reaches of the groups `first..first + BLOCK`. Blocks come highest first.
    fn add_block(&mut self, first: usize, weights: &[u64], rows: &mut [Row], sums: &mut [u64]) {
        for group in first..weights.len() {
            let start = self.starts[group] as usize;
            let length = self.lengths[group] as usize;
            let mut row = Row::default();
            let mut kept = 0;
            for place in start..start + length {
                let other = self.groups[place];
                let other_index = other as usize;
                let inside = other_index >= first;
                let adds = if inside && other_index < first + BLOCK {
                    let bit = other_index - first;
                    row.bits[bit / 64] >> (bit % 64) & 1 == 0
                } else {
                    true
                };
                if adds {
                    self.groups[start + kept] = other;
                    kept += 1;
                    if inside {
                        row.add(&rows[other_index], first, weights);
                    }
                }
            }
            self.lengths[group] = kept as u32;
            if group < first + BLOCK {
                let bit = group - first;
                row.bits[bit / 64] |= 1 << (bit % 64);
                row.bytes = row.bytes.saturating_add(weights[group]);
            }
            rows[group] = row;
            sums[group] = sums[group].saturating_add(row.bytes);
        }
    }
}

impl Row {
    fn add(&mut self, other: &Self, first: usize, weights: &[u64]) {
        if self.bytes == 0 && self.bits == [0; WORDS] {
            *self = *other;
            return;
        }
        for (word, (bits, &more)) in self.bits.iter_mut().zip(&other.bits).enumerate() {
            let mut new = more & !*bits;
            *bits |= more;
            while new != 0 {
                let group = first + word * 64 + new.trailing_zeros() as usize;
                self.bytes = self.bytes.saturating_add(weights[group]);
                new &= new - 1;
            }
        }
    }
}
