use std::io::{self, Read};

use hashbrown::HashMap;

use crate::open::{ContentError, Opened};
use nixdive_image::{NodeId, OccurrenceId};
use nixdive_nix::StoreHash;

/// Bytes shown before and after a hash, as in `nix why-depends --precise`.
const AROUND: u64 = 32;

/// Bytes around positions, by file and position.
pub type Excerpts = HashMap<(NodeId, u64), Vec<u8>>;

/// Returns the bytes around hashes in files: `places` are files with the offsets of hashes in them. A compressed layer
/// is unpacked once for all of them. Unreadable files are omitted.
#[must_use]
pub fn excerpts(opened: &Opened, places: &[(NodeId, u64)]) -> Excerpts {
    let tree = &opened.image.tree;
    let mut wanted: HashMap<OccurrenceId, Vec<(NodeId, u64)>> = HashMap::new();
    for &(node, offset) in places {
        let occurrence = tree.top_layer().and_then(|top| tree.visible_at(node, top));
        if let Some(content) = occurrence.and_then(|id| tree.content_of(id)) {
            wanted.entry(content).or_default().push((node, offset));
        }
    }
    let mut found = Excerpts::new();
    let ids: Vec<OccurrenceId> = wanted.keys().copied().collect();
    // What was found before an error is shown; an excerpt more is not worth failing for.
    let _: Result<(), ContentError> = opened.contents.for_each(tree, &ids, &mut |id, reader| {
        let mut places = wanted.get(&id).cloned().unwrap_or_default();
        places.sort_unstable_by_key(|&(_, offset)| offset);
        let mut window = Window { reader, bytes: Vec::new(), start: 0 };
        for (node, offset) in places {
            found.insert((node, offset), window.around(offset)?);
        }
        Ok(())
    });
    found
}

/// A run of bytes that moves forward over a stream.
struct Window<'r> {
    reader: &'r mut dyn Read,
    bytes: Vec<u8>,
    /// Offset of the run in the stream.
    start: u64,
}

impl Window<'_> {
    /// Returns the bytes around a hash at `offset`; must be called in ascending order.
    fn around(&mut self, offset: u64) -> io::Result<Vec<u8>> {
        let from = offset.saturating_sub(AROUND);
        let end = offset.saturating_add(StoreHash::LENGTH as u64 + AROUND);
        let known = from.saturating_sub(self.start).min(self.bytes.len() as u64);
        self.bytes.drain(..usize::try_from(known).unwrap_or(usize::MAX));
        self.start += known;
        if self.bytes.is_empty() && self.start < from {
            let gap = from - self.start;
            self.start += io::copy(&mut self.reader.take(gap), &mut io::sink())?;
        }
        let missing = end.saturating_sub(self.start).saturating_sub(self.bytes.len() as u64);
        self.reader.take(missing).read_to_end(&mut self.bytes)?;
        Ok(self.bytes.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excerpts_overlap_and_end_with_the_file() {
        let bytes: Vec<u8> = (0..=255).collect();
        let mut reader = bytes.as_slice();
        let mut window = Window { reader: &mut reader, bytes: Vec::new(), start: 0 };
        for offset in [0u64, 10, 10, 100, 150, 240] {
            let expected = &bytes[offset.saturating_sub(32) as usize..(offset as usize + 64).min(256)];
            assert_eq!(window.around(offset).unwrap(), expected, "at {offset}");
        }
    }
}
