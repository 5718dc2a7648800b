use super::style::raw_byte;

/// How bytes stand for text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, ASCII included.
    Utf8,
    /// ISO 8859-1, or another encoding of one byte a character whose name nobody gives.
    Latin1,
    /// UTF-16, low byte first, by its byte order mark.
    Utf16Le,
    /// UTF-16, high byte first, by its byte order mark.
    Utf16Be,
}

impl Encoding {
    /// Detects the encoding of a text from its first bytes; `None` if it is not text. `whole` means
    /// that nothing follows.
    #[must_use]
    pub fn detect(start: &[u8], whole: bool) -> Option<Self> {
        match start {
            [0xff, 0xfe, ..] => return utf16_is_plausible(start, u16::from_le_bytes).then_some(Self::Utf16Le),
            [0xfe, 0xff, ..] => return utf16_is_plausible(start, u16::from_be_bytes).then_some(Self::Utf16Be),
            _ => {}
        }
        let odd = start.iter().filter(|&&byte| is_odd_control(byte)).count();
        if start.contains(&0) || odd > start.len() / 20 {
            return None;
        }
        match std::str::from_utf8(start) {
            Ok(_) => Some(Self::Utf8),
            // A character that the sample cuts in two is not an error.
            Err(error) if error.error_len().is_none() && !whole => Some(Self::Utf8),
            Err(_) => {
                let invalid: usize = start.utf8_chunks().map(|chunk| chunk.invalid().len()).sum();
                let high = start.iter().filter(|byte| !byte.is_ascii()).count();
                let mostly_text = high <= start.len() / 3;
                match (mostly_text, invalid * 4 > high) {
                    (false, _) => None,
                    (true, true) => Some(Self::Latin1),
                    (true, false) => Some(Self::Utf8),
                }
            }
        }
    }

    /// Bytes of a line end, and of the smallest character.
    #[must_use]
    pub(super) fn unit(self) -> u64 {
        match self {
            Self::Utf8 | Self::Latin1 => 1,
            Self::Utf16Le | Self::Utf16Be => 2,
        }
    }

    /// Bytes of the byte order mark that a text begins with.
    pub(super) fn mark_bytes(self, start: &[u8]) -> u64 {
        match self {
            Self::Utf8 if start.starts_with(&[0xef, 0xbb, 0xbf]) => 3,
            Self::Utf8 | Self::Latin1 => 0,
            Self::Utf16Le | Self::Utf16Be => 2,
        }
    }

    /// Returns the offset of the first line end at or after `from`. `block` begins at an even
    /// offset of its file.
    pub(super) fn newline(self, block: &[u8], from: usize) -> Option<usize> {
        let mut at = from;
        loop {
            let found = at + memchr::memchr(b'\n', block.get(at..)?)?;
            match self {
                Self::Utf8 | Self::Latin1 => return Some(found),
                Self::Utf16Le if found.is_multiple_of(2) && block.get(found + 1) == Some(&0) => return Some(found),
                Self::Utf16Be if found % 2 == 1 && block.get(found - 1) == Some(&0) && found > from => {
                    return Some(found - 1);
                }
                _ => at = found + 1,
            }
        }
    }

    /// Returns the offset of the last line end that lies wholly before `until`. `block` begins at
    /// an even offset of its file.
    pub(super) fn last_newline(self, block: &[u8], until: usize) -> Option<usize> {
        let mut until = until.min(block.len());
        loop {
            let found = memchr::memrchr(b'\n', &block[..until])?;
            match self {
                Self::Utf8 | Self::Latin1 => return Some(found),
                Self::Utf16Le if found.is_multiple_of(2) && found + 1 < until && block[found + 1] == 0 => {
                    return Some(found);
                }
                Self::Utf16Be if found % 2 == 1 && block[found - 1] == 0 => return Some(found - 1),
                _ => until = found,
            }
        }
    }

    /// The characters of some bytes, each with the bytes that stand for it. What cannot be decoded is given as in
    /// [`Self::decode`].
    pub(super) fn characters(self, bytes: &[u8]) -> Box<dyn Iterator<Item = (char, usize)> + '_> {
        match self {
            Self::Utf8 => Box::new(bytes.utf8_chunks().flat_map(|chunk| {
                let valid = chunk.valid().chars().map(|character| (character, character.len_utf8()));
                valid.chain(chunk.invalid().iter().map(|&byte| (raw_byte(byte), 1)))
            })),
            Self::Latin1 => Box::new(bytes.iter().map(|&byte| (char::from(byte), 1))),
            Self::Utf16Le => Box::new(utf16_characters(bytes, u16::from_le_bytes)),
            Self::Utf16Be => Box::new(utf16_characters(bytes, u16::from_be_bytes)),
        }
    }

    /// Number of line ends in a block that begins at an even offset.
    pub(super) fn count_newlines(self, block: &[u8]) -> u64 {
        if self.unit() == 1 {
            return memchr::memchr_iter(b'\n', block).count() as u64;
        }
        let mut count = 0;
        let mut at = 0;
        while let Some(found) = self.newline(block, at) {
            count += 1;
            at = found + 2;
        }
        count
    }

    /// A line as text. What cannot be decoded is kept as characters that [`super::style::LineWriter`] writes as `\x..`.
    pub(super) fn decode(self, line: &[u8]) -> String {
        let mut text = String::with_capacity(line.len());
        match self {
            Self::Utf8 => {
                for chunk in line.utf8_chunks() {
                    text.push_str(chunk.valid());
                    text.extend(chunk.invalid().iter().map(|&byte| raw_byte(byte)));
                }
            }
            Self::Latin1 => text.extend(line.iter().map(|&byte| char::from(byte))),
            Self::Utf16Le => decode_utf16(line, u16::from_le_bytes, &mut text),
            Self::Utf16Be => decode_utf16(line, u16::from_be_bytes, &mut text),
        }
        text
    }
}

fn utf16_characters(bytes: &[u8], read: fn([u8; 2]) -> u16) -> impl Iterator<Item = (char, usize)> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(move |&pair| read(pair));
    let characters = char::decode_utf16(units).map(|unit| match unit {
        Ok(character) => (character, 2 * character.len_utf16()),
        Err(_) => (char::REPLACEMENT_CHARACTER, 2),
    });
    characters.chain(rest.iter().map(|&byte| (raw_byte(byte), 1)))
}

fn decode_utf16(line: &[u8], read: fn([u8; 2]) -> u16, text: &mut String) {
    let (pairs, rest) = line.as_chunks::<2>();
    let units = pairs.iter().map(|&pair| read(pair));
    text.extend(char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)));
    text.extend(rest.iter().map(|&byte| raw_byte(byte)));
}

fn utf16_is_plausible(start: &[u8], read: fn([u8; 2]) -> u16) -> bool {
    let (pairs, _) = start.as_chunks::<2>();
    let odd = pairs.iter().filter(|&&pair| u8::try_from(read(pair)).is_ok_and(is_odd_control)).count();
    odd <= pairs.len() / 20
}

/// Control characters that texts do not have. Escape is not among them: logs are full of colours.
fn is_odd_control(byte: u8) -> bool {
    matches!(byte, 0..=6 | 0x0e..=0x1a | 0x1c..=0x1f | 0x7f)
}
