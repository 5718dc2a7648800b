//! An RPM header as a database holds it: an index of tags over a store of data (rpm manual, "RPM V4 Package format",
//! "Header"), without the magic that precedes it in a package file.

use super::super::PackageKind;
use super::super::database::Malformed;
use super::super::set::{PackageFields, SetBuilder, SourcePackage};
use super::fields::{array, slice, u16_be, u32_be};

/// Tags of `rpmtag.h`.
mod tag {
    pub const NAME: u32 = 1000;
    pub const VERSION: u32 = 1001;
    pub const RELEASE: u32 = 1002;
    pub const EPOCH: u32 = 1003;
    pub const SIZE: u32 = 1009;
    pub const LICENSE: u32 = 1014;
    pub const ARCH: u32 = 1022;
    pub const SOURCE_RPM: u32 = 1044;
    pub const OLD_FILE_NAMES: u32 = 1027;
    pub const FILE_STATES: u32 = 1029;
    pub const FILE_MODES: u32 = 1030;
    pub const DIR_INDEXES: u32 = 1116;
    pub const BASE_NAMES: u32 = 1117;
    pub const DIR_NAMES: u32 = 1118;
    pub const LONG_SIZE: u32 = 5009;
}

const INDEX_ENTRY_BYTES: usize = 16;
const FILE_TYPE_MASK: u16 = 0o170_000;
const DIRECTORY_TYPE: u16 = 0o040_000;
/// `RPMFILE_STATE_NORMAL`; the others were replaced by another package or never installed.
const STATE_NORMAL: u8 = 0;

/// One tag: where its data begins in the store, and how many values there are.
#[derive(Clone, Copy)]
struct Entry {
    offset: usize,
    count: usize,
}

struct Header<'a> {
    index: &'a [u8],
    store: &'a [u8],
}

impl<'a> Header<'a> {
    fn new(blob: &'a [u8]) -> Option<Self> {
        let entries = u32_be(blob, 0)? as usize;
        let store_bytes = u32_be(blob, 4)? as usize;
        let index_bytes = entries.checked_mul(INDEX_ENTRY_BYTES)?;
        let index = slice(blob, 8, index_bytes)?;
        let store = slice(blob, 8 + index_bytes, store_bytes)?;
        Some(Self { index, store })
    }

    /// The last entry of a tag: what rpm adds when it installs stands after what the package came with, and counts.
    fn entry(&self, tag: u32) -> Option<Entry> {
        let entry = self.index.chunks_exact(INDEX_ENTRY_BYTES).rfind(|entry| u32_be(entry, 0) == Some(tag))?;
        Some(Entry { offset: u32_be(entry, 8)? as usize, count: u32_be(entry, 12)? as usize })
    }

    fn string(&self, tag: u32) -> Option<&'a [u8]> {
        self.strings(tag).next()
    }

    /// The values of a string array, as many as there are.
    fn strings(&self, tag: u32) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let entry = self.entry(tag);
        let mut rest = entry.and_then(|entry| self.store.get(entry.offset..)).unwrap_or_default();
        let count = entry.map_or(0, |entry| entry.count);
        std::iter::from_fn(move || {
            let end = memchr::memchr(0, rest)?;
            let (value, after) = rest.split_at(end);
            rest = after.get(1..)?;
            Some(value)
        })
        .take(count)
    }

    fn u32(&self, tag: u32) -> Option<u32> {
        u32_be(self.store, self.entry(tag)?.offset)
    }

    fn u64(&self, tag: u32) -> Option<u64> {
        array(self.store, self.entry(tag)?.offset).map(u64::from_be_bytes)
    }

    /// The values of an array of numbers of `width` bytes; empty when the store does not hold all of them.
    fn numbers(&self, tag: u32, width: usize) -> std::slice::ChunksExact<'a, u8> {
        let values = self.entry(tag).and_then(|entry| {
            let bytes = entry.count.checked_mul(width)?;
            slice(self.store, entry.offset, bytes)
        });
        values.unwrap_or_default().chunks_exact(width)
    }
}

/// Adds the package of one header blob.
pub(super) fn add_package(index: usize, blob: &[u8], builder: &mut SetBuilder) -> Result<(), Malformed> {
    let header = Header::new(blob).ok_or(Malformed("has a package header longer than its record"))?;
    let text = |tag| header.string(tag).filter(|text| !text.is_empty());
    let name = text(tag::NAME).ok_or(Malformed("has a package header without a name"))?;
    let version = version(&header).ok_or(Malformed("has a package header without a version"))?;
    let fields = PackageFields {
        kind: PackageKind::Rpm,
        name,
        version: &version,
        architecture: text(tag::ARCH),
        installed_bytes: header.u64(tag::LONG_SIZE).or_else(|| header.u32(tag::SIZE).map(u64::from)),
        licence: text(tag::LICENSE),
        source: text(tag::SOURCE_RPM).and_then(SourcePackage::of_rpm),
        database_file: index,
    };
    if builder.begin(fields) {
        add_files(&header, builder);
    }
    Ok(())
}

/// `[epoch:]version-release`, what rpm prints for `%{EVR}`.
fn version(header: &Header<'_>) -> Option<Vec<u8>> {
    let mut text = header.u32(tag::EPOCH).map_or_else(Vec::new, |epoch| format!("{epoch}:").into_bytes());
    text.extend_from_slice(header.string(tag::VERSION)?);
    text.push(b'-');
    text.extend_from_slice(header.string(tag::RELEASE)?);
    Some(text)
}

/// Adds the installed files that are not directories.
fn add_files(header: &Header<'_>, builder: &mut SetBuilder) {
    let mut modes = header.numbers(tag::FILE_MODES, 2);
    let mut states = header.numbers(tag::FILE_STATES, 1);
    let mut is_file = || {
        let mode = modes.next().and_then(|mode| u16_be(mode, 0));
        let state = states.next().and_then(|state| state.first().copied());
        mode.is_none_or(|mode| mode & FILE_TYPE_MASK != DIRECTORY_TYPE) && state.is_none_or(|it| it == STATE_NORMAL)
    };
    let directories: Vec<&[u8]> = header.strings(tag::DIR_NAMES).take(SetBuilder::MAX_FILES).collect();
    let directory_indexes = header.numbers(tag::DIR_INDEXES, 4);
    for (name, directory) in header.strings(tag::BASE_NAMES).zip(directory_indexes) {
        let directory = u32_be(directory, 0).and_then(|index| directories.get(index as usize));
        if is_file()
            && let Some(directory) = directory
        {
            builder.add_file(directory, name);
        }
    }
    for path in header.strings(tag::OLD_FILE_NAMES) {
        if is_file() {
            builder.add_path(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{SamplePackage, header_blob, sample_package};
    use super::*;
    use proptest::prelude::*;

    fn read(blob: &[u8]) -> Result<crate::PackageSet, Malformed> {
        let mut builder = SetBuilder::new();
        add_package(0, blob, &mut builder)?;
        Ok(builder.finish().0)
    }

    #[test]
    fn directories_and_files_that_were_not_installed_are_left_out() {
        let package = SamplePackage {
            name: "bash".into(),
            epoch: Some(1),
            version: "5.2".into(),
            release: "3.fc40".into(),
            size: 77,
            files: vec![
                ("/usr/bin/".into(), "bash".into(), 0o100_755, 0),
                ("/usr/share/doc/".into(), "bash".into(), 0o040_755, 0),
                ("/usr/share/doc/bash/".into(), "FAQ".into(), 0o100_644, 2),
                ("/usr/bin/".into(), "sh".into(), 0o120_777, 0),
            ],
        };
        let set = read(&header_blob(&package)).unwrap();
        let found = &set.packages()[0];
        assert_eq!((&*found.name, &*found.version, found.installed_bytes), ("bash", "1:5.2-3.fc40", Some(77)));
        assert_eq!(found.architecture.as_deref(), Some("x86_64"));
        let paths: Vec<Vec<u8>> = set.files(found).map(|file| file.path()).collect();
        assert_eq!(paths, [&b"/usr/bin/bash"[..], b"/usr/bin/sh"]);
    }

    #[test]
    fn an_index_that_reaches_beyond_the_blob_is_refused() {
        let mut blob = vec![0xff; 8];
        blob.extend_from_slice(&[0; 64]);
        assert!(read(&blob).is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(package in sample_package()) {
            let set = read(&header_blob(&package)).unwrap();
            package.assert_found(&set, &set.packages()[0]);
        }

        #[test]
        fn damage_anywhere_never_panics(
            package in sample_package(),
            damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8),
        ) {
            let mut blob = header_blob(&package);
            for (place, byte) in damage {
                let place = place.index(blob.len());
                blob[place] = byte;
            }
            let _ = read(&blob);
        }
    }
}
