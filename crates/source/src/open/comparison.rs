use std::io::Read;

use sha2::{Digest as _, Sha256};

use super::Contents;
use nixdive_image::{ContentComparison, FileTree, OccurrenceId};
use nixdive_scan::identity_of;

/// Compares files by their stored bytes, or by the hashes taken while they were streamed.
pub(super) struct StoredComparison<'a> {
    contents: &'a Contents,
    older_buffer: Vec<u8>,
    newer_buffer: Vec<u8>,
    failure: Option<String>,
    /// Bytes that may still be read; `None` for no limit.
    bytes_left: Option<u64>,
    exact: bool,
}

impl<'a> StoredComparison<'a> {
    /// Creates a comparison that reads at most `bytes` bytes of each side in total.
    pub fn new(contents: &'a Contents, bytes: Option<u64>) -> Self {
        let buffer = || vec![0; 64 << 10];
        let (older_buffer, newer_buffer) = (buffer(), buffer());
        Self { contents, older_buffer, newer_buffer, failure: None, bytes_left: bytes, exact: true }
    }

    /// Returns `true` if no file was skipped because of its length.
    pub fn is_exact(&self) -> bool {
        self.exact
    }

    /// Returns `true` if a file of `bytes` bytes may be read, and counts its bytes.
    fn afford(&mut self, bytes: u64) -> bool {
        let Some(left) = self.bytes_left else { return true };
        match left.checked_sub(bytes) {
            Some(rest) => self.bytes_left = Some(rest),
            None => self.exact = false,
        }
        left >= bytes
    }

    /// Returns a sentence about the first file that could not be compared.
    pub fn failure(self) -> Option<String> {
        self.failure
    }

    fn compare(&mut self, tree: &FileTree, older: OccurrenceId, newer: OccurrenceId) -> Result<bool, String> {
        let open = |id| self.contents.reader(tree, id).map_err(|error| error.to_string());
        let failed = |error: std::io::Error| error.to_string();
        let listed = |id| self.contents.listed_digest(tree, id);
        if let (Some(older), Some(newer)) = (tree.content_hash(older), tree.content_hash(newer)) {
            return Ok(older == newer);
        }
        if let (Some(older), Some(newer)) = (listed(older), listed(newer)) {
            return Ok(older == newer);
        }
        if !self.afford(tree.occurrence(newer).bytes) {
            return Ok(false);
        }
        // Local files are read rather than fetched.
        let is_dense = |id| tree.sparse(id).is_none();
        match (listed(older), listed(newer)) {
            (Some(known), None) if is_dense(newer) => {
                return Ok(known == sha256_of(&mut open(newer)?).map_err(failed)?);
            }
            (None, Some(known)) if is_dense(older) => {
                return Ok(known == sha256_of(&mut open(older)?).map_err(failed)?);
            }
            _ => {}
        }
        match (tree.content_hash(older), tree.content_hash(newer)) {
            (Some(known), None) => return Ok(*known == identity_of(&mut open(newer)?).map_err(failed)?),
            (None, Some(known)) => return Ok(*known == identity_of(&mut open(older)?).map_err(failed)?),
            _ => {}
        }
        if tree.sparse(older) != tree.sparse(newer) {
            return Ok(false);
        }
        // If two sparse files have the same runs, compare only the runs: the unpacked content may be arbitrarily long.
        let stored = |id| self.contents.stored(tree, id).map_err(|error| error.to_string());
        let sparse = tree.sparse(older).is_some();
        let (mut below, mut above) =
            if sparse { (stored(older)?, stored(newer)?) } else { (open(older)?, open(newer)?) };
        loop {
            let count = read_full(&mut below, &mut self.older_buffer).map_err(failed)?;
            let other = read_full(&mut above, &mut self.newer_buffer).map_err(failed)?;
            if self.older_buffer[..count] != self.newer_buffer[..other] {
                return Ok(false);
            }
            if count < self.older_buffer.len() {
                return Ok(true);
            }
        }
    }
}

impl ContentComparison for StoredComparison<'_> {
    fn same_content(&mut self, tree: &FileTree, older: OccurrenceId, newer: OccurrenceId) -> bool {
        self.compare(tree, older, newer).unwrap_or_else(|reason| {
            let path = tree.path(tree.occurrence(newer).node());
            let name = nixdive_base::text::display_name(&path).into_owned();
            self.failure.get_or_insert_with(|| {
                format!("{name} could not be compared with the lower copy ({reason}); it counts as modified")
            });
            false
        })
    }
}

fn sha256_of(reader: &mut dyn Read) -> std::io::Result<[u8; 32]> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(hash.finalize().into()),
            Ok(count) => hash.update(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn read_full(reader: &mut dyn Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
