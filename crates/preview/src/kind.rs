use std::io;

use super::{ArchiveFormat, Encoding};
use nixdive_image::Compression;
use nixdive_scan::{Section, compression};

/// The type of a file's content, detected from its first bytes, not from its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentKind {
    /// No bytes.
    Empty,
    /// Text.
    Text(Encoding),
    /// A program or library in the ELF format.
    Elf,
    /// Something that holds files.
    Archive(ArchiveFormat),
    /// Anything else, with the name of the format where that is known.
    Binary(Option<&'static str>),
}

impl ContentKind {
    /// In a few words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Text(Encoding::Utf8) => "text",
            Self::Text(Encoding::Latin1) => "text, 8-bit",
            Self::Text(Encoding::Utf16Le | Encoding::Utf16Be) => "text, UTF-16",
            Self::Elf => "ELF",
            Self::Archive(format) => format.name(),
            Self::Binary(Some(name)) => name,
            Self::Binary(None) => "binary",
        }
    }
}

/// Bytes of a file's beginning that decide.
const SAMPLE: usize = 8 << 10;

/// First bytes of formats that are only named, each at an offset.
const MAGIC: &[(usize, &[u8], &str)] = &[
    (0, b"\x89PNG\r\n\x1a\n", "PNG image"),
    (0, b"\xff\xd8\xff", "JPEG image"),
    (0, b"GIF8", "GIF image"),
    (8, b"WEBP", "WebP image"),
    (0, b"%PDF-", "PDF document"),
    (0, b"SQLite format 3\0", "SQLite database"),
    (0, b"\xca\xfe\xba\xbe", "Java class"),
    (0, b"\0asm", "WebAssembly module"),
    (0, b"nix-archive-1", "Nix archive (NAR)"),
    (8, b"nix-archive-1", "Nix archive (NAR)"),
    (0, b"wOFF", "WOFF font"),
    (0, b"wOF2", "WOFF2 font"),
    (0, b"\0\x01\0\0\0", "TrueType font"),
    (0, b"OTTO", "OpenType font"),
    (0, b"TZif", "time zone data"),
    (0, b"\xde\x12\x04\x95", "message catalogue (gettext)"),
    (0, b"\x95\x04\x12\xde", "message catalogue (gettext)"),
    (0, b"MZ", "PE program"),
    (0, b"\xcf\xfa\xed\xfe", "Mach-O program"),
    (0, b"hsqs", "squashfs"),
    (0, b"\x1a\x01", "terminfo entry"),
    (0, b"\x1e\x02", "terminfo entry"),
    (0, b"BC\xc0\xde", "LLVM bitcode"),
    (0, b"\x7fFLA", "FLAC audio"),
    (0, b"OggS", "Ogg media"),
    (0, b"\xed\xab\xee\xdb", "RPM package"),
];

/// Detects the type of a file's content. `name` matters only for compiled Python, which has no
/// signature of its own.
///
/// # Errors
/// When not even its beginning can be read.
pub fn classify(content: &Section, name: &[u8]) -> io::Result<ContentKind> {
    if content.length() == 0 {
        return Ok(ContentKind::Empty);
    }
    let mut sample = vec![0; SAMPLE];
    let count = content.read_full_at(&mut sample, 0)?;
    let sample = &sample[..count];
    if count == 0 {
        return Ok(ContentKind::Binary(Some("truncated: no content is left")));
    }
    if sample.starts_with(b"\x7fELF") {
        return Ok(ContentKind::Elf);
    }
    if let Some(format) = ArchiveFormat::detect(sample) {
        return Ok(ContentKind::Archive(format));
    }
    if let Some(packed) = compression::detect(sample) {
        return Ok(packed_kind(content, packed));
    }
    let whole = count as u64 == content.length();
    if let Some(encoding) = Encoding::detect(sample, whole) {
        return Ok(ContentKind::Text(encoding));
    }
    if name.ends_with(b".pyc") && sample.get(2..4) == Some(b"\r\n") {
        return Ok(ContentKind::Binary(Some("compiled Python")));
    }
    let named = MAGIC.iter().find(|(at, magic, _)| sample.get(*at..).is_some_and(|rest| rest.starts_with(magic)));
    Ok(ContentKind::Binary(named.map(|(_, _, name)| *name)))
}

/// A compressed file: an archive where what it unpacks to is one.
fn packed_kind(content: &Section, packed: Compression) -> ContentKind {
    let mut start = vec![0; 1024];
    let count = super::archive::unpacked_start(content, packed, &mut start);
    match ArchiveFormat::detect(start.get(..count).unwrap_or_default()) {
        Some(ArchiveFormat::Tar(Compression::None)) => ContentKind::Archive(ArchiveFormat::Tar(packed)),
        Some(ArchiveFormat::Cpio(Compression::None)) => ContentKind::Archive(ArchiveFormat::Cpio(packed)),
        _ => ContentKind::Binary(Some(match packed {
            Compression::Gzip => "gzip data",
            Compression::Zstd => "zstd data",
            Compression::Xz => "xz data",
            Compression::Bzip2 => "bzip2 data",
            Compression::None => "data",
        })),
    }
}
