//! Writes docker-archives: plain layers, the configuration and `manifest.json`, as `docker load` reads them.

use std::io::{self, BufWriter, IsTerminal, Seek, SeekFrom, Write};
use std::path::Path;

use super::copy::{Arrival, CopyOptions, LayerArrival, Sink, Way};
use super::pack::copy;
use super::push::title_of;
use super::{LayerState, Parcel, Shipment, TransferError, TransferProgress, plain_stream};
use nixdive_image::Compression;
use nixdive_image::reference::ImageName;
use nixdive_source::open::unnamed_file;
use nixdive_source::store::TAR_BLOCK;
use nixdive_write::{
    Compressor, Destination, LayerCompression, NewFile, Workers, WriteError, add_member, docker_manifest, member_header,
};

/// Writes to `docker-archive:` destinations and to standard output (`-`).
pub(super) struct ArchiveSink<'a> {
    pub destination: &'a Destination,
}

impl Sink for ArchiveSink<'_> {
    fn deliver(
        &self,
        shipment: &Shipment,
        options: &CopyOptions,
        progress: &TransferProgress,
    ) -> Result<Arrival, TransferError> {
        let [image] = shipment.images.as_slice() else {
            let reason = "a docker-archive can contain only one image; omit --all to copy one";
            return Err(TransferError::Refused(reason.to_owned()));
        };
        let given = match self.destination {
            Destination::DockerArchive { reference, .. } => reference.clone(),
            _ => None,
        };
        let name = given.or_else(|| shipment.names.iter().find_map(|name| tagged(name)));
        let writing = Writing { image, name: name.as_deref(), options, progress };
        match self.destination {
            Destination::DockerArchive { file, .. } => {
                let new = NewFile::beside(file)?;
                let layers = match self.destination.outer_compression() {
                    Compression::Gzip => writing.packed(&new, LayerCompression::GZIP)?,
                    Compression::Zstd => writing.packed(&new, LayerCompression::ZSTD)?,
                    _ => writing.plain(&mut new.file(), new.place())?,
                };
                let failed = |error| WriteError::Write { path: new.place().to_owned(), error };
                let bytes = new.file().metadata().map_err(failed)?.len();
                new.publish()?;
                Ok(Arrival::of(None, layers, bytes))
            }
            _ if io::stdout().is_terminal() => Err(WriteError::Terminal.into()),
            _ => {
                let (mut aside, layers) = writing.aside()?;
                let failed = |error| WriteError::Write { path: "standard output".into(), error };
                let mut out = io::stdout().lock();
                let bytes =
                    io::copy(&mut aside, &mut out).and_then(|bytes| out.flush().map(|()| bytes)).map_err(failed)?;
                Ok(Arrival::of(None, layers, bytes))
            }
        }
    }
}

/// Image name with a tag, which engines give to an image they load.
fn tagged(name: &str) -> Option<String> {
    let name = ImageName::parse(name)?;
    (name.given_tag().is_some() && name.digest().is_none()).then(|| name.to_string())
}

struct Writing<'a> {
    image: &'a Parcel,
    name: Option<&'a str>,
    options: &'a CopyOptions,
    progress: &'a TransferProgress,
}

impl Writing<'_> {
    /// Writes the archive to an unnamed temporary file and rewinds it.
    fn aside(&self) -> Result<(std::fs::File, Vec<LayerArrival>), TransferError> {
        let place = Path::new("a temporary file");
        let failed = |error| WriteError::Write { path: place.to_owned(), error };
        let mut file = unnamed_file().map_err(failed)?;
        let layers = self.plain(&mut &file, place)?;
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        Ok((file, layers))
    }

    fn packed(&self, new: &NewFile, compression: LayerCompression) -> Result<Vec<LayerArrival>, TransferError> {
        let (mut aside, layers) = self.aside()?;
        let failed = |error| TransferError::from(WriteError::Write { path: new.place().to_owned(), error });
        std::thread::scope(|scope| {
            let workers = Workers::start(scope, self.options.threads);
            let out = BufWriter::with_capacity(256 << 10, new.file());
            let mut out = Compressor::new(out, &workers, compression).map_err(failed)?;
            let cancel = self.progress.cancel();
            let mut check = |piece: &[u8]| {
                cancel.check().map_err(|_| TransferError::Cancelled)?;
                out.write_all(piece).map_err(failed)
            };
            copy(&mut aside, &mut check, &failed, &|_| ())?;
            out.finish().and_then(|mut out| out.flush()).map_err(failed)
        })?;
        Ok(layers)
    }

    /// Writes the archive. Headers are filled in before the layers once their lengths are known.
    fn plain(&self, out: &mut (impl Write + Seek), place: &Path) -> Result<Vec<LayerArrival>, TransferError> {
        let failed = |error| TransferError::from(WriteError::Write { path: place.to_owned(), error });
        let mut arrivals: Vec<LayerArrival> = Vec::new();
        let mut names = Vec::with_capacity(self.image.layers.len());
        self.progress.begin(self.image.layers.iter().map(|layer| (title_of(layer), layer.stored_bytes)));
        for (number, layer) in self.image.layers.iter().enumerate() {
            let what = format!("the layer {}", title_of(layer));
            let reading = |error: io::Error| TransferError::reading(what.clone(), &error);
            let diff_id = layer.diff_id.as_ref();
            let diff_id = diff_id.ok_or_else(|| TransferError::part(what.clone(), "its diffID is unknown"))?;
            let name = format!("{}.tar", diff_id.hex());
            names.push(name.clone());
            if let Some(same) = arrivals.iter().find(|known| known.digest == *diff_id).cloned() {
                self.progress.enter(number, LayerState::There, same.stored_bytes);
                continue;
            }
            self.progress.enter(number, LayerState::Sending, layer.stored_bytes);
            let start = out.stream_position().map_err(failed)?;
            out.write_all(&[0; TAR_BLOCK]).map_err(failed)?;
            let mut stream =
                plain_stream(layer, self.options.unpack_limit, &self.options.verification, self.progress.cancel())
                    .map_err(reading)?;
            copy(&mut stream, &mut |piece| out.write_all(piece).map_err(failed), &reading, &|done| {
                self.progress.at(number, done.min(layer.stored_bytes));
            })?;
            let (_, bytes) = stream.finish(layer)?;
            let padding = bytes.next_multiple_of(TAR_BLOCK as u64) - bytes;
            out.write_all(&vec![0; usize::try_from(padding).unwrap_or_default()]).map_err(failed)?;
            let header = member_header(name.as_bytes(), bytes);
            if header.len() != TAR_BLOCK {
                return Err(TransferError::part(what, "it unpacks to more than fits into a docker-archive"));
            }
            out.seek(SeekFrom::Start(start)).map_err(failed)?;
            out.write_all(&header).map_err(failed)?;
            out.seek(SeekFrom::End(0)).map_err(failed)?;
            self.progress.enter(number, LayerState::Arrived, bytes);
            let digest = diff_id.clone();
            arrivals.push(LayerArrival {
                diff_id: Some(digest.clone()),
                digest,
                stored_bytes: bytes,
                way: Way::Sent,
                is_read: true,
            });
        }
        let mut tail = Vec::new();
        let config = &self.image.config;
        let config_name = format!("{}.json", config.digest.hex());
        add_member(&mut tail, &config_name, &config.bytes);
        add_member(&mut tail, "manifest.json", &docker_manifest(&config_name, self.name, &names));
        tail.resize(tail.len() + 2 * TAR_BLOCK, 0);
        out.write_all(&tail).and_then(|()| out.flush()).map_err(failed)?;
        Ok(arrivals)
    }
}
