//! Loads images into Docker and podman through their sockets, as a docker-archive that is generated while it is sent.
//!
//! Plain and gzipped layers are sent unchanged, as all engines unpack gzip. Others are unpacked first, because their
//! length precedes them in the archive. The engine verifies the diffIDs. Layers that Docker already has are left out of
//! the archive and not read; podman requires all of them.

use std::collections::VecDeque;
use std::io::{self, BufWriter, Cursor, Read, Write};
use std::sync::Arc;

use hashbrown::HashSet;

use super::blob::CheckedBlob;
use super::copy::{Arrival, CopyOptions, LayerArrival, Sink, Way};
use super::pack::copy;
use super::push::title_of;
use super::{BlobSource, LayerState, Parcel, ParcelLayer, Shipment, TransferError, TransferProgress, plain_stream};
use nixdive_image::reference::{Engine, ImageName};
use nixdive_image::{Compression, Digest};
use nixdive_scan::Section;
use nixdive_source::engines::{EngineClient, EngineError, name};
use nixdive_source::http::HttpOptions;
use nixdive_source::open::unnamed_file;
use nixdive_source::store::TAR_BLOCK;
use nixdive_write::{add_member, docker_manifest, member_header};

/// Loads images for `docker-daemon:` and `podman:` destinations.
pub(super) struct EngineSink<'a> {
    pub engine: Engine,
    pub name: &'a ImageName,
}

impl Sink for EngineSink<'_> {
    fn deliver(
        &self,
        shipment: &Shipment,
        options: &CopyOptions,
        progress: &TransferProgress,
    ) -> Result<Arrival, TransferError> {
        let [image] = shipment.images.as_slice() else {
            let reason = format!("{} can load only one image; omit --all to copy one", name(self.engine));
            return Err(TransferError::Refused(reason));
        };
        let http = HttpOptions { cancel: progress.cancel().clone(), ..options.remote.http.clone() };
        let environment = options.remote.engines.clone().unwrap_or_default();
        let client = EngineClient::find(self.engine, &environment, &http)?;
        let diff_ids = diff_ids(image)?;
        let tag = format!("{}:{}", self.name.without_tag(), self.name.tag());
        let loading = Loading { client: &client, image, diff_ids: &diff_ids, tag: &tag, options, progress };
        let there = client.layers_there(&diff_ids);
        let result = match loading.run(there) {
            // The layers may have been removed since, or the engine requires all of them after all.
            Err(TransferError::Engine(EngineError::Refused { .. } | EngineError::Closed { .. })) if there > 0 => {
                loading.run(0)
            }
            other => other,
        };
        progress.cancel().check().map_err(|_| TransferError::Cancelled)?;
        let arrival = result?;
        loading.check()?;
        Ok(arrival)
    }
}

fn diff_ids(image: &Parcel) -> Result<Vec<Digest>, TransferError> {
    let unknown = |layer: &ParcelLayer| {
        TransferError::part(format!("the layer {}", title_of(layer)), "its diffID is unknown, but engines require it")
    };
    image.layers.iter().map(|layer| layer.diff_id.clone().ok_or_else(|| unknown(layer))).collect()
}

struct Loading<'a> {
    client: &'a EngineClient,
    image: &'a Parcel,
    diff_ids: &'a [Digest],
    tag: &'a str,
    options: &'a CopyOptions,
    progress: &'a TransferProgress,
}

impl Loading<'_> {
    /// Sends the image without its first `there` layers, which the engine already has.
    fn run(&self, there: usize) -> Result<Arrival, TransferError> {
        let layers = || self.image.layers.iter().zip(self.diff_ids).enumerate();
        self.progress.begin(self.image.layers.iter().map(|layer| (title_of(layer), layer.stored_bytes)));
        let mut archive = Archive { parts: VecDeque::new(), progress: self.progress.clone() };
        let mut sent: HashSet<&Digest> = HashSet::new();
        let mut arrivals = Vec::with_capacity(self.diff_ids.len());
        for (number, (layer, diff_id)) in layers() {
            let is_sent = number >= there && sent.insert(diff_id);
            if is_sent {
                archive.add(number, layer, diff_id, self.ready(number, layer)?);
            } else {
                self.progress.enter(number, LayerState::There, layer.stored_bytes);
            }
            arrivals.push(LayerArrival {
                digest: diff_id.clone(),
                diff_id: Some(diff_id.clone()),
                stored_bytes: layer.stored_bytes,
                way: if is_sent { Way::Sent } else { Way::There },
                is_read: is_sent,
            });
        }
        archive.finish(self.image, self.diff_ids, self.tag);
        let sent_bytes = archive.length_in_bytes();
        self.client.load(Box::new(archive), &mut |_| ())?;
        for (number, (layer, _)) in layers().filter(|(number, _)| *number >= there) {
            self.progress.enter(number, LayerState::Arrived, layer.stored_bytes);
        }
        Ok(Arrival::of(None, arrivals, sent_bytes))
    }

    /// Returns a layer in a form that engines unpack, and its length in bytes.
    fn ready(&self, number: usize, layer: &ParcelLayer) -> Result<(Arc<dyn BlobSource>, u64), TransferError> {
        if matches!(layer.compression, Compression::None | Compression::Gzip) {
            let (options, cancel) = (self.options, self.progress.cancel());
            let checked = CheckedBlob::of(layer, &options.verification, options.unpack_limit, cancel);
            let source = checked.map_or_else(|| Arc::clone(&layer.source), |checked| Arc::new(checked) as Arc<_>);
            return Ok((source, layer.stored_bytes));
        }
        let what = format!("the layer {}", title_of(layer));
        let failed = |error: io::Error| TransferError::reading(what.clone(), &error);
        let aside =
            |error: io::Error| TransferError::part(what.clone(), format!("cannot write a temporary copy: {error}"));
        self.progress.enter(number, LayerState::Reading, layer.stored_bytes);
        let file = unnamed_file().map_err(aside)?;
        let mut out = BufWriter::with_capacity(128 << 10, file.try_clone().map_err(aside)?);
        let mut stream =
            plain_stream(layer, self.options.unpack_limit, &self.options.verification, self.progress.cancel())
                .map_err(failed)?;
        let mut take = |piece: &[u8]| out.write_all(piece).map_err(aside);
        let bytes = copy(&mut stream, &mut take, &failed, &|_| ())?;
        stream.finish(layer)?;
        out.flush().map_err(aside)?;
        Ok((Arc::new(Section::new(Arc::new(file), 0, bytes)), bytes))
    }

    /// Verifies that the engine now has this exact image: its ID is the digest of its configuration or, if it is that
    /// of a manifest, its layers are the same.
    fn check(&self) -> Result<(), TransferError> {
        let found = self.client.image(self.tag)?;
        let engine = name(self.client.engine());
        let Some(found) = found else {
            let reason = format!("{engine} reported success, but has no image named {}", self.tag);
            return Err(TransferError::Refused(reason));
        };
        let has_id = Digest::parse(&found.id).as_ref() == Some(&self.image.config.digest)
            || found.id == self.image.config.digest.hex();
        let has_layers = found.diff_ids.iter().map(String::as_str).eq(self.diff_ids.iter().map(Digest::as_str));
        if has_id || (has_layers && !found.id.is_empty()) {
            return Ok(());
        }
        let reason = format!(
            "{engine} has a different image named {} than the one that was sent: its ID is {}, not {}",
            self.tag,
            nixdive_base::text::display_in_sentence(&found.id),
            self.image.config.digest
        );
        Err(TransferError::Refused(reason))
    }
}

/// Archive that is read once; each layer is opened when it is reached.
struct Archive {
    parts: VecDeque<Part>,
    progress: TransferProgress,
}

enum Part {
    Bytes(Cursor<Vec<u8>>),
    Waiting(Layer),
    Open(Layer, Box<dyn Read + Send>),
}

struct Layer {
    number: usize,
    title: String,
    source: Arc<dyn BlobSource>,
    bytes: u64,
    left: u64,
}

impl Archive {
    fn add(&mut self, number: usize, layer: &ParcelLayer, diff_id: &Digest, ready: (Arc<dyn BlobSource>, u64)) {
        let (source, bytes) = ready;
        let header = member_header(layer_name(diff_id).as_bytes(), bytes);
        self.parts.push_back(Part::Bytes(Cursor::new(header)));
        self.parts.push_back(Part::Waiting(Layer { number, title: title_of(layer), source, bytes, left: bytes }));
        let padding = bytes.next_multiple_of(TAR_BLOCK as u64) - bytes;
        self.parts.push_back(Part::Bytes(Cursor::new(vec![0; usize::try_from(padding).unwrap_or_default()])));
    }

    fn finish(&mut self, image: &Parcel, diff_ids: &[Digest], tag: &str) {
        let mut tail = Vec::new();
        let config_name = format!("{}.json", image.config.digest.hex());
        let names: Vec<String> = diff_ids.iter().map(layer_name).collect();
        add_member(&mut tail, &config_name, &image.config.bytes);
        add_member(&mut tail, "manifest.json", &docker_manifest(&config_name, Some(tag), &names));
        tail.resize(tail.len() + 2 * TAR_BLOCK, 0);
        self.parts.push_back(Part::Bytes(Cursor::new(tail)));
    }

    /// Returns the length of the archive, known before it is read.
    fn length_in_bytes(&self) -> u64 {
        let length = |part: &Part| match part {
            Part::Bytes(bytes) => bytes.get_ref().len() as u64,
            Part::Waiting(layer) | Part::Open(layer, _) => layer.bytes,
        };
        self.parts.iter().map(length).fold(0, u64::saturating_add)
    }
}

fn layer_name(diff_id: &Digest) -> String {
    format!("{}.tar", diff_id.hex())
}

impl Read for Archive {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while let Some(part) = self.parts.pop_front() {
            self.progress.cancel().check()?;
            match part {
                Part::Bytes(mut bytes) => {
                    let count = bytes.read(buffer)?;
                    if count > 0 {
                        self.parts.push_front(Part::Bytes(bytes));
                        return Ok(count);
                    }
                }
                Part::Waiting(layer) => {
                    self.progress.enter(layer.number, LayerState::Sending, layer.bytes);
                    let reader = layer.source.open(0).map_err(|error| layer.failed(&error))?;
                    self.parts.push_front(Part::Open(layer, reader));
                }
                Part::Open(mut layer, mut reader) => {
                    let count = layer.read(&mut *reader, buffer)?;
                    if count > 0 {
                        self.progress.at(layer.number, layer.bytes.saturating_sub(layer.left));
                        self.parts.push_front(Part::Open(layer, reader));
                        return Ok(count);
                    }
                }
            }
        }
        Ok(0)
    }
}

impl Layer {
    fn failed(&self, error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("the layer {}: {error}", self.title))
    }

    /// Reads at most as many bytes as the header announces. A shorter layer is an error.
    fn read(&mut self, reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let count = loop {
            match reader.read(buffer.get_mut(..most).unwrap_or_default()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other.map_err(|error| self.failed(&error))?,
            }
        };
        if count == 0 {
            let missing = io::Error::new(io::ErrorKind::UnexpectedEof, format!("{} bytes are missing", self.left));
            return Err(self.failed(&missing));
        }
        self.left = self.left.saturating_sub(count as u64);
        Ok(count)
    }
}
