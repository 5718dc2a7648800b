//! Java archives that name others through `Class-Path` in their manifest (JAR File Specification).

use std::io::Read;

use super::search::{Follow, Search};
use super::{How, Reason};
use nixdive_image::NodeId;

/// Magic bytes of an archive and of each member.
pub(super) const MAGIC: &[u8] = b"PK\x03\x04";
/// Length of the beginning of an archive that contains its manifest, as common tools write it, bytes.
pub(super) const START: u64 = 128 << 10;
const MANIFEST: &[u8] = b"META-INF/MANIFEST.MF";
/// Length of a member's header before its name, bytes.
const HEADER: usize = 30;
/// Maximum length of a manifest, bytes.
const MOST_MANIFEST: u64 = 1 << 20;
/// Maximum number of archives that one archive may name.
const MOST_NAMES: usize = 4096;

impl Search<'_> {
    /// Keeps the archives that an archive names, relative to the target of links to it.
    pub(super) fn follow_jar(&mut self, node: NodeId, names: &[Box<[u8]>]) {
        let Some(directory) = self.view.tree.parent(node) else { return };
        let reason = Reason { from: Some(node), how: How::NamedPath };
        let mut found = false;
        for name in names {
            found |= self.need(directory, name, reason, Follow::All).is_some();
        }
        if found {
            self.needs.look_around.push(node);
        }
    }
}

/// Returns the relative paths of `Class-Path` from the beginning of an archive.
pub(super) fn class_path(start: &[u8]) -> Vec<Box<[u8]>> {
    let manifest = manifest(start).unwrap_or_default();
    // A line continues on the next one if that begins with a space.
    let text = manifest.split(|&byte| byte == b'\r').collect::<Vec<_>>().concat();
    let mut value: Vec<u8> = Vec::new();
    let mut is_inside = false;
    for line in text.split(|&byte| byte == b'\n') {
        match line.strip_prefix(b" ") {
            Some(more) if is_inside => value.extend_from_slice(more),
            _ => {
                let first = line.get(..11).filter(|name| name.eq_ignore_ascii_case(b"Class-Path:"));
                is_inside = first.is_some();
                value.extend(line.get(11..).filter(|_| is_inside).unwrap_or_default());
            }
        }
    }
    let names = value.split(|byte| byte.is_ascii_whitespace());
    let is_relative = |name: &&[u8]| !name.is_empty() && !name.contains(&b':') && !name.starts_with(b"/");
    names.filter(is_relative).take(MOST_NAMES).map(Box::from).collect()
}

fn manifest(start: &[u8]) -> Option<Vec<u8>> {
    let name = memchr::memmem::find_iter(start, MANIFEST).find(|&at| {
        at.checked_sub(HEADER).and_then(|header| start.get(header..)).is_some_and(|header| header.starts_with(MAGIC))
    })?;
    let header = start.get(name - HEADER..)?;
    let number = |at: usize| Some(usize::from(u16::from_le_bytes(*header.get(at..)?.first_chunk()?)));
    let content = header.get((HEADER + MANIFEST.len()).checked_add(number(28)?)?..)?;
    let mut text = Vec::new();
    match number(8)? {
        0 => {
            let bytes = u64::from(u32::from_le_bytes(*header.get(22..)?.first_chunk()?));
            content.take(bytes.min(MOST_MANIFEST)).read_to_end(&mut text).ok()?;
        }
        8 => {
            // A truncated stream is read as far as possible.
            let _ = flate2::read::DeflateDecoder::new(content).take(MOST_MANIFEST).read_to_end(&mut text);
        }
        _ => return None,
    }
    Some(text)
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    /// Builds an archive that begins with a manifest.
    pub fn jar(manifest: &str, packed: bool) -> Vec<u8> {
        let mut content = manifest.as_bytes().to_vec();
        if packed {
            let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(&content).unwrap();
            content = encoder.finish().unwrap();
        }
        let mut bytes = b"PK\x03\x04\x0a\0\0\0".to_vec();
        bytes.extend([if packed { 8 } else { 0 }, 0]);
        bytes.extend([0; 8]);
        bytes.extend((content.len() as u32).to_le_bytes());
        bytes.extend((manifest.len() as u32).to_le_bytes());
        bytes.extend([MANIFEST.len() as u8, 0, 4, 0]);
        bytes.extend(MANIFEST);
        bytes.extend([0xfe, 0xca, 0, 0]);
        bytes.extend(content);
        bytes
    }

    #[test]
    fn the_class_path_is_read_over_its_lines() {
        let manifest =
            "Manifest-Version: 1.0\r\nClass-Path: a.jar lib/b-1\r\n .jar /no.jar http://no\r\nMain-Class: X\r\n c\r\n";
        for packed in [false, true] {
            assert_eq!(class_path(&jar(manifest, packed)), [&b"a.jar"[..], b"lib/b-1.jar"].map(Box::from));
        }
        assert!(class_path(b"PK\x03\x04").is_empty());
    }

    proptest! {
        #[test]
        fn anything_may_stand_in_an_archive(before in prop::collection::vec(any::<u8>(), 0..40), after in prop::collection::vec(any::<u8>(), 0..40)) {
            let header = [&b"PK\x03\x04"[..], &before].concat();
            class_path(&[&header[..], MANIFEST, &after].concat());
            let mut whole = jar("Class-Path: a\r\n", true);
            let end = whole.len();
            for (place, byte) in before.iter().enumerate() {
                whole[(usize::from(*byte) * 7 + place) % end] ^= byte;
            }
            class_path(&whole);
        }
    }
}
