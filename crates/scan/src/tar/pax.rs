//! PAX extended headers: POSIX.1-2017 `pax`, "pax Extended Header"; `SCHILY.xattr.` of star(5); GNU sparse files in
//! PAX form of the GNU tar manual, "Storing Sparse Files".

use std::sync::Arc;

use hashbrown::HashMap;

use nixdive_image::{Segment, Xattr};

/// Fields from the extended headers before an entry; `None` and empty if absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extended {
    /// Replaces the name.
    pub path: Option<Vec<u8>>,
    /// Replaces the link target.
    pub link: Option<Vec<u8>>,
    /// Replaces the number of content bytes.
    pub content_bytes: Option<u64>,
    /// The value for the number of content bytes is not a number, so the start of the next entry is unknown.
    pub has_bad_length: bool,
    /// Replaces the owner.
    pub uid: Option<u32>,
    /// Replaces the group.
    pub gid: Option<u32>,
    /// Replaces the time of modification, whole seconds.
    pub mtime: Option<i64>,
    /// Extended attributes, each name once.
    pub xattrs: Vec<Xattr>,
    /// Says that the file is sparse, and how.
    pub sparse: Option<PaxSparse>,
}

/// The three ways in which GNU tar writes a sparse file in PAX form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PaxSparse {
    /// The file's name; the header has a made-up one.
    pub name: Option<Vec<u8>>,
    size: Option<u64>,
    real_size: Option<u64>,
    major: Vec<u8>,
    minor: Vec<u8>,
    /// Format 0.1: the runs as one list.
    map: Vec<Segment>,
    /// Format 0.0: the runs one by one.
    runs: Vec<Segment>,
    offset: Option<u64>,
    /// True if the runs are not pairs of numbers.
    is_broken: bool,
}

/// Index of each attribute by name, among those of an entry.
type Places = HashMap<Arc<[u8]>, usize>;

/// Location of the list of a sparse file's runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaxMap {
    /// Formats 0.0 and 0.1: in the extended header.
    InHeader(Vec<Segment>),
    /// Format 1.0: at the beginning of the content.
    InContent,
    /// Nowhere: what should list them is malformed.
    Broken,
}

/// Extended attributes that one entry may have. Linux takes names of 64 KiB together.
const MAX_XATTRS: usize = 1000;

/// Runs that one sparse file may have here.
pub const MAX_SEGMENTS: usize = 1 << 20;

impl Extended {
    /// Reads the records of one extended header. `false` where a record is broken: those before it are kept.
    #[must_use]
    pub fn read(&mut self, mut data: &[u8]) -> bool {
        let names = self.xattrs.iter().enumerate();
        let mut places: Places = names.map(|(place, xattr)| (Arc::clone(&xattr.name), place)).collect();
        while !data.is_empty() && data != [0] {
            let Some((key, value, rest)) = record(data) else { return false };
            match key.strip_prefix(b"SCHILY.xattr.") {
                Some(name) => self.set_attribute(name, value, &mut places),
                None => self.apply(key, value),
            }
            if self.xattrs.len() > MAX_XATTRS {
                return false;
            }
            data = rest;
        }
        true
    }

    fn apply(&mut self, key: &[u8], value: &[u8]) {
        match key {
            b"path" => self.path = given(value),
            b"linkpath" => self.link = given(value),
            b"size" => {
                self.content_bytes = decimal(value);
                self.has_bad_length = self.content_bytes.is_none() && !value.is_empty();
            }
            b"uid" => self.uid = decimal(value).map(saturated),
            b"gid" => self.gid = decimal(value).map(saturated),
            b"mtime" => self.mtime = seconds(value),
            _ => {
                if let Some(name) = key.strip_prefix(b"GNU.sparse.") {
                    self.sparse.get_or_insert_default().apply(name, value);
                }
            }
        }
    }

    /// Adds an attribute, or replaces the one that has its name.
    fn set_attribute(&mut self, name: &[u8], value: &[u8], places: &mut Places) {
        match places.get(name).and_then(|&place| self.xattrs.get_mut(place)) {
            Some(known) => known.value = value.into(),
            None => {
                let name: Arc<[u8]> = name.into();
                places.insert(Arc::clone(&name), self.xattrs.len());
                self.xattrs.push(Xattr { name, value: value.into() });
            }
        }
    }
}

impl PaxSparse {
    /// Unpacked size, bytes.
    #[must_use]
    pub fn real_bytes(&self) -> Option<u64> {
        self.size.or(self.real_size)
    }

    /// Returns the location of the list of runs; `None` for an unknown version, whose file is taken
    /// as it is stored, under the name meant for readers without support for sparse files.
    #[must_use]
    pub fn map(&self) -> Option<PaxMap> {
        let in_header = || PaxMap::InHeader(if self.runs.is_empty() { &self.map } else { &self.runs }.clone());
        match (self.major.as_slice(), self.minor.as_slice()) {
            (b"0" | b"", b"0" | b"1" | b"") if self.is_broken => Some(PaxMap::Broken),
            (b"0", b"0" | b"1") => Some(in_header()),
            (b"1", b"0") => Some(PaxMap::InContent),
            (b"", b"") if !self.map.is_empty() || !self.runs.is_empty() => Some(in_header()),
            _ => None,
        }
    }

    fn apply(&mut self, key: &[u8], value: &[u8]) {
        match key {
            b"name" => self.name = given(value),
            b"size" => self.size = decimal(value),
            b"realsize" => self.real_size = decimal(value),
            b"major" => self.major = value.to_vec(),
            b"minor" => self.minor = value.to_vec(),
            b"offset" => self.offset = decimal(value),
            b"numbytes" => match (self.offset.take(), decimal(value)) {
                (Some(file_offset), Some(length)) => self.runs.push(Segment { file_offset, length }),
                _ => self.is_broken = true,
            },
            b"map" => match pairs(value) {
                Some(map) => self.map = map,
                None => self.is_broken = true,
            },
            _ => {}
        }
    }
}

/// Offsets and lengths, separated by commas; `None` where something is not a number or stands alone.
fn pairs(value: &[u8]) -> Option<Vec<Segment>> {
    if value.is_empty() {
        return Some(Vec::new());
    }
    let numbers: Vec<u64> = value.split(|&byte| byte == b',').map(decimal).collect::<Option<_>>()?;
    let run = |pair: &[u64]| Segment { file_offset: pair[0], length: pair[1] };
    numbers.len().is_multiple_of(2).then(|| numbers.chunks_exact(2).map(run).collect())
}

/// Key, value and what follows of `"%d %s=%s\n"`, where the number counts the whole record.
fn record(data: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = memchr::memchr(b' ', data)?;
    let length = usize::try_from(decimal(&data[..space])?).ok()?;
    let body = data.get(space + 1..length)?.strip_suffix(b"\n")?;
    let equals = memchr::memchr(b'=', body)?;
    let (key, value) = (&body[..equals], &body[equals + 1..]);
    let is_text = matches!(key, b"path" | b"linkpath" | b"uname" | b"gname");
    let has_nul = memchr::memchr(0, if is_text { value } else { key }).is_some();
    (!key.is_empty() && !has_nul).then_some((key, value, data.get(length..)?))
}

/// A decimal number that is not negative, as Go's `strconv.ParseInt` reads it: also with a sign and leading zeros.
#[must_use]
pub fn decimal(text: &[u8]) -> Option<u64> {
    let (sign, digits) = match text {
        [sign @ (b'+' | b'-'), digits @ ..] => (*sign, digits),
        digits => (b'+', digits),
    };
    if digits.is_empty() {
        return None;
    }
    let value = digits.iter().try_fold(0u64, |value, &byte| {
        byte.is_ascii_digit().then(|| value.checked_mul(10)?.checked_add(u64::from(byte - b'0')))?
    });
    value.filter(|&value| value <= i64::MAX as u64 && (sign == b'+' || value == 0))
}

/// An empty value takes back what an earlier header said: the plain header's field counts.
fn given(value: &[u8]) -> Option<Vec<u8>> {
    (!value.is_empty()).then(|| value.to_vec())
}

fn saturated(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// Whole seconds of a time with sign and fraction, rounded down as a clock is.
fn seconds(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let mut parts = digits.splitn(2, |&byte| byte == b'.');
    let whole = i64::try_from(decimal(parts.next()?)?).ok()?;
    let fraction = parts.next().is_some_and(|fraction| fraction.iter().any(|&byte| byte != b'0'));
    Some(if negative { -whole - i64::from(fraction) } else { whole })
}
