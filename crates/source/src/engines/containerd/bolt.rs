//! Reads files of bbolt, in which containerd keeps the names of its images: go.etcd.io/bbolt, `page.go`, `db.go` and
//! `bucket.go`. Nothing is locked: the file is read whole, and again where a writer has finished in between.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use hashbrown::HashSet;

/// Bytes that a file may have.
const MAX_FILE_BYTES: u64 = 512 << 20;
/// How often a file is read that is written meanwhile.
const TRIES: usize = 5;
const MAGIC: u32 = 0xED0C_DAED;
const VERSION: u32 = 2;
const PAGE_HEADER_BYTES: usize = 16;
const ELEMENT_BYTES: usize = 16;
const BUCKET_HEADER_BYTES: usize = 16;
const META_BYTES: usize = 64;
const BRANCH: u16 = 0x01;
const LEAF: u16 = 0x02;
/// How often each element of a file may be read: every bucket is looked through once for each key that is wanted.
const MOST_READINGS: usize = 8;
/// Flag of an element whose value is a bucket.
const IS_BUCKET: u32 = 0x01;
/// Page sizes at whose end the second meta page is looked for where the first is damaged.
const PAGE_SIZES: [usize; 4] = [4096, 8192, 16_384, 65_536];

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BoltError {
    /// What the system says.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It does not begin as one.
    #[error("is no database of bbolt")]
    NotBolt,
    /// A page that leads out of the file, or that several pages lead to.
    #[error("is a database with a damaged page")]
    Damaged,
    /// Longer than any real one.
    #[error("has {0} bytes; more than {MAX_FILE_BYTES} are refused for it")]
    TooLong(u64),
    /// It changes faster than it is read.
    #[error("is written to all the time; try again")]
    Busy,
}

/// A database in memory.
pub struct Bolt {
    content: Vec<u8>,
    page_bytes: usize,
    root: u64,
    /// Elements that may still be read: pages that lie over each other would hold more than the file.
    elements_left: Cell<usize>,
}

/// Keys and values, or further buckets.
#[derive(Debug, Clone, Copy)]
pub struct Bucket<'a>(Place<'a>);

#[derive(Debug, Clone, Copy)]
enum Place<'a> {
    /// The page at which its tree begins.
    Page(u64),
    /// A page within the element that names it.
    Inline(&'a [u8]),
}

/// What a key leads to.
#[derive(Debug, Clone, Copy)]
pub enum Item<'a> {
    /// Bytes.
    Value(&'a [u8]),
    /// More keys.
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
    /// [`BoltError`].
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
            // Pages of the state that was read may be written over once another one is finished.
            let mut start = vec![0; bolt.page_bytes.saturating_mul(2).min(bolt.content.len())];
            file.read_exact_at(&mut start, 0)?;
            if newest_meta(&start) == newest_meta(&bolt.content) {
                return Ok(bolt);
            }
        }
        Err(BoltError::Busy)
    }

    /// The database whose file has these bytes.
    ///
    /// # Errors
    /// [`BoltError::NotBolt`].
    pub fn new(content: Vec<u8>) -> Result<Self, BoltError> {
        let meta = newest_meta(&content).ok_or(BoltError::NotBolt)?;
        let elements_left = Cell::new((content.len() / ELEMENT_BYTES).saturating_mul(MOST_READINGS));
        Ok(Self { content, page_bytes: meta.page_bytes, root: meta.root, elements_left })
    }

    /// The bucket of buckets.
    #[must_use]
    pub fn root(&self) -> Bucket<'_> {
        Bucket(Place::Page(self.root))
    }

    /// What is in a bucket, in the order of its keys.
    ///
    /// # Errors
    /// [`BoltError::Damaged`].
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

    /// What a key leads to in a bucket.
    ///
    /// # Errors
    /// [`BoltError::Damaged`].
    pub fn item<'a>(&'a self, bucket: Bucket<'a>, key: &[u8]) -> Result<Option<Item<'a>>, BoltError> {
        Ok(self.items(bucket)?.into_iter().find(|(found, _)| *found == key).map(|(_, item)| item))
    }

    /// The bucket in a bucket.
    ///
    /// # Errors
    /// [`BoltError::Damaged`].
    pub fn bucket<'a>(&'a self, bucket: Bucket<'a>, key: &[u8]) -> Result<Option<Bucket<'a>>, BoltError> {
        Ok(self.item(bucket, key)?.and_then(|item| match item {
            Item::Bucket(bucket) => Some(bucket),
            Item::Value(_) => None,
        }))
    }

    /// The value in a bucket, where it is text.
    ///
    /// # Errors
    /// [`BoltError::Damaged`].
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

    /// A page, with those that it flows over into.
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

/// A meta page that is whole: its last field is the FNV-1a hash of the others.
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

// Numbers are in the order of the machine that wrote the file; those that containers run on are little-endian.

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
