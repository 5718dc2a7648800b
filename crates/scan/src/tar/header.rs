//! One 512-byte tar header: POSIX.1-1988 ustar, GNU tar and the older V7 form.
//! Sources: POSIX.1-2017 `pax`, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format".

use nixdive_image::Segment;

/// Bytes of a tar block.
pub const BLOCK: usize = 512;

/// A header block whose checksum is right.
pub struct Header<'a>(&'a [u8; BLOCK]);

/// The dialect that the magic field names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `ustar\0`: has a prefix field.
    Ustar,
    /// `ustar\0` with `tar\0` at the end: has a shorter prefix field.
    Star,
    /// `ustar  \0`: has sparse fields.
    Gnu,
    /// Neither.
    V7,
}

impl<'a> Header<'a> {
    /// The header in `block`; `None` where the checksum is wrong. Old tars summed signed bytes: both sums count.
    #[must_use]
    pub fn parse(block: &'a [u8; BLOCK]) -> Option<Self> {
        let stated = number(&block[148..156])?;
        let unsigned: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
        let field: u32 = block[148..156].iter().map(|&byte| u32::from(byte)).sum();
        let spaces = 8 * u32::from(b' ');
        if i64::from(unsigned - field + spaces) == stated {
            return Some(Self(block));
        }
        let signed: i64 = block.iter().map(|&byte| i64::from(byte as i8)).sum();
        let field: i64 = block[148..156].iter().map(|&byte| i64::from(byte as i8)).sum();
        (signed - field + i64::from(spaces) == stated).then_some(Self(block))
    }

    /// The dialect of the fields behind the first 257 bytes.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        match (&self.0[257..263], &self.0[263..265], &self.0[508..]) {
            (b"ustar\0", _, b"tar\0") => Dialect::Star,
            (b"ustar\0", _, _) => Dialect::Ustar,
            (b"ustar ", b" \0", _) => Dialect::Gnu,
            _ => Dialect::V7,
        }
    }

    /// The name, with the prefix where there is one, appended to `path`.
    pub fn append_path(&self, path: &mut Vec<u8>) {
        let prefix = self.prefix();
        if !prefix.is_empty() {
            path.extend_from_slice(prefix);
            path.push(b'/');
        }
        path.extend_from_slice(until_nul(&self.0[..100]));
    }

    /// Returns the prefix of the name. GNU tar has two times in its place; as in Go's
    /// `archive/tar`, a field that cannot be times is a prefix, which Go itself wrote there before
    /// version 1.8.
    fn prefix(&self) -> &'a [u8] {
        let prefix = until_nul(&self.0[345..500]);
        match self.dialect() {
            Dialect::Ustar => prefix,
            Dialect::Star => until_nul(&self.0[345..476]),
            Dialect::V7 => b"",
            Dialect::Gnu => {
                let is_time = |field: &[u8]| field[0] == 0 || is_number(field);
                let has_times = is_time(&self.0[345..357]) && is_time(&self.0[357..369]);
                if has_times || !prefix.is_ascii() { b"" } else { prefix }
            }
        }
    }

    /// Target of a link.
    #[must_use]
    pub fn link(&self) -> &'a [u8] {
        until_nul(&self.0[157..257])
    }

    /// The type flag as it stands there.
    #[must_use]
    pub fn type_flag(&self) -> u8 {
        self.0[156]
    }

    /// Permission, set-id and sticky bits.
    #[must_use]
    pub fn mode(&self) -> u16 {
        (number(&self.0[100..108]).unwrap_or(0) & 0o7777) as u16
    }

    /// Owner.
    #[must_use]
    pub fn uid(&self) -> u32 {
        u32::try_from(number(&self.0[108..116]).unwrap_or(0)).unwrap_or(u32::MAX)
    }

    /// Group.
    #[must_use]
    pub fn gid(&self) -> u32 {
        u32::try_from(number(&self.0[116..124]).unwrap_or(0)).unwrap_or(u32::MAX)
    }

    /// Returns the size of the content, bytes; `None` if the field is not a number, or negative.
    #[must_use]
    pub fn content_bytes(&self) -> Option<u64> {
        u64::try_from(number(&self.0[124..136])?).ok()
    }

    /// Seconds since 1970.
    #[must_use]
    pub fn mtime(&self) -> i64 {
        number(&self.0[136..148]).unwrap_or(0)
    }

    /// Device numbers, major and minor.
    #[must_use]
    pub fn device(&self) -> (u32, u32) {
        if self.dialect() == Dialect::V7 {
            return (0, 0);
        }
        let part = |field: &[u8]| u32::try_from(number(field).unwrap_or(0)).unwrap_or(0);
        (part(&self.0[329..337]), part(&self.0[337..345]))
    }

    /// The up to four runs of an old GNU sparse file, its unpacked size, and whether a block with more runs follows.
    #[must_use]
    pub fn gnu_sparse(&self) -> (Vec<Segment>, Option<u64>, bool) {
        let real = number(&self.0[483..495]).and_then(|bytes| u64::try_from(bytes).ok());
        (segments(&self.0[386..482]), real, self.0[482] != 0)
    }
}

/// The runs in a block that continues an old GNU sparse header, and whether another one follows.
#[must_use]
pub fn gnu_sparse_continuation(block: &[u8; BLOCK]) -> (Vec<Segment>, bool) {
    (segments(&block[..504]), block[504] != 0)
}

fn segments(field: &[u8]) -> Vec<Segment> {
    let mut found = Vec::new();
    for pair in field.chunks_exact(24) {
        if pair[0] == 0 {
            break;
        }
        let part = |field: &[u8]| number(field).and_then(|bytes| u64::try_from(bytes).ok());
        if let (Some(file_offset), Some(length)) = (part(&pair[..12]), part(&pair[12..])) {
            found.push(Segment { file_offset, length });
        }
    }
    found
}

/// A numeric field: octal digits among spaces and NULs, or base 256 where the first bit is set (GNU tar manual,
/// "Extensions to the archive format"). Empty is 0. `None` for anything else and for what exceeds 63 bits.
#[must_use]
pub fn number(field: &[u8]) -> Option<i64> {
    let first = *field.first()?;
    if first & 0x80 != 0 {
        return base_256(field);
    }
    let mut value: i64 = 0;
    let mut digits = field.iter().copied().skip_while(|&byte| byte == b' ' || byte == 0).peekable();
    while let Some(byte) = digits.next_if(|byte| (b'0'..=b'7').contains(byte)) {
        value = value.checked_mul(8)?.checked_add(i64::from(byte - b'0'))?;
    }
    digits.next().is_none_or(|byte| byte == b' ' || byte == 0).then_some(value)
}

/// Returns `true` if Go's `archive/tar` accepts a field as a number, which is stricter than
/// [`number`].
fn is_number(field: &[u8]) -> bool {
    if field.first().is_some_and(|first| first & 0x80 != 0) {
        return base_256(field).is_some();
    }
    let is_padding = |byte: &u8| matches!(byte, b' ' | 0);
    let start = field.iter().position(|byte| !is_padding(byte)).unwrap_or(field.len());
    let end = field.iter().rposition(|byte| !is_padding(byte)).map_or(start, |last| last + 1);
    until_nul(&field[start..end]).iter().all(|byte| (b'0'..=b'7').contains(byte))
}

fn base_256(field: &[u8]) -> Option<i64> {
    let negative = field[0] & 0x40 != 0;
    let mut value: i64 = if negative { -1 } else { 0 };
    for (index, &byte) in field.iter().enumerate() {
        let byte = match (index, negative) {
            (0, true) => byte | 0x80,
            (0, false) => byte & 0x7f,
            _ => byte,
        };
        value = value.checked_mul(256)?.checked_add(i64::from(byte))?;
    }
    Some(value)
}

/// The field up to its first NUL.
#[must_use]
pub fn until_nul(field: &[u8]) -> &[u8] {
    &field[..memchr::memchr(0, field).unwrap_or(field.len())]
}
