use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use hashbrown::HashMap;

use super::{DescribedLayer, Layout, Request, SourceError};
use nixdive_base::cancel::Cancel;
use nixdive_image::reference::Transport;
use nixdive_image::{Config, EntryBatch, EntryFields, Identity, Kind, Platform};

/// Returns the image for an extracted root directory: one layer and an empty configuration.
#[must_use]
pub fn rootfs_layout(request: &Request<'_>, root: &Path) -> Layout {
    let name = root.display().to_string();
    let layer = DescribedLayer { name: name.clone(), located: name, ..DescribedLayer::default() };
    let identity = Identity {
        requested: request.reference.text.clone(),
        source_kind: Transport::Rootfs.name().to_owned(),
        ..Identity::default()
    };
    let config = Config { platform: Platform::default(), ..Config::default() };
    Layout { identity, config, layers: vec![layer], warnings: Vec::new(), defects: Vec::new() }
}

/// Walks an extracted root directory and returns its entries like those of a layer.
pub struct RootfsWalk {
    root: PathBuf,
    device: u64,
    /// The directory that is being read. Only one is open at a time, so that a deep tree does not exhaust file
    /// descriptors.
    open: Option<(PathBuf, fs::ReadDir)>,
    pending: Vec<PathBuf>,
    hard_links: HashMap<(u64, u64), PathBuf>,
    /// One sentence for each directory that could not be read.
    pub unreadable: Vec<String>,
    cancel: Cancel,
}

impl RootfsWalk {
    /// Starts at `root`.
    ///
    /// # Errors
    /// If it is not a directory or cannot be read.
    pub fn new(root: &Path, cancel: Cancel) -> Result<Self, SourceError> {
        let metadata = fs::metadata(root).map_err(SourceError::Io)?;
        if !metadata.is_dir() {
            return Err(SourceError::NotAnImage("not a directory".to_owned()));
        }
        let entries = fs::read_dir(root).map_err(SourceError::Io)?;
        Ok(Self {
            root: root.to_owned(),
            device: metadata.dev(),
            open: Some((PathBuf::new(), entries)),
            pending: Vec::new(),
            hard_links: HashMap::new(),
            unreadable: Vec::new(),
            cancel,
        })
    }

    /// Returns the next entries; empty at the end.
    ///
    /// # Errors
    /// Only if it was cancelled: unreadable directories are recorded and skipped.
    pub fn next_batch(&mut self) -> io::Result<EntryBatch> {
        self.cancel.check()?;
        let mut batch = EntryBatch::default();
        while !batch.is_full() {
            let Some((directory, entries)) = &mut self.open else {
                let Some(next) = self.pending.pop() else { break };
                match fs::read_dir(self.root.join(&next)) {
                    Ok(entries) => self.open = Some((next, entries)),
                    Err(error) => self.note(&next, &error),
                }
                continue;
            };
            let Some(entry) = entries.next() else {
                self.open = None;
                continue;
            };
            let directory = directory.clone();
            match entry {
                Ok(entry) => self.entry(&directory.join(entry.file_name()), &mut batch),
                Err(error) => self.note(&directory, &error),
            }
        }
        Ok(batch)
    }

    fn note(&mut self, path: &Path, error: &io::Error) {
        if self.unreadable.len() < 8 {
            self.unreadable.push(format!("/{}: skipped: {error}", path.display()));
        }
    }

    fn entry(&mut self, path: &Path, batch: &mut EntryBatch) {
        let full = self.root.join(path);
        let metadata = match fs::symlink_metadata(&full) {
            Ok(metadata) => metadata,
            Err(error) => return self.note(path, &error),
        };
        let mut link = Vec::new();
        let kind = self.kind(&metadata, path, &full, &mut link);
        let mut fields = EntryFields::new(kind);
        fields.mode = (metadata.mode() & 0o7777) as u16;
        fields.uid = metadata.uid();
        fields.gid = metadata.gid();
        fields.mtime = metadata.mtime();
        fields.type_flag = type_flag(kind);
        if kind == Kind::File {
            fields.bytes = metadata.len();
        }
        if matches!(kind, Kind::CharacterDevice | Kind::BlockDevice) {
            fields.device = device_numbers(metadata.rdev());
        }
        batch.push(path.as_os_str().as_bytes(), &link, fields);
        // Another file system mounted there (/proc, a volume) is not part of the root directory.
        if kind == Kind::Directory && metadata.dev() == self.device {
            self.pending.push(path.to_owned());
        }
    }

    fn kind(&mut self, metadata: &fs::Metadata, path: &Path, full: &Path, link: &mut Vec<u8>) -> Kind {
        let file_type = metadata.file_type();
        if file_type.is_dir() {
            return Kind::Directory;
        }
        if file_type.is_symlink() {
            if let Ok(target) = fs::read_link(full) {
                link.extend_from_slice(target.as_os_str().as_bytes());
            }
            return Kind::Symlink;
        }
        if file_type.is_char_device() {
            return Kind::CharacterDevice;
        }
        if file_type.is_block_device() {
            return Kind::BlockDevice;
        }
        if !file_type.is_file() {
            return Kind::Fifo;
        }
        if metadata.nlink() > 1 {
            let identity = (metadata.dev(), metadata.ino());
            match self.hard_links.get(&identity) {
                Some(first) => {
                    link.extend_from_slice(first.as_os_str().as_bytes());
                    return Kind::HardLink;
                }
                None => {
                    self.hard_links.insert(identity, path.to_owned());
                }
            }
        }
        Kind::File
    }
}

fn type_flag(kind: Kind) -> u8 {
    match kind {
        Kind::HardLink => b'1',
        Kind::Symlink => b'2',
        Kind::CharacterDevice => b'3',
        Kind::BlockDevice => b'4',
        Kind::Directory => b'5',
        Kind::Fifo => b'6',
        _ => b'0',
    }
}

/// Splits Linux's `dev_t` into major and minor number.
fn device_numbers(device: u64) -> (u32, u32) {
    let major = ((device >> 8) & 0xfff) | ((device >> 32) & 0xffff_f000);
    let minor = (device & 0xff) | ((device >> 12) & 0xffff_ff00);
    (major as u32, minor as u32)
}
