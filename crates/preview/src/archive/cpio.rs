use std::io::{self, Read};

use super::{ArchiveEntry, ArchiveListing, MOST_NAME, exact, invalid};
use nixdive_base::cancel::Cancel;
use nixdive_image::Kind;

/// Bytes of a header in the "new ASCII" format.
const HEADER: u64 = 110;
/// Bytes of a link target that are read.
const MOST_TARGET: u64 = 4096;

/// Lists cpio archives in the "new ASCII" format (`cpio(5)`, magic 070701 and 070702), several in a row with zeros
/// between them as initial RAM disks have them.
pub(super) fn list(stream: &mut dyn Read, cancel: &Cancel, listing: &mut ArchiveListing) -> io::Result<()> {
    while let Some(header) = next_header(stream)? {
        cancel.check()?;
        let field = |number: usize| {
            let digits = header.get(6 + 8 * number..14 + 8 * number).unwrap_or_default();
            let digits = std::str::from_utf8(digits).ok().and_then(|digits| u64::from_str_radix(digits, 16).ok());
            digits.ok_or_else(|| invalid("a header field is not a number"))
        };
        let (mode, bytes, name_bytes) = (field(1)?, field(6)?, field(11)?);
        if name_bytes == 0 || name_bytes > MOST_NAME {
            return Err(invalid(format!("a name of {name_bytes} bytes")));
        }
        let mut name = exact(stream, name_bytes as usize)?;
        name.truncate(memchr::memchr(0, &name).unwrap_or(name.len()));
        skip(stream, padding(HEADER + name_bytes))?;
        if name == b"TRAILER!!!" {
            continue;
        }
        let kind = match mode & 0o170_000 {
            0o040_000 => Kind::Directory,
            0o120_000 => Kind::Symlink,
            0o020_000 => Kind::CharacterDevice,
            0o060_000 => Kind::BlockDevice,
            0o010_000 => Kind::Fifo,
            _ => Kind::File,
        };
        let mut link = None;
        let mut left = bytes;
        if kind == Kind::Symlink && bytes <= MOST_TARGET {
            link = Some(exact(stream, bytes as usize)?);
            left = 0;
        }
        let mode = Some((mode & 0o7777) as u16);
        if !listing.push(ArchiveEntry { name, kind, bytes, mode, link }) {
            return Ok(());
        }
        skip(stream, left + padding(bytes))?;
    }
    Ok(())
}

/// Reads the next header, skipping zeros before it; `None` at the end, and before anything other
/// than cpio: then the rest is compressed or in another format.
fn next_header(stream: &mut dyn Read) -> io::Result<Option<Vec<u8>>> {
    let mut first = [0; 4];
    loop {
        let mut filled = 0;
        while filled < first.len() {
            match stream.read(&mut first[filled..])? {
                0 => return Ok(None),
                count => filled += count,
            }
        }
        if first != [0; 4] {
            break;
        }
    }
    if first != *b"0707" {
        return Err(invalid("followed by data that is not a cpio archive"));
    }
    let mut header = first.to_vec();
    header.extend(exact(stream, HEADER as usize - first.len())?);
    Ok(Some(header))
}

fn padding(length: u64) -> u64 {
    length.next_multiple_of(4) - length
}

fn skip(stream: &mut dyn Read, length: u64) -> io::Result<()> {
    let passed = io::copy(&mut stream.take(length), &mut io::sink())?;
    if passed < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}
