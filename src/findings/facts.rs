use std::io::{self, Read};

use hashbrown::{HashMap, HashSet};

use super::classes::{is_made_up, short_path};
use super::elf::StripScan;
use super::secrets::{SecretKind, SecretScanner};
use crate::image::{ContentHash, FileTree, Kind, OccurrenceId};

/// Files that are looked through for secrets have at most so many bytes.
const MOST_TEXT: u64 = 1 << 20;
/// Files of more bytes are not read to their end.
const MOST_READ: u64 = 8 << 30;
/// Shorter files are not worth comparing, bytes.
const LEAST_COMPARED: u64 = 4 << 10;
/// Less than this is not worth stripping, bytes.
const LEAST_STRIPPED: u64 = 64 << 10;
/// Sightings of secrets that are kept of one file, and in all.
const MOST_IN_FILE: usize = 16;
const MOST_SECRETS: usize = 10_000;
/// Bytes that are read at once.
const BUFFER_BYTES: usize = 64 << 10;

/// Something in a file that looks like a secret. The secret itself is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretSighting {
    /// The file.
    pub occurrence: OccurrenceId,
    /// Where in its content, bytes.
    pub offset: u64,
    /// Of what kind.
    pub kind: SecretKind,
    /// By which pattern it was recognised.
    pub pattern: &'static str,
}

/// What the bytes of an image's files tell. Memory is bounded by the number of entries.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Files that begin with `#!`.
    pub scripts: HashSet<OccurrenceId>,
    /// Bytes that `strip` would take from programs and libraries, where that is much.
    pub strippable: HashMap<OccurrenceId, u64>,
    /// Identities of contents that opening did not tell and that may be equal to others.
    pub hashes: HashMap<OccurrenceId, ContentHash>,
    /// What looks like a secret, by file and offset.
    pub secrets: Vec<SecretSighting>,
    /// Files that could not be read.
    pub unread: u64,
    /// Whether there was more than is kept.
    pub is_truncated: bool,
}

impl Facts {
    /// Adds what another part of the same run found.
    pub fn merge(&mut self, other: Self) {
        self.scripts.extend(other.scripts);
        self.strippable.extend(other.strippable);
        self.hashes.extend(other.hashes);
        self.secrets.extend(other.secrets);
        self.unread = self.unread.saturating_add(other.unread);
        self.is_truncated |= other.is_truncated || self.secrets.len() > MOST_SECRETS;
        self.secrets.sort_unstable();
        self.secrets.truncate(MOST_SECRETS);
    }
}

/// Which files have to be read, and for what.
#[derive(Debug, Default)]
pub struct ExaminePlan {
    /// Files with content, of all layers: what an upper layer hides is shipped too.
    pub files: Vec<OccurrenceId>,
    compared: HashSet<OccurrenceId>,
}

impl ExaminePlan {
    /// Finds out from the headers alone. Sparse files are left out: their length is only claimed.
    #[must_use]
    pub fn new(tree: &FileTree) -> Self {
        let all = tree.layer_indices().flat_map(|layer| tree.layer_occurrences(layer));
        let wanted = |&id: &OccurrenceId| {
            let occurrence = tree.occurrence(id);
            occurrence.kind == Kind::File && occurrence.bytes > 0 && tree.sparse(id).is_none()
        };
        let files: Vec<OccurrenceId> = all.filter(wanted).collect();
        let mut by_bytes: HashMap<u64, u32> = HashMap::new();
        let long = |id: &&OccurrenceId| tree.occurrence(**id).bytes >= LEAST_COMPARED;
        for id in files.iter().filter(long) {
            let count = by_bytes.entry(tree.occurrence(*id).bytes).or_default();
            *count = count.saturating_add(1);
        }
        let has_rival = |id: &&OccurrenceId| by_bytes.get(&tree.occurrence(**id).bytes).is_some_and(|&count| count > 1);
        let unknown = |id: &&OccurrenceId| tree.content_hash(**id).is_none();
        let compared = files.iter().filter(has_rival).filter(unknown).copied().collect();
        Self { files, compared }
    }
}

/// Looks at the bytes of files as they are fed, one thread's part at a time.
pub struct Examiner<'a> {
    tree: &'a FileTree,
    plan: &'a ExaminePlan,
    scanner: SecretScanner,
    buffer: Vec<u8>,
    text: Vec<u8>,
    facts: Facts,
}

impl<'a> Examiner<'a> {
    /// For the files of a plan.
    #[must_use]
    pub fn new(tree: &'a FileTree, plan: &'a ExaminePlan) -> Self {
        let scanner = SecretScanner::new();
        Self { tree, plan, scanner, buffer: vec![0; BUFFER_BYTES], text: Vec::new(), facts: Facts::default() }
    }

    /// Reads of a file what the rules need: all of it only where it is a program, a text, or may be there twice.
    ///
    /// # Errors
    /// Those of the reader.
    pub fn examine(&mut self, id: OccurrenceId, reader: &mut dyn Read) -> io::Result<()> {
        let bytes = self.tree.occurrence(id).bytes;
        let mut buffer = std::mem::take(&mut self.buffer);
        let result = self.read(id, bytes, reader, &mut buffer);
        self.buffer = buffer;
        result
    }

    /// Notes that a file could not be read.
    pub fn unread(&mut self) {
        self.facts.unread = self.facts.unread.saturating_add(1);
    }

    /// What was found.
    #[must_use]
    pub fn finish(self) -> Facts {
        self.facts
    }

    fn read(&mut self, id: OccurrenceId, bytes: u64, reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<()> {
        let count = read_full(reader, buffer)?;
        let start = buffer.get(..count).unwrap_or_default();
        if start.starts_with(b"#!") {
            self.facts.scripts.insert(id);
        }
        let path = short_path(self.tree, self.tree.occurrence(id).node()).unwrap_or_default();
        let is_text = bytes <= MOST_TEXT && looks_like_text(start) && !is_made_up(&path);
        let mut strip = if bytes <= MOST_READ { StripScan::begin(start) } else { None };
        let compared = bytes <= MOST_READ && self.plan.compared.contains(&id);
        let mut hasher = compared.then(blake3::Hasher::new);
        self.text.clear();
        let mut count = count;
        loop {
            let part = buffer.get(..count).unwrap_or_default();
            if let Some(hasher) = &mut hasher {
                hasher.update(part);
            }
            if let Some(strip) = &mut strip {
                strip.feed(part);
            }
            if is_text {
                self.text.extend_from_slice(part);
            }
            let strips = strip.as_ref().is_some_and(|strip| !strip.is_done());
            if count == 0 || !(is_text || compared || strips) {
                break;
            }
            count = read_full(reader, buffer)?;
        }
        if let Some(hasher) = hasher {
            let mut identity = [0; 16];
            identity.iter_mut().zip(hasher.finalize().as_bytes()).for_each(|(to, &from)| *to = from);
            self.facts.hashes.insert(id, identity);
        }
        let strippable = strip.map_or(0, |strip| strip.strippable_bytes(bytes));
        if strippable >= LEAST_STRIPPED {
            self.facts.strippable.insert(id, strippable);
        }
        if is_text {
            self.scan_text(id, &path);
        }
        Ok(())
    }

    fn scan_text(&mut self, id: OccurrenceId, path: &[u8]) {
        let found = self.scanner.in_file(path, &self.text);
        self.facts.is_truncated |= found.len() > MOST_IN_FILE;
        for secret in found.into_iter().take(MOST_IN_FILE) {
            if self.facts.secrets.len() >= MOST_SECRETS {
                self.facts.is_truncated = true;
                return;
            }
            let (kind, pattern, offset) = (secret.kind, secret.pattern, secret.range.start as u64);
            self.facts.secrets.push(SecretSighting { occurrence: id, offset, kind, pattern });
        }
    }
}

/// Fills the buffer as far as the reader goes.
fn read_full(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut count = 0;
    while let Some(rest) = buffer.get_mut(count..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

fn looks_like_text(start: &[u8]) -> bool {
    memchr::memchr(0, start.get(..start.len().min(4096)).unwrap_or_default()).is_none()
}
