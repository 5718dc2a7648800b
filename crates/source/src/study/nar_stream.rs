use hashbrown::HashMap;

use nixdive_image::{EntryFields, Kind};
use nixdive_nix::StorePath;
use nixdive_nix::nar::{NarDigest, NarEntry, NarNode, NarWriter, Sha256Sink};

/// Makes NARs of the store paths in a layer while its entries come by: of those whose entries come in the order of a
/// NAR, all in one run. Whether such a NAR is the path's own is for the finished tree to say.
#[derive(Debug, Default)]
pub(super) struct NarStream {
    current: Option<Current>,
    done: HashMap<StorePath, (NarDigest, u64)>,
}

#[derive(Debug)]
struct Current {
    path: StorePath,
    /// `None` once an entry came that makes no NAR.
    writer: Option<NarWriter<Sha256Sink>>,
    entries: u64,
    /// The directory that the last entry is, or is in, below the store path.
    directory: Vec<u8>,
}

impl Current {
    /// Whether an entry is in the last one's directory or in one above it, as a NAR has it, and is no mark of a layer.
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
    /// Takes an entry of a store path; `below` is what follows the store path in its name, without a slash before it.
    /// Whether its content belongs in a NAR that is being made.
    pub fn entry(&mut self, base_name: &[u8], below: &[u8], link: &[u8], fields: &EntryFields) -> bool {
        if self.current.as_ref().is_none_or(|current| current.path.base_name().as_bytes() != base_name) {
            self.end_path();
            let Ok(path) = StorePath::parse_base_name(base_name) else { return false };
            self.current =
                Some(Current { path, writer: Some(NarWriter::hashing()), entries: 0, directory: Vec::new() });
        }
        let Some(current) = &mut self.current else { return false };
        current.entries += 1;
        let entry = nar_entry(below, link, fields).filter(|_| current.goes_on_with(below, fields.kind));
        if entry.is_none_or(|entry| current.writer.as_mut().is_none_or(|writer| writer.entry(&entry).is_err())) {
            current.writer = None;
        }
        current.writer.is_some()
    }

    /// Takes bytes of the content of the last entry.
    pub fn content(&mut self, piece: &[u8]) {
        if let Some(current) = &mut self.current
            && current.writer.as_mut().is_some_and(|writer| writer.content(piece).is_err())
        {
            current.writer = None;
        }
    }

    /// Ends the store path that came last.
    pub fn end_path(&mut self) {
        let Some(Current { path, writer, entries, .. }) = self.current.take() else { return };
        match writer.and_then(|writer| writer.digest().ok()) {
            Some(digest) => self.done.insert(path, (digest, entries)),
            None => self.done.remove(&path),
        };
    }

    /// The NARs with the numbers of their entries.
    pub fn finish(mut self) -> HashMap<StorePath, (NarDigest, u64)> {
        self.end_path();
        self.done
    }
}

/// An entry as a NAR has it; `None` for what cannot be in one, or not without a look at another file.
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
