use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::content::{Chunk, ListedContent, ListedFile, MAX_CHUNK};
use super::{ESTARGZ_NAME, TableError};
use crate::tar::{BLOCK, normalize};
use crate::{LayerScan, NameRoom, Wanted};
use nixdive_image::{Digest, EntryBatch, EntryFields, Kind, Xattr, Xattrs, seconds_of};

/// Unpacked bytes that may stand before a chunk in its stream; real ones put small files together up to some kilobytes.
const MAX_INNER: u64 = 64 << 20;
/// Bytes of a name, or of what a link names; as in a tar stream.
const MAX_NAME_BYTES: usize = 64 << 10;

/// A layer as its table describes it.
#[derive(Debug, Default)]
pub struct LayerTable {
    /// Its entries in their order.
    pub batches: Vec<EntryBatch>,
    /// Location of their content.
    pub content: ListedContent,
    /// Other facts about the layer. Its unpacked bytes are those of a plain tar stream of its
    /// entries, close to the real ones.
    pub scan: LayerScan,
    /// Files whose content is wanted: their paths, and where they begin.
    pub wanted: Vec<(Vec<u8>, u64)>,
}

/// How a table is read.
#[derive(Debug, Clone)]
pub struct TableOptions {
    /// Upper bound of the end of the layer's contents, bytes.
    pub contents_end: u64,
    /// Bytes that all files together may have: more than the layer can unpack to is a lie.
    pub most_bytes: u64,
    /// True if the table itself is the layer's last file.
    pub holds_itself: bool,
    /// Room for names and attributes.
    pub names: NameRoom,
    /// Files whose content is wanted.
    pub wanted: Option<Wanted>,
}

/// An entry as both formats write it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    #[serde(default)]
    link_name: String,
    #[serde(default)]
    mode: u32,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    uid: u32,
    #[serde(default)]
    gid: u32,
    #[serde(default)]
    modtime: Option<String>,
    #[serde(default)]
    dev_major: u32,
    #[serde(default)]
    dev_minor: u32,
    #[serde(default)]
    xattrs: Option<BTreeMap<String, String>>,
    #[serde(default)]
    digest: String,
    #[serde(default)]
    offset: u64,
    #[serde(default)]
    end_offset: u64,
    #[serde(default)]
    inner_offset: u64,
    #[serde(default)]
    chunk_offset: u64,
    #[serde(default)]
    chunk_size: u64,
    #[serde(default)]
    chunk_digest: String,
    #[serde(default)]
    chunk_type: String,
}

impl LayerTable {
    /// Reads a table whose digest was checked.
    ///
    /// # Errors
    /// [`TableError`]: what contradicts itself is refused as a whole.
    pub fn read(json: &[u8], options: &TableOptions) -> Result<Self, TableError> {
        let mut reading = Reading::new(options);
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        let read = Table(&mut reading).deserialize(&mut deserializer).and_then(|()| deserializer.end());
        if let Some(failure) = reading.failure.take() {
            return Err(failure);
        }
        read.map_err(|error| TableError::Json(error.to_string()))?;
        reading.finish(json.len() as u64)
    }
}

/// Takes entries one at a time: a table of them all would need many times the memory.
struct Reading<'a> {
    options: &'a TableOptions,
    table: LayerTable,
    batch: EntryBatch,
    path: Vec<u8>,
    /// Bytes of a plain tar stream so far.
    position: u64,
    climbs: u64,
    captured: u64,
    number: u64,
    has_entries: bool,
    file: Option<OpenFile>,
    failure: Option<TableError>,
}

/// A file whose chunks are not all there yet.
struct OpenFile {
    name: String,
    listed: ListedFile,
    listed_bytes: u64,
}

impl<'a> Reading<'a> {
    fn new(options: &'a TableOptions) -> Self {
        Self {
            options,
            table: LayerTable::default(),
            batch: EntryBatch::default(),
            path: Vec::new(),
            position: 0,
            climbs: 0,
            captured: 0,
            number: 0,
            has_entries: false,
            file: None,
            failure: None,
        }
    }

    fn wrong(&self, what: &'static str) -> TableError {
        TableError::Entry { entry: self.number, what }
    }

    fn take(&mut self, entry: &Entry) -> Result<(), TableError> {
        if entry.kind == "chunk" {
            return self.chunk(entry);
        }
        self.close_file()?;
        let (kind, type_flag) = kind_of(&entry.kind).ok_or_else(|| self.wrong("has an unknown type"))?;
        let mut fields = EntryFields::new(kind);
        fields.type_flag = type_flag;
        fields.mode = (entry.mode & 0o7777) as u16;
        (fields.uid, fields.gid) = (entry.uid, entry.gid);
        fields.mtime = match entry.modtime.as_deref() {
            None | Some("") => 0,
            Some(text) => seconds_of(text).ok_or_else(|| self.wrong("has no valid time"))?,
        };
        if matches!(kind, Kind::CharacterDevice | Kind::BlockDevice) {
            fields.device = (entry.dev_major, entry.dev_minor);
        }
        fields.xattrs = attributes(entry).ok_or_else(|| self.wrong("has no valid extended attributes"))?;
        let link = if matches!(kind, Kind::Symlink | Kind::HardLink) { entry.link_name.as_str() } else { "" };
        fields.bytes = if kind == Kind::File { entry.size } else { 0 };
        let start = self.add(&entry.name, link, fields)?;
        if kind == Kind::File && entry.size > 0 {
            let digest = sha256(&entry.digest);
            let first_chunk = self.table.content.chunks.len();
            let listed = ListedFile { start, bytes: entry.size, digest, first_chunk, chunk_count: 0 };
            self.file = Some(OpenFile { name: entry.name.clone(), listed, listed_bytes: 0 });
            self.chunk(entry)?;
        }
        Ok(())
    }

    /// Adds an entry; gives where its content begins.
    fn add(&mut self, name: &str, link: &str, mut fields: EntryFields) -> Result<u64, TableError> {
        if name.len().max(link.len()) > MAX_NAME_BYTES {
            return Err(self.wrong("has a longer name than any file can have"));
        }
        let names = &self.options.names;
        if !names.share(&mut fields.xattrs) || !names.take((name.len() + link.len()) as u64) {
            return Err(TableError::Crowded);
        }
        self.climbs += u64::from(normalize(name.as_bytes(), &mut self.path).climbs);
        let (bytes, is_file) = (fields.bytes, fields.kind == Kind::File);
        let start = self.position.checked_add(BLOCK as u64);
        let end = start.and_then(|start| start.checked_add(bytes.checked_next_multiple_of(BLOCK as u64)?));
        let (Some(start), Some(end)) = (start, end) else { return Err(self.wrong("is longer than any file can be")) };
        self.position = end;
        fields.offset = start;
        let scan = &mut self.table.scan;
        scan.entries += 1;
        scan.file_bytes = scan.file_bytes.saturating_add(bytes);
        if scan.file_bytes > self.options.most_bytes {
            return Err(self.wrong("makes the files longer than what the layer can unpack to"));
        }
        if let Some(wanted) = self.options.wanted.filter(|_| is_file && bytes > 0)
            && self.captured.saturating_add(bytes) <= wanted.most_bytes
            && (wanted.is_wanted)(&self.path)
        {
            self.captured = self.captured.saturating_add(bytes);
            self.table.wanted.push((self.path.clone(), start));
        }
        self.batch.push(&self.path, link.as_bytes(), fields);
        if self.batch.is_full() {
            self.table.batches.push(std::mem::take(&mut self.batch));
        }
        Ok(start)
    }

    /// Adds a chunk to the file that is open: the one within its own entry, or one of its own.
    fn chunk(&mut self, entry: &Entry) -> Result<(), TableError> {
        let wrong = |what| TableError::Entry { entry: self.number, what };
        let Some(file) = &mut self.file else { return Err(wrong("does not belong to a file")) };
        if file.name != entry.name {
            return Err(wrong("is part of another file than the one before it"));
        }
        let left = file.listed.bytes.saturating_sub(file.listed_bytes);
        let bytes = if entry.chunk_size == 0 { left } else { entry.chunk_size };
        if entry.chunk_offset != file.listed_bytes || bytes > left || bytes == 0 {
            return Err(wrong("does not begin where the one before it ends"));
        }
        file.listed_bytes = file.listed_bytes.saturating_add(bytes);
        file.listed.chunk_count += 1;
        let is_whole = bytes == file.listed.bytes;
        let digest = match entry.chunk_type.as_str() {
            "zeros" => None,
            "" => {
                let digest = sha256(&entry.chunk_digest).or(file.listed.digest.filter(|_| is_whole));
                Some(digest.ok_or_else(|| wrong("has no digest to verify its content with"))?)
            }
            _ => return Err(wrong("is stored in an unknown way")),
        };
        if digest.is_some() && (entry.offset >= self.options.contents_end || entry.inner_offset > MAX_INNER) {
            return Err(wrong("is outside the layer"));
        }
        if digest.is_some() && bytes > MAX_CHUNK {
            return Err(wrong("exceeds the maximum size of a verified chunk"));
        }
        if is_whole && digest.is_some() && file.listed.digest.is_some_and(|whole| Some(whole) != digest) {
            return Err(wrong("has two digests for the same content"));
        }
        let end = entry.end_offset;
        self.table.content.chunks.push(Chunk { offset: entry.offset, end, inner: entry.inner_offset, bytes, digest });
        Ok(())
    }

    fn close_file(&mut self) -> Result<(), TableError> {
        let Some(file) = self.file.take() else { return Ok(()) };
        if file.listed_bytes != file.listed.bytes {
            return Err(self.wrong("follows a file of which a part is missing"));
        }
        self.table.content.files.push(file.listed);
        Ok(())
    }

    fn finish(mut self, table_bytes: u64) -> Result<LayerTable, TableError> {
        self.close_file()?;
        if self.options.holds_itself {
            let mut fields = EntryFields::new(Kind::File);
            fields.bytes = table_bytes;
            let name = std::str::from_utf8(ESTARGZ_NAME).unwrap_or_default();
            let start = self.add(name, "", fields)?;
            let itself = ListedFile { start, bytes: table_bytes, digest: None, first_chunk: 0, chunk_count: 0 };
            self.table.content.files.push(itself);
        }
        if !self.batch.is_empty() {
            self.table.batches.push(std::mem::take(&mut self.batch));
        }
        self.end_chunks();
        let scan = &mut self.table.scan;
        scan.unpacked_bytes = self.position.saturating_add(2 * BLOCK as u64);
        if self.climbs > 0 {
            scan.oddities.push(format!("{} names contain `..`; they are kept below the root", self.climbs));
        }
        Ok(self.table)
    }

    /// A chunk ends where the next one in the layer begins, if nothing says that it does before.
    fn end_chunks(&mut self) {
        let chunks = &mut self.table.content.chunks;
        let mut offsets: Vec<u64> = chunks.iter().map(|chunk| chunk.offset).collect();
        offsets.sort_unstable();
        for chunk in chunks {
            let after = offsets.partition_point(|&offset| offset <= chunk.offset);
            let next = offsets.get(after).copied().unwrap_or(u64::MAX).min(self.options.contents_end);
            if chunk.end <= chunk.offset || chunk.end > next {
                chunk.end = next;
            }
        }
    }
}

fn kind_of(name: &str) -> Option<(Kind, u8)> {
    Some(match name {
        "reg" => (Kind::File, b'0'),
        "dir" => (Kind::Directory, b'5'),
        "symlink" => (Kind::Symlink, b'2'),
        "hardlink" => (Kind::HardLink, b'1'),
        "char" => (Kind::CharacterDevice, b'3'),
        "block" => (Kind::BlockDevice, b'4'),
        "fifo" => (Kind::Fifo, b'6'),
        _ => return None,
    })
}

fn attributes(entry: &Entry) -> Option<Xattrs> {
    let Some(xattrs) = &entry.xattrs else { return Some(Xattrs::new()) };
    let decode = |(name, value): (&String, &String)| {
        Some(Xattr { name: name.as_bytes().into(), value: from_base64(value.as_bytes())?.into() })
    };
    xattrs.iter().map(decode).collect()
}

fn sha256(text: &str) -> Option<[u8; 32]> {
    let digest = Digest::parse(text).filter(|digest| digest.algorithm() == "sha256")?;
    let mut bytes = [0; 32];
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digest.hex().get(2 * place..2 * place + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// RFC 4648 section 4.
fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    let digits = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"=")).unwrap_or(text);
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    for group in digits.chunks(4) {
        let mut bits = 0u32;
        for &digit in group {
            let value = match digit {
                b'A'..=b'Z' => digit - b'A',
                b'a'..=b'z' => digit - b'a' + 26,
                b'0'..=b'9' => digit - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => return None,
            };
            bits = bits << 6 | u32::from(value);
        }
        bits <<= 6 * (4 - group.len());
        bytes.extend(bits.to_be_bytes().into_iter().skip(1).take(group.len().checked_sub(1)?));
    }
    Some(bytes)
}

/// The table itself: an object of which only the entries count.
struct Table<'r, 'a>(&'r mut Reading<'a>);

impl<'de> DeserializeSeed<'de> for Table<'_, '_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Table<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a table of contents")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if key == "entries" {
                if std::mem::replace(&mut self.0.has_entries, true) {
                    return Err(serde::de::Error::duplicate_field("entries"));
                }
                map.next_value_seed(Entries(&mut *self.0))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if self.0.has_entries { Ok(()) } else { Err(serde::de::Error::missing_field("entries")) }
    }
}

struct Entries<'r, 'a>(&'r mut Reading<'a>);

impl<'de> DeserializeSeed<'de> for Entries<'_, '_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Entries<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("entries")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while let Some(entry) = entries.next_element::<Entry>()? {
            if let Err(failure) = self.0.take(&entry) {
                self.0.failure = Some(failure);
                return Err(serde::de::Error::custom("refused"));
            }
            self.0.number += 1;
        }
        Ok(())
    }
}
