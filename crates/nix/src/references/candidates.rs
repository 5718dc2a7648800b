use std::hash::{BuildHasher, RandomState};

use hashbrown::HashMap;

use crate::store_path::StoreHash;

/// The hashes that a scan looks for: those of the store paths that are there.
#[derive(Debug)]
pub struct Candidates {
    indices: HashMap<StoreHash, u32>,
    /// One bit for each value of a mix of a hash's first eight digits; rejects most windows that
    /// are not candidates.
    filter: Vec<u64>,
    factor: u64,
    shift: u32,
}

impl Candidates {
    /// The set of `hashes`; each is named afterwards by its place in them, of equal ones by the first. Those from the
    /// 2³²th on are left out.
    #[must_use]
    pub fn new(hashes: impl IntoIterator<Item = StoreHash>) -> Self {
        let mut indices = HashMap::new();
        for (index, hash) in (0..u32::MAX).zip(hashes) {
            indices.entry(hash).or_insert(index);
        }
        let bits = (indices.len().max(64) * 16).next_power_of_two();
        // The factor is random, so that no image can choose hashes that share a bit.
        let factor = RandomState::new().hash_one(bits) | 1;
        let mut set = Self { indices, filter: vec![0; bits / 64], factor, shift: 64 - bits.trailing_zeros() };
        let hashes: Vec<StoreHash> = set.indices.keys().copied().collect();
        for hash in hashes {
            let bit = set.bit(hash.as_bytes());
            if let Some(word) = set.filter.get_mut(bit / 64) {
                *word |= 1 << (bit % 64);
            }
        }
        set
    }

    /// Number of different hashes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Returns `true` if there are no candidates.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    /// The largest place that a hash has.
    pub(super) fn highest(&self) -> Option<u32> {
        self.indices.values().copied().max()
    }

    /// The place of a hash.
    #[must_use]
    pub fn get(&self, hash: &StoreHash) -> Option<u32> {
        self.indices.get(hash).copied()
    }

    #[inline]
    fn bit(&self, digits: &[u8; StoreHash::LENGTH]) -> usize {
        let first = digits.first_chunk::<8>().copied().unwrap_or_default();
        (u64::from_le_bytes(first).wrapping_mul(self.factor) >> self.shift) as usize
    }

    /// The place of 32 digits, where they are one of the hashes.
    #[inline]
    pub(super) fn find(&self, digits: &[u8; StoreHash::LENGTH]) -> Option<u32> {
        let bit = self.bit(digits);
        let word = self.filter.get(bit / 64).copied().unwrap_or_default();
        if word >> (bit % 64) & 1 == 0 {
            return None;
        }
        self.get(&StoreHash::from_digits(digits))
    }
}
