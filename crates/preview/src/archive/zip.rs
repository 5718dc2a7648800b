use std::io;

use super::{ArchiveEntry, ArchiveListing, MOST_NAME, invalid};
use nixdive_image::Kind;
use nixdive_scan::Section;

/// Bytes of the central directory that are read.
const MOST_DIRECTORY: u64 = 16 << 20;
/// Bytes of the record that ends an archive, and of its longest comment.
const END: usize = 22;
const LONGEST_COMMENT: u64 = 0xffff;
/// Bytes of a central header without its names.
const HEADER: usize = 46;

/// Lists a ZIP archive by its central directory (APPNOTE.TXT 6.3.10, sections 4.3.12 to 4.3.16).
pub(super) fn list(content: &Section, listing: &mut ArchiveListing) -> io::Result<()> {
    let (offset, length) = directory(content)?;
    let mut directory = vec![0; length.min(MOST_DIRECTORY) as usize];
    let count = content.read_full_at(&mut directory, offset)?;
    let mut rest = directory.get(..count).unwrap_or_default();
    while rest.starts_with(b"PK\x01\x02") && rest.len() >= HEADER {
        let [name_bytes, extra_bytes, comment_bytes] = [28, 30, 32].map(|at| number(rest, at, 2) as usize);
        let name = rest.get(HEADER..HEADER + name_bytes.min(MOST_NAME as usize)).unwrap_or_default();
        let extra = rest.get(HEADER + name_bytes..HEADER + name_bytes + extra_bytes).unwrap_or_default();
        let by_unix = rest.get(5) == Some(&3);
        let mode = (number(rest, 38, 4) >> 16) as u32;
        let kind = match mode & 0o170_000 {
            _ if name.ends_with(b"/") => Kind::Directory,
            0o120_000 if by_unix => Kind::Symlink,
            _ => Kind::File,
        };
        let bytes = match number(rest, 24, 4) {
            0xffff_ffff => wide_bytes(extra).unwrap_or(0xffff_ffff),
            bytes => bytes,
        };
        let mode = (by_unix && mode != 0).then_some((mode & 0o7777) as u16);
        if !listing.push(ArchiveEntry { name: name.to_vec(), kind, bytes, mode, link: None }) {
            return Ok(());
        }
        rest = rest.get(HEADER + name_bytes + extra_bytes + comment_bytes..).unwrap_or_default();
    }
    if (count as u64) < length {
        return Err(invalid("the directory of the archive exceeds the read limit"));
    }
    Ok(())
}

/// Returns the offset of the central directory and its size, bytes.
fn directory(content: &Section) -> io::Result<(u64, u64)> {
    let start = content.length().saturating_sub(END as u64 + LONGEST_COMMENT);
    let mut tail = vec![0; (content.length() - start) as usize];
    let count = content.read_full_at(&mut tail, start)?;
    tail.truncate(count);
    let found = memchr::memmem::rfind(&tail, b"PK\x05\x06").filter(|&at| tail.len() - at >= END);
    let at = found.ok_or_else(|| invalid("the directory at the end of the archive is missing"))?;
    let end = &tail[at..];
    let (length, offset) = (number(end, 12, 4), number(end, 16, 4));
    if offset != 0xffff_ffff && length != 0xffff_ffff {
        return Ok((offset, length));
    }
    // ZIP64: a locator of 20 bytes stands before the end and leads to a record with 64-bit numbers.
    let locator = at.checked_sub(20).and_then(|at| tail.get(at..)).filter(|bytes| bytes.starts_with(b"PK\x06\x07"));
    let record_at = number(locator.ok_or_else(|| invalid("the ZIP64 locator is missing"))?, 8, 8);
    let mut record = [0; 56];
    if content.read_full_at(&mut record, record_at)? < record.len() || !record.starts_with(b"PK\x06\x06") {
        return Err(invalid("the ZIP64 record is missing"));
    }
    Ok((number(&record, 48, 8), number(&record, 40, 8)))
}

/// The unpacked size in the ZIP64 extra field (section 4.5.3), bytes.
fn wide_bytes(extra: &[u8]) -> Option<u64> {
    let mut rest = extra;
    while rest.len() >= 4 {
        let length = number(rest, 2, 2) as usize;
        if number(rest, 0, 2) == 1 && length >= 8 && rest.len() >= 12 {
            return Some(number(rest, 4, 8));
        }
        rest = rest.get(4 + length..)?;
    }
    None
}

/// A little-endian number; 0 where it is not there.
fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    let field = bytes.get(at..at + length).unwrap_or_default();
    field.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}
