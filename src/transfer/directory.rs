//! Into directories and OCI archives: an OCI layout, as a directory or in a tar file, and skopeo's `dir:`.
//!
//! A new directory is made beside its place and renamed. In a layout that is there blobs are added, and its index is
//! replaced last.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::copy::{Arrival, CopyOptions, LayerArrival, Sink, Way};
use super::made::{MadeLayer, Shape, compression_of, document, layer_type, manifest};
use super::pack::{Form, Packing, copy};
use super::push::title_of;
use super::{
    BlobSource, Document, KnownBlobs, LayerState, Parcel, ParcelLayer, Shipment, TransferError, TransferProgress,
};
use crate::image::Digest;
use crate::rebuild::write::{
    ANNOTATION_NAME, LayerCompression, NewFile, Workers, WriteError, member_header, new_directory,
};
use crate::registry::Verifier;
use crate::store::TAR_BLOCK;

const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
/// What skopeo writes into `version`.
const VERSION: &[u8] = b"Directory Transport Version: 1.1\n";
/// Bytes that an index may have that is read.
const MAX_INDEX_BYTES: u64 = 16 << 20;
/// Images of a layout that are looked at for layers that are there.
const MAX_IMAGES: usize = 100;

/// `oci:`.
pub(super) struct LayoutSink<'a> {
    pub directory: &'a Path,
    pub reference: Option<&'a str>,
}

/// `oci-archive:`.
pub(super) struct OciArchiveSink<'a> {
    pub file: &'a Path,
    pub reference: Option<&'a str>,
}

/// `dir:`.
pub(super) struct DirectorySink<'a> {
    pub path: &'a Path,
}

impl Sink for LayoutSink<'_> {
    fn deliver(
        &self,
        shipment: &Shipment,
        options: &CopyOptions,
        progress: &TransferProgress,
    ) -> Result<Arrival, TransferError> {
        let there = fs::read_dir(self.directory).ok().and_then(|mut entries| entries.next()).is_some();
        let building = if there { None } else { Some(new_directory(self.directory)?) };
        let root = building.as_ref().map_or(self.directory, TempDir::path).to_owned();
        let mut index = Map::new();
        if there {
            index = self.read_index()?;
        }
        let mut store = Store { root: root.clone(), naming: Naming::Layout, added: Vec::new(), options, progress };
        let known = if there { store.known(&index) } else { KnownBlobs::default() };
        let (arrival, entry) = store.fill(shipment, &known)?;
        let more = options.more_names.iter().map(|name| Some(name.as_str()));
        for name in std::iter::once(self.reference).chain(more) {
            index = with_entry(index, &entry, name);
        }
        let index = Value::Object(index);
        if building.is_some() {
            put_file(&root.join("oci-layout"), LAYOUT)?;
        }
        put_file(&root.join("index.json"), index.to_string().as_bytes())?;
        if let Some(building) = building {
            publish(building, self.directory)?;
        }
        store.added.clear();
        Ok(arrival)
    }
}

impl LayoutSink<'_> {
    fn read_index(&self) -> Result<Map<String, Value>, TransferError> {
        let refused = |reason| WriteError::Exists { path: self.directory.to_owned(), reason };
        if !self.directory.join("oci-layout").is_file() {
            return Err(refused("is a directory with other things in it, and no OCI layout").into());
        }
        let index = read_object(&self.directory.join("index.json"));
        Ok(index.ok_or_else(|| refused("is an OCI layout whose index.json cannot be understood"))?)
    }
}

impl Sink for OciArchiveSink<'_> {
    fn deliver(
        &self,
        shipment: &Shipment,
        options: &CopyOptions,
        progress: &TransferProgress,
    ) -> Result<Arrival, TransferError> {
        let scratch = new_directory(self.file)?;
        let sink = LayoutSink { directory: &scratch.path().join("layout"), reference: self.reference };
        let arrival = sink.deliver(shipment, options, progress)?;
        let new = NewFile::beside(self.file)?;
        write_tar(&new, sink.directory, progress)?;
        new.publish()?;
        Ok(arrival)
    }
}

impl Sink for DirectorySink<'_> {
    fn deliver(
        &self,
        shipment: &Shipment,
        options: &CopyOptions,
        progress: &TransferProgress,
    ) -> Result<Arrival, TransferError> {
        let is_one = fs::read(self.path.join("version")).is_ok_and(|text| text.starts_with(b"Directory Transport"));
        let is_empty = fs::read_dir(self.path).map_or(true, |mut entries| entries.next().is_none());
        if self.path.exists() && !is_one && !is_empty {
            let reason = "is a directory with other things in it, and none of skopeo's";
            return Err(WriteError::Exists { path: self.path.to_owned(), reason }.into());
        }
        let building = new_directory(self.path)?;
        let root = building.path().to_owned();
        let mut store = Store { root: root.clone(), naming: Naming::Directory, added: Vec::new(), options, progress };
        let (arrival, entry) = store.fill(shipment, &KnownBlobs::default())?;
        put_file(&root.join("manifest.json"), &entry.document.bytes)?;
        put_file(&root.join("version"), VERSION)?;
        store.added.clear();
        // A directory cannot take the place of another in one step.
        let old = if is_one { Some(set_aside(self.path)?) } else { None };
        publish(building, self.path)?;
        drop(old);
        Ok(arrival)
    }
}

/// Moves a directory out of the way, to be removed.
fn set_aside(path: &Path) -> Result<TempDir, TransferError> {
    let aside = new_directory(path)?;
    let failed = |error| WriteError::Write { path: path.to_owned(), error };
    fs::rename(path, aside.path().join("old")).map_err(failed)?;
    Ok(aside)
}

fn publish(building: TempDir, place: &Path) -> Result<(), TransferError> {
    let failed = |error| WriteError::Write { path: place.to_owned(), error };
    fs::rename(building.path(), place).map_err(failed)?;
    // It is not where it was made any more; there is nothing to remove.
    let _ = building.keep();
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Naming {
    Layout,
    Directory,
}

/// What an index, or a directory, names.
struct Entry {
    document: Document,
    image: Option<crate::image::Platform>,
}

/// Files by their digests.
struct Store<'a> {
    root: PathBuf,
    naming: Naming,
    /// Blobs that were not there before: they go again unless all is well.
    added: Vec<PathBuf>,
    options: &'a CopyOptions,
    progress: &'a TransferProgress,
}

impl Store<'_> {
    fn place(&self, digest: &Digest) -> PathBuf {
        match self.naming {
            Naming::Layout => self.root.join("blobs").join(digest.algorithm()).join(digest.hex()),
            Naming::Directory => self.root.join(digest.hex()),
        }
    }

    fn has(&self, digest: &Digest, bytes: u64) -> bool {
        fs::metadata(self.place(digest)).is_ok_and(|found| found.is_file() && found.len() == bytes)
    }

    fn read(&self, digest: &Digest) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(self.place(digest)).ok()?.take(MAX_INDEX_BYTES).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    /// Layers of a layout that is there, by their diffIDs.
    fn known(&self, index: &Map<String, Value>) -> KnownBlobs {
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

    /// Puts everything in but what names it.
    fn fill(&mut self, shipment: &Shipment, known: &KnownBlobs) -> Result<(Arrival, Entry), TransferError> {
        let all = shipment.images.iter().flat_map(|image| &image.layers);
        self.progress.begin(all.map(|layer| (title_of(layer), layer.stored_bytes)));
        let mut layers = Vec::new();
        let mut sent = 0u64;
        let mut root = None;
        let mut manifests = Vec::with_capacity(shipment.images.len());
        std::thread::scope(|scope| {
            let workers = Workers::start(scope, self.options.threads);
            for image in &shipment.images {
                let document = self.image(image, known, &workers, &mut layers, &mut sent)?;
                manifests.push(document.clone());
                root = Some(Entry { document, image: Some(image.platform.clone()) });
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
            root = Some(Entry { document: index.clone(), image: None });
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
            root = Some(Entry { document, image: None });
        }
        let entry = root.ok_or_else(|| TransferError::Refused("there is no image to be copied".to_owned()))?;
        let mut seen: Vec<Digest> = Vec::new();
        layers.retain(|layer: &LayerArrival| {
            !seen.contains(&layer.digest) && {
                seen.push(layer.digest.clone());
                true
            }
        });
        Ok((Arrival::of(Some(entry.document.digest.clone()), layers, sent), entry))
    }

    fn image(
        &mut self,
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
            let media_type = self.media_type(layer, &one, image.manifest.is_some(), known);
            made.push(MadeLayer {
                media_type,
                digest: one.digest.clone(),
                stored_bytes: one.stored_bytes,
                annotations: Map::new(),
            });
            layers.push(one);
        }
        *sent = sent.saturating_add(self.put_document(&image.config)?);
        let document = image.manifest.clone().unwrap_or_else(|| manifest(&image.config, &made));
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
                progress.enter(number, LayerState::Sending, layer.stored_bytes);
                let digest = self.put_stream(number, layer, &*layer.source, layer.digest.as_ref())?;
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
                let packing = Packing { compression, workers, limit, cancel: progress.cancel() };
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

    /// Writes a blob, and holds it against its digest.
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
        let new = NewFile::beside(&directory.join("incoming"))?;
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
        let actual = verifier.finish().ok_or_else(|| TransferError::part(what.clone(), "its digest is not known"))?;
        if let Some(stated) = stated.filter(|stated| **stated != actual) {
            return Err(TransferError::part(
                what,
                format!("its bytes have the digest {actual}, and should have {stated}"),
            ));
        }
        let place = self.place(&actual);
        new.publish_at(&place)?;
        self.added.push(place);
        Ok(actual)
    }

    fn directory_for(&self, digest: Option<&Digest>) -> Result<PathBuf, TransferError> {
        let algorithm = digest.map_or("sha256", Digest::algorithm);
        let directory = match self.naming {
            Naming::Layout => self.root.join("blobs").join(algorithm),
            Naming::Directory => self.root.clone(),
        };
        fs::create_dir_all(&directory).map_err(|error| WriteError::Write { path: directory.clone(), error })?;
        Ok(directory)
    }

    /// Bytes that were written.
    fn put_document(&mut self, document: &Document) -> Result<u64, TransferError> {
        let bytes = document.bytes.len() as u64;
        if self.has(&document.digest, bytes) {
            return Ok(0);
        }
        self.directory_for(Some(&document.digest))?;
        let place = self.place(&document.digest);
        put_file(&place, &document.bytes)?;
        self.added.push(place);
        Ok(bytes)
    }

    /// A manifest that an index in a directory of skopeo's lists.
    fn put_listed(&mut self, document: &Document) -> Result<u64, TransferError> {
        let place = self.root.join(format!("{}.manifest.json", document.digest.hex()));
        put_file(&place, &document.bytes)?;
        Ok(document.bytes.len() as u64)
    }
}

impl Drop for Store<'_> {
    fn drop(&mut self) {
        for blob in &self.added {
            // What cannot be removed is a blob that no image names.
            let _ = fs::remove_file(blob);
        }
    }
}

struct Cancellable {
    inner: Box<dyn Read + Send>,
    cancel: crate::scan::Cancel,
}

impl Read for Cancellable {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.cancel.check()?;
        self.inner.read(buffer)
    }
}

fn put_file(place: &Path, bytes: &[u8]) -> Result<(), TransferError> {
    let new = NewFile::beside(place)?;
    let mut file = new.file();
    file.write_all(bytes).map_err(|error| WriteError::Write { path: place.to_owned(), error })?;
    Ok(new.publish()?)
}

fn read_object(file: &Path) -> Option<Map<String, Value>> {
    let mut bytes = Vec::new();
    File::open(file).ok()?.take(MAX_INDEX_BYTES + 1).read_to_end(&mut bytes).ok()?;
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(object)) if bytes.len() as u64 <= MAX_INDEX_BYTES => Some(object),
        _ => None,
    }
}

/// The index of a layout with one more image, in the place of the one of the same name.
fn with_entry(mut index: Map<String, Value>, entry: &Entry, reference: Option<&str>) -> Map<String, Value> {
    if index.is_empty() {
        index.insert("schemaVersion".into(), 2.into());
        index.insert("manifests".into(), json!([]));
    }
    let document = &entry.document;
    let mut described = Map::new();
    described.insert("mediaType".into(), document.media_type.as_str().into());
    described.insert("digest".into(), document.digest.as_str().into());
    described.insert("size".into(), document.bytes.len().into());
    if let Some(reference) = reference {
        described.insert("annotations".into(), json!({ANNOTATION_NAME: reference}));
    }
    if let Some(platform) = entry.image.as_ref().filter(|platform| !platform.os.is_empty()) {
        let mut known = json!({"architecture": platform.architecture, "os": platform.os});
        if let (Some(variant), Some(known)) = (&platform.variant, known.as_object_mut()) {
            known.insert("variant".into(), variant.as_str().into());
        }
        described.insert("platform".into(), known);
    }
    if let Some(images) = index.get_mut("manifests").and_then(Value::as_array_mut) {
        let name = |one: &Value| one.pointer("/annotations").and_then(|all| all.get(ANNOTATION_NAME)).cloned();
        let new = Value::Object(described);
        images.retain(|known| {
            let same_name = name(known) == name(&new);
            !(same_name && (reference.is_some() || known.get("digest") == new.get("digest")))
        });
        images.push(new);
    }
    index
}

/// Writes a layout as a tar file: what tells what it is first, then blobs by their names.
fn write_tar(new: &NewFile, layout: &Path, progress: &TransferProgress) -> Result<(), TransferError> {
    let failed = |error| TransferError::from(WriteError::Write { path: new.place().to_owned(), error });
    let mut out = new.file();
    let mut names = vec!["oci-layout".to_owned(), "index.json".to_owned(), "blobs/".to_owned()];
    for algorithm in ["sha256", "sha512"] {
        let Ok(entries) = fs::read_dir(layout.join("blobs").join(algorithm)) else { continue };
        names.push(format!("blobs/{algorithm}/"));
        let mut blobs: Vec<String> = entries
            .flatten()
            .map(|entry| format!("blobs/{algorithm}/{}", entry.file_name().to_string_lossy()))
            .collect();
        blobs.sort();
        names.extend(blobs);
    }
    for name in names {
        progress.cancel().check().map_err(|_| TransferError::Cancelled)?;
        if name.ends_with('/') {
            out.write_all(&member_header(name.as_bytes(), 0)).map_err(failed)?;
            continue;
        }
        let mut file = File::open(layout.join(&name)).map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        out.write_all(&member_header(name.as_bytes(), bytes)).map_err(failed)?;
        let copied = io::copy(&mut file, &mut out).map_err(failed)?;
        let padding = copied.next_multiple_of(TAR_BLOCK as u64) - copied;
        out.write_all(&vec![0; usize::try_from(padding).unwrap_or_default()]).map_err(failed)?;
    }
    out.write_all(&[0; 2 * TAR_BLOCK]).map_err(failed)
}
