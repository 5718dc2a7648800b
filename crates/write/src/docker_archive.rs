//! Docker-archives: the streams of the layers, the configuration and `manifest.json` in a tar file.
//!
//! All lengths are known before anything is read. In a file, each layer therefore has a fixed offset, several threads
//! write at once, and the names of the members, which are digests, are filled in at the end. A stream needs the digests
//! first, so the content is read twice. Both ways produce the same bytes.

use std::io::{self, Write};
use std::os::unix::fs::FileExt;

use sha2::{Digest as _, Sha256};

use super::layer::PlannedLayer;
use super::place::NewFile;
use super::{FinishedImage, WriteError, documents};
use nixdive_image::Digest;
use nixdive_source::store::{Owner, TAR_BLOCK, TarHeader};

/// Offsets of the headers of the layers and of the configuration.
pub(super) struct Offsets {
    layers: Vec<u64>,
    end: u64,
}

impl Offsets {
    pub fn of(layers: &[PlannedLayer<'_>]) -> Self {
        let mut end = 0u64;
        let mut starts = Vec::with_capacity(layers.len());
        for layer in layers {
            starts.push(end);
            // The length of a header depends on the length of the file, not on its short name.
            let header = member_header(&[b'0'; 68], layer.unpacked_bytes).len() as u64;
            end = end.saturating_add(header).saturating_add(layer.unpacked_bytes.next_multiple_of(TAR_BLOCK as u64));
        }
        Self { layers: starts, end }
    }
}

/// Archive file that several threads write to.
pub(super) struct ArchiveFile {
    pub new: NewFile,
    offsets: Offsets,
}

impl ArchiveFile {
    pub fn create(new: NewFile, layers: &[PlannedLayer<'_>]) -> Result<Self, WriteError> {
        let offsets = Offsets::of(layers);
        new.reserve(offsets.end)?;
        Ok(Self { new, offsets })
    }

    /// Writes a piece of a layer at `position` bytes after the beginning of the layer.
    pub fn put(&self, layer: usize, unpacked_bytes: u64, position: u64, piece: &[u8]) -> Result<(), WriteError> {
        let header = member_header(&[b'0'; 68], unpacked_bytes).len() as u64;
        let start = self.offsets.layers.get(layer).copied().unwrap_or_default();
        self.put_at(start + header + position, piece)
    }

    fn put_at(&self, offset: u64, bytes: &[u8]) -> Result<(), WriteError> {
        self.new.file().write_all_at(bytes, offset).map_err(|error| WriteError::write(self.new.place(), error))
    }

    /// Writes the parts that depend on the digests, and returns the length of the file in bytes.
    pub fn finish(
        self,
        image: &FinishedImage,
        layers: &[PlannedLayer<'_>],
        reference: Option<&str>,
    ) -> Result<(NewFile, u64), WriteError> {
        let starts = self.offsets.layers.iter().enumerate();
        for (((place, start), layer), diff_id) in starts.zip(layers).zip(&image.diff_ids) {
            self.put_at(*start, &member_header(layer_name(diff_id).as_bytes(), layer.unpacked_bytes))?;
            // Padding must be zeros, even if the space was not reserved.
            let end = layer.unpacked_bytes.next_multiple_of(TAR_BLOCK as u64) - layer.unpacked_bytes;
            self.put(place, layer.unpacked_bytes, layer.unpacked_bytes, &zeros(end))?;
        }
        let tail = tail(image, reference);
        self.put_at(self.offsets.end, &tail)?;
        Ok((self.new, self.offsets.end + tail.len() as u64))
    }
}

/// Writes an archive in order. `stream` yields the bytes of a layer, which are compared with the known digests.
pub(super) fn write_in_order(
    out: &mut dyn Write,
    failed: &dyn Fn(io::Error) -> WriteError,
    image: &FinishedImage,
    layers: &[PlannedLayer<'_>],
    reference: Option<&str>,
    stream: &StreamLayer<'_>,
) -> Result<(), WriteError> {
    for (layer, diff_id) in layers.iter().zip(&image.diff_ids) {
        let header = member_header(layer_name(diff_id).as_bytes(), layer.unpacked_bytes);
        out.write_all(&header).map_err(failed)?;
        let mut hasher = Sha256::new();
        stream(layer, &mut |piece| {
            hasher.update(piece);
            out.write_all(piece).map_err(failed)
        })?;
        if Digest::from_sha256(&hasher.finalize().into()) != *diff_id {
            return Err(WriteError::Composition("a file has changed while it was read".to_owned()));
        }
        let end = layer.unpacked_bytes.next_multiple_of(TAR_BLOCK as u64) - layer.unpacked_bytes;
        out.write_all(&zeros(end)).map_err(failed)?;
    }
    out.write_all(&tail(image, reference)).map_err(failed)
}

/// Function that yields the bytes of a layer in pieces.
pub(super) type StreamLayer<'a> =
    dyn Fn(&PlannedLayer<'_>, &mut dyn FnMut(&[u8]) -> Result<(), WriteError>) -> Result<(), WriteError> + 'a;

/// Returns the part of the archive after the layers.
fn tail(image: &FinishedImage, reference: Option<&str>) -> Vec<u8> {
    let config_name = format!("{}.json", image.config_digest.hex());
    let names: Vec<String> = image.diff_ids.iter().map(layer_name).collect();
    let manifest = documents::docker_manifest(&config_name, reference, &names);
    let mut tail = Vec::new();
    for (name, content) in [(config_name.as_str(), &image.config), ("manifest.json", &manifest)] {
        add_member(&mut tail, name, content);
    }
    tail.resize(tail.len() + 2 * TAR_BLOCK, 0);
    tail
}

/// Appends a member with header and padding to an archive.
pub fn add_member(archive: &mut Vec<u8>, name: &str, content: &[u8]) {
    archive.extend(member_header(name.as_bytes(), content.len() as u64));
    archive.extend_from_slice(content);
    archive.resize(archive.len().next_multiple_of(TAR_BLOCK), 0);
}

/// Returns the header of an archive member.
pub fn member_header(name: &[u8], bytes: u64) -> Vec<u8> {
    let owner = Owner::default();
    let header = TarHeader {
        name,
        type_flag: if name.ends_with(b"/") { b'5' } else { b'0' },
        mode: if name.ends_with(b"/") { 0o755 } else { 0o644 },
        owner: &owner,
        file_bytes: bytes,
        mtime: 1,
        link: b"",
        xattrs: &[],
    };
    header.write()
}

fn layer_name(diff_id: &Digest) -> String {
    format!("{}.tar", diff_id.hex())
}

pub(super) fn zeros(count: u64) -> Vec<u8> {
    vec![0; usize::try_from(count).unwrap_or(0).min(TAR_BLOCK)]
}
