use std::fs::File;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use super::contents::{ContentError, Contents, LayerStore, open_in, stored_bytes};
use super::spool::Spool;
use nixdive_image::{FileTree, OccurrenceId, Segment};
use nixdive_scan::{ReadAt, Section};

/// Unpacked bytes of one file kept in memory; the rest goes to an unnamed temporary file.
const MEMORY_BYTES: usize = 16 << 20;

impl Contents {
    /// Opens the content of a file, or of a hard link's target, for reading at any offset. Its length is that in the
    /// header; reading past the stored content returns nothing. In a compressed layer, it is unpacked once, as far as
    /// needed.
    ///
    /// # Errors
    /// [`ContentError`] if the content is missing or cannot be opened.
    pub fn random_access(&self, tree: &FileTree, id: OccurrenceId) -> Result<Section, ContentError> {
        let id = tree.content_of(id).ok_or(ContentError::NoContent)?;
        let occurrence = tree.occurrence(id);
        let (offset, length) = (occurrence.offset, stored_bytes(tree, id));
        let number = occurrence.layer.index();
        let stored = match (self.second_part(number, offset, length), self.first_store(number)) {
            (Some(section), _) => section,
            (None, Some(LayerStore::Plain(section))) => section.part(offset, length),
            (None, Some(LayerStore::Packed { .. } | LayerStore::Listed(_))) => {
                Section::new(Arc::new(Unpacking::new(self.stored(tree, id)?)), 0, length)
            }
            (None, Some(LayerStore::Directory(root))) => {
                let file: File = open_in(root, &tree.path(occurrence.node()))?;
                Section::new(Arc::new(file), 0, length)
            }
            (None, Some(LayerStore::Gone | LayerStore::Joined { .. }) | None) => return Err(ContentError::Gone),
        };
        Ok(match tree.sparse(id) {
            Some(segments) => Section::new(Arc::new(Sparse::new(stored, segments)), 0, occurrence.bytes),
            None => Section::new(Arc::new(stored), 0, occurrence.bytes),
        })
    }
}

/// A sparse file: stored runs at their offsets, zeros between them.
struct Sparse {
    stored: Section,
    /// Runs, ordered by offset in the file, each with its offset in the stored bytes.
    runs: Vec<(Segment, u64)>,
}

impl Sparse {
    fn new(stored: Section, segments: &[Segment]) -> Self {
        let mut position = 0u64;
        let mut runs = Vec::with_capacity(segments.len());
        for &segment in segments {
            runs.push((segment, position));
            position = position.saturating_add(segment.length);
        }
        runs.retain(|(segment, _)| segment.length > 0);
        runs.sort_by_key(|(segment, _)| segment.file_offset);
        Self { stored, runs }
    }
}

impl ReadAt for Sparse {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let after = self.runs.partition_point(|(run, _)| run.file_offset <= offset);
        let next = self.runs.get(after).map_or(u64::MAX, |(run, _)| run.file_offset);
        let within = |length: u64, buffer: &[u8]| usize::try_from(length).unwrap_or(usize::MAX).min(buffer.len());
        if let Some((run, start)) = after.checked_sub(1).and_then(|index| self.runs.get(index)) {
            let passed = offset - run.file_offset;
            if passed < run.length {
                let most = within((run.length - passed).min(next - offset), buffer);
                return self.stored.read_at(&mut buffer[..most], start.saturating_add(passed));
            }
        }
        let gap = within(next - offset, buffer);
        buffer[..gap].fill(0);
        Ok(gap)
    }
}

/// Content that can only be unpacked in order: everything unpacked is kept.
struct Unpacking(Mutex<Unpacked>);

struct Unpacked {
    stream: Box<dyn Read + Send>,
    memory: Vec<u8>,
    spool: Option<Spool>,
    ended: bool,
    /// Reason why unpacking cannot continue.
    failure: Option<(io::ErrorKind, String)>,
}

impl Unpacking {
    fn new(stream: Box<dyn Read + Send>) -> Self {
        Self(Mutex::new(Unpacked { stream, memory: Vec::new(), spool: None, ended: false, failure: None }))
    }
}

impl ReadAt for Unpacking {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut unpacked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = offset.saturating_add(buffer.len() as u64);
        let mut piece = vec![0; 64 << 10];
        while unpacked.kept() < wanted && !unpacked.ended {
            if let Err(error) = unpacked.unpack(&mut piece) {
                unpacked.ended = true;
                unpacked.failure = Some((error.kind(), error.to_string()));
            }
        }
        match unpacked.read_kept(buffer, offset)? {
            0 if !buffer.is_empty() => unpacked.missing(),
            count => Ok(count),
        }
    }
}

impl Unpacked {
    fn unpack(&mut self, piece: &mut [u8]) -> io::Result<()> {
        match self.stream.read(piece) {
            Ok(0) => self.ended = true,
            Ok(count) => self.keep(piece.get(..count).unwrap_or_default())?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Returns the result of reading beyond the last byte.
    fn missing(&self) -> io::Result<usize> {
        match &self.failure {
            None => Ok(0),
            Some((kind, failure)) => {
                let message = format!("{failure}; {} bytes of this file could be read", self.kept());
                Err(io::Error::new(*kind, message))
            }
        }
    }

    fn kept(&self) -> u64 {
        self.memory.len() as u64 + self.spool.as_ref().map_or(0, Spool::length)
    }

    fn keep(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (first, rest) = bytes.split_at((MEMORY_BYTES - self.memory.len()).min(bytes.len()));
        self.memory.extend_from_slice(first);
        if rest.is_empty() {
            return Ok(());
        }
        if self.spool.is_none() {
            self.spool = Some(Spool::new()?);
        }
        let room = self.spool.as_mut().is_some_and(|spool| spool.append(rest));
        if room { Ok(()) } else { Err(io::Error::other("no space to store the unpacked file")) }
    }

    fn read_kept(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let in_memory = self.memory.len() as u64;
        if offset < in_memory {
            return self.memory.read_at(buffer, offset);
        }
        let Some(spool) = &self.spool else { return Ok(0) };
        let start = (offset - in_memory).min(spool.length());
        match spool.section(start, spool.length() - start) {
            Some(section) => section.read_at(buffer, 0),
            None => Ok(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_sparse_file_has_zeros_between_its_runs() {
        let segments = [
            Segment { file_offset: 2, length: 3 },
            Segment { file_offset: 7, length: 2 },
            Segment { file_offset: 12, length: 0 },
        ];
        let section = Section::new(Arc::new(Sparse::new(Section::from_bytes(b"abcde".to_vec()), &segments)), 0, 12);
        let mut all = [9; 20];
        assert_eq!(section.read_full_at(&mut all, 0).unwrap(), 12);
        assert_eq!(&all[..12], b"\0\0abc\0\0de\0\0\0");
    }

    proptest! {
        #[test]
        fn what_was_unpacked_is_read_at_any_offset(
            bytes in proptest::collection::vec(any::<u8>(), 0..2000),
            reads in proptest::collection::vec((0usize..2200, 0usize..300), 1..20),
        ) {
            let stream = Box::new(io::Cursor::new(bytes.clone()));
            let section = Section::new(Arc::new(Unpacking::new(stream)), 0, bytes.len() as u64);
            for (offset, length) in reads {
                let mut buffer = vec![0; length];
                let count = section.read_full_at(&mut buffer, offset as u64).unwrap();
                let start = offset.min(bytes.len());
                prop_assert_eq!(&buffer[..count], &bytes[start..(start + length).min(bytes.len())]);
            }
        }

        #[test]
        fn lying_runs_of_a_sparse_file_do_no_harm(
            runs in proptest::collection::vec((any::<u64>(), any::<u64>()), 0..5),
            offset in any::<u64>(),
        ) {
            let segments: Vec<Segment> =
                runs.iter().map(|&(file_offset, length)| Segment { file_offset, length }).collect();
            let _ = Sparse::new(Section::from_bytes(vec![1; 9]), &segments).read_at(&mut [0; 8], offset);
        }
    }
}
