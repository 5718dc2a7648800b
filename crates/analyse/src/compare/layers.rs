use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;

use nixdive_image::{Digest, DigestCheck, Image, Layer, LayerIndex};

/// Cells of the table for the exact alignment; images with more layers on both sides than fit are aligned by the
/// diffIDs in their order of occurrence.
const MOST_CELLS: usize = 4 << 20;

/// Kind of change of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerChange {
    /// On both sides, in the same order among the shared ones.
    Shared,
    /// On both sides, elsewhere in the order.
    Moved,
    /// On the left side only.
    Removed,
    /// On the right side only.
    Added,
}

impl LayerChange {
    /// `shared`, `moved`, `removed`, `added`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Moved => "moved",
            Self::Removed => "removed",
            Self::Added => "added",
        }
    }
}

/// A row of two aligned lists of layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlignedLayer {
    /// In the left image; of a moved layer `None` in the row of the right one.
    pub left: Option<LayerIndex>,
    /// In the right image; of a moved layer `None` in the row of the left one.
    pub right: Option<LayerIndex>,
    /// Kind of the change.
    pub change: LayerChange,
    /// The same diffID, stored as another blob.
    pub recompressed: bool,
}

/// Two images' layers, aligned by diffID.
#[derive(Debug, Clone, Default)]
pub struct LayerAlignment {
    /// Base first; of layers between two shared ones the left ones come first.
    pub rows: Vec<AlignedLayer>,
    left_keys: Vec<u32>,
    right_keys: Vec<u32>,
}

/// The digest of a layer's unpacked bytes: the one they were found to have, else the one that is claimed.
pub(super) fn diff_id(layer: &Layer) -> Option<&Digest> {
    match &layer.diff_id_check {
        DigestCheck::Differs { actual } => Some(actual),
        _ => layer.diff_id.as_ref(),
    }
}

impl LayerAlignment {
    /// Aligns two images' layers by a longest common subsequence of their diffIDs (R. Wagner, M. Fischer, "The
    /// String-to-String Correction Problem", 1974).
    #[must_use]
    pub fn new(left: &Image, right: &Image) -> Self {
        let mut keys: HashMap<&Digest, u32> = HashMap::new();
        let mut next = 0u32;
        let mut key_of = |layer| {
            let mut fresh = || {
                next = next.saturating_add(1);
                next
            };
            match diff_id(layer) {
                Some(digest) => *keys.entry(digest).or_insert_with(fresh),
                None => fresh(),
            }
        };
        let left_keys: Vec<u32> = left.layers.iter().map(&mut key_of).collect();
        let right_keys: Vec<u32> = right.layers.iter().map(&mut key_of).collect();
        let pairs = common_subsequence(&left_keys, &right_keys);
        let mut alignment = Self { rows: Vec::new(), left_keys, right_keys };
        alignment.rows = alignment.rows_of(&pairs, left, right);
        alignment
    }

    /// Returns `true` if a layer of the left image and one of the right have the same bytes.
    #[must_use]
    pub fn same(&self, left: LayerIndex, right: LayerIndex) -> bool {
        let key = self.left_keys.get(left.index());
        key.is_some() && key == self.right_keys.get(right.index())
    }

    /// For each layer of the left image, whether the right one has it too.
    #[must_use]
    pub fn left_is_shared(&self) -> Vec<bool> {
        shared_keys(&self.left_keys, &self.right_keys)
    }

    /// For each layer of the right image, whether the left one has it too.
    #[must_use]
    pub fn right_is_shared(&self) -> Vec<bool> {
        shared_keys(&self.right_keys, &self.left_keys)
    }

    fn rows_of(&self, pairs: &[(usize, usize)], left: &Image, right: &Image) -> Vec<AlignedLayer> {
        let (left_shared, right_shared) = (self.left_is_shared(), self.right_is_shared());
        let moved_or = |shared: Option<&bool>, change| if shared == Some(&true) { LayerChange::Moved } else { change };
        let mut rows = Vec::new();
        let (mut next_left, mut next_right) = (0, 0);
        let end = (left.layers.len(), right.layers.len());
        for &(until_left, until_right) in pairs.iter().chain([&end]) {
            for number in next_left..until_left {
                let change = moved_or(left_shared.get(number), LayerChange::Removed);
                rows.push(AlignedLayer { left: index(number), right: None, change, recompressed: false });
            }
            for number in next_right..until_right {
                let change = moved_or(right_shared.get(number), LayerChange::Added);
                rows.push(AlignedLayer { left: None, right: index(number), change, recompressed: false });
            }
            if let (Some(one), Some(other)) = (left.layers.get(until_left), right.layers.get(until_right)) {
                let recompressed = one.digest.is_some() && other.digest.is_some() && one.digest != other.digest;
                let (left, right) = (index(until_left), index(until_right));
                rows.push(AlignedLayer { left, right, change: LayerChange::Shared, recompressed });
            }
            (next_left, next_right) = (until_left.saturating_add(1), until_right.saturating_add(1));
        }
        rows
    }
}

fn index(number: usize) -> Option<LayerIndex> {
    u16::try_from(number).ok().map(LayerIndex)
}

fn shared_keys(own: &[u32], other: &[u32]) -> Vec<bool> {
    let other: BTreeSet<u32> = other.iter().copied().collect();
    own.iter().map(|key| other.contains(key)).collect()
}

/// Places of a longest common subsequence, in order.
fn common_subsequence(left: &[u32], right: &[u32]) -> Vec<(usize, usize)> {
    let before = left.iter().zip(right).take_while(|(one, other)| one == other).count();
    let (inner_left, inner_right) = (&left[before..], &right[before..]);
    let after = inner_left.iter().rev().zip(inner_right.iter().rev()).take_while(|(one, other)| one == other).count();
    let inner_left = &inner_left[..inner_left.len() - after];
    let inner_right = &inner_right[..inner_right.len() - after];
    let mut pairs: Vec<(usize, usize)> = (0..before).map(|place| (place, place)).collect();
    let middle = match inner_left.len().saturating_mul(inner_right.len()) <= MOST_CELLS {
        true => by_table(inner_left, inner_right),
        false => by_occurrence(inner_left, inner_right),
    };
    pairs.extend(middle.into_iter().map(|(one, other)| (one + before, other + before)));
    let (end_left, end_right) = (left.len() - after, right.len() - after);
    pairs.extend((0..after).map(|place| (end_left + place, end_right + place)));
    pairs
}

fn by_table(left: &[u32], right: &[u32]) -> Vec<(usize, usize)> {
    let width = right.len() + 1;
    // Cell (l, r): length of the longest common subsequence of what begins at l and at r.
    let mut lengths = vec![0u16; (left.len() + 1) * width];
    for (l, one) in left.iter().enumerate().rev() {
        for (r, other) in right.iter().enumerate().rev() {
            let at = l * width + r;
            lengths[at] = match one == other {
                true => lengths[at + width + 1] + 1,
                false => lengths[at + width].max(lengths[at + 1]),
            };
        }
    }
    let mut pairs = Vec::new();
    let (mut l, mut r) = (0, 0);
    while l < left.len() && r < right.len() {
        let at = l * width + r;
        if left[l] == right[r] {
            pairs.push((l, r));
            l += 1;
            r += 1;
        } else if lengths[at + width] >= lengths[at + 1] {
            l += 1;
        } else {
            r += 1;
        }
    }
    pairs
}

/// Pairs the first occurrences of a key on both sides, the second ones and so on, and keeps a longest run of pairs that
/// stand in order on both sides (patience sorting). The longest common subsequence where no key comes twice.
fn by_occurrence(left: &[u32], right: &[u32]) -> Vec<(usize, usize)> {
    let mut places: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (place, &key) in right.iter().enumerate().rev() {
        places.entry(key).or_default().push(place);
    }
    let pairs: Vec<(usize, usize)> = left
        .iter()
        .enumerate()
        .filter_map(|(place, key)| Some((place, places.get_mut(key).and_then(Vec::pop)?)))
        .collect();
    // Of each length of run the pair with the lowest right place that ends one, and for each pair the one before it.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    for (number, &(_, place)) in pairs.iter().enumerate() {
        let length = ends.partition_point(|&end| pairs[end].1 < place);
        before.push(length.checked_sub(1).and_then(|shorter| ends.get(shorter).copied()));
        match ends.get_mut(length) {
            Some(end) => *end = number,
            None => ends.push(number),
        }
    }
    let mut run = Vec::new();
    let mut at = ends.last().copied();
    while let Some(number) = at {
        run.push(pairs[number]);
        at = before[number];
    }
    run.reverse();
    run
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn layers_are_aligned_by_what_they_are_and_not_by_their_number() {
        type Case = (&'static [u32], &'static [u32], &'static [(usize, usize)]);
        let cases: [Case; 6] = [
            (&[], &[1], &[]),
            (&[1, 2, 3], &[1, 2, 3], &[(0, 0), (1, 1), (2, 2)]),
            (&[1, 2, 3], &[1, 9, 2, 3], &[(0, 0), (1, 2), (2, 3)]),
            (&[1, 2, 3], &[1, 3], &[(0, 0), (2, 1)]),
            (&[1, 2, 3, 4], &[2, 1, 3, 4], &[(1, 0), (2, 2), (3, 3)]),
            (&[1, 1, 2], &[1, 2, 1], &[(0, 0), (2, 1)]),
        ];
        for (left, right, pairs) in cases {
            assert_eq!(common_subsequence(left, right), pairs, "{left:?} {right:?}");
        }
    }

    fn is_common(left: &[u32], right: &[u32], pairs: &[(usize, usize)]) -> bool {
        let ordered = pairs.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 < two[1].1);
        ordered && pairs.iter().all(|&(l, r)| left[l] == right[r])
    }

    proptest! {
        #[test]
        fn both_ways_find_common_subsequences_and_swapped_sides_mirror(
            left in proptest::collection::vec(0u32..12, 0..12),
            right in proptest::collection::vec(0u32..12, 0..12),
        ) {
            let exact = common_subsequence(&left, &right);
            let quick = by_occurrence(&left, &right);
            prop_assert!(is_common(&left, &right, &exact) && is_common(&left, &right, &quick));
            prop_assert!(quick.len() <= exact.len());
            prop_assert_eq!(common_subsequence(&right, &left).len(), exact.len());
        }

        #[test]
        fn without_repeated_layers_the_quick_way_finds_the_longest(
            mut left in Just((0u32..10).collect::<Vec<_>>()).prop_shuffle(),
            right in Just((0u32..10).collect::<Vec<_>>()).prop_shuffle(),
            cut in 0usize..10,
        ) {
            left.truncate(cut);
            prop_assert_eq!(by_occurrence(&left, &right).len(), by_table(&left, &right).len());
        }
    }
}
