//! Reads bbolt files, in which containerd keeps the names of its images: go.etcd.io/bbolt, `page.go`, `db.go` and
//! `bucket.go`. Takes no lock: reads the whole file, and reads it again if a writer has finished in between.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use hashbrown::HashSet;

/// Maximum bytes of a file.
const MAX_FILE_BYTES: u64 = 512 << 20;
/// Number of attempts to read a file that is being written.
const TRIES: usize = 5;
const MAGIC: u32 = 0xED0C_DAED;
const VERSION: u32 = 2;
const PAGE_HEADER_BYTES: usize = 16;
const ELEMENT_BYTES: usize = 16;
const BUCKET_HEADER_BYTES: usize = 16;
const META_BYTES: usize = 64;
const BRANCH: u16 = 0x01;
const LEAF: u16 = 0x02;
/// Number of times that each element of a file may be read: every bucket is searched once per key.
const MOST_READINGS: usize = 8;
/// Flag of an element whose value is a bucket.
const IS_BUCKET: u32 = 0x01;
/// Page sizes at which the second meta page is looked for if the first is damaged.
const PAGE_SIZES: [usize; 4] = [4096, 8192, 16_384, 65_536];

/// Reason why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BoltError {
    /// The system reports an error.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It does not begin like a bbolt file.
    #[error("not a bbolt database")]
    NotBolt,
    /// A page outside the file, or one that several pages refer to.
    #[error("bbolt database with a damaged page")]
    Damaged,
    /// Longer than any real database.
    #[error("{0} bytes, more than the maximum of {MAX_FILE_BYTES}")]
    TooLong(u64),
    /// It changes faster than it can be read.
    #[error("database changes while it is read; try again")]
    Busy,
}

/// A database in memory.
pub struct Bolt {
    content: Vec<u8>,
    page_bytes: usize,
    root: u64,
    /// Elements that may still be read: overlapping pages could contain more than the file.
    elements_left: Cell<usize>,
}

/// Keys with values or further buckets.
#[derive(Debug, Clone, Copy)]
pub struct Bucket<'a>(Place<'a>);

#[derive(Debug, Clone, Copy)]
enum Place<'a> {
    /// Number of the page at which its tree begins.
    Page(u64),
    /// A page stored inside the element that names it.
    Inline(&'a [u8]),
}

/// Value of a key.
#[derive(Debug, Clone, Copy)]
pub enum Item<'a> {
    /// Bytes.
    Value(&'a [u8]),
    /// A bucket with more keys.
    Bucket(Bucket<'a>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Meta {
    page_bytes: usize,
    root: u64,
    transaction: u64,
}

impl Bolt {
    /// Reads a file.
    ///
    /// # Errors
    /// [`BoltError`] if the file cannot be read or is damaged.
    pub fn read(path: &Path) -> Result<Self, BoltError> {
        let file = File::open(path)?;
        for _ in 0..TRIES {
            let length = file.metadata()?.len();
            if length > MAX_FILE_BYTES {
                return Err(BoltError::TooLong(length));
            }
            let mut content = Vec::new();
            File::open(path)?.take(MAX_FILE_BYTES).read_to_end(&mut content)?;
            let bolt = Self::new(content)?;
            // Pages of an old state may be overwritten once a newer one is complete.
            let mut start = vec![0; bolt.page_bytes.saturating_mul(2).min(bolt.content.len())];
            file.read_exact_at(&mut start, 0)?;
            if newest_meta(&start) == newest_meta(&bolt.content) {
                return Ok(bolt);
            }
        }
        Err(BoltError::Busy)
    }

    /// Returns the database with the content of a file.
    ///
    /// # Errors
    /// [`BoltError::NotBolt`] if neither meta page is intact.
    pub fn new(content: Vec<u8>) -> Result<Self, BoltError> {
        let meta = newest_meta(&content).ok_or(BoltError::NotBolt)?;
        let elements_left = Cell::new((content.len() / ELEMENT_BYTES).saturating_mul(MOST_READINGS));
        Ok(Self { content, page_bytes: meta.page_bytes, root: meta.root, elements_left })
    }

    /// Returns the top-level bucket.
    #[must_use]
    pub fn root(&self) -> Bucket<'_> {
        Bucket(Place::Page(self.root))
    }

    /// Returns the items of a bucket in the order of their keys.
    ///
    /// # Errors
    /// [`BoltError::Damaged`] if a page is damaged.
    pub fn items<'a>(&'a self, bucket: Bucket<'a>) -> Result<Vec<(&'a [u8], Item<'a>)>, BoltError> {
        let mut items = Vec::new();
        let first = match bucket.0 {
            Place::Inline(page) => {
                self.spend(page)?;
                return leaf_items(page, &mut items).map(|()| items).ok_or(BoltError::Damaged);
            }
            Place::Page(first) => first,
        };
        let mut seen = HashSet::new();
        let mut waiting = vec![first];
        while let Some(number) = waiting.pop() {
            if !seen.insert(number) {
                return Err(BoltError::Damaged);
            }
            let page = self.page(number).ok_or(BoltError::Damaged)?;
            self.spend(page)?;
            match u16_at(page, 8) {
                Some(flags) if flags & LEAF != 0 => leaf_items(page, &mut items).ok_or(BoltError::Damaged)?,
                Some(flags) if flags & BRANCH != 0 => {
                    let mut children = branch_children(page).ok_or(BoltError::Damaged)?;
                    children.reverse();
                    waiting.append(&mut children);
                }
                _ => return Err(BoltError::Damaged),
            }
        }
        Ok(items)
    }

    /// Returns the item of a key in a bucket.
    ///
    /// # Errors
    /// [`BoltError::Damaged`] if a page is damaged.
    pub fn item<'a>(&'a self, bucket: Bucket<'a>, key: &[u8]) -> Result<Option<Item<'a>>, BoltError> {
        Ok(self.items(bucket)?.into_iter().find(|(found, _)| *found == key).map(|(_, item)| item))
    }

    /// Returns the bucket of a key in a bucket.
    ///
    /// # Errors
    /// [`BoltError::Damaged`] if a page is damaged.
    pub fn bucket<'a>(&'a self, bucket: Bucket<'a>, key: &[u8]) -> Result<Option<Bucket<'a>>, BoltError> {
        Ok(self.item(bucket, key)?.and_then(|item| match item {
            Item::Bucket(bucket) => Some(bucket),
            Item::Value(_) => None,
        }))
    }

    /// Returns the value of a key in a bucket, if it is text.
    ///
    /// # Errors
    /// [`BoltError::Damaged`] if a page is damaged.
    pub fn text<'a>(&'a self, bucket: Bucket<'a>, key: &[u8]) -> Result<Option<&'a str>, BoltError> {
        Ok(self.item(bucket, key)?.and_then(|item| match item {
            Item::Value(value) => std::str::from_utf8(value).ok(),
            Item::Bucket(_) => None,
        }))
    }

    /// Counts the elements of a page that is read.
    fn spend(&self, page: &[u8]) -> Result<(), BoltError> {
        let count = usize::from(u16_at(page, 10).ok_or(BoltError::Damaged)?);
        let left = self.elements_left.get().checked_sub(count).ok_or(BoltError::Damaged)?;
        self.elements_left.set(left);
        Ok(())
    }

    /// Returns a page, with its overflow pages.
    fn page(&self, number: u64) -> Option<&[u8]> {
        let start = usize::try_from(number).ok()?.checked_mul(self.page_bytes)?;
        let header = self.content.get(start..start.checked_add(PAGE_HEADER_BYTES)?)?;
        let pages = usize::try_from(u32_at(header, 12)?).ok()?.checked_add(1)?;
        self.content.get(start..start.checked_add(pages.checked_mul(self.page_bytes)?)?)
    }
}

fn newest_meta(content: &[u8]) -> Option<Meta> {
    let first = meta_at(content, 0);
    let sizes = first.map_or(PAGE_SIZES.to_vec(), |meta| vec![meta.page_bytes]);
    let second = sizes.into_iter().find_map(|bytes| meta_at(content, bytes).filter(|meta| meta.page_bytes == bytes));
    first.into_iter().chain(second).max_by_key(|meta| meta.transaction)
}

/// Returns an intact meta page: its last field is the FNV-1a hash of the others.
fn meta_at(content: &[u8], offset: usize) -> Option<Meta> {
    let start = offset.checked_add(PAGE_HEADER_BYTES)?;
    let meta = content.get(start..start.checked_add(META_BYTES)?)?;
    let hashed = meta.get(..META_BYTES - 8)?;
    let hash = hashed
        .iter()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let page_bytes = usize::try_from(u32_at(meta, 8)?).ok()?;
    let valid = u32_at(meta, 0)? == MAGIC
        && u32_at(meta, 4)? == VERSION
        && hash == u64_at(meta, META_BYTES - 8)?
        && page_bytes.is_power_of_two()
        && page_bytes >= 1024;
    valid.then_some(Meta { page_bytes, root: u64_at(meta, 16)?, transaction: u64_at(meta, 48)? })
}

fn leaf_items<'a>(page: &'a [u8], items: &mut Vec<(&'a [u8], Item<'a>)>) -> Option<()> {
    for index in 0..usize::from(u16_at(page, 10)?) {
        let start = PAGE_HEADER_BYTES + index * ELEMENT_BYTES;
        let element = page.get(start..start + ELEMENT_BYTES)?;
        let (key_bytes, value_bytes) = (length_at(element, 8)?, length_at(element, 12)?);
        let key_start = start.checked_add(length_at(element, 4)?)?;
        let value_start = key_start.checked_add(key_bytes)?;
        let key = page.get(key_start..value_start)?;
        let value = page.get(value_start..value_start.checked_add(value_bytes)?)?;
        let item = match u32_at(element, 0)? & IS_BUCKET {
            0 => Item::Value(value),
            _ => Item::Bucket(bucket_of(value)?),
        };
        items.push((key, item));
    }
    Some(())
}

fn bucket_of(value: &[u8]) -> Option<Bucket<'_>> {
    let root = u64_at(value, 0)?;
    let place = if root == 0 { Place::Inline(value.get(BUCKET_HEADER_BYTES..)?) } else { Place::Page(root) };
    Some(Bucket(place))
}

fn branch_children(page: &[u8]) -> Option<Vec<u64>> {
    (0..usize::from(u16_at(page, 10)?))
        .map(|index| u64_at(page, PAGE_HEADER_BYTES + index * ELEMENT_BYTES + 8))
        .collect()
}

fn length_at(bytes: &[u8], offset: usize) -> Option<usize> {
    usize::try_from(u32_at(bytes, offset)?).ok()
}

// Numbers are in the byte order of the machine that wrote the file; machines that run containers are little-endian.

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}

#[cfg(test)]
#[path = "bolt_tests.rs"]
pub(super) mod tests;
