//! The table `Packages(hnum INTEGER PRIMARY KEY, blob BLOB)` of an SQLite file (sqlite.org/fileformat2.html).
//!
//! Only what that table needs: table b-trees, overflow pages and records. A write-ahead log beside the file is not
//! read; rpm leaves none behind when it ends.

use super::super::database::Malformed;
use super::fields::{slice, u16_be, u32_be};
use super::{Budget, Visited};

const MAGIC: &[u8] = b"SQLite format 3\0";
const FILE_HEADER_BYTES: usize = 100;
const TABLE_INTERIOR: u8 = 0x05;
const TABLE_LEAF: u8 = 0x0d;
const DAMAGED: Malformed = Malformed("is an SQLite database with a damaged page");

/// Calls `visit` with each blob of the table `Packages`.
pub(super) fn for_each_blob(content: &[u8], visit: &mut dyn FnMut(&[u8])) -> Result<(), Malformed> {
    let mut file = File::open(content).ok_or(Malformed("is no SQLite database"))?;
    let mut root = None;
    file.walk(1, &mut |record| root = root.or_else(|| root_of_packages(record)))?;
    let root = root.ok_or(Malformed("is an SQLite database without a table Packages"))?;
    file.walk(root, &mut |record| {
        if let Some(blob) = column(record, 1) {
            visit(blob);
        }
    })
}

/// Of a row of `sqlite_schema(type, name, tbl_name, rootpage, sql)`: the root page, where it is the table `Packages`.
fn root_of_packages(record: &[u8]) -> Option<u32> {
    let is_table = column(record, 0)? == b"table" && column(record, 1)?.eq_ignore_ascii_case(b"Packages");
    let number = column(record, 3).filter(|number| is_table && number.len() <= 4)?;
    Some(number.iter().fold(0, |value, &byte| value << 8 | u32::from(byte)))
}

/// The bytes of a column of a record: a header of serial types, then the values.
fn column(record: &[u8], wanted: usize) -> Option<&[u8]> {
    let (header_bytes, mut at) = varint(record, 0)?;
    let header_bytes = usize::try_from(header_bytes).ok()?;
    let header = record.get(..header_bytes)?;
    let mut value_at = header_bytes;
    for _ in 0..wanted {
        let (serial, next) = varint(header, at)?;
        value_at = value_at.checked_add(serial_bytes(serial)?)?;
        at = next;
    }
    let (serial, _) = varint(header, at)?;
    slice(record, value_at, serial_bytes(serial)?)
}

fn serial_bytes(serial: u64) -> Option<usize> {
    match serial {
        0 | 8 | 9 => Some(0),
        1..=4 => Some(serial as usize),
        5 => Some(6),
        6 | 7 => Some(8),
        10 | 11 => None,
        _ => usize::try_from((serial - 12) / 2).ok(),
    }
}

/// A variable-length integer, and where it ends.
fn varint(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut value = 0u64;
    for (index, &byte) in bytes.get(at..)?.iter().take(9).enumerate() {
        if index == 8 {
            return Some((value << 8 | u64::from(byte), at + 9));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte < 0x80 {
            return Some((value, at + index + 1));
        }
    }
    None
}

struct File<'a> {
    content: &'a [u8],
    page_bytes: usize,
    /// Bytes of a page that are in use: an extension may reserve some at the end.
    usable_bytes: usize,
    visited: Visited,
    budget: Budget,
    /// The record at hand, where it lies over several pages.
    gathered: Vec<u8>,
}

impl<'a> File<'a> {
    fn open(content: &'a [u8]) -> Option<Self> {
        let header = content.get(..FILE_HEADER_BYTES).filter(|header| header.starts_with(MAGIC))?;
        let page_bytes = match u16_be(header, 16)? {
            1 => 65_536,
            bytes => usize::from(bytes),
        };
        let usable_bytes = page_bytes.checked_sub(usize::from(*header.get(20)?))?;
        let valid = page_bytes.is_power_of_two() && page_bytes >= 512 && usable_bytes >= 480;
        valid.then(|| Self {
            content,
            page_bytes,
            usable_bytes,
            visited: Visited::new(content.len() / page_bytes + 1),
            budget: Budget(content.len()),
            gathered: Vec::new(),
        })
    }

    /// A page by its number, which counts from 1. Each is given out once.
    fn page(&mut self, number: u32) -> Result<&'a [u8], Malformed> {
        let index = (number as usize).checked_sub(1).ok_or(DAMAGED)?;
        let start = index.checked_mul(self.page_bytes).ok_or(DAMAGED)?;
        let page = slice(self.content, start, self.page_bytes).ok_or(DAMAGED)?;
        if !self.visited.first(index) {
            return Err(DAMAGED);
        }
        Ok(page)
    }

    /// Calls `visit` with each record of the table whose b-tree has this root.
    fn walk(&mut self, root: u32, visit: &mut dyn FnMut(&[u8])) -> Result<(), Malformed> {
        let mut pages = vec![root];
        while let Some(number) = pages.pop() {
            let page = self.page(number)?;
            let header_at = if number == 1 { FILE_HEADER_BYTES } else { 0 };
            let kind = page.get(header_at).copied();
            let cells = u16_be(page, header_at + 3).map_or(0, usize::from);
            let pointers_at = header_at + if kind == Some(TABLE_INTERIOR) { 12 } else { 8 };
            let pointers = slice(page, pointers_at, cells * 2).ok_or(DAMAGED)?;
            let cells = pointers.chunks_exact(2).filter_map(|pointer| u16_be(pointer, 0)).map(usize::from);
            match kind {
                Some(TABLE_INTERIOR) => {
                    // The stack gives pages out last first.
                    pages.push(u32_be(page, header_at + 8).ok_or(DAMAGED)?);
                    for cell in cells.rev() {
                        pages.push(u32_be(page, cell).ok_or(DAMAGED)?);
                    }
                }
                Some(TABLE_LEAF) => {
                    for cell in cells {
                        self.record(page, cell, visit)?;
                    }
                }
                _ => return Err(DAMAGED),
            }
        }
        Ok(())
    }

    /// Calls `visit` with the record of one cell of a leaf page.
    fn record(&mut self, page: &'a [u8], cell: usize, visit: &mut dyn FnMut(&[u8])) -> Result<(), Malformed> {
        let (payload_bytes, at) = varint(page, cell).ok_or(DAMAGED)?;
        let (_row, at) = varint(page, at).ok_or(DAMAGED)?;
        let payload_bytes = usize::try_from(payload_bytes).map_err(|_| DAMAGED)?;
        self.budget.spend(payload_bytes).ok_or(DAMAGED)?;
        let local_bytes = self.local_bytes(payload_bytes);
        let local = slice(page, at, local_bytes).ok_or(DAMAGED)?;
        if local_bytes == payload_bytes {
            visit(local);
            return Ok(());
        }
        let mut next = u32_be(page, at + local_bytes).ok_or(DAMAGED)?;
        self.gathered.clear();
        self.gathered.extend_from_slice(local);
        while self.gathered.len() < payload_bytes {
            let overflow = self.page(next)?;
            next = u32_be(overflow, 0).ok_or(DAMAGED)?;
            let bytes = (payload_bytes - self.gathered.len()).min(self.usable_bytes - 4);
            self.gathered.extend_from_slice(slice(overflow, 4, bytes).ok_or(DAMAGED)?);
        }
        visit(&self.gathered);
        Ok(())
    }

    /// How much of a payload is stored in the leaf itself ("Cell Payload Overflow Pages").
    fn local_bytes(&self, payload_bytes: usize) -> usize {
        let most = self.usable_bytes - 35;
        if payload_bytes <= most {
            return payload_bytes;
        }
        let least = (self.usable_bytes - 12) * 32 / 255 - 23;
        let filling = least + (payload_bytes - least) % (self.usable_bytes - 4);
        if filling <= most { filling } else { least }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::sqlite_file;
    use super::*;
    use proptest::prelude::*;

    fn read(content: &[u8]) -> Result<Vec<Vec<u8>>, Malformed> {
        let mut blobs = Vec::new();
        for_each_blob(content, &mut |blob| blobs.push(blob.to_vec())).map(|()| blobs)
    }

    #[test]
    fn numbers_of_one_to_nine_bytes_are_read() {
        assert_eq!(varint(&[0x7f], 0), Some((0x7f, 1)));
        assert_eq!(varint(&[0x81, 0x00], 0), Some((0x80, 2)));
        assert_eq!(varint(&[0xff; 9], 0), Some((u64::MAX, 9)));
        assert_eq!(varint(&[0x81], 0), None);
    }

    #[test]
    fn a_page_that_points_at_itself_ends_the_reading() {
        let mut file = sqlite_file(&[vec![1; 9000]], 512);
        // The first overflow page of the only blob is the last but some; make every overflow page its own successor.
        let pages = file.len() / 512;
        for page in 3..pages {
            file[page * 512..page * 512 + 4].copy_from_slice(&(page as u32 + 1).to_be_bytes());
        }
        assert_eq!(read(&file), Err(DAMAGED));
    }

    #[test]
    fn cells_that_are_all_the_same_end_the_reading() {
        let mut file = sqlite_file(&[vec![1; 200]], 512);
        let leaf = 512 * 2;
        let cell: [u8; 2] = file[leaf + 8..leaf + 10].try_into().unwrap();
        file[leaf + 4] = 100;
        for pointer in 0..100 {
            file[leaf + 8 + pointer * 2..][..2].copy_from_slice(&cell);
        }
        assert_eq!(read(&file), Err(DAMAGED));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            lengths in proptest::collection::vec(0usize..6000, 0..24),
            page_bytes in prop_oneof![Just(512usize), Just(4096), Just(65_536)],
        ) {
            let blobs: Vec<Vec<u8>> = lengths
                .iter()
                .enumerate()
                .map(|(index, &length)| (0..length).map(|at| (at / 7 + index) as u8).collect())
                .collect();
            prop_assert_eq!(read(&sqlite_file(&blobs, page_bytes)), Ok(blobs));
        }

        #[test]
        fn damage_anywhere_never_panics(
            damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..12),
        ) {
            let mut file = sqlite_file(&[vec![1; 600], vec![2; 3000], vec![3; 10]], 512);
            for (place, byte) in damage {
                let place = place.index(file.len());
                file[place] = byte;
            }
            let _ = read(&file);
        }
    }
}
