//! Describes files and streams that contain no image.

use std::io;

use super::format::{PROBE_BYTES, format_of};
use nixdive_image::Compression;
use nixdive_scan::Section;
use nixdive_scan::compression::decoder;

/// Bytes of a file that are searched for the first nonzero byte.
const MOST_ZEROS: u64 = 64 << 20;
/// Footers of a disk image of a fixed size (VHD) and of a macOS image.
const FOOTERS: [(&[u8], &str); 2] = [(b"conectix", "disk image (VHD)"), (b"koly", "disk image of macOS (DMG)")];
const FOOTER_BYTES: u64 = 512;
/// Description of bytes in an unknown format.
const UNKNOWN: &str = "neither a tar archive nor compressed with gzip, zstd, xz or bzip2";

/// Describes a file that begins with neither a tar header nor a compressed stream.
#[must_use]
pub fn describe_section(section: &Section) -> String {
    let read = |offset: u64, length: usize| -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        let count = section.read_full_at(&mut bytes, offset)?;
        bytes.truncate(count);
        Ok(bytes)
    };
    let start = read(0, PROBE_BYTES).unwrap_or_default();
    if format_of(&start).is_some() {
        return describe_start(&start);
    }
    let footer = read(section.length().saturating_sub(FOOTER_BYTES), FOOTER_BYTES as usize).unwrap_or_default();
    if let Some((_, name)) = FOOTERS.iter().find(|(magic, _)| footer.starts_with(magic)) {
        return (*name).to_owned();
    }
    if !is_zero(&start) {
        return describe_start(&start);
    }
    match first_other(section) {
        Some(offset) => format!("raw data that begins with {offset} bytes of zeros"),
        None if section.length() <= MOST_ZEROS => format!("{} bytes of zeros", section.length()),
        None => format!("{} bytes that begin with {MOST_ZEROS} zeros", section.length()),
    }
}

/// Describes a stream that begins with neither a tar header nor a compressed stream.
#[must_use]
pub fn describe_start(start: &[u8]) -> String {
    match format_of(start) {
        Some(name) => name.to_owned(),
        None if start.is_empty() => "nothing".to_owned(),
        None if is_zero(start) => "zeros".to_owned(),
        None => UNKNOWN.to_owned(),
    }
}

/// Returns the format of a layer's blob that contains no tar stream, or `None` if it is unknown.
#[must_use]
pub fn format_of_blob(section: &Section, compression: Compression) -> Option<&'static str> {
    let mut start = Vec::new();
    let mut stream = decoder(section.buffered(), compression, 1).ok()?;
    // The bytes before an error are enough.
    let _ = io::Read::read_to_end(&mut io::Read::take(&mut stream, PROBE_BYTES as u64), &mut start);
    format_of(&start)
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}

/// Returns the offset of the first nonzero byte among those that are searched.
fn first_other(section: &Section) -> Option<u64> {
    let mut buffer = vec![0; 1 << 20];
    let mut offset = 0;
    while offset < MOST_ZEROS.min(section.length()) {
        let count = section.read_full_at(&mut buffer, offset).ok()?;
        let read = buffer.get(..count)?;
        if let Some(place) = read.iter().position(|&byte| byte != 0) {
            return Some(offset + place as u64);
        }
        if count == 0 {
            return None;
        }
        offset += count as u64;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_with_zeros_is_named_by_what_follows() {
        let described = |bytes: Vec<u8>| describe_section(&Section::from_bytes(bytes));
        assert_eq!(described(vec![0; 3_000_000]), "3000000 bytes of zeros");
        let mut raw = vec![0; 3_000_000];
        raw[2_000_000] = 1;
        assert_eq!(described(raw), "raw data that begins with 2000000 bytes of zeros");
        let mut disk = vec![0; 100_000];
        disk[0x8001..0x8006].copy_from_slice(b"CD001");
        assert_eq!(described(disk), "disk image (ISO 9660)");
        let mut fixed = vec![0; 100_000];
        fixed[99_488..99_496].copy_from_slice(b"conectix");
        assert_eq!(described(fixed), "disk image (VHD)");
        assert_eq!(described(b"hello".to_vec()), UNKNOWN);
    }
}
