mod archives;
mod differences;
mod elf;
mod highlighting;
mod kinds;
mod text;
mod tree;

use std::io;
use std::sync::Arc;

use super::Section;
use nixdive_scan::ReadAt;

/// A long file of zeros in which some bytes stand, and which counts what is read of it.
pub(super) struct Long {
    pub bytes: u64,
    pub pieces: Vec<(u64, Vec<u8>)>,
    pub read: std::sync::atomic::AtomicU64,
    pub fill: u8,
}

impl Long {
    pub fn section(self) -> (Section, Arc<Self>) {
        let length = self.bytes;
        let shared = Arc::new(self);
        (Section::new(Arc::clone(&shared) as Arc<dyn ReadAt>, 0, length), shared)
    }

    pub fn bytes_read(&self) -> u64 {
        self.read.load(std::sync::atomic::Ordering::Relaxed)
    }
}

impl ReadAt for Long {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let left = self.bytes.saturating_sub(offset);
        let count = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        buffer[..count].fill(self.fill);
        for (start, piece) in &self.pieces {
            for (at, &byte) in (*start..).zip(piece) {
                if let Some(place) = at.checked_sub(offset).filter(|&place| place < count as u64) {
                    buffer[place as usize] = byte;
                }
            }
        }
        self.read.fetch_add(count as u64, std::sync::atomic::Ordering::Relaxed);
        Ok(count)
    }
}

/// A program of the system, where this one is; else a skip with its reason.
pub(super) fn program(name: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|directory| directory.join(name)).find(|file| file.is_file());
    if found.is_none() {
        assert!(std::env::var_os("NIXDIVE_LIVE").is_none_or(|live| live != "1"), "{name} is missing");
        println!("skipped: {name} is missing");
    }
    found
}
