use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use super::Cache;

/// Kind of an item in the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemKind {
    /// A manifest, a configuration or a stored layer.
    Blob,
    /// The entries of a layer.
    Layer,
    /// The layer that a blob unpacks to.
    Unpacked,
    /// The manifest that a name resolved to.
    Name,
    /// The blob that a layer was compressed to.
    Packed,
}

impl ItemKind {
    pub(super) const ALL: [Self; 5] = [Self::Blob, Self::Layer, Self::Unpacked, Self::Name, Self::Packed];

    pub(super) fn directory(self) -> &'static str {
        match self {
            Self::Blob => "blobs",
            Self::Layer => "layers",
            Self::Unpacked => "unpacked",
            Self::Name => "names",
            Self::Packed => "packed",
        }
    }

    /// Returns its name for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Blob => "blob",
            Self::Layer => "layer index",
            Self::Unpacked => "diffID of a blob",
            Self::Name => "name",
            Self::Packed => "blob of a diffID",
        }
    }
}

/// A file in the cache.
#[derive(Debug, Clone)]
pub struct Item {
    /// Kind of the item.
    pub kind: ItemKind,
    /// Its digest, or the digest of its name.
    pub title: String,
    /// Path of the file.
    pub path: PathBuf,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Time of its last use.
    pub used: SystemTime,
}

impl Cache {
    /// Returns all items, least recently used first.
    #[must_use]
    pub fn items(&self) -> Vec<Item> {
        let mut items = Vec::new();
        for kind in ItemKind::ALL {
            let Ok(algorithms) = fs::read_dir(self.root.join(kind.directory())) else { continue };
            for algorithm in algorithms.flatten() {
                let Ok(files) = fs::read_dir(algorithm.path()) else { continue };
                for file in files.flatten() {
                    let Ok(metadata) = file.metadata() else { continue };
                    let title =
                        format!("{}:{}", algorithm.file_name().to_string_lossy(), file.file_name().to_string_lossy());
                    items.push(Item {
                        kind,
                        title,
                        path: file.path(),
                        file_bytes: metadata.len(),
                        used: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
                    });
                }
            }
        }
        items.sort_by(|left, right| left.used.cmp(&right.used).then_with(|| left.path.cmp(&right.path)));
        items
    }
}
