//! Destinations from opening to publication: all are opened first, filled by one pass, finished, and published last.

use std::io::{self, BufWriter, IsTerminal, Write};

use hashbrown::HashMap;

use super::compress::{Compressor, LayerCompression, Workers};
use super::docker_archive::{ArchiveFile, write_in_order};
use super::documents::Blob;
use super::nix_json::{LayerFiles, write_document};
use super::oci::{Layout, OciImage, buffered, write_archive};
use super::pass::{KnownLayer, PassedLayer, Takers, pass};
use super::place::{NewFile, new_directory};
use super::{Destination, FinishedImage, Job, LayerElsewhere, WriteError, Written, WrittenDestination, WrittenLayer};
use nixdive_base::beneath::TemporaryDirectory;
use nixdive_image::{Compression, Digest};

/// Open destination.
enum Open {
    Archive(ArchiveFile),
    PackedArchive(NewFile, LayerCompression),
    Output,
    Layout(Layout),
    OciArchive(NewFile),
    NixJson(NewFile, LayerFiles),
}

/// Complete destination, not yet published.
enum Ready {
    Written,
    File(NewFile),
    Layout(Layout),
    NixJson(NewFile, LayerFiles),
}

/// Writes to all destinations.
pub(super) fn run(job: &Job<'_>, destinations: &[Destination]) -> Result<Written, WriteError> {
    let mut open = destinations.iter().map(|one| begin(job, one)).collect::<Result<Vec<_>, _>>()?;
    let first_oci = destinations.iter().find(|one| is_oci(one)).and_then(Destination::path);
    let scratch = first_oci.map(new_directory).transpose()?;
    let passed = {
        let mut known: HashMap<Digest, KnownLayer> = HashMap::new();
        let mut takers = Takers { archives: Vec::new(), layer_files: Vec::new(), blobs: None, known: &|_| None };
        let method = job.options.compression.method();
        known.extend(job.options.elsewhere.iter().map(|layer| of_elsewhere(layer, method)));
        for one in &open {
            match one {
                Open::Archive(archive) => takers.archives.push(archive),
                Open::NixJson(_, files) => takers.layer_files.push(files),
                Open::Layout(layout) => known.extend(layout.known_layers(job.options.compression.method())),
                Open::PackedArchive(..) | Open::Output | Open::OciArchive(_) => {}
            }
        }
        takers.blobs = scratch.as_ref().map(TemporaryDirectory::path);
        let find = |made_of: &Digest| known.get(made_of).cloned();
        takers.known = &find;
        pass(job, &takers)?
    };
    let image = FinishedImage::new(job, passed.iter().map(|layer| layer.diff_id.clone()).collect());
    let oci = OciImage::new(&image, &passed);
    let mut ready = Vec::with_capacity(open.len());
    for (destination, one) in destinations.iter().zip(open.drain(..)) {
        job.progress.check()?;
        ready.push(finish(job, destination, one, &image, &oci)?);
    }
    let mut written = Vec::with_capacity(ready.len());
    for (destination, (one, bytes)) in destinations.iter().zip(ready) {
        let bytes = bytes + publish(one)?;
        let manifest_digest = is_oci(destination).then(|| oci.manifest_digest.clone());
        written.push(WrittenDestination { destination: destination.clone(), bytes, manifest_digest });
    }
    let layers = job.layers.iter().zip(&passed).map(|(layer, passed)| written_layer(layer, passed)).collect();
    Ok(Written { layers, config_digest: image.config_digest, destinations: written })
}

fn of_elsewhere(layer: &LayerElsewhere, compression: Compression) -> (Digest, KnownLayer) {
    let LayerElsewhere { made_of, diff_id, digest, stored_bytes } = layer.clone();
    let blob = Blob { digest, stored_bytes, compression, made_of: Some((made_of.clone(), diff_id.clone())) };
    (made_of, KnownLayer { diff_id, blob, file: None })
}

fn is_oci(destination: &Destination) -> bool {
    matches!(destination, Destination::OciLayout { .. } | Destination::OciArchive { .. })
}

fn written_layer(layer: &super::layer::PlannedLayer<'_>, passed: &PassedLayer) -> WrittenLayer {
    WrittenLayer {
        store_paths: layer.store_paths.iter().map(|&path| path.clone()).collect(),
        diff_id: passed.diff_id.clone(),
        unpacked_bytes: layer.unpacked_bytes,
        blob: passed.blob.as_ref().map(|(blob, _)| (blob.digest.clone(), blob.stored_bytes)),
        is_reused: passed.is_reused,
    }
}

fn begin(job: &Job<'_>, destination: &Destination) -> Result<Open, WriteError> {
    Ok(match destination {
        Destination::StandardOutput if io::stdout().is_terminal() => return Err(WriteError::Terminal),
        Destination::StandardOutput => Open::Output,
        Destination::DockerArchive { file, .. } => {
            let new = NewFile::beside(file)?;
            match destination.outer_compression() {
                Compression::Gzip => Open::PackedArchive(new, LayerCompression::GZIP),
                Compression::Zstd => Open::PackedArchive(new, LayerCompression::ZSTD),
                _ => Open::Archive(ArchiveFile::create(new, job.layers)?),
            }
        }
        Destination::OciLayout { directory, .. } => Open::Layout(Layout::open(directory)?),
        Destination::OciArchive { file, .. } => Open::OciArchive(NewFile::beside(file)?),
        Destination::NixJson { file } => {
            let new = NewFile::beside(file)?;
            let files = LayerFiles::beside(new.place(), job)?;
            Open::NixJson(new, files)
        }
    })
}

/// Finishes a destination and returns the bytes written so far.
fn finish(
    job: &Job<'_>,
    destination: &Destination,
    open: Open,
    image: &FinishedImage,
    oci: &OciImage,
) -> Result<(Ready, u64), WriteError> {
    let reference = match destination {
        Destination::DockerArchive { reference, .. }
        | Destination::OciLayout { reference, .. }
        | Destination::OciArchive { reference, .. } => reference.as_deref(),
        Destination::StandardOutput | Destination::NixJson { .. } => None,
    };
    Ok(match open {
        Open::Archive(archive) => {
            let (new, bytes) = archive.finish(image, job.layers, reference)?;
            (Ready::File(new), bytes)
        }
        Open::PackedArchive(new, compression) => {
            let failed = |error| WriteError::write(new.place(), error);
            std::thread::scope(|scope| {
                let workers = Workers::start(scope, job.options.threads);
                let mut out = Compressor::new(buffered(&new), &workers, compression).map_err(failed)?;
                in_order(job, &mut out, &failed, image, reference)?;
                out.finish().and_then(|mut out| out.flush()).map_err(failed)
            })?;
            let bytes = new.file().metadata().map_err(failed)?.len();
            (Ready::File(new), bytes)
        }
        Open::Output => {
            let failed = |error| WriteError::write(std::path::Path::new("standard output"), error);
            let mut counted = Counted { inner: BufWriter::with_capacity(256 << 10, io::stdout().lock()), bytes: 0 };
            in_order(job, &mut counted, &failed, image, reference)?;
            counted.flush().map_err(failed)?;
            (Ready::Written, counted.bytes)
        }
        Open::Layout(mut layout) => {
            layout.add(job, image, oci, reference)?;
            (Ready::Layout(layout), 0)
        }
        Open::OciArchive(new) => {
            let bytes = write_archive(&new, job, image, oci, reference)?;
            (Ready::File(new), bytes)
        }
        Open::NixJson(new, files) => {
            let document = files.document(job, image);
            write_document(&new, &document)?;
            (Ready::NixJson(new, files), document.len() as u64)
        }
    })
}

fn in_order(
    job: &Job<'_>,
    out: &mut dyn Write,
    failed: &dyn Fn(io::Error) -> WriteError,
    image: &FinishedImage,
    reference: Option<&str>,
) -> Result<(), WriteError> {
    write_in_order(out, failed, image, job.layers, reference, &|layer, take| {
        layer.stream(job.content, job.progress, take)
    })
}

/// Publishes a destination and returns the additional bytes written.
fn publish(ready: Ready) -> Result<u64, WriteError> {
    match ready {
        Ready::Written => Ok(0),
        Ready::File(new) => new.publish().map(|()| 0),
        Ready::Layout(layout) => layout.publish(),
        Ready::NixJson(new, files) => {
            let bytes = files.publish()?;
            new.publish()?;
            Ok(bytes)
        }
    }
}

struct Counted<W> {
    inner: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
