use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Write};

use super::HashRewriter;
use crate::hash::Sha256Hash;
use crate::nar::Sha256Sink;
use crate::store_path::{STORE_DIRECTORY, StoreHash, StorePath, StorePathError};

/// Hashes a NAR as if its own hash part were unknown: every occurrence is hashed as zero bytes, and behind the NAR
/// their places (Nix's `HashModuloSink`).
#[derive(Debug)]
pub struct HashModulo(HashRewriter<Sha256Sink>);

impl HashModulo {
    /// A hash modulo `own`, the hash part of the store path whose NAR will be written.
    #[must_use]
    pub fn new(own: &StoreHash) -> Self {
        Self(HashRewriter::new(Sha256Sink::default(), own, [0; StoreHash::LENGTH]))
    }

    /// The hash, and whether the store path refers to itself.
    ///
    /// # Errors
    /// None but those of [`HashRewriter`].
    pub fn finish(self) -> io::Result<(Sha256Hash, bool)> {
        let (mut sink, matches) = self.0.finish()?;
        for place in &matches {
            write!(sink, "|{place}")?;
        }
        Ok((sink.finish(), !matches.is_empty()))
    }
}

impl Write for HashModulo {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Computes the store path of a content from its NAR hash modulo itself, its name, its references
/// to other paths, and whether it refers to itself. Nix's `makeFixedOutputPath` for recursive
/// SHA-256; see the manual, "Store path calculation".
///
/// # Errors
/// If `name` is not a valid name ([`StorePathError`]).
pub fn content_addressed_path(
    hash: &Sha256Hash,
    name: &str,
    references: &BTreeSet<StorePath>,
    refers_to_itself: bool,
) -> Result<StorePath, StorePathError> {
    let mut fingerprint = "source".to_owned();
    for reference in references {
        let _ = write!(fingerprint, ":{reference}");
    }
    if refers_to_itself {
        fingerprint.push_str(":self");
    }
    let _ = write!(fingerprint, ":{}:{STORE_DIRECTORY}:{name}", hash.to_base16());
    let digest = Sha256Hash::of(fingerprint.as_bytes()).compress();
    StorePath::from_parts(&StoreHash::from_bytes(&digest), name)
}

/// The content address as Nix's database and narinfo files have it (`ca`).
#[must_use]
pub fn content_address_text(hash: &Sha256Hash) -> String {
    format!("fixed:r:{}", hash.to_base32())
}
