//! Tar headers as written by Go's `archive/tar`, and therefore by nix2container: POSIX.1-1988 (ustar) if it can
//! represent an entry, else preceded by a POSIX.1-2001 (pax) extended header.

use super::rules::Owner;
use nixdive_image::Xattr;

/// Bytes of a tar block.
pub const BLOCK: usize = 512;
const NAME_BYTES: usize = 100;
const PREFIX_BYTES: usize = 155;
const OWNER_BYTES: usize = 32;
/// Largest number in a field of 8 characters, and of 12.
const MAX_SHORT_NUMBER: u64 = (1 << 21) - 1;
const MAX_LONG_NUMBER: u64 = (1 << 33) - 1;

/// Content of a tar entry's header.
pub struct Header<'a> {
    /// Path of the entry, with a trailing slash for a directory if needed.
    pub name: &'a [u8],
    /// `0` for a file, `5` for a directory, `2` for a symbolic link.
    pub type_flag: u8,
    /// Permission, set-id and sticky bits.
    pub mode: u32,
    /// Owner of the entry.
    pub owner: &'a Owner,
    /// Length of the content in bytes.
    pub file_bytes: u64,
    /// Modification time in seconds since 1970; 1 for everything in a Nix store.
    pub mtime: u64,
    /// Target of a link.
    pub link: &'a [u8],
    /// Extended attributes: `SCHILY.xattr.` records of a pax header.
    pub xattrs: &'a [Xattr],
}

impl Header<'_> {
    /// Returns the blocks of the header, preceded by an extended header if needed.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let split = split_name(self.name);
        let long_name = self.name.len() > NAME_BYTES || !self.name.is_ascii();
        let needs_pax = (long_name && split.is_none())
            || !fits(self.link, NAME_BYTES)
            || !fits(self.owner.user.as_bytes(), OWNER_BYTES)
            || !fits(self.owner.group.as_bytes(), OWNER_BYTES)
            || [self.owner.uid, self.owner.gid].iter().any(|&number| u64::from(number) > MAX_SHORT_NUMBER)
            || [self.file_bytes, self.mtime].iter().any(|&number| number > MAX_LONG_NUMBER)
            || !self.xattrs.is_empty();
        let mut blocks = Vec::with_capacity(BLOCK);
        if needs_pax {
            self.write_extended(&mut blocks);
        }
        let (prefix, name) = match split {
            Some((prefix, name)) if !needs_pax => (prefix, name),
            _ => (&b""[..], self.name),
        };
        blocks.extend_from_slice(&self.block(prefix, name));
        blocks
    }

    fn block(&self, prefix: &[u8], name: &[u8]) -> [u8; BLOCK] {
        let mut block = Block([0; BLOCK]);
        block.text(0, NAME_BYTES, name);
        block.number(100, 8, self.mode.into());
        block.number(108, 8, self.owner.uid.into());
        block.number(116, 8, self.owner.gid.into());
        block.number(124, 12, self.file_bytes);
        block.number(136, 12, self.mtime);
        block.0[156] = self.type_flag;
        block.text(157, NAME_BYTES, self.link);
        block.text(265, OWNER_BYTES, self.owner.user.as_bytes());
        block.text(297, OWNER_BYTES, self.owner.group.as_bytes());
        block.number(329, 8, 0);
        block.number(337, 8, 0);
        block.text(345, PREFIX_BYTES, prefix);
        block.finish()
    }

    /// Writes the extended header with everything that a plain one cannot represent, records sorted by name.
    fn write_extended(&self, blocks: &mut Vec<u8>) {
        let owner = self.owner;
        let mut records = Vec::new();
        let mut texts = |key: &str, text: &[u8], room: usize| {
            if !fits(text, room) {
                records.push((key.as_bytes().to_vec(), text.to_vec()));
            }
        };
        texts("path", self.name, NAME_BYTES);
        texts("linkpath", self.link, NAME_BYTES);
        texts("uname", owner.user.as_bytes(), OWNER_BYTES);
        texts("gname", owner.group.as_bytes(), OWNER_BYTES);
        let numbers = [
            ("uid", u64::from(owner.uid), MAX_SHORT_NUMBER),
            ("gid", u64::from(owner.gid), MAX_SHORT_NUMBER),
            ("size", self.file_bytes, MAX_LONG_NUMBER),
            ("mtime", self.mtime, MAX_LONG_NUMBER),
        ];
        for (key, number, _) in numbers.into_iter().filter(|(_, number, most)| number > most) {
            records.push((key.as_bytes().to_vec(), number.to_string().into_bytes()));
        }
        for xattr in self.xattrs {
            records.push(([b"SCHILY.xattr.", &*xattr.name].concat(), xattr.value.to_vec()));
        }
        records.sort();
        let data: Vec<u8> = records.iter().flat_map(|(key, value)| record(key, value)).collect();
        let mut block = Block([0; BLOCK]);
        block.text(0, NAME_BYTES, &extended_name(self.name));
        for (at, width) in [(100, 8), (108, 8), (116, 8), (136, 12)] {
            block.number(at, width, 0);
        }
        block.number(124, 12, data.len() as u64);
        block.0[156] = b'x';
        blocks.extend_from_slice(&block.finish());
        blocks.extend_from_slice(&data);
        blocks.resize(blocks.len().next_multiple_of(BLOCK), 0);
    }
}

struct Block([u8; BLOCK]);

impl Block {
    /// Writes a text into a field, without non-ASCII characters and truncated to its width; the extended header
    /// contains all of it.
    fn text(&mut self, at: usize, width: usize, text: &[u8]) {
        let field = self.0.iter_mut().skip(at).take(width);
        field.zip(text.iter().filter(|byte| byte.is_ascii() && **byte != 0)).for_each(|(to, from)| *to = *from);
        // A name truncated after a slash would look like a directory's.
        if let Some(field) = self.0.get_mut(at..at + width).filter(|_| text.len() > width) {
            field.iter_mut().rev().take_while(|byte| **byte == b'/').for_each(|byte| *byte = 0);
        }
    }

    /// Writes octal digits and a NUL into a field; 0 if there are too many digits.
    fn number(&mut self, at: usize, width: usize, number: u64) {
        let digits = width - 1;
        let number = if number >> (digits * 3) == 0 { number } else { 0 };
        let text = format!("{number:0digits$o}");
        self.0.iter_mut().skip(at).zip(text.bytes()).for_each(|(to, from)| *to = from);
    }

    fn finish(mut self) -> [u8; BLOCK] {
        self.text(257, 5, b"ustar");
        self.text(263, 2, b"00");
        self.text(148, 8, b"        ");
        let sum: u32 = self.0.iter().map(|&byte| u32::from(byte)).sum();
        self.0.iter_mut().skip(148).zip(format!("{sum:06o}\0 ").bytes()).for_each(|(to, from)| *to = from);
        self.0
    }
}

fn fits(text: &[u8], room: usize) -> bool {
    text.len() <= room && text.is_ascii()
}

/// Splits a path that is too long for the name field into prefix and name.
fn split_name(name: &[u8]) -> Option<(&[u8], &[u8])> {
    if name.len() <= NAME_BYTES || !name.is_ascii() {
        return None;
    }
    let slash = memchr::memrchr(b'/', name.get(..name.len().min(PREFIX_BYTES + 1))?)?;
    let (prefix, rest) = name.split_at_checked(slash)?;
    let rest = rest.get(1..)?;
    (slash > 0 && !rest.is_empty() && rest.len() <= NAME_BYTES).then_some((prefix, rest))
}

/// Formats `LENGTH KEY=VALUE` and a line feed; the length includes itself.
fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + rest.to_string().len();
    if rest + length.to_string().len() != length {
        length = rest + length.to_string().len();
    }
    [format!("{length} ").as_bytes(), key, b"=", value, b"\n"].concat()
}

/// Returns the name that Go gives an extended header.
fn extended_name(name: &[u8]) -> Vec<u8> {
    let cut = memchr::memrchr(b'/', name).map_or(0, |slash| slash + 1);
    let (directory, file) = name.split_at_checked(cut).unwrap_or((b"", name));
    let mut joined = super::rules::clean(&[directory, b"PaxHeaders.0/", file].concat());
    joined.retain(u8::is_ascii);
    joined.truncate(NAME_BYTES);
    let end = joined.iter().rposition(|&byte| byte != b'/').map_or(0, |last| last + 1);
    joined.truncate(end);
    joined
}
