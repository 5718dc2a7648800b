use std::io::{self, Read as _, Write};

use sha2::{Digest as _, Sha256};

use super::{Cache, ItemKind};
use nixdive_image::Digest;

/// Maximum bytes of such a note.
const MAX_BYTES: u64 = 512;

impl Cache {
    /// Returns the blob that a layer was compressed to in this way before, and its length in bytes.
    #[must_use]
    pub fn packed(&self, diff_id: &Digest, compression: &str) -> Option<(Digest, u64)> {
        let path = self.path_of(ItemKind::Packed, &key(diff_id, compression));
        let mut text = String::new();
        self.open(&path)?.take(MAX_BYTES).read_to_string(&mut text).ok()?;
        let (digest, bytes) = text.trim_end().split_once(' ')?;
        Some((Digest::parse(digest)?, bytes.parse().ok()?))
    }

    /// Records which blob a layer was compressed to.
    pub fn keep_packed(&self, diff_id: &Digest, compression: &str, blob: &Digest, stored_bytes: u64) {
        let write = || -> io::Result<()> {
            let mut file = self.begin()?;
            writeln!(file, "{blob} {stored_bytes}")?;
            Self::commit(file, &self.path_of(ItemKind::Packed, &key(diff_id, compression)))
        };
        // On failure it is compressed again next time.
        let _: io::Result<()> = write();
    }
}

fn key(diff_id: &Digest, compression: &str) -> Digest {
    Digest::from_sha256(&Sha256::digest(format!("{diff_id} {compression}")).into())
}
