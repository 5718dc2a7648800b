//! Enforcing the size limit, and emptying the cache.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, flock};

use super::{Cache, Item};

/// A temporary file this old belongs to a process that has ended.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

impl Cache {
    /// Removes the least recently used files until the cache is within its limit. Does nothing if this process has
    /// added nothing, or if another process is already doing it.
    pub fn keep_bound(&self) {
        if !self.is_written.load(Ordering::Relaxed) {
            return;
        }
        let Ok(_lock) = self.lock(FlockOperation::NonBlockingLockExclusive) else { return };
        let items = self.items();
        let mut total: u64 = items.iter().map(|item| item.file_bytes).fold(0, u64::saturating_add);
        for item in items {
            if total <= self.most_bytes {
                break;
            }
            if fs::remove_file(&item.path).is_ok() {
                total = total.saturating_sub(item.file_bytes);
            }
        }
        sweep(&self.root.join("aside"));
    }

    /// Removes everything, and returns what was removed.
    ///
    /// # Errors
    /// If the system cannot remove a file.
    pub fn clear(&self) -> io::Result<Vec<Item>> {
        if !self.root.is_dir() {
            return Ok(Vec::new());
        }
        let _lock = self.lock(FlockOperation::LockExclusive)?;
        let items = self.items();
        for item in &items {
            match fs::remove_file(&item.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        sweep(&self.root.join("aside"));
        Ok(items)
    }

    /// Locks the cache until the file is dropped; advisory, between processes of this program.
    fn lock(&self, operation: FlockOperation) -> io::Result<File> {
        let file = File::options().create(true).append(true).open(self.root.join("lock"))?;
        flock(&file, operation)?;
        Ok(file)
    }
}

fn sweep(directory: &Path) {
    let Ok(files) = fs::read_dir(directory) else { return };
    let now = SystemTime::now();
    for file in files.flatten() {
        let modified = file.metadata().and_then(|metadata| metadata.modified());
        if modified.is_ok_and(|time| now.duration_since(time).is_ok_and(|age| age > ABANDONED)) {
            // Another process may have removed it first.
            let _ = fs::remove_file(file.path());
        }
    }
}
