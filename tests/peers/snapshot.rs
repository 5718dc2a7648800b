//! A file tree as plain data, taken from a directory or from an opened image, and what two of them differ in.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use nixdive::image::{FileTree, Kind, LayerIndex, OccurrenceId};
use nixdive::open::{Contents, Keep, OpenOptions, Opened, Progress, open};
use nixdive::reference::Reference;

use crate::peers::sha256;

/// What one path is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// `f`, `d`, `l`, `p`.
    pub kind: char,
    /// Permission, set-id and sticky bits; 0 for a link.
    pub mode: u32,
    /// Target of a symbolic link.
    pub target: String,
    /// Of a file's bytes.
    pub digest: String,
    /// Of a file.
    pub mtime: i64,
}

/// What every path is.
pub type Snapshot = BTreeMap<Vec<u8>, Seen>;

/// All below a directory.
pub fn of_directory(root: &Path) -> Snapshot {
    let mut found = Snapshot::new();
    let mut pending = vec![root.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let file_type = metadata.file_type();
            let mut seen = Seen {
                kind: 'f',
                mode: metadata.mode() & 0o7777,
                target: String::new(),
                digest: String::new(),
                mtime: 0,
            };
            if file_type.is_symlink() {
                seen.kind = 'l';
                seen.mode = 0;
                seen.target = fs::read_link(&path).unwrap().as_os_str().as_bytes().escape_ascii().to_string();
            } else if file_type.is_dir() {
                seen.kind = 'd';
                pending.push(path.clone());
            } else if file_type.is_fifo() {
                seen.kind = 'p';
            } else {
                seen.digest = sha256(&fs::read(&path).unwrap());
                seen.mtime = metadata.mtime();
            }
            found.insert(path.strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec(), seen);
        }
    }
    found
}

/// An image, opened as a user would, whose files can be read.
pub fn opened(reference: &str) -> Opened {
    let reference = Reference::parse(reference.as_ref()).unwrap();
    let options = OpenOptions { keep: Keep::Content, ..OpenOptions::default() };
    open(&reference, &options, &Progress::new()).unwrap()
}

/// The tree at the top of an image.
pub fn of_image(reference: &str) -> Snapshot {
    let opened = opened(reference);
    of_layers(&opened, opened.image.tree.top_layer().unwrap())
}

/// The tree that the layers up to one make.
pub fn of_layers(opened: &Opened, layer: LayerIndex) -> Snapshot {
    let tree = &opened.image.tree;
    let mut found = Snapshot::new();
    for (node, id) in tree.stacked_paths(layer) {
        // A directory that nothing but its children names is made with the usual rights.
        let implied = Seen { kind: 'd', mode: 0o755, target: String::new(), digest: String::new(), mtime: 0 };
        let seen = id.map_or(implied, |id| of_entry(tree, &opened.contents, id));
        found.insert(tree.path(node)[1..].to_vec(), seen);
    }
    found
}

fn of_entry(tree: &FileTree, contents: &Contents, id: OccurrenceId) -> Seen {
    // On disk a hard link has all but its name from the file that it leads to.
    let id = if tree.occurrence(id).kind == Kind::HardLink { tree.content_of(id).unwrap() } else { id };
    let occurrence = tree.occurrence(id);
    let mut seen =
        Seen { kind: 'f', mode: u32::from(occurrence.mode()), target: String::new(), digest: String::new(), mtime: 0 };
    match occurrence.kind {
        Kind::Directory => seen.kind = 'd',
        Kind::Fifo => seen.kind = 'p',
        Kind::Symlink => {
            seen.kind = 'l';
            seen.mode = 0;
            seen.target = tree.link_target(id).unwrap().escape_ascii().to_string();
        }
        Kind::File => {
            let mut content = Vec::new();
            contents.reader(tree, id).unwrap().read_to_end(&mut content).unwrap();
            seen.digest = sha256(&content);
            seen.mtime = occurrence.mtime;
        }
        other => panic!("no peer is asked for {other:?}"),
    }
    seen
}

/// As it is extracted: without set-id bits, which mean nothing for another owner, and sticky only where that protects
/// what is in a directory; directories open to their owner; nothing that is neither file, directory nor link.
pub fn as_extracted(snapshot: &Snapshot) -> Snapshot {
    let mut copy = snapshot.clone();
    copy.retain(|_, seen| seen.kind != 'p');
    for seen in copy.values_mut() {
        seen.mode &= if seen.kind == 'd' { 0o1777 } else { 0o777 };
        if seen.kind == 'd' {
            seen.mode |= 0o700;
        }
    }
    copy
}

/// Fails with the first few paths that differ.
#[track_caller]
pub fn assert_same(expected: &Snapshot, actual: &Snapshot, what: &str) {
    let mut differences = Vec::new();
    for path in expected.keys().chain(actual.keys().filter(|path| !expected.contains_key(*path))) {
        let (expected, actual) = (expected.get(path), actual.get(path));
        if expected != actual {
            differences.push(format!("{}\n  expected {expected:?}\n  found    {actual:?}", path.escape_ascii()));
        }
    }
    let shown = &differences[..differences.len().min(12)];
    assert!(differences.is_empty(), "{what}: {} paths differ\n{}", differences.len(), shown.join("\n"));
    assert!(!expected.is_empty(), "{what}: nothing was compared");
}
