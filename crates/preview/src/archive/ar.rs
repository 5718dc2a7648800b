use std::io;

use super::{ArchiveEntry, ArchiveFormat, ArchiveListing, MOST_NAME, invalid, packed_tar};
use nixdive_base::cancel::Cancel;
use nixdive_image::{Compression, Kind};
use nixdive_scan::{Section, compression};

/// Bytes of a member's header.
const HEADER: usize = 60;

/// Lists an ar archive in the System V and BSD dialects (`ar.h`): names of GNU ar's `//` table and BSD's `#1/` are put
/// in place. Of a Debian package (`deb(5)`) the files of `data.tar` are listed behind its members.
pub(super) fn list(content: &Section, cancel: &Cancel, listing: &mut ArchiveListing) -> io::Result<()> {
    let mut at = 8u64;
    let mut long_names = Vec::new();
    while at < content.length() {
        cancel.check()?;
        let mut header = [0; HEADER];
        if content.read_full_at(&mut header, at)? < HEADER || !header.ends_with(b"`\n") {
            return Err(invalid(format!("no ar header at offset {at}")));
        }
        let bytes = number(&header[48..58], 10).ok_or_else(|| invalid(format!("no length at offset {at}")))?;
        let body = content.part(at + HEADER as u64, bytes);
        let raw = header[..16].trim_ascii_end();
        if raw == b"//" {
            long_names = start_of(&body, 1 << 20)?;
        } else if raw != b"/" && raw != b"/SYM64/" {
            let (name, skipped) = name(raw, &long_names, &body)?;
            let mode = number(&header[40..48], 8).map(|mode| (mode & 0o7777) as u16);
            let is_data = listing.format == ArchiveFormat::Deb && name.starts_with(b"data.tar");
            let bytes = bytes.saturating_sub(skipped);
            if !listing.push(ArchiveEntry { name, kind: Kind::File, bytes, mode, link: None }) {
                return Ok(());
            }
            if is_data {
                let packed = compression::detect(&start_of(&body, 512)?).unwrap_or(Compression::None);
                packed_tar::list(&body, packed, cancel, listing)?;
            }
        }
        let end = at.saturating_add(HEADER as u64).saturating_add(bytes);
        at = end.saturating_add(end % 2);
    }
    Ok(())
}

/// A member's name, and how many bytes of its body the name takes.
fn name(raw: &[u8], long_names: &[u8], body: &Section) -> io::Result<(Vec<u8>, u64)> {
    if let Some(length) = raw.strip_prefix(b"#1/").and_then(|digits| number(digits, 10)) {
        let mut name = start_of(body, length.min(MOST_NAME))?;
        name.truncate(memchr::memchr(0, &name).unwrap_or(name.len()));
        return Ok((name, length));
    }
    let long = raw.strip_prefix(b"/").and_then(|digits| number(digits, 10)).and_then(|at| usize::try_from(at).ok());
    let name = match long {
        Some(at) => {
            let rest = long_names.get(at..).unwrap_or_default();
            let line = &rest[..memchr::memchr(b'\n', rest).unwrap_or(rest.len()).min(MOST_NAME as usize)];
            line.strip_suffix(b"/").unwrap_or(line)
        }
        None => raw.strip_suffix(b"/").unwrap_or(raw),
    };
    Ok((name.to_vec(), 0))
}

fn start_of(body: &Section, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; body.length().min(most) as usize];
    let count = body.read_full_at(&mut bytes, 0)?;
    bytes.truncate(count);
    Ok(bytes)
}

fn number(field: &[u8], base: u32) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(field.trim_ascii()).ok()?, base).ok()
}
