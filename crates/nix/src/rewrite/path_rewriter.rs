use std::io::{self, Write};

use hashbrown::HashMap;
use memchr::memmem::Finder;

use crate::store_path::{STORE_DIRECTORY, StoreHash, StorePath};

/// Offset of the hash in a printed store path.
const PREFIX: usize = STORE_DIRECTORY.len() + 1;

/// Passes a stream on with printed store paths (`/nix/store/<hash>-<name>`) replaced by others of the same name. A hash
/// that stands alone is left as it is: Nix's `make-content-addressed` does the same.
#[derive(Debug)]
pub struct StorePathRewriter<W> {
    out: W,
    finder: Finder<'static>,
    replacements: HashMap<StoreHash, (StorePath, StoreHash)>,
    longest: usize,
    held: Vec<u8>,
}

impl<W: Write> StorePathRewriter<W> {
    /// A rewriter that gives each of some store paths another hash.
    pub fn new(out: W, replacements: impl IntoIterator<Item = (StorePath, StoreHash)>) -> Self {
        let replacements: HashMap<_, _> = replacements.into_iter().map(|pair| (pair.0.hash(), pair)).collect();
        let longest = replacements.values().map(|(path, _)| PREFIX + path.base_name().len()).max().unwrap_or(1);
        let finder = Finder::new("/nix/store/").into_owned();
        Self { out, finder, replacements, longest, held: Vec::new() }
    }

    /// Ends the stream and returns the writer.
    ///
    /// # Errors
    /// If writing fails.
    pub fn finish(mut self) -> io::Result<W> {
        self.rewrite(true)?;
        self.out.flush()?;
        Ok(self.out)
    }

    /// Replaces and passes on what is held, but for an end in which a store path may have begun.
    fn rewrite(&mut self, complete: bool) -> io::Result<()> {
        let kept = if complete { 0 } else { self.longest - 1 };
        let end = self.held.len().saturating_sub(kept);
        let mut at = 0;
        while let Some(found) = self.held.get(at..).and_then(|rest| self.finder.find(rest)) {
            let start = at + found;
            if start >= end {
                break;
            }
            at = start + PREFIX;
            let Some(rest) = self.held.get_mut(at..) else { break };
            let hash = rest.get(..StoreHash::LENGTH).and_then(StoreHash::new);
            let Some((path, replacement)) = hash.and_then(|hash| self.replacements.get(&hash)) else { continue };
            if rest.starts_with(path.base_name().as_bytes())
                && let Some(place) = rest.first_chunk_mut()
            {
                *place = *replacement.as_bytes();
            }
        }
        self.out.write_all(self.held.get(..end).unwrap_or_default())?;
        self.held.drain(..end);
        Ok(())
    }
}

impl<W: Write> Write for StorePathRewriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.replacements.is_empty() {
            return self.out.write(bytes);
        }
        self.held.extend_from_slice(bytes);
        self.rewrite(false)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
