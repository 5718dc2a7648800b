use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use super::Cache;

/// What lies in the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemKind {
    /// A manifest, a configuration or a layer as it is stored.
    Blob,
    /// The entries of a layer.
    Layer,
    /// Which layer a blob unpacks to.
    Unpacked,
    /// Which manifest a name led to.
    Name,
    /// Which blob a layer was compressed to.
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

    /// In words.
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

/// One file in it.
#[derive(Debug, Clone)]
pub struct Item {
    /// What it is.
    pub kind: ItemKind,
    /// Its digest, or what stands for a name.
    pub title: String,
    /// Where it lies.
    pub path: PathBuf,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// When it was last used.
    pub used: SystemTime,
}

impl Cache {
    /// All that is in it, what was used longest ago first.
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
