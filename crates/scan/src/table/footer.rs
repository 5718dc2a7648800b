use std::io::{self, Read};

use sha2::{Digest as _, Sha256};

use super::{MAX_STORED_BYTES, MAX_TABLE_BYTES, TableError};
use crate::tar::{SectionInput, TarWalker};
use crate::{Section, compression};
use nixdive_base::cancel::Cancel;
use nixdive_image::{Compression, Digest};

/// The name under which an eStargz layer has its table as a file.
pub const ESTARGZ_NAME: &[u8] = b"stargz.index.json";
/// Bytes at the end of an eStargz layer that say where its table begins.
pub const FOOTER_BYTES: u64 = 51;
/// The same of the first format.
const OLD_FOOTER_BYTES: usize = 47;
/// Behind the sixteen hexadecimal digits of the offset.
const MARK: &[u8] = b"STARGZ";
/// A table of zstd:chunked in the only format that there is.
const ZSTD_TABLE_TYPE: &str = "1";

const ESTARGZ_DIGEST: &str = "containerd.io/snapshot/stargz/toc.digest";
const ZSTD_DIGEST: [&str; 2] =
    ["io.github.containers.zstd-chunked.manifest-checksum", "io.containers.zstd-chunked.manifest-checksum"];
const ZSTD_POSITION: [&str; 2] =
    ["io.github.containers.zstd-chunked.manifest-position", "io.containers.zstd-chunked.manifest-position"];

/// How a layer's table is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TablePosition {
    /// By the footer of an eStargz layer.
    Estargz {
        /// Digest of the unpacked table.
        digest: Digest,
    },
    /// By an annotation.
    ZstdChunked {
        /// Digest of the stored table.
        digest: Digest,
        /// In the layer, bytes.
        offset: u64,
        /// As it is stored, bytes.
        length: u64,
    },
}

impl TablePosition {
    /// Reads the annotations of a layer of `layer_bytes` bytes; `None` if they give no digest to
    /// verify a table with.
    #[must_use]
    pub fn of(annotations: &[(String, String)], layer_bytes: u64) -> Option<Self> {
        let value = |names: &[&str]| {
            let found = annotations.iter().find(|(name, _)| names.contains(&name.as_str()));
            found.map(|(_, value)| value.as_str())
        };
        let digest =
            |names: &[&str]| value(names).and_then(Digest::parse).filter(|found| found.algorithm() == "sha256");
        if let Some(digest) = digest(&[ESTARGZ_DIGEST]) {
            return Some(Self::Estargz { digest });
        }
        let digest = digest(&ZSTD_DIGEST)?;
        let mut parts = value(&ZSTD_POSITION)?.split(':');
        let mut number = || parts.next()?.parse::<u64>().ok();
        let (offset, length, _) = (number()?, number()?, number()?);
        let is_inside = offset.checked_add(length).is_some_and(|end| end <= layer_bytes);
        let is_known = parts.next() == Some(ZSTD_TABLE_TYPE) && parts.next().is_none();
        (is_inside && is_known && length <= MAX_STORED_BYTES).then_some(Self::ZstdChunked { digest, offset, length })
    }

    /// Returns the digest that the table must have.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        match self {
            Self::Estargz { digest } | Self::ZstdChunked { digest, .. } => digest,
        }
    }

    /// How the layer's chunks are compressed.
    #[must_use]
    pub fn compression(&self) -> Compression {
        match self {
            Self::Estargz { .. } => Compression::Gzip,
            Self::ZstdChunked { .. } => Compression::Zstd,
        }
    }
}

/// Returns the offset of the table in an eStargz layer of `layer_bytes` bytes, from its last bytes.
///
/// # Errors
/// If there is no footer or the offset is out of range ([`TableError::NoFooter`],
/// [`TableError::Outside`]).
pub fn table_start(end: &[u8], layer_bytes: u64) -> Result<u64, TableError> {
    let footer = |length: usize| end.get(end.len().checked_sub(length)?..);
    let new = footer(FOOTER_BYTES as usize).and_then(|footer| footer.strip_prefix(&header::<26>()));
    let new = new.and_then(|rest| rest.strip_prefix(&[b'S', b'G', 22, 0]));
    let old = || footer(OLD_FOOTER_BYTES).and_then(|footer| footer.strip_prefix(&header::<22>()));
    let text = new.or_else(old).and_then(|rest| rest.get(..16 + MARK.len())).and_then(|rest| rest.strip_suffix(MARK));
    let digits = text.and_then(|text| std::str::from_utf8(text).ok()).ok_or(TableError::NoFooter)?;
    let start = u64::from_str_radix(digits, 16).map_err(|_| TableError::NoFooter)?;
    match layer_bytes.checked_sub(start) {
        None | Some(0) => Err(TableError::Outside),
        Some(rest) if rest > MAX_STORED_BYTES => Err(TableError::TooLong(MAX_STORED_BYTES)),
        Some(_) => Ok(start),
    }
}

/// The header of an empty gzip member with extra bytes (RFC 1952 section 2.3); its system and level are not looked at by
/// readers, but all writers write the same.
const fn header<const EXTRA: u8>() -> [u8; 12] {
    [0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, EXTRA, 0]
}

/// Unpacks the table in the last members of an eStargz layer and verifies its digest.
///
/// # Errors
/// If the table is damaged or its digest does not match ([`TableError`]).
pub fn estargz_table(stored: Vec<u8>, digest: &Digest) -> Result<Vec<u8>, TableError> {
    let unpacked = unpack(stored, Compression::Gzip)?;
    let section = Section::from_bytes(unpacked);
    let mut walker = TarWalker::new(SectionInput::new(section.clone(), Cancel::default()));
    let failed = |reason: String| TableError::Json(reason);
    while walker.advance().map_err(|error| failed(error.to_string()))? {
        let member = walker.member();
        if member.path != ESTARGZ_NAME {
            continue;
        }
        let (offset, length) = (member.fields.offset, member.stored_bytes);
        let mut table = Vec::new();
        section.part(offset, length).reader().read_to_end(&mut table)?;
        check(&table, digest)?;
        return Ok(table);
    }
    Err(failed("it is missing".to_owned()))
}

/// Unpacks the stored table of a zstd:chunked layer and verifies its digest.
///
/// # Errors
/// If the table is damaged or its digest does not match ([`TableError`]).
pub fn zstd_table(stored: Vec<u8>, digest: &Digest) -> Result<Vec<u8>, TableError> {
    check(&stored, digest)?;
    unpack(stored, Compression::Zstd)
}

fn check(bytes: &[u8], digest: &Digest) -> Result<(), TableError> {
    let actual = Digest::from_sha256(&Sha256::digest(bytes).into());
    if actual == *digest { Ok(()) } else { Err(TableError::Digest) }
}

fn unpack(stored: Vec<u8>, how: Compression) -> Result<Vec<u8>, TableError> {
    let mut unpacked = Vec::new();
    let mut decoder = compression::decoder(io::Cursor::new(stored), how, 1)?.take(MAX_TABLE_BYTES + 1);
    decoder.read_to_end(&mut unpacked)?;
    if unpacked.len() as u64 > MAX_TABLE_BYTES {
        return Err(TableError::TooLong(MAX_TABLE_BYTES));
    }
    Ok(unpacked)
}
