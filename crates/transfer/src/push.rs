//! Pushes to a registry: layers in parallel, the largest first, then the configuration, and manifests last.

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hashbrown::HashMap;
use serde_json::Map;
use sha2::{Digest as _, Sha256};
use tracing::debug;

use super::blob::CheckedBlob;
use super::copy::{Arrival, CopyOptions, LayerArrival, Sink, Way};
use super::made::{MadeLayer, document, layer_type, manifest};
use super::pack::{Form, Packing, check_unpacked, copy};
use super::{
    BlobSource, Document, KnownBlob, KnownBlobs, LayerState, Parcel, ParcelLayer, Shipment, TransferError,
    TransferProgress,
};
use nixdive_base::cancel::Cancel;
use nixdive_image::reference::ImageName;
use nixdive_image::{Compression, Digest};
use nixdive_scan::Section;
use nixdive_source::registry::{Mounted, Registries, RegistryError, Repository, Session, Upload};
use nixdive_write::{LayerCompression, Workers};

/// Number of layers sent in parallel; Docker and podman use similar values.
const AT_ONCE: usize = 4;

/// Pushes to a tag of a registry.
pub(super) struct RegistrySink<'a> {
    pub name: &'a ImageName,
}

impl Sink for RegistrySink<'_> {
    fn deliver(
        &self,
        shipment: &Shipment,
        options: &CopyOptions,
        progress: &TransferProgress,
    ) -> Result<Arrival, TransferError> {
        let registries = options.remote.registries(progress.cancel())?;
        let name = if self.name.given_host().is_some() { self.name.clone() } else { registries.complete(self.name)? };
        let push = |trusts: bool| {
            let repository = registries.repository(&name)?;
            let push = Push {
                registries: &registries,
                repository,
                name: &name,
                shipment,
                options,
                progress,
                trusts,
                known: Mutex::default(),
                has_failed: Arc::default(),
                sent_bytes: AtomicU64::new(0),
            };
            push.run()
        };
        match push(true) {
            // The registry reported blobs as present that it does not have: all of them are sent.
            Err(TransferError::Registry(RegistryError::MissingParts { .. })) => push(false),
            other => other,
        }
    }
}

struct Push<'a> {
    registries: &'a Arc<Registries>,
    repository: Repository,
    name: &'a ImageName,
    shipment: &'a Shipment,
    options: &'a CopyOptions,
    progress: &'a TransferProgress,
    /// True if the registry is trusted when it reports a blob as present.
    trusts: bool,
    known: Mutex<Option<Arc<KnownBlobs>>>,
    has_failed: Arc<AtomicBool>,
    sent_bytes: AtomicU64,
}

/// Layer present at the destination, and its entry in a manifest.
#[derive(Clone)]
struct Arrived {
    made: MadeLayer,
    arrival: LayerArrival,
}

/// Layer of one or several images.
struct Task<'a> {
    layer: &'a ParcelLayer,
    has_manifest: bool,
}

impl Push<'_> {
    fn run(&self) -> Result<Arrival, TransferError> {
        let (tasks, places) = self.tasks();
        let title = |task: &Task<'_>| title_of(task.layer);
        self.progress.begin(tasks.iter().map(|task| (title(task), task.layer.stored_bytes)));
        let arrived = self.layers(&tasks)?;
        let mut digest = None;
        let mut manifests = Vec::with_capacity(places.len());
        for (image, places) in self.shipment.images.iter().zip(&places) {
            let layers = places.iter().filter_map(|&place| arrived.get(place)).map(|one| one.made.clone());
            let manifest = self.image(image, &layers.collect::<Vec<_>>())?;
            digest = Some(manifest.digest.clone());
            manifests.push(manifest);
        }
        for (place, index) in self.shipment.indexes.iter().enumerate() {
            let is_root = place + 1 == self.shipment.indexes.len() && self.options.assemble.is_none();
            digest = Some(self.put(index, is_root)?);
        }
        if let Some(assemble) = &self.options.assemble {
            let (media_type, bytes) = assemble.index(&manifests);
            digest = Some(self.put(&document(&media_type, bytes), true)?);
        }
        let layers = arrived.into_iter().map(|one| one.arrival).collect();
        Ok(Arrival::of(digest, layers, self.sent_bytes.load(Ordering::Relaxed)))
    }

    /// Returns the distinct layers, and for each image the positions of its own.
    fn tasks(&self) -> (Vec<Task<'_>>, Vec<Vec<usize>>) {
        let mut tasks: Vec<Task<'_>> = Vec::new();
        let mut seen: HashMap<(&Digest, bool), usize> = HashMap::new();
        let mut places = Vec::with_capacity(self.shipment.images.len());
        for image in &self.shipment.images {
            let has_manifest = image.manifest.is_some();
            let mut own = Vec::with_capacity(image.layers.len());
            for layer in &image.layers {
                let next = tasks.len();
                let key = layer.digest.as_ref().or(layer.diff_id.as_ref()).map(|digest| (digest, has_manifest));
                let place = key.map_or(next, |key| *seen.entry(key).or_insert(next));
                if place == next {
                    tasks.push(Task { layer, has_manifest });
                }
                own.push(place);
            }
            places.push(own);
        }
        (tasks, places)
    }

    fn layers(&self, tasks: &[Task<'_>]) -> Result<Vec<Arrived>, TransferError> {
        let mut order: Vec<usize> = (0..tasks.len()).collect();
        order.sort_by_key(|&place| std::cmp::Reverse(tasks.get(place).map_or(0, |task| task.layer.stored_bytes)));
        let next = AtomicUsize::new(0);
        let failure = Mutex::new(None);
        let slots: Vec<Mutex<Option<Arrived>>> = tasks.iter().map(|_| Mutex::new(None)).collect();
        std::thread::scope(|scope| {
            let workers = Workers::start(scope, self.options.threads);
            let work = || {
                while let Some(&place) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let Some((task, slot)) = tasks.get(place).zip(slots.get(place)) else { break };
                    match (OneLayer { push: self, place, layer: task.layer, workers: &workers }).run(task.has_manifest)
                    {
                        Ok(done) => *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(done),
                        Err(error) => {
                            if !self.has_failed.swap(true, Ordering::Relaxed) {
                                *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                            }
                            break;
                        }
                    }
                    if self.has_failed.load(Ordering::Relaxed) {
                        break;
                    }
                }
            };
            std::thread::scope(|scope| {
                for _ in 1..AT_ONCE.min(tasks.len()) {
                    scope.spawn(work);
                }
                work();
            });
        });
        if let Some(error) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        let taken = slots.into_iter().map(|slot| slot.into_inner().unwrap_or_else(PoisonError::into_inner));
        let all: Option<Vec<Arrived>> = taken.collect();
        all.ok_or_else(|| TransferError::Refused("a layer was not sent".to_owned()))
    }

    /// Uploads the configuration and the manifest of an image whose layers are present.
    fn image(&self, image: &Parcel, layers: &[MadeLayer]) -> Result<Document, TransferError> {
        let config = &image.config;
        let bytes = config.bytes.len() as u64;
        let is_there = self.trusts && self.repository.has_blob(&config.digest)? == Some(bytes);
        if !is_there {
            let section = Section::from_bytes(config.bytes.clone());
            let open = |offset| section.open(offset);
            let upload = Upload { digest: &config.digest, bytes, open: &open, progress: Arc::new(|_| ()) };
            self.count(self.repository.upload(&upload, None)?.bytes);
        }
        let document = image.manifest.clone().unwrap_or_else(|| manifest(config, layers));
        let digest = self.put(&document, self.shipment.indexes.is_empty() && self.options.assemble.is_none())?;
        Ok(Document { digest, ..document })
    }

    /// Uploads a document under its digest; the root document under all names.
    fn put(&self, document: &Document, is_root: bool) -> Result<Digest, TransferError> {
        let own = document.digest.to_string();
        let more = self.options.more_names.iter().map(String::as_str);
        let names: Vec<&str> =
            if is_root { std::iter::once(self.name.tag()).chain(more).collect() } else { vec![&own] };
        let mut given = document.digest.clone();
        for name in names {
            let digest = self.repository.put_manifest(name, &document.media_type, &document.bytes)?;
            self.count(document.bytes.len() as u64);
            // Digests of different algorithms cannot be compared: the registry verified its own one.
            if digest.algorithm() == document.digest.algorithm() {
                given = digest;
            }
        }
        Ok(given)
    }

    fn count(&self, bytes: u64) {
        self.sent_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Returns the blobs present at the destination, looked up by a single thread when they are first needed.
    fn known(&self) -> Result<Arc<KnownBlobs>, TransferError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*known {
            return Ok(Arc::clone(known));
        }
        let found = Arc::new(KnownBlobs::of_registry(self.registries, self.name, &self.options.siblings)?);
        *known = Some(Arc::clone(&found));
        Ok(found)
    }

    /// Returns other repositories of the same registry that may contain a blob.
    fn neighbours(&self) -> Vec<String> {
        let source = self.shipment.repository.as_ref().map(Repository::name);
        let all = source.into_iter().chain(&self.options.siblings);
        let same = all.filter(|name| name.host() == self.name.host()).map(ImageName::repository);
        let mut others: Vec<String> = same.filter(|other| *other != self.name.repository()).collect();
        others.dedup();
        others
    }
}

struct OneLayer<'a> {
    push: &'a Push<'a>,
    place: usize,
    layer: &'a ParcelLayer,
    workers: &'a Workers,
}

impl OneLayer<'_> {
    fn run(&self, has_manifest: bool) -> Result<Arrived, TransferError> {
        self.push.progress.cancel().check().map_err(|_| TransferError::Cancelled)?;
        let compression = self.push.options.compression.unwrap_or(LayerCompression::GZIP);
        if has_manifest && self.layer.stays_where_it_is() {
            let digest = self.layer.digest.clone().ok_or_else(|| self.failed("it has no digest"))?;
            return Ok(self.arrived(digest, self.layer.stored_bytes, None, Way::Left, false));
        }
        match Form::of(self.layer, has_manifest, compression) {
            Form::AsItIs => self.as_it_is(),
            Form::Packed(compression) => self.packed(compression),
        }
    }

    fn failed(&self, reason: &str) -> TransferError {
        TransferError::part(format!("the layer {}", title_of(self.layer)), reason)
    }

    fn as_it_is(&self) -> Result<Arrived, TransferError> {
        let (digest, is_hashed) = match &self.layer.digest {
            Some(digest) => (digest.clone(), false),
            None => {
                let options = self.push.options;
                check_unpacked(self.layer, options.unpack_limit, &options.verification, self.push.progress.cancel())?;
                (self.hash()?, true)
            }
        };
        let bytes = self.layer.stored_bytes;
        let way = match self.find(&digest, bytes, &self.push.neighbours())? {
            Found::There(way) => way,
            Found::Not(session) => {
                let (options, cancel) = (self.push.options, self.push.progress.cancel());
                let own = ParcelLayer { digest: Some(digest.clone()), ..self.layer.clone() };
                // A layer without a digest was unpacked just now.
                let own = if is_hashed { ParcelLayer { diff_id: None, ..own } } else { own };
                let checked = CheckedBlob::of(&own, &options.verification, options.unpack_limit, cancel);
                let checked = checked.ok_or_else(|| self.failed("it has no digest"))?;
                match self.missing() {
                    Some(reason) => {
                        let settled = options.verification.settle(&checked.title, reason);
                        settled.map_err(|reason| self.failed(&reason))?;
                        Way::Left
                    }
                    None => {
                        self.send(&checked, &digest, bytes, session)?;
                        Way::Sent
                    }
                }
            }
        };
        Ok(self.arrived(digest, bytes, None, way, is_hashed || way == Way::Sent))
    }

    /// Returns the reason why a layer is absent at the source, if it may be left out.
    fn missing(&self) -> Option<String> {
        let may_be_left = self.push.options.verification.allows();
        may_be_left.then(|| self.layer.source.open(0).err().map(|error| error.to_string())).flatten()
    }

    /// Computes the digest of a source that does not state it.
    fn hash(&self) -> Result<Digest, TransferError> {
        let failed = |error: io::Error| TransferError::reading(format!("the layer {}", title_of(self.layer)), &error);
        let progress = self.push.progress;
        progress.enter(self.place, LayerState::Reading, self.layer.stored_bytes);
        let mut hasher = Sha256::new();
        let mut stream = self.watched(self.layer.source.open(0).map_err(failed)?);
        copy(
            &mut stream,
            &mut |piece| {
                hasher.update(piece);
                Ok(())
            },
            &failed,
            &|done| progress.at(self.place, done),
        )?;
        Ok(Digest::from_sha256(&hasher.finalize().into()))
    }

    fn packed(&self, compression: LayerCompression) -> Result<Arrived, TransferError> {
        let stated = self.layer.diff_id.as_ref();
        if let Some(diff_id) = stated.filter(|_| self.push.trusts)
            && let Some(arrived) = self.known(diff_id, compression)?
        {
            return Ok(arrived);
        }
        let progress = self.push.progress;
        progress.enter(self.place, LayerState::Reading, self.layer.stored_bytes);
        let limit = self.push.options.unpack_limit;
        let verification = &self.push.options.verification;
        let packing = Packing { compression, workers: self.workers, limit, verification, cancel: progress.cancel() };
        let packed = packing.pack(self.layer, &title_of(self.layer), &|done| progress.at(self.place, done))?;
        let bytes = packed.section.length();
        if let Some(cache) = &self.push.options.remote.cache {
            cache.keep_packed(&packed.diff_id, &name_of(compression), &packed.digest, bytes);
        }
        let way = match self.find(&packed.digest, bytes, &[])? {
            Found::There(way) => way,
            Found::Not(session) => {
                self.send(&packed.section, &packed.digest, bytes, session)?;
                Way::Sent
            }
        };
        Ok(self.arrived(packed.digest, bytes, Some(layer_type(compression.method())), way, true))
    }

    /// Looks up a layer whose blob is known to the destination or to this machine; it is not read if the blob is
    /// present.
    fn known(&self, diff_id: &Digest, compression: LayerCompression) -> Result<Option<Arrived>, TransferError> {
        let is_chosen = self.push.options.compression.is_some();
        let fits =
            |blob: &&KnownBlob| !is_chosen || super::made::compression_of(&blob.media_type) == compression.method();
        let known = self.push.known()?;
        for blob in known.of_diff_id(diff_id).iter().filter(fits) {
            let neighbours: Vec<String> = blob.repository.iter().cloned().collect();
            if let Found::There(way) = self.find(&blob.digest, blob.stored_bytes, &neighbours)? {
                let media_type = oci_type(&blob.media_type);
                return Ok(Some(self.arrived(blob.digest.clone(), blob.stored_bytes, Some(media_type), way, false)));
            }
        }
        let cache = self.push.options.remote.cache.as_ref();
        let kept = cache.and_then(|cache| cache.packed(diff_id, &name_of(compression)));
        let Some((digest, bytes)) = kept else { return Ok(None) };
        Ok(match self.find(&digest, bytes, &self.push.neighbours())? {
            Found::There(way) => Some(self.arrived(digest, bytes, Some(layer_type(compression.method())), way, false)),
            Found::Not(_) => None,
        })
    }

    /// Checks if a blob is present or can be mounted.
    fn find(&self, digest: &Digest, bytes: u64, neighbours: &[String]) -> Result<Found, TransferError> {
        let repository = &self.push.repository;
        if self.push.trusts && repository.has_blob(digest)? == Some(bytes) {
            return Ok(Found::There(Way::There));
        }
        let mut session = None;
        for from in neighbours.iter().filter(|_| self.push.trusts) {
            match repository.mount(digest, from)? {
                Mounted::Done => return Ok(Found::There(Way::Mounted)),
                Mounted::Session(begun) => session = Some(begun),
                Mounted::Refused => {}
            }
        }
        Ok(Found::Not(session))
    }

    fn send(
        &self,
        source: &dyn BlobSource,
        digest: &Digest,
        bytes: u64,
        session: Option<Session>,
    ) -> Result<(), TransferError> {
        self.push.progress.enter(self.place, LayerState::Sending, bytes);
        let open = |offset| Ok(Box::new(self.watched(source.open(offset)?)) as Box<dyn Read + Send>);
        let (progress, place) = (self.push.progress.clone(), self.place);
        let progress = Arc::new(move |done| progress.at(place, done));
        let sent = self.push.repository.upload(&Upload { digest, bytes, open: &open, progress }, session);
        self.push.progress.cancel().check().map_err(|_| TransferError::Cancelled)?;
        self.push.count(sent?.bytes);
        Ok(())
    }

    fn watched(&self, inner: Box<dyn Read + Send>) -> Watched {
        Watched { inner, cancel: self.push.progress.cancel().clone(), has_failed: Arc::clone(&self.push.has_failed) }
    }

    fn arrived(&self, digest: Digest, bytes: u64, media_type: Option<&str>, way: Way, is_read: bool) -> Arrived {
        let state = if way == Way::Sent { LayerState::Arrived } else { LayerState::There };
        self.push.progress.enter(self.place, state, bytes);
        let own = self.layer.media_type.as_deref();
        let media_type = media_type.or(own).unwrap_or_else(|| layer_type(self.layer.compression));
        let media_type = media_type.to_owned();
        let diff_id = self.layer.diff_id.clone();
        debug!(target: "transfer", number = self.place, %digest, bytes, ?way, "layer");
        let made = MadeLayer { media_type, digest: digest.clone(), stored_bytes: bytes, annotations: Map::new() };
        Arrived { made, arrival: LayerArrival { digest, diff_id, stored_bytes: bytes, way, is_read } }
    }
}

enum Found {
    There(Way),
    /// Absent; the registry may have started an upload for it.
    Not(Option<Session>),
}

/// Reader that stops if the transfer has failed or was cancelled.
struct Watched {
    inner: Box<dyn Read + Send>,
    cancel: Cancel,
    has_failed: Arc<AtomicBool>,
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.cancel.check()?;
        if self.has_failed.load(Ordering::Relaxed) {
            return Err(io::Error::other("another layer has failed"));
        }
        self.inner.read(buffer)
    }
}

/// Returns the short digest that identifies a layer in messages.
pub(super) fn title_of(layer: &ParcelLayer) -> String {
    let digest = layer.digest.as_ref().or(layer.diff_id.as_ref());
    digest.map(|digest| digest.short().to_owned()).unwrap_or_default()
}

pub(super) fn name_of(compression: LayerCompression) -> String {
    format!("{}:{}", compression.method().name(), compression.level())
}

/// Returns the OCI media type of a layer that may have one of Docker's.
fn oci_type(media_type: &str) -> &'static str {
    match super::made::compression_of(media_type) {
        Compression::Zstd => layer_type(Compression::Zstd),
        Compression::Gzip => layer_type(Compression::Gzip),
        _ => layer_type(Compression::None),
    }
}
