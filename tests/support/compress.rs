//! Compressed forms of some bytes.

use std::io::Write;

/// One gzip member.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// gzip of many members, as estargz writes it: one for each run of `each` bytes, and an empty one at the end.
pub fn gzip_members(bytes: &[u8], each: usize) -> Vec<u8> {
    let mut members: Vec<u8> = bytes.chunks(each).flat_map(gzip).collect();
    members.extend(gzip(b""));
    members
}

/// One zstd frame.
pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    ::zstd::encode_all(bytes, 3).unwrap()
}

/// zstd as zstd:chunked writes it: several frames, and skippable frames that hold a table of contents and a footer.
pub fn zstd_chunked(bytes: &[u8], each: usize) -> Vec<u8> {
    let mut frames: Vec<u8> = bytes.chunks(each).flat_map(zstd).collect();
    for content in [&zstd(b"{\"version\":1}")[..], b"offset, length, checksum and GNUlInUx"] {
        frames.extend(skippable_frame(content));
    }
    frames
}

/// A frame that a decoder passes over: RFC 8878, section 3.1.2.
pub fn skippable_frame(content: &[u8]) -> Vec<u8> {
    let mut frame = 0x184d_2a50u32.to_le_bytes().to_vec();
    frame.extend(u32::try_from(content.len()).unwrap().to_le_bytes());
    frame.extend(content);
    frame
}

/// One .xz stream.
pub fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// One bzip2 stream.
pub fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ::bzip2::write::BzEncoder::new(Vec::new(), ::bzip2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Packs bytes.
pub type Packer = fn(&[u8]) -> Vec<u8>;

/// Every form, by name, the plain one first.
pub const FORMS: [(&str, Packer); 5] =
    [("none", <[u8]>::to_vec), ("gzip", gzip), ("zstd", zstd), ("xz", xz), ("bzip2", bzip2)];
