//! Form of layers at their destination, and compression on the way.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::push::title_of;
use super::{ParcelLayer, TransferError, Verification, plain_stream};
use nixdive_base::cancel::Cancel;
use nixdive_image::{Compression, Digest};
use nixdive_scan::{Section, UnpackLimit};
use nixdive_source::open::unnamed_file;
use nixdive_write::{Compressor, LayerCompression, Workers};

/// Form of a layer at its destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Bytes are kept unchanged.
    AsItIs,
    /// Layer is compressed.
    Packed(LayerCompression),
}

impl Form {
    /// Chooses the form: layers named by a manifest and layers in a permitted compression are kept unchanged.
    pub fn of(layer: &ParcelLayer, has_manifest: bool, compression: LayerCompression) -> Self {
        let stays = match layer.compression {
            Compression::None => compression.method() == Compression::None,
            Compression::Gzip | Compression::Zstd => true,
            _ => false,
        };
        if has_manifest || stays { Self::AsItIs } else { Self::Packed(compression) }
    }
}

/// Compressed layer in a temporary file.
pub(super) struct Packed {
    pub section: Section,
    pub digest: Digest,
    pub diff_id: Digest,
}

/// Parameters of compression.
pub(super) struct Packing<'a> {
    pub compression: LayerCompression,
    pub workers: &'a Workers,
    pub limit: UnpackLimit,
    pub verification: &'a Verification,
    pub cancel: &'a Cancel,
}

impl Packing<'_> {
    /// Compresses a layer into an unnamed file. `progress` is called with the number of bytes read.
    pub fn pack(&self, layer: &ParcelLayer, title: &str, progress: &dyn Fn(u64)) -> Result<Packed, TransferError> {
        let what = format!("the layer {title}");
        let failed = |error: io::Error| TransferError::reading(what.clone(), &error);
        let aside =
            |error: io::Error| TransferError::part(what.clone(), format!("cannot write a temporary copy: {error}"));
        let file = unnamed_file().map_err(aside)?;
        let kept = file.try_clone().map_err(aside)?;
        let hashed = Hashed { file: BufWriter::with_capacity(128 << 10, file), hasher: Sha256::new(), bytes: 0 };
        let mut out = Compressor::new(hashed, self.workers, self.compression).map_err(aside)?;
        let mut stream = plain_stream(layer, self.limit, self.verification, self.cancel).map_err(failed)?;
        copy(&mut stream, &mut |piece| out.write_all(piece).map_err(aside), &failed, progress)?;
        let (diff_id, _) = stream.finish(layer)?;
        let mut hashed = out.finish().map_err(aside)?;
        hashed.file.flush().map_err(aside)?;
        let digest = Digest::from_sha256(&hashed.hasher.finalize().into());
        Ok(Packed { section: Section::new(Arc::new(kept), 0, hashed.bytes), digest, diff_id })
    }
}

/// Compares a compressed layer that no manifest names with its diffID: a new manifest will claim that they belong
/// together.
pub(super) fn check_unpacked(
    layer: &ParcelLayer,
    limit: UnpackLimit,
    verification: &Verification,
    cancel: &Cancel,
) -> Result<(), TransferError> {
    let failed = |error: io::Error| TransferError::reading(format!("the layer {}", title_of(layer)), &error);
    let mut stream = plain_stream(layer, limit, verification, cancel).map_err(failed)?;
    copy(&mut stream, &mut |_| Ok(()), &failed, &|_| ())?;
    stream.finish(layer).map(drop)
}

/// Reads a stream to its end and passes each piece on.
pub(super) fn copy(
    stream: &mut dyn Read,
    take: &mut dyn FnMut(&[u8]) -> Result<(), TransferError>,
    failed: &dyn Fn(io::Error) -> TransferError,
    progress: &dyn Fn(u64),
) -> Result<u64, TransferError> {
    let mut buffer = vec![0; 256 << 10];
    let mut position = 0u64;
    loop {
        let count = match stream.read(&mut buffer) {
            Ok(0) => return Ok(position),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(failed(error)),
        };
        take(buffer.get(..count).unwrap_or_default())?;
        position = position.saturating_add(count as u64);
        progress(position);
    }
}

struct Hashed {
    file: BufWriter<File>,
    hasher: Sha256,
    bytes: u64,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hasher.update(bytes.get(..count).unwrap_or_default());
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
