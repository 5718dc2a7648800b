//! Positions of the stored bytes of a sparse file: GNU tar manual, "Storing Sparse Files".

use super::TarError;
use super::header::{BLOCK, Header, gnu_sparse_continuation};
use super::pax::{MAX_SEGMENTS, PaxMap, decimal};
use nixdive_image::Segment;

/// Gives the next block of the stream; `None` at the end of an entry's content.
pub(super) type NextBlock<'a> = dyn FnMut() -> Result<Option<[u8; BLOCK]>, TarError> + 'a;

/// A sparse file as its headers describe it.
pub(super) struct SparseMap {
    /// `None` where they do it in no way that can be read.
    segments: Option<Vec<Segment>>,
    /// Unpacked size, bytes.
    bytes: Option<u64>,
}

impl SparseMap {
    /// The oldest form: runs in the header, and in blocks behind it.
    pub fn of_header(header: &Header<'_>, next: &mut NextBlock<'_>) -> Result<Self, TarError> {
        let (mut segments, bytes, mut more) = header.gnu_sparse();
        let mut complete = true;
        while more {
            let Some(block) = next()? else { return Ok(Self { segments: None, bytes }) };
            let (found, follows) = gnu_sparse_continuation(&block);
            complete &= segments.len() + found.len() <= MAX_SEGMENTS;
            if complete {
                segments.extend(found);
            }
            more = follows;
        }
        Ok(Self { segments: complete.then_some(segments), bytes })
    }

    /// The forms of PAX. `next` gives the content, in which the newest form has its runs.
    pub fn of_pax(map: PaxMap, bytes: Option<u64>, next: &mut NextBlock<'_>) -> Result<Self, TarError> {
        let segments = match map {
            PaxMap::InContent => map_in_content(next)?,
            PaxMap::InHeader(segments) => Some(segments),
            PaxMap::Broken => None,
        };
        Ok(Self { segments, bytes })
    }

    /// The runs, and the length of the file in bytes, of which `stored` are stored. `None` where the runs do not follow
    /// each other within the file, or need more than is stored.
    pub fn fitting(self, stored: u64) -> Option<(Vec<Segment>, u64)> {
        let segments = self.segments?;
        let bytes = self.bytes.unwrap_or(stored);
        let (mut end, mut needed) = (0u64, 0u64);
        for segment in &segments {
            let next = segment.file_offset.checked_add(segment.length)?;
            if segment.file_offset < end || next > bytes {
                return None;
            }
            end = next;
            needed += segment.length;
        }
        (needed <= stored).then_some((segments, bytes))
    }
}

/// PAX format 1.0: decimal numbers, a line each, padded to a whole block: the count, then offset and length of each run.
/// `None` where they are something else.
fn map_in_content(next: &mut NextBlock<'_>) -> Result<Option<Vec<Segment>>, TarError> {
    let mut numbers = Vec::new();
    let mut wanted = None;
    let mut line = Vec::new();
    while wanted.is_none_or(|count| numbers.len() < count) {
        let Some(block) = next()? else { return Ok(None) };
        for byte in block {
            // The rest of the map's last block is padding.
            if wanted.is_some_and(|count| numbers.len() >= count) {
                break;
            }
            if byte != b'\n' {
                line.push(byte);
                if line.len() > 20 {
                    return Ok(None);
                }
                continue;
            }
            let Some(value) = decimal(&line) else { return Ok(None) };
            line.clear();
            match (wanted, usize::try_from(value)) {
                (Some(_), _) => numbers.push(value),
                (None, Ok(count)) if count <= MAX_SEGMENTS => wanted = Some(count * 2),
                (None, _) => return Ok(None),
            }
        }
    }
    let run = |pair: &[u64]| Segment { file_offset: pair[0], length: pair[1] };
    Ok(Some(numbers.chunks_exact(2).map(run).collect()))
}
