use std::io::{self, Write};

use memchr::memmem::Finder;

use crate::store_path::StoreHash;

const LENGTH: usize = StoreHash::LENGTH;

/// Passes a stream on with every occurrence of one hash part replaced, and notes where they were.
///
/// The last 31 bytes are held back until [`HashRewriter::finish`].
#[derive(Debug)]
pub struct HashRewriter<W> {
    out: W,
    finder: Finder<'static>,
    replacement: [u8; LENGTH],
    /// Bytes not passed on yet.
    held: Vec<u8>,
    /// Offset of `held` in the stream, bytes.
    position: u64,
    matches: Vec<u64>,
}

impl<W: Write> HashRewriter<W> {
    /// Occurrences that are noted, eight bytes each; a stream with more is refused.
    pub const MOST_MATCHES: usize = 16 << 20;

    /// A rewriter that puts `replacement` where `hash` stands.
    pub fn new(out: W, hash: &StoreHash, replacement: [u8; LENGTH]) -> Self {
        let finder = Finder::new(hash.as_bytes()).into_owned();
        Self { out, finder, replacement, held: Vec::new(), position: 0, matches: Vec::new() }
    }

    /// Ends the stream; returns the writer and the offsets of the occurrences, bytes.
    ///
    /// # Errors
    /// If writing fails.
    pub fn finish(mut self) -> io::Result<(W, Vec<u64>)> {
        self.out.write_all(&self.held)?;
        self.out.flush()?;
        Ok((self.out, self.matches))
    }
}

impl<W: Write> Write for HashRewriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        let mut at = 0;
        while let Some(found) = self.held.get(at..).and_then(|rest| self.finder.find(rest)) {
            at += found;
            if self.matches.len() >= Self::MOST_MATCHES {
                return Err(io::Error::other("a store path refers to itself too often"));
            }
            self.matches.push(self.position + at as u64);
            if let Some(place) = self.held.get_mut(at..at + LENGTH) {
                place.copy_from_slice(&self.replacement);
            }
            at += LENGTH;
        }
        // What was replaced need not be held back, but cannot be found again either.
        let done = self.held.len().saturating_sub(LENGTH - 1);
        self.out.write_all(self.held.get(..done).unwrap_or_default())?;
        self.held.drain(..done);
        self.position += done as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
