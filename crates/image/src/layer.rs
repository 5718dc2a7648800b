use std::borrow::Cow;

use super::Digest;

/// How a byte stream is compressed. Found by its first bytes, never by a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// RFC 1952; estargz is gzip too.
    Gzip,
    /// RFC 8878; `zstd:chunked` is zstd too.
    Zstd,
    /// The .xz format 1.2.
    Xz,
    /// bzip2.
    Bzip2,
}

impl Compression {
    /// The name that people type: `gzip`, `zstd`, `xz`, `bzip2`, `none`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Xz => "xz",
            Self::Bzip2 => "bzip2",
        }
    }
}

/// A byte count and how it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measured {
    /// The stored blob has exactly this many bytes.
    Exact(u64),
    /// The layer lies inside a compressed archive: this many compressed bytes were read while it was unpacked.
    Share(u64),
}

impl Measured {
    /// The count itself, bytes.
    #[must_use]
    pub fn bytes(self) -> u64 {
        match self {
            Self::Exact(bytes) | Self::Share(bytes) => bytes,
        }
    }
}

/// Result of verifying a layer's bytes against the digest in its image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DigestCheck {
    /// The bytes were not read to their end: an uncompressed layer opened by its headers alone.
    NotChecked,
    /// The digest of the bytes is the one given.
    Matches,
    /// The image gives one digest, the bytes have another.
    Differs {
        /// Digest of the actual bytes.
        actual: Digest,
    },
    /// The image gives none to hold the bytes against.
    NotGiven,
}

/// Availability of the files of a layer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum LayerContents {
    /// All of them.
    #[default]
    Present,
    /// The source only names them. These store paths are not here; each has an empty directory in the tree, whatever it
    /// is. Empty where not even their names are known.
    Absent(Vec<String>),
    /// None of them, for this reason, a noun phrase: it is encrypted, of a format other than tar, or not in the source.
    Unreadable(String),
    /// Only the files before the position at which the layer is broken.
    Broken,
}

/// One layer of an image.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Digest of the unpacked tar stream: the configuration's `rootfs.diff_ids` entry, else the computed one.
    pub diff_id: Option<Digest>,
    /// Digest of the stored blob: the manifest's, else equal to the diffID for an uncompressed layer.
    pub digest: Option<Digest>,
    /// Media type of the stored blob, as the manifest gives it or as the format implies.
    pub media_type: String,
    /// Name of the layer's bytes inside the source: a member of the archive, a blob.
    pub stored_as: String,
    /// Found by content.
    pub compression: Compression,
    /// Length of the unpacked tar stream, bytes.
    pub unpacked_bytes: u64,
    /// Length of the stored blob, bytes; `None` when nothing tells.
    pub compressed_bytes: Option<Measured>,
    /// Sum of the sizes in the tar headers, bytes.
    pub file_bytes: u64,
    /// Number of entries in the tar stream, whiteouts included, extension headers not.
    pub entries: u64,
    /// Result of verifying the unpacked bytes against the diffID.
    pub diff_id_check: DigestCheck,
    /// Result of verifying the stored blob against the digest in the manifest.
    pub digest_check: DigestCheck,
    /// The command that made it (`created_by` of its history entry), as written.
    pub created_by: Option<String>,
    /// The comment of its history entry. dockerTools writes the layer's store paths here.
    pub comment: Option<String>,
    /// When it was made (`created` of its history entry), RFC 3339.
    pub created: Option<String>,
    /// Annotations of its descriptor, in order.
    pub annotations: Vec<(String, String)>,
    /// The store paths that it is made of, where the source lists them apart from its history, as nix2container and
    /// nix-snapshotter do.
    pub store_paths: Vec<String>,
    /// Availability of its files. If some are absent, counts cover only the others.
    pub contents: LayerContents,
    /// True if its entries come from its table of contents: the layer itself was neither read nor
    /// checked, and its unpacked bytes are those of a plain tar stream of these entries.
    pub listed: bool,
}

impl Layer {
    /// Returns `true` if some of its files are absent.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self.contents, LayerContents::Absent(_) | LayerContents::Unreadable(_))
    }

    /// Length of the unpacked tar stream, bytes, where it is known.
    #[must_use]
    pub fn known_unpacked_bytes(&self) -> Option<u64> {
        let is_known = !self.listed && (!self.is_absent() || self.unpacked_bytes > 0);
        is_known.then_some(self.unpacked_bytes)
    }

    /// Sum of the sizes of its files, bytes, where they are here.
    #[must_use]
    pub fn known_file_bytes(&self) -> Option<u64> {
        (!self.is_absent()).then_some(self.file_bytes)
    }

    /// Returns the store paths that it consists of; otherwise the command without the shell that
    /// runs it, as dive shows it; `(missing)` if the history has none. Not safe to print.
    #[must_use]
    pub fn command(&self) -> Cow<'_, str> {
        match (self.store_paths.as_slice(), &self.created_by) {
            ([one], _) => Cow::Borrowed(one),
            ([first, second, rest @ ..], _) => {
                let more = if rest.is_empty() { String::new() } else { format!(", … {} more", rest.len()) };
                Cow::Owned(format!("{first}, {second}{more}"))
            }
            ([], None) => Cow::Borrowed("(missing)"),
            ([], Some(command)) => Cow::Borrowed(command.strip_prefix("/bin/sh -c ").unwrap_or(command)),
        }
    }

    /// Returns a title for one line of a table: the comment if it has neither command nor store
    /// paths, otherwise the command. Not safe to print.
    #[must_use]
    pub fn title(&self) -> Cow<'_, str> {
        match (&self.created_by, &self.comment) {
            (None, Some(comment)) if !comment.is_empty() && self.store_paths.is_empty() => Cow::Borrowed(comment),
            _ => self.command(),
        }
    }
}
