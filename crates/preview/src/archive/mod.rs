//! Contents of archives, as far as a bounded read shows them.

mod ar;
mod cpio;
mod packed_tar;
mod zip;

use std::io::{self, Read};

use super::style::{LineWriter, StyledLine, plain_line};
use super::{Meaning, StyledLine as Line};
use nixdive_base::cancel::Cancel;
use nixdive_base::text::display_bytes;
use nixdive_image::{Compression, Kind, display_mode};
use nixdive_scan::{Section, compression};

/// Entries that a listing holds.
const MOST_ENTRIES: usize = 20_000;
/// Bytes that are unpacked for one listing.
const MOST_UNPACKED: u64 = 512 << 20;
/// Bytes of one name.
const MOST_NAME: u64 = 4096;

/// A format that holds files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveFormat {
    /// tar, packed or not.
    Tar(Compression),
    /// ZIP: also jar, wheel, …
    Zip,
    /// ar: static libraries.
    Ar,
    /// An ar archive with the members of a Debian package.
    Deb,
    /// cpio as initial RAM disks use it, packed or not.
    Cpio(Compression),
}

impl ArchiveFormat {
    /// Detects the format from the first bytes; at least 512 are needed if there are that many.
    pub(super) fn detect(start: &[u8]) -> Option<Self> {
        if start.starts_with(b"!<arch>\n") {
            return Some(if start.get(8..21) == Some(b"debian-binary") { Self::Deb } else { Self::Ar });
        }
        if start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06") {
            return Some(Self::Zip);
        }
        if start.starts_with(b"070701") || start.starts_with(b"070702") {
            return Some(Self::Cpio(Compression::None));
        }
        let block = start.first_chunk::<512>()?;
        let is_tar = block[0] != 0 && nixdive_scan::tar::Header::parse(block).is_some();
        is_tar.then_some(Self::Tar(Compression::None))
    }

    /// In a few words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tar(Compression::None) => "tar archive",
            Self::Tar(Compression::Gzip) => "tar archive, gzip",
            Self::Tar(Compression::Zstd) => "tar archive, zstd",
            Self::Tar(Compression::Xz) => "tar archive, xz",
            Self::Tar(Compression::Bzip2) => "tar archive, bzip2",
            Self::Zip => "ZIP archive",
            Self::Ar => "ar archive",
            Self::Deb => "Debian package",
            Self::Cpio(Compression::None) => "cpio archive",
            Self::Cpio(_) => "cpio archive, compressed",
        }
    }
}

/// One file in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveEntry {
    /// As written.
    pub name: Vec<u8>,
    /// Kind of the entry.
    pub kind: Kind,
    /// Unpacked size, bytes.
    pub bytes: u64,
    /// Permission bits, where the format has them.
    pub mode: Option<u16>,
    /// Target of a link, as written.
    pub link: Option<Vec<u8>>,
}

/// The files in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveListing {
    /// Format of the archive.
    pub format: ArchiveFormat,
    /// In the order in which they lie.
    pub entries: Vec<ArchiveEntry>,
    /// Why the listing is not whole, where it is not.
    pub problem: Option<String>,
}

impl ArchiveListing {
    fn new(format: ArchiveFormat) -> Self {
        Self { format, entries: Vec::new(), problem: None }
    }

    /// Adds an entry; returns `false` if there is no more room, and records the reason.
    fn push(&mut self, entry: ArchiveEntry) -> bool {
        if self.entries.len() >= MOST_ENTRIES {
            self.problem = Some(format!("only the first {MOST_ENTRIES} entries are listed"));
            return false;
        }
        self.entries.push(entry);
        true
    }

    /// Number of lines that [`Self::lines`] can give.
    #[must_use]
    pub fn total_lines(&self) -> usize {
        2 + self.entries.len() + usize::from(self.problem.is_some())
    }

    /// Some of the listing as lines: a line of totals, an empty one, one for each entry, and what is wrong.
    #[must_use]
    pub fn lines(&self, range: std::ops::Range<usize>) -> Vec<Line> {
        range.take_while(|&number| number < self.total_lines()).map(|number| self.line(number)).collect()
    }

    fn line(&self, number: usize) -> StyledLine {
        match number {
            0 => {
                let bytes = self.entries.iter().map(|entry| entry.bytes).fold(0, u64::saturating_add);
                let (name, count) = (self.format.name(), self.entries.len());
                plain_line(&format!("{name}: {count} entries, {}", display_bytes(bytes)), Meaning::Label)
            }
            1 => StyledLine::default(),
            _ => match (self.entries.get(number - 2), &self.problem) {
                (Some(entry), _) => entry.line(),
                (None, Some(problem)) => plain_line(problem, Meaning::Problem),
                (None, None) => StyledLine::default(),
            },
        }
    }
}

impl ArchiveEntry {
    fn line(&self) -> StyledLine {
        let mut line = LineWriter::default();
        if let Some(mode) = self.mode {
            line.push(&format!("{}  ", display_mode(self.kind, mode)), Meaning::Dim);
        }
        line.push(&format!("{:>8}  ", display_bytes(self.bytes)), Meaning::Number);
        let meaning = match self.kind {
            Kind::Directory => Meaning::Key,
            Kind::Symlink | Kind::HardLink => Meaning::Link,
            _ => Meaning::Plain,
        };
        line.push_bytes(&self.name, meaning);
        if let Some(target) = &self.link {
            line.push(if self.kind == Kind::HardLink { " = " } else { " → " }, Meaning::Dim);
            line.push_bytes(target, Meaning::Plain);
        }
        line.finish()
    }
}

/// Lists an archive. Damage does not fail: what comes before it is listed, and the problem noted. Of a compressed
/// archive up to 512 MiB are unpacked.
#[must_use]
pub fn list_archive(content: &Section, format: ArchiveFormat, cancel: &Cancel) -> ArchiveListing {
    let mut listing = ArchiveListing::new(format);
    let result = match format {
        ArchiveFormat::Tar(packed) => packed_tar::list(content, packed, cancel, &mut listing),
        ArchiveFormat::Zip => zip::list(content, &mut listing),
        ArchiveFormat::Ar | ArchiveFormat::Deb => ar::list(content, cancel, &mut listing),
        ArchiveFormat::Cpio(packed) => {
            unpacked(content, packed).and_then(|mut stream| cpio::list(&mut stream, cancel, &mut listing))
        }
    };
    if let Err(error) = result {
        listing.problem = Some(format!("the listing ends here: {error}"));
    }
    listing
}

/// The first bytes that a compressed file unpacks to; their number.
pub(super) fn unpacked_start(content: &Section, packed: Compression, start: &mut [u8]) -> usize {
    let Ok(mut stream) = unpacked(content, packed) else { return 0 };
    let mut filled = 0;
    while filled < start.len() {
        match stream.read(&mut start[filled..]) {
            Ok(count) if count > 0 => filled += count,
            _ => break,
        }
    }
    filled
}

fn unpacked(content: &Section, packed: Compression) -> io::Result<impl Read + Send + use<>> {
    Ok(compression::decoder(content.buffered(), packed, 1)?.take(MOST_UNPACKED))
}

/// Reads exactly `length` bytes, which the caller has bounded.
fn exact(stream: &mut dyn Read, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn invalid(message: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message.into())
}
