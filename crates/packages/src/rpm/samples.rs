//! Writers of small RPM databases, for tests.

use proptest::prelude::*;

use crate::{Package, PackageSet};

#[derive(Debug, Clone)]
pub(super) struct SamplePackage {
    pub name: String,
    pub epoch: Option<u32>,
    pub version: String,
    pub release: String,
    pub size: u32,
    /// Directory with its slashes, name, mode, state.
    pub files: Vec<(String, String, u16, u8)>,
}

impl SamplePackage {
    pub fn assert_found(&self, set: &PackageSet, found: &Package) {
        let epoch = self.epoch.map_or(String::new(), |epoch| format!("{epoch}:"));
        assert_eq!(&*found.name, self.name);
        assert_eq!(&*found.version, format!("{epoch}{}-{}", self.version, self.release));
        assert_eq!(found.installed_bytes, Some(u64::from(self.size)));
        let expected: Vec<Vec<u8>> = self
            .files
            .iter()
            .filter(|(_, _, mode, state)| mode & 0o170_000 != 0o040_000 && *state == 0)
            .map(|(directory, name, ..)| format!("{directory}{name}").into_bytes())
            .collect();
        assert_eq!(set.files(found).map(|file| file.path()).collect::<Vec<_>>(), expected);
    }
}

pub(super) fn sample_package() -> impl Strategy<Value = SamplePackage> {
    let file = ("(/[a-z]{1,4}){0,3}/", "[a-z]{1,6}", prop_oneof![Just(0o100_644), Just(0o040_755)], 0u8..3);
    (
        "[a-z][a-z0-9-]{0,8}",
        proptest::option::of(any::<u32>()),
        "[0-9.]{1,5}",
        "[0-9]{1,2}[.]fc4[0-9]",
        any::<u32>(),
        proptest::collection::vec(file, 0..8),
    )
        .prop_map(|(name, epoch, version, release, size, files)| SamplePackage {
            name,
            epoch,
            version,
            release,
            size,
            files,
        })
}

const INT16: u32 = 3;
const INT32: u32 = 4;
const CHAR: u32 = 1;
const STRING: u32 = 6;
const STRING_ARRAY: u32 = 8;

pub(super) fn header_blob(package: &SamplePackage) -> Vec<u8> {
    let mut header = HeaderWriter::default();
    let text = |value: &str| [value.as_bytes(), b"\0"].concat();
    header.add(1000, STRING, 1, &text(&package.name), 1);
    header.add(1001, STRING, 1, &text(&package.version), 1);
    header.add(1002, STRING, 1, &text(&package.release), 1);
    if let Some(epoch) = package.epoch {
        header.add(1003, INT32, 1, &epoch.to_be_bytes(), 4);
    }
    header.add(1009, INT32, 1, &package.size.to_be_bytes(), 4);
    header.add(1022, STRING, 1, &text("x86_64"), 1);
    let count = package.files.len();
    if count > 0 {
        let column = |of: &dyn Fn(usize) -> Vec<u8>| (0..count).flat_map(of).collect::<Vec<u8>>();
        header.add(1029, CHAR, count, &column(&|at| vec![package.files[at].3]), 1);
        header.add(1030, INT16, count, &column(&|at| package.files[at].2.to_be_bytes().to_vec()), 2);
        header.add(1116, INT32, count, &column(&|at| (at as u32).to_be_bytes().to_vec()), 4);
        header.add(1117, STRING_ARRAY, count, &column(&|at| text(&package.files[at].1)), 1);
        header.add(1118, STRING_ARRAY, count, &column(&|at| text(&package.files[at].0)), 1);
    }
    header.finish()
}

#[derive(Default)]
struct HeaderWriter {
    index: Vec<u8>,
    store: Vec<u8>,
}

impl HeaderWriter {
    fn add(&mut self, tag: u32, kind: u32, count: usize, data: &[u8], alignment: usize) {
        self.store.resize(self.store.len().next_multiple_of(alignment), 0);
        for number in [tag, kind, self.store.len() as u32, count as u32] {
            self.index.extend_from_slice(&number.to_be_bytes());
        }
        self.store.extend_from_slice(data);
    }

    fn finish(self) -> Vec<u8> {
        let counts = [(self.index.len() / 16) as u32, self.store.len() as u32];
        [&counts[0].to_be_bytes()[..], &counts[1].to_be_bytes(), &self.index, &self.store].concat()
    }
}

pub(super) fn ndb_file(blobs: &[Vec<u8>]) -> Vec<u8> {
    let slot_pages = (blobs.len() + 2).div_ceil(256).max(1);
    let mut file = Vec::new();
    for number in [u32::from_le_bytes(*b"RpmP"), 0, 1, slot_pages as u32, blobs.len() as u32 + 1, 0, 0, 0] {
        file.extend_from_slice(&number.to_le_bytes());
    }
    while file.len() < slot_pages * 4096 {
        file.extend_from_slice(b"Slot\0\0\0\0\0\0\0\0\0\0\0\0");
    }
    for (index, blob) in blobs.iter().enumerate() {
        let start = file.len();
        for number in [u32::from_le_bytes(*b"BlbS"), index as u32 + 1, 0, blob.len() as u32] {
            file.extend_from_slice(&number.to_le_bytes());
        }
        file.extend_from_slice(blob);
        file.resize((file.len() + 12).next_multiple_of(16), 0);
        let numbers = [index + 1, start / 16, (file.len() - start) / 16];
        for (at, number) in numbers.into_iter().enumerate() {
            file[32 + index * 16 + 4 + at * 4..][..4].copy_from_slice(&(number as u32).to_le_bytes());
        }
    }
    file
}

/// With pages of 512 bytes, one value a hash page, each longer than 100 bytes on overflow pages.
pub(super) fn bdb_file(blobs: &[Vec<u8>], big_endian: bool) -> Vec<u8> {
    const PAGE: usize = 512;
    let u32_of = |number: usize| match big_endian {
        true => (number as u32).to_be_bytes(),
        false => (number as u32).to_le_bytes(),
    };
    let u16_of = |number: usize| match big_endian {
        true => (number as u16).to_be_bytes(),
        false => (number as u16).to_le_bytes(),
    };
    let mut pages: Vec<[u8; PAGE]> = vec![[0; PAGE]];
    for blob in blobs {
        let number = pages.len();
        let mut page = [0; PAGE];
        page[25] = 13;
        let (key_at, inline) = (PAGE - 5, blob.len() <= 100);
        let value_at = if inline { key_at - blob.len() - 1 } else { key_at - 12 };
        page[key_at] = 1;
        page[20..22].copy_from_slice(&u16_of(2));
        page[26..28].copy_from_slice(&u16_of(key_at));
        page[28..30].copy_from_slice(&u16_of(value_at));
        if inline {
            page[value_at] = 1;
            page[value_at + 1..key_at].copy_from_slice(blob);
        } else {
            page[value_at] = 3;
            page[value_at + 4..value_at + 8].copy_from_slice(&u32_of(number + 1));
            page[value_at + 8..value_at + 12].copy_from_slice(&u32_of(blob.len()));
        }
        pages.push(page);
        let chunks: Vec<&[u8]> = if inline { Vec::new() } else { blob.chunks(PAGE - 26).collect() };
        for (index, chunk) in chunks.iter().enumerate() {
            let mut page = [0; PAGE];
            let next = if index + 1 == chunks.len() { 0 } else { number + 2 + index };
            page[16..20].copy_from_slice(&u32_of(next));
            page[22..24].copy_from_slice(&u16_of(chunk.len()));
            page[25] = 7;
            page[26..26 + chunk.len()].copy_from_slice(chunk);
            pages.push(page);
        }
    }
    let last = pages.len() - 1;
    pages[0][12..16].copy_from_slice(&u32_of(0x0006_1561));
    pages[0][20..24].copy_from_slice(&u32_of(PAGE));
    pages[0][25] = 8;
    pages[0][32..36].copy_from_slice(&u32_of(last));
    pages.concat()
}
