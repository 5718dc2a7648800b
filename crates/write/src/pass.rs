//! The pass over the content: reads every layer once, computes digests, and feeds all takers of plain or compressed
//! layers.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use super::compress::{Compressor, Workers};
use super::docker_archive::ArchiveFile;
use super::documents::Blob;
use super::layer::{LayerSource, PlannedLayer};
use super::made_of::made_of;
use super::nix_json::LayerFiles;
use super::{Job, LayerCompression, WriteError};
use nixdive_image::{Compression, Digest};

/// Number of layers read at once if they are compressed too; the remaining threads compress.
const COMPRESSED_AT_ONCE: usize = 2;

/// Bytes of a blob copied at a time.
const PIECE_BYTES: usize = 128 << 10;

/// Consumers of layers.
pub(super) struct Takers<'a> {
    /// Uncompressed docker-archives.
    pub archives: Vec<&'a ArchiveFile>,
    /// Uncompressed layers in separate files.
    pub layer_files: Vec<&'a LayerFiles>,
    /// Directory for compressed layers, one file each.
    pub blobs: Option<&'a Path>,
    /// Looks up layers already in a layout, by the digest of their inputs.
    pub known: &'a (dyn Fn(&Digest) -> Option<KnownLayer> + Sync),
}

/// Layer already in a layout.
#[derive(Debug, Clone)]
pub(super) struct KnownLayer {
    pub diff_id: Digest,
    pub blob: Blob,
    /// File of the blob; `None` if it is stored elsewhere.
    pub file: Option<PathBuf>,
}

/// Layer after the pass.
#[derive(Debug, Clone)]
pub(super) struct PassedLayer {
    pub diff_id: Digest,
    /// Blob and its file; the file is `None` if the blob is stored elsewhere.
    pub blob: Option<(Blob, Option<PathBuf>)>,
    pub is_reused: bool,
}

/// Reads all layers.
pub(super) fn pass(job: &Job<'_>, takers: &Takers<'_>) -> Result<Vec<PassedLayer>, WriteError> {
    let threads = job.options.threads.max(1);
    let compression = job.options.compression;
    let compresses = takers.blobs.is_some() && compression.method() != Compression::None;
    let at_once = if compresses { threads.min(COMPRESSED_AT_ONCE) } else { threads }.min(job.layers.len().max(1));
    // Largest first, so that the threads finish at about the same time.
    let mut order: Vec<usize> = (0..job.layers.len()).collect();
    order.sort_by_key(|&place| std::cmp::Reverse(job.layers.get(place).map_or(0, |layer| layer.unpacked_bytes)));
    let next = AtomicUsize::new(0);
    let has_failed = AtomicBool::new(false);
    let failure = Mutex::new(None);
    let passed: Vec<Mutex<Option<PassedLayer>>> = job.layers.iter().map(|_| Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        let workers = compresses.then(|| Workers::start(scope, threads));
        let work = || {
            while let Some(&place) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                let Some((layer, slot)) = job.layers.get(place).zip(passed.get(place)) else { break };
                let one = OneLayer { job, takers, place, layer, workers: workers.as_ref(), has_failed: &has_failed };
                match one.run() {
                    Ok(done) => *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(done),
                    Err(error) => {
                        if !has_failed.swap(true, Ordering::Relaxed) {
                            *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                        }
                        break;
                    }
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..at_once {
                scope.spawn(work);
            }
            work();
        });
    });
    if let Some(error) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let result = |slot: Mutex<Option<PassedLayer>>| slot.into_inner().unwrap_or_else(PoisonError::into_inner);
    let all: Option<Vec<PassedLayer>> = passed.into_iter().map(result).collect();
    all.ok_or_else(|| WriteError::Composition("a layer was not read completely".to_owned()))
}

struct OneLayer<'a> {
    job: &'a Job<'a>,
    takers: &'a Takers<'a>,
    place: usize,
    layer: &'a PlannedLayer<'a>,
    workers: Option<&'a Workers>,
    has_failed: &'a AtomicBool,
}

impl OneLayer<'_> {
    fn run(&self) -> Result<PassedLayer, WriteError> {
        let compression = self.job.options.compression;
        let made_of = self.takers.blobs.and_then(|_| made_of(self.layer, compression));
        let is_needed_plain = !self.takers.archives.is_empty() || !self.takers.layer_files.is_empty();
        if let Some(known) =
            made_of.as_ref().filter(|_| !is_needed_plain).and_then(|digest| (self.takers.known)(digest))
        {
            return Ok(PassedLayer { diff_id: known.diff_id, blob: Some((known.blob, known.file)), is_reused: true });
        }
        let taken_over = self.taken_over()?;
        if let (Some(blob), Some(diff_id), false) = (&taken_over, self.base_diff_id(), is_needed_plain) {
            self.job.progress.add(self.place, usize::try_from(self.layer.unpacked_bytes).unwrap_or(usize::MAX));
            return Ok(PassedLayer { diff_id: diff_id.clone(), blob: Some(blob.clone()), is_reused: false });
        }
        let blobs = self.takers.blobs.filter(|_| taken_over.is_none());
        let mut blob = blobs.map(|directory| self.blob(directory, compression)).transpose()?;
        let mut files = Vec::new();
        for layer_files in &self.takers.layer_files {
            files.extend(layer_files.begin(self.place, self.layer)?);
        }
        let mut hasher = Sha256::new();
        let mut position = 0u64;
        self.layer.stream(self.job.content, self.job.progress, &mut |piece| {
            if self.has_failed.load(Ordering::Relaxed) {
                return Err(WriteError::Cancelled);
            }
            hasher.update(piece);
            for archive in &self.takers.archives {
                archive.put(self.place, self.layer.unpacked_bytes, position, piece)?;
            }
            for file in &files {
                file.put(position, piece)?;
            }
            if let Some(blob) = &mut blob {
                blob.put(piece)?;
            }
            position += piece.len() as u64;
            self.job.progress.add(self.place, piece.len());
            Ok(())
        })?;
        let diff_id = Digest::from_sha256(&hasher.finalize().into());
        if let LayerSource::Base { place, layer } = &self.layer.source
            && layer.diff_id.as_ref().is_some_and(|given| given.algorithm() == "sha256" && *given != diff_id)
        {
            let error = io::Error::other("its digest does not match the one in the image");
            return Err(WriteError::Base { place: *place, error });
        }
        for file in files {
            file.finish(&diff_id)?;
        }
        let blob = blob.map(|blob| blob.finish(&diff_id, made_of, compression.method())).transpose()?.or(taken_over);
        Ok(PassedLayer { diff_id, blob, is_reused: false })
    }

    fn base_diff_id(&self) -> Option<&Digest> {
        match &self.layer.source {
            LayerSource::Base { layer, .. } => layer.diff_id.as_ref(),
            LayerSource::Entries { .. } => None,
        }
    }

    /// Copies the blob of a base layer unchanged.
    fn taken_over(&self) -> Result<Option<(Blob, Option<PathBuf>)>, WriteError> {
        let LayerSource::Base { place, layer } = &self.layer.source else { return Ok(None) };
        let found = layer.diff_id.as_ref().and_then(|_| self.job.content.base_blob(*place));
        let Some((directory, stored)) = self.takers.blobs.zip(found) else { return Ok(None) };
        let path = directory.join(format!("layer-{}", self.place));
        let failed = |error| WriteError::write(&path, error);
        let unread = |error| WriteError::Base { place: *place, error };
        let file = File::options().write(true).create_new(true).open(&path).map_err(failed)?;
        let mut hashed =
            Hashed { file: BufWriter::with_capacity(PIECE_BYTES, file), hasher: Some(Sha256::new()), bytes: 0 };
        let mut reader = stored.open().map_err(unread)?;
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            self.job.progress.check()?;
            let count = match reader.read(&mut piece) {
                Ok(0) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read.map_err(unread)?,
            };
            hashed.write_all(piece.get(..count).unwrap_or_default()).map_err(failed)?;
        }
        hashed.file.flush().map_err(failed)?;
        let digest = hashed.hasher.map(|hasher| Digest::from_sha256(&hasher.finalize().into()));
        if digest.as_ref() != Some(stored.digest()) || hashed.bytes != stored.stored_bytes() {
            return Err(unread(io::Error::other("the digest of its blob does not match the manifest")));
        }
        let (digest, stored_bytes) = (stored.digest().clone(), stored.stored_bytes());
        let blob = Blob { digest, stored_bytes, compression: stored.compression(), made_of: None };
        Ok(Some((blob, Some(path))))
    }

    fn blob(&self, directory: &Path, compression: LayerCompression) -> Result<BlobFile<'_>, WriteError> {
        let path = directory.join(format!("layer-{}", self.place));
        let failed = |error| WriteError::write(&path, error);
        let file = File::options().write(true).create_new(true).open(&path).map_err(failed)?;
        let hasher = (compression.method() != Compression::None).then(Sha256::new);
        let hashed = Hashed { file: BufWriter::with_capacity(128 << 10, file), hasher, bytes: 0 };
        let stream = match self.workers {
            Some(workers) => Stream::Packed(Compressor::new(hashed, workers, compression).map_err(failed)?),
            None => Stream::Plain(hashed),
        };
        Ok(BlobFile { path, stream })
    }
}

/// Blob that is being written.
struct BlobFile<'a> {
    path: PathBuf,
    stream: Stream<'a>,
}

enum Stream<'a> {
    Plain(Hashed),
    Packed(Compressor<'a, Hashed>),
}

impl BlobFile<'_> {
    fn put(&mut self, piece: &[u8]) -> Result<(), WriteError> {
        let written = match &mut self.stream {
            Stream::Plain(hashed) => hashed.write_all(piece),
            Stream::Packed(compressor) => compressor.write_all(piece),
        };
        written.map_err(|error| WriteError::write(&self.path, error))
    }

    fn finish(
        self,
        diff_id: &Digest,
        made_of: Option<Digest>,
        compression: Compression,
    ) -> Result<(Blob, Option<PathBuf>), WriteError> {
        let failed = |error| WriteError::write(&self.path, error);
        let mut hashed = match self.stream {
            Stream::Plain(hashed) => hashed,
            Stream::Packed(compressor) => compressor.finish().map_err(failed)?,
        };
        hashed.file.flush().map_err(failed)?;
        let digest = hashed.hasher.map(|hasher| Digest::from_sha256(&hasher.finalize().into()));
        let blob = Blob {
            digest: digest.unwrap_or_else(|| diff_id.clone()),
            stored_bytes: hashed.bytes,
            compression,
            made_of: made_of.map(|made_of| (made_of, diff_id.clone())),
        };
        Ok((blob, Some(self.path)))
    }
}

/// File whose bytes are counted and hashed. Without a hasher, the bytes are those of a stream with a known digest.
struct Hashed {
    file: BufWriter<File>,
    hasher: Option<Sha256>,
    bytes: u64,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes.get(..count).unwrap_or_default());
        }
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
