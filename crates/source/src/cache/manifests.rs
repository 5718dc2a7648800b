use std::io::{self, Read as _, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Cache, ItemKind};
use nixdive_image::Digest;

/// Maximum bytes of such a note.
const MAX_BYTES: u64 = 16 << 10;

/// The manifest that a name resolved to at the last query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownManifest {
    /// Digest of the manifest.
    pub digest: Digest,
    /// Media type of the manifest.
    pub media_type: String,
}

#[derive(Serialize, Deserialize)]
struct Note {
    name: String,
    digest: String,
    media_type: String,
}

impl Cache {
    /// Returns the manifest that a name resolved to.
    #[must_use]
    pub fn manifest(&self, name: &str) -> Option<KnownManifest> {
        let path = self.path_of_name(name)?;
        let file = self.open(&path)?;
        if file.metadata().ok()?.len() > MAX_BYTES {
            return None;
        }
        let note: Note = serde_json::from_reader(file.take(MAX_BYTES)).ok()?;
        let digest = Digest::parse(&note.digest)?;
        (note.name == name).then_some(KnownManifest { digest, media_type: note.media_type })
    }

    /// Records the manifest that a name resolved to.
    pub fn keep_manifest(&self, name: &str, manifest: &KnownManifest) {
        let note = Note {
            name: name.to_owned(),
            digest: manifest.digest.to_string(),
            media_type: manifest.media_type.clone(),
        };
        let write = || -> io::Result<()> {
            let mut file = self.begin()?;
            file.write_all(&serde_json::to_vec(&note)?)?;
            let target = self.path_of_name(name).ok_or_else(|| io::Error::other("no name"))?;
            Self::commit(file, &target)
        };
        // On failure it is resolved again next time.
        let _: io::Result<()> = write();
    }

    fn path_of_name(&self, name: &str) -> Option<PathBuf> {
        let digest = Digest::from_sha256(&Sha256::digest(name.as_bytes()).into());
        Some(self.path_of(ItemKind::Name, &digest))
    }
}
