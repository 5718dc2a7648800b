use std::io::Read;

use super::Contents;
use crate::image::{ContentComparison, FileTree, OccurrenceId};
use crate::scan::identity_of;

/// Compares files by their stored bytes, or by the identity that was taken when they came by.
pub(super) struct StoredComparison<'a> {
    contents: &'a Contents,
    older_buffer: Vec<u8>,
    newer_buffer: Vec<u8>,
    failure: Option<String>,
}

impl<'a> StoredComparison<'a> {
    pub fn new(contents: &'a Contents) -> Self {
        Self { contents, older_buffer: vec![0; 64 << 10], newer_buffer: vec![0; 64 << 10], failure: None }
    }

    /// The first file that could not be compared, as a sentence.
    pub fn failure(self) -> Option<String> {
        self.failure
    }

    fn compare(&mut self, tree: &FileTree, older: OccurrenceId, newer: OccurrenceId) -> Result<bool, String> {
        let open = |id| self.contents.reader(tree, id).map_err(|error| error.to_string());
        let failed = |error: std::io::Error| error.to_string();
        match (tree.content_hash(older), tree.content_hash(newer)) {
            (Some(older), Some(newer)) => return Ok(older == newer),
            (Some(known), None) => return Ok(*known == identity_of(&mut open(newer)?).map_err(failed)?),
            (None, Some(known)) => return Ok(*known == identity_of(&mut open(older)?).map_err(failed)?),
            (None, None) => {}
        }
        if tree.sparse(older) != tree.sparse(newer) {
            return Ok(false);
        }
        let (mut below, mut above) = (open(older)?, open(newer)?);
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
            let name = crate::image::display_name(&path).into_owned();
            self.failure.get_or_insert_with(|| {
                format!("{name} could not be compared with the copy below it ({reason}); it counts as modified")
            });
            false
        })
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
