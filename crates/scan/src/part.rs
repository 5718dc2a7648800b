use std::io;

use sha2::{Digest as _, Sha256};

use super::tar::TarInput;
use super::{BlockReader, Tee, Verifier};
use nixdive_base::cancel::Cancel;
use nixdive_image::Digest;

/// A run of bytes of an unpacked stream, read as a tar stream of its own: one layer within an archive, or all of it.
/// Every byte goes into a SHA-256, block by block, before it is looked at.
pub struct Part<'a> {
    reader: &'a mut BlockReader,
    /// Bytes taken from the reader before this began, which belong to it: what it was recognised by.
    start: Vec<u8>,
    start_taken: usize,
    start_hashed: bool,
    /// Bytes of the run that the reader has still to give.
    left: u64,
    /// Position of the reader up to which bytes were hashed.
    hashed_to: u64,
    hash: Option<Sha256>,
    /// Computes a digest by another algorithm beside it.
    verifier: Option<Verifier>,
    position: u64,
    cancel: Cancel,
    watch: Option<Box<Tee<'a>>>,
}

/// A run of bytes that was read to its end.
#[derive(Debug)]
pub struct PartEnd {
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256, where that was asked for.
    pub sha256: Option<[u8; 32]>,
    /// Its digest by another algorithm, where that was asked for.
    pub other: Option<Digest>,
}

impl<'a> Part<'a> {
    /// The next `length` bytes of `reader`.
    #[must_use]
    pub fn new(reader: &'a mut BlockReader, length: u64, hash: bool, cancel: Cancel) -> Self {
        let hashed_to = reader.position();
        Self {
            reader,
            start: Vec::new(),
            start_taken: 0,
            start_hashed: false,
            left: length,
            hashed_to,
            hash: hash.then(Sha256::new),
            verifier: None,
            position: 0,
            cancel,
            watch: None,
        }
    }

    /// Returns up to `most` bytes without consuming them. Must be called before anything else is
    /// read.
    ///
    /// # Errors
    /// If the source fails.
    pub fn peek(&mut self, most: usize) -> io::Result<&[u8]> {
        while self.start.len() < most && self.left > 0 {
            let wanted = (most - self.start.len()).min(usize::try_from(self.left).unwrap_or(usize::MAX));
            let chunk = self.reader.chunk()?;
            let count = chunk.len().min(wanted);
            if count == 0 {
                break;
            }
            self.start.extend_from_slice(&chunk[..count]);
            self.reader.consume(count);
            self.left -= count as u64;
        }
        self.hashed_to = self.reader.position();
        Ok(&self.start)
    }

    /// Hashes what was taken to be looked at, before anybody watched.
    fn hash_start(&mut self) -> io::Result<()> {
        if !self.start_hashed {
            self.start_hashed = true;
            if let Some(hash) = &mut self.hash {
                hash.update(&self.start);
            }
            if let Some(verifier) = &mut self.verifier {
                verifier.update(&self.start);
            }
            if let Some(watch) = &mut self.watch {
                watch(&self.start)?;
            }
        }
        Ok(())
    }

    /// Skips the rest, and returns the length and digests of the whole.
    ///
    /// # Errors
    /// If the source fails.
    pub fn finish(mut self) -> io::Result<PartEnd> {
        self.visit(u64::MAX, &mut |_| {})?;
        let sha256 = self.hash.take().map(|hash| hash.finalize().into());
        Ok(PartEnd { bytes: self.position, sha256, other: self.verifier.take().and_then(Verifier::finish) })
    }

    /// Computes one more digest of the run. To be called before anything is read but what was taken to be looked at.
    pub fn verify(&mut self, verifier: Verifier) {
        self.verifier = Some(verifier);
    }

    /// Returns the buffered bytes, cut off at the end of the run, and hashes them.
    fn chunk(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            return Ok(&[]);
        }
        let position = self.reader.position();
        let chunk = self.reader.chunk()?;
        let length = chunk.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let new_from = usize::try_from(self.hashed_to.saturating_sub(position)).unwrap_or(usize::MAX);
        if let Some(new) = chunk.get(new_from..length)
            && !new.is_empty()
        {
            self.cancel.check()?;
            if let Some(hash) = &mut self.hash {
                hash.update(new);
            }
            if let Some(verifier) = &mut self.verifier {
                verifier.update(new);
            }
            if let Some(watch) = &mut self.watch {
                watch(new)?;
            }
            self.hashed_to = position + length as u64;
        }
        Ok(&chunk[..length])
    }
}

impl TarInput for Part<'_> {
    fn position(&self) -> u64 {
        self.position
    }

    fn take(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        let length = buffer.len() as u64;
        self.visit(length, &mut |piece| {
            buffer[filled..filled + piece.len()].copy_from_slice(piece);
            filled += piece.len();
        })?;
        Ok(filled)
    }

    fn skip(&mut self, length: u64) -> io::Result<u64> {
        self.visit(length, &mut |_| {})
    }

    fn visit(&mut self, length: u64, visit: &mut dyn FnMut(&[u8])) -> io::Result<u64> {
        let mut left = length;
        self.hash_start()?;
        let at_hand = &self.start[self.start_taken..];
        if !at_hand.is_empty() && left > 0 {
            let count = at_hand.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            visit(&at_hand[..count]);
            self.start_taken += count;
            self.position += count as u64;
            left -= count as u64;
        }
        while left > 0 {
            let chunk = self.chunk()?;
            let count = chunk.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            if count == 0 {
                break;
            }
            visit(&chunk[..count]);
            self.reader.consume(count);
            self.left -= count as u64;
            self.position += count as u64;
            left -= count as u64;
        }
        Ok(length - left)
    }

    fn content_comes_by(&self) -> bool {
        true
    }
}

impl<'a> Part<'a> {
    /// Shows every byte of the run to `watch`, once and in order.
    pub fn watch(&mut self, watch: impl FnMut(&[u8]) -> io::Result<()> + 'a) {
        self.watch = Some(Box::new(watch));
    }
}
