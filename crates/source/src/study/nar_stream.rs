use hashbrown::HashMap;

use super::notes::{Fingerprint, NotedNar};
use nixdive_image::{EntryFields, Kind};
use nixdive_nix::StorePath;
use nixdive_nix::nar::{NarEntry, NarNode, NarWriter, Sha256Sink};

/// Builds NARs of the store paths in a layer while its entries are read, for paths whose entries are consecutive and in
/// NAR order. The finished tree decides if such a NAR is complete.
#[derive(Debug, Default)]
pub(super) struct NarStream {
    current: Option<Current>,
    done: HashMap<StorePath, NotedNar>,
}

#[derive(Debug)]
struct Current {
    path: StorePath,
    /// `None` after an entry that cannot be part of a NAR.
    writer: Option<NarWriter<Sha256Sink>>,
    entries: Fingerprint,
    /// Directory of the last entry, or the last entry itself, below the store path.
    directory: Vec<u8>,
}

impl Current {
    /// Returns `true` if an entry is in the last one's directory or in one above it, as in a NAR, and is not a
    /// whiteout.
    fn goes_on_with(&mut self, below: &[u8], kind: Kind) -> bool {
        let (parent, name) = match memchr::memrchr(b'/', below) {
            Some(slash) => (&below[..slash], &below[slash + 1..]),
            None => (&below[..0], below),
        };
        let rest = self.directory.strip_prefix(parent);
        let within = parent.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"));
        self.directory = if kind == Kind::Directory { below.to_vec() } else { parent.to_vec() };
        within && !name.starts_with(b".wh.")
    }
}

impl NarStream {
    /// Adds an entry of a store path; `below` is the rest of its name after the store path, without a leading slash.
    /// Returns `true` if its content is part of a NAR.
    pub fn entry(&mut self, base_name: &[u8], below: &[u8], link: &[u8], fields: &EntryFields) -> bool {
        if self.current.as_ref().is_none_or(|current| current.path.base_name().as_bytes() != base_name) {
            self.end_path();
            let Ok(path) = StorePath::parse_base_name(base_name) else { return false };
            self.current = Some(Current {
                path,
                writer: Some(NarWriter::hashing()),
                entries: Fingerprint::default(),
                directory: Vec::new(),
            });
        }
        let Some(current) = &mut self.current else { return false };
        let entry = nar_entry(below, link, fields).filter(|_| current.goes_on_with(below, fields.kind));
        if let Some(entry) = &entry {
            current.entries.add(entry, fields.offset);
        }
        if entry.is_none_or(|entry| current.writer.as_mut().is_none_or(|writer| writer.entry(&entry).is_err())) {
            current.writer = None;
        }
        current.writer.is_some()
    }

    /// Adds bytes of the content of the last entry.
    pub fn content(&mut self, piece: &[u8]) {
        if let Some(current) = &mut self.current
            && current.writer.as_mut().is_some_and(|writer| writer.content(piece).is_err())
        {
            current.writer = None;
        }
    }

    /// Finishes the current store path.
    pub fn end_path(&mut self) {
        let Some(Current { path, writer, entries, .. }) = self.current.take() else { return };
        match writer.and_then(|writer| writer.digest().ok()) {
            Some(digest) => self.done.insert(path, NotedNar { digest, entries: entries.finish() }),
            None => self.done.remove(&path),
        };
    }

    /// Returns the NARs.
    pub fn finish(mut self) -> HashMap<StorePath, NotedNar> {
        self.end_path();
        self.done
    }
}

/// Converts an entry to a NAR entry. Returns `None` for entries that a NAR cannot contain, or that depend on another
/// file.
fn nar_entry<'n>(below: &'n [u8], link: &'n [u8], fields: &EntryFields) -> Option<NarEntry<'n>> {
    let node = match fields.kind {
        Kind::Directory => NarNode::Directory,
        Kind::Symlink => NarNode::Symlink { target: link },
        Kind::File if fields.sparse.is_none() => {
            NarNode::File { executable: fields.mode & 0o100 != 0, bytes: fields.bytes }
        }
        _ => return None,
    };
    let name = below.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    let depth = if below.is_empty() { 0 } else { 1 + memchr::memchr_iter(b'/', below).count() };
    Some(NarEntry { depth, name, node })
}
