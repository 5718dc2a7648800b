//! A Berkeley DB hash file (libdb, `src/dbinc/db_page.h`), the container `Packages` up to RPM 4.15.
//!
//! All hash pages are read in order, without hashing: every value is a header blob, but for a counter that is too
//! short to be one. Numbers are in the byte order of the machine that wrote the file.

use super::super::database::Malformed;
use super::fields::{array, slice};
use nixdive_base::sqlite::{Budget, Visited};

const HASH_MAGIC: u32 = 0x0006_1561;
const PAGE_HEADER_BYTES: usize = 26;
/// Page types: hash pages before and after version 4.6, and overflow.
const HASH_UNSORTED: u8 = 2;
const OVERFLOW: u8 = 7;
const HASH: u8 = 13;
/// Item types: on the page, and on overflow pages.
const KEY_DATA: u8 = 1;
const OFF_PAGE: u8 = 3;
/// The shortest header: its two counts and one index entry. The counter of packages is shorter.
const SHORTEST_BLOB_BYTES: usize = 24;
const DAMAGED: Malformed = Malformed("is a Berkeley DB hash with a damaged page");

/// Calls `visit` with each value that may be a header blob.
pub(super) fn for_each_blob(content: &[u8], visit: &mut dyn FnMut(&[u8])) -> Result<(), Malformed> {
    let mut file = File::open(content).ok_or(Malformed("is not a Berkeley DB hash"))?;
    for number in 1..file.pages {
        let page = file.page(number).ok_or(DAMAGED)?;
        if matches!(page.get(25), Some(&(HASH | HASH_UNSORTED))) {
            file.hash_page(page, visit)?;
        }
    }
    Ok(())
}

fn number(bytes: &[u8], offset: usize, big_endian: bool) -> Option<u32> {
    let number = array(bytes, offset)?;
    Some(if big_endian { u32::from_be_bytes(number) } else { u32::from_le_bytes(number) })
}

struct File<'a> {
    content: &'a [u8],
    big_endian: bool,
    page_bytes: usize,
    pages: usize,
    /// Overflow pages that were read.
    visited: Visited,
    budget: Budget,
    /// The current value, if it spans several pages.
    gathered: Vec<u8>,
}

impl<'a> File<'a> {
    fn open(content: &'a [u8]) -> Option<Self> {
        let magic: [u8; 4] = array(content, 12)?;
        let big_endian = u32::from_be_bytes(magic) == HASH_MAGIC;
        if !big_endian && u32::from_le_bytes(magic) != HASH_MAGIC {
            return None;
        }
        let page_bytes = number(content, 20, big_endian)? as usize;
        if !page_bytes.is_power_of_two() || !(512..=65_536).contains(&page_bytes) {
            return None;
        }
        let last_page = number(content, 32, big_endian)? as usize;
        let pages = (content.len() / page_bytes).min(last_page.saturating_add(1));
        let (visited, budget) = (Visited::new(pages), Budget(content.len()));
        Some(Self { content, big_endian, page_bytes, pages, visited, budget, gathered: Vec::new() })
    }

    fn u32(&self, bytes: &[u8], offset: usize) -> Option<u32> {
        number(bytes, offset, self.big_endian)
    }

    fn u16(&self, bytes: &[u8], offset: usize) -> Option<usize> {
        let number = array(bytes, offset)?;
        Some(usize::from(if self.big_endian { u16::from_be_bytes(number) } else { u16::from_le_bytes(number) }))
    }

    fn page(&self, number: usize) -> Option<&'a [u8]> {
        slice(self.content, number.checked_mul(self.page_bytes)?, self.page_bytes)
    }

    /// Items lie from the end of the page downwards, keys and values in turn, behind a table of where each begins.
    fn hash_page(&mut self, page: &'a [u8], visit: &mut dyn FnMut(&[u8])) -> Result<(), Malformed> {
        let items = self.u16(page, 20).ok_or(DAMAGED)?;
        for value in (1..items).step_by(2) {
            let table_at = PAGE_HEADER_BYTES + value * 2;
            let start = self.u16(page, table_at).ok_or(DAMAGED)?;
            let end = self.u16(page, table_at - 2).ok_or(DAMAGED)?;
            let item = page.get(start..).ok_or(DAMAGED)?;
            match item.first() {
                Some(&OFF_PAGE) => {
                    let first = self.u32(item, 4).ok_or(DAMAGED)?;
                    let length = self.u32(item, 8).ok_or(DAMAGED)?;
                    self.overflow(first as usize, length as usize)?;
                    visit(&self.gathered);
                }
                Some(&KEY_DATA) => {
                    let data = page.get(start + 1..end).ok_or(DAMAGED)?;
                    if data.len() >= SHORTEST_BLOB_BYTES {
                        self.budget.spend(data.len()).ok_or(DAMAGED)?;
                        visit(data);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Gathers a value from its chain of overflow pages.
    fn overflow(&mut self, first: usize, length: usize) -> Result<(), Malformed> {
        self.gathered.clear();
        let mut next = first;
        while self.gathered.len() < length {
            let page = self.page(next).filter(|page| page.get(25) == Some(&OVERFLOW)).ok_or(DAMAGED)?;
            if !self.visited.first(next) {
                return Err(DAMAGED);
            }
            let bytes = self.u16(page, 22).ok_or(DAMAGED)?;
            let data = slice(page, PAGE_HEADER_BYTES, bytes.min(length - self.gathered.len())).ok_or(DAMAGED)?;
            self.gathered.extend_from_slice(data);
            next = self.u32(page, 16).ok_or(DAMAGED)? as usize;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::bdb_file;
    use super::*;
    use proptest::prelude::*;

    fn read(content: &[u8]) -> Result<Vec<Vec<u8>>, Malformed> {
        let mut blobs = Vec::new();
        for_each_blob(content, &mut |blob| blobs.push(blob.to_vec())).map(|()| blobs)
    }

    #[test]
    fn an_overflow_chain_that_ends_in_itself_ends_the_reading() {
        let mut file = bdb_file(&[vec![1; 2000]], false);
        for page in (512..file.len()).step_by(512) {
            file[page + 16..page + 20].copy_from_slice(&((page / 512) as u32).to_le_bytes());
        }
        assert_eq!(read(&file), Err(DAMAGED));
    }

    #[test]
    fn items_that_are_all_the_same_end_the_reading() {
        let mut file = bdb_file(&[vec![1; 100]], false);
        let table: [u8; 4] = file[512 + 26..512 + 30].try_into().unwrap();
        file[512 + 20] = 40;
        for pair in 0..20 {
            file[512 + 26 + pair * 4..][..4].copy_from_slice(&table);
        }
        assert_eq!(read(&file), Err(DAMAGED));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            blobs in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 24..1500), 0..12),
            big_endian: bool,
        ) {
            prop_assert_eq!(read(&bdb_file(&blobs, big_endian)), Ok(blobs));
        }

        #[test]
        fn damage_anywhere_never_panics(
            damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..12),
        ) {
            let mut file = bdb_file(&[vec![1; 60], vec![2; 3000], vec![3; 30]], false);
            for (place, byte) in damage {
                let place = place.index(file.len());
                file[place] = byte;
            }
            let _ = read(&file);
        }
    }
}
