//! Files by digest, as in OCI layouts and directories written by skopeo.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::blob::CheckedBlob;
use super::copy::{Arrival, CopyOptions, LayerArrival, Way};
use super::made::{MadeLayer, Shape, compression_of, document, layer_type, manifest};
use super::pack::{Form, Packing, check_unpacked, copy};
use super::push::title_of;
use super::{
    BlobSource, Document, KnownBlobs, LayerState, Parcel, ParcelLayer, Shipment, TransferError, TransferProgress,
};
use nixdive_base::beneath::{Directory, Links};
use nixdive_image::{Digest, Platform};
use nixdive_scan::Verifier;
use nixdive_source::formats::Naming;
use nixdive_write::{LayerCompression, NewFile, Workers, WriteError, blobs_of};

/// Maximum size of an index or a manifest, bytes.
pub(super) const MAX_INDEX_BYTES: u64 = 16 << 20;
/// Maximum number of images of a layout to search for layers already present.
const MAX_IMAGES: usize = 100;

/// Document that an index or a directory names.
pub(super) struct Entry {
    pub document: Document,
    /// Platform, if the document is a single image.
    pub platform: Option<Platform>,
}

/// Files by digest.
pub(super) struct Store<'a> {
    pub root: Directory,
    pub naming: Naming,
    /// Blobs that were added. They are removed if the image does not become part of the layout.
    pub added: Vec<PathBuf>,
    pub options: &'a CopyOptions,
    pub progress: &'a TransferProgress,
}

impl Store<'_> {
    fn place(&self, digest: &Digest) -> PathBuf {
        self.root.path().join(self.naming.blob(digest))
    }

    /// Returns `true` if a blob of this length is present. Links are followed if they stay within the directory.
    fn has(&self, digest: &Digest, bytes: u64) -> bool {
        let found = self.root.open_file(Path::new(&self.naming.blob(digest)), Links::Inside);
        found.and_then(|file| file.metadata()).is_ok_and(|found| found.is_file() && found.len() == bytes)
    }

    fn read(&self, digest: &Digest) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = self.root.open_file(Path::new(&self.naming.blob(digest)), Links::Inside).ok()?;
        file.take(MAX_INDEX_BYTES).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    /// Returns the layers of an existing layout by diffID.
    pub fn known(&self, index: &Map<String, Value>) -> KnownBlobs {
        let mut known = KnownBlobs::default();
        let images = index.get("manifests").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for image in images.iter().rev().take(MAX_IMAGES) {
            let digest = image.get("digest").and_then(Value::as_str).and_then(Digest::parse);
            let Some(manifest) = digest.and_then(|digest| self.read(&digest)) else { continue };
            let config = Shape::parse("", &manifest).ok().and_then(|shape| shape.config?.digest());
            if let Some(config) = config.and_then(|digest| self.read(&digest)) {
                known.add(&manifest, &config, None);
            }
        }
        known
    }

    /// Writes everything except the index that names it.
    pub fn fill(&mut self, shipment: &Shipment, known: &KnownBlobs) -> Result<(Arrival, Entry), TransferError> {
        let all = shipment.images.iter().flat_map(|image| &image.layers);
        self.progress.begin(all.map(|layer| (title_of(layer), layer.stored_bytes)));
        let mut layers = Vec::new();
        let mut sent = 0u64;
        let mut root = None;
        let mut manifests = Vec::with_capacity(shipment.images.len());
        std::thread::scope(|scope| {
            let workers = Workers::start(scope, self.options.threads);
            let is_one = shipment.indexes.is_empty();
            for image in &shipment.images {
                let is_translated = is_one && self.translates(image);
                let document = self.image(is_translated, image, known, &workers, &mut layers, &mut sent)?;
                manifests.push(document.clone());
                root = Some(Entry { document, platform: Some(image.platform.clone()) });
            }
            Ok::<(), TransferError>(())
        })?;
        for (place, index) in shipment.indexes.iter().enumerate() {
            let is_root = place + 1 == shipment.indexes.len();
            if self.naming == Naming::Layout {
                sent = sent.saturating_add(self.put_document(index)?);
            } else if !is_root {
                sent = sent.saturating_add(self.put_listed(index)?);
            }
            root = Some(Entry { document: index.clone(), platform: None });
        }
        if self.naming == Naming::Directory && !shipment.indexes.is_empty() {
            let manifests = shipment.images.iter().filter_map(|image| image.manifest.as_ref());
            for manifest in manifests {
                sent = sent.saturating_add(self.put_listed(manifest)?);
            }
        }
        if let Some(assemble) = &self.options.assemble {
            let (media_type, bytes) = assemble.index(&manifests);
            let document = document(&media_type, bytes);
            sent = sent.saturating_add(self.put_document(&document)?);
            root = Some(Entry { document, platform: None });
        }
        let entry = root.ok_or_else(|| TransferError::Refused("no image to copy".to_owned()))?;
        let mut seen: Vec<Digest> = Vec::new();
        layers.retain(|layer: &LayerArrival| {
            !seen.contains(&layer.digest) && {
                seen.push(layer.digest.clone());
                true
            }
        });
        Ok((Arrival::of(Some(entry.document.digest.clone()), layers, sent), entry))
    }

    /// Returns `true` if an image gets an OCI manifest in place of Docker's, around the same blobs: other programs
    /// accept nothing else in a layout. Images listed in an index keep their digests.
    fn translates(&self, image: &Parcel) -> bool {
        let of_docker = |manifest: &Document| manifest.media_type.contains("vnd.docker.");
        self.naming == Naming::Layout
            && image.manifest.as_ref().is_some_and(of_docker)
            && !image.layers.iter().any(ParcelLayer::stays_where_it_is)
    }

    fn image(
        &mut self,
        is_translated: bool,
        image: &Parcel,
        known: &KnownBlobs,
        workers: &Workers,
        layers: &mut Vec<LayerArrival>,
        sent: &mut u64,
    ) -> Result<Document, TransferError> {
        let mut made = Vec::with_capacity(image.layers.len());
        for layer in &image.layers {
            self.progress.cancel().check().map_err(|_| TransferError::Cancelled)?;
            let number = layers.len();
            let one = self.layer(number, layer, image.manifest.is_some(), known, workers)?;
            let state = if one.way == Way::Sent { LayerState::Arrived } else { LayerState::There };
            self.progress.enter(number, state, one.stored_bytes);
            if one.way == Way::Sent {
                *sent = sent.saturating_add(one.stored_bytes);
            }
            let media_type = match is_translated {
                true => layer_type(layer.compression).to_owned(),
                false => self.media_type(layer, &one, image.manifest.is_some(), known),
            };
            made.push(MadeLayer {
                media_type,
                digest: one.digest.clone(),
                stored_bytes: one.stored_bytes,
                annotations: Map::new(),
            });
            layers.push(one);
        }
        *sent = sent.saturating_add(self.put_document(&image.config)?);
        let kept = image.manifest.clone().filter(|_| !is_translated);
        let document = kept.unwrap_or_else(|| manifest(&image.config, &made));
        if self.naming == Naming::Layout {
            *sent = sent.saturating_add(self.put_document(&document)?);
        }
        Ok(document)
    }

    fn compression(&self) -> LayerCompression {
        self.options.compression.unwrap_or(LayerCompression::GZIP)
    }

    fn media_type(&self, layer: &ParcelLayer, one: &LayerArrival, has_manifest: bool, known: &KnownBlobs) -> String {
        if let (Form::Packed(compression), false) = (Form::of(layer, has_manifest, self.compression()), one.is_read) {
            let all = layer.diff_id.as_ref().map(|diff_id| known.of_diff_id(diff_id)).unwrap_or_default();
            let found = all.iter().find(|blob| blob.digest == one.digest);
            let kind = found.map_or(compression.method(), |blob| compression_of(&blob.media_type));
            return layer_type(kind).to_owned();
        }
        match Form::of(layer, has_manifest, self.compression()) {
            Form::Packed(compression) => layer_type(compression.method()).to_owned(),
            Form::AsItIs => layer.media_type.clone().unwrap_or_else(|| layer_type(layer.compression).to_owned()),
        }
    }

    fn layer(
        &mut self,
        number: usize,
        layer: &ParcelLayer,
        has_manifest: bool,
        known: &KnownBlobs,
        workers: &Workers,
    ) -> Result<LayerArrival, TransferError> {
        let arrived = |digest: Digest, stored_bytes, way, is_read| {
            Ok(LayerArrival { digest, diff_id: layer.diff_id.clone(), stored_bytes, way, is_read })
        };
        let progress = self.progress;
        if let (true, Some(digest)) = (has_manifest && layer.stays_where_it_is(), &layer.digest) {
            return arrived(digest.clone(), layer.stored_bytes, Way::Left, false);
        }
        match Form::of(layer, has_manifest, self.compression()) {
            Form::AsItIs => {
                if let Some(digest) = layer.digest.as_ref().filter(|digest| self.has(digest, layer.stored_bytes)) {
                    return arrived(digest.clone(), layer.stored_bytes, Way::There, false);
                }
                if layer.digest.is_none() {
                    progress.enter(number, LayerState::Reading, layer.stored_bytes);
                    check_unpacked(layer, self.options.unpack_limit, &self.options.verification, progress.cancel())?;
                }
                progress.enter(number, LayerState::Sending, layer.stored_bytes);
                let (verification, limit) = (&self.options.verification, self.options.unpack_limit);
                let Some(checked) = CheckedBlob::of(layer, verification, limit, progress.cancel()) else {
                    let digest = self.put_stream(number, layer, &*layer.source, None)?;
                    return arrived(digest, layer.stored_bytes, Way::Sent, true);
                };
                if verification.allows()
                    && let Err(error) = layer.source.open(0)
                {
                    let settled = verification.settle(&checked.title, error.to_string());
                    settled.map_err(|reason| TransferError::part(checked.title.clone(), reason))?;
                    return arrived(checked.digest, layer.stored_bytes, Way::Left, false);
                }
                let digest = self.put_stream(number, layer, &checked, layer.digest.as_ref())?;
                arrived(digest, layer.stored_bytes, Way::Sent, true)
            }
            Form::Packed(compression) => {
                let is_chosen = self.options.compression.is_some();
                let of_diff_id = layer.diff_id.as_ref().map(|diff_id| known.of_diff_id(diff_id)).unwrap_or_default();
                let fits = |media_type: &str| !is_chosen || compression_of(media_type) == compression.method();
                let mut there = of_diff_id.iter().filter(|blob| fits(&blob.media_type));
                if let Some(blob) = there.find(|blob| self.has(&blob.digest, blob.stored_bytes)) {
                    return arrived(blob.digest.clone(), blob.stored_bytes, Way::There, false);
                }
                progress.enter(number, LayerState::Reading, layer.stored_bytes);
                let limit = self.options.unpack_limit;
                let verification = &self.options.verification;
                let packing = Packing { compression, workers, limit, verification, cancel: progress.cancel() };
                let packed = packing.pack(layer, &title_of(layer), &|done| progress.at(number, done))?;
                let bytes = packed.section.length();
                if self.has(&packed.digest, bytes) {
                    return arrived(packed.digest, bytes, Way::There, true);
                }
                progress.enter(number, LayerState::Sending, bytes);
                self.put_stream(number, layer, &packed.section, Some(&packed.digest))?;
                arrived(packed.digest, bytes, Way::Sent, true)
            }
        }
    }

    /// Writes a blob and verifies its digest.
    fn put_stream(
        &mut self,
        number: usize,
        layer: &ParcelLayer,
        source: &dyn BlobSource,
        stated: Option<&Digest>,
    ) -> Result<Digest, TransferError> {
        let what = format!("the layer {}", title_of(layer));
        let failed = |error: io::Error| TransferError::reading(what.clone(), &error);
        let mut stream = Cancellable { inner: source.open(0).map_err(failed)?, cancel: self.progress.cancel().clone() };
        let directory = self.directory_for(stated)?;
        let new = NewFile::within(&directory, directory.path().join("incoming"))?;
        let mut verifier = stated.map_or_else(|| Verifier::Sha256(Sha256::new()), Verifier::new);
        let mut out = new.file();
        let write = |error| TransferError::from(WriteError::Write { path: new.place().to_owned(), error });
        copy(
            &mut stream,
            &mut |piece| {
                verifier.update(piece);
                out.write_all(piece).map_err(write)
            },
            &failed,
            &|done| self.progress.at(number, done),
        )?;
        let mut actual = verifier.finish();
        if let Some(stated) = stated.filter(|stated| Some(*stated) != actual.as_ref()) {
            let reason = match &actual {
                Some(actual) => format!("its bytes have the digest {actual}, expected {stated}"),
                None => format!("its digest cannot be verified: {} is not supported", stated.algorithm()),
            };
            if !self.options.verification.allows() {
                return Err(TransferError::part(what, reason));
            }
            // The mismatch was reported; the blob keeps the name that manifests use.
            actual = Some(stated.clone());
        }
        let actual = actual.ok_or_else(|| TransferError::part(what.clone(), "its digest is unknown"))?;
        let place = self.place(&actual);
        let is_new = is_free(&directory, &place);
        new.publish_at(&place)?;
        self.added.extend(is_new.then_some(place));
        Ok(actual)
    }

    fn directory_for(&self, digest: Option<&Digest>) -> Result<Directory, TransferError> {
        let algorithm = digest.map_or("sha256", Digest::algorithm);
        Ok(match self.naming {
            Naming::Directory => self.root.clone(),
            Naming::Layout | Naming::Registry => blobs_of(&self.root, algorithm)?,
        })
    }

    /// Writes a document and returns the bytes written.
    fn put_document(&mut self, document: &Document) -> Result<u64, TransferError> {
        let bytes = document.bytes.len() as u64;
        if self.has(&document.digest, bytes) {
            return Ok(0);
        }
        let directory = self.directory_for(Some(&document.digest))?;
        let place = self.place(&document.digest);
        let is_new = is_free(&directory, &place);
        put_file(&directory, &place, &document.bytes)?;
        self.added.extend(is_new.then_some(place));
        Ok(bytes)
    }

    /// Writes a manifest listed by an index in a directory written by skopeo.
    fn put_listed(&mut self, document: &Document) -> Result<u64, TransferError> {
        let place = self.root.path().join(format!("{}.manifest.json", document.digest.hex()));
        put_file(&self.root, &place, &document.bytes)?;
        Ok(document.bytes.len() as u64)
    }
}

fn is_free(directory: &Directory, place: &Path) -> bool {
    matches!(directory.kind(place.file_name().unwrap_or_default()), Ok(None))
}

struct Cancellable {
    inner: Box<dyn Read + Send>,
    cancel: nixdive_base::cancel::Cancel,
}

impl Read for Cancellable {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.cancel.check()?;
        self.inner.read(buffer)
    }
}

/// Writes a small file into a directory atomically.
pub(super) fn put_file(directory: &Directory, place: &Path, bytes: &[u8]) -> Result<(), TransferError> {
    let new = NewFile::within(directory, place.to_owned())?;
    let mut file = new.file();
    file.write_all(bytes).map_err(|error| WriteError::Write { path: place.to_owned(), error })?;
    Ok(new.publish()?)
}
