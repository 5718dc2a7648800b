use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nixdive_nix::{STORE_DIRECTORY, StorePath};

/// The Nix store below a root directory: `/` by default, another one for `nix --store DIRECTORY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalStore {
    root: PathBuf,
}

impl Default for LocalStore {
    fn default() -> Self {
        Self::at(Path::new("/"))
    }
}

impl LocalStore {
    /// Returns the store in `root/nix/store`.
    #[must_use]
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Returns the location on disk of an absolute path of the store.
    #[must_use]
    pub fn on_disk(&self, path: &[u8]) -> PathBuf {
        let below = path.iter().position(|&byte| byte != b'/').and_then(|start| path.get(start..)).unwrap_or_default();
        self.root.join(OsStr::from_bytes(below))
    }

    /// Returns `true` if a store path exists.
    #[must_use]
    pub fn holds(&self, path: &StorePath) -> bool {
        fs::symlink_metadata(self.on_disk(path.to_string().as_bytes())).is_ok()
    }

    /// Returns the store path at a path on disk, after following symbolic links, or `None` for anything else, such as
    /// files inside a store path.
    #[must_use]
    pub fn store_path_at(&self, path: &Path) -> Option<StorePath> {
        // The store path itself may be a symbolic link, which is not followed.
        let real = match path.parent().zip(path.file_name()) {
            Some((parent, name)) if !parent.as_os_str().is_empty() => fs::canonicalize(parent).ok()?.join(name),
            _ => path.to_owned(),
        };
        let store = fs::canonicalize(self.on_disk(STORE_DIRECTORY.as_bytes())).ok()?;
        let named = |path: &Path| {
            let base_name = path.strip_prefix(&store).ok()?.as_os_str().as_bytes();
            StorePath::parse_base_name(base_name).ok()
        };
        named(&real).or_else(|| named(&fs::canonicalize(path).ok()?))
    }
}
