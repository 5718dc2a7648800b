//! NAR, the archive form whose hash and size Nix records of every store path.

mod bytes;
mod writer;

use std::io;

use sha2::{Digest, Sha256};

pub use bytes::{NAR_MAGIC_BYTES, nar_bytes, nar_entry_bytes};
pub use writer::NarWriter;

use super::Sha256Hash;

/// A path as a NAR represents it. Owner, times and all permission bits but one are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NarNode<'n> {
    /// A directory.
    Directory,
    /// A regular file.
    File {
        /// True if the owner may execute it.
        executable: bool,
        /// Length of its content, bytes.
        bytes: u64,
    },
    /// A symbolic link.
    Symlink {
        /// Target of the link.
        target: &'n [u8],
    },
}

/// One path of a tree. A tree is a sequence of them: its root, then below every directory its entries sorted by name,
/// each followed by what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NarEntry<'n> {
    /// 0 for the root, 1 for what is directly in it.
    pub depth: usize,
    /// Its own name; of the root it does not count.
    pub name: &'n [u8],
    /// The node itself.
    pub node: NarNode<'n>,
}

/// Why a sequence of entries makes no NAR.
#[derive(Debug, thiserror::Error)]
pub enum NarError {
    /// A name that no directory entry can have.
    #[error("a name in a NAR is not empty, `.` or `..`, and has no slash or zero byte")]
    Name,
    /// Not in byte order, or a name twice in a directory.
    #[error("the entries of a directory in a NAR are sorted by name, each name once")]
    Order,
    /// An entry below something other than an open directory, a second root, or no root.
    #[error("the entries of a NAR do not form a tree")]
    Structure,
    /// Content of another length than the entry gave, or content without a file.
    #[error("a file has more or fewer bytes than its entry says")]
    Content,
    /// Content could not be read.
    #[error("reading a file for a NAR")]
    Read(#[source] io::Error),
    /// The NAR could not be written.
    #[error("writing a NAR")]
    Write(#[source] io::Error),
}

impl From<NarError> for io::Error {
    fn from(error: NarError) -> Self {
        match error {
            NarError::Read(error) | NarError::Write(error) => error,
            other => Self::other(other),
        }
    }
}

/// Destination of a NAR that is only hashed.
#[derive(Debug, Clone, Default)]
pub struct Sha256Sink(Sha256);

impl Sha256Sink {
    /// The hash of all that was written.
    #[must_use]
    pub fn finish(self) -> Sha256Hash {
        Sha256Hash(self.0.finalize().into())
    }
}

impl io::Write for Sha256Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Hash and size of a store path's NAR, as Nix records them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NarDigest {
    /// NAR hash.
    pub hash: Sha256Hash,
    /// NAR size, bytes.
    pub bytes: u64,
}

impl NarWriter<Sha256Sink> {
    /// A NAR of which only hash and size are kept.
    #[must_use]
    pub fn hashing() -> Self {
        Self::new(Sha256Sink::default())
    }

    /// Ends the NAR; gives out its hash and size.
    ///
    /// # Errors
    /// [`NarError`].
    pub fn digest(self) -> Result<NarDigest, NarError> {
        let (sink, bytes) = self.finish()?;
        Ok(NarDigest { hash: sink.finish(), bytes })
    }
}

#[cfg(test)]
mod tests;
