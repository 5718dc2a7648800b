use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Arc, Mutex, PoisonError};

use super::LocalStore;
use super::header::BLOCK;
use super::rules::Owner;
use nixdive_scan::{ReadAt, Section};

/// Type of an entry.
pub(super) enum Type {
    Directory,
    File { bytes: u64 },
    Symlink(Box<[u8]>),
}

/// An entry of the stream.
pub(super) struct Entry {
    pub name: Box<[u8]>,
    /// Path in the store, if it differs from the name.
    pub source: Option<Box<[u8]>>,
    pub kind: Type,
    pub mode: u32,
    pub owner: u32,
    /// Offset of its header.
    pub start: u64,
    pub header_bytes: u32,
}

impl Entry {
    pub fn file_bytes(&self) -> u64 {
        if let Type::File { bytes } = self.kind { bytes } else { 0 }
    }
}

/// The tar stream of some store paths. Headers are generated and files opened when their bytes are read.
pub struct StoreTar {
    store: LocalStore,
    entries: Vec<Entry>,
    owners: Vec<Owner>,
    /// Offset of the end of the last entry; two blocks of zeros follow.
    end: u64,
    /// The file that was read last, with the index of its entry.
    open: Mutex<Option<(usize, Arc<File>)>>,
}

impl StoreTar {
    pub(super) fn new(store: LocalStore, entries: Vec<Entry>, owners: Vec<Owner>, end: u64) -> Self {
        Self { store, entries, owners, end, open: Mutex::new(None) }
    }

    /// Returns the length of the stream in bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.end.saturating_add(2 * BLOCK as u64)
    }

    /// Converts the stream to a section that can be read at any offset.
    #[must_use]
    pub fn into_section(self) -> Section {
        let length = self.length();
        Section::new(Arc::new(self), 0, length)
    }

    /// Reads from the part of the stream at `offset`: a header, a content, or the zeros after it.
    fn read_part(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let after = self.entries.partition_point(|entry| entry.start <= offset);
        let Some((place, entry)) = after.checked_sub(1).and_then(|place| Some((place, self.entries.get(place)?)))
        else {
            return Ok(zeros(buffer, self.length().saturating_sub(offset)));
        };
        let within = offset - entry.start;
        let header_bytes = u64::from(entry.header_bytes);
        if within < header_bytes {
            let header = entry.header(&self.owners).write();
            let rest = usize::try_from(within).ok().and_then(|within| header.get(within..)).unwrap_or_default();
            let count = rest.len().min(buffer.len());
            buffer.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            return Ok(count);
        }
        let within = within - header_bytes;
        if within < entry.file_bytes() {
            let left = usize::try_from(entry.file_bytes() - within).unwrap_or(usize::MAX);
            let most = left.min(buffer.len());
            return self.read_file(place, entry, buffer.get_mut(..most).unwrap_or_default(), within);
        }
        let next = self.entries.get(after).map_or(self.length(), |next| next.start);
        Ok(zeros(buffer, next.saturating_sub(offset)))
    }

    fn read_file(&self, place: usize, entry: &Entry, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let file = self.file(place, entry)?;
        match file.read_at(buffer, offset)? {
            0 if !buffer.is_empty() => Err(io::Error::other("a file of the store has changed since it was listed")),
            count => Ok(count),
        }
    }

    fn file(&self, place: usize, entry: &Entry) -> io::Result<Arc<File>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, file)) = &*open
            && *known == place
        {
            return Ok(Arc::clone(file));
        }
        let path = self.store.on_disk(entry.source.as_deref().unwrap_or(&entry.name));
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let flags = i32::try_from(flags.bits()).unwrap_or_default();
        let file = Arc::new(File::options().read(true).custom_flags(flags).open(path)?);
        *open = Some((place, Arc::clone(&file)));
        Ok(file)
    }
}

fn zeros(buffer: &mut [u8], left: u64) -> usize {
    let count = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
    buffer.iter_mut().take(count).for_each(|byte| *byte = 0);
    count
}

impl ReadAt for StoreTar {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.read_part(rest, offset.saturating_add(filled as u64)) {
                Ok(0) => break,
                Ok(count) => filled += count,
                // Return the bytes read so far; the next read reports the error again.
                Err(_) if filled > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}
