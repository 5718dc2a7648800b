use std::io::{self, Read};

use hashbrown::{HashMap, HashSet};

use super::classes::{is_made_up, short_path};
use super::elf::StripScan;
use super::secrets::{SecretKind, SecretScanner};
use super::start::{ACCOUNT_FILES, AccountFile, Accounts, Program};
use nixdive_image::{ContentHash, FileTree, Kind, OccurrenceId, Resolution};

/// Maximum size of a file that is searched for secrets, bytes.
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
/// Bytes that are read at once: as many as tell what a program is.
const BUFFER_BYTES: usize = Program::START;
/// Maximum size of an account file, which is read whole, bytes.
const MOST_ACCOUNTS: u64 = 4 << 20;
/// Bytes of names that one thread keeps of what programs execute.
const MOST_EXECUTED_BYTES: usize = 16 << 20;

/// Something in a file that looks like a secret. The secret itself is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretSighting {
    /// The file.
    pub occurrence: OccurrenceId,
    /// Offset in the file's content, bytes.
    pub offset: u64,
    /// Kind of the secret.
    pub kind: SecretKind,
    /// By which pattern it was recognised.
    pub pattern: &'static str,
}

/// Facts from the contents of an image's files. Memory is bounded by the number of entries.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Files that begin with `#!`.
    pub scripts: HashSet<OccurrenceId>,
    /// How executable files start: programs, and scripts of any mode.
    pub programs: HashMap<OccurrenceId, Program>,
    /// The users and groups that a container has.
    pub accounts: Accounts,
    /// Bytes that `strip` would take from programs and libraries, where that is much.
    pub strippable: HashMap<OccurrenceId, u64>,
    /// Identities of contents that opening did not tell and that may be equal to others.
    pub hashes: HashMap<OccurrenceId, ContentHash>,
    /// Possible secrets, by file and offset.
    pub secrets: Vec<SecretSighting>,
    /// Files that could not be read.
    pub unread: u64,
    /// True if some results were dropped because of a limit.
    pub is_truncated: bool,
}

impl Facts {
    /// Adds what another part of the same run found.
    pub fn merge(&mut self, other: Self) {
        self.scripts.extend(other.scripts);
        self.programs.extend(other.programs);
        self.accounts.merge(other.accounts);
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
    accounts: HashMap<OccurrenceId, AccountFile>,
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
        Self { files, compared, accounts: accounts(tree) }
    }
}

/// The entries with the files of accounts that a container sees.
fn accounts(tree: &FileTree) -> HashMap<OccurrenceId, AccountFile> {
    let entry = |path: &str| {
        let top = tree.top_layer()?;
        let Resolution::Found { node, .. } = tree.resolve(path.as_bytes(), top, true) else { return None };
        tree.content_of(tree.visible_at(node, top)?)
    };
    ACCOUNT_FILES.iter().filter_map(|&(file, path)| Some((entry(path)?, file))).collect()
}

/// Looks at the bytes of files as they are fed, one thread's part at a time.
pub struct Examiner<'a> {
    tree: &'a FileTree,
    plan: &'a ExaminePlan,
    scanner: SecretScanner,
    buffer: Vec<u8>,
    text: Vec<u8>,
    executed_bytes: usize,
    facts: Facts,
}

impl<'a> Examiner<'a> {
    /// For the files of a plan.
    #[must_use]
    pub fn new(tree: &'a FileTree, plan: &'a ExaminePlan) -> Self {
        let scanner = SecretScanner::new();
        let (buffer, text, executed_bytes) = (vec![0; BUFFER_BYTES], Vec::new(), 0);
        let mut facts = Facts::default();
        // Their length is only claimed.
        let sparse = plan.accounts.iter().filter(|&(&id, _)| tree.sparse(id).is_some());
        sparse.for_each(|(_, &file)| facts.accounts.unread(file));
        Self { tree, plan, scanner, buffer, text, executed_bytes, facts }
    }

    /// Reads as much of a file as the rules need: all of it only if it is a program, a text, or
    /// possibly a duplicate.
    ///
    /// # Errors
    /// If the reader fails.
    pub fn examine(&mut self, id: OccurrenceId, reader: &mut dyn Read) -> io::Result<()> {
        let bytes = self.tree.occurrence(id).bytes;
        let mut buffer = std::mem::take(&mut self.buffer);
        let result = self.read(id, bytes, reader, &mut buffer);
        self.buffer = buffer;
        result
    }

    /// Notes that a file could not be read.
    pub fn unread(&mut self, id: OccurrenceId) {
        self.facts.unread = self.facts.unread.saturating_add(1);
        if let Some(&file) = self.plan.accounts.get(&id) {
            self.facts.accounts.unread(file);
        }
    }

    /// Returns the collected facts.
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
        self.note_program(id, start, bytes);
        let account = self.plan.accounts.get(&id).copied();
        let path = short_path(self.tree, self.tree.occurrence(id).node()).unwrap_or_default();
        let is_text = bytes <= MOST_TEXT && looks_like_text(start) && !is_made_up(&path);
        let mut strip = if bytes <= MOST_READ { StripScan::begin(start) } else { None };
        let compared = bytes <= MOST_READ && self.plan.compared.contains(&id);
        let mut hasher = compared.then(blake3::Hasher::new);
        let collects = is_text || account.is_some() && bytes <= MOST_ACCOUNTS;
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
            if collects {
                self.text.extend_from_slice(part);
            }
            let strips = strip.as_ref().is_some_and(|strip| !strip.is_done());
            if count == 0 || !(collects || compared || strips) {
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
        match account {
            Some(file) if collects => self.facts.accounts.add(file, &self.text),
            Some(file) => self.facts.accounts.unread(file),
            None => {}
        }
        if is_text {
            self.scan_text(id, &path);
        }
        Ok(())
    }

    /// Keeps how a file starts: of a script whatever its mode, as another program may run it.
    fn note_program(&mut self, id: OccurrenceId, start: &[u8], bytes: u64) {
        let may_start = start.starts_with(b"#!") || self.tree.occurrence(id).mode() & 0o111 != 0;
        let Some(program) = Some(()).filter(|()| may_start).and_then(|()| Program::read(start, bytes)) else { return };
        self.executed_bytes = self.executed_bytes.saturating_add(program.text_bytes());
        if self.executed_bytes > MOST_EXECUTED_BYTES {
            self.facts.is_truncated = true;
            return;
        }
        self.facts.programs.insert(id, program);
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
