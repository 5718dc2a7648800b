use std::sync::Arc;

use super::candidates::Candidates;
use super::windows::Windows;

/// A hash that a stream holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference {
    /// Its place in the [`Candidates`].
    pub candidate: u32,
    /// Offset of its first occurrence in the stream, bytes.
    pub offset: u64,
}

/// Finds which of a known set of hashes occur in streams of bytes: the method of Nix's `references.cc`.
///
/// The hash counts wherever it stands; neither `/nix/store/` before nor a name after it is asked for. Nix scans a
/// path's NAR; feeding each file's content, each link target and each name as a stream of its own finds the same, as
/// the length before every string of a NAR ends a run of digits. Memory: 4 bytes a candidate.
#[derive(Debug)]
pub struct ReferenceScanner {
    candidates: Arc<Candidates>,
    windows: Windows,
    /// By candidate, the number of the stream in which it was seen last.
    seen_in: Vec<u32>,
    stream: u32,
    found: Vec<Reference>,
}

impl ReferenceScanner {
    /// A scanner for `candidates`, at the beginning of its first stream.
    #[must_use]
    pub fn new(candidates: Arc<Candidates>) -> Self {
        let highest = candidates.highest().map_or(0, |index| index as usize + 1);
        Self { candidates, windows: Windows::new(), seen_in: vec![0; highest], stream: 1, found: Vec::new() }
    }

    /// Takes the next block of the stream.
    pub fn feed(&mut self, block: &[u8]) {
        let Self { candidates, windows, seen_in, stream, found } = self;
        windows.feed(block, |offset, digits| {
            let Some(candidate) = candidates.find(digits) else { return };
            if let Some(seen) = seen_in.get_mut(candidate as usize)
                && *seen != *stream
            {
                *seen = *stream;
                found.push(Reference { candidate, offset });
            }
        });
    }

    /// Returns the references found in the stream so far, in the order of first occurrence.
    #[must_use]
    pub fn found(&self) -> &[Reference] {
        &self.found
    }

    /// Ends the stream, gives out what it held, and begins the next.
    pub fn finish(&mut self) -> Vec<Reference> {
        self.windows.reset();
        self.stream = self.stream.wrapping_add(1);
        if self.stream == 0 {
            self.seen_in.fill(0);
            self.stream = 1;
        }
        std::mem::take(&mut self.found)
    }

    /// Returns the references in one whole text. Must not be called in the middle of a stream.
    pub fn scan(&mut self, text: &[u8]) -> Vec<Reference> {
        self.feed(text);
        self.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StoreHash;
    use proptest::prelude::*;

    const GLIBC: &str = "hmnypiai2d9q9ri3yd4kdycjp1rg1027";
    const ZLIB: &str = "gb2xyah4glff302brys92gn99xv4gjvr";

    fn scanner() -> ReferenceScanner {
        let hashes = [GLIBC, ZLIB].map(|hash| StoreHash::new(hash.as_bytes()).unwrap());
        ReferenceScanner::new(Arc::new(Candidates::new(hashes)))
    }

    #[test]
    fn a_hash_counts_wherever_it_stands() {
        let mut scanner = scanner();
        let bare = scanner.scan(format!("\0{ZLIB}\0").as_bytes());
        assert_eq!(bare, [Reference { candidate: 1, offset: 1 }]);
        let within_digits = scanner.scan(format!("0{GLIBC}0{GLIBC}").as_bytes());
        assert_eq!(within_digits, [Reference { candidate: 0, offset: 1 }], "once, where it stands first");
        assert_eq!(scanner.scan(b"/nix/store/eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee-scrubbed"), []);
    }

    #[test]
    fn streams_do_not_run_into_each_other() {
        let mut scanner = scanner();
        let (first, second) = GLIBC.as_bytes().split_at(10);
        assert_eq!(scanner.scan(first), []);
        assert_eq!(scanner.scan(second), []);
        scanner.feed(first);
        scanner.feed(second);
        assert_eq!(scanner.finish(), [Reference { candidate: 0, offset: 0 }]);
    }

    proptest! {
        #[test]
        fn found_in_blocks_of_any_size(before in 0usize..100, sizes in proptest::collection::vec(1usize..50, 1..8)) {
            let text = format!("{}{GLIBC}-x {ZLIB}", "a".repeat(before));
            let mut scanner = scanner();
            let mut rest = text.as_bytes();
            for &size in sizes.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (block, after) = rest.split_at(size.min(rest.len()));
                scanner.feed(block);
                rest = after;
            }
            let found: Vec<_> = scanner.finish().iter().map(|found| (found.candidate, found.offset)).collect();
            prop_assert_eq!(found, [(0, before as u64), (1, before as u64 + 35)]);
        }
    }
}
