use hashbrown::HashSet;

use super::windows::Windows;
use crate::store_path::StoreHash;

/// Collects every run of 32 digits of a stream, for a single pass over bytes whose candidates
/// become known only afterwards: look up each in [`super::Candidates::get`] then.
///
/// Few real files have any apart from store paths: long rows of zeros, digests without an `e`.
#[derive(Debug)]
pub struct HashCollector {
    windows: Windows,
    seen: HashSet<StoreHash>,
    found: Vec<(StoreHash, u64)>,
    limit: usize,
    overflowed: bool,
}

/// Digit runs found in a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collected {
    /// Each run of 32 digits and where its first occurrence begins, bytes.
    pub hashes: Vec<(StoreHash, u64)>,
    /// True if there were more than the limit, so that only a scan for known candidates is
    /// complete.
    pub overflowed: bool,
}

impl HashCollector {
    /// A collector that keeps up to `limit` different hashes a stream, 72 bytes each.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { windows: Windows::new(), seen: HashSet::new(), found: Vec::new(), limit, overflowed: false }
    }

    /// Takes the next block of the stream.
    pub fn feed(&mut self, block: &[u8]) {
        if self.overflowed {
            return;
        }
        let Self { windows, seen, found, limit, overflowed } = self;
        let mut last = None;
        windows.feed(block, |offset, digits| {
            // A row of one digit is the same window over and over.
            if *overflowed || last.replace(*digits) == Some(*digits) {
                return;
            }
            let hash = StoreHash::from_digits(digits);
            if seen.contains(&hash) {
                return;
            }
            if found.len() >= *limit {
                *overflowed = true;
                return;
            }
            seen.insert(hash);
            found.push((hash, offset));
        });
    }

    /// Ends the stream, gives out what it held, and begins the next.
    pub fn finish(&mut self) -> Collected {
        self.windows.reset();
        self.seen.clear();
        Collected { hashes: std::mem::take(&mut self.found), overflowed: std::mem::take(&mut self.overflowed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hash_is_given_once_with_its_first_place() {
        let hash = "hmnypiai2d9q9ri3yd4kdycjp1rg1027";
        let mut collector = HashCollector::new(10);
        collector.feed(format!("{hash} {}", &hash[..5]).as_bytes());
        collector.feed(format!("{} {}", &hash[5..], "0".repeat(1000)).as_bytes());
        let hashes: Vec<(String, u64)> =
            collector.finish().hashes.iter().map(|(hash, offset)| (hash.to_string(), *offset)).collect();
        assert_eq!(hashes, [(hash.to_owned(), 0), ("0".repeat(32), 66)]);
        assert_eq!(collector.finish(), Collected::default());
    }

    #[test]
    fn more_than_the_limit_is_said() {
        let mut collector = HashCollector::new(3);
        collector.feed(&b"0123456789abcdfghijklmnpqrsvwxyz".repeat(2));
        let collected = collector.finish();
        assert_eq!((collected.hashes.len(), collected.overflowed), (3, true));
    }
}
