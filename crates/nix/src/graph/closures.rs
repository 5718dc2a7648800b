use super::components::Components;
use super::{ClosureGraph, PathId};

/// Words of 64 groups whose reachability is found in one run over the graph.
const WORDS: usize = 16;
const BLOCK: usize = 64 * WORDS;

/// Rows and references times blocks from which on closure sizes are not found all at once: half a minute of work.
const MOST_ROWS: u64 = 2_000_000_000;

impl ClosureGraph {
    /// Closure size of every path, bytes: itself and all that it needs. `None` for a graph so large that this would take
    /// minutes (more than a million paths without cycles); [`super::Reachability`] then tells it of one path at a time.
    ///
    /// The groups of paths are taken in blocks of 1024. For a block, one run over the graph in topological order finds
    /// which of its groups each group reaches; a reference that adds nothing (it is implied by others) is dropped when
    /// that is found, so that later runs follow the transitive reduction only.
    #[must_use]
    pub fn closure_bytes_of_all(&self) -> Option<Vec<u64>> {
        let components = Components::new(self);
        let count = components.count;
        let blocks = count.div_ceil(BLOCK);
        if ((count + self.reference_count()) as u64).saturating_mul(blocks as u64) > MOST_ROWS {
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
        for first in (0..blocks).rev().map(|block| block * BLOCK) {
            let block = Block::new(first, &weights);
            below.add_block(&block, &mut rows, &mut sums);
        }
        Some(components.of.iter().map(|&component| sums[component as usize]).collect())
    }
}

type Bits = [u64; WORDS];

/// Which groups of one block are reached, and the sum of their NAR sizes.
#[derive(Clone, Copy, Default)]
struct Row {
    bits: Bits,
    bytes: u64,
}

/// Some groups of successive numbers.
struct Block<'w> {
    first: usize,
    weights: &'w [u64],
}

impl<'w> Block<'w> {
    fn new(first: usize, weights: &'w [u64]) -> Self {
        Self { first, weights: &weights[first..weights.len().min(first + BLOCK)] }
    }

    /// The bit of a group, where it is of this block.
    fn bit(&self, group: usize) -> Option<usize> {
        group.checked_sub(self.first).filter(|&bit| bit < self.weights.len())
    }

    /// The row of `bits`, which include those of `base`: most often there is little or nothing to add to its bytes.
    fn row(&self, bits: Bits, base: &Row) -> Row {
        let mut bytes = base.bytes;
        if bits != base.bits {
            for (word, (bits, known)) in bits.iter().zip(&base.bits).enumerate() {
                let mut new = bits & !known;
                while new != 0 {
                    bytes = bytes.saturating_add(self.weights[word * 64 + new.trailing_zeros() as usize]);
                    new &= new - 1;
                }
            }
        }
        Row { bits, bytes }
    }
}

/// The groups that each group refers to directly, the highest first.
struct Below {
    starts: Vec<u32>,
    lengths: Vec<u32>,
    groups: Vec<u32>,
}

impl Below {
    fn new(graph: &ClosureGraph, components: &Components) -> Self {
        let (mut starts, mut lengths, mut groups) = (Vec::new(), Vec::new(), Vec::new());
        let mut row: Vec<u32> = Vec::new();
        for (group, paths) in components.members().iter().enumerate() {
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

    /// Adds to `sums` what each group reaches of the groups of a block. Blocks come highest first.
    fn add_block(&mut self, block: &Block<'_>, rows: &mut [Row], sums: &mut [u64]) {
        for group in block.first..sums.len() {
            let start = self.starts[group] as usize;
            let length = self.lengths[group] as usize;
            let mut bits = [0; WORDS];
            let (mut base, mut kept) = (None, 0);
            for place in start..start + length {
                let other = self.groups[place];
                let implied = block.bit(other as usize).is_some_and(|bit| bits[bit / 64] >> (bit % 64) & 1 == 1);
                if implied {
                    continue;
                }
                self.groups[start + kept] = other;
                kept += 1;
                // A row of no bytes has nothing to give.
                let row = rows.get(other as usize).filter(|row| other as usize >= block.first && row.bytes > 0);
                if let Some(row) = row {
                    for (bits, more) in bits.iter_mut().zip(&row.bits) {
                        *bits |= more;
                    }
                    base = base.filter(|base: &&Row| base.bytes >= row.bytes).or(Some(row));
                }
            }
            self.lengths[group] = kept as u32;
            if let Some(bit) = block.bit(group) {
                bits[bit / 64] |= 1 << (bit % 64);
            }
            let row = block.row(bits, base.unwrap_or(&Row::default()));
            sums[group] = sums[group].saturating_add(row.bytes);
            rows[group] = row;
        }
    }
}
